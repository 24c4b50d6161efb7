"""Sealing: what waits in write-ahead segments lands as raw Parquet, by the ordinary way of landing.

The requests of a source, of one or several segments, are one batch; a cursor row per source and segment is
part of its transaction. So a crash between two sources goes on with the second, and a segment goes when every
source in it has landed. Ids that need making are made from the segment's name and the request's place in it:
sealing again gives the same ids.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from cdp import durable
from cdp.duck import connect
from cdp.errors import CdpError
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from cdp.lock import landing_lock
from connectors.batch import HoldBack, LandedBatch, Lander, Origin
from connectors.collector import tracking, wal
from connectors.protocol import CHUNK_ROWS, Chunk, Rejected, SplitContext
from connectors.reading import Item
from connectors.registry import connector_for

if TYPE_CHECKING:
    from types import TracebackType

    from cdp.settings import Settings, SourceSettings

TOGETHER_BYTES: Final = 64 << 20
"""Segments share batches up to here."""
RUN_ID: Final = "collect"


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
            left = [one for one in segments if one.origin.name not in done and _requests(one, source)]
            if not left:
                return None
            batch = self._lander(settings).open_batch(self._clock(), RUN_ID, collected=True)
            for segment in left:
                found = pieces(
                    segment.origin,
                    _requests(segment, source),
                    batch.lander,
                    self.settings.collect.max_event_bytes,
                )
                for chunk, item in found:
                    batch.add(chunk, item)
            return batch.commit([segment.origin for segment in left])

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


def pieces(
    origin: Origin, requests: Sequence[wal.Request], lander: Lander, most: int
) -> Iterator[tuple[Chunk, Item]]:
    """Yield what the requests of one source in a segment hold, numbered through the segment.

    Equal contents of two tracking calls are two events: their clients give ids to what they send again. A
    service sends the same delivery again without one, so its contents alone count.
    """
    calls, row = Item(origin.sha, origin.name, by_row=True), 0
    for tracked, group in itertools.groupby(requests, lambda request: request.tracking):
        if tracked:
            for chunk in _calls(group, row, most):
                yield chunk, calls
                row += len(chunk)
            continue
        for request in group:
            item = Item(origin.sha, request.kind)
            before = row
            for chunk in _delivered(request, lander):
                row = _renumber(chunk, before)
                yield chunk, item


def _calls(requests: Iterable[wal.Request], before: int, most: int) -> Iterator[Chunk]:
    """Yield the calls of tracking clients; of a batch, those longer than ``most`` bytes are rejected."""
    chunk, row = Chunk(), before
    for is_batch, group in itertools.groupby(requests, lambda request: request.kind == tracking.BATCH):
        if not is_batch:
            row = _singles(list(group), chunk, row)
            continue
        for request in group:
            row = _batch(request, chunk, row, most)
            if len(chunk) >= CHUNK_ROWS:
                yield chunk
                chunk = Chunk()
    if len(chunk):
        yield chunk


def _singles(requests: Sequence[wal.Request], chunk: Chunk, row: int) -> int:
    """Add single calls; return the number of the last."""
    last = row + len(requests)
    chunk.payloads += [request.body for request in requests]
    chunk.rows += range(row + 1, last + 1)
    chunk.sent += [None] * len(requests)
    chunk.received += [request.received_us for request in requests]
    chunk.kinds += [request.kind for request in requests]
    return last


def _batch(request: wal.Request, chunk: Chunk, row: int, most: int) -> int:
    """Add the calls of a batch; return the number of the last."""
    received_us, body = request.received_us, tracking.outline(request.body)
    if body is None or not isinstance(body.batch, list):
        chunk.rejected.append(Rejected(row + 1, request.body, "invalid_json", received_us=received_us))
        return row + 1
    calls = list(map(bytes, body.batch))
    rows = list(range(row + 1, row + 1 + len(calls)))
    last = row + len(calls)
    if max(map(len, calls), default=0) > most:
        chunk.rejected += [
            Rejected(row, call, "event_too_large", f"{len(call)} bytes", received_us=received_us)
            for row, call in zip(rows, calls, strict=True)
            if len(call) > most
        ]
        kept = [(row, call) for row, call in zip(rows, calls, strict=True) if len(call) <= most]
        rows, calls = [row for row, _ in kept], [call for _, call in kept]
    chunk.payloads += calls
    chunk.rows += rows
    chunk.sent += [body.sentAt if isinstance(body.sentAt, str) else None] * len(calls)
    chunk.received += [received_us] * len(calls)
    chunk.kinds += [None] * len(calls)
    return last


def _delivered(request: wal.Request, lander: Lander) -> Iterator[Chunk]:
    """Yield what a service delivered, as its connector reads it."""
    source, kind = lander.source, request.kind or None
    context = SplitContext("", source.encoding, source.delimiter, source.sheet)
    for chunk in lander.connector.split(request.body, context):
        chunk.received = [request.received_us] * len(chunk.payloads)
        chunk.kinds = [kind] * len(chunk.payloads)
        chunk.rejected = [
            dataclasses.replace(piece, received_us=request.received_us, kind=kind) for piece in chunk.rejected
        ]
        yield chunk


def _renumber(chunk: Chunk, before: int) -> int:
    """Number the rows of a chunk on from ``before``, since a segment is one item; return the last number."""
    chunk.rows = [row + before for row in chunk.rows]
    chunk.rejected = [dataclasses.replace(piece, row=piece.row + before) for piece in chunk.rejected]
    return max([before, *chunk.rows[-1:], *(piece.row for piece in chunk.rejected)])
