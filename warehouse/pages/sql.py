"""The page of analysts: SQL over the release, its dictionary beside it, answers to look at and to take away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from cdp.errors import NotFoundError, UsageError
from warehouse import asking
from warehouse.asking import Pieces, Question
from warehouse.pages.sql_examples import EXAMPLES
from warehouse.pages.templating import page
from warehouse.serve.access import PageReads, ReaderDep, ServingDep
from warehouse.serve.failures import is_fragment
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

router = APIRouter()

SHOWN_ROWS: Final = 200
_MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

_DICTIONARY: Final = (
    "SELECT table_name, kind, column_name, type, pii, comment FROM cdp_dictionary ORDER BY rowid"
)


@dataclass(frozen=True)
class DictionaryTable:
    """A table of the release, with its columns as (name, type, how personal, comment)."""

    name: str
    kind: str
    comment: str
    columns: list[tuple[str, str, str, str]]


def dictionary(reader: Reader) -> list[DictionaryTable]:
    """Return the tables of a release, as it describes itself."""
    found: dict[str, DictionaryTable] = {}
    with reader.connection() as connection:
        for table, kind, column, type_, pii, comment in connection.execute(_DICTIONARY).fetchall():
            if column is None:
                found[table] = DictionaryTable(table, kind, comment, [])
            else:
                found[table].columns.append((column, type_, pii, comment))
    return list(found.values())


def _values(caller: Caller, reader: Reader, query: str) -> dict[str, Any]:
    return {
        "query": query,
        "examples": EXAMPLES,
        "tables": dictionary(reader),
        "limits": {"rows": SHOWN_ROWS, "seconds": asking.SECONDS, "download": asking.MOST_ROWS},
        "masked": not caller.sees_personal_data,
        "has_copy": reader.release.masked_database is not None,
        "release": reader.version,
        "most": asking.MOST_CHARACTERS,
        "answer": None,
        "problem": None,
    }


@router.get("/sql")
def form(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show the editor."""
    return page(request, "sql.html", caller, **_values(caller, reader, EXAMPLES[0][1]))


Query = Annotated[str, Form(min_length=1, max_length=asking.MOST_CHARACTERS)]


@router.post("/sql")
async def run(
    request: Request, caller: PageReads, reader: ReaderDep, serving: ServingDep, query: Query
) -> HTMLResponse:
    """Run a query and show its first rows: the part that htmx asks for, or the whole page."""
    question = Question(serving, reader, caller, query)
    answer, problem = None, None
    try:
        answer = await asking.in_thread(request, partial(asking.first_rows, question, SHOWN_ROWS))
    except (UsageError, NotFoundError) as error:
        problem = error
    shown = {"answer": answer, "problem": problem}
    status = 200 if problem is None or is_fragment(request) else 422
    if is_fragment(request):
        limits = {"rows": SHOWN_ROWS, "seconds": asking.SECONDS}
        return page(request, "_sql_answer.html", caller, status=status, limits=limits, **shown)
    return page(request, "sql.html", caller, status=status, **{**_values(caller, reader, query), **shown})


@router.post("/sql/download")
async def download(
    request: Request,
    caller: PageReads,
    reader: ReaderDep,
    serving: ServingDep,
    query: Query,
    into: Annotated[Literal["csv", "parquet"], Form(alias="format")] = "csv",
) -> StreamingResponse:
    """Run a query and send all of its answer as a file. CSV is for spreadsheets: it starts no formulas."""
    question = Question(serving, reader, caller, query, asking.MOST_SECONDS)
    pieces = await Pieces(question, into, asking.MOST_ROWS, escape=True).begin(request)
    headers = {
        "Content-Disposition": f'attachment; filename="{_file_name(reader, into)}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(pieces, media_type=_MEDIA_TYPES[into], headers=headers)


def _file_name(reader: Reader, into: str) -> str:
    return f"answer-{reader.version}.{into}"
