"""The change feed: what a receiver does to the previous export to have the new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp import duck
from warehouse.formats import described

if TYPE_CHECKING:
    import duckdb

OPS: Final = ("insert", "update", "merge", "delete")

CHANGES: Final = "changes"


def compute(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    key: str,
    previous: Path | None,
    *,
    release: str,
    first_change: int,
    replaced: Path | None = None,
) -> dict[str, int]:
    """Fill the temp table ``changes`` and return how many changes of each op it holds.

    ``rows`` is the table of the new export, ``previous`` the Parquet of the previous one (None: all rows
    are inserts), ``key`` their key. Numbers go up from ``first_change`` in the order of the keys. A row that
    went because its customer was merged into one of the new export is a ``merge``, any other a ``delete``.
    ``replaced`` is an export of the same release that this one takes the place of: what it held and this one
    does not is told as gone, too, for those who have fetched it.
    """
    _previous_rows(connection, rows, previous)
    if replaced is not None:
        _add_replaced(connection, rows, key, replaced)
    names = [name for name, _ in described(connection, rows) if name != key]
    changed = ", ".join(
        f"CASE WHEN n.{column} IS DISTINCT FROM o.{column} THEN {duck.quote(name)} END"
        for name in names
        for column in [duck.identifier(name)]
    )
    identity = _identity_columns(key)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {CHANGES} AS
        WITH compared AS (
            SELECT
                coalesce(n.{key}, o.{key}) AS {key},
                n.{key} IS NOT NULL AS in_new,
                o.{key} IS NOT NULL AS in_old,
                {"coalesce(n.customer_id, o.customer_id) AS customer_id," if key != "customer_id" else ""}
                list_filter([{changed}], lambda name: name IS NOT NULL)::VARCHAR[] AS changed_fields
            FROM {rows} AS n FULL JOIN previous_rows AS o ON o.{key} = n.{key}
        ),
        decided AS (
            SELECT
                c.*,
                CASE WHEN NOT c.in_new THEN survivor.customer_id END AS merged_into,
                CASE
                    WHEN NOT in_old THEN 'insert'
                    WHEN in_new THEN 'update'
                    WHEN survivor.customer_id IS NOT NULL THEN 'merge'
                    ELSE 'delete'
                END AS op
            FROM compared AS c
            LEFT JOIN ({_survivors(rows, key)}) AS survivor ON survivor.previous_id = c.{key}
            WHERE NOT (in_new AND in_old AND len(changed_fields) = 0)
        )
        SELECT
            row_number() OVER (ORDER BY {key}) + {int(first_change) - 1} AS change_seq,
            {duck.quote(release)} AS release, op, {identity}, merged_into,
            CASE WHEN op = 'update' THEN changed_fields ELSE [] END AS changed_fields
        FROM decided
        ORDER BY {key}
        """
    )
    counted = connection.execute(f"SELECT op, count(*) FROM {CHANGES} GROUP BY op").fetchall()
    found = {str(op): int(count) for op, count in counted}
    return {op: found.get(op, 0) for op in OPS}


def _identity_columns(key: str) -> str:
    return "customer_id" if key == "customer_id" else f"{key}, customer_id"


def _survivors(rows: str, key: str) -> str:
    """Where retired customers went; a row that is not a customer's own cannot be merged."""
    if key != "customer_id":
        return "SELECT NULL::VARCHAR AS previous_id, NULL::VARCHAR AS customer_id WHERE false"
    return (
        "SELECT r.previous_customer_id AS previous_id, r.customer_id "
        f"FROM customer_redirects AS r SEMI JOIN {rows} AS kept ON kept.customer_id = r.customer_id"
    )


def _previous_rows(connection: duckdb.DuckDBPyConnection, rows: str, previous: Path | None) -> None:
    """Define ``previous_rows`` with the columns of the new export; one that was not there is NULL."""
    columns: Sequence[tuple[str, str]] = described(connection, rows)
    if previous is None:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE previous_rows AS SELECT * FROM {rows} LIMIT 0")
        return
    query = _selected(connection, columns, previous)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE previous_rows AS {query}")


def _add_replaced(connection: duckdb.DuckDBPyConnection, rows: str, key: str, replaced: Path) -> None:
    """Add to ``previous_rows`` what only the replaced export held."""
    query = _selected(connection, described(connection, rows), replaced)
    connection.execute(
        f"INSERT INTO previous_rows BY NAME SELECT * FROM ({query}) AS r "
        f"ANTI JOIN previous_rows AS o ON o.{key} = r.{key} ANTI JOIN {rows} AS n ON n.{key} = r.{key}"
    )


def _selected(connection: duckdb.DuckDBPyConnection, columns: Sequence[tuple[str, str]], path: Path) -> str:
    origin = f"read_parquet({duck.quote(str(path))}, hive_partitioning = false)"
    present = {name for name, _ in described(connection, origin)}
    selected = ", ".join(
        duck.identifier(name) if name in present else f"NULL::{kind} AS {duck.identifier(name)}"
        for name, kind in columns
    )
    return f"SELECT {selected} FROM {origin}"
