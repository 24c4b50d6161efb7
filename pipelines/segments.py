"""What a collector has taken and not yet landed: its write-ahead segments, read beside whoever writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cdp.errors import CorruptError
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from connectors.collector import wal

READ_BYTES: Final = 64 << 20
"""Segments are read up to here to say whose requests wait; of the others only their size is known."""


@dataclass(frozen=True)
class Waiting:
    """Requests of one source that wait to land: how many, in how many segments, their bytes, since when."""

    requests: int = 0
    segments: int = 0
    bytes: int = 0
    since: datetime | None = None


@dataclass(frozen=True)
class Backlog:
    """All segments: how many, their bytes, those kept aside as damaged; and what of it is whose.

    ``whole``: all of them were read; else ``by_source`` counts a part of them, the oldest.
    """

    segments: int = 0
    bytes: int = 0
    damaged: int = 0
    whole: bool = True
    by_source: Mapping[str, Waiting] = field(default_factory=dict)


def listed(lake: Lake) -> list[Path]:
    """Return the segments that there are, complete and open ones, the oldest first."""
    folder = lake.path(WAL)
    found = [*folder.glob(f"*{wal.SUFFIX}"), *folder.glob(f"*{wal.SUFFIX}{wal.OPEN}")]
    return sorted(found, key=lambda path: path.name)


def origin(path: Path) -> str:
    """Return the name that a segment has in the ledger once it has landed."""
    return f"{WAL}/{path.name.removesuffix(wal.OPEN)}"


def requests(path: Path) -> Sequence[wal.Request] | None:
    """Return what a segment holds; None where it has landed and gone meanwhile, or cannot be read.

    One that is being written ends where its last whole request ends.
    """
    for name in dict.fromkeys((path, path.with_name(path.name.removesuffix(wal.OPEN)))):
        try:
            return wal.read(name).requests
        except FileNotFoundError:
            continue
        except (CorruptError, PermissionError):
            return None
    return None


def size(path: Path) -> int | None:
    """Return the bytes of a segment; None where it is there no more."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def landed(
    ledger: Ledger | None, sources: Iterable[str], paths: Sequence[Path]
) -> frozenset[tuple[str, str]]:
    """Return (source, origin) of what has landed of these segments, though they are still there."""
    if ledger is None or not paths:
        return frozenset()
    rows = ledger.rows(
        "SELECT c.source, c.origin FROM json_each(:sources) AS s, json_each(:origins) AS o "
        "JOIN cursors AS c ON c.source = s.value AND c.origin = o.value",
        {"sources": json.dumps(list(sources)), "origins": json.dumps([origin(path) for path in paths])},
    )
    return frozenset((row["source"], row["origin"]) for row in rows)


def backlog(lake: Lake, ledger: Ledger | None, sources: Sequence[str]) -> Backlog:
    """Return what waits; segments are read from the oldest on, up to ``READ_BYTES``."""
    paths = listed(lake)
    sizes = {path: length for path in paths if (length := size(path)) is not None}
    read: list[Path] = []
    total = 0
    for path, length in sizes.items():
        total += length
        if total > READ_BYTES and read:
            break
        read.append(path)
    damaged = sum(1 for _ in lake.path(WAL).glob(f"*{wal.DAMAGED}"))
    by_source = _by_source(read, landed(ledger, sources, read))
    return Backlog(len(sizes), sum(sizes.values()), damaged, len(read) == len(sizes), by_source)


def _by_source(paths: Sequence[Path], done: frozenset[tuple[str, str]]) -> dict[str, Waiting]:
    found: dict[str, Waiting] = {}
    for path in paths:
        for source, (count, length, first_us) in _counted(requests(path) or ()):
            if (source, origin(path)) in done:
                continue
            before = found.get(source, Waiting())
            since = datetime.fromtimestamp(first_us / 1e6, UTC)
            found[source] = Waiting(
                before.requests + count,
                before.segments + 1,
                before.bytes + length,
                since if before.since is None else min(before.since, since),
            )
    return found


def _counted(held: Sequence[wal.Request]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield each source of a segment with its requests, their bytes, and when the first came."""
    counts: dict[str, tuple[int, int, int]] = {}
    for request in held:
        count, length, first = counts.get(request.source, (0, 0, request.received_us))
        counts[request.source] = (count + 1, length + len(request.body), min(first, request.received_us))
    yield from counts.items()
