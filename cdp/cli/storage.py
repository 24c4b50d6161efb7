"""What a full disk, a read-only folder or a lack of memory says, whichever library met it first."""

from __future__ import annotations

import errno
import sqlite3
import sys

_ADVICE = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EFBIG: "A file grew over the limit of this process (ulimit -f) or file system",
    errno.EROFS: "The file system is read-only",
    errno.EACCES: "Permission denied",
    errno.EPERM: "Permission denied",
    errno.EMFILE: "Too many open files (ulimit -n)",
    errno.EIO: "The disk reports an error",
    errno.ENOMEM: "Out of memory",
}


def storage_errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions of storage: the system's, SQLite's, DuckDB's and Dagster's where in use."""
    duckdb = sys.modules.get("duckdb")
    found: list[type[BaseException]] = [OSError, MemoryError, sqlite3.OperationalError]
    if duckdb is not None:
        found += [duckdb.IOException, duckdb.OutOfMemoryException]
    sqlalchemy = sys.modules.get("sqlalchemy.exc")  # below Dagster's own records
    if sqlalchemy is not None:
        found.append(sqlalchemy.OperationalError)
    return tuple(found)


def storage_message(error: BaseException) -> str:
    """Return one line for a person: what went wrong, and with which file where that is known."""
    if isinstance(error, OSError) and error.errno in _ADVICE:
        where = f": {error.filename}" if error.filename else ""
        return f"{_ADVICE[error.errno]}{where}."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        return "Out of memory."
    text = str(error).strip().splitlines()
    return f"The workspace cannot be read or written ({type(error).__name__}): {text[0] if text else 'no details'}"
