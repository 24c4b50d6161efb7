"""Running the application: uvicorn on one socket, bound before anything is promised."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from warehouse.serve import keys, sessions
from warehouse.serve.context import Serving

MOST_CONNECTIONS = 1_024


@dataclass(frozen=True)
class Running:
    """Where the server listens, and the code that signs its owner in, once."""

    host: str
    port: int
    code: str

    @property
    def address(self) -> str:
        """What the owner opens. A browser on this machine reaches a server that listens everywhere."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be told apart, not to be bound
        host = everywhere.get(self.host, self.host)
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.port}/sign-in/{self.code}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def run(serving: Serving, host: str, port: int, *, started: Callable[[Running], object]) -> None:
    """Serve until a signal says stop; ``started`` is told where, once the server listens.

    Raises :class:`~cdp.errors.UsageError` where the address cannot be listened on.
    """
    from cdp.wire.server import Address, HttpServer, bind
    from warehouse.serve.app import create_app

    bound = bind(Address(host, port))
    names = (host,) if Running(host, port, "").is_local else (host, socket.gethostname())
    server = HttpServer(
        create_app(serving, names), serving.settings.serve.request_seconds, connections=MOST_CONNECTIONS
    )

    def announce(port: int) -> None:
        code = sessions.new_link(serving.store, keys.owner(serving.store, serving.now()), serving.now())
        started(Running(host, port, code))

    server.serve_on(bound, announce)
