"""A proxy before a collector that fails as networks and servers do, and keeps a record of what went through."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REFUSED_500 = "500"
REFUSED_429 = "429"
LOST = "dropped before the collector had it"
KEPT_504 = "kept, then 504"
KEPT_DROPPED = "kept, then dropped"
KEPT_SILENT = "kept, then silent"
ALL = (REFUSED_500, REFUSED_429, LOST, KEPT_504, KEPT_DROPPED, KEPT_SILENT)

_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
_SILENT_SECONDS = 10.0


@dataclass(frozen=True)
class Exchange:
    """A request, the fault that met it, and the collector's status (None: it never came there)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fault: str | None
    status: int | None

    @property
    def kept(self) -> bool:
        """Whether the collector said that it has the request."""
        return self.status == 200

    @property
    def message_ids(self) -> list[str]:
        """The ids of the calls in the body."""
        return message_ids(self.body)


def message_ids(body: bytes) -> list[str]:
    """Return the ids of the calls in a body, packed or not."""
    document: Any = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return [call["messageId"] for call in document.get("batch", [document])]


class FaultProxy(ThreadingHTTPServer):
    """Hands requests on to ``target`` (scheme://host:port).

    ``faults`` are met in turn, each by a body (known by its first call) that has not been seen before; when it
    comes again, it goes through. A client that gets no answer is let wait for ``silent`` seconds at most.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, faults: Sequence[str] = (), *, silent: float = _SILENT_SECONDS) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.silent = urlsplit(target), silent
        self._faults = list(faults)
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def calls(self) -> list[Exchange]:
        """The requests with tracking calls."""
        return [exchange for exchange in self.exchanges if exchange.method == "POST"]

    @property
    def faults_left(self) -> list[str]:
        """The faults that no request has met yet."""
        return list(self._faults)

    def fault_for(self, body: bytes) -> str | None:
        """Return what is to go wrong with a tracking request."""
        first = message_ids(body)[0]
        with self._lock:
            if first in self._seen or not self._faults:
                return None
            self._seen.add(first)
            return self._faults.pop(0)

    def record(self, exchange: Exchange) -> None:
        """Keep a request."""
        with self._lock:
            self.exchanges.append(exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


@contextlib.contextmanager
def fault_proxy(target: str, faults: Sequence[str] = (), **options: float) -> Iterator[FaultProxy]:
    """Run a proxy while the block runs."""
    with FaultProxy(target, faults, **options) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._hand_on(b"", None)

    do_OPTIONS = do_GET  # noqa: N815 - the library's name

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._hand_on(body, self.server.fault_for(body))

    def _hand_on(self, body: bytes, fault: str | None) -> None:
        answer = None
        if fault not in (REFUSED_500, REFUSED_429, LOST):
            answer = self._ask(body)
        status = answer[0] if answer else None
        self.server.record(Exchange(self.command, self.path, dict(self.headers.items()), body, fault, status))
        match fault:
            case None:
                self._answer(*answer)
            case "500":
                self._answer(500, [], b"trouble")
            case "429":
                self._answer(429, [("retry-after", "1")], b"later")
            case "kept, then 504":
                self._answer(504, [], b"")
            case _:
                self._hang_up(self.server.silent if fault == KEPT_SILENT else 0.0)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.server.target
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
        with contextlib.closing(connection):
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body, {**headers, "Host": self.headers["Host"]})
            response = connection.getresponse()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
            return response.status, kept, response.read()

    def _answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self, after: float) -> None:
        """Close without an answer, when the client does or after so many seconds."""
        if after:
            select.select([self.connection], [], [], after)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
