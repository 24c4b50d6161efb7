"""The collector's process: the HTTP server, its writer, and beside it the process that lands what is written.

Landing has a process of its own, so that it takes no time from answering. It lands every segment that is
complete, tells what it did by a line of JSON each on its standard output, and ends when its standard input is
closed (so also when the server dies) and everything has landed.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp import durable
from cdp.lake import WAL, Lake
from cdp.wire.server import Address, HttpServer, bind
from connectors.collector import wal
from connectors.collector.app import Collector
from connectors.collector.commit import Committer
from connectors.collector.endpoints import Endpoints
from connectors.collector.room import Room

if TYPE_CHECKING:
    from cdp.settings import Settings

RESTART_SECONDS: Final = 1.0

Told = Callable[[dict[str, Any]], None]


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
        listening = bind(address)
        server = HttpServer(self.app, self._settings.request_seconds)
        self.app.connections = lambda: len(server.server_state.connections)
        sealer = SealerProcess(self._sealer_command, self._told)
        try:
            server.serve_on(listening, started)
        finally:
            sealer.finish()


def sealer_command(workspace: Path) -> list[str]:
    """Return the command of the process that lands segments."""
    return [sys.executable, "-P", "-m", "cdp", "collect", "--seal", "-w", str(workspace)]
