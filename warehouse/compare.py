"""Whether two releases are equal: the law that a run which died and was resumed leaves no trace.

Customer ids are replaced by the smallest record_key of their profile, volatile columns are left out,
and so is the time of an event that had none of its own (it is then the time of landing). What remains
must be the same rows, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp import duck
from warehouse.tables import Table, tables

if TYPE_CHECKING:
    import duckdb

CUSTOMER_COLUMNS: Final = frozenset({"customer_id", "left_customer_id", "right_customer_id"})
_STORAGE_ONLY: Final = frozenset({"record_events", "all_events"})
_SIDES: Final = ("one", "other")


def equal(one: Path, other: Path) -> list[str]:
    """Return the differences between two releases' DuckDB files, a sentence each; none = equal.

    The sentences name tables, columns and counts, no values.
    """
    differences: list[str] = []
    with duck.connect(memory_limit="2GB") as connection:
        for side, path in zip(_SIDES, (one, other), strict=True):
            connection.execute(f"ATTACH {duck.quote(str(path))} AS {side} (READ_ONLY)")
            connection.execute(
                f"CREATE TEMP TABLE names_{side} AS SELECT customer_id, min(record_key) AS smallest "
                f"FROM {side}.customer_records GROUP BY customer_id"
            )
        for table in tables().values():
            if table.name not in _STORAGE_ONLY and table.stable_columns:
                differences += _table_differences(connection, table)
    return differences


def _table_differences(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[str]:
    only = _only(connection, table, table.stable_columns)
    if any(only):
        columns = [name for name in table.stable_columns if any(_only(connection, table, (name,)))]
        where = f"columns {', '.join(columns)}" if columns else "the combination of columns"
        yield f"{table.name}: {only[0]} rows only in one, {only[1]} only in the other; differing: {where}"


def _only(connection: duckdb.DuckDBPyConnection, table: Table, columns: Iterable[str]) -> tuple[int, int]:
    """Count the rows that only one side has, as multisets of 64-bit hashes: wide rows need no memory."""
    named = ", ".join(duck.identifier(name) for name in columns)
    counted = [
        f"SELECT hash({named}) AS row, count(*) AS copies FROM ({_comparable(table, side)}) GROUP BY row"
        for side in _SIDES
    ]
    row = connection.execute(
        f"""
        SELECT coalesce(sum(greatest(coalesce(a.copies, 0) - coalesce(b.copies, 0), 0)), 0),
               coalesce(sum(greatest(coalesce(b.copies, 0) - coalesce(a.copies, 0), 0)), 0)
        FROM ({counted[0]}) AS a FULL JOIN ({counted[1]}) AS b USING (row)
        """
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _comparable(table: Table, side: str) -> str:
    """Return the query of a table's rows as they are compared."""
    names: list[str] = []
    joins = ""
    for name in table.stable_columns:
        column = f"t.{duck.identifier(name)}"
        if name in CUSTOMER_COLUMNS:
            joins += f" LEFT JOIN names_{side} AS by_{name} ON by_{name}.customer_id = {column}"
            names.append(f"by_{name}.smallest AS {name}")
        elif name == "occurred_at":
            names.append(
                "CASE WHEN t.time_flag IN ('missing', 'unreadable') THEN NULL ELSE t.occurred_at END "
                "AS occurred_at"
            )
        else:
            names.append(column)
    return f"SELECT {', '.join(names)} FROM {side}.{duck.identifier(table.name)} AS t{joins}"
