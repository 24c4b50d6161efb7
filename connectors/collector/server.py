"""The collector's process: the HTTP server, its writer, and beside it the process that lands what is written.

Landing has a process of its own, so that it takes no time from answering. It lands every segment that is
complete, tells what it did by a line of JSON each on its standard output, and ends when its standard input is
closed (so also when the server dies) and everything has landed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from cdp import durable
from cdp.errors import UsageError
from cdp.lake import WAL, Lake
from connectors.collector import wal
from connectors.collector.app import Collector
from connectors.collector.commit import Committer
from connectors.collector.endpoints import Endpoints
from connectors.collector.protocol import Protocol, cut_off_the_slow
from connectors.collector.room import Room

if TYPE_CHECKING:
    from cdp.settings import Settings

MOST_CONNECTIONS: Final = 4_096
GRACE_SECONDS: Final = 10
RESTART_SECONDS: Final = 1.0

Told = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Address:
    """Where the collector listens."""

    host: str
    port: int


class SealerProcess:
    """The child that lands segments; it is started again should it die.

    ``command`` is what runs it; ``told`` is called (in a thread) with each thing that it says.
    """

    def __init__(self, command: Sequence[str], told: Told) -> None:
        self._command, self._told = list(command), told
        self._finishing = threading.Event()
        self._child = self._start()
        self._thread = threading.Thread(target=self._watch, name="seal", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Have everything landed that is complete, and wait for the child to end."""
        self._finishing.set()
        self._let_end()
        self._thread.join()

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C at a terminal is for the server, which then lets the child finish.
        return subprocess.Popen(  # noqa: S603 - our own command
            self._command, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )

    def _let_end(self) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()

    def _watch(self) -> None:
        while True:
            status = self._follow()
            if self._finishing.is_set() and status == 0:
                return
            self._tell({"problems": {"sealer": f"ended with status {status}; it is started again"}})
            if self._finishing.wait(RESTART_SECONDS) and status:
                return  # what has not landed does so at the next start
            self._start_again()
            if self._finishing.is_set():
                self._let_end()

    def _follow(self) -> int:
        """Pass on what the child says, until it ends."""
        for line in self._child.stdout or ():
            with contextlib.suppress(ValueError):
                self._tell(json.loads(line))
        return self._child.wait()

    def _tell(self, what: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # where nobody can be told, work goes on
            self._told(what)

    def _start_again(self) -> None:
        while not self._finishing.is_set():
            try:
                self._child = self._start()
            except OSError:  # too many files or processes, for now
                self._finishing.wait(RESTART_SECONDS)
            else:
                return


class Server:
    """A collector at work: ``run`` returns when it has been told to stop and everything has landed."""

    def __init__(
        self, workspace: Path, settings: Settings, endpoints: Endpoints, sealer: Sequence[str], told: Told
    ) -> None:
        self._folder = Lake(workspace).path(WAL)
        durable.make_directory(self._folder)
        wal.recover(self._folder)
        self._settings, self._sealer_command, self._told = settings.collect, sealer, told
        self._sources = endpoints.sources
        self.app = Collector(endpoints, self._committer, settings.collect)

    def _committer(self) -> Committer:
        room = Room(self._folder, self._settings)
        self.app.unlanded = lambda: room.unlanded
        return Committer(self._folder, self._sources, settings=self._settings, room=room)

    def run(self, address: Address, started: Callable[[int], None]) -> None:
        """Serve until a signal says stop; ``started`` is called with the port once it listens.

        Raises :class:`UsageError` where the address cannot be listened on.
        """
        listening = _listen(address)
        _allow_connections()
        sealer = SealerProcess(self._sealer_command, self._told)
        config = uvicorn.Config(
            self.app,
            http=Protocol,
            ws="none",
            proxy_headers=False,
            loop="uvloop",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What a stranger sends is no news; what fails in here is.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        server = _Announcing(config, started, self._settings.request_seconds)
        self.app.connections = lambda: len(server.server_state.connections)
        try:
            with _signals_of_ours():
                server.run([listening])
        finally:
            sealer.finish()


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"Nothing can listen on {address.host}, port {address.port}: {error.strerror or error}.",
            hint="Name another with --host and --port; --port 0 takes one that is free.",
        ) from None


def _allow_connections() -> None:
    """Let this process have as many files open as the system allows it; a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 512 if hard == resource.RLIM_INFINITY else min(hard, MOST_CONNECTIONS + 512)
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


class _Announcing(uvicorn.Server):
    """A server that says when it listens, and cuts off clients that take too long."""

    def __init__(self, config: uvicorn.Config, started: Callable[[int], None], seconds: float) -> None:
        super().__init__(config)
        self._announce, self._seconds = started, seconds

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        if self.started:
            watch = cut_off_the_slow(self.server_state.connections, self._seconds)  # type: ignore[arg-type]  # all ours
            self._watch = asyncio.create_task(watch)
            self._announce(self.servers[0].sockets[0].getsockname()[1])


def sealer_command(workspace: Path) -> list[str]:
    """Return the command of the process that lands segments."""
    return [sys.executable, "-P", "-m", "cdp", "collect", "--seal", "-w", str(workspace)]
