"""Answers on the wire: status, headers, and what browsers ask before they send (CORS)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from connectors.collector import tracking
from connectors.collector.counters import NOBODY
from connectors.collector.webhooks import JSON_TYPE, Answer

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class RefusedError(Exception):
    """A request is refused: with what answer, for what reason, and of which source it was ('-': of none)."""

    def __init__(self, status: int, reason: str, *headers: Header, source: str = NOBODY) -> None:
        super().__init__(reason)
        self.reason, self.source = reason, source
        self.answer = refused(status, reason, *headers)


def refused(status: int, reason: str, *headers: Header) -> Answer:
    """Return an answer that says what was wrong, in a word.

    Clients for Python read ``code`` and ``message``; RudderStack's takes an answer without them for a network
    that fails, and sends again for minutes what can never be taken.
    """
    told = {"success": False, "error": reason, "code": reason, "message": reason}
    return Answer(status, json.dumps(told).encode(), (JSON_TYPE, *headers))


def preflight(headers: Iterable[Header]) -> tuple[Header, ...]:
    """Return the headers that let a page of any origin send: a write key is no secret, and no cookie counts."""
    wanted = dict(headers)
    return (
        (b"access-control-allow-origin", wanted.get(b"origin", b"*")),
        (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
        (b"access-control-allow-headers", wanted.get(b"access-control-request-headers", b"*")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"origin"),
    )


def write_keys(scope: Scope) -> Iterator[str]:
    """Yield what a request gives as its write key, before its body: its authorization, and its query."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            found = tracking.basic_user(value)
            if found:
                yield found
    asked = tracking.query_key(scope["query_string"])
    if asked:
        yield asked


def _origin(headers: Iterable[Header]) -> bytes | None:
    return next((value for name, value in headers if name == b"origin"), None)


async def send_answer(send: Send, scope: Scope, answer: Answer) -> None:
    """Send an answer, readable for the page that asked."""
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    origin = None if scope["method"] == "OPTIONS" else _origin(scope["headers"])
    if origin is not None:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"retry-after"),  # else a page's client does not see it
            (b"vary", b"origin"),
        ]
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
    except RuntimeError as error:
        if "closed" not in str(error):  # the client has gone: what it sent is kept all the same
            raise
