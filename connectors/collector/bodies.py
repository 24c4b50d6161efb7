"""Request bodies: read up to a limit, unpacked where they are gzip, whatever their headers say."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_GZIP: Final = b"\x1f\x8b"
_STEP: Final = 1 << 20


class TooLargeError(Exception):
    """A body is longer than what is taken, packed or unpacked."""


class UnreadableError(Exception):
    """A body is not what it says: broken gzip, or cut off."""


class GoneError(Exception):
    """The client has closed the connection in the midst of its request."""


async def read(receive: Receive, most: int) -> bytes:
    """Return the whole body; no more is kept once it is longer than ``most``."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            raise TooLargeError
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


def unpacked(body: bytes, most: int) -> bytes:
    """Return the body without compression; no more than ``most`` bytes are ever made of it.

    >>> import gzip
    >>> unpacked(gzip.compress(b"{}"), 100), unpacked(b"{}", 100)
    (b'{}', b'{}')
    """
    if body[:2] != _GZIP:
        return body
    found: list[bytes] = []
    size, rest = 0, body
    try:
        while rest[:2] == _GZIP:  # several members may follow each other
            machine = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while rest and not machine.eof:
                found.append(machine.decompress(rest, min(_STEP, most + 1 - size)))
                size += len(found[-1])
                if size > most:
                    raise TooLargeError
                rest = machine.unconsumed_tail
            if not machine.eof:
                raise UnreadableError("truncated_gzip")
            rest = machine.unused_data
    except zlib.error:
        raise UnreadableError("invalid_gzip") from None
    return b"".join(found)
