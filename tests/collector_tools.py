"""The collector without a server: its application called directly, on real folders and real files."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cdp import durable
from cdp.lake import WAL
from cdp.settings import Settings, parse
from connectors.batch import LandedBatch
from connectors.collector import wal
from connectors.collector.app import Collector
from connectors.collector.commit import Committer
from connectors.collector.endpoints import endpoints
from connectors.collector.room import Room
from connectors.collector.seal import Sealed, Sealer

KEY = "web-write-key-0001"
SECRET = "forms:hook-secret"
CONFIG = """
version: 1
workspace: {name: shop, region: GB}
sources:
  web: {connector: segment, write_key_env: CDP_WEB_KEY}
  app: {connector: rudderstack, write_key_env: CDP_APP_KEY}
  forms:
    connector: files
    secret_env: CDP_FORMS_SECRET
    signature: {scheme: basic}
    event: {type: form_submitted, time: at}
    identifiers: {email: email}
"""
ENVIRONMENT = {"CDP_WEB_KEY": KEY, "CDP_APP_KEY": "app-write-key-0001", "CDP_FORMS_SECRET": SECRET}
NOW = 1_795_000_000.0
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Response:
    """An answer as a client sees it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(key: str = KEY) -> tuple[str, str]:
    """Return the header with a write key."""
    return "authorization", "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def workspace_settings(more: str = "", config: str = CONFIG) -> Settings:
    """Return the settings of the workspace of these tests."""
    return parse(config + more)


class Client:
    """Calls the application; must be used on its loop."""

    def __init__(self, app: Collector) -> None:
        self.app = app

    async def __call__(
        self,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        *headers: tuple[str, str],
        method: str = "POST",
        query: str = "",
        gone: bool = False,
    ) -> Response:
        parts = [body] if isinstance(body, bytes) else list(body)
        messages = [
            {"type": "http.request", "body": part, "more_body": gone or place < len(parts) - 1}
            for place, part in enumerate(parts)
        ]
        incoming = iter([*messages, {"type": "http.disconnect"}])
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return next(incoming)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }
        await self.app(scope, receive, send)
        if not sent:
            return Response(0, {}, b"")
        names = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Response(sent[0]["status"], names, sent[1]["body"])

    async def track(self, body: Any, path: str = "/v1/batch", key: str = KEY) -> Response:
        """Send a tracking call, given as an object or as bytes."""
        return await self(path, body if isinstance(body, bytes) else json.dumps(body).encode(), basic(key))


def collecting(
    root: Path,
    work: Callable[[Client], Awaitable[_Result]],
    settings: Settings | None = None,
    clock: Callable[[], float] = lambda: NOW,
) -> _Result:
    """Have an application take what ``work`` sends it, and close its segments."""
    chosen = settings or workspace_settings()
    folder = root / WAL

    async def run() -> _Result:
        open_to = endpoints(chosen, root, ENVIRONMENT)
        durable.make_directory(folder)

        def committer() -> Committer:
            return Committer(
                folder, open_to.sources, settings=chosen.collect, room=Room(folder, chosen.collect)
            )

        app = Collector(open_to, committer, chosen.collect, clock=clock)
        app.committer = committer()
        try:
            return await work(Client(app))
        finally:
            await asyncio.to_thread(app.committer.stop)

    return asyncio.run(run())


def seal(root: Path, settings: Settings | None = None) -> list[Sealed]:
    """Land what has been collected."""
    wal.recover(root / WAL)
    with Sealer(root, settings or workspace_settings()) as sealer:
        return list(sealer.seal(sealer.waiting()))


def batches(sealed: Sequence[Sealed]) -> list[LandedBatch]:
    """Return the batches of several rounds."""
    return [batch for one in sealed for batch in one.batches.values()]


def segments(root: Path) -> list[Path]:
    """Return every file of the write-ahead folder."""
    return sorted((root / WAL).iterdir()) if (root / WAL).is_dir() else []


def requests(root: Path) -> list[wal.Request]:
    """Return every request that is in a segment, open or complete."""
    return [request for path in segments(root) for request in wal.read(path).requests]


@contextmanager
def failing(step: str, error: OSError) -> Iterator[None]:
    """Have every durable step whose name contains ``step`` fail."""

    def on_step(name: str) -> None:
        if step in name:
            raise error

    with durable.crash_hook(on_step):
        yield


EVENT = {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1"}


def answered(
    root: Path, path: str, body: bytes | list[bytes] = b"{}", *headers: tuple[str, str], **more: Any
) -> Response:
    """Send one request to a collector of its own."""
    settings = more.pop("settings", None)

    async def work(client: Client) -> Response:
        return await client(path, body, *headers, **more)

    return collecting(root, work, settings)
