"""The release that answers: opened once, shared by all requests, swapped without any of them noticing.

A request pins one release and reads all of its answer from it. The newest release is taken by the next
request; the old one is closed when the last request that pinned it is done. A new release that cannot be
opened changes nothing: the one before goes on answering.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cdp.errors import CdpError, CorruptError
from cdp.lake import Lake
from warehouse import profile_index
from warehouse import release as releases
from warehouse.masked_copy import register_functions
from warehouse.masking import Tokens, tokens_of
from warehouse.profile_index import ProfileIndex
from warehouse.profile_lookup import FromIndex
from warehouse.release import CURRENT, DATABASE, Release
from warehouse.serve.problems import NotReadyError
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

LOG: Final = logging.getLogger("cdp.serve")
THREADS: Final = 2
MEMORY_LIMIT: Final = "1GB"
RETRY_SECONDS: Final = 5.0
_MOST_IDLE: Final = 8
_Mark = tuple[int, int] | None


class Reader:
    """One open release; ``connection()`` lends a connection of its own to each who asks."""

    def __init__(self, release: Release, threads: int = THREADS, memory_limit: str = MEMORY_LIMIT) -> None:
        self.release = release
        self._root = release.open(threads=threads, memory_limit=memory_limit)
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._lock = threading.Lock()
        self.is_closed = False
        self._masks = False
        self.pins = 0

    @property
    def version(self) -> str:
        """Name of the release."""
        return self.release.version

    @cached_property
    def profiles(self) -> FromIndex | None:
        """The release's index of profiles; None for one that was published before there were any."""
        path = self.release.folder / profile_index.FILE
        return FromIndex(ProfileIndex(path)) if path.is_file() else None

    @cached_property
    def tokens(self) -> Tokens:
        """What stands for values that a caller may not see, in this release."""
        return tokens_of(self.release.folder)

    def enable_masking(self) -> None:
        """Make the functions of :func:`warehouse.masked_copy.masked_select` known to all connections."""
        with self._lock:
            if not self._masks:
                register_functions(self._root)
                self._masks = True

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
            if len(self._idle) < _MOST_IDLE and not self.is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def is_outdated(self) -> bool:
        """Whether the release lacks tables or columns of the dictionary: an older cdp made it."""
        with self.connection() as connection:
            rows = connection.execute("SELECT table_name, column_name FROM duckdb_columns()").fetchall()
        wanted = {(name, column.name) for name, table in tables().items() for column in table.columns}
        return not wanted <= set(rows)

    def close(self) -> None:
        """Close all connections; one that is still lent is closed when it comes back."""
        with self._lock:
            self.is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        self._root.close()


class Releases:
    """Hands out the current release."""

    def __init__(self, lake: Lake, *, threads: int = THREADS, memory_limit: str = MEMORY_LIMIT) -> None:
        self.lake = lake
        self._threads, self._memory_limit = threads, memory_limit
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._reader: Reader | None = None
        self._seen: _Mark = None
        self._again_at: float | None = None

    def _mark(self) -> _Mark:
        """Return what changes whenever ``CURRENT`` is replaced."""
        try:
            found = (self.lake.releases / CURRENT).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def is_open(self) -> bool:
        """Whether :meth:`pin` has a release at hand: it then takes microseconds."""
        if self._reader is None:
            return False
        is_settled = self._again_at is None or time.monotonic() < self._again_at
        return self._renewing.locked() or (self._mark() == self._seen and is_settled)

    def pin(self) -> Reader:
        """Return the current release; :meth:`unpin` it afterwards. Raises NotReadyError before the first.

        Whoever comes while a newer one is being opened gets the one before.
        """
        if not self.is_open():
            self._renew()
        with self._lock:
            reader = self._reader
            if reader is None:
                raise NotReadyError("There is no release yet.", hint="`cdp run` makes one.")
            reader.pins += 1
            return reader

    def _renew(self) -> None:
        # The first release is waited for by all; of a later one, only by who opens it.
        if not self._renewing.acquire(blocking=self._reader is None):
            return
        try:
            mark = self._mark()
            if self._reader is None or mark != self._seen or self._again_at is not None:
                self._take(self._opened(is_news=mark != self._seen), mark)
        finally:
            self._renewing.release()

    def _opened(self, *, is_news: bool) -> Reader | None:
        """Open the current release, or return the open one where it is the same; None where that fails."""
        import duckdb

        try:
            release = releases.find_current(self.lake)
            if release is None:
                return None
            if self._reader is not None and self._reader.version == release.version:
                return self._reader
            _check_size(release)
            return Reader(release, self._threads, self._memory_limit)
        except (CdpError, OSError, duckdb.Error) as error:
            if is_news:  # its message may quote what is in the file
                LOG.error("a release cannot be opened: %s; the one before stays", type(error).__name__)  # noqa: TRY400
            return None

    def _take(self, opened: Reader | None, mark: _Mark) -> None:
        with self._lock:
            old = self._reader
            self._seen = mark
            if opened is None:
                self._again_at = time.monotonic() + RETRY_SECONDS
                return
            self._again_at = None
            self._reader = opened
            is_free = old is not None and old is not opened and not old.pins
        if is_free and old is not None:
            old.close()

    def unpin(self, reader: Reader) -> None:
        """Give a release back."""
        with self._lock:
            reader.pins -= 1
            is_free = not reader.pins and reader is not self._reader
        if is_free:
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
        """Close the release that is open, now or when the last request that pinned it is done."""
        with self._lock:
            reader, self._reader = self._reader, None
            is_free = reader is not None and not reader.pins
        if is_free and reader is not None:
            reader.close()


def _check_size(release: Release) -> None:
    """Refuse a file that was cut off: its manifest knows how long it is."""
    for entry in release.manifest.get("files", ()):
        path = release.folder / entry["name"] if "name" in entry else release.folder / DATABASE
        if "size" in entry and path.exists() and path.stat().st_size != entry["size"]:
            raise CorruptError(f"{path.name} of release {release.version} is not what was written.")
