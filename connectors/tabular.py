"""Rows of Parquet files and workbooks (XLSX, XLS, ODS) as JSON objects, one per row."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from cdp.duck import connect
from connectors.protocol import CHUNK_ROWS, Chunk, Rejected


def parquet_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the rows of a Parquet file; one that is cut or damaged is rejected from there on."""
    row = 1
    try:
        with connect() as connection:
            for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=CHUNK_ROWS):
                connection.register("rows", pa.Table.from_batches([batch]))
                payloads = connection.sql("SELECT to_json(r)::VARCHAR AS j FROM rows AS r").to_arrow_table()[
                    "j"
                ]
                encoded = payloads.cast(pa.binary()).to_pylist()
                yield Chunk(encoded, list(range(row, row + len(encoded))))
                row += len(encoded)
    except (pa.ArrowException, OSError) as error:
        yield Chunk(rejected=[Rejected(row, data, "unreadable_parquet", type(error).__name__)])


def workbook_chunks(data: bytes, sheet: str | None) -> Iterator[Chunk]:
    """Yield the rows of one sheet (by default the first); its first filled row names the columns."""
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        if sheet is not None and sheet not in workbook.sheet_names:
            detail = f"the workbook has the sheets {', '.join(workbook.sheet_names)}"
            yield Chunk(rejected=[Rejected(1, data, "missing_sheet", detail)])
            return
        name = sheet if sheet is not None else workbook.sheet_names[0]
        rows = workbook.get_sheet_by_name(name).to_python()
    except (python_calamine.CalamineError, OSError, IndexError) as error:
        yield Chunk(rejected=[Rejected(1, data, "unreadable_workbook", type(error).__name__)])
        return
    yield from _sheet_chunks(rows)


def _sheet_chunks(rows: Sequence[Sequence[object]]) -> Iterator[Chunk]:
    import orjson

    from connectors.csv_items import column_names

    first = next((n for n, row in enumerate(rows) if any(cell != "" for cell in row)), None)
    if first is None:
        return
    names = column_names([str(cell) for cell in rows[first]])
    chunk = Chunk()
    for number, row in enumerate(rows[first + 1 :], first + 2):
        if all(cell == "" for cell in row):
            continue
        cells = {name: _plain(cell) for name, cell in zip(names, row, strict=False)}
        chunk.payloads.append(orjson.dumps(cells))
        chunk.rows.append(number)
        if len(chunk.rows) == CHUNK_ROWS:
            yield chunk
            chunk = Chunk()
    if chunk.rows:
        yield chunk


def _plain(cell: object) -> object:
    """Return a cell as JSON holds it: whole floats as integers, times in ISO 8601, no value as null."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    return cell
