"""The sandbox's child without the seconds of its start: the same program, in a fork of a process that has its imports.

A script of its own, started once by :class:`Forks`; each line of its input is a request, each line of its output
what became of it. Limits, filter of system calls, connection and query are those of ``warehouse/sandbox_child.py``.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = Path(__file__).parents[1] / "warehouse" / "sandbox_child.py"


@dataclass(frozen=True)
class Told:
    """How a query ended: the exit status (negative: the signal), the error's kind and text, the rows."""

    status: int
    kind: str
    message: str
    rows: list[dict[str, Any]]

    @property
    def refused(self) -> bool:
        return self.status != 0


class Forks:
    """A process that answers queries in forks of itself."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, cwd="/"
        )

    def ask(self, database: Path, query: str, seconds: int = 4) -> Told:
        import pyarrow as pa

        request = {"database": str(database), "query": query, "seconds": seconds, "memory_limit": "500MB",
                   "address_space": 3 << 30}  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        status, answer, error = json.loads(self.process.stdout.readline())
        said = json.loads(bytes.fromhex(error) or b"{}") if status in (1, 2) else {}
        rows = pa.ipc.open_stream(bytes.fromhex(answer)).read_all() if status == 0 else None
        return Told(status, said.get("kind", ""), said.get("message", ""), rows.to_pylist() if rows else [])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _answer(line: bytes, seconds: int) -> list[Any]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(line)
        given.seek(0)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for number, file in enumerate((given, out, err)):
                os.dup2(file.fileno(), number)
            # Regular files stand for the pipes, so that nobody has to read while the query runs.
            sandbox_child.resource.setrlimit = _all_but_written(sandbox_child.resource.setrlimit)
            sandbox_child.main()
            os._exit(99)
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(pid, signal.SIGKILL))
        signal.alarm(seconds)
        _, status = os.waitpid(pid, 0)
        signal.alarm(0)
        for file in (out, err):
            file.seek(0)
        return [os.waitstatus_to_exitcode(status), out.read().hex(), err.read().hex()]


def _all_but_written(setrlimit: Any) -> Any:
    return lambda which, limits: (
        None if which == sandbox_child.resource.RLIMIT_FSIZE else setrlimit(which, limits)
    )


if __name__ == "__main__":
    sys.path.insert(0, str(CHILD.parent))
    import duckdb  # noqa: F401
    import pyarrow as pa  # noqa: F401

    sandbox_child = importlib.import_module("sandbox_child")
    for text in sys.stdin.buffer:
        sys.stdout.write(json.dumps(_answer(text, json.loads(text)["seconds"])) + "\n")
        sys.stdout.flush()
