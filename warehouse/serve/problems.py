"""What went wrong with a request, as HTTP says it: RFC 9457 (problem details) for the API, a page for people.

What an answer says of an error never holds personal data or inner parts of the server: errors of the caller say
what was expected; everything else is an id, under which the log has the rest.
"""

from __future__ import annotations

import http
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from cdp.errors import CdpError, ConflictError, LockedError, NotFoundError, UsageError

MEDIA_TYPE: Final = "application/problem+json"
NOT_READY_SECONDS: Final = 30
_MOST_FIELDS: Final = 20


class NotReadyError(CdpError):
    """The server cannot answer yet, or for now: ask again later (503)."""


class TooManyError(CdpError):
    """The caller has asked for more than it may: again in ``seconds`` (429)."""

    def __init__(self, message: str, *, seconds: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds


class FieldProblem(BaseModel):
    """One member of the request that is not as expected."""

    where: str
    message: str


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[FieldProblem] | None = None
    error_id: str | None = None


@dataclass(frozen=True)
class Problem:
    """An error on its way to whoever asked."""

    status: int
    detail: str
    hint: str | None = None
    errors: Sequence[FieldProblem] = ()
    error_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of the status."""
        return http.HTTPStatus(self.status).phrase

    def details(self) -> dict[str, Any]:
        """Return the body of RFC 9457, without members that have nothing to say."""
        given = ProblemDetails(
            title=self.title, status=self.status, detail=self.detail, hint=self.hint,
            errors=list(self.errors) or None, error_id=self.error_id,
        )  # fmt: skip
        return given.model_dump(exclude_none=True)


OUTDATED: Final = Problem(
    503, "The release was made by an older cdp and lacks what this asks for.", "`cdp publish` makes it anew."
)


def of_error(error: CdpError) -> Problem | None:
    """Return what a caller is told of an error of ours; None where it is ours to mend."""
    if isinstance(error, NotReadyError):
        return Problem(503, error.message, error.hint, headers={"Retry-After": str(NOT_READY_SECONDS)})
    if isinstance(error, TooManyError):
        return Problem(429, error.message, error.hint, headers={"Retry-After": str(error.seconds)})
    if isinstance(error, NotFoundError):
        return Problem(404, error.message, error.hint)
    if isinstance(error, UsageError):
        return Problem(422, error.message, error.hint)
    if isinstance(error, LockedError | ConflictError):
        return Problem(409, error.message, error.hint)
    return None


def of_http(error: HTTPException) -> Problem:
    """Return an HTTP error as a problem."""
    phrase = http.HTTPStatus(error.status_code).phrase
    detail = str(error.detail or phrase)
    if error.status_code == http.HTTPStatus.NOT_FOUND and detail == phrase:
        detail = "There is nothing at this address."
    return Problem(error.status_code, detail, headers=dict(error.headers or {}))


def of_validation(error: RequestValidationError) -> Problem:
    """Return what is wrong with a request's members: where and why, without the values that were given."""
    fields = [
        FieldProblem(where=".".join(str(part) for part in found["loc"]), message=str(found["msg"]))
        for found in error.errors()[:_MOST_FIELDS]
    ]
    return Problem(422, "The request is not as expected.", errors=fields)


def unexpected(error_id: str) -> Problem:
    """Return the problem that says no more than under which id the log has the rest."""
    return Problem(
        500,
        "Something went wrong on the server.",
        f"Its log has the rest under {error_id}.",
        error_id=error_id,
    )


def _content(status: int) -> dict[str, Any]:
    described = {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}
    return {"description": http.HTTPStatus(status).phrase, "content": {MEDIA_TYPE: described}}


# What every endpoint of the API may answer besides its own: ``APIRouter(responses=RESPONSES)``.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: _content(status) for status in (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
}
