"""`cdp export`: write a versioned export of the current release."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import click

from cdp.errors import UsageError

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from warehouse.exports import Export, ExportReport
    from warehouse.formats import Format

FORMATS: Final = ("parquet", "csv", "jsonl")


@click.command("export")
@click.argument("name", required=False)
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, help="File format; may be given again."
)
@click.option("--list", "listing", is_flag=True, help="List the exports that can be written.")
@click.option("--wait", default=0.0, show_default=True, help="Seconds to wait for another run to end.")
@click.pass_obj
def command(
    context: Context, name: str | None, *, formats: tuple[str, ...], listing: bool, wait: float
) -> None:
    """Write the export NAME of cdp.yaml, or a whole dataset, from the current release.

    Files, change feed and manifest go to exports/NAME/schema=v1/release=VERSION; LATEST names the newest.
    Exports of cdp.yaml keep out everybody who has not consented to their purpose.
    """
    from dataclasses import replace

    from cdp.runs import new_run_id
    from cdp.settings import load
    from pipelines.session import open_session
    from pipelines.stages.export import configured
    from warehouse.exports import built_in, choose, export
    from warehouse.release import current

    settings = load(context.workspace)
    known = built_in() | configured(settings)
    if listing:
        for wanted in known.values():
            click.echo(_line(wanted))
        return
    if name is None:
        raise UsageError("Name an export.", hint=f"One of: {', '.join(known)}.")
    wanted = choose(name, known)
    if formats:
        wanted = replace(wanted, formats=cast("tuple[Format, ...]", formats))
    now = datetime.now(UTC)
    run_id = new_run_id(now, secrets.token_hex(2))
    with open_session(
        context.workspace, settings, f"export {name}", run_id=run_id, now=now, wait_seconds=wait
    ) as session:
        release = current(session.lake)
        report = export(session.lake, session.ledger, release, wanted, now=now, run_id=run_id)
    _tell(report)


def _line(wanted: Export) -> str:
    who = "" if wanted.purpose == "internal" else f", who consented to {wanted.purpose}"
    sure = f", match probability from {wanted.min_probability}" if wanted.min_probability else ""
    return f"{wanted.name}: {wanted.dataset} as {', '.join(wanted.formats)}{who}{sure}"


def _tell(report: ExportReport) -> None:
    state = " (was there already)" if report.repeated else ""
    click.echo(f"{report.export.name}: {report.rows:,} rows of release {report.release}{state}")
    if report.changes is not None:
        told = ", ".join(f"{count:,} {op}" for op, count in report.changes.items() if count)
        click.echo(f"  changes since the previous export: {told or 'none'}")
    click.echo(f"  {report.folder}")
    if not report.rows and report.export.purpose != "internal":
        click.echo(f"  Nobody has consented to {report.export.purpose!r}.", err=True)
