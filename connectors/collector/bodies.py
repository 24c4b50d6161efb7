"""Request bodies: read up to a limit, unpacked where they are gzip, whatever their headers say."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from zlib import _Decompress as _Machine

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_GZIP: Final = b"\x1f\x8b"
_ZLIB: Final = b"x"
_MOST_MEMBERS: Final = 64
_STEP: Final = 1 << 20


class TooLargeError(Exception):
    """A body is longer than what is taken, packed or unpacked."""


class UnreadableError(Exception):
    """A body is not what it says: broken gzip, or cut off."""


class GoneError(Exception):
    """The client has closed the connection in the midst of its request."""


class BusyError(Exception):
    """So much is being read from all clients together that no more is, for now."""


@dataclass
class Budget:
    """What all bodies that are being read may hold together, in bytes."""

    most: int
    used: int = 0


async def read(receive: Receive, most: int, budget: Budget) -> bytes:
    """Return the whole body; no more is kept once it is longer than ``most``."""
    parts: list[bytes] = []
    size = 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            part: bytes = message.get("body", b"")
            size += len(part)
            budget.used += len(part)
            if size > most:
                raise TooLargeError
            if not message.get("more_body", False):
                return b"".join([*parts, part]) if parts else part
            if budget.used > budget.most:
                raise BusyError
            parts.append(part)
    finally:
        budget.used -= size


def unpacked(body: bytes, most: int) -> bytes:
    """Return the body without compression (gzip, deflate) and byte order mark.

    No more than ``most`` bytes are ever made of it.

    >>> import gzip
    >>> unpacked(gzip.compress(b"{}"), 100), unpacked(b"{}", 100)
    (b'{}', b'{}')
    """
    if body[:2] == _GZIP:
        body = _members(memoryview(body), most)
    elif body[:1] == _ZLIB and int.from_bytes(body[:2], "big") % 31 == 0:
        body = _member(zlib.decompressobj(), memoryview(body), most)[0]
    return body.removeprefix(codecs.BOM_UTF8)


def _members(rest: memoryview, most: int) -> bytes:
    """Return the content of gzip members, of which several may follow each other."""
    found = b""
    for _ in range(_MOST_MEMBERS):
        content, left = _member(zlib.decompressobj(zlib.MAX_WBITS | 16), rest, most - len(found))
        found += content
        rest = rest[len(rest) - left :]
        if bytes(rest[:2]) != _GZIP:
            return found
    raise UnreadableError("too_many_gzip_members")


def _member(machine: _Machine, packed: memoryview, most: int) -> tuple[bytes, int]:
    """Return what one stream holds, and how many bytes lie behind it."""
    found: list[bytes] = []
    size, at = 0, 0
    try:
        while not machine.eof and (at < len(packed) or machine.unconsumed_tail):
            piece = machine.unconsumed_tail or packed[at : at + _STEP]
            at += 0 if machine.unconsumed_tail else len(piece)
            found.append(machine.decompress(piece, min(_STEP, most + 1 - size)))
            size += len(found[-1])
            if size > most:
                raise TooLargeError
    except zlib.error:
        raise UnreadableError("invalid_gzip") from None
    if not machine.eof:
        raise UnreadableError("truncated_gzip")
    return b"".join(found), len(machine.unused_data) + len(packed) - at
