"""Search over customers. What is searched for may be personal: it comes in the body, never in the address."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from warehouse import customer_finder
from warehouse.customer_finder import Found, Question
from warehouse.customer_list import MOST_ROWS, Filters
from warehouse.lookup import as_json
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep

router = APIRouter(tags=["search"])
SEARCH: Final = "customers.search"
_MOST_TEXT: Final = 10_000
Name = Annotated[str, Field(min_length=1, max_length=100)]
OrderName = Literal["seen", "new", "revenue", "orders", "events", "records", "name"]


class SearchFilters(BaseModel):
    """Who counts at all. Nothing here is personal; leave out what does not matter."""

    model_config = ConfigDict(extra="forbid")
    stage: Name | None = Field(None, description="Lifecycle stage.")
    rfm: Name | None = Field(None, description="RFM segment.")
    channel: Name | None = Field(None, description="A channel with at least one event.")
    country: Name | None = None
    consent: Name | None = Field(None, description="A granted consent, such as `marketing_email`.")
    source: Name | None = Field(None, description="A source that knows the person.")
    anonymous: bool | None = None
    open_tickets: bool | None = Field(None, description="Whether a support ticket is open.")
    seen_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None, description="Last seen within so many days of the release."
    )
    segment: Name | None = Field(None, description="A segment that the person is a member of.")


class SearchQuestion(BaseModel):
    """Whom to look for: by a text, by filters, or both. Without a text all who pass the filters are listed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"text": "jane doe york", "filters": {"channel": "email"}}},
    )
    text: str = Field(
        "", max_length=_MOST_TEXT, description="Name, e-mail, phone, handle, id; typos are forgiven."
    )
    filters: SearchFilters = SearchFilters()
    order: OrderName = Field(
        "seen", description="Order of a list; hits of a text come in the order of their likeness."
    )
    limit: int = Field(20, ge=1, le=MOST_ROWS)
    cursor: str | None = Field(None, max_length=100, description="`cursor` of the page before.")


class MatchedWord(BaseModel):
    """How one word of the text was found; `found` is empty for callers without `read-pii`."""

    word: str
    found: str
    how: Literal["exact", "prefix", "digits", "typo"]
    edits: int
    fields: list[str]


class SearchHit(BaseModel):
    """A customer who was found, and why: `by` an identifier, by words, or as part of the list."""

    by: Literal["customer_id", "retired_id", "record_key", "identifier", "words", "name", "list"]
    words: list[MatchedWord]
    customer: dict[str, Any]


class SearchAnswer(BaseModel):
    """Hits, the best first. `total` counts lists without a text."""

    release: str
    hits: list[SearchHit]
    total: int | None
    cursor: str | None


@router.post("/search")
def find(body: SearchQuestion, caller: ApiReads, serving: ServingDep, reader: ReaderDep) -> SearchAnswer:
    """Find customers by name, e-mail, phone, handle or any identifier, with typos, and list them by filters.

    Without the scope `read-pii` rows come masked, and words are looked for in the town only;
    whole identifiers are found all the same.
    """
    question = Question(
        body.text,
        Filters(**body.filters.model_dump()),
        body.order,
        body.cursor,
        body.limit,
        caller.sees_personal_data,
    )
    with reader.connection() as connection:
        found = customer_finder.find(connection, customer_finder.facets(reader, connection), question)
    serving.spend_rows(caller, len(found.rows))
    serving.audit(caller, SEARCH, reader=reader, rows=len(found.rows))
    return SearchAnswer(release=reader.version, hits=_hits(found), total=found.total, cursor=found.cursor)


def _hits(found: Found) -> list[SearchHit]:
    customers = [as_json(dict(row)) for row in found.rows]
    if not found.hits:
        return [SearchHit(by="list", words=[], customer=customer) for customer in customers]
    return [
        SearchHit.model_validate({"by": hit.by, "words": as_json(hit.parts), "customer": customer})
        for hit, customer in zip(found.hits, customers, strict=True)
    ]
