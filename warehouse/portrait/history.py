"""One contact history over all channels: filtered, in pages, and counted by month.

A page ends with a cursor that holds no data of the customer: the time of its last event, and how many events
of that very time have been shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from cdp.errors import UsageError
from cdp.events import CHANNELS, EVENT_TYPES, UNATTENDED_OUTCOMES
from warehouse.portrait.seen import Row, Seen

PAGE: Final = 25
MOST_MONTHS: Final = 36
_COLUMNS: Final = """
    event_id, source, occurred_at, time_flag, channel, direction, event_type, subject, reference, campaign, product,
    amount, currency, duration_seconds, agent, department, outcome, escalation_level, self_service, line_count,
    properties, consent_purpose, consent_channel, consent_state, brand, occurred_text"""
_ORDER: Final = "occurred_at DESC, source, event_id, event_type"


@dataclass(frozen=True)
class Filters:
    """What of the history is asked for; empty means everything. Dates are days of the workspace's zone."""

    channel: str = ""
    event_type: str = ""
    direction: str = ""
    since: date | None = None
    until: date | None = None
    text: str = ""
    hide_bots: bool = False

    @property
    def active(self) -> bool:
        """Whether anything is filtered."""
        return self != Filters()


@dataclass(frozen=True)
class Cursor:
    """Where a page ended."""

    at: datetime
    shown: int

    def __str__(self) -> str:
        return f"{int(self.at.timestamp() * 1_000_000)}.{self.shown}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor. Raises :class:`UsageError`.

        >>> str(Cursor.parse("1700000000000000.2"))
        '1700000000000000.2'
        """
        micros, _, shown = text.partition(".")
        try:
            at = datetime.fromtimestamp(int(micros) // 1_000_000, UTC)
            return cls(at + timedelta(microseconds=int(micros) % 1_000_000), int(shown))
        except (ValueError, OverflowError, OSError):
            raise UsageError(
                "This place in the history is unreadable.", hint="Load the page again."
            ) from None


@dataclass(frozen=True)
class Page:
    """Events of some days, newest first; ``after`` leads to the next page."""

    days: Sequence[tuple[date, Sequence[Row]]]
    after: Cursor | None
    shown: int = field(default=0)


@dataclass(frozen=True)
class Choices:
    """What occurs in a history: channels and event types with how often, newest and oldest time."""

    channels: Sequence[tuple[str, int]]
    types: Sequence[tuple[str, int]]
    bots: int


def bot_test() -> str:
    """Return the SQL test of events that a bot or a machine did."""
    return f"coalesce(outcome IN ({', '.join(sorted(map(repr, UNATTENDED_OUTCOMES)))}), false)"


def literal(record_numbers: Sequence[int]) -> str:
    """A literal list, by which DuckDB skips the rest of the table."""
    return ", ".join(str(int(number)) for number in record_numbers) or "NULL"


def record_numbers(seen: Seen, customer_id: str) -> list[int]:
    """Return the numbers of a customer's records in this release."""
    rows = seen.raw("SELECT record_no FROM customer_records WHERE customer_id = ? ORDER BY 1", [customer_id])
    return [row["record_no"] for row in rows]


def _conditions(filters: Filters, zone: ZoneInfo, *, personal: bool) -> tuple[list[str], dict[str, Any]]:
    tests, values = [], {}
    for name, column, known in (
        ("channel", "channel", CHANNELS),
        ("event_type", "event_type", EVENT_TYPES),
        ("direction", "direction", ("inbound", "outbound")),
    ):
        if wanted := getattr(filters, name):
            if wanted not in known:
                raise UsageError(
                    f"There is no {name.replace('_', ' ')} {wanted!r}.", hint="Choose one of the list."
                )
            tests.append(f"{column} = ${name}")
            values[name] = wanted
    for name, test, later in (("since", ">=", 0), ("until", "<", 1)):
        moment = getattr(filters, name)
        if moment is not None:
            tests.append(f"occurred_at {test} ${name}")
            values[name] = _midnight(moment, zone, later)
    if filters.text:
        if not personal:
            raise UsageError(
                "Who sees no personal data cannot search in subjects.", hint="Leave the text away."
            )
        tests.append("contains(lower(strip_accents(subject)), lower(strip_accents($text)))")
        values["text"] = filters.text
    if filters.hide_bots:
        tests.append(f"NOT {bot_test()}")
    return tests, values


def _midnight(day: date, zone: ZoneInfo, later: int) -> datetime:
    try:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) + timedelta(days=later)
    except OverflowError:
        raise UsageError(f"{day} is out of range.", hint="Choose a day after 1990.") from None


def page(
    seen: Seen,
    numbers: Sequence[int],
    filters: Filters,
    zone: ZoneInfo,
    *,
    after: Cursor | None = None,
    size: int = PAGE,
) -> Page:
    """Return one page of the history."""
    tests, values = _conditions(filters, zone, personal=seen.personal)
    tests.append(f"record_no IN ({literal(numbers)})")
    skip = 0
    if after is not None:
        tests.append("occurred_at <= $after")
        values["after"], skip = after.at, after.shown
    query = f"""
        SELECT {_COLUMNS}, {bot_test()} AS is_bot FROM record_events WHERE {" AND ".join(tests)}
        ORDER BY {_ORDER} LIMIT {size + 1} OFFSET {int(skip)}
    """
    cursor = seen.connection.execute(query, values)
    names = [str(column[0]) for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    following = _cursor(found[:size], after) if len(found) > size else None
    shown = [_shown(seen, row) for row in found[:size]]
    for row in shown:
        row["details"] = details(row)
    days = [
        (day, list(rows))
        for day, rows in groupby(shown, lambda row: row["occurred_at"].astimezone(zone).date())
    ]
    return Page(days, following, len(shown))


_TOLD: Final = """
    reference campaign product agent department outcome duration_seconds escalation_level self_service line_count
    consent_purpose consent_channel consent_state brand time_flag""".split()
_MOST_DETAILS: Final = 40
_MOST_LETTERS: Final = 400


def details(row: Row) -> list[tuple[str, str]]:
    """Return what else is known of an event: its typed columns, then its properties as the source names them."""
    found = [
        (name, str(row[name]))
        for name in _TOLD
        if row.get(name) not in (None, "") and (name, row[name]) != ("line_count", 1)
    ]
    given = _properties(row.get("properties"))
    found += [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in given.items()
    ]
    return [
        (name, text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…")
        for name, text in found[:_MOST_DETAILS]
    ]


def _properties(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {"properties": text}
    return found if isinstance(found, dict) else {"properties": found}


def _shown(seen: Seen, row: Row) -> Row:
    if seen.personal:
        return row
    from warehouse import masking

    return masking.row("contact_history", row, seen.tokens)


def _cursor(shown: Sequence[Row], before: Cursor | None) -> Cursor:
    last = shown[-1]["occurred_at"]
    same = sum(1 for row in shown if row["occurred_at"] == last)
    cursor = Cursor(last, same)
    return replace(cursor, shown=same + before.shown) if before and before.at == last else cursor


def choices(seen: Seen, numbers: Sequence[int]) -> Choices:
    """Return what there is to filter by."""
    rows = seen.raw(
        f"""
        SELECT channel, event_type, count(*) AS n, count(*) FILTER ({bot_test()}) AS bots FROM record_events
        WHERE record_no IN ({literal(numbers)}) GROUP BY ALL
        """
    )
    channels: dict[str, int] = {}
    types: dict[str, int] = {}
    for row in rows:
        channels[row["channel"]] = channels.get(row["channel"], 0) + row["n"]
        types[row["event_type"]] = types.get(row["event_type"], 0) + row["n"]
    return Choices(_by_count(channels), sorted(types.items()), sum(row["bots"] for row in rows))


def _by_count(found: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def months(seen: Seen, numbers: Sequence[int], filters: Filters, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return a chart of events per month by channel, what bots did left out; of long histories the last years.

    None where there is nothing to draw: fewer than two months.
    """
    tests, values = _conditions(replace(filters, hide_bots=True), zone, personal=seen.personal)
    tests.append(f"record_no IN ({literal(numbers)})")
    values["zone"] = str(zone)
    cursor = seen.connection.execute(
        f"""
        SELECT date_trunc('month', occurred_at AT TIME ZONE $zone)::DATE AS month, channel, count(*) AS n
        FROM record_events WHERE {" AND ".join(tests)} AND (time_flag IS NULL OR time_flag = 'ambiguous')
        GROUP BY ALL ORDER BY 1, 2
        """,
        values,
    )
    counted: dict[tuple[date, str], int] = {(month, channel): n for month, channel, n in cursor.fetchall()}
    spine = _spine(sorted({month for month, _ in counted}))
    if len(spine) < 2:
        return None
    totals: dict[str, int] = {}
    for (_, channel), n in counted.items():
        totals[channel] = totals.get(channel, 0) + n
    return {
        "type": "bar",
        "stacked": True,
        "labels": [f"{month:%b %Y}" for month in spine],
        "series": [
            {
                "name": channel,
                "color": channel,
                "values": [counted.get((month, channel), 0) for month in spine],
            }
            for channel, _ in _by_count(totals)
        ],
    }


def _spine(found: Sequence[date]) -> list[date]:
    """Return every month from the first to the last, at most :data:`MOST_MONTHS` to the end."""
    if not found:
        return []
    first, last = (month.year * 12 + month.month - 1 for month in (found[0], found[-1]))
    return [date(n // 12, n % 12 + 1, 1) for n in range(max(first, last - MOST_MONTHS + 1), last + 1)]
