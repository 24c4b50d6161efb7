"""Errors become answers: problem+json under ``/api``, a page for people, a fragment for htmx."""

from __future__ import annotations

import logging
import secrets
import traceback
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from cdp.errors import CdpError
from warehouse.serve import problems
from warehouse.serve.access import NotSignedInError, caller_of_session, is_own_path
from warehouse.serve.problems import Problem

LOG: Final = logging.getLogger("cdp.serve")
_MOST_FRAMES: Final = 12
LOGGED: Final = "logged"
LONGEST_ONWARD: Final = 2_000
"""Characters of an address that a sign-in leads on to."""


class ProblemResponse(JSONResponse):
    """An answer of RFC 9457."""

    media_type = problems.MEDIA_TYPE


def add_handlers(app: FastAPI) -> None:
    """Have the application answer every error."""
    app.add_exception_handler(NotSignedInError, _to_sign_in)
    app.add_exception_handler(CdpError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)


def wants_api(request: Request) -> bool:
    """Whether the request is one of the API."""
    return request.url.path.startswith("/api/")


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


async def answer(request: Request, problem: Problem) -> Response:
    """Return a problem in the form that the request can read."""
    if wants_api(request):
        return ProblemResponse(problem.details(), problem.status, dict(problem.headers))
    from warehouse.pages.templating import page

    caller = request.state.caller = await caller_of_session(request)
    template = "_problem.html" if is_fragment(request) else "problem.html"
    made = page(request, template, caller, status=problem.status, problem=problem)
    made.headers.update(problem.headers)
    return made


async def _to_sign_in(request: Request, error: Exception) -> Response:
    del error
    if is_fragment(request):
        # The page stays, with what was entered: app.js says where to sign in.
        return Response(status_code=401, headers={"HX-Reswap": "none"})
    path, query = request.url.path, request.url.query
    if query and len(path) + len(query) < LONGEST_ONWARD:
        path = f"{path}?{query}"
    goes_on = request.method == "GET" and path != "/" and is_own_path(path)
    return RedirectResponse(f"/sign-in?next={quote(path)}" if goes_on else "/sign-in", 303)


async def _ours(request: Request, error: Exception) -> Response:
    problem = problems.of_error(error) if isinstance(error, CdpError) else None
    return await answer(request, problem) if problem else await _unexpected(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    return await answer(request, problems.of_http(error))


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for no other
    return await answer(request, problems.of_validation(error))


async def _unexpected(request: Request, error: Exception) -> Response:
    error_id = secrets.token_hex(6)
    write_down(error, error_id)
    is_outdated = _lacks_something(error) and await run_in_threadpool(_reads_an_older_release, request)
    return await answer(request, problems.OUTDATED if is_outdated else problems.unexpected(error_id))


def _lacks_something(error: Exception) -> bool:
    """Whether DuckDB missed a table or a column."""
    import duckdb

    return isinstance(error, duckdb.CatalogException | duckdb.BinderException)


def _reads_an_older_release(request: Request) -> bool:
    with request.app.state.serving.releases.reading() as reader:
        return bool(reader.is_outdated())


def write_down(error: BaseException, error_id: str) -> None:
    """Log where an error arose, under its id."""
    error.add_note(LOGGED)
    LOG.error("error %s: %s", error_id, places(error))


def places(error: BaseException) -> str:
    """Return an error's class, those of its causes, and the lines of code. Its message may quote personal data.

    >>> places(ValueError("jane@mail.example"))
    'ValueError at '
    """
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    lines = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    classes = [type(error).__name__]
    cause = error.__cause__ or error.__context__
    while cause is not None:
        classes.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return f"{' from '.join(classes)} at {lines}"
