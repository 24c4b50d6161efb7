"""E-mail events as SendGrid's event webhook posts them: JSON arrays of flat items.

A send leaves a chain: processed, perhaps deferred, then delivered, bounced or dropped; some are
opened and clicked, a few complained about or unsubscribed from. Webhooks are retried, which repeats
an item with its ``sg_event_id``.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from random import Random
from typing import Any, Final

import orjson

from cdp.demo.noise import JUNK_EMAILS, email_typo, pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool, array
from cdp.demo.text import DOMAIN, PRODUCTS, USER_AGENTS
from cdp.demo.when import moments

Item = dict[str, Any]

_EVERY: Final = 3
_ITEMS_PER_SEND: Final = 2.72
_NEWSLETTERS: Final = (
    ("spring-lights", "Spring lights"), ("garden-week", "Garden week"), ("member-days", "Member days"),
    ("table-talk", "Table talk"), ("last-days", "Last days of the sale"), ("welcome", "Welcome"),
)  # fmt: skip


class _SendGrid:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "events-{date}.json", _EVERY, array)
        self.silenced: set[int] = set()

    def write(self) -> None:
        people = self.channel.world.using("news")
        sends = max(1, round(self.channel.target / _ITEMS_PER_SEND)) if people else 0
        for start in moments(self.channel.world, sends, self.rng, tail=90_000.0):
            self.spool.flush(start - 1)
            self._send(pick(self.rng, people), start)
        self.spool.close()
        self._truncated()

    def _send(self, person: Person, start: float) -> None:
        rng = self.rng
        email = person.email_at(start) or pick(rng, JUNK_EMAILS)
        wrong = rng.random() < 0.008
        if wrong:
            email = email_typo(email, rng)
        else:
            self.channel.seen(email, person)
        base = _base(email, person, start, rng)
        if person.index in self.silenced:
            self._emit(base, "dropped", start, {"reason": "Unsubscribed Address"})
            return
        self._emit(base, "processed", start, {})
        if wrong:
            self._emit(base, "bounce", start + 3, _BOUNCE | {"ip": "192.0.2.44"})
            return
        if rng.random() < 0.02:
            self._emit(base, "deferred", start + 2, {"response": "451 4.7.1 try again later", "attempt": "1"})
            start += 900
        self._emit(
            base, "delivered", start + 2, {"response": "250 2.0.0 OK - queued", "tls": 1, "ip": "192.0.2.44"}
        )
        self._react(base, person, start)

    def _react(self, base: Item, person: Person, start: float) -> None:
        rng = self.rng
        place = {"ip": f"203.0.113.{1 + person.index % 254}", "useragent": pick(rng, USER_AGENTS)}
        opened = start + 60 + rng.expovariate(1 / 9000.0)
        if rng.random() < 0.42:
            machine = rng.random() < 0.15
            self._emit(base, "open", opened, place | {"sg_machine_open": machine})
            if rng.random() < 0.3:
                product = pick(rng, PRODUCTS)
                url = f"https://www.{DOMAIN}/p/{product.sku.lower()}?utm_source=newsletter&utm_medium=email"
                click = {"url": url, "url_offset": {"index": int(rng.random() * 4), "type": "html"}}
                self._emit(base, "click", opened + 20, place | click)
        roll = rng.random()
        if roll < 0.012:
            kind = ("unsubscribe", "group_unsubscribe", "spamreport")[int(roll * 250)]
            extra = {"asm_group_id": 17} if kind == "group_unsubscribe" else {}
            self._emit(base, kind, opened + 60, extra)
            self.silenced.add(person.index)

    def _emit(self, base: Item, kind: str, time: float, extra: Item) -> None:
        time = min(time, self.channel.world.end - 30)
        event_id = urlsafe_b64encode(self.rng.randbytes(16)).decode().rstrip("=")
        item = orjson.dumps(base | {"event": kind, "timestamp": int(time), "sg_event_id": event_id} | extra)
        self.spool.add(time, item)
        self.channel.tally.count(kind)
        if self.rng.random() < 0.008:
            self.spool.add(min(time + 300, self.channel.world.end - 1), item)
            self.channel.tally.count(kind)
            self.channel.tally.duplicates += 1

    def _truncated(self) -> None:
        """One body was cut off in transit: its first items are whole, the last one is not."""
        items, whole = [], 5
        for number in range(whole + 1):
            email = f"visitor{number}@inbox.example"
            time = self.channel.world.end - 600 + number
            items.append(orjson.dumps(_small(email, time, f"cut{number}-{self.channel.world.seed}")))
            if number < whole:
                self.channel.truth.add("sendgrid", email, -1_000_000 - number)
        self.channel.tally.count("delivered", whole)
        self.channel.tally.reject("truncated file")
        data = array(items)
        name = f"events-{self.channel.date(self.channel.world.days - 1)}-cut.json"
        self.channel.write(name, data[: data.rindex(b'"sg_event_id"') + 9])


_BOUNCE: Final[Item] = {
    "type": "bounce",
    "status": "5.1.1",
    "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
}


def _small(email: str, time: float, event_id: str) -> Item:
    return {"email": email, "timestamp": int(time), "event": "delivered", "sg_event_id": event_id}


def _base(email: str, person: Person, start: float, rng: Random) -> Item:
    token = urlsafe_b64encode(rng.randbytes(16)).decode().rstrip("=")
    item: Item = {
        "email": email,
        "smtp-id": f"<{token}@geopod-ismtpd-{1 + person.index % 6}>",
        "sg_message_id": f"{token}.recvd-7c9{person.index % 10}f-1-{int(start):X}-{1 + person.index % 50}.0",
    }
    if rng.random() < 0.2:
        return item | {"category": ["transactional", "order-confirmation"]}
    slug, name = pick(rng, _NEWSLETTERS)
    number = 7_000 + _NEWSLETTERS.index((slug, name))
    return item | {
        "category": ["newsletter", slug],
        "marketing_campaign_id": number,
        "marketing_campaign_name": name,
        "singlesend_id": f"{number:08x}-0000-4000-8000-000000000000",
    }


def write(channel: Channel) -> None:
    """Write the source ``sendgrid``."""
    _SendGrid(channel).write()
