"""Writing rows as Parquet, CSV and JSON Lines with DuckDB.

CSV is opened in spreadsheets, which take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a
formula. Such a text gets an apostrophe in front, and so does a text that begins with one: taking one
leading apostrophe off gives every text back. Numbers and times are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from cdp import duck

if TYPE_CHECKING:
    import duckdb

Format = Literal["parquet", "csv", "jsonl"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
StreamFormat = Literal["parquet", "csv", "jsonl", "json"]

LIST_SEPARATOR: Final = "|"
# The four of every guide, what Excel strips before it looks, their full-width forms, and the mark itself.
_RISKY: Final = "= + - @ \t \r \n ＝ ＋ － ＠ '".split(" ")

_OPTIONS: Final[dict[StreamFormat, str]] = {
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440",
    "csv": "FORMAT csv, HEADER true",
    "jsonl": "FORMAT json",
    "json": "FORMAT json, ARRAY true",
}


def escaped(expression: str) -> str:
    """Return SQL that escapes a text expression for CSV."""
    risky = ", ".join(duck.quote(mark) for mark in _RISKY)
    return f"CASE WHEN left({expression}, 1) IN ({risky}) THEN '''' || {expression} ELSE {expression} END"


def escaped_text(text: str) -> str:
    """Return a text as a CSV cell that no spreadsheet takes for a formula, as :func:`escaped` does in SQL.

    >>> escaped_text("=1+1"), escaped_text("plain")
    ("'=1+1", 'plain')
    """
    return f"'{text}" if text[:1] in _RISKY and text else text


def unescaped(cell: str) -> str:
    """Return the text that a CSV cell stands for.

    >>> unescaped("'+442079460018"), unescaped("plain"), unescaped("''quoted'")
    ('+442079460018', 'plain', "'quoted'")
    """
    return cell.removeprefix("'")


def cell(name: str, kind: str, into: StreamFormat, *, escape: bool = True) -> str:
    """Return SQL of a column as it is written; ``escape`` is about CSV in spreadsheets."""
    column = duck.identifier(name)
    if into == "parquet":
        return column
    if kind.startswith("TIMESTAMP"):
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {column}"
    if into == "csv" and kind == "VARCHAR" and escape:
        return f"{escaped(column)} AS {column}"
    if into == "csv" and kind == "VARCHAR[]":
        joined = f"array_to_string({column}, {duck.quote(LIST_SEPARATOR)})"
        return f"{escaped(joined) if escape else joined} AS {column}"
    if into == "csv" and kind.endswith((")", "]")) and not kind.startswith("DECIMAL"):
        return f"to_json({column}) AS {column}"
    return column


def as_json(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Return SQL of a struct of a row of ``relation`` (alias r), with its values as JSON Lines have them."""
    cells = (
        f"{duck.identifier(name)} := {_value(f'r.{duck.identifier(name)}', kind)}"
        for name, kind in described(connection, relation)
    )
    return f"struct_pack({', '.join(cells)})"


def _value(column: str, kind: str) -> str:
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')" if kind.startswith("TIMESTAMP") else column


def described(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Return names and types of the columns of a table, view or query in parentheses."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


def write(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    path: Path | str,
    into: StreamFormat,
    *,
    order: Sequence[str] = (),
    escape: bool = True,
) -> None:
    """Write all rows of ``relation`` (a table, view or query in parentheses) to ``path``, in this order.

    ``escape=False`` leaves texts of a CSV as they are, for programs that read it.
    """
    columns = described(connection, relation)
    cells = ", ".join(cell(name, kind, into, escape=escape) for name, kind in columns)
    sorting = f" ORDER BY {', '.join(duck.identifier(name) for name in order)}" if order else ""
    # Sorted outside the select list: there the names mean the written texts.
    query = f"SELECT {cells} FROM (SELECT * FROM {relation}{sorting})"
    target = f"{duck.quote(str(path))} ({_OPTIONS[into]}, USE_TMP_FILE false)"
    connection.execute(f"COPY ({query}) TO {target}")
