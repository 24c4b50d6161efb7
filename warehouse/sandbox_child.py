"""The process in which one ad-hoc query runs. It is a script: it imports nothing of this project.

Reads a request (JSON) from stdin, gives up what it does not need, runs the query and writes an Arrow
stream to stdout. An error goes to stderr as one line of JSON; the exit status tells wrong use (2) from
a query that failed (1).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_MESSAGE_BYTES = 8_000
_BATCH_ROWS = 10_000
_OPEN_FILES = 64


def _give_up_rights(request: dict[str, Any]) -> None:
    """Limit CPU seconds, address space, written files; die with the parent; never gain rights."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    limits = {
        resource.RLIMIT_CPU: int(request["seconds"]) + 1,
        resource.RLIMIT_AS: int(request["address_space"]),
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, limit))


def _fail(kind: str, message: str, status: int) -> NoReturn:
    data = json.dumps({"kind": kind, "message": message}).encode()[:_MESSAGE_BYTES]
    with contextlib.suppress(OSError):
        os.write(2, data)
    os._exit(status)


def _locked(request: dict[str, Any]) -> Any:
    """Open the release so that a query can read its tables and nothing else; the lock comes last."""
    import duckdb

    config = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "threads": 1,
        "memory_limit": request["memory_limit"],
        "temp_directory": "",
    }
    connection = duckdb.connect(request["database"], read_only=True, config=config)
    for setting in (
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
        f"max_execution_time = {int(request['seconds']) * 1000}",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _one_select(connection: Any, query: str) -> Any:
    import duckdb

    statements = connection.extract_statements(query)
    if len(statements) != 1:
        _fail("usage", f"Exactly one query is expected; {len(statements)} statements were given.", 2)
    statement = statements[0]
    if statement.type != duckdb.StatementType.SELECT:
        kind = str(statement.type).rpartition(".")[2]
        _fail("usage", f"Only SELECT reads; a {kind} statement was given. Releases are never changed.", 2)
    return statement


def main() -> None:
    """Serve one request."""
    request = json.loads(sys.stdin.buffer.read())
    import duckdb
    import pyarrow as pa

    _give_up_rights(request)
    wrong = (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
    )
    try:
        connection = _locked(request)
        reader = connection.sql(_one_select(connection, request["query"])).to_arrow_reader(_BATCH_ROWS)
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)
        sys.stdout.buffer.flush()
    except wrong as error:
        _fail("usage", str(error), 2)
    except duckdb.InterruptException:
        _fail("timeout", "", 1)
    except (duckdb.OutOfMemoryException, MemoryError):
        _fail("memory", "", 1)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        _fail("failed", str(error), 1)
    os._exit(0)


if __name__ == "__main__":
    main()
