"""Accuracy of clusters against known truth: pairwise and B-cubed precision, recall and F1.

Pairwise counts pairs of records; B-cubed (Bagga and Baldwin 1998) averages over records the share of the
record's cluster that is right and the share of its entity that was found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cdp.duck import connect
from cdp.errors import UsageError
from identity.evaluation import MEMORY_LIMIT

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True)
class Evaluation:
    """Figures of one comparison. Without any true or predicted pair, recall or precision is 1."""

    records: int
    entities: int
    clusters: int
    largest_cluster: int
    true_pairs: int
    predicted_pairs: int
    common_pairs: int
    pairwise_precision: float
    pairwise_recall: float
    pairwise_f1: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float

    def to_dict(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall.

    >>> f1(1.0, 0.5)
    0.6666666666666666
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def evaluate(truth: pa.Table, predicted: pa.Table) -> Evaluation:
    """Compare ``predicted`` (record_id, cluster_id) with ``truth`` (record_id, entity_id).

    Records that ``predicted`` does not have count as clusters of their own; records that ``truth`` does not
    have are left out. Without a ``cluster_id`` a record is alone. Raises UsageError where a record stands twice in
    either table, or where a row names none, or ``truth`` no entity.

    >>> import pyarrow as pa
    >>> truth = pa.table({"record_id": ["a", "b", "c"], "entity_id": ["1", "1", "2"]})
    >>> together = pa.table({"record_id": ["a", "b", "c"], "cluster_id": ["x", "x", "x"]})
    >>> evaluate(truth, together).pairwise_precision
    0.3333333333333333
    """
    with connect(memory_limit=MEMORY_LIMIT) as con:
        _contingency(con, truth, predicted)
        pairs = "coalesce(sum(n * (n - 1) / 2), 0)::BIGINT"
        (records,) = con.sql("SELECT coalesce(sum(n), 0)::BIGINT FROM cells").fetchall()[0]
        (common,) = con.sql(f"SELECT {pairs} FROM cells").fetchall()[0]
        true, entities = con.sql(f"SELECT {pairs}, count(*) FROM entities").fetchall()[0]
        found, clusters, largest = con.sql(
            f"SELECT {pairs}, count(*), coalesce(max(n), 0)::BIGINT FROM clusters"
        ).fetchall()[0]
        precise, recalled = con.sql(
            """SELECT coalesce(fsum(c.n * c.n / k.n::DOUBLE), 0),
                 coalesce(fsum(c.n * c.n / e.n::DOUBLE), 0)
               FROM cells c JOIN clusters k USING (cluster) JOIN entities e USING (entity)"""
        ).fetchall()[0]
    precision, recall = common / found if found else 1.0, common / true if true else 1.0
    b_precision, b_recall = (precise / records, recalled / records) if records else (1.0, 1.0)
    return Evaluation(
        records,
        entities,
        clusters,
        largest,
        true,
        found,
        common,
        precision,
        recall,
        f1(precision, recall),
        b_precision,
        b_recall,
        f1(b_precision, b_recall),
    )


@dataclass(frozen=True)
class SizeCount:
    """How many entities of the truth, and how many predicted clusters, have so many records."""

    records: str
    entities: int
    clusters: int


_BOUNDS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 500)


def sizes(truth: pa.Table, predicted: pa.Table) -> tuple[SizeCount, ...]:
    """Compare sizes of entities and clusters, over the records that ``truth`` has.

    >>> import pyarrow as pa
    >>> truth = pa.table({"record_id": ["a", "b", "c"], "entity_id": ["1", "1", "2"]})
    >>> apart = pa.table({"record_id": ["a", "b"], "cluster_id": ["x", "y"]})
    >>> [(s.records, s.entities, s.clusters) for s in sizes(truth, apart)]
    [('1', 1, 3), ('2', 1, 0)]
    """
    with connect(memory_limit=MEMORY_LIMIT) as con:
        _contingency(con, truth, predicted)
        counts = [
            dict(con.sql(f"SELECT n, count(*) FROM {kind} GROUP BY n").fetchall())
            for kind in ("entities", "clusters")
        ]
    rows = []
    for low, high in zip(_BOUNDS, (*(bound - 1 for bound in _BOUNDS[1:]), None), strict=True):
        label = str(low) if low == high else f"{low}+" if high is None else f"{low}-{high}"
        entities, clusters = (
            sum(n for size, n in found.items() if size >= low and (high is None or size <= high))
            for found in counts
        )
        if entities or clusters:
            rows.append(SizeCount(label, entities, clusters))
    return tuple(rows)


def _contingency(con: duckdb.DuckDBPyConnection, truth: pa.Table, predicted: pa.Table) -> None:
    """Count records by entity and cluster."""
    for name, table, column in (("truth", truth, "entity_id"), ("predicted", predicted, "cluster_id")):
        con.register(name, table.select(["record_id", column]))
        rows, named, keys, labelled = con.sql(
            f"SELECT count(*), count(record_id), count(DISTINCT record_id), count({column}) FROM {name}"
        ).fetchall()[0]
        if rows != named or (rows != labelled and name == "truth"):
            empty = "record_id" if rows != named else column
            raise UsageError(f"{empty} is empty in rows of {name}", hint="leave such rows out")
        if rows != keys:
            raise UsageError(
                f"{rows - keys} rows of {name} repeat a record_id", hint="expected one row per record_id"
            )
    con.execute(_SQL)


_SQL = """
CREATE TEMP TABLE cells AS
SELECT t.entity_id AS entity, coalesce('c' || p.cluster_id, 's' || t.record_id) AS cluster, count(*) AS n
FROM truth t LEFT JOIN predicted p USING (record_id) GROUP BY ALL;
CREATE TEMP TABLE entities AS SELECT entity, sum(n)::BIGINT AS n FROM cells GROUP BY ALL;
CREATE TEMP TABLE clusters AS SELECT cluster, sum(n)::BIGINT AS n FROM cells GROUP BY ALL
"""
