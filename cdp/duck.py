"""DuckDB connections as every stage opens them: UTC, offline, bounded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

THREADS = 2
MEMORY_LIMIT = "1GB"


def connect(
    database: Path | str = ":memory:",
    *,
    read_only: bool = False,
    threads: int = THREADS,
    memory_limit: str = MEMORY_LIMIT,
    temp_directory: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a connection that never reaches for the network or another time zone.

    Without ``temp_directory`` nothing spills to disk. Row order is kept, so that equal inputs
    give equal outputs.
    """
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(temp_directory or ""),
    }
    connection = duckdb.connect(str(database), read_only=read_only, config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def quote(text: str) -> str:
    """Return ``text`` as an SQL string literal.

    >>> print(quote("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier.

    >>> print(identifier('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'
