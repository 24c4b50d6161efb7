"""HTTP/1.1 by uvicorn and httptools, with the limits that they leave open.

A client may take only so long over a request, may send only so much that is no body, and must take its answer:
whoever goes beyond is cut off. (A reverse proxy does the same, but a laptop has none.) A wish to speak another
protocol is left unheard, as RFC 9110 (7.8) allows: the request behind it is answered in this one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 64 << 10
MOST_HEADERS: Final = 200
_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_OF_AN_UPGRADE: Final = (b"upgrade", b"connection", b"http2-settings")


class Protocol(HttpToolsProtocol):
    """A connection that knows since when a request has been coming in, and how much of it is no body."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.since: float | None = None
        self.unread_since: float | None = None
        self._bytes_beside = 0
        self._in_head = True
        self._has_advanced = False
        self._wishes = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.since = self.loop.time()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self.unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self.unread_since = None

    def data_received(self, data: bytes) -> None:
        """Parse what came; give up on what has no end and is no body."""
        self._unset_keepalive_if_required()
        self._has_advanced = False
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if not self._has_advanced:
            self._bytes_beside += len(data)
            if self._bytes_beside > MOST_HEAD_BYTES or len(self.headers or ()) > MOST_HEADERS:
                self.transport.write(_TOO_LONG)
                self.transport.close()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.scope.get("method") == "CONNECT":
                    raise httptools.HttpParserError("this is no proxy") from None
                data = self._without_wish() + data[upgrade.args[0] :]
            else:
                return

    def _without_wish(self) -> bytes:
        """Return the head once more, for a parser of its own, so that what follows is its body."""
        lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] not in _OF_AN_UPGRADE]
        self._wishes = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head, self._bytes_beside, self.since = True, 0, self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those behind the body say nothing to us."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._in_head = False
        if self.parser.should_upgrade():
            self._wishes = True
            self.scope["method"] = self.parser.get_method().decode("ascii")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        self._has_advanced, self._bytes_beside = True, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come."""
        if self._wishes:
            return
        self._has_advanced, self.since = True, None
        super().on_message_complete()


async def cut_off_the_slow(connections: set[Protocol], seconds: float) -> None:
    """Once a second, end connections whose request takes too long, and those that leave an answer unread.

    A request's time is from its first byte, or the opening of the connection, to its last; an answer's begins
    anew whenever some of it is read.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        latest = loop.time() - seconds
        for connection in list(connections):
            waiting = min(connection.since or latest, connection.unread_since or latest)
            if waiting < latest:
                connection.transport.abort()
