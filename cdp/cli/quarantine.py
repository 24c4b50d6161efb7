"""`cdp quarantine`: what could not be read or is not possible, and reading it again after a repair."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option
from cdp.cli.running import execute, quiet_option, sources_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from pipelines.quarantine import Held

_DEFAULT_LIMIT = 50


@click.group("quarantine", help="List what could not be read, and read it again.")
def command() -> None:
    """Group the commands below."""


@command.command("list")
@sources_option
@click.option("--reason", metavar="R", help="Only this reason, such as invalid_json or check:currency_known.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=_DEFAULT_LIMIT, show_default=True, help="Most rows shown."
)
@click.option(
    "--show",
    is_flag=True,
    help="Show whole payloads as they are; otherwise how they begin, with letters hidden.",
)
@format_option("table")
@click.pass_obj
def list_(
    context: Context, *, sources: tuple[str, ...], reason: str | None, limit: int, show: bool, chosen: str
) -> None:
    """List quarantined envelopes: where they are, why, and how they begin."""
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines import quarantine

    lake = Lake(context.workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        reasons = quarantine.reasons(ledger, sources)
        held = quarantine.held(lake, ledger, sources=sources, reason=reason, limit=limit, show=show)
    if chosen == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in held], ensure_ascii=False, indent=2))
        return
    if not reasons:
        click.echo("Nothing is in quarantine.", err=True)
        return
    _print(held)
    total = sum(count for _, _, count in reasons)
    click.echo(f"\n{total:,} in quarantine:", err=True)
    for source, why, count in reasons:
        click.echo(f"  {count:>6,}  {source}: {why}", err=True)
    click.echo("After a repair of cdp.yaml or of cdp: cdp quarantine replay", err=True)


def _print(held: list[Held]) -> None:
    from cdp.cli import terminal

    rows = [
        [
            one.source,
            one.reason,
            str(one.file_id),
            str(one.raw_row),
            one.ingest_date,
            terminal.printable(one.detail or ""),
            terminal.printable(one.excerpt),
        ]
        for one in held
    ]
    headings = ["source", "reason", "file", "row", "landed", "detail", "begins with"]
    click.echo(terminal.table(headings, rows, right=frozenset({2, 3}), columns=terminal.width()))


@command.command("replay")
@sources_option
@wait_option
@quiet_option
@click.pass_obj
def replay(context: Context, *, sources: tuple[str, ...], wait_seconds: float, quiet: bool) -> int:
    """Read what is in quarantine again, with the configuration and the connectors of today, and publish.

    Nothing moves: each envelope gets a new outcome beside its old one.
    """
    return execute(
        context, "replay", sources=sources, quarantined=True, wait_seconds=wait_seconds, quiet=quiet
    )
