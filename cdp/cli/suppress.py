"""`cdp suppress`: identifiers of people whose events must not land."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

import click

from cdp.cli.identity_judge import judge_name
from cdp.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cdp.cli.main import Context
    from cdp.suppression import Suppression

_NOT_TOUCHED = (
    "What landed before stays as it is: it is not erased, and still in releases and in exports for internal use. "
    "Exports for another purpose leave these people out from the next `cdp run` on."
)

_as_option = click.option(
    "--as", "who", metavar="NAME", help="Who decides; default: the user of the operating system."
)
_file_option = click.option(
    "--file",
    "file",
    type=click.File("r", encoding="utf-8"),
    metavar="F",
    help="Also each line of this file; - is stdin. Empty lines and lines with # do not count.",
)


@click.group("suppress", help="Keep people out: hold their events back before they land.")
def command() -> None:
    """Group the commands below."""


@command.command("add", short_help="Put identifiers on the list.")
@click.argument("identifiers", metavar="TYPE:VALUE...", nargs=-1)
@_file_option
@click.option("--reason", metavar="TEXT", help="Why; kept with the entry. No personal data, please.")
@_as_option
@click.pass_obj
def add(
    context: Context,
    identifiers: tuple[str, ...],
    *,
    file: IO[str] | None,
    reason: str | None,
    who: str | None,
) -> None:
    """Put identifiers on the list: events that carry one of them are not landed any more, only counted.

    TYPE is email, phone, user_id, external_id, anonymous_id or handle. E-mail addresses and telephone
    numbers are the same everywhere. Another type holds in every namespace, or with TYPE@NAMESPACE:VALUE in
    that one. The list keeps keyed hashes, never the values; what is typed here may stay in the history of
    the shell, so give many, or secret ones, with --file.
    """
    from cdp import suppression
    from cdp.ledger import Ledger

    region, path = _opened(context)
    entries = [
        suppression.parse(text, place=place, region=region) for place, text in _given(identifiers, file)
    ]
    with Ledger(path) as ledger:
        added = suppression.add(ledger, entries, by=judge_name(who), now=datetime.now(UTC), reason=reason)
    known = len(entries) - added
    before = f"; {known:,} were on it before" if known else ""
    click.echo(f"{_count(added)} put on the list{before}. The next batch that lands heeds it.", err=True)
    click.echo(_NOT_TOUCHED, err=True)


@command.command("list", short_help="Show what may be shown of the list.")
@click.option("--removed", is_flag=True, help="Also entries that were taken off.")
@format_option("table")
@click.pass_obj
def list_(context: Context, *, removed: bool, chosen: str) -> None:
    """Show the entries: type and namespace, when, by whom and why, and how many envelopes they held back.

    The values are not kept; the beginning of an entry's hash names it.
    """
    from dataclasses import asdict

    from cdp import suppression
    from cdp.ledger import Ledger

    _, path = _opened(context)
    found: list[Suppression] = []
    if path.is_file():
        with Ledger(path, read_only=True) as ledger:
            found = suppression.read(ledger, removed=removed)
    if chosen == "json":
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    elif found:
        _print(found, removed=removed)
    else:
        click.echo("Nobody is on the list.", err=True)


@command.command("remove", short_help="Take identifiers off the list.")
@click.argument("identifiers", metavar="TYPE:VALUE|HASH...", nargs=-1)
@_file_option
@_as_option
@click.pass_obj
def remove(context: Context, identifiers: tuple[str, ...], *, file: IO[str] | None, who: str | None) -> None:
    """Take identifiers off the list; each is given again, or by the beginning of its hash (`list` shows it).

    Events that were held back do not come back: they were never stored. Later ones land again.
    """
    from cdp import suppression
    from cdp.ledger import Ledger

    region, path = _opened(context)
    with Ledger(path) as ledger:
        hashes = [
            suppression.find(ledger, text, place=place, region=region)
            for place, text in _given(identifiers, file)
        ]
        gone = suppression.remove(ledger, hashes, by=judge_name(who), now=datetime.now(UTC))
    click.echo(f"{_count(gone)} taken off the list. What was held back stays lost.", err=True)


def _opened(context: Context) -> tuple[str | None, Path]:
    """Return the workspace's region and the path of its ledger."""
    from cdp.lake import Lake
    from cdp.settings import load
    from connectors.registry import names

    settings = load(context.workspace, names())
    return settings.workspace.region or None, Lake(context.workspace).ledger_path


def _given(identifiers: Sequence[str], file: IO[str] | None) -> Iterator[tuple[str, str]]:
    """Yield where each identifier stands, and its text; nothing given is wrong use."""
    from cdp.errors import UsageError

    found = [(f"argument {number}", text) for number, text in enumerate(identifiers, 1)]
    lines = enumerate(file or (), 1)
    found += [
        (f"line {number}", line.strip())
        for number, line in lines
        if line.strip() and not line.startswith("#")
    ]
    if not found:
        raise UsageError("No identifier was given.", hint="cdp suppress add email:ann@mail.example")
    yield from found


def _count(number: int) -> str:
    return "1 identifier was" if number == 1 else f"{number:,} identifiers were"


def _print(found: Sequence[Suppression], *, removed: bool) -> None:
    from cdp.cli import terminal

    headings = ["hash", "type", "namespace", "since (UTC)", "by", "held back", "last (UTC)", "why"]
    rows = [
        [
            one.prefix,
            one.type,
            "every" if one.namespace is None else terminal.printable(one.namespace),
            _moment(one.added_at),
            terminal.printable(one.added_by),
            f"{one.held_back:,}",
            _moment(one.last_held_at),
            terminal.printable(one.reason or ""),
        ]
        for one in found
    ]
    if removed:
        headings.append("removed (UTC)")
        for row, one in zip(rows, found, strict=True):
            by = f" by {terminal.printable(one.removed_by or '')}" if one.removed_at else ""
            row.append(_moment(one.removed_at) + by)
    click.echo(terminal.table(headings, rows, right=frozenset({5}), columns=terminal.width()))


def _moment(text: str | None) -> str:
    return (text or "")[:19].replace("T", " ")
