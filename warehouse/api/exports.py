"""Whole datasets as streams: made in DuckDB batch by batch, in constant memory, from one release.

What may leave is decided by :mod:`warehouse.audiences.selection`, as for every export: for any purpose but
``internal``, nobody leaves without consent or from the suppression list.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from cdp import duck
from cdp.ledger import Ledger
from cdp.settings.exporting import INTERNAL
from cdp.suppression import Suppressed, load
from warehouse import exports, formats
from warehouse.audiences import shares
from warehouse.audiences.selection import select
from warehouse.documents import json_struct
from warehouse.exports import Export
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import SEGMENTS, Caller
from warehouse.serve.shield import WITHOUT_BODY

if TYPE_CHECKING:
    import duckdb

router = APIRouter(tags=["exports"])
StreamAs = Literal["csv", "ndjson", "arrow"]
MEDIA_TYPES: Final[dict[StreamAs, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}
_BATCH: Final = 8_192
DatasetName = Literal["customers", "id_map", "identifiers", "consents", "contact_history"]


class ExportQuery(BaseModel):
    """Which rows and columns, and as what."""

    model_config = ConfigDict(extra="forbid")
    format: StreamAs = "ndjson"
    columns: str | None = Field(
        None, max_length=2_000, pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$", examples=["customer_id,email,city"],
        description="Columns, with commas between; the key always comes along.",
    )  # fmt: skip
    segment: str | None = Field(
        None, max_length=80, description="Members of this segment only; needs the scope segments."
    )
    purpose: str = Field(
        INTERNAL, max_length=40, pattern=r"^[a-z][a-z0-9_]*$",
        description="What for: for any but `internal`, nobody leaves without consent or from the suppression list.",
    )  # fmt: skip
    channel: str | None = Field(
        None,
        max_length=40,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Consent on this channel; one of cdp's channels.",
    )
    min_probability: float = Field(
        0.0, ge=0, le=1, description="Leave out profiles whose weakest record matched with less."
    )
    limit: int | None = Field(None, ge=0, le=1_000_000_000, description="At most so many rows.")


@router.get(
    "/exports/{dataset}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The rows.",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()
            },
        }
    },
)
def stream(
    request: Request,
    dataset: Annotated[DatasetName, Path(description="The dataset.")],
    query: Annotated[ExportQuery, Query()],
    caller: ApiReads,
    serving: ServingDep,
    reader: ReaderDep,
) -> StreamingResponse:
    """Stream a dataset of the release: CSV, JSON lines or an Arrow stream.

    Rows come in the order in which the release stores them, by customer. Callers without the scope `read-pii`
    get personal data masked.
    """
    if query.segment is not None and not caller.may(SEGMENTS):
        raise HTTPException(403, f"This key lacks the scope {SEGMENTS!r}.")
    wanted = _wanted(dataset, query)
    leaving = _leaving(serving, reader, wanted, query)
    rows = _count(reader, leaving)
    counted = WITHOUT_BODY in request.scope
    if not counted:  # a HEAD is told how many rows there are, and given none
        serving.spend_rows(caller, rows)
        subject = f"{dataset} for {query.purpose}"
        serving.audit(caller, "export.download", subject, reader=reader, rows=rows)
        _share(serving, caller, reader, wanted, rows)
    headers = {
        "Content-Disposition": f'attachment; filename="{dataset}-{reader.version}.{query.format}"',
        "Cache-Control": "private, no-store",
        "Vary": "Authorization, Cookie",
        "CDP-Release": reader.version,
        "CDP-Rows": str(rows),
    }
    if counted:
        return StreamingResponse(iter(()), media_type=MEDIA_TYPES[query.format], headers=headers)
    pieces = _pieces(reader, _shown(reader, caller, wanted, leaving), query.format)
    return StreamingResponse(_in_threads(pieces), media_type=MEDIA_TYPES[query.format], headers=headers)


def _share(serving: Serving, caller: Caller, reader: Reader, wanted: Export, rows: int) -> None:
    """Write what leaves into the share log."""
    sent = shares.Sent(
        wanted.dataset,
        "api",
        "stream",
        wanted.purpose,
        wanted.channel,
        wanted.segment,
        reader.version,
        caller.name,
    )
    with Ledger(serving.lake.ledger_path) as ledger:
        shares.once(ledger, sent, rows=rows, now=serving.now())


def _wanted(dataset: DatasetName, query: ExportQuery) -> Export:
    columns = tuple(query.columns.split(",")) if query.columns else ()
    return Export(
        "stream",
        dataset,
        purpose=query.purpose,
        channel=query.channel,
        min_probability=query.min_probability,
        segment=query.segment,
        columns=columns,
    )


def _suppressed(serving: Serving) -> Suppressed:
    with Ledger(serving.lake.ledger_path) as ledger:
        return load(ledger)


@dataclass(frozen=True)
class Rows:
    """A query with its parameters."""

    sql: str
    parameters: dict[str, Any]


def _leaving(serving: Serving, reader: Reader, wanted: Export, query: ExportQuery) -> Rows:
    """Return the rows of the dataset's table that leave, in the order in which the release stores them."""
    audience = wanted.audience
    sql, parameters = f"SELECT * FROM {exports.dataset_of(wanted).table}", {}
    if not audience.internal or audience.segment or audience.min_probability:
        listed = Suppressed() if audience.internal else _suppressed(serving)
        with reader.connection() as connection:
            allowed = select(connection, audience, listed)
        sql, parameters = f"{sql} WHERE customer_id IN ({allowed.sql})", dict(allowed.parameters)
    return Rows(f"{sql} LIMIT {query.limit}" if query.limit is not None else sql, parameters)


def _shown(reader: Reader, caller: Caller, wanted: Export, leaving: Rows) -> Rows:
    """Return the columns that were asked for, as the caller may see them."""
    from warehouse.masked_copy import masked_select

    columns = ", ".join(duck.identifier(name) for name in exports.columns_of(wanted))
    seen = "*"
    if not caller.sees_personal_data:
        reader.enable_masking()
        seen = masked_select(exports.dataset_of(wanted).table, reader.tokens)
    return Rows(f"SELECT {columns} FROM (SELECT {seen} FROM ({leaving.sql}))", leaving.parameters)


def _count(reader: Reader, rows: Rows) -> int:
    with reader.connection() as connection:
        ((count,),) = connection.execute(f"SELECT count(*) FROM ({rows.sql})", rows.parameters).fetchall()
    return int(count)


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces, each made in a thread; whatever ends the answer ends the making, too."""
    try:
        while (piece := await run_in_threadpool(next, pieces, None)) is not None:
            yield piece
    finally:
        pieces.close()  # type: ignore[attr-defined]  # a generator, which gives its connection back


def _pieces(reader: Reader, rows: Rows, into: StreamAs) -> Iterator[bytes]:
    with reader.connection() as connection:
        yield from _WRITERS[into](connection, rows)


def _batches(connection: duckdb.DuckDBPyConnection, rows: Rows, select_list: str) -> pa.RecordBatchReader:
    sql = f"SELECT {select_list} FROM ({rows.sql}) AS r"
    return connection.sql(sql, params=rows.parameters).to_arrow_reader(_BATCH)


def _described(connection: duckdb.DuckDBPyConnection, rows: Rows) -> list[tuple[str, str]]:
    found = connection.execute(f"DESCRIBE {rows.sql}", rows.parameters).fetchall()
    return [(str(row[0]), str(row[1])) for row in found]


def _arrow(connection: duckdb.DuckDBPyConnection, rows: Rows) -> Iterator[bytes]:
    batches, sink = _batches(connection, rows, "*"), io.BytesIO()
    with pa.ipc.new_stream(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _csv(connection: duckdb.DuckDBPyConnection, rows: Rows) -> Iterator[bytes]:
    cells = ", ".join(formats.cell(name, kind, "csv") for name, kind in _described(connection, rows))
    batches, sink = _batches(connection, rows, cells), io.BytesIO()
    with pa_csv.CSVWriter(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _ndjson(connection: duckdb.DuckDBPyConnection, rows: Rows) -> Iterator[bytes]:
    line = f"to_json({json_struct('r', _described(connection, rows))})::VARCHAR || chr(10) AS line"
    for batch in _batches(connection, rows, line):
        # The lines stand one after the other in memory already.
        array = batch.column(0).cast(pa.large_string())
        _, places, data = array.buffers()
        first, last = (
            int(n) for n in np.frombuffer(places, np.int64)[[array.offset, array.offset + len(array)]]
        )
        if last > first:
            yield memoryview(data)[first:last].tobytes()


def _taken(sink: io.BytesIO) -> bytes:
    found = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return found


_WRITERS: Final = {"arrow": _arrow, "csv": _csv, "ndjson": _ndjson}
