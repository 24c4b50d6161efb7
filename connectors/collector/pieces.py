"""What the requests of a segment hold: payloads in chunks, numbered through the segment."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from connectors.batch import Lander, Origin
from connectors.collector import tracking
from connectors.collector.wal import Request
from connectors.protocol import CHUNK_ROWS, Chunk, Rejected, SplitContext
from connectors.reading import Item

UNREADABLE: Final = "unreadable_payload"
Found = Iterator[tuple[Chunk, Item]]


class Pieces:
    """Takes the requests of one source in one segment apart.

    Equal contents of two tracking calls are two events: their clients give ids to what they send again. A
    service sends the same delivery again without one, so its contents alone count. Calls of a batch that are
    longer than ``most`` bytes are rejected, and the requests ``spoiling`` (by ``id()``) whole.
    """

    def __init__(
        self, origin: Origin, lander: Lander, most: int, spoiling: frozenset[int] = frozenset()
    ) -> None:
        self._origin, self._lander, self._most, self._spoiling = origin, lander, most, spoiling
        self._row = 0

    def of(self, requests: Iterable[Request]) -> Found:
        """Yield chunks with the items that they belong to, in the order of the requests."""
        for way, group in itertools.groupby(requests, self._way):
            yield from way(group)

    def _way(self, request: Request) -> Callable[[Iterable[Request]], Found]:
        if self._spoiling and id(request) in self._spoiling:
            return self._spoilt
        return self._called if request.tracking else self._posted

    def _called(self, requests: Iterable[Request]) -> Found:
        item = Item(self._origin.sha, self._origin.name, by_row=True)
        for chunk in _calls(requests, self._row, self._most):
            self._row += len(chunk)
            yield chunk, item

    def _posted(self, requests: Iterable[Request]) -> Found:
        for request in requests:
            item, before = Item(self._origin.sha, request.kind), self._row
            for chunk in _delivered(request, self._lander):
                self._row = _renumber(chunk, before)
                yield chunk, item

    def _spoilt(self, requests: Iterable[Request]) -> Found:
        for request in requests:
            self._row += 1
            piece = Rejected(self._row, request.body, UNREADABLE, received_us=request.received_us)
            yield Chunk(rejected=[piece]), Item(self._origin.sha, self._origin.name, by_row=True)


def _calls(requests: Iterable[Request], before: int, most: int) -> Iterator[Chunk]:
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


def _singles(requests: Sequence[Request], chunk: Chunk, row: int) -> int:
    """Add single calls; return the number of the last."""
    last = row + len(requests)
    chunk.payloads += [request.body for request in requests]
    chunk.rows += range(row + 1, last + 1)
    chunk.sent += [None] * len(requests)
    chunk.received += [request.received_us for request in requests]
    chunk.kinds += [request.kind for request in requests]
    return last


def _batch(request: Request, chunk: Chunk, row: int, most: int) -> int:
    """Add the calls of a batch; return the number of the last."""
    received_us, found = request.received_us, tracking.calls_of(request.body)
    if found is None:
        chunk.rejected.append(Rejected(row + 1, request.body, "invalid_json", received_us=received_us))
        return row + 1
    calls = found.payloads
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
    chunk.sent += [found.sent_at] * len(calls)
    chunk.received += [received_us] * len(calls)
    chunk.kinds += [None] * len(calls)
    return last


def _delivered(request: Request, lander: Lander) -> Iterator[Chunk]:
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
