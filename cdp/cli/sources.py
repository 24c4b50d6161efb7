"""`cdp sources`: what the workspace reads, and what became of it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from cdp.settings import Settings
    from pipelines.overview import SourceTotals

_COUNTS = ("files", "landed", "standardised", "duplicate", "superseded", "ignored", "quarantined", "pending")


@click.command("sources")
@click.option("--connectors", is_flag=True, help="List the connectors that a source may use instead.")
@format_option("table")
@click.pass_obj
def command(context: Context, *, connectors: bool, chosen: str) -> None:
    """Show each source: its connector, input files, envelopes by outcome, and when it last landed."""
    from connectors.registry import names

    if connectors:
        click.echo(json.dumps(sorted(names())) if chosen == "json" else "\n".join(sorted(names())))
        return
    from cdp.settings import load

    settings = load(context.workspace, names())
    totals = _totals(context, settings)
    if chosen == "json":
        click.echo(json.dumps([_as_json(settings, total) for total in totals], indent=2))
    elif totals:
        _print(settings, totals)
    else:
        click.echo("There are no sources in cdp.yaml yet.", err=True)


def _totals(context: Context, settings: Settings) -> list[SourceTotals]:
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines import overview

    path = Lake(context.workspace).ledger_path
    if not path.is_file():
        return [overview.SourceTotals(name) for name in settings.sources]
    with Ledger(path, read_only=True) as ledger:
        return overview.sources(ledger, settings.sources)


def _as_json(settings: Settings, total: SourceTotals) -> dict[str, object]:
    source = settings.sources[total.source]
    about = {"connector": source.connector, "enabled": source.enabled, "paths": list(source.paths)}
    return {**dataclasses.asdict(total), **about}


def _print(settings: Settings, totals: list[SourceTotals]) -> None:
    from cdp.cli import terminal

    rows = [
        [
            total.source + ("" if settings.sources[total.source].enabled else " (off)"),
            settings.sources[total.source].connector,
            *(f"{getattr(total, name):,}" for name in _COUNTS),
            (total.last_landed_at or "never")[:16].replace("T", " "),
        ]
        for total in totals
    ]
    headings = ["source", "connector", *_COUNTS, "last landed (UTC)"]
    right = frozenset(range(2, 2 + len(_COUNTS)))
    click.echo(terminal.table(headings, rows, right=right, columns=terminal.width()))
