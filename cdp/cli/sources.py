"""`cdp sources`: what the workspace reads, and how each source does."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from cdp.settings import Settings
    from pipelines.health import Health, SourceHealth


@click.command("sources")
@click.argument("name", required=False)
@click.option("--connectors", is_flag=True, help="List the connectors that a source may use instead.")
@format_option("table")
@click.pass_obj
def command(context: Context, name: str | None, *, connectors: bool, chosen: str) -> None:
    """Show how each source does, or with NAME all that is known of one.

    Volume, what waits, lateness (received − occurred), duplicates, quarantine, what was suppressed, new and
    vanished fields of the payloads, and how old the newest batch is. Counts are exact, lateness and fields are
    of samples. It can be asked at any time, beside a run and beside a collector; no value of a payload is shown.
    """
    from connectors.registry import names

    if connectors:
        click.echo(json.dumps(sorted(names())) if chosen == "json" else "\n".join(sorted(names())))
        return
    from cdp.settings import load
    from pipelines.health import health
    from pipelines.sources import enabled

    settings, now = load(context.workspace, names()), datetime.now(UTC)
    wanted = list(settings.sources) if name is None else enabled(settings, [name])
    found = health(context.workspace, settings, wanted, now=now)
    if chosen == "json":
        shown = [_as_json(settings, one) for one in found.sources]
        click.echo(json.dumps(shown if name is None else shown[0], indent=2, ensure_ascii=False))
    elif name is not None:
        _print_one(context, settings, found)
    elif found.sources:
        _print(settings, found, now)
    else:
        click.echo("There are no sources in cdp.yaml yet.", err=True)


def _as_json(settings: Settings, one: SourceHealth) -> dict[str, Any]:
    from pipelines.overview import totals

    source, total = settings.sources[one.source], one.volumes.total
    return {
        **dataclasses.asdict(totals(one.source, one.volumes)),
        "suppressed": total.suppressed,
        "duplicate_rate": total.duplicate / total.landed if total.landed else None,
        "quarantine_rate": total.quarantined / total.landed if total.landed else None,
        "last_24h": dataclasses.asdict(one.volumes.day),
        "last_7d": dataclasses.asdict(one.volumes.week),
        "lateness": _plain(one.lateness),
        "fields": _plain(one.fields),
        "freshness": dataclasses.asdict(one.freshness) | {"stale": one.freshness.stale},
        "waiting": _plain(one.waiting),
        "connector": source.connector,
        "enabled": source.enabled,
        "paths": list(source.paths),
    }


def _plain(value: Any) -> dict[str, Any] | None:
    """Return a dataclass as JSON has it."""
    if value is None:
        return None
    found = dataclasses.asdict(value)
    return {key: one.isoformat() if isinstance(one, datetime) else one for key, one in found.items()}


def _print(settings: Settings, found: Health, now: datetime) -> None:
    from cdp.cli import sources_page, terminal

    click.echo(sources_page.table(found, settings, columns=terminal.width()))
    for number, line in enumerate(sources_page.notes(found, settings, now=now)):
        click.echo(line if number else f"\n{line}")
    click.echo(sources_page.SAMPLED, err=True)


def _print_one(context: Context, settings: Settings, found: Health) -> None:
    from cdp.cli import sources_page
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines import quarantine

    (one,) = found.sources
    reasons: list[tuple[str, int]] = []
    if one.volumes.total.quarantined:
        with Ledger(Lake(context.workspace).ledger_path, read_only=True) as ledger:
            reasons = [(reason, count) for _, reason, count in quarantine.reasons(ledger, [one.source])]
    click.echo(sources_page.page(one, settings.sources[one.source], found.backlog, reasons))
