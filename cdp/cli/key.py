"""`cdp key`: who may use the server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cdp.cli.main import Context
from cdp.cli.options import format_option
from cdp.cli.terminal import UNLIMITED, printable

if TYPE_CHECKING:
    from warehouse.serve.keys import Key
    from warehouse.serve.store import Store


@click.group("key")
def command() -> None:
    """Make, list and revoke the keys of the API and the pages."""


@command.command("create", short_help="Make a key and print it, once.")
@click.argument("name")
@click.option(
    "--scope", "wanted", multiple=True, default=("read",), show_default=True, help="What it may do."
)
@click.option("--expires", metavar="DURATION", help="When it ends: 12h, 90d, 52w. Default: never.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Default: the settings' (serve).")
@click.option("--rows-per-day", type=click.IntRange(1), help="Default: the settings' (serve).")
@click.pass_obj
def create(
    context: Context,
    name: str,
    *,
    wanted: tuple[str, ...],
    expires: str | None,
    requests_per_minute: int | None,
    rows_per_day: int | None,
) -> None:
    """Make a key called NAME and print it: it is not shown again.

    Scopes: read, read-pii (unmasked), segments, identity (join and split), admin.
    """
    from warehouse.serve import keys

    now = datetime.now(UTC)
    limits = keys.Limits(requests_per_minute, rows_per_day)
    with _store(context) as store:
        key_id, text = keys.create(store, name, wanted, now=now, expires_at=_end(expires, now), limits=limits)
        _write_down(store, "key.create", key_id, now)
    click.echo(text)


@command.command("list")
@format_option("table")
@click.pass_obj
def show(context: Context, *, chosen: str) -> None:
    """List the keys: what they may do, and until when. Their secrets are not kept."""
    from warehouse.serve import keys

    with _store(context) as store:
        found = [key for key in keys.listed(store) if key.key_id != keys.OWNER]
    now = datetime.now(UTC)
    if chosen == "json":
        import json

        click.echo(json.dumps([_members(key, now) for key in found], indent=2))
    elif not found:
        click.echo("There are no keys yet; `cdp key create NAME --scope read` makes one.")
    else:
        _print_table([_members(key, now) for key in found])


@command.command("revoke")
@click.argument("key_id")
@click.pass_obj
def revoke(context: Context, key_id: str) -> None:
    """End the key KEY_ID at once, and all sessions that began with it. `cdp key list` shows the ids."""
    from warehouse.serve import keys

    now = datetime.now(UTC)
    with _store(context) as store:
        keys.revoke(store, key_id, now)
        _write_down(store, "key.revoke", key_id, now)
    click.echo(f"The key {key_id} is revoked.")


@contextlib.contextmanager
def _store(context: Context) -> Iterator[Store]:
    from cdp.lake import Lake
    from cdp.settings import load
    from connectors.registry import names
    from warehouse.serve.store import FILE, Store

    load(context.workspace, names())  # a folder that is no workspace gets no file
    store = Store(Lake(context.workspace).path(FILE))
    try:
        yield store
    finally:
        store.close()


def _write_down(store: Store, action: str, key_id: str, now: datetime) -> None:
    """Say in the audit log what was done on the command line, by whoever owns the workspace."""
    from warehouse.serve import audit, keys
    from warehouse.serve.scopes import ADMIN, Caller

    caller = Caller(keys.owner(store, now), "command line", frozenset({ADMIN}))
    audit.record(store, caller, action, now=now, subject=key_id)


def _end(expires: str | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    from warehouse.serve.keys import end_after

    return end_after(expires, now)


def _members(key: Key, now: datetime) -> dict[str, str | int | None]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": " ".join(key.scopes),
        "state": key.state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "requests_per_minute": key.limits.requests_per_minute,
        "rows_per_day": key.limits.rows_per_day,
    }


def _print_table(rows: list[dict[str, str | int | None]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = ("key_id", "name", "scopes", "state", "created_at", "expires_at")
    table = Table(*shown, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_shown(name, row[name]) for name in shown))
    width = None if sys.stdout.isatty() else UNLIMITED
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)


def _shown(name: str, value: str | int | None) -> str:
    text = printable(str(value or ""))
    return text[:16].replace("T", " ") if name.endswith("_at") else text
