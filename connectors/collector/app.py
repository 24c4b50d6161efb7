"""The collector as an ASGI application: no framework, one function from a request to an answer.

An event is acknowledged when it is on disk, and not before. What is answered is what real clients act on:
200 when everything is kept (what an event lacks is told later, in quarantine), 400 for a body that nobody can
read, 401 and 403 for strangers, 413 for too much at once, 429 with Retry-After when more comes than the disk
takes, 503 when the disk fails. Clients send again what got 429, 5xx or no answer; the events' ids make that
harmless.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from cdp.settings.collecting import CollectSettings
from connectors.collector import bodies, pages, tracking
from connectors.collector.commit import Committer, FullError, NotDurableError
from connectors.collector.counters import NOBODY, Counters
from connectors.collector.endpoints import Endpoints, Hook
from connectors.collector.responses import RefusedError, Scope, Send, preflight, send_answer, write_keys
from connectors.collector.wal import MOST_KIND, Request
from connectors.collector.webhooks import Answer, Delivery

OK: Final = pages.OK
MOST_READING: Final = 256 << 20
"""Bytes of all bodies together that are on their way in."""
_IMAGE: Final = Answer(200, tracking.GIF, ((b"content-type", b"image/gif"), (b"cache-control", b"no-store")))
_RETRY: Final = (b"retry-after", b"1")
_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="cdp"')  # some services send a password only then
_FOR_NOW: Final = ("no_certificate",)
"""Reasons that may pass: the service is to try again."""
_HOOKS: Final = "/hooks/"
_MOST_QUERY_FIELDS: Final = 200


class Collector:
    """The application. ``committer`` makes its writer, on the running loop, when the server starts.

    ``connections`` counts the open ones, ``unlanded`` the bytes that wait to be landed.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        committer: Callable[[], Committer],
        settings: CollectSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.endpoints, self.settings, self._make, self._clock = endpoints, settings, committer, clock
        self.committer: Committer | None = None
        self.counters = Counters()
        self.connections: Callable[[], int] = int
        self.unlanded: Callable[[], int] = int
        self._reading = bodies.Budget(max(MOST_READING, 2 * settings.max_batch_bytes))

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except RefusedError as refusal:
                self.counters.refuse(refusal.source, refusal.reason)
                answer = refusal.answer
            except bodies.GoneError:
                return
            await send_answer(send, scope, answer)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _lifespan(self, receive: bodies.Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.committer = self._make()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self.committer is not None:
                    await asyncio.to_thread(self.committer.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: bodies.Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            return Answer(204, b"", preflight(scope["headers"]))
        kind = tracking.PATHS.get(path)
        if kind is None:
            path = tracking.plain(path)
            kind = tracking.PATHS.get(path)
        if kind is not None:
            return await self._track(scope, receive, kind)
        if path.startswith(_HOOKS):
            return await self._deliver(scope, receive, path[len(_HOOKS) :])
        if path == tracking.METRICS_PATH and method == "POST":
            await self._raw(receive)
            return OK
        if method not in ("GET", "HEAD"):
            raise RefusedError(404, "not_found")
        query = _fields(scope["query_string"].decode("latin-1"))
        called = tracking.pixel(path, query)
        if called is not None:
            return await self._see(scope, *called)
        return self._page(scope, path)

    def _page(self, scope: Scope, path: str) -> Answer:
        match path:
            case "/healthz":
                return OK
            case "/readyz":
                return pages.readiness(self.committer)
            case "/metrics":
                return pages.metrics(self.counters, self.committer, self.connections(), self.unlanded())
        return pages.client_settings(scope, self.endpoints, self._base(scope))

    def _base(self, scope: Scope) -> str:
        """Return our address as clients know it."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        host = next((value for name, value in scope["headers"] if name == b"host"), b"localhost")
        return f"{scope['scheme']}://{host.decode('latin-1')}"

    async def _track(self, scope: Scope, receive: bodies.Receive, kind: str) -> Answer:
        """Keep the events of a tracking client."""
        if scope["method"] != "POST":
            raise RefusedError(405, "method_not_allowed", (b"allow", b"POST, OPTIONS"))
        source = self._source(write_keys(scope))
        raw = await self._raw(receive)
        body = self._unpacked(raw)
        if source is None and not any(key.encode() in body for key in self.endpoints.keys):
            raise RefusedError(401, "unknown_write_key")  # before anything of a stranger is parsed
        call = tracking.understand(body)
        if call is None:
            raise RefusedError(400, "invalid_json", source=source or NOBODY)
        source = source or self._source([call.write_key or ""])
        if source is None:
            raise RefusedError(401, "unknown_write_key")
        await self._keep_call(source, kind, body, call)
        return OK

    async def _see(self, scope: Scope, kind: str, body: bytes) -> Answer:
        """Keep the call of an image's address; the image is shown whatever becomes of it."""
        call = tracking.understand(body)
        source = self._source([*write_keys(scope), (call and call.write_key) or ""])
        if call is None or call.is_batch or source is None:
            self.counters.refuse(source or NOBODY, "invalid_pixel" if source else "unknown_write_key")
        else:
            await self._keep_call(source, kind, body, call)
        return _IMAGE

    def _source(self, keys: Iterable[str]) -> str | None:
        """Return the source of the first key that is known."""
        return next((self.endpoints.keys[key] for key in keys if key in self.endpoints.keys), None)

    async def _keep_call(self, source: str, kind: str, body: bytes, call: tracking.Call) -> None:
        if not call.is_batch and call.longest > self.settings.max_event_bytes:
            raise RefusedError(413, "event_too_large", source=source)
        if call.events > self.settings.max_batch_events:
            raise RefusedError(413, "too_many_events", source=source)
        if call.events:
            single = "" if kind == tracking.BATCH else kind
            kind = tracking.BATCH if call.is_batch else single
            await self._keep(Request(int(self._clock() * 1e6), source, True, kind, body), call.events)

    async def _deliver(self, scope: Scope, receive: bodies.Receive, name: str) -> Answer:
        """Keep what a service delivers, if it is the one that it says it is."""
        hook = self.endpoints.hooks.get(name)
        if hook is None:
            raise RefusedError(404, "unknown_source")
        delivery = self._delivery(scope, await self._raw(receive))
        # What may fetch a certificate must not make all others wait for it.
        greeting = (
            await asyncio.to_thread(_examine, hook, delivery) if hook.asks else _examine(hook, delivery)
        )
        if greeting is not None:
            return greeting
        kind = hook.scheme.kind(delivery)[:MOST_KIND]
        body = self._unpacked(delivery.body)
        await self._keep(Request(int(delivery.received * 1e6), name, False, kind, body), 1)
        return hook.scheme.answer

    def _delivery(self, scope: Scope, raw: bytes) -> Delivery:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        query = scope["query_string"].decode("latin-1")
        url = self._base(scope) + scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        return Delivery(scope["method"], url, _fields(query), headers, raw, self._clock())

    async def _raw(self, receive: bodies.Receive) -> bytes:
        try:
            return await bodies.read(receive, self.settings.max_batch_bytes, self._reading)
        except bodies.TooLargeError:  # the rest is read and dropped, so that the client reads the answer
            raise RefusedError(413, "body_too_large") from None
        except bodies.BusyError:
            raise RefusedError(429, "too_much", _RETRY) from None

    def _unpacked(self, raw: bytes) -> bytes:
        try:
            return bodies.unpacked(raw, self.settings.max_batch_bytes)
        except bodies.TooLargeError:
            raise RefusedError(413, "body_too_large") from None
        except bodies.UnreadableError as error:
            raise RefusedError(400, str(error)) from None

    async def _keep(self, request: Request, events: int) -> None:
        """Return when the request is durable."""
        source = request.source
        if self.committer is None:
            raise RefusedError(503, "not_started", _RETRY, source=source)
        try:
            await self.committer.commit(request, events)
        except FullError:
            raise RefusedError(429, "too_much", _RETRY, source=source) from None
        except NotDurableError:
            raise RefusedError(503, "not_durable", _RETRY, source=source) from None
        self.counters.took(source, events, len(request.body))


def _examine(hook: Hook, delivery: Delivery) -> Answer | None:
    """Return the answer to a handshake; None for a genuine delivery. Anything else is refused."""
    greeting = hook.scheme.greet(delivery, hook.keys)
    if greeting is not None:
        return greeting
    if delivery.method != "POST":
        raise RefusedError(405, "method_not_allowed", (b"allow", b"POST"), source=hook.source)
    problem = hook.scheme.verify(delivery, hook.keys)
    if problem is None:
        return None
    if problem in _FOR_NOW:
        raise RefusedError(503, problem, _RETRY, source=hook.source)
    if problem.startswith("missing"):
        raise RefusedError(401, problem, _CHALLENGE, source=hook.source)
    raise RefusedError(403, problem, source=hook.source)


def _fields(query: str) -> Mapping[str, str]:
    """Return the parameters of a query, the first of each name."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))
