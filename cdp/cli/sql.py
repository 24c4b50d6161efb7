"""`cdp sql`: one question to the current release."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from cdp.errors import UsageError

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from warehouse.formats import StreamFormat
    from warehouse.sandbox import Limits

FORMATS: Final = ("table", "csv", "json", "jsonl", "parquet")
SHOWN_ROWS: Final = 200
DEFAULT_SECONDS: Final = 60


@click.command("sql")
@click.argument("query")
@click.option(
    "--format",
    "chosen",
    type=click.Choice(FORMATS),
    help="Output; by default a table, or by the ending of --output.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else stdout."
)
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="Seconds it may take.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=SHOWN_ROWS, show_default=True, help="Most rows of a table."
)
@click.pass_obj
def command(
    context: Context, query: str, *, chosen: str | None, output: Path | None, timeout: int, rows: int
) -> None:
    """Run one SELECT over the current release, read-only; QUERY may be - for stdin.

    `SHOW TABLES` lists the tables, `DESCRIBE customers` the columns of one; docs/reference/tables.md says
    what they mean. CSV and JSON hold the values as they are; `cdp export` writes CSV for spreadsheets.
    """
    from cdp.lake import Lake
    from warehouse import sandbox
    from warehouse.release import current

    wanted = chosen or _by_ending(output)
    text = sys.stdin.read() if query == "-" else query
    database = current(Lake(context.workspace)).database
    limits = sandbox.Limits(seconds=timeout)
    if wanted == "table":
        if output is not None:
            raise UsageError(
                "A table is for the screen.", hint="With --output use csv, json, jsonl or parquet."
            )
        _print_table(database, text, limits, rows)
        return
    into = cast("StreamFormat", wanted)
    if output is not None:
        sandbox.to_file(database, text, output, into, limits)
    elif wanted == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a screen.", hint="Add --output FILE.")
    else:
        sandbox.to_stream(database, text, sys.stdout.buffer, into, limits)


def _by_ending(output: Path | None) -> str:
    if output is None:
        return "table"
    ending = output.suffix.removeprefix(".").lower()
    return ending if ending in FORMATS[1:] else "csv"


def _print_table(database: Path, query: str, limits: Limits, most: int) -> None:
    import pyarrow as pa

    from cdp.cli import terminal
    from warehouse import sandbox

    taken: list[list[str]] = []
    with sandbox.run(database, query, limits) as answer:
        schema = answer.schema
        for batch in answer:
            for row in batch.slice(0, most + 1 - len(taken)).to_pylist():
                taken.append([shown(row[name]) for name in schema.names])  # noqa: PERF401 - a few rows per batch
            if len(taken) > most:
                break
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    right = frozenset(at for at, field in enumerate(schema) if any(check(field.type) for check in numbers))
    headings = [terminal.printable(name) for name in schema.names]
    click.echo(terminal.table(headings, taken[:most], right=right, columns=terminal.width()))
    told = f"{len(taken)} row{'s' * (len(taken) != 1)}"
    click.echo(f"(first {most} rows; --rows N shows more)" if len(taken) > most else f"({told})", err=True)


def shown(value: Any) -> str:
    """Return a value of a row as a table shows it.

    >>> shown(None), shown(True), shown(Decimal("2.5000")), shown(["a", "b"])
    ('', 'true', '2.5', '["a", "b"]')
    """
    from cdp.cli import terminal

    match value:
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case datetime():
            text = f"{value:%Y-%m-%d %H:%M:%S}"
        case Decimal():
            text = f"{value:f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
        case bytes():
            text = value.hex()
        case list() | dict():
            text = json.dumps(value, ensure_ascii=False, default=_plain)
        case _:
            text = str(value)
    return terminal.printable(text)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
