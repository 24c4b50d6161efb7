"""Tracking calls of every kind, and whose profile should hold the events that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EVERYBODY = "zoe.mueller@people.example"
"""The e-mail address of a person whom every client knows."""
WHEN = datetime.now(UTC).replace(microsecond=123_000) - timedelta(days=2)
"""When the order was completed, as the caller says."""

# Name, e-mail address, day of birth, street, town: nobody could be taken for another.
_PEOPLE = (
    ("Łukasz Żółw", "lukasz.zolw@wp.example", "1984-02-29", "ul. Żabia 5", "Łódź"),
    ("José Peña", "pena84@correo.example", "1991-07-01", "Calle Ñandú 12", "A Coruña"),
    ("Μαρία Παππά", "mpappa@elp.example", "1975-11-30", "Οδός Αθηνάς 3", "Αθήνα"),
    ("山田 花子", "hanako@yamada.example", "2001-01-15", "丸の内 1-9-1", "東京"),
    ("Siân Ó Briain", "sob@cymru.example", "1969-05-22", "Heol Fawr 77", "Caernarfon"),
    ("Björk Guðrúnardóttir", "bjorkg@simnet.example", "1958-09-09", "Laugavegur 40", "Reykjavík"),
    ("Олена Шевченко", "olena.sh@ukr.example", "1999-12-31", "вул. Хрещатик 22", "Київ"),
    ("Çağla Yıldız", "cagla@yildiz.example", "1987-03-08", "İstiklal Cd. 150", "İstanbul"),
    ("Priya Raghunathan", "praghu@nayi.example", "1994-10-10", "MG Road 301", "Bengaluru"),
)


@dataclass(frozen=True)
class Call:
    """A tracking call, whose it is (``own``, ``everybody``, ``stranger``), and the event that it becomes."""

    who: str
    event_type: str
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """What a client sends for a source.

    ``email``, ``name``, ``lives`` (day of birth, street, town, postcode): of the person who is the source's own.
    """

    source: str
    name: str
    email: str
    lives: Sequence[str]
    calls: Sequence[Call]

    @property
    def visits(self) -> list[list[Mapping[str, Any]]]:
        """The messages, those of one person together."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for call in self.calls:
            found.setdefault(call.who, []).append(call.message)
        return list(found.values())

    @property
    def profiles(self) -> dict[str, Counter[str]]:
        """Whose profile should hold which kinds of events."""
        found: dict[str, Counter[str]] = {}
        for call in self.calls:
            found.setdefault(call.who, Counter())[call.event_type] += 1
        return found

    @property
    def marks(self) -> Counter[str]:
        """The marks that the events bear: those of properties, and of a group's traits."""
        return Counter(
            (call.message.get("properties") or call.message["traits"])["mark"]
            for call in self.calls
            if "properties" in call.message or call.message["call"] == "group"
        )


def stories(
    sources: Sequence[str], *, without: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Story]:
    """Return a story for each source; ``without``: the kinds of calls that its client does not have."""
    return {
        source: _story(source, number, (without or {}).get(source, ()))
        for number, source in enumerate(sources)
    }


def _story(source: str, number: int, without: Sequence[str]) -> Story:
    """A visitor who logs in, a person whom other clients know too, a stranger. Calls bear marks where they can."""
    name, email, birthday, street, city = _PEOPLE[number]
    visitor, user = f"{source}-visitor", f"{source}-user"
    zoe, zoe_user, stranger = f"{source}-zoe", f"{source}-zoe-user", f"{source}-stranger"
    traits = {
        "name": name,
        "email": email,
        "birthday": date(f"{birthday}T00:00:00.000Z"),
        "address": {"street": street, "city": city, "postalCode": f"{number}0-815"},
    }
    order = {"order_id": f"{source}-1", "revenue": 12.5, "currency": "EUR"}
    when = date(WHEN.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    calls = [
        Call("own", "page_viewed", _page(visitor, "Übersicht – Café ☕")),
        Call("own", "product_viewed", _track("Product Viewed", {"name": "Lámpara 🛋️"}, anonymousId=visitor)),
        Call("own", "identified", _identify(user, visitor, traits)),
        Call("own", "order_placed", _track("Order Completed", order, userId=user, timestamp=when)),
        Call("own", "screen_viewed", {"call": "screen", "userId": user, "name": "Kasse", "properties": {}}),
        Call("own", "group_joined", _group(user)),
        Call("own", "identified", {"call": "alias", "userId": user, "previousId": visitor}),
        Call("everybody", "page_viewed", _page(zoe, "Start")),
        Call("everybody", "identified", _identify(zoe_user, zoe, {"name": "Zoë Müller", "email": EVERYBODY})),
        Call("stranger", "page_viewed", _page(stranger, "Start")),
        Call("stranger", "product_added", _track("Product Added", {}, anonymousId=stranger)),
    ]
    kept = [call for call in calls if call.message["call"] not in without]
    lives = (birthday, street, city, f"{number}0-815")
    return Story(
        source, name, email, lives, [_marked(call, f"{source}-{place}") for place, call in enumerate(kept)]
    )


def date(text: str) -> dict[str, str]:
    """Return what stands for a time of the client's own language."""
    return {"$date": text}


def _page(visitor: str, name: str) -> dict[str, Any]:
    return {"call": "page", "anonymousId": visitor, "name": name, "properties": {"deep": {"a": [1, None]}}}


def _track(event: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"call": "track", "event": event, "properties": {"nested": {"ñ": ["☃"]}, **properties}, **more}


def _identify(user: str, visitor: str, traits: Mapping[str, Any]) -> dict[str, Any]:
    return {"call": "identify", "userId": user, "anonymousId": visitor, "traits": traits}


def _group(user: str) -> dict[str, Any]:
    return {"call": "group", "userId": user, "groupId": "g-1", "traits": {"name": "Łódź GmbH", "size": 12}}


def _marked(call: Call, mark: str) -> Call:
    message = dict(call.message)
    for name in ("properties", "traits"):
        if name in message:
            message[name] = {**message[name], "mark": mark}
    return Call(call.who, call.event_type, message)
