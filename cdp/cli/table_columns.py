"""Typed columns as text: Parquet and JSON lines."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.duck import quote
from cdp.errors import UsageError

if TYPE_CHECKING:
    import duckdb
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
        flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        texts = [name for name in flat if name != ids and _are_texts(schema, name)]
        names, renamed = distinct_names(schema.names)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read() if renamed else file.read(columns=flat)
    except (pa.ArrowInvalid, OSError):
        raise UsageError(f"{path} is a broken Parquet file.", hint="Copy it again.") from None
    notes = [f"column {f.name!r} is nested and left out" for f in schema if pa.types.is_nested(f.type)]
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(names if renamed else flat, table.columns, strict=True):
        text = None if pa.types.is_nested(column.type) else as_text(column)
        if text is not None:
            columns[name] = text
        elif not pa.types.is_nested(column.type):
            notes.append(f"column {name!r} holds bytes and is left out")
    if not columns:
        raise _nothing(path, notes)
    return pa.table(columns), "Parquet", (*notes, *renamed)


def distinct_names(given: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return names that are not empty and not repeated, and notes on those that had to change.

    >>> distinct_names(["name", "name"])
    (['name', 'name_2'], ("column 2 is called 'name_2' here",))
    """
    from connectors.csv_items import column_names

    if len(set(given)) == len(given) and all(name.strip() for name in given):
        return list(given), ()
    names = column_names(given)
    return names, renamings(names, given)


def renamings(names: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Notes on columns that are not called what they were called."""
    return tuple(
        f"column {place} is called {name!r} here"
        for place, (name, was) in enumerate(zip(names, given, strict=True), 1)
        if name != was.strip()
    )


def _nothing(path: Path, notes: Sequence[str]) -> UsageError:
    told = f": {'; '.join(notes)}" if notes else ": it has none"
    return UsageError(
        f"{path} has no column that can be compared{told}.",
        hint="Expected columns of text, numbers or dates, such as names and e-mail addresses.",
    )


def _are_texts(schema: pa.Schema, name: str) -> bool:
    return all(_is_text(schema.field(place).type) for place in schema.get_all_field_indices(name))


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

    given = {"format": "array" if data.lstrip()[:1] == b"[" else "newline_delimited"}
    with tempfile.TemporaryDirectory(prefix="cdp-") as folder, connect(memory_limit=_MEMORY) as connection:
        copy = Path(folder) / "records.jsonl"
        copy.write_bytes(data)
        given["path"] = str(copy)
        try:
            fields = _fields(connection, given)
            flat = [name for name, kind in fields.items() if isinstance(kind, str)]
            notes = tuple(f"field {name!r} is nested and left out" for name in fields if name not in flat)
            found = _values(connection, given, flat) if flat else None
        except (duckdb.Error, _NotRecordsError):
            raise UsageError(
                f"{path}{_where(data)}: expected one JSON object per line.",
                hint="Mend that line, and run again.",
            ) from None
    if found is None:
        raise _nothing(path, notes)
    names, renamed = distinct_names(flat)
    columns = [without_decimals(column) for column in found.columns]
    return pa.Table.from_arrays(columns, names=names), (*notes, *renamed)


class _NotRecordsError(Exception):
    """A line is JSON, but no object, or one with a name twice."""


def _fields(connection: duckdb.DuckDBPyConnection, given: dict[str, str]) -> dict[str, object]:
    """The names of all objects with the kind of each: a text, or a structure where it is nested."""
    query = "SELECT json_group_structure(json) FROM read_json_objects($path, format = $format)"
    ((structure,),) = connection.sql(query, params=given).fetchall()
    fields = json.loads(structure or "null")
    if isinstance(fields, dict):
        return fields
    if fields != "JSON" or _where(Path(given["path"]).read_bytes()):
        raise _NotRecordsError
    return {}  # objects without fields


def _values(connection: duckdb.DuckDBPyConnection, given: dict[str, str], names: Sequence[str]) -> pa.Table:
    """The values of fields as columns of text in the order of ``names``: "007" stays, and 1 beside "x" is "1"."""
    if len({name.casefold() for name in names}) == len(names) and "" not in names:
        columns = ", ".join(f"{_name(name)}: 'VARCHAR'" for name in names)
        query = f"FROM read_json($path, format = $format, records = true, columns = {{{columns}}})"
        return connection.sql(query, params=given).to_arrow_table()
    # Names of columns tell no case apart, and none of them is empty: these values are taken by their place.
    source = "FROM read_json_objects($path, format = $format)"
    twice = f"SELECT bool_or(len(json_keys(json)) > len(list_distinct(json_keys(json)))) {source}"
    if connection.sql(twice, params=given).fetchall()[0][0]:
        raise _NotRecordsError
    places = ", ".join(quote("/" + name.replace("~", "~0").replace("/", "~1")) for name in names)
    picked = ", ".join(f"found[{place}] AS c{place}" for place in range(1, len(names) + 1))
    query = f"SELECT {picked} FROM (SELECT json_extract_string(json, [{places}]) AS found {source})"
    return connection.sql(query, params=given).to_arrow_table()


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
