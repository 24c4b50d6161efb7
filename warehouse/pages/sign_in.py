"""Signing in: by the link that `cdp serve` prints, or with an API key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from warehouse.pages.templating import page
from warehouse.serve import keys, limits, sessions
from warehouse.serve.access import PageReads, ServingDep, is_https, is_own_path, session_token
from warehouse.serve.context import Serving
from warehouse.serve.failures import LOG, LONGEST_ONWARD

router = APIRouter()
START = "/"


@router.get("/sign-in")
def form(request: Request, next: str = START) -> HTMLResponse:
    """Show the form."""
    return _form(request, onward=next)


@router.get("/sign-in/{code}")
def by_link(request: Request, code: str, serving: ServingDep) -> Response:
    """Follow a link that `cdp serve` printed."""
    address = _check_attempts(request, serving)
    token = sessions.follow_link(serving.store, code, serving.now(), serving.lifetimes)
    if token is None and sessions.find(
        serving.store, session_token(request) or "", serving.now(), serving.lifetimes
    ):
        return RedirectResponse(START, 303)
    if token is None:
        _count_failure(serving, address)
        problem = "This link has been used or is too old. Start `cdp serve` again for a new one."
        return _form(request, problem=problem)
    return _with_session(request, serving, token, START)


@router.post("/sign-in")
def by_key(
    request: Request,
    key: Annotated[str, Form(max_length=200)],
    serving: ServingDep,
    next: Annotated[str, Form(max_length=LONGEST_ONWARD)] = START,
) -> Response:
    """Sign in with an API key."""
    address = _check_attempts(request, serving)
    caller = keys.check(serving.store, key.strip(), serving.now())
    if caller is None:
        _count_failure(serving, address)
        return _form(request, problem="This key is unknown, expired or revoked.", onward=next)
    token = sessions.begin(serving.store, caller.key_id, serving.now(), serving.lifetimes)
    return _with_session(request, serving, token, next if is_own_path(next) else START)


@router.post("/sign-out")
def out(request: Request, caller: PageReads, serving: ServingDep) -> Response:
    """Close the session."""
    serving.audit(caller, "session.end")
    sessions.end(serving.store, session_token(request) or "")
    answer = RedirectResponse("/sign-in", 303)
    secure = is_https(request)
    name = sessions.HTTPS_COOKIE if secure else sessions.COOKIE
    answer.delete_cookie(name, httponly=True, secure=secure, samesite="lax")
    return answer


def _form(request: Request, *, problem: str | None = None, onward: str = START) -> HTMLResponse:
    onward = onward if is_own_path(onward) else START
    status = 403 if problem else 200
    return page(request, "sign_in.html", None, status=status, problem=problem, onward=onward)


def _check_attempts(request: Request, serving: Serving) -> str:
    """Return the client's address, from which attempts are counted. Raises TooManyError."""
    address = request.client.host if request.client else ""
    limits.check_sign_in(serving.buckets, address)
    return address


def _count_failure(serving: Serving, address: str) -> None:
    LOG.warning("a sign-in was refused")
    limits.count_failed_sign_in(serving.buckets, address)


def _with_session(request: Request, serving: Serving, token: str, onward: str) -> Response:
    """Lead on with a new session; one that the browser had before ends (it may have been given to it)."""
    before = session_token(request)
    if before:
        sessions.end(serving.store, before)
    caller = sessions.find(serving.store, token, serving.now(), serving.lifetimes)
    if caller is not None:
        request.state.caller = caller
        serving.audit(caller, "session.begin")
    answer = RedirectResponse(onward, 303)
    secure = is_https(request)
    answer.set_cookie(
        sessions.HTTPS_COOKIE if secure else sessions.COOKIE,
        token,
        max_age=int(serving.lifetimes.longest.total_seconds()),
        httponly=True,
        secure=secure,
        samesite="lax",
    )
    return answer
