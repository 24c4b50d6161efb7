"""Instagram messaging webhooks, a body a line: messages, echoes of our answers, reads, deletions.

A person is known by an id only; names are not sent. Times are epoch milliseconds, in some bodies
ISO texts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from cdp.demo.noise import pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import INSTAGRAM, MESSAGES
from cdp.demo.when import moments

Event = dict[str, Any]

_TALK: Final = 2.75


class _Instagram:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "{date}.ndjson", 7)

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("instagram")
        talks = max(1, round(self.channel.target / _TALK)) if people else 0
        for start in moments(self.channel.world, talks, self.rng, tail=40_000.0):
            self.spool.flush(start - 1)
            self._talk(pick(self.rng, people), start)
        self.spool.close()

    def _talk(self, person: Person, start: float) -> None:
        rng, time = self.rng, start
        if person.instagram_id is None:
            return
        self.channel.seen(person.instagram_id, person)
        mids = []
        for _ in range(1 + int(rng.random() * 2)):
            mids.append(self._mid())
            message = {"mid": mids[-1], "text": pick(rng, MESSAGES[person.country.language])}
            self._emit(person.instagram_id, {"message": message}, time, "message")
            time += 30 + rng.random() * 900
        if rng.random() < 0.06:
            self._emit(
                person.instagram_id, {"message": {"mid": mids[0], "is_deleted": True}}, time, "deleted"
            )
        if rng.random() < 0.6:
            mid = self._mid()
            echo = {"mid": mid, "text": "Thank you! We look after it.", "is_echo": True}
            self._emit(person.instagram_id, {"message": echo}, time, "echo")
            if rng.random() < 0.9:
                self._emit(person.instagram_id, {"read": {"mid": mid}}, time + 90, "read")

    def _mid(self) -> str:
        return f"aWdf{self.rng.getrandbits(192):048x}"

    def _emit(self, person: str, event: Event, time: float, kind: str) -> None:
        sender, recipient = (INSTAGRAM, person) if kind == "echo" else (person, INSTAGRAM)
        when: int | str = int(time * 1000)
        if int(person) % 5 == 0:
            when = f"{datetime.fromtimestamp(int(time), UTC):%Y-%m-%dT%H:%M:%S+0000}"
        messaging = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": when} | event
        body = {"object": "instagram", "entry": [{"id": INSTAGRAM, "time": when, "messaging": [messaging]}]}
        line = orjson.dumps(body)
        self.spool.add(time, line)
        self.channel.tally.count(kind)
        if self.rng.random() < 0.01:
            self.spool.add(time + 60, line)
            self.channel.tally.count(kind)
            self.channel.tally.duplicates += 1

    def _damage(self) -> None:
        time = self.channel.world.start + 86_400.0
        self.spool.add(time, b'{"object":"instagram","entry":[{"id":"17841405822304914","time":')
        self.channel.tally.reject("truncated line")


def write(channel: Channel) -> None:
    """Write the source ``instagram``."""
    _Instagram(channel).write()
