"""How much every source brought and what became of it, by period: sums over the ledger, in one pass for all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cdp.ledger import Ledger, timestamp

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Volume:
    """Envelopes by what became of them, the newest outcome of each; ``suppressed`` did not land.

    ``files`` counts what they came in: input files, or segments of a collector.
    """

    landed: int = 0
    standardised: int = 0
    duplicate: int = 0
    superseded: int = 0
    ignored: int = 0
    quarantined: int = 0
    pending: int = 0
    suppressed: int = 0
    files: int = 0
    batches: int = 0

    def __add__(self, other: Volume) -> Volume:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Volume(*(one + another for one, another in pairs))


@dataclass(frozen=True)
class Volumes:
    """What one source brought: in the last 24 hours, in the last 7 days, and in all."""

    day: Volume = dataclasses.field(default_factory=Volume)
    week: Volume = dataclasses.field(default_factory=Volume)
    total: Volume = dataclasses.field(default_factory=Volume)
    last_landed_at: str | None = None


# The newest row of an envelope is its current outcome: SQLite takes the other columns from the row of the maximum.
_SUMS = """
WITH current AS MATERIALIZED (
  SELECT file_id, raw_row, outcome, reason, max(outcome_id) FROM outcomes GROUP BY file_id, raw_row),
exceptions AS (
  SELECT file_id, sum(outcome = 'ignored') AS ignored, sum(outcome = 'duplicate') AS duplicate,
    sum(outcome = 'superseded') AS superseded, sum(outcome = 'quarantined') AS quarantined,
    sum(outcome = 'quarantined' AND reason = 'conflicting_revision') AS conflicting
  FROM current GROUP BY file_id),
per_batch AS (
  SELECT f.batch_id, sum(coalesce(x.ignored, 0)) AS ignored, sum(coalesce(x.duplicate, 0)) AS duplicate,
    sum(coalesce(x.superseded, 0)) AS superseded, sum(coalesce(x.quarantined, 0)) AS quarantined,
    sum(coalesce(e.envelopes - coalesce(x.superseded, 0) - coalesce(x.conflicting, 0), 0)) AS standardised,
    sum(CASE WHEN e.file_id IS NULL AND f.zone = 'raw' THEN f.rows - coalesce(x.duplicate, 0) ELSE 0 END) AS pending
  FROM files AS f LEFT JOIN exceptions AS x USING (file_id)
  LEFT JOIN event_files AS e ON e.file_id = f.file_id AND e.current
  GROUP BY f.batch_id),
again AS (SELECT batch_id, sum(rows) AS rows FROM repeated GROUP BY batch_id)
SELECT b.source, (b.received_at >= :day) + (b.received_at >= :week) AS period, max(b.received_at) AS last,
  sum(b.landed) AS landed, sum(coalesce(p.standardised, 0)) AS standardised,
  sum(coalesce(p.duplicate, 0) + coalesce(a.rows, 0)) AS duplicate, sum(coalesce(p.superseded, 0)) AS superseded,
  sum(coalesce(p.ignored, 0)) AS ignored, sum(coalesce(p.quarantined, 0)) AS quarantined,
  sum(coalesce(p.pending, 0)) AS pending, sum(b.suppressed) AS suppressed, sum(b.origins) AS files,
  count(*) AS batches
FROM batches AS b LEFT JOIN per_batch AS p USING (batch_id) LEFT JOIN again AS a USING (batch_id)
WHERE b.state = 'landed' GROUP BY b.source, period
"""


def volumes(ledger: Ledger, now: datetime | None = None) -> Mapping[str, Volumes]:
    """Return what every source brought, by its name; without ``now`` nothing counts as of the last days."""
    begin = {"day": timestamp(now - DAY), "week": timestamp(now - WEEK)} if now else {"day": "~", "week": "~"}
    rows = ledger.rows(_SUMS, begin)
    parts: dict[str, list[Volume]] = {}
    last: dict[str, str] = {}
    for row in rows:
        by_period = parts.setdefault(row["source"], [Volume(), Volume(), Volume()])
        by_period[row["period"]] = Volume(*(int(row[one.name]) for one in dataclasses.fields(Volume)))
        last[row["source"]] = max(last.get(row["source"], ""), row["last"])
    return {
        source: Volumes(day, day + week, day + week + older, last[source])
        for source, (older, week, day) in parts.items()
    }
