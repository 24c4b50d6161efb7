"""Write-ahead segments: what the collector has acknowledged, on disk, until it has landed.

A segment is a file of frames. The first one holds JSON: the format, and the names of the sources by
number. Each further one is a request: when it came (microseconds since 1970), how many bytes of the
segment were durable then, its source, whether it is a tracking call, the kind that its path or a header
said, and its body, verbatim but for compression. A mark, the length and a CRC-32 stand before each frame.

What a crash leaves behind the last durable byte was never acknowledged: reading stops there. What is
broken before it is damage: it is reported with its place, and reading goes on behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from cdp import durable
from cdp.errors import CorruptError

FORMAT: Final = 1
SUFFIX: Final = ".wal"
"""Of a segment that is complete; before, it also has ``OPEN``."""
OPEN: Final = ".open"
DAMAGED: Final = ".damaged"
MOST_BYTES: Final = 128 << 20
"""Bytes of one frame: none is longer."""
MOST_KIND: Final = 200

_MARK: Final = b"\xf5wal"  # no UTF-8 text has its first byte
_PREFIX: Final = struct.Struct("<4sII")
_HEAD: Final = struct.Struct("<QQHBB")
_FRAME: Final = struct.Struct("<4sIIQQHBB")  # both in one
_WRITEV: Final = 512  # buffers of one call; the kernel takes up to 1,024
_ATTEMPTS: Final = 1_000  # marks behind a broken frame that are tried


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request as it came.

    ``tracking``: a call of a tracking client; else a webhook. ``kind``: what its path or a header said.
    """

    received_us: int
    source: str
    tracking: bool
    kind: str
    body: bytes


@dataclass
class Contents:
    """What a segment holds: requests in their order, and the places (from, to) of what is damaged.

    ``size`` and ``sha`` (SHA-256) are those of the whole file.
    """

    size: int
    sha: str
    requests: list[Request] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)


class Segment:
    """A segment that is being written, by one thread; ``complete`` gives it its name ``path``.

    After an error of ``append`` nobody knows what of its last frames is on disk: the segment takes no
    more, and closing it cuts it back to what is known to be durable.
    """

    def __init__(self, path: Path, sources: Sequence[str]) -> None:
        self.path, self.size, self.requests = path, 0, 0
        self._open_path = path.with_name(path.name + OPEN)
        self._numbers = {name: number for number, name in enumerate(sources)}
        self._failed = False
        durable.make_directory(path.parent)
        durable.step(f"write {path.name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._open_path, flags, 0o600)
        try:
            self._write([*_framed(b"", json.dumps({"format": FORMAT, "sources": list(sources)}).encode())])
            durable.fsync_directory(path.parent)
        except BaseException:
            self.close()
            with contextlib.suppress(OSError):
                self._open_path.unlink(missing_ok=True)
            raise

    def append(self, requests: Sequence[Request]) -> None:
        """Add requests, and return when they are on disk; raises OSError where that cannot be said."""
        if self._failed:
            raise OSError(f"{self.path.name} has failed before")
        pieces: list[bytes] = []
        for request in requests:
            kind = request.kind.encode()[:MOST_KIND]
            head = _HEAD.pack(
                request.received_us, self.size, self._numbers[request.source], request.tracking, len(kind)
            )
            pieces += _framed(head + kind, request.body)
        self._write(pieces)
        self.requests += len(requests)

    def _write(self, pieces: list[bytes]) -> None:
        try:
            for start in range(0, len(pieces), _WRITEV):
                _write_all(self._file, pieces[start : start + _WRITEV])
            durable.step("sync segment")
            os.fdatasync(self._file)
        except BaseException:
            self._failed = True
            raise
        self.size += sum(map(len, pieces))

    def close(self) -> None:
        """Close the file; nothing more is written to it."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError):  # a disk that fails may refuse this, too: reading finds the end
            if self._failed:
                os.ftruncate(self._file, self.size)
        os.close(self._file)
        self._file = -1

    def complete(self) -> None:
        """Close the file and give it its name; one without anything acknowledged goes. Raises OSError."""
        self.close()
        if not self._open_path.exists():
            return
        if self.requests:
            complete(self._open_path)
        else:
            self._open_path.unlink(missing_ok=True)


def complete(path: Path) -> None:
    """Give a segment that is written no more its final name."""
    durable.step(f"complete {path.name}")
    path.rename(path.with_name(path.name.removesuffix(OPEN)))
    durable.fsync_directory(path.parent)


def recover(folder: Path) -> int:
    """Complete the segments that a collector left open when it died; return how many.

    Whoever calls holds the collector's lock, so that nobody writes them.
    """
    left = sorted(folder.glob(f"*{SUFFIX}{OPEN}"))
    for path in left:
        complete(path)
    return len(left)


def _framed(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    crc = zlib.crc32(body, zlib.crc32(head))
    return _PREFIX.pack(_MARK, len(head) + len(body), crc) + head, body


def _write_all(file: int, pieces: list[bytes]) -> None:
    """Write every piece, also where the kernel takes a part of them at a time."""
    written, total = os.writev(file, pieces), sum(map(len, pieces))
    if written == total:
        return
    rest = memoryview(b"".join(pieces))[written:]
    while rest:
        rest = rest[os.write(file, rest) :]


def read(path: Path) -> Contents:
    """Return what a segment holds; raises CorruptError where it cannot be told to which sources it belongs."""
    data = path.read_bytes()
    found, view, at = Contents(len(data), hashlib.sha256(data).hexdigest()), memoryview(data), 0
    end = _end_of_frame(view, at)
    if end is None:
        if _next_durable(view, at) is not None:
            raise CorruptError(f"{path.name} is damaged at its beginning.", hint="Restore it from a backup.")
        return found
    names, at = _sources(data[at + _PREFIX.size : end], path.name), end
    while True:
        at = _read_whole(data, view, at, names, found.requests)
        behind = _next_durable(view, at) if at < len(data) else None
        if behind is None:
            return found
        found.damaged.append((at, behind))
        at = behind


def _read_whole(data: bytes, view: memoryview, at: int, names: list[str], into: list[Request]) -> int:
    """Read frames as long as they are whole; return where the first begins that is not."""
    unpack, crc32, size, width = _FRAME.unpack_from, zlib.crc32, len(data), _PREFIX.size
    kinds: dict[bytes, str] = {b"": ""}
    while at + _FRAME.size <= size:
        mark, length, crc, received_us, _, source, tracking, kind_length = unpack(data, at)
        start, end = at + width, at + width + length
        body = at + _FRAME.size + kind_length
        if mark != _MARK or body > end or end > size or crc32(view[start:end]) != crc:
            break
        named = data[body - kind_length : body]
        kind = kinds.get(named)
        if kind is None:
            kind = kinds[named] = named.decode(errors="replace")
        into.append(Request(received_us, names[source], tracking == 1, kind, data[body:end]))
        at = end
    return at


def _end_of_frame(view: memoryview, at: int) -> int | None:
    """Return where the frame that begins at ``at`` ends; None where there is no whole one."""
    if at + _PREFIX.size > len(view):
        return None
    mark, length, crc = _PREFIX.unpack_from(view, at)
    start, end = at + _PREFIX.size, at + _PREFIX.size + length
    whole = mark == _MARK and length <= MOST_BYTES and end <= len(view) and zlib.crc32(view[start:end]) == crc
    return end if whole else None


def _next_durable(view: memoryview, broken: int) -> int | None:
    """Return the next whole frame if one says that ``broken`` had been durable; else a crash cut it off."""
    data, at, first = bytes(view[broken:]), 0, None
    for _ in range(_ATTEMPTS):
        at = data.find(_MARK, at + 1)
        if at < 0:
            return None
        place = broken + at
        end = _end_of_frame(view, place)
        if end is None or end - place < _PREFIX.size + _HEAD.size:
            continue
        first = place if first is None else first
        if _HEAD.unpack_from(view, place + _PREFIX.size)[1] > broken:
            return first
    return first


def _sources(header: bytes, name: str) -> list[str]:
    told = json.loads(header)
    if told.get("format") != FORMAT:
        raise CorruptError(
            f"{name} has format {told.get('format')!r}; this cdp reads {FORMAT}.", hint="Upgrade cdp."
        )
    return list(told["sources"])
