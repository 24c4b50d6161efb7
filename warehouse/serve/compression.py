"""Texts leave packed, where the client can unpack them. Streams do not: nothing waits for their end."""

from __future__ import annotations

import zlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEVEL: Final = 5
LEAST_BYTES: Final = 1_024
_TEXTS: Final = (
    b"text/", b"application/json", b"application/problem+json", b"application/javascript", b"image/svg+xml",
)  # fmt: skip
_VARY: Final = (b"vary", b"Accept-Encoding")


def gzipped(body: bytes, level: int = LEVEL) -> bytes:
    """Return a body packed; equal bodies pack equally.

    >>> import gzip
    >>> gzip.decompress(gzipped(b"text"))
    b'text'
    """
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def takes_gzip(scope: Scope) -> bool:
    """Whether the client can unpack."""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            wishes = [wish.strip().split(b";") for wish in value.lower().split(b",")]
            return any(wish[0] == b"gzip" and wish[-1].strip() not in (b"q=0", b"q=0.0") for wish in wishes)
    return False


class Gzip:
    """Packs answers that come whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and pack its answer."""
        if scope["type"] != "http" or not takes_gzip(scope):
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _Packing(send).send)


class _Packing:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_text(message):
            self._start = message
            return
        if message["type"] == "http.response.body" and self._start is not None:
            start, self._start = self._start, None
            if not message.get("more_body") and len(message.get("body", b"")) >= LEAST_BYTES:
                message = {**message, "body": gzipped(message["body"])}
                start = {**start, "headers": _packed_headers(start["headers"], len(message["body"]))}
            await self._send(start)
        await self._send(message)


def _is_text(start: Message) -> bool:
    headers = dict(start["headers"])
    return b"content-encoding" not in headers and headers.get(b"content-type", b"").startswith(_TEXTS)


def _packed_headers(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of a packed body. A strong ETag would promise the same bytes: it becomes a weak one."""
    kept = [(name, value) for name, value in headers if name not in (b"content-length", b"etag")]
    tags = [value for name, value in headers if name == b"etag"]
    kept += [(b"etag", tag if tag.startswith(b"W/") else b"W/" + tag) for tag in tags]
    return [*kept, (b"content-encoding", b"gzip"), (b"content-length", b"%d" % length), _VARY]
