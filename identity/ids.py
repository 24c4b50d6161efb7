"""Customer ids that stay: clusters take over old ids, one to one; ids are never reused.

Each cluster claims the ids that its records had. Claims are granted greedily by overlap (records in
common), then age of the id (the smaller number is older), then smallest record_key of the cluster. A
cluster without a granted claim gets the next number of the sequence. An id that no cluster carries on is
retired for good: it redirects to the customer that took most of its records, and stays redirected over
later runs; if its records are gone it is retired without a successor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from cdp.errors import UsageError
from cdp.ids import CUSTOMER_ID_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable

ID_MAP = pa.schema([("record_key", pa.string()), ("customer_id", pa.string())])
REDIRECTS = pa.schema([("previous_customer_id", pa.string()), ("customer_id", pa.string())])
CHANGES = pa.schema(
    [
        ("change", pa.string()),
        ("customer_id", pa.string()),
        ("previous_customer_id", pa.string()),
        ("reason", pa.string()),
    ]
)
CHANGE_KINDS = ("created", "merged", "split", "retired")


@dataclass(frozen=True)
class IdAssignment:
    """Ids of one run.

    ``id_map``: record_key, customer_id. ``changes``: what happened to ids since the previous map, at most
    one row per (change, customer_id, previous_customer_id): ``created`` customer_id; ``merged``
    previous_customer_id into customer_id; ``split`` customer_id off previous_customer_id; ``retired``
    customer_id, whose records are gone. ``redirects``: every retired id with the customer that follows it.
    ``next_number``: the sequence afterwards. ``moved_records``: records of the previous map that now have
    another customer.
    """

    id_map: pa.Table
    changes: pa.Table
    redirects: pa.Table
    next_number: int
    moved_records: int


def number_of(customer_id: str) -> int:
    """The number in an id.

    >>> number_of("C00000042")
    42
    """
    if not (customer_id.startswith("C") and customer_id[1:].isdigit()):
        raise UsageError(
            f"{customer_id!r} is no customer id", hint="expected C and 8 digits, as in C00000042"
        )
    return int(customer_id[1:])


def assign(
    clusters: pa.Table, previous: pa.Table | None, next_number: int, redirects: pa.Table | None = None
) -> IdAssignment:
    """Give every cluster an id.

    Args:
        clusters: record_key, cluster_id.
        previous: record_key, customer_id of the run before (records that are gone may stay in it); None at
        first.
        next_number: next free number of the sequence.
        redirects: previous_customer_id, customer_id of all ids retired so far.

    Raises:
        UsageError: a record stands in two clusters, or an id of ``previous`` is not below ``next_number``.

    >>> first = assign(pa.table({"record_key": ["a", "b"], "cluster_id": ["a", "a"]}), None, 1)
    >>> first.id_map["customer_id"].to_pylist(), first.next_number
    (['C00000001', 'C00000001'], 2)
    """
    with duckdb.connect(":memory:") as con:
        con.execute("SET threads = 1")
        con.register("given_clusters", clusters.select(["record_key", "cluster_id"]))
        con.register(
            "given_previous",
            (previous if previous is not None else ID_MAP.empty_table()).select(ID_MAP.names),
        )
        con.register(
            "given_redirects",
            (redirects if redirects is not None else REDIRECTS.empty_table()).select(REDIRECTS.names),
        )
        _check(con, next_number)
        con.execute(_CLAIMS_SQL)
        granted = _grant(
            con.sql(
                "SELECT cluster_id, number FROM claims ORDER BY overlap DESC, number, cluster_id"
            ).fetchall()
        )
        con.register(
            "granted",
            pa.table(
                {
                    "cluster_id": pa.array(granted, pa.string()),
                    "number": pa.array(granted.values(), pa.int64()),
                }
            ),
        )
        con.execute(_ASSIGN_SQL, {"next": next_number})
        created = con.sql("SELECT count(*) FROM assigned WHERE fresh").fetchall()[0][0]
        con.execute(_AFTER_SQL)
        (moved,) = con.sql("SELECT count(*) FROM moves WHERE customer_id <> previous_customer_id").fetchall()[
            0
        ]
        return IdAssignment(
            con.sql("SELECT record_key, customer_id FROM id_map ORDER BY record_key")
            .to_arrow_table()
            .cast(ID_MAP),
            con.sql(_CHANGES_SQL).to_arrow_table().cast(CHANGES),
            con.sql("SELECT previous_customer_id, customer_id FROM followed ORDER BY 1")
            .to_arrow_table()
            .cast(REDIRECTS),
            next_number + created,
            moved,
        )


def _check(con: duckdb.DuckDBPyConnection, next_number: int) -> None:
    rows, keys = con.sql("SELECT count(*), count(DISTINCT record_key) FROM given_clusters").fetchall()[0]
    if rows != keys:
        raise UsageError(
            f"{rows - keys} records stand in more than one cluster", hint="expected one row per record_key"
        )
    # By number: C100000000 comes after C99999999, though not as a text.
    used = con.sql("""SELECT arg_max(customer_id, (length(customer_id), customer_id)) FROM (
                      SELECT customer_id FROM given_previous
                      UNION ALL SELECT previous_customer_id FROM given_redirects)""").fetchall()[0][0]
    if used is not None and number_of(used) >= next_number:
        raise UsageError(
            f"the sequence stands at {next_number} but {used} is in use",
            hint="restore the ledger from a backup",
        )


def _grant(claims: Iterable[tuple[str, int]]) -> dict[str, int]:
    """One id per cluster and one cluster per id, in the order of the claims."""
    granted: dict[str, int] = {}
    taken: set[int] = set()
    for cluster, number in claims:
        if cluster not in granted and number not in taken:
            granted[cluster] = number
            taken.add(number)
    return granted


# A cluster is named by its smallest record: the total order does not depend on the caller's names.
_CLAIMS_SQL = """
CREATE TEMP TABLE named AS
SELECT record_key, min(record_key) OVER (PARTITION BY cluster_id) AS cluster_id FROM given_clusters;
CREATE TEMP TABLE claims AS
SELECT cluster_id, substr(customer_id, 2)::BIGINT AS number, count(*) AS overlap
FROM named JOIN given_previous USING (record_key)
WHERE customer_id NOT IN (SELECT previous_customer_id FROM given_redirects)
GROUP BY ALL
"""

_ASSIGN_SQL = f"""
CREATE TEMP TABLE assigned AS
SELECT cluster_id, fresh,
  'C' || lpad(own, greatest({CUSTOMER_ID_DIGITS}, length(own))::INTEGER, '0') AS customer_id
FROM (
  SELECT cluster_id, number IS NULL AS fresh,
    coalesce(number, $next - 1 + row_number() OVER (PARTITION BY number IS NULL ORDER BY cluster_id))
      ::VARCHAR AS own
  FROM (SELECT DISTINCT cluster_id FROM named) LEFT JOIN granted USING (cluster_id))
"""

# Ids of the previous map that nobody carries on follow most of their records, the older customer on a tie.
# Chains are followed to the end: earlier redirects to an id that retires now go where it goes.
_AFTER_SQL = """
CREATE TEMP TABLE id_map AS SELECT record_key, customer_id FROM named JOIN assigned USING (cluster_id);
CREATE TEMP TABLE moves AS
SELECT p.record_key, p.customer_id AS previous_customer_id, m.customer_id
FROM given_previous p JOIN id_map m USING (record_key);
CREATE TEMP TABLE retired AS
SELECT old.customer_id AS previous_customer_id,
  arg_min(m.customer_id, (-m.records, length(m.customer_id), m.customer_id)) AS customer_id
FROM (SELECT DISTINCT customer_id FROM given_previous
      WHERE customer_id NOT IN (SELECT customer_id FROM assigned)
        AND customer_id NOT IN (SELECT previous_customer_id FROM given_redirects)) old
LEFT JOIN (SELECT previous_customer_id, customer_id, count(*) AS records FROM moves GROUP BY ALL) m
  ON m.previous_customer_id = old.customer_id
GROUP BY old.customer_id;
CREATE TEMP TABLE followed AS
SELECT r.previous_customer_id, coalesce(n.customer_id, r.customer_id) AS customer_id
FROM given_redirects r LEFT JOIN retired n ON n.previous_customer_id = r.customer_id
UNION ALL
SELECT previous_customer_id, customer_id FROM retired WHERE customer_id IS NOT NULL
"""

_CHANGES_SQL = """
SELECT * FROM (
  SELECT 'split' AS change, m.customer_id, m.previous_customer_id,
    concat(count(*), ' records left ', m.previous_customer_id) AS reason
  FROM moves m WHERE m.customer_id <> m.previous_customer_id
    AND m.previous_customer_id IN (SELECT customer_id FROM assigned)
  GROUP BY m.customer_id, m.previous_customer_id
  UNION ALL
  SELECT 'merged', customer_id, previous_customer_id, 'its records now belong to ' || customer_id
  FROM retired WHERE customer_id IS NOT NULL
  UNION ALL
  SELECT 'retired', previous_customer_id, NULL, 'its records are gone'
  FROM retired WHERE customer_id IS NULL
  UNION ALL
  SELECT 'created', customer_id, NULL, 'new customer' FROM assigned
  WHERE fresh AND cluster_id NOT IN (
    SELECT cluster_id FROM named JOIN moves USING (record_key)
    WHERE moves.previous_customer_id IN (SELECT customer_id FROM assigned))
) ORDER BY change, customer_id, previous_customer_id NULLS FIRST
"""
