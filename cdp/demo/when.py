"""Times of the demo: moments inside the window with days' and hours' habits, and their spellings."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from cdp.demo.people import World

_HOURS: Final = (1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 10, 9, 9, 9, 9, 10, 11, 12, 12, 9, 5, 3)
_BOUNDS: Final = tuple(sum(_HOURS[: hour + 1]) / sum(_HOURS) for hour in range(24))


def moments(world: World, number: int, rng: Random, tail: float = 7200.0) -> list[float]:
    """Return ``number`` times in order, of waking hours mostly; each leaves ``tail`` seconds to the end."""
    last = world.end - tail
    found = []
    for _ in range(number):
        day = int(rng.random() * world.days)
        hour = min(bisect_right(_BOUNDS, rng.random()), 23)
        time = world.start + day * 86_400.0 + hour * 3600.0 + rng.random() * 3600.0
        found.append(time if time < last else world.start + rng.random() * (last - world.start))
    found.sort()
    return found


def iso(time: float) -> str:
    """Spell a time as browsers do.

    >>> iso(1_700_000_000.25)
    '2023-11-14T22:13:20.250Z'
    """
    millis = int(time * 1000)
    second, milli = divmod(millis, 1000)
    day, second = divmod(second, 86_400)
    hour, second = divmod(second, 3600)
    minute, second = divmod(second, 60)
    return f"{_day(day)}T{hour:02d}:{minute:02d}:{second:02d}.{milli:03d}Z"


@cache
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * 86_400, UTC):%Y-%m-%d}"


def rfc2822(time: float, zone: str = "UTC") -> str:
    """Spell a time as mail headers and Twilio do.

    >>> rfc2822(1_700_000_000)
    'Tue, 14 Nov 2023 22:13:20 +0000'
    """
    return format_datetime(datetime.fromtimestamp(int(time), ZoneInfo(zone)))


def local(time: float, zone: str) -> str:
    """Spell a time without zone, as the clock on the wall shows it.

    >>> local(1_690_000_000, "Europe/London")
    '2023-07-22 05:26:40'
    """
    return f"{datetime.fromtimestamp(int(time), ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
