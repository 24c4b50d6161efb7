"""Dependencies of the endpoints: the workspace, who asks, the release that answers.

They are coroutines on purpose: what they do takes microseconds, and a hop to another thread takes more.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request

from warehouse.serve import keys, sessions
from warehouse.serve.context import Serving
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import ADMIN, IDENTITY, READ, READ_PII, SEGMENTS, Caller

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"


class NotSignedInError(Exception):
    """A page was asked for without a session: the answer leads to the sign-in page."""


async def serving(request: Request) -> Serving:
    """Return the workspace that is being served."""
    found: Serving = request.app.state.serving
    return found


ServingDep = Annotated[Serving, Depends(serving)]


async def reader(serving: ServingDep) -> AsyncIterator[Reader]:
    """Pin the current release until the answer has been made."""
    with serving.releases.reading() as found:
        yield found


ReaderDep = Annotated[Reader, Depends(reader)]


def _by_key(request: Request, serving: Serving) -> Caller | None:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return keys.check(serving.store, text.strip(), serving.now()) if kind.lower() == "bearer" else None


async def caller_of_session(request: Request) -> Caller | None:
    """Return who is signed in, or None. It only says who reads; see :func:`page_caller` for who may act."""
    serving: Serving = request.app.state.serving
    token = request.cookies.get(sessions.COOKIE)
    return sessions.find(serving.store, token, serving.now()) if token else None


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
    if not hmac.compare_digest(given.encode(), (caller.csrf_token or "").encode()):
        raise HTTPException(403, "This form is out of date: load the page again.")


def api_caller(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency: the caller of the API, who must have ``scope``. 401 and 403 say what is missing."""

    async def dependency(request: Request, serving: ServingDep) -> Caller:
        caller = _by_key(request, serving) or await _by_session(request)
        if caller is None:
            raise HTTPException(401, "An API key is missing or unknown.", {"WWW-Authenticate": "Bearer"})
        if not caller.may(scope):
            raise HTTPException(403, f"This key lacks the scope {scope!r}.")
        return caller

    return dependency


def page_caller(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency: the caller of a page, who must be signed in and have ``scope``."""

    async def dependency(request: Request) -> Caller:
        caller = await _by_session(request)
        if caller is None:
            raise NotSignedInError
        if not caller.may(scope):
            raise HTTPException(403, f"You lack the scope {scope!r}.")
        return caller

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
