"""What stands before the application: who may come in from where, and the headers that every answer carries.

Headers follow the OWASP Secure Headers Project; requests of other sites are refused by Fetch Metadata (a
resource isolation policy), and by Origin where a browser does not send it.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warehouse.serve.hosts import Hosts
from warehouse.serve.problems import Problem

ACCESS: Final = logging.getLogger("cdp.access")
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_NOT_OURS: Final = "accelerometer camera display-capture geolocation gyroscope microphone midi payment usb"
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-permitted-cross-domain-policies": "none",
    # Not "no-referrer": with it, browsers send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": ", ".join(f"{name}=()" for name in _NOT_OURS.split()),
}
_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())
_NO_STORE: Final = (b"cache-control", b"private, no-store")
_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
WITHOUT_BODY: Final = "cdp.without_body"
"""In the scope of a request whose answer will lose its body."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FRAMES: Final = frozenset({b"object", b"embed", b"iframe", b"frame", b"fencedframe"})

# The rest of the body is not waited for.
_TOO_LONG: Final = Problem(413, "The request is too long.", headers={"Connection": "close"})


class Shield:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, hosts: Hosts, longest: int) -> None:
        self.app, self.hosts, self.longest = app, hosts, longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        # Endpoints know GET only; HEAD is GET without the body. Who logs what leaves asks for WITHOUT_BODY.
        inner = {**scope, "method": "GET", WITHOUT_BODY: True} if scope["method"] == "HEAD" else scope
        answer = _Answer(send, without_body=inner is not scope, https=self._is_https(scope))
        try:
            refused = self._refusal(scope)
            if refused is None:
                await self.app(inner, _limited(receive, self.longest), answer.send)
            else:
                await _refuse(refused, inner, receive, answer.send)
        finally:
            _log(scope["method"], inner, answer.status, time.perf_counter() - began)

    def _is_https(self, scope: Scope) -> bool:
        return bool(self.hosts.https) and self.hosts.is_https(_header(scope, b"host").decode("latin-1"))

    def _refusal(self, scope: Scope) -> Problem | None:
        names = [value for name, value in scope["headers"] if name == b"host"]
        if len(names) != 1 or not self.hosts.knows(names[0].decode("latin-1")):
            hint = "Whoever runs the server names its hosts in cdp.yaml (serve.hosts)."
            return Problem(421, "The server does not go by this name.", hint)
        if _is_of_another_site(scope, names[0]):
            return Problem(403, "Another site may not ask for this.")
        length = _header(scope, b"content-length")
        return _TOO_LONG if length.isdigit() and int(length) > self.longest else None


def _is_of_another_site(scope: Scope, host: bytes) -> bool:
    site = _header(scope, b"sec-fetch-site")
    if site in (b"same-origin", b"none"):
        return False
    if scope["method"] in _SAFE:
        is_visit = _header(scope, b"sec-fetch-mode") == b"navigate"
        return bool(site) and not (is_visit and _header(scope, b"sec-fetch-dest") not in _FRAMES)
    origin = _header(scope, b"origin")
    return bool(site) or (bool(origin) and origin.partition(b"://")[2].lower() != host.lower())


def _limited(receive: Receive, longest: int) -> Receive:
    """Return what receives a body, up to a length."""
    came = 0

    async def limited() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > longest:
            raise HTTPException(_TOO_LONG.status, _TOO_LONG.detail, dict(_TOO_LONG.headers))
        return message

    return limited


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    from warehouse.serve.failures import answer

    made = await answer(Request(scope, receive), problem)
    await made(scope, receive, send)


class _Answer:
    """An answer on its way out."""

    def __init__(self, send: Send, *, without_body: bool, https: bool) -> None:
        self._send, self._without_body, self._https = send, without_body, https
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message.get("headers", ()))
        elif self._without_body and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        # A line break would begin another header, or another answer.
        kept = [(name, value.translate(_NO_BREAKS)) for name, value in given]
        names = {name.lower() for name, _ in kept}
        kept += [header for header in _HEADERS if header[0] not in names]
        if b"cache-control" not in names:
            kept.append(_NO_STORE)
        if b"etag" in names:
            kept.append((b"vary", b"Authorization, Cookie"))
        if self._https:
            kept.append(_TRANSPORT)
        return kept


_NO_BREAKS: Final = bytes.maketrans(b"\r\n\0", b"   ")


def _log(method: str, scope: Scope, status: int, seconds: float) -> None:
    """Write the line of a request: which endpoint, never the address, which may say something of a person."""
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    caller = scope.get("state", {}).get("caller")
    key_id = caller.key_id if caller else "-"
    ACCESS.info("%s %s %d %.1f ms %s", method, template(scope), status, seconds * 1000, key_id)


def template(scope: Scope) -> str:
    """Return the template of the path that was asked for, such as ``/api/v1/profiles/{customer_id}``.

    A path that leads nowhere is ``-``: somebody may have typed a name into it.
    """
    route = scope.get("route")
    if route is None:
        is_literal = scope.get("endpoint") is not None and not scope.get("path_params")
        return scope.get("root_path") or (scope["path"] if is_literal else "-")
    relative: str = route.path_format
    asked = relative
    for name, value in scope.get("path_params", {}).items():
        asked = asked.replace(f"{{{name}}}", str(value))
    path: str = scope["path"]
    return path.removesuffix(asked) + relative if path.endswith(asked) else relative
