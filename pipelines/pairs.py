"""Two records compared with each other, whether or not anything joins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from cdp.errors import CdpError
from pipelines import models
from pipelines.known import Known, opened

if TYPE_CHECKING:
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from identity.explain import PairExplanation
    from identity.version import ModelVersion as Fitted
    from pipelines.generations import Generation

MOST_RECORDS = 200

# The pair that has been weighed and weighs most; else the one with the most values in common.
_WEIGHED = """
SELECT left_record, right_record FROM (
  SELECT left_record, right_record, match_weight FROM evidence WHERE len(levels) > 1
  UNION ALL SELECT left_record, right_record, match_weight FROM uncertain)
WHERE (list_contains($left, left_record) AND list_contains($right, right_record))
   OR (list_contains($right, left_record) AND list_contains($left, right_record))
ORDER BY match_weight DESC, left_record, right_record LIMIT 1
"""
_ALIKE = """
WITH said AS (
  SELECT record_key, type || ':' || value AS word FROM identifiers
  WHERE list_contains($left, record_key) OR list_contains($right, record_key)
  UNION
  SELECT record_key, lower(value) FROM (
    UNPIVOT (SELECT COLUMNS(* EXCLUDE (source))::VARCHAR FROM records
             WHERE list_contains($left, record_key) OR list_contains($right, record_key))
    ON COLUMNS(* EXCLUDE record_key) INTO NAME name VALUE value))
SELECT l.record_key, r.record_key FROM
  (SELECT unnest($left) AS record_key) l, (SELECT unnest($right) AS record_key) r
LEFT JOIN said a ON a.record_key = l.record_key
LEFT JOIN said b ON b.record_key = r.record_key AND b.word = a.word
WHERE l.record_key <> r.record_key
GROUP BY 1, 2 ORDER BY count(b.word) DESC, 1, 2 LIMIT 1
"""


def compare(
    lake: Lake,
    ledger: Ledger,
    left: Sequence[str],
    right: Sequence[str],
    *,
    anew: bool = True,
) -> PairExplanation | None:
    """Weigh the pair of a record of ``left`` and one of ``right`` that says most.

    None where the newest generation does not have them, or its model is gone. ``anew``:
    also weigh a pair that the generation did not keep.
    """
    with opened(lake, ledger) as known:
        lefts = [key for key in left if known.customer_of(key) is not None][:MOST_RECORDS]
        rights = [key for key in right if known.customer_of(key) is not None][:MOST_RECORDS]
        if not lefts or not rights:
            return None
        kept = _kept(known, lefts, rights)
        if kept is not None or not anew:
            return kept
        return _weighed(known, lake, ledger, _alike(known, lefts, rights))


def _kept(known: Known, left: Sequence[str], right: Sequence[str]) -> PairExplanation | None:
    from identity.explain import pair

    rows = known.connection.execute(_WEIGHED, {"left": left, "right": right}).fetchall()
    if not rows:
        return None
    ((one, other),) = rows
    query = (
        "SELECT * FROM (SELECT * EXCLUDE (same_cluster, records, informative) FROM uncertain "
        "UNION ALL FROM evidence) WHERE left_record = $left AND right_record = $right AND len(levels) > 1"
    )
    params = {"left": one, "right": other}
    return pair(one, other, known.connection.sql(query, params=params).to_arrow_table())


def _alike(known: Known, left: Sequence[str], right: Sequence[str]) -> tuple[str, str] | None:
    rows = known.connection.execute(_ALIKE, {"left": left, "right": right}).fetchall()
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


def _weighed(
    known: Known, lake: Lake, ledger: Ledger, pair: tuple[str, str] | None
) -> PairExplanation | None:
    from identity import explain

    model = model_of(lake, ledger, known.generation)
    if model is None or pair is None:
        return None
    folder = lake.path(known.generation.path)
    two = ds.field("record_key").isin(list(pair))
    records, identifiers = (
        pq.read_table(folder / f"{name}.parquet", filters=two) for name in ("records", "identifiers")
    )
    held = pq.read_table(folder / "held_back.parquet")
    try:
        return explain.pair(*pair, explain.score_pair(*pair, records, identifiers, model, held))
    except CdpError:  # one of the two counts for nothing
        return None


def model_of(lake: Lake, ledger: Ledger, generation: Generation) -> Fitted | None:
    """Return the model of a generation; None where its file is gone, damaged, or of another version of cdp."""
    version = next((v for v in models.versions(ledger) if v.version == generation.model_version), None)
    try:
        return models.load(lake, version) if version else None
    except CdpError:
        return None
