"""The measures for marketing: tables of groups, and what they say of one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from warehouse import masking
from warehouse.api import answers
from warehouse.measures import lookups, summaries
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep

if TYPE_CHECKING:
    import duckdb

router = APIRouter(tags=["measures"])
MOST_ROWS = 10_000
TableName = Literal[
    "rfm_cells", "lifecycle_months", "channel_responses", "campaigns", "product_escalations", "profitability"
]


class MeasureTable(BaseModel):
    """Rows of a table of measures; what its columns mean is in ``columns``. Money is text, times are UTC."""

    table: str
    release: str
    columns: dict[str, str]
    rows: list[dict[str, Any]]
    next_offset: int | None = Field(description="Where the next rows begin; null at the end.")


class CustomerMeasures(BaseModel):
    """What the measures say of one customer."""

    customer_id: str
    lifecycle: list[dict[str, Any]] = Field(description="Every stage that was entered: lifecycle_changes.")
    channels: list[dict[str, Any]] = Field(description="Contacts by channel: customer_channels.")
    campaigns: list[dict[str, Any]] = Field(description="Campaigns that reached the customer.")
    tickets: list[dict[str, Any]] = Field(description="Tickets and escalations: tickets.")


@router.get("/measures/{table}", response_model=MeasureTable)
def measures(
    request: Request,
    table: TableName,
    caller: ApiReads,
    reader: ReaderDep,
    serving: ServingDep,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 1_000,
) -> Response:
    """Return a table of measures of the release, in its order."""
    if answers.is_known(request, reader, caller):
        return answers.not_modified(reader, caller)
    with reader.connection() as connection:
        found = summaries.read(connection, table, limit=limit + 1, offset=offset)
    shown = found[:limit]
    serving.spend_rows(caller, len(shown))
    content = {
        "table": table,
        "release": reader.version,
        "columns": summaries.columns(table),
        "rows": shown,
        "next_offset": offset + limit if len(found) > limit else None,
    }
    return answers.answer(reader, caller, content)


@router.get("/profiles/{customer_id}/measures", response_model=CustomerMeasures)
def of_customer(
    request: Request,
    customer_id: Annotated[str, Path(pattern=answers.CUSTOMER_ID)],
    caller: ApiReads,
    reader: ReaderDep,
    serving: ServingDep,
) -> Response:
    """Return lifecycle, channels, campaigns and tickets of a customer; a retired id redirects."""
    with reader.connection() as connection:
        known = connection.execute("SELECT 1 FROM customers WHERE customer_id = ?", [customer_id]).fetchone()
        if known is None:
            return _elsewhere(connection, customer_id)
        tickets = lookups.tickets_of(connection, customer_id)
        content = {
            "customer_id": customer_id,
            "lifecycle": lookups.lifecycle_of(connection, customer_id),
            "channels": lookups.channels_of(connection, customer_id),
            "campaigns": lookups.campaigns_of(connection, customer_id),
        }
    serving.audit(caller, "profile.read", customer_id, reader=reader)
    if answers.is_known(request, reader, caller):
        return answers.not_modified(reader, caller)
    if not caller.sees_personal_data:
        tickets = [masking.row("tickets", row, reader.tokens) for row in tickets]
    return answers.answer(reader, caller, {**content, "tickets": tickets})


def _elsewhere(connection: duckdb.DuckDBPyConnection, customer_id: str) -> Response:
    query = "SELECT customer_id FROM customer_redirects WHERE previous_customer_id = ?"
    found = connection.execute(query, [customer_id]).fetchone()
    if found is None:
        raise HTTPException(404, "There is no customer with this id.")
    return RedirectResponse(f"/api/v1/profiles/{found[0]}/measures", 308)
