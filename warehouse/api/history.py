"""The contact history of a profile, page by page.

Pages are cut by key, not by number: a cursor says after which event to go on, so that neither new events nor a
switch of the release repeat or lose any. It holds a time and a hash, no personal data.
"""

from __future__ import annotations

import base64
import itertools
import struct
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from warehouse import masking
from warehouse.api.answers import answer, is_known, not_modified
from warehouse.api.models import HistoryAnswer
from warehouse.api.profiles import READ_PROFILE, REDIRECT, CustomerId, moved, resolved
from warehouse.documents import json_struct
from warehouse.formats import described
from warehouse.profile_lookup import FromTables
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep

if TYPE_CHECKING:
    import duckdb

router = APIRouter(tags=["profiles"])
MOST: Final = 500
_CURSOR: Final = struct.Struct("<qQI")
_CURSOR_TEXT: Final = r"^[A-Za-z0-9_-]{27}$"
_LEFT_OUT: Final = frozenset(
    {"file_id", "raw_row", "received_at", "occurred_text", "identifiers", "record_no"}
)
# What tells two events of one moment apart; equal ones are numbered.
_KEY: Final = "concat_ws(chr(31), source, event_id, event_type, reference, product, amount, subject)"

# Of an event: its time in microseconds, the hash of its key, its number among equal ones.
Place = tuple[int, int, int]
Word = Annotated[str, Field(max_length=80, pattern=r"^[a-z][a-z0-9_]*$")]


def encoded(moment: int, key: int, number: int) -> str:
    """Return the cursor of an event: its time in microseconds, the hash of its key, its number among equals.

    >>> decoded(encoded(1_700_000_000_000_000, 2**64 - 1, 1))
    (1700000000000000, 18446744073709551615, 1)
    """
    return base64.urlsafe_b64encode(_CURSOR.pack(moment, key, number)).decode().rstrip("=")


def decoded(cursor: str) -> tuple[int, int, int]:
    """Return what a cursor says; any text of its form says something."""
    moment, key, number = _CURSOR.unpack(base64.urlsafe_b64decode(f"{cursor}="))
    return moment, key, number


class HistoryQuery(BaseModel):
    """Which events, and how many at once."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(50, ge=1, le=MOST)
    cursor: str | None = Field(None, pattern=_CURSOR_TEXT, description="`next` of the page before.")
    channel: Word | None = None
    event_type: Word | None = None
    source: Word | None = None
    direction: Literal["inbound", "outbound"] | None = None
    since: datetime | None = Field(None, alias="from", description="Not before this time (RFC 3339).")
    until: datetime | None = Field(None, alias="to", description="Before this time (RFC 3339).")


@router.get(
    "/profiles/{customer_id}/history",
    response_model=None,
    responses={200: {"model": HistoryAnswer, "description": "A page of the history."}, **REDIRECT},
)
def history(
    request: Request,
    customer_id: CustomerId,
    query: Annotated[HistoryQuery, Query()],
    caller: ApiReads,
    serving: ServingDep,
    reader: ReaderDep,
) -> Response:
    """Return the contact history over all channels, the newest first.

    `next` is the cursor of the next page, null on the last one. Pages are cut by key: a new event or another
    release between two pages neither repeats nor loses any.
    """
    after = decoded(query.cursor) if query.cursor is not None else None
    with reader.connection() as connection:
        document, previous = resolved(reader.profiles or FromTables(connection), customer_id)
        if previous is not None:
            return moved(request, reader, caller, previous, document)
        serving.audit(caller, READ_PROFILE, document.customer_id, reader=reader)
        if is_known(request, reader, caller):
            return not_modified(reader, caller)
        rows = _page(connection, document.customer_id, query, after)
    serving.spend_rows(caller, min(len(rows), query.limit))
    events = [event for event, _ in rows[: query.limit]]
    if not caller.sees_personal_data:
        events = [masking.row("contact_history", event, reader.tokens) for event in events]
    following = encoded(*rows[query.limit - 1][1]) if len(rows) > query.limit else None
    return answer(
        reader,
        caller,
        {
            "release": reader.version,
            "customer_id": document.customer_id,
            "events": [_opened(event) for event in events],
            "next": following,
        },
    )


def _opened(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event whose properties are JSON, not a text of it."""
    text = event.get("properties")
    if not isinstance(text, str):
        return event
    try:
        return {**event, "properties": orjson.loads(text)}
    except orjson.JSONDecodeError:
        return event


def _page(
    connection: duckdb.DuckDBPyConnection,
    customer_id: str,
    asked: HistoryQuery,
    after: Place | None,
) -> list[tuple[dict[str, Any], Place]]:
    """Return events with their places, one more than were asked for.

    In two steps: which rows, by the columns of the order alone, then all columns of those.
    """
    records = dict(
        connection.execute(
            "SELECT record_no, record_key FROM customer_records WHERE customer_id = ?", [customer_id]
        ).fetchall()
    )
    places = _places(connection, list(records), asked, after)
    if not places:
        return []
    columns = [(n, k) for n, k in described(connection, "record_events") if n not in _LEFT_OUT]
    rows = connection.execute(
        f"SELECT rowid, record_no, to_json({json_struct('e', columns)})::VARCHAR FROM record_events AS e "
        f"WHERE rowid IN ({', '.join(str(row) for row in places)})"
    ).fetchall()
    events = {row: {"record_key": records[number], **orjson.loads(text)} for row, number, text in rows}
    return [(events[row], place) for row, place in places.items()]


def _places(
    connection: duckdb.DuckDBPyConnection, records: list[int], asked: HistoryQuery, after: Place | None
) -> dict[int, Place]:
    """Return the rows of a page, in order, with their places."""
    conditions, parameters = _conditions(asked)
    # Literal numbers let DuckDB skip the rest of the table; a join would read it all.
    conditions.append(f"record_no IN ({', '.join(str(int(one)) for one in records) or 'NULL'})")
    later = ""
    if after is not None:
        conditions.append("epoch_us(occurred_at) <= $after_moment")
        later = "WHERE moment < $after_moment OR key >= $after_key"
        parameters |= {"after_moment": after[0], "after_key": after[1]}
    # Rows equal to the cursor's come again: those that were read already are passed over.
    passed = after[2] if after else 0
    found = connection.execute(
        f"SELECT * FROM (SELECT rowid, epoch_us(occurred_at) AS moment, md5_number_upper({_KEY}) AS key "
        f"FROM record_events WHERE {' AND '.join(conditions)}) {later} "
        f"ORDER BY moment DESC, key, rowid LIMIT {asked.limit + 1 + passed}",
        parameters,
    ).fetchall()
    places: dict[int, Place] = {}
    equals: Counter[tuple[int, int]] = Counter()
    for row, moment, key in found:
        equals[moment, key] += 1
        if after is None or (moment, key) != after[:2] or equals[moment, key] > passed:
            places[row] = (moment, key, equals[moment, key])
    return dict(itertools.islice(places.items(), asked.limit + 1))


def _conditions(asked: HistoryQuery) -> tuple[list[str], dict[str, Any]]:
    words = asked.model_dump(include={"channel", "event_type", "source", "direction"})
    parameters: dict[str, Any] = {name: value for name, value in words.items() if value is not None}
    conditions = [f"{name} = ${name}" for name in parameters]
    for name, moment, sign in (("since", asked.since, ">="), ("until", asked.until, "<")):
        if moment is not None:
            conditions.append(f"epoch_us(occurred_at) {sign} ${name}")
            parameters[name] = microseconds(moment)
    return conditions, parameters


def microseconds(moment: datetime) -> int:
    """Return a moment in microseconds since 1970; one without an offset is UTC.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
