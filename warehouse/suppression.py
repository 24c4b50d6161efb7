"""Who of a release is on the suppression list: they leave by no export but those for internal use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp.identifiers import GLOBAL_NAMESPACE, normalise_array

if TYPE_CHECKING:
    import duckdb

    from cdp.suppression import Suppressed

_IDENTIFIERS = """
SELECT type, coalesce(namespace, '') AS namespace, value, list(DISTINCT customer_id) AS customers
FROM customer_identifiers WHERE type IN (SELECT unnest($types)) GROUP BY ALL
"""
_GOLDEN = "SELECT customer_id, email, phone FROM customers"


def digest(suppressed: Suppressed) -> str | None:
    """Return what differs whenever others are on the list; None while nobody is."""
    hashes = suppressed.hashes
    return hashlib.sha256(b"".join(sorted(hashes))).hexdigest()[:16] if hashes else None


def customers(connection: duckdb.DuckDBPyConnection, suppressed: Suppressed) -> pa.Table:
    """Return the customers (column ``customer_id``) one of whose identifiers is on the list.

    Their golden e-mail address and telephone number count, too: a source may give them as traits only.
    """
    found: set[str] = set()
    if suppressed:
        key = (_place(connection), suppressed.key, suppressed.hashes)
        if key in _known:
            return _known[key]
        rows = connection.execute(_IDENTIFIERS, {"types": sorted(suppressed.types)}).fetchall()
        for type_, namespace, value, ids in rows:
            if suppressed.entries(type_, namespace, value):
                found.update(ids)
        ((region,),) = connection.execute("SELECT default_region FROM cdp_release").fetchall()
        golden = connection.sql(_GOLDEN).to_arrow_table()
        for type_ in sorted(suppressed.types & {"email", "phone"}):
            values = normalise_array(type_, golden[type_], region).to_pylist()
            for customer, value in zip(golden["customer_id"].to_pylist(), values, strict=True):
                if value is not None and suppressed.entries(type_, GLOBAL_NAMESPACE, value):
                    found.add(customer)
    table = pa.table({"customer_id": pa.array(sorted(found), pa.string())})
    if suppressed:
        while len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[key] = table
    return table


# Who of which release is on which list: a server is asked again and again, and both seldom change.
_known: dict[tuple[tuple[str, str], bytes, frozenset[bytes]], pa.Table] = {}
_MOST_KNOWN: Final = 4


def _place(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Return the file and the name of a release, which never change together with what they hold."""
    query = (
        "SELECT d.path, r.version FROM duckdb_databases() AS d, cdp_release AS r "
        "WHERE d.database_name = current_database()"
    )
    ((path, version),) = connection.execute(query).fetchall()
    return str(path), str(version)
