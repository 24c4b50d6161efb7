"""Profiles: by any identifier, by id, and why their records are one person.

Identifiers are personal data and come in the body; only our own ids stand in addresses. Look-ups through the
release's index take microseconds and run where they are; what needs DuckDB runs in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import quote

import orjson
from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from warehouse import profile_lookup
from warehouse.api import why
from warehouse.api.answers import CUSTOMER_ID, JSON, answer, headers, is_known, masked, not_modified, shown
from warehouse.api.models import (
    LookupAnswer,
    LookupByText,
    LookupByType,
    Moved,
    ProfileAnswer,
    WhyAnswer,
)
from warehouse.profile_lookup import Document, Found, FromTables, Source
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

router = APIRouter(tags=["profiles"])
READ_PROFILE: Final = "profile.read"
LOOK_UP: Final = "profile.lookup"
CustomerId = Annotated[str, Path(pattern=CUSTOMER_ID, description="Our id of the customer.")]
_Result = TypeVar("_Result")
REDIRECT: Final[dict[int | str, dict[str, Any]]] = {
    308: {
        "model": Moved,
        "description": "The id was retired: the customer has another one now.",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the profile is now."}},
    },
    304: {"description": "The caller has this answer already (`If-None-Match`)."},
}


async def ask(reader: Reader, question: Callable[[Source], _Result], *, long: bool = False) -> _Result:
    """Ask the release's index, or in a thread its tables where it has none; in a thread, too, what may take ``long``."""
    if reader.profiles is not None:
        if long:
            return await run_in_threadpool(question, reader.profiles)
        return question(reader.profiles)

    def from_tables() -> _Result:
        with reader.connection() as connection:
            return question(FromTables(connection))

    return await run_in_threadpool(from_tables)


def not_found(customer_id: str) -> HTTPException:
    """Return the error that there is no such customer."""
    return HTTPException(404, f"There is no customer {customer_id!r} in this release.")


def moved(request: Request, reader: Reader, caller: Caller, previous: str, current: Document) -> Response:
    """Return the redirect of a retired id to the same place of the customer in use."""
    path = request.url.path.replace(f"/{quote(previous)}", f"/{quote(current.customer_id)}", 1)
    query = f"?{request.url.query}" if request.url.query else ""
    body = {"release": reader.version, "customer_id": current.customer_id, "previous_customer_id": previous}
    return Response(
        orjson.dumps(body), 308, headers(reader, caller) | {"Location": path + query}, media_type=JSON
    )


@router.post(
    "/profiles/lookup",
    response_model=None,
    responses={200: {"model": LookupAnswer, "description": "Whom the identifier leads to."}},
)
async def look_up(
    body: LookupByType | LookupByText, caller: ApiReads, serving: ServingDep, reader: ReaderDep
) -> Response:
    """Find a profile by any identifier.

    With `type` and `value`: that identifier, written as people write it (`020 7946 0018` finds
    `+442079460018`). With `identifier`: a customer id, a retired id, a record key, or an identifier of any type.
    Several customers may share an identifier: then they are listed as candidates.
    """
    if isinstance(body, LookupByType):
        kind, value, namespace = body.type, body.value, body.namespace
        # Among thousands who share a value, nobody may be of the namespace: all of them are looked at.
        found = await ask(
            reader,
            lambda source: profile_lookup.by_identifier(source, kind, value, namespace),
            long=bool(namespace),
        )
    else:
        text = body.identifier
        found = await ask(reader, lambda source: profile_lookup.by_text(source, text))
    if not found.documents:
        serving.audit(caller, LOOK_UP, reader=reader, rows=0)
        raise HTTPException(404, "No customer of this release has this identifier.")
    for document in found.documents:
        serving.audit(caller, READ_PROFILE, document.customer_id, reader=reader)
    return _looked_up(found, reader, caller)


_CANDIDATE: Final = ("customer_id", "full_name", "email", "phone", "city", "last_seen_at", "event_count")


def _looked_up(found: Found, reader: Reader, caller: Caller) -> Response:
    only = shown(found.documents[0], reader, caller) if len(found.documents) == 1 else b"null"
    several = (
        [] if len(found.documents) == 1 else [_candidate(one, reader, caller) for one in found.documents]
    )
    head = orjson.dumps({"release": reader.version, "matched_by": found.matched_by, "more": found.more})
    body = b'%s,"profile":%s,"candidates":%s}' % (head[:-1], only, orjson.dumps(several))
    return answer(reader, caller, body)


def _candidate(document: Document, reader: Reader, caller: Caller) -> dict[str, Any]:
    content = document.content if caller.sees_personal_data else masked(document.content, reader)
    return {name: content["customer"][name] for name in _CANDIDATE}


class ProfileQuery(BaseModel):
    """What to answer besides the profile, and for a retired id."""

    model_config = ConfigDict(extra="forbid")
    include: list[Literal["evidence"]] = Field([], max_length=8, description="What to add to the profile.")
    follow: bool = Field(False, description="Answer for a retired id with its customer, instead of 308.")


@router.get(
    "/profiles/{customer_id}",
    response_model=None,
    responses={200: {"model": ProfileAnswer, "description": "The profile."}, **REDIRECT},
)
async def profile(
    request: Request,
    customer_id: CustomerId,
    caller: ApiReads,
    serving: ServingDep,
    reader: ReaderDep,
    query: Annotated[ProfileQuery, Query()],
) -> Response:
    """Return a profile by its id. A retired id redirects to the customer that holds its records now."""
    document, previous = await _resolved(reader, customer_id)
    if previous is not None and not query.follow:
        return moved(request, reader, caller, previous, document)
    serving.audit(caller, READ_PROFILE, document.customer_id, reader=reader)
    if is_known(request, reader, caller):
        return not_modified(reader, caller)
    head: dict[str, Any] = {"release": reader.version, "redirected_from": previous, "evidence": None}
    if "evidence" in query.include:
        head["evidence"] = await run_in_threadpool(why.of_customer, reader, caller, document)
    body = b'%s,"profile":%s}' % (orjson.dumps(head)[:-1], shown(document, reader, caller))
    return answer(reader, caller, body)


async def _resolved(reader: Reader, customer_id: str) -> tuple[Document, str | None]:
    """Return the document of a customer, and the retired id where it was asked by one. Raises 404."""
    return await ask(reader, lambda source: resolved(source, customer_id))


def resolved(source: Source, customer_id: str) -> tuple[Document, str | None]:
    """Return the document of a customer, and the retired id where it was asked by one. Raises 404."""
    document = profile_lookup.by_id(source, customer_id)
    if document is not None:
        return document, None
    document = profile_lookup.by_retired_id(source, customer_id)
    if document is None:
        raise not_found(customer_id)
    return document, customer_id


@router.get(
    "/profiles/{customer_id}/evidence",
    response_model=None,
    responses={200: {"model": WhyAnswer, "description": "The evidence."}, **REDIRECT},
)
async def evidence(
    request: Request, customer_id: CustomerId, caller: ApiReads, serving: ServingDep, reader: ReaderDep
) -> Response:
    """Say why the records of a profile are one person, and what did not join them to others."""
    document, previous = await _resolved(reader, customer_id)
    if previous is not None:
        return moved(request, reader, caller, previous, document)
    serving.audit(caller, READ_PROFILE, document.customer_id, reader=reader)
    if is_known(request, reader, caller):
        return not_modified(reader, caller)
    found = await run_in_threadpool(why.of_customer, reader, caller, document)
    content = document.content if caller.sees_personal_data else masked(document.content, reader)
    return answer(
        reader,
        caller,
        {
            "release": reader.version,
            "customer_id": document.customer_id,
            "records": content["records"],
            "evidence": found,
        },
    )
