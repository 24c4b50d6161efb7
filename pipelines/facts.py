"""The workspace as the server's overview shows it: counts of the ledger at once, samples of payloads behind them.

Counts are kept for some seconds. Samples read landed files, which takes a second: a thread of its own looks at them,
and what it found before is told meanwhile.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import CdpError
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp
from pipelines import health as source_health
from pipelines.health import SourceHealth
from warehouse.serve.facts import Change, Day, Drift, PastRelease, Reason, Run, Source, State

if TYPE_CHECKING:
    from cdp.settings import Settings

KEPT_SECONDS: Final = 5.0
SAMPLED_SECONDS: Final = 120.0
DAYS: Final = 30
MOST_RELEASES: Final = 60
MOST_RUNS: Final = 20
MOST_OUTCOMES: Final = 20_000
"""Newest outcomes among which the reasons of quarantine are counted."""
FEWEST_GAPS: Final = 3
FEWEST_DAYS: Final = 7
UNUSUAL: Final = 2.0
"""Twice as many as usual, or half, is worth a word; so is a silence of twice the longest one lately."""


@dataclass(frozen=True)
class _History:
    """Per source: envelopes by day, times of batches (seconds since 1970, in order), reasons of quarantine."""

    days: Mapping[str, Mapping[date, int]]
    batches: Mapping[str, Sequence[float]]
    reasons: Mapping[str, Sequence[Reason]]


class WorkspaceFacts:
    """:class:`warehouse.serve.facts.Facts` from the ledger and the landed files of a workspace."""

    def __init__(self, workspace: Path, settings: Settings, now: Callable[[], datetime]) -> None:
        self._workspace, self._settings, self._now = workspace, settings, now
        self._lock = threading.Lock()
        self._sources: tuple[float, Sequence[Source]] | None = None
        self._drift: Mapping[str, Drift] = {}
        self._sampled_at: float | None = None
        self._sampler: threading.Thread | None = None

    def sources(self) -> Sequence[Source]:
        """Return how every source does."""
        with self._lock:
            if self._sources is None or time.monotonic() - self._sources[0] > KEPT_SECONDS:
                self._sources = time.monotonic(), self._counted()
            self._sample_if_old()
            found, drift = self._sources[1], self._drift
        return [replace(one, drift=drift.get(one.name)) for one in found]

    def _counted(self) -> Sequence[Source]:
        now = self._now()
        found = source_health.health(
            self._workspace, self._settings, list(self._settings.sources), now=now, sampled=False
        )
        history = self._history(now)
        return [_source(one, self._settings, history, now) for one in found.sources]

    def _ledger(self) -> Ledger | None:
        path = Lake(self._workspace).ledger_path
        return Ledger(path, read_only=True) if path.is_file() else None

    def _history(self, now: datetime) -> _History:
        ledger = self._ledger()
        if ledger is None:
            return _History({}, {}, {})
        with ledger:
            return _read_history(ledger, now)

    def _sample_if_old(self) -> None:
        running = self._sampler is not None and self._sampler.is_alive()
        is_old = self._sampled_at is None or time.monotonic() - self._sampled_at > SAMPLED_SECONDS
        if is_old and not running:
            self._sampled_at = time.monotonic()
            self._sampler = threading.Thread(target=self.sample, name="facts", daemon=True)
            self._sampler.start()

    def sample(self) -> None:
        """Look at samples of the payloads now; what cannot be read is left out."""
        names = list(self._settings.sources)
        try:
            found = source_health.health(self._workspace, self._settings, names, now=self._now())
        except (CdpError, OSError):
            return
        drift = {one.source: _drift(one) for one in found.sources}
        with self._lock:
            self._drift = drift

    def runs(self) -> Sequence[Run]:
        """Return the newest runs."""
        ledger = self._ledger()
        if ledger is None:
            return []
        with ledger:
            rows = ledger.rows(
                "SELECT run_id, command, status, started_at, finished_at FROM runs "
                "ORDER BY started_at DESC, run_id DESC LIMIT ?",
                (MOST_RUNS,),
            )
        return [Run(row[0], row[1], row[2], datetime.fromisoformat(row[3]), _moment(row[4])) for row in rows]

    def releases(self) -> Sequence[PastRelease]:
        """Return the releases so far."""
        ledger = self._ledger()
        if ledger is None:
            return []
        with ledger:
            rows = ledger.rows(
                "SELECT r.version, r.created_at, r.summary, g.moved_records FROM releases AS r "
                "LEFT JOIN generations AS g USING (generation) ORDER BY r.version DESC LIMIT ?",
                (MOST_RELEASES,),
            )
        return [_release(row[0], row[1], row[2], row[3]) for row in rows]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _release(version: str, created_at: str, summary: str | None, moved: int | None) -> PastRelease:
    counted = json.loads(summary) if summary else {}
    rows = counted.get("rows", {})
    return PastRelease(
        version,
        datetime.fromisoformat(created_at),
        int(rows.get("customers", 0)),
        int(rows.get("customer_records", 0)),
        int(counted.get("events", {}).get("contact_history", 0)),
        moved,
    )


_REASONS: Final = f"""
SELECT f.source, o.reason, count(*), max(b.received_at)
FROM (SELECT outcome_id, file_id, raw_row, outcome, reason FROM outcomes ORDER BY outcome_id DESC
      LIMIT {MOST_OUTCOMES}) AS o
JOIN files AS f USING (file_id) JOIN batches AS b USING (batch_id)
WHERE o.outcome = 'quarantined' AND NOT EXISTS (
  SELECT 1 FROM outcomes AS later
  WHERE later.file_id = o.file_id AND later.raw_row = o.raw_row AND later.outcome_id > o.outcome_id)
GROUP BY f.source, o.reason ORDER BY max(o.outcome_id) DESC
"""


def _read_history(ledger: Ledger, now: datetime) -> _History:
    since = timestamp(now - timedelta(days=DAYS))
    days: dict[str, dict[date, int]] = {}
    for row in ledger.rows(
        "SELECT source, substr(received_at, 1, 10), sum(landed) FROM batches "
        "WHERE state = 'landed' AND received_at >= ? GROUP BY 1, 2",
        (since,),
    ):
        days.setdefault(row[0], {})[date.fromisoformat(row[1])] = int(row[2] or 0)
    batches: dict[str, list[float]] = {}
    for row in ledger.rows(
        "SELECT DISTINCT source, CAST(strftime('%s', received_at) AS INTEGER) FROM batches "
        "WHERE state = 'landed' AND received_at >= ? ORDER BY 1, 2",
        (since,),
    ):
        batches.setdefault(row[0], []).append(float(row[1]))
    reasons: dict[str, list[Reason]] = {}
    for row in ledger.rows(_REASONS):
        found = Reason(row[1] or "unknown", int(row[2]), datetime.fromisoformat(row[3]))
        reasons.setdefault(row[0], []).append(found)
    return _History(days, batches, reasons)


def _source(one: SourceHealth, settings: Settings, history: _History, now: datetime) -> Source:
    chosen, volumes = settings.sources[one.source], one.volumes
    gaps = _gaps(history.batches.get(one.source, ()))
    days = _days(history.days.get(one.source, {}), now)
    lately = volumes.week if volumes.week.landed else volumes.total
    share = lately.quarantined / lately.landed if lately.landed else 0.0
    usual = _usual_day(days)
    state = _state(one, enabled=chosen.enabled, gaps=gaps)
    found = Source(
        name=one.source,
        connector=chosen.connector,
        enabled=chosen.enabled,
        state=state,
        landed=volumes.total.landed,
        landed_day=volumes.day.landed,
        landed_week=volumes.week.landed,
        duplicates=volumes.total.duplicate,
        quarantined=volumes.total.quarantined,
        quarantined_share=share,
        pending=volumes.total.pending,
        waiting=one.waiting.requests,
        last_landed_at=_moment(volumes.last_landed_at),
        limit_seconds=one.freshness.limit_seconds,
        usual_gap=statistics.median(gaps) if gaps else None,
        usual_day=usual,
        days=days,
        reasons=history.reasons.get(one.source, ()),
        drift=None,
    )
    return replace(found, alerts=_alerts(found, settings.alerts.quarantined_share))


def _gaps(batches: Sequence[float]) -> list[float]:
    return [later - before for before, later in itertools.pairwise(batches)]


def _days(found: Mapping[date, int], now: datetime) -> list[Day]:
    """Return the last days, those without anything too."""
    today = now.date()
    wanted = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [Day(one, found.get(one, 0)) for one in wanted]


def _usual_day(days: Sequence[Day]) -> float | None:
    """Return the median of the full days since the first one that had anything; None where they are too few."""
    landed = [one.landed for one in days[:-1]]
    while landed and not landed[0]:
        landed.pop(0)
    before = landed[:-1]
    return statistics.median(before) if len(before) >= FEWEST_DAYS else None


def _state(one: SourceHealth, *, enabled: bool, gaps: Sequence[float]) -> State:
    fresh = one.freshness
    if not enabled:
        return "off"
    if fresh.stale:
        return "late"
    if fresh.age_seconds is None:
        return "new"
    if fresh.limit_seconds is None and len(gaps) >= FEWEST_GAPS and fresh.age_seconds > UNUSUAL * max(gaps):
        return "quiet"
    return "good"


def _alerts(one: Source, most_quarantined: float) -> list[str]:
    if not one.enabled:
        return []
    found = []
    if one.state == "late":
        found.append("nothing has landed for longer than its freshness allows")
    if one.state == "quiet":
        found.append("it has been silent for longer than usual")
    if one.quarantined_share > most_quarantined:
        found.append(f"{one.quarantined_share:.1%} of what came lately is in quarantine")
    if one.usual_day and one.state == "good":
        yesterday = one.days[-2].landed
        if yesterday > UNUSUAL * one.usual_day or yesterday * UNUSUAL < one.usual_day:
            found.append(f"yesterday brought {yesterday:,}; {one.usual_day:,.0f} are usual")
    return found


def _drift(one: SourceHealth) -> Drift:
    fields, late = one.fields, one.lateness
    return Drift(
        new=[Change(found.path, found.share) for found in fields.new] if fields else (),
        vanished=[Change(found.path, found.share) for found in fields.vanished] if fields else (),
        sampled=fields.lately if fields else 0,
        median_lateness=late.median_seconds if late else None,
        p95_lateness=late.p95_seconds if late else None,
    )
