"""The release that answers: opened once, shared by all requests, swapped without any of them noticing.

A request pins one release and reads all of its answer from it. The newest release is taken by the next
request; the old one is closed when the last request that pinned it is done.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cdp.lake import Lake
from warehouse import release as releases
from warehouse.release import CURRENT, Release
from warehouse.serve.problems import NotReadyError

if TYPE_CHECKING:
    import duckdb

THREADS: Final = 2
MEMORY_LIMIT: Final = "1GB"
_MOST_IDLE: Final = 8


class Reader:
    """One open release; ``connection()`` lends a connection of its own to each who asks."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._root = release.open(threads=THREADS, memory_limit=MEMORY_LIMIT)
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._lock = threading.Lock()
        self.pins = 0

    @property
    def version(self) -> str:
        """Name of the release."""
        return self.release.version

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection; it must not be used by two threads at once."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._root.cursor()
            connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._idle:
            connection.close()
        self._root.close()


class Releases:
    """Hands out the current release."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._seen: tuple[int, int] | None = None

    def _mark(self) -> tuple[int, int] | None:
        """Return what changes whenever ``CURRENT`` is replaced."""
        try:
            found = (self.lake.releases / CURRENT).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def pin(self) -> Reader:
        """Return the current release; :meth:`unpin` it afterwards. Raises NotReadyError before the first."""
        mark = self._mark()
        with self._lock:
            if self._reader is None or mark != self._seen:
                self._renew(mark)
            reader = self._reader
            assert reader is not None  # noqa: S101 - _renew raises where there is none
            reader.pins += 1
            return reader

    def _renew(self, mark: tuple[int, int] | None) -> None:
        release = releases.find_current(self.lake)
        if release is None:
            raise NotReadyError("There is no release yet.", hint="`cdp run` makes one.")
        old = self._reader
        if old is None or old.version != release.version:
            self._reader = Reader(release)
            if old is not None and not old.pins:
                old.close()
        self._seen = mark

    def unpin(self, reader: Reader) -> None:
        """Give a release back."""
        with self._lock:
            reader.pins -= 1
            if not reader.pins and reader is not self._reader:
                reader.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reader]:
        """Pin the current release for a block."""
        reader = self.pin()
        try:
            yield reader
        finally:
            self.unpin(reader)

    def close(self) -> None:
        """Close the release that is open."""
        with self._lock:
            if self._reader is not None and not self._reader.pins:
                self._reader.close()
            self._reader = None
