"""What alone makes one customer of two records of the newest generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.known import opened
from pipelines.pairs import model_of
from pipelines.stages.resolve import policy

if TYPE_CHECKING:
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from cdp.settings import Settings
    from pipelines.known import Known

MOST_RECORDS = 400
"""Of a customer and those who share an identifier with it; more would take long to resolve again and again."""
_NEAR = """
SELECT DISTINCT record_key FROM (
  SELECT unnest($keys) AS record_key
  UNION ALL
  SELECT other.record_key FROM identifiers other
  JOIN identifiers own ON other.type = own.type AND other.value = own.value
    AND other.namespace IS NOT DISTINCT FROM own.namespace
  WHERE list_contains($keys, own.record_key))
ORDER BY 1 LIMIT $most
"""


def hinges(lake: Lake, ledger: Ledger, settings: Settings, left: str, right: str) -> tuple[str, ...] | None:
    """Return the comparisons without any one of which two records would be two customers.

    None where it cannot be said: they are not one customer in the newest generation, its model is gone, or there
    are too many records around them.
    """
    from identity.hinges import hinges as found

    with opened(lake, ledger) as known:
        customer = known.customer_of(left)
        model = model_of(lake, ledger, known.generation)
        if customer is None or customer != known.customer_of(right) or model is None:
            return None
        keys = _near(known, known.records_of(customer))
        if keys is None:
            return None
        folder = lake.path(known.generation.path)
    mine = ds.field("record_key").isin(keys)
    records, identifiers = (
        pq.read_table(folder / f"{name}.parquet", filters=mine) for name in ("records", "identifiers")
    )
    held, judged = (pq.read_table(folder / f"{name}.parquet") for name in ("held_back", "judgements"))
    rules = policy(settings.identity)
    return found(left, right, records, identifiers, model, held=held, judgements=judged, policy=rules)


def _near(known: Known, members: list[str]) -> list[str] | None:
    """The records of a customer and those that share an identifier with it; None where they are too many."""
    most = MOST_RECORDS + 1
    rows = known.connection.execute(_NEAR, {"keys": members[:most], "most": most}).fetchall()
    return [str(row[0]) for row in rows] if len(rows) < most else None
