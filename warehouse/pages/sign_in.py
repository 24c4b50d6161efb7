"""Signing in: by the link that `cdp serve` prints, or with an API key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from warehouse.pages.templating import page
from warehouse.serve import keys, sessions
from warehouse.serve.access import PageReads, ServingDep

router = APIRouter()


def _with_session(request: Request, token: str) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        sessions.COOKIE,
        token,
        max_age=int(sessions.LIFETIME.total_seconds()),
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
    return answer


@router.get("/sign-in")
def form(request: Request) -> HTMLResponse:
    """Show the form."""
    return page(request, "sign_in.html", None, problem=None)


@router.get("/sign-in/{code}")
def by_link(request: Request, code: str, serving: ServingDep) -> Response:
    """Follow a link that `cdp serve` printed."""
    token = sessions.follow_link(serving.store, code, serving.now())
    if token is None:
        problem = "This link has been used or is too old. Start `cdp serve` again for a new one."
        return page(request, "sign_in.html", None, status=403, problem=problem)
    return _with_session(request, token)


@router.post("/sign-in")
def by_key(request: Request, key: Annotated[str, Form()], serving: ServingDep) -> Response:
    """Sign in with an API key."""
    caller = keys.check(serving.store, key.strip(), serving.now())
    if caller is None:
        problem = "This key is unknown, expired or revoked."
        return page(request, "sign_in.html", None, status=403, problem=problem)
    return _with_session(request, sessions.begin(serving.store, caller.key_id, serving.now()))


@router.post("/sign-out")
def out(request: Request, caller: PageReads, serving: ServingDep) -> Response:
    """Close the session."""
    del caller
    sessions.end(serving.store, request.cookies[sessions.COOKIE])
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(sessions.COOKIE)
    return answer
