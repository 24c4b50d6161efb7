"""Errors worth reading: false merges and missed matches, grouped by what agrees and what differs.

A *false merge* is a part of a customer that belongs to another entity than the customer's largest part; a
*missed match* is a part of an entity outside the customer that holds most of it. Each is shown by one pair of
records: the strongest evidence that crosses the border, else the pair with most in common. Errors of one
pattern (``same surname, same phone, given name differs``) teach the same lesson, so the patterns are ordered by
the pairs of records that they cost, and examples are taken from one pattern after the other: among false merges
those of which the model was most sure, among missed matches those that have most in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.evaluation import MEMORY_LIMIT
from identity.evaluation.facts import Facts

if TYPE_CHECKING:
    import duckdb

_CELLS = 10_000  # errors of one kind that are looked at; more are sampled by the hash of their records
_SIDE = 4  # records of each side that are compared, to find the pair that shows an error
_ALIKE = 0.88
FALSE_MERGE = "false merge"
MISSED_MATCH = "missed match"


@dataclass(frozen=True)
class Side:
    """A field of both records: texts as given (None where absent), and ``same``, ``similar`` or ``differs``."""

    field: str
    left: str | None
    right: str | None
    agreement: str | None


@dataclass(frozen=True)
class Mistake:
    """One error, shown by one pair of records.

    ``pairs``: how many pairs of records are wrong by it. ``match_weight``, ``reason`` and ``levels``
    ((comparison, level, weight in bits)) are those of the evidence, where there is any.
    """

    kind: str
    left: str
    right: str
    left_customer: str
    right_customer: str
    pairs: int
    pattern: str
    match_weight: float | None
    reason: str | None
    levels: tuple[tuple[str, str, float], ...]
    fields: tuple[Side, ...]


@dataclass(frozen=True)
class Pattern:
    """Errors of which the same fields agree and differ."""

    kind: str
    pattern: str
    mistakes: int
    pairs: int


@dataclass(frozen=True)
class Mistakes:
    """The errors of one partition: patterns by cost, examples, and how many errors there are and were read."""

    false_merges: int
    missed_matches: int
    read: int
    patterns: tuple[Pattern, ...]
    examples: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """The errors as plain data."""
        return asdict(self)


def find_mistakes(
    truth: pa.Table, clusters: pa.Table, facts: Facts, evidence: pa.Table | None = None, *, most: int = 10
) -> Mistakes:
    """Compare ``clusters`` (record_key, cluster_id) with ``truth`` (record_id, entity_id) and read the errors.

    ``evidence``: weighed pairs (those of the resolution inside customers, and uncertain ones between them),
    for weights and levels. ``most``: examples of each kind.
    """
    from cdp.duck import connect
    from identity.evaluation.diagnostics import members

    with connect(memory_limit=MEMORY_LIMIT) as con:
        con.register("members", members(clusters, facts))
        con.register("truth", _numbered(truth, facts))
        con.register("facts", facts.table)
        con.register("edges", _edges(evidence, facts))
        con.execute(_CELLS_SQL)
        for name, (cell, group) in {
            FALSE_MERGE: ("merge", "customer"),
            MISSED_MATCH: ("miss", "entity"),
        }.items():
            con.execute(_parts_sql(cell, group))
            con.execute(_candidates_sql(cell, group, name))
        con.execute("CREATE TEMP TABLE candidates AS FROM merge_candidates UNION ALL FROM miss_candidates")
        con.execute(_CHOSEN_SQL)
        false, missed, read = con.sql(
            "SELECT (SELECT count(*) FROM merge_parts), (SELECT count(*) FROM miss_parts), count(*) FROM chosen"
        ).fetchall()[0]
        patterns = tuple(Pattern(*row) for row in con.sql(_PATTERNS_SQL).fetchall())
        con.execute(f"CREATE TEMP TABLE shown AS {_ranked_sql(most)}")
        rows = con.sql("FROM shown ORDER BY kind, rank").to_arrow_table().to_pylist()
        sides = _sides(con)
    levels = _levels(rows, evidence)
    return Mistakes(
        false, missed, read, patterns, tuple(_mistake(row, facts.keys, sides, levels) for row in rows)
    )


def _numbered(truth: pa.Table, facts: Facts) -> pa.Table:
    rows = pc.index_in(truth["record_id"].cast(pa.string()), value_set=facts.keys).combine_chunks()
    known = pc.is_valid(rows)
    return pa.table(
        [rows.filter(known), truth["entity_id"].cast(pa.string()).filter(known)], ["record", "entity"]
    )


def _edges(evidence: pa.Table | None, facts: Facts) -> pa.Table:
    names = ["left_row", "right_row", "weight", "place"]
    if evidence is None:
        kinds = (pa.int32(), pa.int32(), pa.float64(), pa.int64())
        return pa.table([pa.array([], kind) for kind in kinds], names)
    ends = [
        pc.index_in(evidence[side].cast(pa.string()), value_set=facts.keys)
        for side in ("left_record", "right_record")
    ]
    places = pa.array(np.arange(evidence.num_rows))
    return pa.table([*ends, evidence["match_weight"], places], names)


_CELLS_SQL = """
CREATE TEMP TABLE placed AS
SELECT m.record, m.customer, t.entity FROM members m JOIN truth t USING (record);
CREATE TEMP TABLE cells AS SELECT customer, entity, count(*) AS n FROM placed GROUP BY ALL
"""


def _parts_sql(cell: str, group: str) -> str:
    """Cells that are not the largest of their customer (or entity), with the largest beside them."""
    other = "entity" if group == "customer" else "customer"
    return f"""
CREATE TEMP TABLE {cell}_parts AS
SELECT row_number() OVER (ORDER BY {group}, {other}) AS part, {group}, {other} AS other, core, n * core_n AS pairs
FROM (
  SELECT *, first_value({other}) OVER w AS core, first_value(n) OVER w AS core_n, row_number() OVER w AS place
  FROM cells WINDOW w AS (PARTITION BY {group} ORDER BY n DESC, {other}))
WHERE place > 1"""


def _candidates_sql(cell: str, group: str, kind: str) -> str:
    """Pairs that may show an error: evidence across the border, and the first records of both sides."""
    other = "entity" if group == "customer" else "customer"
    return f"""
CREATE OR REPLACE TEMP TABLE read_parts AS
FROM {cell}_parts ORDER BY hash({group}, other), part LIMIT {_CELLS};
CREATE OR REPLACE TEMP TABLE sides AS
SELECT {group} AS whole, {other} AS portion, record,
  row_number() OVER (PARTITION BY {group}, {other} ORDER BY record) AS place FROM placed;
CREATE TEMP TABLE {cell}_candidates AS
SELECT '{kind}' AS kind, part, pairs, left_row, right_row, max(weight) AS weight,
  arg_max(place, weight) AS place FROM (
  SELECT p.part, p.pairs, least(a.record, b.record) AS left_row, greatest(a.record, b.record) AS right_row,
    NULL::DOUBLE AS weight, NULL::BIGINT AS place
  FROM read_parts p
  JOIN sides a ON a.whole = p.{group} AND a.portion = p.other AND a.place <= {_SIDE}
  JOIN sides b ON b.whole = p.{group} AND b.portion = p.core AND b.place <= {_SIDE}
  UNION ALL
  SELECT p.part, p.pairs, e.left_row, e.right_row, e.weight, e.place
  FROM edges e JOIN placed l ON l.record = e.left_row JOIN placed r ON r.record = e.right_row
  JOIN read_parts p ON p.{group} = l.{group} AND r.{group} = l.{group} AND l.{other} <> r.{other}
    AND (p.other = l.{other} OR p.other = r.{other}))
GROUP BY ALL"""


_CHOSEN_SQL = f"""
CREATE TEMP TABLE near AS
SELECT * FROM facts SEMI JOIN (
  SELECT left_row AS record FROM candidates UNION SELECT right_row FROM candidates) USING (record);
CREATE TEMP TABLE rarity AS
SELECT field, norm, log2(any_value(total) / count(*)) AS bits
FROM facts SEMI JOIN near USING (field, norm)
JOIN (SELECT field, count(*) AS total FROM facts GROUP BY ALL) USING (field) GROUP BY ALL;
CREATE TEMP TABLE compared AS
SELECT kind, part, left_row, right_row, l.field, any_value(l.value) AS left_value,
  any_value(r.value) AS right_value, bool_or(l.norm = r.norm) AS same,
  bool_or(jaro_winkler_similarity(l.norm, r.norm) >= {_ALIKE}) AS alike,
  coalesce(max(bits) FILTER (l.norm = r.norm), 0) AS bits
FROM candidates JOIN near l ON l.record = left_row
JOIN near r ON r.record = right_row AND r.field = l.field
JOIN rarity ON rarity.field = l.field AND rarity.norm = l.norm
GROUP BY ALL;
CREATE TEMP TABLE chosen AS
SELECT * FROM (
  SELECT c.*, coalesce(common, 0) AS common, coalesce(pattern, 'nothing to compare') AS pattern,
    row_number() OVER (PARTITION BY c.kind, c.part
      ORDER BY weight DESC NULLS LAST, coalesce(common, 0) DESC, c.left_row, c.right_row) AS choice
  FROM candidates c LEFT JOIN (
    SELECT kind, part, left_row, right_row, sum(bits) AS common,
      string_agg(field || CASE WHEN same THEN ' same' WHEN alike THEN ' similar' ELSE ' differs' END, ', '
        ORDER BY same DESC, alike DESC, field) FILTER (field <> 'name') AS pattern
    FROM compared GROUP BY ALL) USING (kind, part, left_row, right_row))
WHERE choice = 1
"""
_PATTERNS_SQL = """
SELECT kind, pattern, count(*), sum(pairs)::BIGINT AS lost FROM chosen
GROUP BY ALL ORDER BY kind, lost DESC, pattern
"""


def _ranked_sql(most: int) -> str:
    """One example of each pattern in turn; within a pattern the surest false merge and the closest miss."""
    return f"""
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY kind ORDER BY turn, lost DESC, pattern) AS rank FROM (
    SELECT chosen.*, l.customer AS left_customer, r.customer AS right_customer,
      sum(pairs) OVER (PARTITION BY kind, pattern) AS lost,
      row_number() OVER (PARTITION BY kind, pattern
        ORDER BY weight DESC NULLS LAST, common DESC, pairs DESC, left_row, right_row) AS turn
    FROM chosen JOIN placed l ON l.record = left_row JOIN placed r ON r.record = right_row))
WHERE rank <= {most} ORDER BY kind, rank"""


def _sides(con: duckdb.DuckDBPyConnection) -> dict[tuple[int, int], tuple[Side, ...]]:
    """All fields of the pairs that were chosen, also those that only one of the two records has."""
    rows = con.sql(
        f"""WITH pairs AS (SELECT DISTINCT left_row, right_row FROM shown),
            l AS (SELECT left_row, right_row, field, list(value ORDER BY value) AS v, list(norm) AS n
                  FROM pairs JOIN near ON record = left_row GROUP BY ALL),
            r AS (SELECT left_row, right_row, field, list(value ORDER BY value) AS v, list(norm) AS n
                  FROM pairs JOIN near ON record = right_row GROUP BY ALL)
            SELECT left_row, right_row, field, array_to_string(l.v, ', '), array_to_string(r.v, ', '),
              CASE WHEN l.n IS NULL OR r.n IS NULL THEN NULL WHEN list_has_any(l.n, r.n) THEN 'same'
                WHEN jaro_winkler_similarity(l.n[1], r.n[1]) >= {_ALIKE} THEN 'similar' ELSE 'differs' END
            FROM l FULL JOIN r USING (left_row, right_row, field) WHERE field <> 'name'
            ORDER BY left_row, right_row, field"""
    ).fetchall()
    return {
        pair: tuple(Side(*row[2:]) for row in group)
        for pair, group in groupby(rows, lambda row: (row[0], row[1]))
    }


def _levels(rows: Sequence[Mapping[str, Any]], evidence: pa.Table | None) -> dict[int, Mapping[str, Any]]:
    places = [row["place"] for row in rows if row["place"] is not None]
    if evidence is None or not places:
        return {}
    taken = evidence.take(pa.array(places, pa.int64()))
    return dict(zip(places, taken.select(["reason", "levels"]).to_pylist(), strict=True))


def _mistake(
    row: Mapping[str, Any],
    keys: pa.Array,
    sides: Mapping[tuple[int, int], tuple[Side, ...]],
    levels: Mapping[int, Mapping[str, Any]],
) -> Mistake:
    told = levels.get(row["place"], {})
    parts = [(i["comparison"], i["level"], i["weight"]) for i in told.get("levels") or ()]
    return Mistake(
        row["kind"],
        keys[row["left_row"]].as_py(),
        keys[row["right_row"]].as_py(),
        row["left_customer"],
        row["right_customer"],
        int(row["pairs"]),
        row["pattern"],
        row["weight"],
        told.get("reason"),
        tuple(parts),
        sides.get((row["left_row"], row["right_row"]), ()),
    )
