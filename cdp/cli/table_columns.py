"""Typed columns as text: Parquet and JSON lines."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_WHOLE: Final = r"^-?\d+\.0+$"
_SAMPLE: Final = 1_000
_MEMORY: Final = "8GB"


def read_parquet(path: Path, ids: str | None = None) -> tuple[pa.Table, str, tuple[str, ...]]:
    """Return the columns of a Parquet file as text, its format, and notes.

    Texts stay dictionaries, but for those of the column ``ids``, of which each comes once.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        flat = [field for field in schema if not pa.types.is_nested(field.type)]
        texts = [field.name for field in flat if _is_text(field.type) and field.name != ids]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(columns=[field.name for field in flat])
    except (pa.ArrowInvalid, OSError):
        raise UsageError(f"{path} is a broken Parquet file.", hint="Copy it again.") from None
    notes = [f"column {f.name!r} is nested and left out" for f in schema if pa.types.is_nested(f.type)]
    columns: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        text = as_text(table[name])
        if text is None:
            notes.append(f"column {name!r} holds bytes and is left out")
        else:
            columns[name] = text
    return pa.table(columns), "Parquet", tuple(notes)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as text, or None where it holds bytes that are none.

    Whole numbers have no decimals, days no time: 12345.0 is "12345", 2020-01-02 00:00 is "2020-01-02".

    >>> import pyarrow as pa
    >>> as_text(pa.chunked_array([[12345.0, None]])).to_pylist()
    ['12345', None]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return as_text(column.cast(kind.value_type))
        return column
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
        whole = pc.all(pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))).as_py()
        return column.cast(pa.int64() if whole else pa.float64()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        days = column.cast(pa.date32(), safe=False)
        at_midnight = pc.all(pc.equal(days.cast(kind), column)).as_py()
        return days.cast(pa.string()) if at_midnight else column.cast(pa.string())
    try:
        return without_decimals(column.cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def without_decimals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take the decimals away where all numbers of a column are whole: a spreadsheet's 12345.0.

    >>> import pyarrow as pa
    >>> without_decimals(pa.chunked_array([["08001.0", "", "12345.0"]])).to_pylist()
    ['08001', '', '12345']
    """
    import pyarrow.compute as pc

    for part in (column.slice(0, _SAMPLE), column):
        filled = part.filter(pc.greater(pc.utf8_length(part), 0))
        if not len(filled) or not pc.all(pc.match_substring_regex(filled, _WHOLE)).as_py():
            return column
    return pc.replace_substring_regex(column, r"\.0+$", "")


def read_json(path: Path, data: bytes) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the fields of JSON objects, one to a line, as columns of text, and notes.

    A field that holds objects or lists is left out. Raises :class:`UsageError` with the line of the first
    one that is no JSON object.
    """
    import duckdb
    import pyarrow as pa

    from cdp.duck import connect

    form = "array" if data.lstrip()[:1] == b"[" else "newline_delimited"
    with tempfile.TemporaryDirectory(prefix="cdp-") as folder, connect(memory_limit=_MEMORY) as connection:
        copy = Path(folder) / "records.jsonl"
        copy.write_bytes(data)
        given = {"path": str(copy), "format": form}
        reading = "FROM read_json($path, format = $format, records = true"
        try:
            # One pass finds the fields, another reads them as text: "007" stays, and 1 beside "x" is "1".
            query = f"DESCRIBE SELECT * {reading}, maximum_depth = 2, sample_size = -1)"
            kinds = {str(row[0]): str(row[1]) for row in connection.sql(query, params=given).fetchall()}
            flat = [name for name, kind in kinds.items() if not kind.endswith((")", "[]"))]
            columns = ", ".join(f"{_name(name)}: 'VARCHAR'" for name in flat)
            found = (
                connection.sql(f"SELECT * {reading}, columns = {{{columns}}})", params=given).to_arrow_table()
                if flat
                else pa.table({})
            )
        except duckdb.Error:
            raise UsageError(
                f"{path}{_where(data)}: expected one JSON object per line.",
                hint="Mend that line, and run again.",
            ) from None
    if not flat:
        raise UsageError(
            f"{path} has no fields that are texts.", hint='Expected lines such as {"name": "Ada"}.'
        )
    notes = tuple(f"field {name!r} is nested and left out" for name in kinds if name not in flat)
    return pa.table({name: without_decimals(found[name]) for name in flat}), notes


def _where(data: bytes) -> str:
    """Name the first line that is no JSON object; nothing where all are (or it is no file of lines)."""
    for number, line in enumerate(data.splitlines(), 1):
        try:
            fields = json.loads(line, object_pairs_hook=list) if line.strip() else []
        except ValueError:
            return f", line {number}"
        names = [name for name, _ in fields] if _is_object(fields) else None
        if names is None or len(names) != len(set(names)):
            return f", line {number}"
    return ""


def _is_object(fields: object) -> bool:
    return isinstance(fields, list) and all(isinstance(field, tuple) for field in fields)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
