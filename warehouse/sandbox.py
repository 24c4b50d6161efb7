"""Ad-hoc SQL over a release, in a process of its own that can only read it, and is killed at its limit.

Defence in depth: a read-only connection without file access, network, extensions or settings; exactly
one SELECT; limits of the kernel on time, memory, files; an empty environment; and a parent that kills
the whole process group when the time is over, because some functions cannot be interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from cdp import duck, durable
from cdp.errors import CdpError, RunFailedError, UsageError
from warehouse.formats import StreamFormat, write

if TYPE_CHECKING:
    import pyarrow as pa

_CHILD: Final = Path(__file__).with_name("sandbox_child.py")
_GIB: Final = 2**30
_KIND: Final = re.compile(r"[A-Z][A-Za-z ]{0,40} Error\b")
_COPY_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What one query may use. ``address_space`` (bytes) also holds the libraries' own mappings."""

    seconds: int = 60
    memory_limit: str = "500MB"
    address_space: int = 3 * _GIB


DEFAULT_LIMITS: Final = Limits()


class Stop:
    """Ends a query from another thread: now, or as soon as it begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self.is_set = False

    def __call__(self) -> None:
        """End the query, if there is one, and those that come."""
        with self._lock:
            self.is_set = True
            if self._child is not None:
                self._child.kill()

    def attach(self, child: _Child | None) -> None:
        """Say which child is to be ended; None: none any more."""
        with self._lock:
            self._child = child
            if child is not None and self.is_set:
                child.kill()


class _Child:
    """The running child, with the clock that ends it."""

    def __init__(self, database: Path, query: str, limits: Limits) -> None:
        self.limits = limits
        self.late = False
        self.process = subprocess.Popen(  # noqa: S603 - our own script by its path, arguments are ours
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        self.clock = threading.Timer(limits.seconds, self._end)
        self.clock.start()
        request = {
            "database": str(database.resolve()),
            "query": query,
            "seconds": limits.seconds,
            "memory_limit": limits.memory_limit,
            "address_space": limits.address_space,
        }
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self.process.stdin as pipe:
                pipe.write(json.dumps(request).encode())

    def _end(self) -> None:
        self.late = True
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the child, whatever it does, and collect it."""
        self.clock.cancel()
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def failure(self) -> CdpError | None:
        """Wait for the child; return why it failed, or None where it did not."""
        told = self.process.stderr.read() if self.process.stderr is not None else b""
        status = self.process.wait()
        if status == 0:
            return None
        try:
            said = json.loads(told or b"{}")
        except ValueError:
            said = {}
        return _error(said.get("kind"), said.get("message", ""), status, self.limits, late=self.late)


class QueryFailedError(RunFailedError):
    """A query failed while it ran. What DuckDB says of it may quote values of the rows."""

    def __init__(self, said: str) -> None:
        kind = _KIND.match(said)
        self.kind = kind[0] if kind else "an error"
        super().__init__(f"The query failed: {said}")


def _error(kind: str | None, message: str, status: int, limits: Limits, *, late: bool) -> CdpError:
    if kind == "usage":
        hint = "`cdp sql 'SHOW TABLES'` and `cdp sql 'DESCRIBE customers'` list the names."
        return UsageError(message.strip(), hint=hint)
    if late or kind == "timeout" or status == -signal.SIGXCPU:
        return RunFailedError(
            f"The query took longer than {limits.seconds} s and was ended.",
            hint="Ask for less, filter by customer_id or occurred_at, or give more time with --timeout.",
        )
    if kind == "memory":
        return RunFailedError(
            f"The query needs more memory than the {limits.memory_limit} that it may use.",
            hint="Ask for fewer rows or columns; for whole tables use `cdp export`.",
        )
    if kind == "failed":
        return QueryFailedError(message.strip())
    return RunFailedError(
        "The query's process died: it used too much memory, or something that is not supported.",
        hint="Ask for less; for whole tables use `cdp export`.",
    )


@contextlib.contextmanager
def run(
    database: Path, query: str, limits: Limits = DEFAULT_LIMITS, stop: Stop | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Run one SELECT over a release's file and yield its rows as a stream; ``stop`` ends it from outside.

    Leaving the block early ends the query. When the stream was read to its end and the query failed,
    leaving raises :class:`UsageError` (not one SELECT, unknown names) or :class:`RunFailedError`.
    """
    import pyarrow as pa

    stop = stop or Stop()
    child = _Child(database, query, limits)
    answer: _Answer | None = None
    try:
        stop.attach(child)
        try:
            reader = pa.ipc.open_stream(child.process.stdout)
        except (pa.ArrowInvalid, OSError):
            raise child.failure() or RunFailedError("The query gave no answer.") from None
        answer = _Answer(child, reader)
        yield pa.RecordBatchReader.from_batches(reader.schema, answer)
    finally:
        # Before its number may be another process's.
        stop.attach(None)
        child.close()
        if answer is not None and answer.failure is not None:
            # Whatever the reader of the rows made of it: this is why they ended.
            raise answer.failure from None


class _Answer:
    """Batches of a child's answer, and why it ended where it ended too early."""

    def __init__(self, child: _Child, reader: Any) -> None:
        self.child = child
        self.reader = reader
        self.failure: CdpError | None = None

    def __iter__(self) -> Iterator[Any]:
        import pyarrow as pa

        try:
            yield from self.reader
        except (pa.ArrowException, OSError):
            self.failure = self.child.failure() or RunFailedError("The query's answer was cut off.")
            raise
        # An answer that is cut off between two batches looks like one that is complete.
        self.failure = self.child.failure()


def to_file(
    database: Path, query: str, path: Path, into: StreamFormat, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write the answer to ``path``, which appears whole or not at all."""
    with durable.atomic_file(path) as temporary:
        _copy(database, query, str(temporary), into, limits)


def to_stream(
    database: Path, query: str, out: IO[bytes], into: StreamFormat, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write the answer to an open stream while it comes in. Raises BrokenPipeError where nobody reads on."""
    reading, writing = os.pipe()
    copier = _Copier(reading, out)
    copier.start()
    try:
        _copy(database, query, f"/dev/fd/{writing}", into, limits)
    finally:
        os.close(writing)
        copier.join()
    if copier.broken is not None:
        raise copier.broken


class _Copier(threading.Thread):
    """Carries bytes from a pipe to a stream, which need not be a file of its own."""

    def __init__(self, reading: int, out: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.reading = reading
        self.out = out
        self.broken: OSError | None = None

    def run(self) -> None:
        with os.fdopen(self.reading, "rb") as pipe:
            while data := pipe.read1(_COPY_BYTES):
                try:
                    self.out.write(data)
                except OSError as error:
                    self.broken = error
                    break
            else:
                self.out.flush()


def _copy(database: Path, query: str, path: str, into: StreamFormat, limits: Limits) -> None:
    import duckdb

    with run(database, query, limits) as rows, duck.connect(threads=1) as connection:
        connection.register("answer", rows)
        try:
            write(connection, "answer", path, into, escape=False)
        except duckdb.IOException as error:
            # The pipe of a reader that went away: the copier knows, and says so.
            if not path.startswith("/dev/fd/"):
                raise RunFailedError(f"Cannot write the answer: {error}") from None
