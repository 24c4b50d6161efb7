"""Support tickets as JSON lines: a line per step (opened, escalated, solved), nested as help desks do."""

from __future__ import annotations

from typing import Any, Final

import orjson

from cdp.demo.noise import JUNK_EMAILS, email_typo, pick, short_name, written_email, written_phone
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import AGENTS, PRODUCTS, SUBJECTS
from cdp.demo.when import iso, moments

Ticket = dict[str, Any]

_STEPS_PER_TICKET: Final = 2.0


class _HelpDesk:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "tickets-{date}.jsonl", 7)
        self.number = 1000

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("tickets")
        tickets = max(1, round(self.channel.target / _STEPS_PER_TICKET)) if people else 0
        for time in moments(self.channel.world, tickets, self.rng, tail=200_000.0):
            self.spool.flush(time - 1)
            self.number += 1
            self._ticket(pick(self.rng, people), time)
        self.spool.close()

    def _ticket(self, person: Person, time: float) -> None:
        rng = self.rng
        agent = pick(rng, AGENTS)
        ticket: Ticket = {
            "event_id": f"T-{self.number}/1",
            "id": f"T-{self.number}",
            "event": "opened",
            "at": iso(time),
            "requester": self._requester(person, time),
            "subject": pick(rng, SUBJECTS[person.country.language]),
            "team": agent.team,
            "agent": None,
            "priority": pick(rng, ("low", "normal", "normal", "high")),
            "level": 0,
            "product": pick(rng, PRODUCTS).sku,
            "channel": pick(rng, ("email", "phone", "web", "chat")),
            "tags": ["demo", person.country.code.lower()],
        }
        self._emit(ticket, time)
        ticket["agent"] = {"id": agent.agent_id, "name": agent.name}
        if rng.random() < 0.16:
            time += 3600 + rng.random() * 40_000
            level = 1 + int(rng.random() * 2)
            ticket |= {
                "event_id": f"T-{self.number}/2",
                "event": "escalated",
                "at": iso(time),
                "level": level,
            }
            self._emit(ticket, time)
        if rng.random() < 0.84:
            time += 1800 + rng.random() * 90_000
            ticket |= {"event_id": f"T-{self.number}/3", "event": "solved", "at": iso(time)}
            self._emit(ticket, time)

    def _requester(self, person: Person, time: float) -> Ticket:
        rng = self.rng
        email = person.work_email or person.email_at(time)
        phone = person.mobile if email is None or person.work_email or rng.random() < 0.5 else None
        roll = rng.random()
        if email and roll < 0.025 and _bridged(person):
            email, phone = email_typo(email, rng), person.mobile
        elif email and not person.work_email and roll < 0.035:
            email, phone = pick(rng, JUNK_EMAILS), None
        self.channel.seen(email or person.mobile, person)
        given = short_name(person.given, rng) if rng.random() < 0.15 else person.given.native
        name = f"{given} {person.surname_at(time).native}"
        return {
            "name": name if rng.random() < 0.95 else None,
            "email": written_email(email, rng) if email else None,
            "phone": written_phone(phone, person.country.code, rng) if phone else None,
        }

    def _emit(self, ticket: Ticket, time: float) -> None:
        line = orjson.dumps(ticket)
        self.spool.add(time, line)
        self.channel.tally.count(str(ticket["event"]))
        if self.rng.random() < 0.008:
            self.spool.add(time + 86_400 * 0.5, line)
            self.channel.tally.count(str(ticket["event"]))
            self.channel.tally.duplicates += 1

    def _damage(self) -> None:
        tally, rng = self.channel.tally, self.rng
        for time in moments(self.channel.world, 2, rng):
            self.spool.add(time, b'{"id":"T-1","event":"opened","at":"2026-01-0')
        for time in moments(self.channel.world, 2, rng):
            odd = {
                "id": "T-2",
                "event": "teleported",
                "at": iso(time),
                "requester": "nobody",
                "level": "high",
            }
            self.spool.add(time, orjson.dumps(odd))
        tally.reject("truncated line", 2)
        tally.reject("unknown event", 2)


def _bridged(person: Person) -> bool:
    return person.web_phone or (person.contact is not None and person.contact.phone == person.mobile)


def write(channel: Channel) -> None:
    """Write the source ``tickets``."""
    _HelpDesk(channel).write()
