"""Running an ASGI application on one socket, bound before anything is promised, until a signal says stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from cdp.errors import UsageError
from cdp.wire.protocol import Protocol, cut_off_the_slow

MOST_CONNECTIONS: Final = 4_096
KEEP_ALIVE_SECONDS: Final = 30
GRACE_SECONDS: Final = 10


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


class HttpServer(uvicorn.Server):
    """A server that says when it listens, and cuts off clients that take longer than ``seconds``."""

    def __init__(self, app: Any, seconds: float, *, connections: int = MOST_CONNECTIONS) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            proxy_headers=False,
            loop="uvloop",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=connections,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._seconds = seconds
        self._announce: Callable[[int], object] = lambda _: None
        self._connections = connections

    def serve_on(self, bound: socket.socket, started: Callable[[int], object]) -> None:
        """Serve until a signal says stop; ``started`` is called with the port once it listens."""
        self._announce = started
        allow_connections(self._connections)
        # What a stranger sends is no news; what fails in here is.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        with _signals_of_ours():
            self.run([bound])

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        if self.started:
            watch = cut_off_the_slow(self.server_state.connections, self._seconds)  # type: ignore[arg-type]  # all ours
            self._watch = asyncio.create_task(watch)
            self._announce(self.servers[0].sockets[0].getsockname()[1])


def bind(address: Address) -> socket.socket:
    """Return a socket that listens. Raises :class:`UsageError`."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"Nothing can listen on {address.host}, port {address.port}: {error.strerror or error}.",
            hint="Name another with --host and --port; --port 0 takes one that is free.",
        ) from None


def allow_connections(most: int) -> None:
    """Let this process have as many files open as the system allows it; a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + 512 if hard == resource.RLIM_INFINITY else min(hard, most + 512)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def _signals_of_ours() -> Iterator[None]:
    """Have the signals that stop the server do no more than that: it raises them again when it has stopped."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
