"""WhatsApp Cloud webhooks, a body a line: customers' messages, and the states of our own.

Numbers have no ``+``; profile names are what people call themselves. Meta repeats a webhook that it
thinks was not answered.
"""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any, Final

import orjson

from cdp.demo.noise import pick, short_name
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import MESSAGES, WHATSAPP
from cdp.demo.when import moments

Body = dict[str, Any]

_ACCOUNT: Final = "102290129340398"
_PHONE_ID: Final = "106540352242922"
_TALK: Final = 3.05


def _profile(person: Person, rng: Random) -> str:
    """The name stays the same for a person, as its owner once typed it."""
    roll = person.index * 37 % 100
    if roll < 55:
        return person.full_name()
    if roll < 70:
        return f"{short_name(person.given, rng)} {person.surname.native}"
    if roll < 80:
        return person.full_name(latin=True)
    if roll < 90:
        return f"{person.given.native} {person.surname.native[0]}."
    return f"{person.given.native} 🌿"


class _WhatsApp:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "{date}.ndjson", 3)

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("whatsapp")
        talks = max(1, round(self.channel.target / _TALK)) if people else 0
        for start in moments(self.channel.world, talks, self.rng, tail=40_000.0):
            self.spool.flush(start - 1)
            self._talk(pick(self.rng, people), start)
        self.spool.close()

    def _talk(self, person: Person, start: float) -> None:
        rng = self.rng
        wa_id = person.mobile[1:]
        self.channel.seen(person.mobile, person)
        profile = Random(f"wa-{person.index}")
        contact = {"profile": {"name": _profile(person, profile)}, "wa_id": wa_id}
        time = start
        if rng.random() < 0.75:
            for _ in range(1 + int(rng.random() * 2.2)):
                self._emit(
                    {"contacts": [contact], "messages": [_message(person, wa_id, time, rng)]}, time, "message"
                )
                time += 20 + rng.random() * 600
            if rng.random() < 0.35:
                return
        ours = _wamid(rng)
        for state in ("sent", "delivered", "read")[: 2 + int(rng.random() * 2)]:
            time += 2 + rng.expovariate(1 / 300.0) * (state == "read")
            self._emit({"statuses": [_status(ours, wa_id, state, time)]}, time, f"status {state}")

    def _emit(self, value: Body, time: float, kind: str) -> None:
        metadata = {"display_phone_number": WHATSAPP, "phone_number_id": _PHONE_ID}
        change = {
            "value": {"messaging_product": "whatsapp", "metadata": metadata} | value,
            "field": "messages",
        }
        body = {"object": "whatsapp_business_account", "entry": [{"id": _ACCOUNT, "changes": [change]}]}
        line = orjson.dumps(body)
        self.spool.add(time, line)
        self.channel.tally.count(kind)
        if self.rng.random() < 0.01:
            self.spool.add(time + 120, line)
            self.channel.tally.count(kind)
            self.channel.tally.duplicates += 1

    def _damage(self) -> None:
        for time in moments(self.channel.world, 2, self.rng):
            self.spool.add(
                time, b'{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","cha'
            )
            self.channel.tally.reject("truncated line")


def _wamid(rng: Random) -> str:
    return "wamid." + b64encode(rng.randbytes(24)).decode()


def _message(person: Person, wa_id: str, time: float, rng: Random) -> Body:
    message: Body = {"from": wa_id, "id": _wamid(rng), "timestamp": str(int(time))}
    roll = rng.random()
    if roll < 0.84:
        return message | {"text": {"body": pick(rng, MESSAGES[person.country.language])}, "type": "text"}
    if roll < 0.93:
        image = {
            "mime_type": "image/jpeg",
            "sha256": b64encode(rng.randbytes(32)).decode(),
            "id": str(int(time)),
        }
        return message | {"type": "image", "image": image}
    if roll < 0.96:
        place = {"latitude": person.home.latitude, "longitude": person.home.longitude}
        return message | {"type": "location", "location": place}
    reply = {"type": "button_reply", "button_reply": {"id": "track", "title": "Track my order"}}
    return message | {"type": "interactive", "interactive": reply}


def _status(message_id: str, wa_id: str, state: str, time: float) -> Body:
    return {
        "id": message_id,
        "status": state,
        "timestamp": str(int(time)),
        "recipient_id": wa_id,
        "conversation": {"id": f"{int(wa_id):032x}", "origin": {"type": "service"}},
        "pricing": {"billable": True, "pricing_model": "CBP", "category": "service"},
    }


def write(channel: Channel) -> None:
    """Write the source ``whatsapp``."""
    _WhatsApp(channel).write()
