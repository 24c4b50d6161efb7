"""Pairs that a person's word would settle: uncertain ones, the most informative first.

A pair tells most where the model is least sure, and where the answer moves many records: it would join two
customers, or it holds one together. Pairs of one question (the same two customers, or the same one) do not
follow each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 5_000
LOWEST, HIGHEST = 0.05, 0.95
COLUMNS = (
    "left_record",
    "right_record",
    "kind",
    "match_weight",
    "match_probability",
    "reason",
    "levels",
    "same_cluster",
    "records",
    "informative",
)

# Entropy is how unsure the model is (1 at even odds); the logarithm is how many pairs of records hang on
# the answer. Pairs between clusters come before pairs inside of one: there, other edges may hold it.
_RANKED = """
WITH sizes AS (SELECT cluster_id, count(*) AS n FROM clusters GROUP BY 1),
named AS (
  SELECT u.*, least(l.cluster_id, r.cluster_id) AS one, greatest(l.cluster_id, r.cluster_id) AS other,
    l.cluster_id = r.cluster_id AS same_cluster,
    CASE WHEN l.cluster_id = r.cluster_id THEN ls.n ELSE ls.n + rs.n END AS records,
    CASE WHEN l.cluster_id = r.cluster_id THEN ls.n - 1 ELSE 2 * ls.n * rs.n END AS weight
  FROM uncertain u
  JOIN clusters l ON l.record_key = u.left_record JOIN clusters r ON r.record_key = u.right_record
  JOIN sizes ls ON ls.cluster_id = l.cluster_id JOIN sizes rs ON rs.cluster_id = r.cluster_id
  WHERE u.match_probability BETWEEN $lowest AND $highest AND u.kind <> 'judgement'),
scored AS (
  SELECT *, round((-match_probability * log2(match_probability)
      - (1 - match_probability) * log2(1 - match_probability)) * log2(1 + weight), 9) AS informative
  FROM named),
turns AS (
  SELECT *, row_number() OVER (
    PARTITION BY one, other ORDER BY informative DESC, left_record, right_record) AS turn
  FROM scored)
SELECT left_record, right_record, kind, match_weight, match_probability, reason, levels, same_cluster,
  records::BIGINT AS records, informative
FROM turns ORDER BY turn, informative DESC, left_record, right_record LIMIT $kept
"""


def rank(uncertain: pa.Table, clusters: pa.Table, *, keep: int = KEPT) -> pa.Table:
    """Return the most informative of the uncertain pairs, the first one first.

    ``uncertain``: pairs as the evidence of a resolution; ``clusters``: record_key, cluster_id. Added are
    ``same_cluster``, ``records`` (of both clusters) and ``informative`` (bits times the logarithm of the
    pairs of records that hang on the answer).
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET threads = 1")
        connection.register("uncertain", uncertain)
        connection.register("clusters", clusters.select(["record_key", "cluster_id"]))
        parameters = {"lowest": LOWEST, "highest": HIGHEST, "kept": keep}
        return connection.sql(_RANKED, params=parameters).to_arrow_table()
