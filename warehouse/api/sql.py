"""Ad-hoc SQL over the release: one SELECT, in the sandbox, answered as a stream."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from warehouse.asking import (
    MOST_CHARACTERS,
    MOST_ROWS,
    MOST_SECONDS,
    SECONDS,
    AskFormat,
    Pieces,
    Question,
)
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep

router = APIRouter(tags=["sql"])

DEFAULT_ROWS: Final = 10_000
MEDIA_TYPES: Final[dict[AskFormat, str]] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
_TEXT: Final = {"schema": {"type": "string"}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The rows of the answer, in the form that was asked for.",
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            **{kind: _TEXT for form, kind in MEDIA_TYPES.items() if form != "json"},
        },
    }
}


class Ask(BaseModel):
    """A question in SQL."""

    query: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, description="One SELECT.")]
    format: AskFormat = "json"
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS, description="Most rows.")] = DEFAULT_ROWS
    seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS, description="Seconds that it may take.")] = SECONDS
    masked: Annotated[bool, Field(description="Ask the masked copy, whatever the key may see.")] = False


@router.post("/sql", responses=_ANSWERS, response_class=StreamingResponse)
async def ask(
    request: Request, given: Ask, caller: ApiReads, reader: ReaderDep, serving: ServingDep
) -> StreamingResponse:
    """Run one SELECT over the current release: its masked copy for keys without `read-pii`.

    An answer that breaks off in the middle (a failing query, a limit) ends the connection.
    """
    question = Question(serving, reader, caller, given.query, given.seconds, given.masked)
    pieces = await Pieces(question, given.format, given.limit).begin(request)
    headers = {"CDP-Release": reader.version, "Cache-Control": "private, no-store"}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[given.format], headers=headers)
