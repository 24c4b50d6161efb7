"""Who visits the shop's site and app, when, on which device, and at which call they log in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from cdp.demo.households import uuid
from cdp.demo.noise import pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel
from cdp.demo.when import moments

_MEAN_CALLS: Final = 7.0
_RETRIED: Final = 0.986  # of the target, the rest are calls sent twice
_MEMBERS: Final = 0.8  # of the visits, the rest are leads' and strangers'


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit of ``calls`` tracking calls.

    ``login_at`` is the call at which the person logs in (0: was logged in already, None: never).
    A ``lead`` leaves an e-mail address without an account. Strangers have no ``person`` but a number.
    ``first`` says that the device has not been seen before. A visit without ``anonymous_id`` comes
    from a server.
    """

    start: float
    calls: int
    anonymous_id: str
    person: Person | None = None
    login_at: int | None = None
    app: bool = False
    lead: bool = False
    first: bool = False
    stranger: int = 0

    @property
    def user_id(self) -> str | None:
        """The account's id, if the visitor has an account."""
        return self.person.user_id if self.person else None


def visits(channel: Channel) -> Iterator[Visit]:
    """Yield visits in order of their start until their calls add up to the target."""
    rng, world = channel.rng, channel.world
    accounts = world.using("web")
    leads = [p for p in world.people if p.email and "web" not in p.channels and "news" in p.channels][::8]
    strangers = max(1, len(world.people) // 4)
    known: set[tuple[int, str]] = set()
    lengths = _lengths(int(channel.target * _RETRIED), rng)
    members = _members(accounts, int(len(lengths) * _MEMBERS), rng)
    for start, calls in zip(moments(world, len(lengths), rng), lengths, strict=True):
        roll = rng.random()
        if roll < _MEMBERS and accounts:
            person = members.pop() if members else pick(rng, accounts)
            yield _member_visit(person, start, calls, known, rng)
        elif roll < 0.85 and leads:
            person = pick(rng, leads)
            device = uuid(Random(f"lead-{world.seed}-{person.index}"))
            yield Visit(start=start, calls=max(calls, 2), anonymous_id=device, person=person, lead=True)
        else:
            number = 1 + int(rng.random() * strangers)
            device = uuid(Random(f"stranger-{world.seed}-{number}"))
            yield Visit(start=start, calls=calls, anonymous_id=device, stranger=number, first=True)


def _members(accounts: list[Person], number: int, rng: Random) -> list[Person]:
    """Return whose visits there are: active people come more often.

    Everybody comes whose account is all that ties their mail to their phone.
    """
    due = [p for p in accounts if p.contact is None or p.contact.phone != p.mobile][:number]
    weights = list(accumulate(person.activity for person in accounts))
    more = rng.choices(accounts, cum_weights=weights, k=number - len(due)) if accounts else []
    chosen = due + more
    rng.shuffle(chosen)
    return chosen


def _lengths(total: int, rng: Random) -> list[int]:
    found, left = [], total
    while left > 0:
        calls = min(1 + int(rng.expovariate(1 / (_MEAN_CALLS - 0.5))), 60, left)
        found.append(calls)
        left -= calls
    return found


def _member_visit(
    person: Person, start: float, calls: int, known: set[tuple[int, str]], rng: Random
) -> Visit:
    """Return a visit of an account's owner, who logs in on the first visit from each device."""
    app = person.index % 10 < 3 and rng.random() < 0.6
    if rng.random() < 0.04:
        return Visit(start=start, calls=calls, anonymous_id="", person=person, login_at=0, app=app)
    device = pick(rng, person.devices)
    first = (person.index, device) not in known
    known.add((person.index, device))
    login_at: int | None = None
    roll = rng.random()
    if first:
        calls, login_at = max(calls, 3), 2
    elif roll < 0.45:
        login_at = 0
    elif roll < 0.75:
        login_at = int(rng.random() * calls)
    return Visit(
        start=start, calls=calls, anonymous_id=device, person=person, login_at=login_at, app=app, first=first
    )
