"""Calls as Asterisk writes them to Master.csv: 18 columns, one older file with 16; local times.

Foreign callers come with ``00``, British ones with ``0``; the caller's name, where the network sends
one, is in capitals. Extensions of our own are four digits.
"""

from __future__ import annotations

from random import Random
from typing import Final

from cdp.demo.noise import national, pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import AGENTS, PHONE
from cdp.demo.when import local, moments

ZONE: Final = "Europe/London"
_OWN: Final = "0" + PHONE[3:]
_LINES: Final = ("PJSIP/trunk-a", "PJSIP/trunk-b")


def _dialled(phone: str) -> str:
    """Return a number as the exchange sees it from Britain."""
    return f"0{national(phone, 'GB')}" if phone.startswith("+44") else f"00{phone[1:]}"


def _caller_name(person: Person, number: str, rng: Random) -> str:
    if person.latin_script and rng.random() < 0.4:
        return f"{person.surname.latin} {person.given.latin}".upper()[:15]
    return number


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class _Exchange:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "Master-{date}.csv", 7)
        self.made = 0

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("calls")
        number = self.channel.target if people else 0
        times = moments(self.channel.world, number, self.rng)
        older = len(times) // 20
        self._older_file(people, times[:older])
        for time in times[older:]:
            self.spool.flush(time - 1)
            row, kind = self._call(pick(self.rng, people), time)
            self.made += 1
            unique = f"{int(time)}.{self.made}"
            text = ",".join(
                [*map(_quoted, row[:12]), row[12], row[13], *map(_quoted, [*row[14:], unique, ""])]
            )
            self.spool.add(time, text.encode())
            self.channel.tally.count(kind)
            if self.rng.random() < 0.006:
                self.spool.add(min(time + 60, self.channel.world.end - 1), text.encode())
                self.channel.tally.count(kind)
                self.channel.tally.duplicates += 1
        self.spool.close()

    def _older_file(self, people: list[Person], times: list[float]) -> None:
        """The first calls come from a release that wrote 16 columns, without a unique id."""
        rows = []
        for time in times:
            row, kind = self._call(pick(self.rng, people), time)
            rows.append(",".join(map(_quoted, row)).encode())
            self.channel.tally.count(kind)
        last = int((times[-1] - self.channel.world.start) // 86_400) if times else 0
        self.channel.write(f"Master-{self.channel.date(last)}-old.csv", b"\n".join(rows) + b"\n")

    def _call(self, person: Person, time: float) -> tuple[list[str], str]:
        rng = self.rng
        inbound = rng.random() < 0.75
        hidden = inbound and rng.random() < 0.03
        agent = pick(rng, AGENTS)
        number = "anonymous" if hidden else _dialled(self._phone(person))
        if hidden:
            self.channel.tally.unattributed += 1
        outcome = pick(rng, ("ANSWERED",) * 8 + ("NO ANSWER", "NO ANSWER", "BUSY", "FAILED"))
        wait = 3 + int(rng.random() * 25)
        talk = 5 + int(rng.expovariate(1 / 200.0)) if outcome == "ANSWERED" else 0
        answer = local(time + wait, ZONE) if talk else ""
        times = [local(time, ZONE), answer, local(time + wait + talk, ZONE), str(wait + talk), str(talk)]
        line = f"{pick(rng, _LINES)}-{rng.getrandbits(32):08x}"
        desk = f"PJSIP/{agent.extension}-{rng.getrandbits(32):08x}"
        if inbound:
            name = "Anonymous" if hidden else _caller_name(person, number, rng)
            ends = [
                number,
                _OWN,
                "from-pstn",
                f'"{name}" <{number}>',
                line,
                desk,
                "Queue",
                f"{agent.team},tT,,,60",
            ]
        else:
            clid = f'"{agent.name}" <{agent.extension}>'
            dial = f"{_LINES[0]}/{number},60,tT"
            ends = [agent.extension, number, "from-internal", clid, desk, line, "Dial", dial]
        row = ["", *ends, *times, outcome, "DOCUMENTATION"]
        return row, "inbound call" if inbound else "outbound call"

    def _phone(self, person: Person) -> str:
        contact = person.contact
        phone = person.mobile
        if person.landline and contact and self.rng.random() < 0.2:
            shared = person.landline in self.channel.world.shared
            phone = person.landline if shared or contact.phone == person.landline else phone
        self.channel.seen(phone, person)
        return phone

    def _damage(self) -> None:
        """Rows that broke: cut off, and a name in a single-byte encoding."""
        time = self.channel.world.end - 4000
        start = local(time, ZONE)
        cut = f'"","07400123456","{_OWN}","from-pstn","07400123456","PJSIP/tr'
        latin = (
            f'"","0033612345678","{_OWN}","from-pstn","""LEF\xc8VRE"" <0033612345678>","{_LINES[0]}-1","",'
            f'"Queue","service","{start}","","{start}",10,0,"NO ANSWER","DOCUMENTATION","{int(time)}.0",""'
        )
        self.spool.add(time, cut.encode())
        self.spool.add(time + 1, latin.encode("latin-1"))
        self.channel.tally.reject("cut row")
        self.channel.tally.reject("bad encoding")


def write(channel: Channel) -> None:
    """Write the source ``calls``."""
    _Exchange(channel).write()
