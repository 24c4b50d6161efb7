"""Which profiles differ between two releases, and how: what a system reads that follows along.

Rows are compared by a hash of their stable columns first; what differs is then compared column by column. It
needs memory for what differs, not for what there is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from cdp import duck
from warehouse.exports import SCHEMA
from warehouse.formats import described
from warehouse.release import DATABASE, MANIFEST
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake
    from cdp.ledger import Ledger

_ATTACHED: Final = "since_release"
_AT_ONCE: Final = 20_000


def earlier(lake: Lake, ledger: Ledger, version: str) -> str | None:
    """Return SQL of the customers of an earlier release: out of its file, or of a whole export of it; None: gone.

    ``version`` is one that the ledger knows. The release's own file is to be attached (:func:`differences`).
    """
    if (lake.releases / version / MANIFEST).is_file():
        return f"{_ATTACHED}.customers"
    path = ledger.value("SELECT path FROM exports WHERE dataset = 'customers' AND release = ?", (version,))
    manifest = lake.path(path) / MANIFEST if path else None
    if manifest is None or not manifest.is_file():
        return None
    kept: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    wanted = kept["definition"]
    is_whole = wanted["purpose"] == "internal" and not wanted["min_probability"] and not wanted.get("segment")
    if not is_whole or wanted.get("columns") or kept["schema_version"] != SCHEMA:
        return None
    file = duck.quote(str(manifest.parent / kept["state"]))
    return f"read_parquet({file}, hive_partitioning = false)"


def differences(connection: duckdb.DuckDBPyConnection, lake: Lake, version: str, before: str) -> pa.Table:
    """Return what became of each profile since ``version``, by id: whose customers ``before`` reads (SQL).

    Columns: ``customer_id``; ``op``: insert, update, merge (into ``merged_into``) or delete; of an insert,
    ``split_from``, the profile that it was split off; of an update, ``changed_fields``. Columns that the
    earlier release had not are no change.
    """
    attached = before.startswith(_ATTACHED)
    if attached:
        file = duck.quote(str(lake.releases / version / DATABASE))
        connection.execute(f"ATTACH IF NOT EXISTS {file} AS {_ATTACHED} (READ_ONLY)")
    try:
        present = {name for name, _ in described(connection, before)}
        now = {name for name, _ in described(connection, "customers")}
        stable = [name for name in tables()["customers"].stable_columns if name in present & now]
        ids = connection.sql(_differing(before, stable)).to_arrow_table()["customer_id"].to_pylist()
        parts = [
            connection.sql(
                _query(before, stable), params=_between(ids[first : first + _AT_ONCE])
            ).to_arrow_table()
            for first in range(0, max(len(ids), 1), _AT_ONCE)
        ]
        return pa.concat_tables(parts).combine_chunks()
    finally:
        if attached:
            connection.execute(f"DETACH {_ATTACHED}")


def _between(ids: list[str]) -> dict[str, Any]:
    """Return the parameters that name some customers: their range, too, by which DuckDB skips the rest."""
    return {"ids": ids, "first": ids[0] if ids else "", "last": ids[-1] if ids else ""}


def _differing(before: str, stable: list[str]) -> str:
    row = f"hash({', '.join(duck.identifier(name) for name in stable)})"
    return f"""
        SELECT coalesce(n.customer_id, o.customer_id) AS customer_id
        FROM (SELECT customer_id, {row} AS row_hash FROM customers) AS n
        FULL JOIN (SELECT customer_id, {row} AS row_hash FROM {before}) AS o ON n.customer_id = o.customer_id
        WHERE n.row_hash IS DISTINCT FROM o.row_hash ORDER BY 1
    """


def _query(before: str, stable: list[str]) -> str:
    columns = ", ".join(duck.identifier(name) for name in stable)
    changed = ", ".join(
        f"CASE WHEN n.{column} IS DISTINCT FROM o.{column} THEN {duck.quote(name)} END"
        for name in stable
        if name != "customer_id"
        for column in [duck.identifier(name)]
    )
    who = "customer_id BETWEEN $first AND $last AND customer_id IN (SELECT unnest($ids::VARCHAR[]))"
    return f"""
        WITH compared AS (
            SELECT coalesce(n.customer_id, o.customer_id) AS customer_id,
                n.customer_id IS NULL AS is_gone, o.customer_id IS NULL AS is_new,
                list_filter([{changed}], lambda name: name IS NOT NULL) AS fields
            FROM (SELECT {columns} FROM customers WHERE {who}) AS n
            FULL JOIN (SELECT {columns} FROM {before} WHERE {who}) AS o ON n.customer_id = o.customer_id
        ),
        splits AS (
            SELECT customer_id, arg_max(previous_customer_id, change_seq) AS split_from
            FROM id_changes WHERE change = 'split' GROUP BY customer_id
        )
        SELECT c.customer_id,
            CASE WHEN c.is_new THEN 'insert' WHEN NOT c.is_gone THEN 'update'
                WHEN r.customer_id IS NOT NULL THEN 'merge' ELSE 'delete' END AS op,
            CASE WHEN c.is_gone THEN r.customer_id END AS merged_into,
            CASE WHEN c.is_new THEN s.split_from END AS split_from,
            CASE WHEN c.is_new OR c.is_gone THEN []::VARCHAR[] ELSE c.fields END AS changed_fields
        FROM compared AS c
        LEFT JOIN customer_redirects AS r ON r.previous_customer_id = c.customer_id
        LEFT JOIN splits AS s ON s.customer_id = c.customer_id
        WHERE c.is_new OR c.is_gone OR len(c.fields) > 0
        ORDER BY c.customer_id
    """
