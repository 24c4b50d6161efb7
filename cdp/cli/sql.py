"""`cdp sql`: one question to the current release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

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
@click.option(
    "--masked", is_flag=True, help="Ask the masked copy (release: masked in cdp.yaml): no personal data."
)
@click.pass_obj
def command(
    context: Context,
    query: str,
    *,
    chosen: str | None,
    output: Path | None,
    timeout: int,
    rows: int,
    masked: bool,
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
    release = current(Lake(context.workspace))
    database = release.need_masked() if masked else release.database
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
    from cdp.cli import terminal
    from warehouse import answers, sandbox

    taken: list[list[str]] = []
    with sandbox.run(database, query, limits) as answer:
        schema = answer.schema
        for batch in answer:
            taken += answers.rows(batch, most + 1 - len(taken))
            if len(taken) > most:
                break
    right = frozenset(at for at, field in enumerate(schema) if answers.is_number(field.type))
    headings = [terminal.printable(name) for name in schema.names]
    cells = [[terminal.printable(cell) for cell in row] for row in taken[:most]]
    click.echo(terminal.table(headings, cells, right=right, columns=terminal.width()))
    told = f"{len(taken)} row{'s' * (len(taken) != 1)}"
    click.echo(f"(first {most} rows; --rows N shows more)" if len(taken) > most else f"({told})", err=True)
