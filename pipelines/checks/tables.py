"""Checks of whole tables: each is one DuckDB query that counts what should not be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from cdp.duck import connect, quote
from pipelines.checks.model import CheckResult, Severity

if TYPE_CHECKING:
    import duckdb

LARGEST_CUSTOMER = 200


@dataclass(frozen=True)
class TableCheck:
    """``violations`` counts offending rows (0 is a pass), ``rows`` those that were looked at."""

    name: str
    severity: Severity
    violations: str
    rows: str
    expected: str


# Views: records, clusters, evidence, identifiers, id_map (of the generation); ledger_ids, redirects,
# judgements (of the ledger).
IDENTITY_CHECKS: tuple[TableCheck, ...] = (
    TableCheck(
        "records_have_one_customer",
        "structure",
        "SELECT count(*) FROM (SELECT record_key FROM records LEFT JOIN id_map USING (record_key) "
        "GROUP BY record_key HAVING count(customer_id) <> 1)",
        "SELECT count(*) FROM records",
        "every record belongs to exactly one customer",
    ),
    TableCheck(
        "clusters_keep_one_id",
        "structure",
        "SELECT count(*) FROM (SELECT cluster_id FROM clusters JOIN id_map USING (record_key) "
        "GROUP BY cluster_id HAVING count(DISTINCT customer_id) <> 1)",
        "SELECT count(DISTINCT cluster_id) FROM clusters",
        "every cluster has one customer id",
    ),
    TableCheck(
        "ids_are_kept_in_the_ledger",
        "structure",
        "SELECT count(*) FROM id_map ANTI JOIN ledger_ids USING (record_key, customer_id)",
        "SELECT count(*) FROM id_map",
        "the ledger's id map says the same",
    ),
    TableCheck(
        "retired_ids_stay_retired",
        "structure",
        "SELECT count(*) FROM (SELECT DISTINCT customer_id FROM id_map) "
        "SEMI JOIN (SELECT previous_customer_id AS customer_id FROM redirects) USING (customer_id)",
        "SELECT count(*) FROM redirects",
        "no retired id is in use",
    ),
    TableCheck(
        "evidence_joins_records",
        "structure",
        "SELECT count(*) FROM evidence WHERE left_record NOT IN (SELECT record_key FROM records) "
        "OR right_record NOT IN (SELECT record_key FROM records)",
        "SELECT count(*) FROM evidence",
        "both ends of every edge are records",
    ),
    TableCheck(
        "joined_records_have_evidence",
        "warning",
        "SELECT count(*) FROM (SELECT record_key FROM clusters "
        "QUALIFY count(*) OVER (PARTITION BY cluster_id) > 1) WHERE record_key NOT IN "
        "(SELECT left_record FROM evidence UNION ALL SELECT right_record FROM evidence)",
        "SELECT count(*) FROM clusters",
        "every record that is not alone has an edge",
    ),
    TableCheck(
        "cannot_links_are_kept",
        "warning",
        "SELECT count(*) FROM (SELECT left_record, right_record, arg_max(kind, place) AS kind "
        "FROM judgements GROUP BY ALL) AS j JOIN id_map AS l ON l.record_key = j.left_record "
        "JOIN id_map AS r ON r.record_key = j.right_record "
        "WHERE j.kind = 'cannot_link' AND l.customer_id = r.customer_id",
        "SELECT count(*) FROM judgements WHERE kind = 'cannot_link'",
        "records judged to be two people are two customers",
    ),
    TableCheck(
        "no_giant_customer",
        "warning",
        "SELECT count(*) FROM (SELECT customer_id FROM id_map "
        f"GROUP BY ALL HAVING count(*) > {LARGEST_CUSTOMER})",
        "SELECT count(DISTINCT customer_id) FROM id_map",
        f"no customer has more than {LARGEST_CUSTOMER} records",
    ),
)


def check_generation(
    folder: Path, ledger_ids: pa.Table, redirects: pa.Table, judgements: pa.Table
) -> list[CheckResult]:
    """Run the checks of identity on the files of a generation and the ledger's side of it."""
    with connect() as connection:
        for name in ("records", "clusters", "evidence", "id_map"):
            path = quote(str(folder / f"{name}.parquet"))
            connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({path})")
        connection.register("ledger_ids", ledger_ids)
        connection.register("redirects", redirects)
        places = pa.array(range(judgements.num_rows), pa.int64())
        connection.register("judgements", judgements.append_column("place", places))
        return [_run(connection, check) for check in IDENTITY_CHECKS]


def _run(connection: duckdb.DuckDBPyConnection, check: TableCheck) -> CheckResult:
    counted = [connection.sql(sql).fetchall()[0][0] for sql in (check.violations, check.rows)]
    violations, rows = (int(value) for value in counted)
    return CheckResult(check.name, check.severity, violations == 0, check.expected, rows, violations)


def blocking(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the results that stop what comes after."""
    return [result for result in results if result.blocks]
