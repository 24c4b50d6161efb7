"""`cdp profile`: one customer's page in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option
from cdp.errors import NotFoundError

if TYPE_CHECKING:
    import duckdb

    from cdp.cli.main import Context
    from warehouse.lookup import Match, Profile


@click.command("profile")
@click.argument("identifier")
@format_option("text")
@click.option(
    "--history", type=click.IntRange(min=0), default=20, show_default=True, help="Newest contacts to show."
)
@click.pass_obj
def command(context: Context, identifier: str, *, chosen: str, history: int) -> None:
    """Show one customer: who, value, consent, contact history, and why the records are one person.

    IDENTIFIER is a customer id (also a retired one), an e-mail, a phone number in any usual writing, a
    user id or handle (type:value where that is ambiguous), a record key, or a name.
    """
    from cdp.lake import Lake
    from warehouse import lookup
    from warehouse.release import current

    with current(Lake(context.workspace)).open() as release:
        found = lookup.find(release, identifier)
        if not found:
            raise not_found(release, identifier)
        if len(found) > 1:
            _list(release, identifier, found, chosen)
            return
        profile = lookup.profile(release, found[0].customer_id, history=history)
    if chosen == "json":
        click.echo(json.dumps(lookup.as_json(profile), ensure_ascii=False, indent=2))
    else:
        _print(profile)


def not_found(release: duckdb.DuckDBPyConnection, text: str) -> NotFoundError:
    """Return the error for an identifier that leads nowhere, with what looks like it."""
    from warehouse import lookup

    close = lookup.near(release, text)
    hint = (
        f"Did you mean {' or '.join(close)}?"
        if close
        else "Try a name, e-mail, phone, user id or customer id."
    )
    return NotFoundError(f"Nobody in this release is known as {text!r}.", hint=hint)


def _print(profile: Profile) -> None:
    import sys

    from rich.console import Console

    from cdp.cli.profile_page import PIPE_COLUMNS, page

    columns = None if sys.stdout.isatty() else PIPE_COLUMNS
    Console(markup=False, emoji=False, highlight=False, width=columns).print(page(profile))


def _list(release: duckdb.DuckDBPyConnection, text: str, found: Sequence[Match], chosen: str) -> None:
    """Say which customers an ambiguous identifier may mean."""
    from cdp.cli import terminal
    from warehouse import lookup

    people = lookup.candidates(release, [match.customer_id for match in found])
    if chosen == "json":
        click.echo(json.dumps({"candidates": people}, ensure_ascii=False, indent=2))
        return
    click.echo(f"{text!r} may be one of {len(people)} customers:\n")
    headings = ["customer_id", "name", "email", "phone", "city", "last seen", "events"]
    rows = [
        [terminal.printable(str("" if cell is None else cell)) for cell in person.values()]
        for person in people
    ]
    click.echo(terminal.table(headings, rows, right=frozenset({6}), columns=terminal.width()))
    click.echo("\nShow one: cdp profile CUSTOMER_ID")
