"""The command line in processes that have the heavy libraries already: a server that forks for each call.

A run in a process of its own spends most of its time on importing Dagster and Great Expectations. The server
imports them once; each call is a fork of it with the caller's folder, environment and streams. `cdp` itself is
imported by the call, as in a process of its own. What it costs to start one is measured elsewhere.

``python -P warm.py serve <socket>`` says ``ready`` and serves until it is terminated; ``python -P warm.py call
<socket> <argument>...`` does one call and ends with its exit status.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback

BROKEN = 70
"""The exit status where the server or the forked process is gone."""


def serve(path: str) -> None:
    """Fork for every call on ``path``."""
    import dagster  # noqa: F401
    import duckdb  # noqa: F401
    import great_expectations  # noqa: F401
    import numba  # noqa: F401
    import pyarrow as pa  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the forked processes answer for themselves
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    """Do the call that ``connection`` describes, send its exit status, and end the process."""
    status = BROKEN
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        size, streams, _, _ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as reader:
            call = json.loads(reader.read(int.from_bytes(size, "big")))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(call["folder"])
        os.environ.clear()
        os.environ.update(call["environment"])
        sys.path.insert(0, call["environment"]["PYTHONPATH"])
        from cdp.cli.main import run

        status = run(call["arguments"])
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([status]))
        os._exit(status)


def call(path: str, arguments: list[str]) -> int:
    """Let the server do ``arguments`` here; return the exit status."""
    here = os.path.realpath(".")
    body = json.dumps({"arguments": arguments, "folder": here, "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [len(body).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(body)
        answer = connection.recv(1)
    return answer[0] if answer else BROKEN


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(call(sys.argv[2], sys.argv[3:]))
