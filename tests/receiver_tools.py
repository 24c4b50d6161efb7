"""A destination: an HTTP server that keeps an audience, fails as it is told, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from warehouse.audiences.wire import signature

SECRET = "shh"
Fault = Callable[["Receiver", "Request"], "Reply | None"]


@dataclass(frozen=True)
class Request:
    """What came. ``changes``: its body."""

    headers: dict[str, str]
    body: bytes
    changes: list[dict[str, Any]]

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass(frozen=True)
class Reply:
    """What is answered instead. ``applied``: the batch counts all the same; status None: the line goes dead."""

    status: int | None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    applied: bool = False
    after: float = 0.0


class Receiver(ThreadingHTTPServer):
    """Takes each idempotency key once, in order; ``audience`` is what it has."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = fault
        self.audience: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()
        self.last_sequence = 0
        self.requests: list[Request] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/audiences?list=7"

    def apply(self, request: Request) -> None:
        """Take a batch; one that has been taken before changes nothing, one that is overtaken is a mistake."""
        if request.key in self.seen:
            return
        sequence = int(request.headers["x-cdp-sequence"])
        assert sequence >= self.last_sequence, "an older batch came after a newer one"
        self.seen.add(request.key)
        self.last_sequence = sequence
        for change in request.changes:
            if change["op"] == "removed":
                self.audience.pop(change["key"], None)
            else:
                self.audience[change["key"]] = change["row"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


@contextlib.contextmanager
def receiving(fault: Fault | None = None) -> Iterator[Receiver]:
    """Run a destination while the block runs."""
    with Receiver(fault) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "x-cdp-signature" in headers:
            assert headers["x-cdp-signature"] == signature(SECRET, headers["x-cdp-timestamp"], body)
        changes = (
            json.loads(body)
            if headers["content-type"] == "application/json"
            else [json.loads(line) for line in body.splitlines()]
        )
        request = Request(headers, body, changes)
        with self.server.lock:
            self.server.requests.append(request)
            reply = self.server.fault(self.server, request) if self.server.fault else None
            if reply is None or reply.applied:
                self.server.apply(request)
        self._answer(reply or Reply(200))

    def _answer(self, reply: Reply) -> None:
        time.sleep(reply.after)
        if reply.status is None:
            self.close_connection = True
            return
        with contextlib.suppress(OSError):
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
