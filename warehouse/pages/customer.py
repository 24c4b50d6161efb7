"""The page of one customer: who, value, history over all channels, and why the records are one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cdp.errors import NotFoundError, UsageError
from warehouse.pages.shown import channel_words
from warehouse.pages.templating import page
from warehouse.portrait import facts, graph, history, judging, service
from warehouse.portrait import why as reasons
from warehouse.portrait.history import Cursor, Filters
from warehouse.portrait.seen import Row, Seen
from warehouse.serve.access import PageReads, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import IDENTITY, Caller

router = APIRouter()

DONE: Final = {
    "split": "Noted: the record is somebody else's. The next run applies it.",
    "join": "Noted: the two are one person. The next run applies it.",
    "undo": "Taken back. The next run decides as if it had never been said.",
}


def open_customer(seen: Seen, customer_id: str) -> Row:
    """Return the customer's row. Raises :class:`NotFoundError`."""
    row = facts.customer(seen, customer_id)
    if row is None:
        raise NotFoundError("There is no such customer in this release.", hint="Search for them by name.")
    return row


def seen_by(caller: Caller, reader: Reader, connection: Any) -> Seen:
    """Return what a caller sees of a release."""
    return Seen(connection, caller.sees_personal_data, reader.tokens)


@dataclass(frozen=True)
class Visit:
    """Somebody looks at a customer of one release."""

    request: Request
    caller: Caller
    serving: Serving
    reader: Reader
    seen: Seen
    customer_id: str

    def audit(self) -> None:
        """Write down that the profile was read."""
        self.serving.audit(self.caller, "profile.read", self.customer_id, reader=self.reader)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{text[:20]!r} is no date.", hint="Write it as 2026-01-31.") from None


def _filters(
    channel: Annotated[str, Form()] = "",
    event_type: Annotated[str, Form()] = "",
    direction: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    text: Annotated[str, Form(max_length=200)] = "",
    hide_bots: Annotated[str, Form()] = "",
) -> Filters:
    return Filters(channel, event_type, direction, _day(since), _day(until), text.strip(), bool(hide_bots))


FiltersDep = Annotated[Filters, Depends(_filters)]


@router.get("/customers/{customer_id}")
def show(
    request: Request, customer_id: str, caller: PageReads, serving: ServingDep, reader: ReaderDep,
    merged: str = "", done: str = "",
) -> Response:  # fmt: skip
    """Show a customer; a retired id leads to whoever holds its records now."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        if facts.customer(seen, customer_id) is None and (now := facts.successor(seen, customer_id)):
            return RedirectResponse(f"/customers/{now}?merged={customer_id}", 303)
        notice = DONE.get(done)
        if merged and facts.successor(seen, merged) == customer_id:
            notice = f"{merged} has become part of this customer: its records are shown here."
        visit = Visit(request, caller, serving, reader, seen, customer_id)
        return _whole(visit, Filters(), notice)


@router.post("/customers/{customer_id}/history")
def filter_history(
    request: Request, customer_id: str, caller: PageReads, serving: ServingDep, reader: ReaderDep,
    filters: FiltersDep, after: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Return the part of the history that is asked for: a fragment for HTMX, else the whole page."""
    cursor = Cursor.parse(after) if after else None
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        visit = Visit(request, caller, serving, reader, seen, customer_id)
        if request.headers.get("hx-request") != "true":
            return _whole(visit, filters, None, cursor)
        open_customer(seen, customer_id)
        told = _history(visit, filters, cursor)
        visit.audit()
        template = "_customer_events.html" if cursor else "_customer_history.html"
        return page(request, template, caller, customer_id=customer_id, **told)


def _history(visit: Visit, filters: Filters, after: Cursor | None) -> dict[str, Any]:
    zone = ZoneInfo(visit.serving.settings.workspace.timezone)
    seen = visit.seen
    numbers = history.record_numbers(seen, visit.customer_id)
    return {
        "events": history.page(seen, numbers, filters, zone, after=after),
        "filters": filters,
        "chart": None if after else _named(history.months(seen, numbers, filters, zone)),
    }


def _named(chart: dict[str, Any] | None) -> dict[str, Any] | None:
    """Call the channels of a chart as people do."""
    for series in chart["series"] if chart else ():
        series["name"] = channel_words(series["name"])
    return chart


def _whole(visit: Visit, filters: Filters, notice: str | None, after: Cursor | None = None) -> HTMLResponse:
    seen, customer_id = visit.seen, visit.customer_id
    row = open_customer(seen, customer_id)
    visit.audit()
    numbers = history.record_numbers(seen, customer_id)
    why = reasons.why(seen, customer_id, row["record_count"])
    weakest = why.weakest
    return page(
        visit.request,
        "customer.html",
        visit.caller,
        notice=notice,
        row=row,
        customer_id=customer_id,
        who=facts.who(seen, row),
        rules=facts.RULES,
        identifiers=facts.identifiers(seen, customer_id),
        consents=facts.consents(seen, row),
        segments=facts.segments(seen, customer_id),
        changes=facts.changes(seen, customer_id),
        tickets=service.tickets(seen, numbers),
        campaigns=[(one, *service.answer(one)) for one in service.campaigns(seen, customer_id)],
        choices=history.choices(seen, numbers),
        why=why,
        drawing=graph.drawing(
            why.records, why.links, weakest.link if weakest else None, weakest.right if weakest else ()
        ),
        judged=judging.told(visit.serving.lake, seen, customer_id),
        may_judge=visit.caller.may(IDENTITY),
        release=visit.reader.version,
        **_history(visit, filters, after),
    )
