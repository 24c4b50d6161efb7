"""Running the application: uvicorn on one socket, bound before anything is promised."""

from __future__ import annotations

import socket
from collections.abc import Callable

from warehouse.serve import keys, sessions
from warehouse.serve.context import Serving


def run(serving: Serving, host: str, port: int, *, say: Callable[[str], object]) -> None:
    """Serve until a signal says stop; ``say`` is told the address that signs in."""
    import uvicorn

    from warehouse.serve.app import create_app

    bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    code = sessions.new_link(serving.store, keys.owner(serving.store, serving.now()), serving.now())
    name = f"[{host}]" if ":" in host else host
    say(f"Serving on http://{name}:{bound.getsockname()[1]}/sign-in/{code}")
    config = uvicorn.Config(
        create_app(serving), loop="uvloop", http="httptools", log_level="warning", access_log=False,
        server_header=False, proxy_headers=False,
    )  # fmt: skip
    uvicorn.Server(config).run([bound])
