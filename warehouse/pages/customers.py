"""The list of customers: a search box with live results, filters, orders, pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from warehouse import customer_finder, customer_list, search
from warehouse.customer_finder import Facets, Found, Question
from warehouse.customer_list import DEFAULT_ORDER, ORDERS, Choices, Filters
from warehouse.pages import shown
from warehouse.pages.templating import page
from warehouse.serve.access import PageReads, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.failures import is_fragment
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import SEGMENTS, Caller

router = APIRouter()
LISTED: Final = "customers.list"
SEARCHED: Final = "customers.search"
PERIODS: Final = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"))
CHIPS: Final = {
    "rfm_recency": "Recency",
    "rfm_frequency": "Frequency",
    "rfm_monetary": "Money",
    "profit_decile": "Profit decile",
    "profit_known": "Profit known",
}
"""Filters that no select offers: other pages lead here with them."""
_COLUMNS: Final = {"lifecycle_stage": "stage", "rfm_segment": "rfm"}
Choice = Annotated[str, Field(max_length=100)]
Quintile = Annotated[int, Field(ge=1, le=5)]


class Asked(BaseModel):
    """Filters as a form or an address gives them; an empty one is none."""

    model_config = ConfigDict(extra="ignore")
    stage: Choice | None = None
    rfm: Choice | None = None
    channel: Choice | None = None
    country: Choice | None = None
    consent: Choice | None = None
    source: Choice | None = None
    anonymous: bool | None = None
    open_tickets: bool | None = None
    seen_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    segment: Choice | None = None
    rfm_recency: Quintile | None = None
    rfm_frequency: Quintile | None = None
    rfm_monetary: Quintile | None = None
    profit_decile: Annotated[int, Field(ge=1, le=10)] | None = None
    profit_known: bool | None = None
    order: Choice = DEFAULT_ORDER
    after: Choice | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_column(cls, given: Any) -> Any:
        """Take filters by the names of their columns, too."""
        return {_COLUMNS.get(name, name): value for name, value in dict(given).items()}

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, given: Any) -> Any:
        return None if given == "" else given

    @field_validator("order", mode="before")
    @classmethod
    def _known_order(cls, given: Any) -> Any:
        return given if given in ORDERS else DEFAULT_ORDER

    @property
    def filters(self) -> Filters:
        """The filters alone."""
        return Filters(**self.model_dump(exclude={"order", "after", "text"}))


class AskedByText(Asked):
    """The form of the page: filters, and a text that must not stand in an address."""

    text: Annotated[str, Field(max_length=10_000)] = ""

    @field_validator("text", mode="before")
    @classmethod
    def _no_text(cls, given: Any) -> Any:
        return given or ""


@router.get("/customers")
def listed(
    request: Request,
    asked: Annotated[Asked, Query()],
    caller: PageReads,
    serving: ServingDep,
    reader: ReaderDep,
) -> HTMLResponse:
    """Show a page of the list."""
    unknown = sorted(set(request.query_params) - set(Asked.model_fields) - set(_COLUMNS))
    return _shown(request, asked, "", caller, serving, reader, unknown)


@router.post("/customers")
def searched(
    request: Request,
    asked: Annotated[AskedByText, Form()],
    caller: PageReads,
    serving: ServingDep,
    reader: ReaderDep,
) -> HTMLResponse:
    """Show who is found by a text and filters: the whole page, or the results alone where htmx asks."""
    return _shown(request, asked, asked.text, caller, serving, reader)


def _shown(
    request: Request,
    asked: Asked,
    text: str,
    caller: Caller,
    serving: Serving,
    reader: Reader,
    unknown: Sequence[str] = (),
) -> HTMLResponse:
    text, order = search.clean(text), asked.order
    if ORDERS[order].personal and not caller.sees_personal_data:
        order = DEFAULT_ORDER
    personal = caller.sees_personal_data
    question = Question(text, asked.filters, order, asked.after, personal=personal)
    with reader.connection() as connection:
        facets = customer_finder.facets(reader, connection)
        found = customer_finder.find(connection, facets, question)
    serving.spend_rows(caller, len(found.rows))
    serving.audit(caller, SEARCHED if text else LISTED, reader=reader, rows=len(found.rows))
    template = "_customers.html" if is_fragment(request) else "customers.html"
    values = _values(asked, order, text, facets, found, caller)
    made = page(request, template, caller, unknown=[name[:40] for name in unknown[:5]], **values)
    if is_fragment(request) and not asked.after:
        # The address follows the filters, never the text.
        made.headers["HX-Push-Url"] = _address(asked.filters, order)
    return made


def _in_address(filters: Filters) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in filters.given().items()
    }


def _address(filters: Filters, order: str, after: str | None = None) -> str:
    given = _in_address(filters)
    if order != DEFAULT_ORDER:
        given["order"] = order
    if after:
        given["after"] = after
    return f"/customers?{urlencode(given)}" if given else "/customers"


def _chips(filters: Filters, order: str) -> list[tuple[str, str]]:
    """Return what the filters without a select say, and the address of the list without each."""
    given = filters.given()
    return [
        (f"{words}: {_said(given[name])}", _address(replace(filters, **{name: None}), order))
        for name, words in CHIPS.items()
        if name in given
    ]


def _said(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


Select = tuple[str, str, str, list[tuple[str, str]]]


def _selects(choices: Choices) -> list[Select]:
    """Return the filters as name, label, what none of them says, and values with their words."""

    def named(values: Sequence[str], words: Callable[[str], str] = str) -> list[tuple[str, str]]:
        return [(value, words(value)) for value in values]

    found: list[Select] = [
        ("stage", "Lifecycle stage", "any", named(choices.stage, shown.words)),
        ("rfm", "RFM segment", "any", named(choices.rfm, shown.words)),
        ("channel", "Channel", "any", named(choices.channel, shown.channel_words)),
        ("country", "Country", "any", named(choices.country)),
        ("consent", "Consent granted", "any", named(choices.consent, shown.words)),
        ("source", "Known by source", "any", named(choices.source)),
        ("seen_days", "Last seen within", "any time", [(str(days), words) for days, words in PERIODS]),
        ("open_tickets", "Open tickets", "any", [("true", "yes"), ("false", "no")]),
        ("anonymous", "Who", "everybody", [("false", "known people"), ("true", "anonymous visitors")]),
        ("segment", "Segment", "any", named(choices.segment)),
    ]
    return [one for one in found if one[3]]


def _values(
    asked: Asked, order: str, text: str, facets: Facets, found: Found, caller: Caller
) -> dict[str, Any]:
    filters = asked.filters
    orders = {
        name: one.words for name, one in ORDERS.items() if caller.sees_personal_data or not one.personal
    }
    rule = json.dumps(customer_list.rule(filters))
    may_save = caller.may(SEGMENTS) and bool(filters.given())
    return {
        "text": text,
        "filters": _in_address(filters),
        "chips": _chips(filters, order),
        "kept": [name for name in CHIPS if name in filters.given()],
        "selects": _selects(facets.choices),
        "order": order,
        "orders": orders,
        "found": found,
        "people": [_person(row) for row in found.rows],
        "more": _address(filters, order, found.cursor) if found.cursor and not text else None,
        "as_of": facets.as_of,
        "save": f"/segments/new?{urlencode({'rule': rule})}" if may_save else None,
    }


def _person(row: Any) -> dict[str, Any]:
    parts = " ".join(part for part in (row["given_name"], row["surname"]) if part)
    name = parts or row["full_name"] or row["company"] or row["email"] or row["phone"]
    return {**row, "name": name or ("Anonymous visitor" if row["is_anonymous"] else "Without a name")}
