"""Who of a release is on the suppression list: they leave by no export but those for internal use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp.identifiers import GLOBAL_NAMESPACE
from cdp.suppression import before

if TYPE_CHECKING:
    import duckdb

    from cdp.suppression import Suppressed

# HMAC-SHA256 (RFC 2104) of what stands before a value and the value: `cdp.suppression.hash_of`, a vector at a time.
_HASH: Final = "unhex(sha256($outer || unhex(sha256($inner || encode(value)))))"
_LISTED: Final = f"""
    WITH known AS (
        SELECT customer_id, coalesce(namespace, '') AS namespace, value FROM customer_identifiers WHERE type = $type
        UNION ALL SELECT customer_id, '{GLOBAL_NAMESPACE}', value FROM golden_addresses WHERE type = $type
    )
    SELECT DISTINCT customer_id FROM known
    WHERE ($namespace IS NULL OR namespace = $namespace) AND {_HASH} IN (SELECT unnest($hashes))
"""
_BLOCK: Final = hashlib.sha256().block_size


def digest(suppressed: Suppressed) -> str | None:
    """Return what differs whenever others are on the list; None while nobody is."""
    hashes = suppressed.hashes
    return hashlib.sha256(b"".join(sorted(hashes))).hexdigest()[:16] if hashes else None


def customers(connection: duckdb.DuckDBPyConnection, suppressed: Suppressed) -> pa.Table:
    """Return the customers (column ``customer_id``) one of whose identifiers is on the list.

    Their golden e-mail address and telephone number count, too: a source may give them as traits only.
    """
    if not suppressed:
        return pa.table({"customer_id": pa.array([], pa.string())})
    known = (_place(connection), suppressed.key, suppressed.hashes)
    if known not in _known:
        table = pa.table({"customer_id": pa.array(sorted(_find(connection, suppressed)), pa.string())})
        while len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[known] = table
    return _known[known]


def _find(connection: duckdb.DuckDBPyConnection, suppressed: Suppressed) -> set[str]:
    found: set[str] = set()
    key = suppressed.key.ljust(_BLOCK, b"\0")
    pads = [bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C)]
    for type_, namespace in suppressed.scopes:
        parameters = {
            "type": type_, "namespace": namespace, "inner": pads[0] + before(type_, namespace),
            "outer": pads[1], "hashes": list(suppressed.hashes),
        }  # fmt: skip
        found.update(row[0] for row in connection.execute(_LISTED, parameters).fetchall())
    return found


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
