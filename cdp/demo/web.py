"""Web and app tracking calls as Segment's and RudderStack's libraries send them.

Browser calls are written one a line, as a collector archives them (``originalTimestamp``, ``sentAt``,
``receivedAt`` and the corrected ``timestamp``); app calls as ``{"batch": [...], "sentAt": ...}`` bodies,
as the library posts them. People browse anonymously before they log in; devices of a household are
shared; libraries retry (same ``messageId``), send late, and from clocks that are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import orjson

from cdp.demo.households import uuid
from cdp.demo.noise import JUNK_EMAILS, pick, plain_name, short_name, typo, written_email, written_phone
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import CAMPAIGNS, DOMAIN, PRODUCTS, USER_AGENTS, Product, price_in
from cdp.demo.visits import Visit, visits
from cdp.demo.when import iso, moments

Call = dict[str, Any]

_PAGES: Final = (
    ("/", "Home"), ("/lighting", "Lighting"), ("/furniture", "Furniture"), ("/garden", "Garden"),
    ("/sale", "Sale"), ("/delivery", "Delivery"), ("/returns", "Returns"), ("/stories/brass", "Brass"),
)  # fmt: skip
_STEPS: Final = (
    ("page", 0.44), ("Product Viewed", 0.70), ("Product List Viewed", 0.78), ("Product Added", 0.86),
    ("Cart Viewed", 0.90), ("Checkout Started", 0.93), ("Products Searched", 0.96),
    ("Form Submitted", 0.975), ("Video Playback Started", 0.985), ("Coupon Applied", 1.0),
)  # fmt: skip
_NETWORKS: Final = ("192.0.2.", "198.51.100.", "203.0.113.")  # reserved for documentation


class _Web:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.lines = Spool(channel, "{date}.ndjson", 1)
        self.batches = Spool(channel, "app-{date}.json", 7)

    def write(self) -> None:
        _oddities(self)
        for visit in visits(self.channel):
            self.lines.flush(visit.start - 1)
            self.batches.flush(visit.start - 1)
            self._note(visit)
            calls = list(self._calls(visit))
            if visit.app:
                self._send_batches(calls)
            else:
                self._send_lines(calls)
        self.lines.close()
        self.batches.close()
        self.channel.write(f"{self.channel.date(self.channel.world.days - 1)}-empty.ndjson", b"")

    def _note(self, visit: Visit) -> None:
        """Tell the truth which records this visit makes."""
        person, truth = visit.person, self.channel.truth
        anonymous = visit.login_at is None or visit.login_at > 0
        if person is None:
            truth.add("web", visit.anonymous_id, -visit.stranger)
        elif anonymous and visit.anonymous_id:
            truth.add("web", visit.anonymous_id, person.index)
        if person is not None and visit.user_id and visit.login_at is not None:
            truth.add("web", visit.user_id, person.index)

    def _calls(self, visit: Visit) -> Iterator[tuple[float, Call]]:
        rng, time = self.rng, visit.start
        context = _context(visit, rng)
        currency = visit.person.country.currency if visit.person else "GBP"
        checkout = False
        for position in range(visit.calls):
            inside = visit.login_at is not None and position >= visit.login_at
            call = self._base(visit, time, context, user_id=visit.user_id if inside else None)
            if position == visit.login_at or (visit.lead and position == 1):
                self._identify(visit, call, time)
            elif position == 0 and visit.first and rng.random() < 0.3:
                _consent(call, rng)
            elif checkout and inside and rng.random() < 0.6:
                _order(call, currency, rng)
                checkout = False
            elif inside and position - 1 == visit.login_at and rng.random() < 0.03:
                self._alias_or_group(visit, call)
            else:
                checkout = _step(call, currency, rng, app=visit.app) or checkout
            self.channel.tally.count(call["type"])
            yield time, call
            time += 1.0 + rng.expovariate(1 / 45.0)

    def _base(self, visit: Visit, time: float, context: Call, *, user_id: str | None) -> Call:
        rng = self.rng
        library = "rn" if visit.app else "ajs-next"
        call: Call = {
            "messageId": f"{library}-{int(time * 1000)}-{uuid(rng)}",
            "context": context,
            "integrations": {},
        }
        if visit.anonymous_id:
            call["anonymousId"] = visit.anonymous_id
        if user_id is not None:
            call["userId"] = user_id
        elif (roll := rng.random()) < 0.75:
            call["userId"] = None
        elif roll < 0.83:
            call["userId"] = ""
        return call

    def _identify(self, visit: Visit, call: Call, time: float) -> None:
        call["type"] = "identify"
        if visit.person is not None:
            email = {"email": visit.person.email}
            call["traits"] = email if visit.lead else _traits(visit.person, time, self.rng)

    @staticmethod
    def _alias_or_group(visit: Visit, call: Call) -> None:
        person = visit.person
        if person is not None and person.company is not None:
            call.update(
                type="group", groupId=f"g{person.company.number}", traits={"name": person.company.name}
            )
        elif visit.anonymous_id:
            call.update(type="alias", previousId=visit.anonymous_id)
        else:
            call.update(type="track", event="Signed In", properties={})

    def _send_lines(self, calls: list[tuple[float, Call]]) -> None:
        rng = self.rng
        skew = rng.choice((-5400.0, 180.0, 7200.0)) if rng.random() < 0.02 else 0.0
        for time, call in calls:
            received = time + 0.2 + rng.random()
            if rng.random() < 0.004:
                received += rng.random() * 86_400 * 3
            received = min(received, self.channel.world.end - 1)
            call["originalTimestamp"] = iso(time + skew)
            call["sentAt"] = iso(received - 0.1 + skew)
            call["receivedAt"] = iso(received)
            call["timestamp"] = iso(time + 0.1)
            line = orjson.dumps(call)
            self.lines.add(received, line)
            if rng.random() < 0.012:
                self.lines.add(min(received + 10.0, self.channel.world.end - 1), line)
                self.channel.tally.count(call["type"])
                self.channel.tally.duplicates += 1

    def _send_batches(self, calls: list[tuple[float, Call]]) -> None:
        rng = self.rng
        delay = rng.random() * 86_400 * 4 if rng.random() < 0.04 else 5.0
        sent = min(calls[-1][0] + delay, self.channel.world.end - 60)
        for time, call in calls:
            call["timestamp"] = iso(time)
            call["_metadata"] = {"jsRuntime": "hermes"}
        batch = orjson.dumps([call for _, call in calls])
        self.batches.add(sent, _body(batch, sent))
        if rng.random() < 0.015:
            again = sent + 20.0
            self.batches.add(again, _body(batch, again))
            for _, call in calls:
                self.channel.tally.count(call["type"])
            self.channel.tally.duplicates += len(calls)


def _body(batch: bytes, sent: float) -> bytes:
    return b'{"batch":' + batch + b',"sentAt":"' + iso(sent).encode() + b'","writeKey":"wk_app"}'


def _context(visit: Visit, rng: Random) -> Call:
    country = visit.person.country if visit.person else None
    context: Call = {
        "ip": f"{pick(rng, _NETWORKS)}{1 + int(rng.random() * 254)}",
        "locale": country.locale if country else "en-GB",
        "timezone": country.timezone if country else "Europe/London",
    }
    if visit.app:
        context["library"] = {"name": "@segment/analytics-react-native", "version": "2.21.0"}
        context["app"] = {"name": "Harbour", "version": "5.2.0", "build": "812"}
        context["os"] = {"name": pick(rng, ("iOS", "Android")), "version": "18.5"}
        context["device"] = {"type": "mobile", "model": "Pixel 8"}
        return context
    path, title = pick(rng, _PAGES)
    search = ""
    if rng.random() < 0.22:
        name, source, medium = pick(rng, CAMPAIGNS)
        slug = name.lower().replace(" ", "-")
        search = f"?utm_source={source}&utm_medium={medium}&utm_campaign={slug}"
        context["campaign"] = {"name": slug, "source": source, "medium": medium}
    context["library"] = {"name": "analytics.js", "version": "npm:next-1.84.3"}
    context["userAgent"] = pick(rng, USER_AGENTS)
    context["page"] = {
        "path": path, "referrer": "", "search": search, "title": title,
        "url": f"https://www.{DOMAIN}{path}{search}",
    }  # fmt: skip
    return context


def _traits(person: Person, time: float, rng: Random) -> Call:
    """Return what an account knows of its owner: an e-mail always, the rest depends."""
    email = person.email_at(time)
    traits: Call = {"email": written_email(email, rng) if email else pick(rng, JUNK_EMAILS)}
    latin = not person.latin_script and rng.random() < 0.5
    surname = person.surname_at(time)
    given = (
        short_name(person.given, rng) if rng.random() < 0.12 else plain_name(person.given, rng, latin=latin)
    )
    family = plain_name(surname, rng, latin=latin)
    if rng.random() < 0.015:
        family = typo(family, rng)
    if person.index % 5 == 0:
        traits["name"] = f"{given} {family}"
    else:
        traits["firstName"], traits["lastName"] = given, family
    if person.web_phone:
        traits["phone"] = written_phone(person.mobile, person.country.code, rng)
    if person.index % 3 == 0:
        home = person.home_at(time)
        traits["address"] = {
            "street": home.street, "city": home.city, "postalCode": home.postcode, "state": home.region,
            "country": person.country.code,
        }  # fmt: skip
    if person.index % 4 == 0:
        traits["birthday"] = person.birth_date
    return traits


def _item(product: Product, currency: str, position: int) -> Call:
    return {
        "product_id": product.sku, "sku": product.sku, "name": product.name, "category": product.category,
        "price": price_in(product, currency), "currency": currency, "quantity": position,
    }  # fmt: skip


def _step(call: Call, currency: str, rng: Random, *, app: bool) -> bool:
    """Fill in what happens next; True when a checkout began."""
    roll = rng.random()
    name = next(step for step, bound in _STEPS if roll < bound)
    path, title = pick(rng, _PAGES)
    if name == "page" and app:
        call.update(type="screen", name=title, properties={"section": path})
        return False
    if name == "page":
        url = f"https://www.{DOMAIN}{path}"
        call.update(type="page", name=title, properties={"path": path, "title": title, "url": url})
        return False
    call.update(type="track", event=name)
    if name in ("Product Viewed", "Product Added"):
        call["properties"] = _item(pick(rng, PRODUCTS), currency, 1 + int(rng.random() ** 3 * 4))
    elif name == "Products Searched":
        call["properties"] = {"query": pick(rng, PRODUCTS).name.split()[-1].lower()}
    elif name == "Form Submitted":
        call["properties"] = {"form_id": pick(rng, ("contact", "newsletter", "callback")), "path": path}
    elif name == "Checkout Started":
        call["properties"] = {"value": price_in(pick(rng, PRODUCTS), currency), "currency": currency}
    elif name == "Coupon Applied":
        call["properties"] = {"coupon_id": "SPRING10", "coupon_name": "Spring"}
    else:
        call["properties"] = {"category": path.strip("/") or "home"}
    return name == "Checkout Started"


def _order(call: Call, currency: str, rng: Random) -> None:
    products = [_item(pick(rng, PRODUCTS), currency, 1) for _ in range(1 + int(rng.random() * 3))]
    revenue = round(sum(product["price"] for product in products), 2)
    call.update(type="track", event="Order Completed")
    call["properties"] = {
        "order_id": f"W{rng.getrandbits(40):011d}", "revenue": revenue, "total": revenue,
        "currency": currency, "products": products,
    }  # fmt: skip


def _consent(call: Call, rng: Random) -> None:
    choice = {"purpose": "marketing", "channel": pick(rng, ("email", "web"))}
    choice["state"] = "granted" if rng.random() < 0.7 else "denied"
    call.update(type="track", event="Consent Updated", properties=choice)


def _oddities(web: _Web) -> None:
    """Add what a collector meets in practice and no reader can take, and some it can."""
    world, tally, rng = web.channel.world, web.channel.tally, web.rng
    times = moments(world, 15, rng)
    sample = {
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": uuid(rng),
        "properties": {"sku": "LAMP-01"},
    }
    for time in times[:6]:
        line = orjson.dumps({"messageId": uuid(rng), **sample, "timestamp": iso(time)})
        web.lines.add(time, line[: 20 + int(rng.random() * (len(line) - 40))])
        tally.reject("truncated line")
    for time, line in zip(times[6:9], (b'"ping"', b"42", b"null"), strict=True):
        web.lines.add(time, line)
        tally.reject("no object")
    for time in times[9:11]:
        line = orjson.dumps(
            {"messageId": uuid(rng), "type": "teleport", "anonymousId": uuid(rng), "event": ["?"]}
        )
        web.lines.add(time, line)
        tally.reject("unknown type")
    for time in times[11:15]:
        nobody = {
            "messageId": uuid(rng),
            "type": "track",
            "event": "Stock Changed",
            "properties": {"sku": "RUG-01"},
        }
        web.lines.add(time, orjson.dumps({**nobody, "timestamp": iso(time), "receivedAt": iso(time)}))
        tally.count("track")
        tally.unattributed += 1


def write(channel: Channel) -> None:
    """Write the source ``web``."""
    _Web(channel).write()
