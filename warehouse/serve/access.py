"""Dependencies of the endpoints: the workspace, who asks, the release that answers.

They are coroutines on purpose: what they do takes microseconds, and a hop to another thread takes more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from warehouse.serve import keys, sessions
from warehouse.serve.context import Serving
from warehouse.serve.hosts import Hosts
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import ADMIN, IDENTITY, READ, READ_PII, SEGMENTS, Caller

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"


def is_own_path(path: str) -> bool:
    r"""Whether a path leads to a page of ours, so that a sign-in may go on to it.

    >>> is_own_path("/customers/C1"), is_own_path("//evil.example"), is_own_path("/\\\\evil.example")
    (True, False, False)
    """
    return path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path


class NotSignedInError(Exception):
    """A page was asked for without a session: the answer leads to the sign-in page."""


async def serving(request: Request) -> Serving:
    """Return the workspace that is being served."""
    found: Serving = request.app.state.serving
    return found


ServingDep = Annotated[Serving, Depends(serving)]


async def reader(request: Request) -> AsyncIterator[Reader]:
    """Pin the current release until the answer has left."""
    releases = request.app.state.serving.releases
    # Opening a new release takes a moment: in a thread, while the others read the one before.
    found = releases.pin() if releases.is_open() else await run_in_threadpool(releases.pin)
    try:
        yield found
    finally:
        releases.unpin(found)


ReaderDep = Annotated[Reader, Depends(reader)]


def is_https(request: Request) -> bool:
    """Whether the browser came over TLS, which a proxy of ours ended."""
    hosts: Hosts = request.app.state.hosts
    return hosts.is_https(request.headers.get("host", ""))


def session_token(request: Request) -> str | None:
    """Return the session's cookie."""
    return request.cookies.get(sessions.HTTPS_COOKIE if is_https(request) else sessions.COOKIE)


def _by_key(request: Request, serving: Serving) -> Caller | None:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return keys.check(serving.store, text.strip(), serving.now()) if kind.lower() == "bearer" else None


async def caller_of_session(request: Request) -> Caller | None:
    """Return who is signed in, or None. It only says who reads; see :func:`page_caller` for who may act."""
    serving: Serving = request.app.state.serving
    token = session_token(request)
    return sessions.find(serving.store, token, serving.now(), serving.lifetimes) if token else None


async def _by_session(request: Request) -> Caller | None:
    found = await caller_of_session(request)
    if found is not None and request.method not in _SAFE_METHODS:
        await _check_csrf(request, found)
    return found


async def _check_csrf(request: Request, caller: Caller) -> None:
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        form = await request.form()
        given = str(form.get(CSRF_FIELD, ""))
    if not sessions.is_csrf_token(caller, given):
        raise HTTPException(403, "This form is out of date: load the page again.")


def _admit(request: Request, serving: Serving, caller: Caller, scope: str, lacks: str) -> Caller:
    request.state.caller = caller
    serving.spend_request(caller)
    if not caller.may(scope):
        raise HTTPException(403, f"{lacks} the scope {scope!r}.")
    return caller


def api_caller(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency: the caller of the API, who must have ``scope``. 401 and 403 say what is missing."""

    # Without dependencies of its own: each costs a request some 20 microseconds.
    async def dependency(request: Request) -> Caller:
        serving: Serving = request.app.state.serving
        caller = _by_key(request, serving) or await _by_session(request)
        if caller is None:
            raise HTTPException(401, "An API key is missing or unknown.", {"WWW-Authenticate": "Bearer"})
        return _admit(request, serving, caller, scope, "This key lacks")

    return dependency


def page_caller(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency: the caller of a page, who must be signed in and have ``scope``."""

    # Without dependencies of its own: each costs a request some 20 microseconds.
    async def dependency(request: Request) -> Caller:
        serving: Serving = request.app.state.serving
        caller = await _by_session(request)
        if caller is None:
            raise NotSignedInError
        return _admit(request, serving, caller, scope, "You lack")

    return dependency


ApiReads = Annotated[Caller, Depends(api_caller(READ))]
ApiReadsPersonal = Annotated[Caller, Depends(api_caller(READ_PII))]
ApiSegments = Annotated[Caller, Depends(api_caller(SEGMENTS))]
ApiIdentity = Annotated[Caller, Depends(api_caller(IDENTITY))]
ApiAdmin = Annotated[Caller, Depends(api_caller(ADMIN))]
PageReads = Annotated[Caller, Depends(page_caller(READ))]
PageSegments = Annotated[Caller, Depends(page_caller(SEGMENTS))]
PageIdentity = Annotated[Caller, Depends(page_caller(IDENTITY))]
PageAdmin = Annotated[Caller, Depends(page_caller(ADMIN))]
