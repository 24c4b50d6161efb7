"""What a workspace holds after a run, counted for people: outcomes per source, customers, accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.lake import Lake
from cdp.ledger import Ledger
from pipelines.volumes import Volume, Volumes, volumes
from warehouse import release as releases

if TYPE_CHECKING:
    import duckdb

    from identity.evaluation.evaluate import Evaluation

TRUTH_FILE = "truth.parquet"


@dataclass(frozen=True)
class SourceTotals:
    """Envelopes of one source by what became of them."""

    source: str
    landed: int = 0
    standardised: int = 0
    duplicate: int = 0
    superseded: int = 0
    ignored: int = 0
    quarantined: int = 0
    pending: int = 0
    files: int = 0
    batches: int = 0
    last_landed_at: str | None = None


@dataclass(frozen=True)
class CustomerTotals:
    """What the current release says about its customers."""

    version: str
    records: int
    customers: int
    anonymous: int
    several_channels: int
    merged: int
    example: str | None


def sources(ledger: Ledger, names: Iterable[str]) -> list[SourceTotals]:
    """Return the totals of each source."""
    found = volumes(ledger)
    return [totals(name, found.get(name, Volumes())) for name in names]


def totals(name: str, found: Volumes) -> SourceTotals:
    """Return what one source brought in all."""
    counts = {one.name: getattr(found.total, one.name) for one in fields(Volume) if one.name != "suppressed"}
    return SourceTotals(name, last_landed_at=found.last_landed_at, **counts)


_CUSTOMERS = """
SELECT count(*), count(*) FILTER (is_anonymous), count(*) FILTER (len(channels) > 1),
  count(*) FILTER (record_count > 1), coalesce(sum(record_count), 0)
FROM customers
"""

# Somebody who was met on many channels, under several records, and has a name to show.
_EXAMPLE = """
SELECT customer_id FROM customers WHERE full_name IS NOT NULL OR surname IS NOT NULL
ORDER BY len(channels) DESC, source_count DESC, record_count DESC, customer_id LIMIT 1
"""


def customers(lake: Lake) -> CustomerTotals | None:
    """Return the totals of the current release, or None before the first."""
    standing = releases.find_current(lake)
    if standing is None:
        return None
    with standing.open() as connection:
        total, anonymous, several, merged, records = connection.execute(_CUSTOMERS).fetchall()[0]
        example = connection.execute(_EXAMPLE).fetchall()
    return CustomerTotals(
        standing.version, int(records), total, anonymous, several, merged, example[0][0] if example else None
    )


def accuracy(lake: Lake) -> Evaluation | None:
    """Hold the current release against the workspace's known truth; None where none is known.

    ``truth.parquet`` has (record_key, person_id) and comes with the demo.
    """
    truth = lake.path(TRUTH_FILE)
    standing = releases.find_current(lake)
    if standing is None or not truth.is_file():
        return None
    with standing.open() as connection:
        return _evaluate(connection, truth)


def _evaluate(connection: duckdb.DuckDBPyConnection, truth: Path) -> Evaluation:
    import pyarrow.parquet as pq

    from identity.evaluation.evaluate import evaluate

    predicted = connection.sql(
        "SELECT record_key AS record_id, customer_id AS cluster_id FROM customer_records"
    )
    return evaluate(
        pq.read_table(truth).rename_columns({"record_key": "record_id", "person_id": "entity_id"}),
        predicted.to_arrow_table(),
    )
