"""Sealing: what waits in write-ahead segments lands as raw Parquet, by the ordinary way of landing.

The requests of a source, of one or several segments, are one batch; a cursor row per source and segment is
part of its transaction. So a crash between two sources goes on with the second, and a segment goes when every
source in it has landed. Ids that need making are made from the segment's name and the request's place in it:
sealing again gives the same ids.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import duckdb
import pyarrow as pa

from cdp import durable
from cdp.duck import connect
from cdp.errors import CdpError
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from cdp.lock import landing_lock
from connectors.batch import HoldBack, LandedBatch, Lander, Origin
from connectors.collector import wal
from connectors.collector.pieces import Pieces
from connectors.envelopes import EnvelopeContext, seal
from connectors.reading import Gathered
from connectors.registry import connector_for

if TYPE_CHECKING:
    from types import TracebackType

    from cdp.settings import Settings, SourceSettings

TOGETHER_BYTES: Final = 64 << 20
"""Segments share batches up to here."""
RUN_ID: Final = "collect"
# What data can raise in the libraries that read them, although no connector lets them.
_OF_DATA: Final = (
    duckdb.Error,
    pa.ArrowException,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


@dataclass
class Sealed:
    """What sealing some segments did: batches by source, segments that are damaged or cannot land, and why."""

    batches: dict[str, LandedBatch] = field(default_factory=dict)
    segments: int = 0
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Segment:
    origin: Origin
    path: Path
    contents: wal.Contents


class Sealer:
    """Lands segments of one workspace; keeps what it knows of each source from one call to the next.

    Several may work on one workspace. ``held_back`` gives what holds rows of a source back (see
    :class:`connectors.batch.Lander`).
    """

    def __init__(
        self,
        workspace: Path,
        settings: Settings,
        held_back: Callable[[Ledger, str], HoldBack | None] = lambda _ledger, _source: None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.lake, self.settings, self._clock, self._held_back = Lake(workspace), settings, clock, held_back
        self._open = ExitStack()
        self.ledger = self._open.enter_context(Ledger(self.lake.ledger_path))
        self._landers: dict[str, Lander] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def waiting(self) -> list[Path]:
        """Return the complete segments, the oldest first."""
        return sorted(self.lake.path(WAL).glob(f"*{wal.SUFFIX}"))

    def seal(self, paths: Sequence[Path]) -> Iterator[Sealed]:
        """Land closed segments, some at a time; yield what each time brought."""
        for group in _groups(paths):
            yield self._seal(group)

    def _seal(self, paths: Sequence[Path]) -> Sealed:
        sealed = Sealed(segments=len(paths))
        segments = [found for path in paths if (found := _read(path, sealed)) is not None]
        for source in sorted({request.source for one in segments for request in one.contents.requests}):
            try:
                batch = self._land(source, segments)
            except CdpError as error:
                sealed.problems[source] = str(error)
            else:
                if batch is not None:
                    sealed.batches[source] = batch
        for segment in segments:
            self._dispose(segment, sealed)
        return sealed

    def _land(self, source: str, segments: Sequence[_Segment]) -> LandedBatch | None:
        """Land what a source has in some segments, but for those from which it has landed already."""
        settings = self.settings.sources.get(source)
        if settings is None:
            raise CdpError(
                f"There is no source {source!r} any more, and events of it wait.",
                hint="Put it back into cdp.yaml until they have landed.",
            )
        with landing_lock(self.lake.root):
            rows = self.ledger.rows("SELECT origin FROM cursors WHERE source = ?", (source,))
            done = {row["origin"] for row in rows}
            left = [
                one
                for one in segments
                # Another process may have landed it since we read it; then its cursors may be gone, too.
                if one.origin.name not in done and one.path.exists() and _requests(one, source)
            ]
            if not left:
                return None
            lander = self._lander(settings)
            try:
                return self._land_batch(lander, left, frozenset())
            except _OF_DATA:
                spoiling = frozenset(map(id, self._spoiling(lander, left)))
                if not spoiling:
                    raise
                return self._land_batch(lander, left, spoiling)

    def _land_batch(
        self, lander: Lander, segments: Sequence[_Segment], spoiling: frozenset[int]
    ) -> LandedBatch:
        batch = lander.open_batch(self._clock(), RUN_ID, collected=True)
        most, source = self.settings.collect.max_event_bytes, lander.source.name
        for segment in segments:
            taken_apart = Pieces(segment.origin, lander, most, spoiling)
            for chunk, item in taken_apart.of(_requests(segment, source)):
                batch.add(chunk, item)
        return batch.commit([segment.origin for segment in segments])

    def _spoiling(self, lander: Lander, segments: Sequence[_Segment]) -> list[wal.Request]:
        """Return the requests that cannot be read although nothing says why: no one may stop all others."""
        source = lander.source
        context = EnvelopeContext(source.name, "", self._clock(), source.timezone, source.region or None)

        def spoils(requests: Sequence[wal.Request], origin: Origin) -> bool:
            gathered = Gathered()
            try:
                for chunk, item in Pieces(origin, lander, self.settings.collect.max_event_bytes).of(requests):
                    gathered.add(chunk, item)
                seal(lander.connection, lander.connector, gathered, context)
            except _OF_DATA:
                return True
            return False

        def search(requests: Sequence[wal.Request], origin: Origin) -> list[wal.Request]:
            if not requests or not spoils(requests, origin):
                return []
            if len(requests) == 1:
                return list(requests)
            middle = len(requests) // 2
            return search(requests[:middle], origin) + search(requests[middle:], origin)

        return [
            one for segment in segments for one in search(_requests(segment, source.name), segment.origin)
        ]

    def _lander(self, source: SourceSettings) -> Lander:
        found = self._landers.get(source.name)
        if found is None:
            connection = self._open.enter_context(connect())
            found = self._landers[source.name] = Lander(
                source,
                connector_for(source),
                self.lake,
                self.ledger,
                connection,
                self._held_back(self.ledger, source.name),
            )
        return found

    def _dispose(self, segment: _Segment, sealed: Sealed) -> None:
        """Remove a segment all of whose sources have landed; keep a damaged one aside."""
        wanted = {request.source for request in segment.contents.requests}
        marks = "SELECT source FROM cursors WHERE origin = ?"
        landed = {row["source"] for row in self.ledger.rows(marks, (segment.origin.name,))}
        if not wanted <= landed:
            return
        if segment.contents.damaged:
            places = ", ".join(f"{start:,} to {end:,}" for start, end in segment.contents.damaged)
            sealed.problems[segment.path.name] = (
                f"damaged: bytes {places}; kept as {segment.path.name}{wal.DAMAGED}"
            )
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                segment.path.rename(segment.path.with_name(segment.path.name + wal.DAMAGED))
        else:
            durable.step(f"remove {segment.path.name}")
            segment.path.unlink(missing_ok=True)
        durable.fsync_directory(segment.path.parent)
        with self.ledger.transaction("segment landed"):  # its name never comes again
            self.ledger.execute("DELETE FROM cursors WHERE origin = ?", (segment.origin.name,))


def _requests(segment: _Segment, source: str) -> list[wal.Request]:
    return [request for request in segment.contents.requests if request.source == source]


def _groups(paths: Sequence[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    size = 0
    for path in paths:
        length = path.stat().st_size if path.exists() else 0
        if group and size + length > TOGETHER_BYTES:
            yield group
            group, size = [], 0
        group.append(path)
        size += length
    if group:
        yield group


def _read(path: Path, sealed: Sealed) -> _Segment | None:
    """Read a segment; one that is gone has landed, one that cannot be read stays where it is."""
    try:
        contents = wal.read(path)
    except FileNotFoundError:
        return None
    except (CdpError, OSError) as error:
        sealed.problems[path.name] = str(error)
        return None
    origin = Origin(f"{WAL}/{path.name}", str(contents.size), contents.size, contents.sha)
    return _Segment(origin, path, contents)
