"""How the sources do, as a person reads it: a short table, what needs attention, and the page of one source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cdp.cli import terminal
from cdp.cli.amounts import NOTHING, counted, number, share, size, span

if TYPE_CHECKING:
    from cdp.settings import Settings, SourceSettings
    from pipelines.health import Freshness, Health, SourceHealth
    from pipelines.lateness import Lateness
    from pipelines.payload_fields import Change, Fields
    from pipelines.segments import Backlog

_OUTCOMES: Final = ("standardised", "duplicate", "superseded", "ignored", "quarantined", "pending")
_MOST_NAMED: Final = 4
_LONG_WAIT_SECONDS: Final = 120


@dataclass(frozen=True)
class _Column:
    """A column of the table; ``when`` it is left out: never, where it says nothing, or where room is short."""

    heading: str
    cells: Sequence[str]
    right: bool = True
    only_if_said: bool = False
    spare: bool = False


def table(health: Health, settings: Settings, *, columns: int) -> str:
    """Return one line per source; columns that say nothing, and on a narrow terminal the least of the others, go."""
    shown = [
        column
        for column in _columns(health.sources, settings, whole=health.backlog.whole)
        if not column.only_if_said or set(column.cells) != {NOTHING}
    ]
    while _width(shown) > columns and any(column.spare for column in shown):
        shown.remove(next(column for column in reversed(shown) if column.spare))
    rows = [list(cells) for cells in zip(*(column.cells for column in shown), strict=True)]
    right = frozenset(at for at, column in enumerate(shown) if column.right)
    return terminal.table([column.heading for column in shown], rows, right=right, columns=columns)


def _width(shown: Sequence[_Column]) -> int:
    widths = [max(map(len, [column.heading, *column.cells])) for column in shown]
    return sum(widths) + 2 * (len(widths) - 1)


def _columns(sources: Sequence[SourceHealth], settings: Settings, *, whole: bool) -> Iterator[_Column]:
    def off(one: SourceHealth) -> str:
        return "" if settings.sources[one.source].enabled else " (off)"

    totals = [one.volumes.total for one in sources]
    late = [one.lateness for one in sources]
    more = "" if whole else "≥"
    yield _Column("source", [one.source + off(one) for one in sources], right=False)
    connectors = [settings.sources[one.source].connector for one in sources]
    yield _Column("connector", connectors, right=False, spare=True)
    yield _Column("landed", [number(one.landed) for one in totals])
    yield _Column("last 24 h", [number(one.volumes.day.landed) for one in sources])
    yield _Column("pending", [number(one.pending) for one in totals], only_if_said=True)
    waiting = [more + number(one.waiting.requests) if one.waiting.requests else NOTHING for one in sources]
    yield _Column("waiting", waiting, only_if_said=True)
    yield _Column("lateness", [_seconds(one.median_seconds if one else None) for one in late])
    yield _Column("p95", [_seconds(one.p95_seconds if one else None) for one in late], spare=True)
    yield _Column("duplicate", [share(one.duplicate, one.landed) for one in totals])
    yield _Column("quarantined", [share(one.quarantined, one.landed) for one in totals])
    yield _Column("suppressed", [number(one.suppressed) for one in totals], only_if_said=True)
    yield _Column("fields", [_changes(one.fields) for one in sources], only_if_said=True)
    yield _Column("newest", [_age(one.freshness) for one in sources], right=False)


def _seconds(seconds: float | None) -> str:
    return NOTHING if seconds is None else span(seconds)


def _changes(found: Fields | None) -> str:
    if found is None:
        return NOTHING
    parts = [f"+{len(found.new)}" if found.new else "", f"−{len(found.vanished)}" if found.vanished else ""]
    return " ".join(filter(None, parts)) or NOTHING


def _age(freshness: Freshness) -> str:
    if freshness.age_seconds is None:
        return "never"
    return span(max(freshness.age_seconds, 0.0)) + (" (late)" if freshness.stale else "")


def notes(health: Health, settings: Settings, *, now: datetime) -> Iterator[str]:
    """Yield what needs somebody's attention, a line each."""
    for one in health.sources:
        if settings.sources[one.source].enabled:
            yield from _attention(one, settings)
    yield from _backlog(health.backlog, now)


def _attention(one: SourceHealth, settings: Settings) -> Iterator[str]:
    fresh, most = one.freshness, settings.alerts.quarantined_share
    if fresh.stale:
        since = (
            "nothing has landed yet"
            if fresh.age_seconds is None
            else f"nothing has landed for {_age(fresh)[:-7]}"
        )
        yield f"{one.source}: {since}; freshness allows {span(fresh.limit_seconds or 0)}."
    lately = one.volumes.day if one.volumes.day.landed else one.volumes.total
    if lately.quarantined > most * lately.landed:
        period = "the last 24 h" if one.volumes.day.landed else "all"
        yield (
            f"{one.source}: {share(lately.quarantined, lately.landed)} of {period} is quarantined "
            f"(cdp quarantine list --source {one.source})."
        )
    if one.fields is not None and (one.fields.new or one.fields.vanished):
        parts = [
            f"{word} {_named(changes)}"
            for word, changes in (("new:", one.fields.new), ("vanished:", one.fields.vanished))
            if changes
        ]
        yield f"{one.source}: fields, {'; '.join(parts)} (cdp sources {one.source})."


def _named(changes: Sequence[Change]) -> str:
    names = [terminal.printable(change.path) for change in changes[:_MOST_NAMED]]
    rest = len(changes) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def _backlog(backlog: Backlog, now: datetime) -> Iterator[str]:
    if backlog.segments:
        since = [one.since for one in backlog.by_source.values() if one.since is not None]
        age = max((now - min(since)).total_seconds(), 0.0) if since else 0.0
        lands = "" if age < _LONG_WAIT_SECONDS else "; `cdp run` lands them if no collector is at work"
        oldest = f", the oldest request for {span(age)}" if since else ""
        yield f"Waiting with the collector: {counted(backlog.segments, 'segment')}, {size(backlog.bytes)}{oldest}{lands}."
    if backlog.damaged:
        yield f"{counted(backlog.damaged, 'damaged segment')} of the collector is kept aside in landing/wal."


SAMPLED: Final = (
    "Lateness (median, p95) and fields are of samples; cdp sources NAME says how many. Counts are exact."
)


def page(
    one: SourceHealth, source: SourceSettings, backlog: Backlog, reasons: Sequence[tuple[str, int]]
) -> str:
    """Return all that is known of one source."""
    lines = [
        f"{one.source}: connector {source.connector}{'' if source.enabled else ' (off)'}, {', '.join(source.paths)}"
    ]
    if source.description:
        lines.append(terminal.printable(source.description))
    lines += [_newest(one), "", _periods(one)]
    lines += _waiting(one, backlog)
    if reasons:
        shown = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
        lines += ["", f"In quarantine: {shown}"]
    lines += ["", *_lateness(one.lateness), "", *_fields(one.fields)]
    return "\n".join(lines)


def _newest(one: SourceHealth) -> str:
    fresh, last = one.freshness, one.volumes.last_landed_at
    limit = f"; freshness allows {span(fresh.limit_seconds)}" if fresh.limit_seconds is not None else ""
    if fresh.age_seconds is None or last is None:
        return f"nothing has landed yet{limit}"
    late = " (late)" if fresh.stale else ""
    return f"newest batch {last[:19].replace('T', ' ')} UTC, {span(max(fresh.age_seconds, 0.0))} ago{late}{limit}"


def _periods(one: SourceHealth) -> str:
    periods = (one.volumes.day, one.volumes.week, one.volumes.total)
    rows = [["landed", *(number(period.landed) for period in periods), ""]]
    rows += [
        [
            name,
            *(number(getattr(period, name)) for period in periods),
            share(getattr(periods[-1], name), periods[-1].landed),
        ]
        for name in _OUTCOMES
        if name in ("standardised", "duplicate", "quarantined") or getattr(periods[-1], name)
    ]
    rows.append(["suppressed", *(number(period.suppressed) for period in periods), ""])
    rows.append(["files", *(number(period.files) for period in periods), ""])
    headings = ["", "last 24 h", "last 7 d", "in all", "share"]
    return terminal.table(headings, rows, right=frozenset({1, 2, 3, 4}), columns=terminal.UNLIMITED)


def _waiting(one: SourceHealth, backlog: Backlog) -> list[str]:
    if not one.waiting.requests:
        return []
    least = "" if backlog.whole else "at least "
    held = f"{counted(one.waiting.requests, 'request')} in {counted(one.waiting.segments, 'segment')}"
    return ["", f"Waiting with the collector: {least}{held}, {size(one.waiting.bytes)}"]


def _lateness(found: Lateness | None) -> list[str]:
    if found is None or found.median_seconds is None or found.p95_seconds is None:
        return [
            "Lateness (received − occurred): unknown, "
            + ("no times of their own" if found else "nothing to read")
        ]
    period = "of the last 7 days" if found.since else "of the newest files; nothing came in the last 7 days"
    sample = f"{'all' if found.whole else 'a sample of'} {found.rows:,} envelopes {period}"
    lines = [
        f"Lateness (received − occurred), {sample}",
        f"  median {span(found.median_seconds)}, p95 {span(found.p95_seconds)}",
    ]
    if found.ahead:
        lines.append(f"  {share(found.ahead, found.rows)} ahead of our clock")
    if found.without_time:
        lines.append(f"  {share(found.without_time, found.rows)} without a time of their own")
    return lines


def _fields(found: Fields | None) -> list[str]:
    if found is None:
        return ["Fields: nothing to read"]
    since = found.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if not found.before:
        return [
            f"Fields: {found.known:,} in {found.lately:,} payloads that were sampled; none came before to compare with"
        ]
    lately = f"{found.lately:,} sampled payloads landed since {since}"
    lines = [f"Fields: {found.known:,} in {lately}, against {found.before:,} before"]
    lines += [f"  new       {terminal.printable(one.path)} (in {share(one.share, 1)})" for one in found.new]
    lines += [
        f"  vanished  {terminal.printable(one.path)} (was in {share(one.share, 1)})" for one in found.vanished
    ]
    return lines if found.new or found.vanished else [*lines, "  no new ones, none vanished"]
