"""How late events come: the time between when they happened and when they were received."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pipelines import samples

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake
    from cdp.ledger import Ledger

PERIOD: Final = timedelta(days=7)
MOST_FILES: Final = 32
MOST_ROWS: Final = 131_072


@dataclass(frozen=True)
class Lateness:
    """Seconds from ``occurred_at`` to ``received_at`` of a sample of ``rows`` landed envelopes.

    ``without_time`` of these say no time of their own, ``ahead`` one after they were received (a wrong clock).
    ``since``: the landing from which on was sampled; None: nothing came in the last days, and the newest files
    were. ``whole``: no row of the period was left out.
    """

    median_seconds: float | None
    p95_seconds: float | None
    rows: int
    without_time: int
    ahead: int
    since: datetime | None
    whole: bool


_QUANTILES = """
WITH sample AS ({sample}),
late AS (SELECT epoch(received_at) - epoch(occurred_at) AS seconds FROM sample)
SELECT quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95), count(*), count(*) - count(seconds),
  count(*) FILTER (seconds < 0)
FROM late
"""


def lateness(
    lake: Lake, ledger: Ledger, connection: duckdb.DuckDBPyConnection, source: str, now: datetime
) -> Lateness | None:
    """Return how late the events of a source came lately; None where nothing has landed."""
    since: datetime | None = now - PERIOD
    ids = samples.file_ids(ledger, source, since=since)
    if not ids:
        since, ids = None, samples.file_ids(ledger, source)[-MOST_FILES:]
    chosen = samples.pieces(lake, ledger, samples.spread(ids, MOST_FILES))
    if not chosen:
        return None
    of_each = MOST_ROWS // len(chosen)
    sample = samples.query(chosen, ["received_at", "occurred_at"], of_each)
    found = samples.read(connection, _QUANTILES.format(sample=sample))
    if found is None:
        return None
    median, p95, rows, without, ahead = (column[0].as_py() for column in found.columns)
    whole = len(chosen) == len(ids) and all(piece.rows <= of_each for piece in chosen)
    return Lateness(median, p95, rows, without, ahead, since, whole)
