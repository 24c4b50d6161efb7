"""HTTP/1.1 by uvicorn and httptools, with the limits that they leave open.

A client may take only so long over a request, and its head may only be so long; whoever goes beyond is cut
off. (A reverse proxy does the same, but a collector on a laptop has none.)
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 64 << 10
MOST_HEADERS: Final = 200
_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class Protocol(HttpToolsProtocol):
    """A connection that knows since when a request has been coming in, and how long its head is."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.since: float | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse what came; give up on a head without end."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES or len(self.headers or ()) > MOST_HEADERS:
                self.transport.write(_TOO_LONG)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head, self._head_bytes, self.since = True, 0, self.loop.time()

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request has come."""
        self.since = None
        super().on_message_complete()


async def cut_off_the_slow(connections: set[Protocol], seconds: float) -> None:
    """Once a second, end connections whose request takes too long.

    That is from its first byte, or the opening of the connection, to its last.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        latest = loop.time() - seconds
        for connection in list(connections):
            if connection.since is not None and connection.since < latest:
                connection.transport.abort()
