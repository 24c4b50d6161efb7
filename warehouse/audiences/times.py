"""When an export with a cron is written next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS: Final = "sun mon tue wed thu fri sat".split()
_YEARS: Final = 5


def next_time(cron: str, zone: str, now: datetime) -> datetime | None:
    """Return the first moment after ``now`` that a cron of five fields means; None where there is none for years.

    As in cron, a day counts where its number or its weekday is named, if both are.

    >>> next_time("30 6 * * mon", "Europe/London", datetime(2026, 3, 28, tzinfo=UTC)).isoformat()
    '2026-03-30T05:30:00+00:00'
    """
    fields = cron.lower().split()
    try:
        minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
        days, months = _values(fields[2], 1, 31), _values(fields[3], 1, 12, _MONTHS)
        weekdays = {day % 7 for day in _values(fields[4], 0, 7, _DAYS)}
    except (IndexError, ValueError):
        return None
    here = ZoneInfo(zone)
    start = now.astimezone(here)
    either = fields[2] != "*" and fields[4] != "*"
    for ahead in range(366 * _YEARS):
        day = start.date() + timedelta(days=ahead)
        on_day, on_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month not in months or not (on_day or on_weekday if either else on_day and on_weekday):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=here).astimezone(UTC)
                if moment > now:
                    return moment
    return None


def _values(field: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    return {value for part in field.split(",") for value in _part(part, low, high, names)}


def _part(part: str, low: int, high: int, names: list[str] | None) -> Iterator[int]:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    if first == "*":
        begin, end = low, high
    else:
        begin = _number(first, low, names)
        end = _number(last, low, names) if dash else high if step else begin
    return iter(range(begin, end + 1, int(step or 1)))


def _number(text: str, low: int, names: list[str] | None) -> int:
    return names.index(text) + low if names and text in names else int(text)
