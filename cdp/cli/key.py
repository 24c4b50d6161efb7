"""`cdp key`: who may use the server."""

from __future__ import annotations

import click

from cdp.cli.main import Context


@click.group("key")
def command() -> None:
    """Make, list and revoke the keys of the API and the pages."""


@command.command("create", short_help="Make a key and print it, once.")
@click.argument("name")
@click.option(
    "--scope", "wanted", multiple=True, default=("read",), show_default=True, help="What it may do."
)
@click.pass_obj
def create(context: Context, name: str, *, wanted: tuple[str, ...]) -> None:
    """Make a key called NAME and print it: it is not shown again.

    Scopes: read, read-pii (unmasked), segments, identity (join and split), admin.
    """
    from datetime import UTC, datetime

    from cdp.lake import Lake
    from warehouse.serve import keys
    from warehouse.serve.store import FILE, Store

    store = Store(Lake(context.workspace).path(FILE))
    try:
        _, text = keys.create(store, name, wanted, now=datetime.now(UTC))
    finally:
        store.close()
    click.echo(text)
