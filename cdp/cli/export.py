"""`cdp export`: write or deliver an export of the current release."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import click

from cdp.errors import CdpError, UsageError

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from cdp.settings.exporting import FileFormat
    from warehouse.audiences.delivery import DeliveryReport
    from warehouse.exports import Export, ExportReport

FORMATS: Final = ("parquet", "csv", "jsonl", "google", "meta")
FAILED: Final = 1


@click.command("export")
@click.argument("name", required=False)
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, help="File format; may be given again."
)
@click.option("--list", "listing", is_flag=True, help="List the exports that can be written.")
@click.option("--log", "logged", is_flag=True, help="Show what left for whom, newest first; of NAME, or all.")
@click.option("--withdraw", is_flag=True, help="Take everybody back from the HTTP destination of NAME.")
@click.option("--retry-rejected", is_flag=True, help="Try the rows again that the destination refused.")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as JSON.")
@click.option("--caller", help="Who asks, for the share log; default: this run.")
@click.option("--wait", default=0.0, show_default=True, help="Seconds to wait for another run to end.")
@click.pass_obj
def command(  # noqa: PLR0913 - the options, all by name
    context: Context,
    name: str | None,
    *,
    formats: tuple[str, ...],
    listing: bool,
    logged: bool,
    withdraw: bool,
    retry_rejected: bool,
    as_json: bool,
    caller: str | None,
    wait: float,
) -> int:
    """Write the export NAME of cdp.yaml, or a whole dataset, from the current release.

    Files, change feed and manifest go to exports/NAME/schema=v1/release=VERSION; LATEST names the newest.
    An export with a destination is delivered over HTTP instead: what changed since the last time. Exports of
    cdp.yaml keep out everybody who has not consented to their purpose.
    """
    from cdp.settings import load
    from pipelines.stages.export import configured
    from warehouse.exports import built_in, choose

    settings = load(context.workspace)
    known = built_in() | configured(settings)
    if logged:
        _log(context, name)
        return 0
    if listing:
        for wanted in known.values():
            click.echo(_line(wanted))
        return 0
    if name is None:
        raise UsageError("Name an export.", hint=f"One of: {', '.join(known)}.")
    wanted = _with_formats(choose(name, known), cast("tuple[FileFormat, ...]", formats))
    if (withdraw or retry_rejected) and wanted.destination is None:
        raise UsageError(f"The export {name!r} has no destination over HTTP.", hint="It is written as files.")
    order = Order(wanted, withdraw, retry_rejected, caller, wait)
    return _run_as_json(context, order) if as_json else _run(context, order)


@dataclass(frozen=True)
class Order:
    """What is to be done, and for whom."""

    wanted: Export
    withdraw: bool
    retry: bool
    caller: str | None
    wait: float


def _with_formats(wanted: Export, formats: tuple[FileFormat, ...]) -> Export:
    from dataclasses import replace

    if not formats:
        return wanted
    if wanted.destination is not None:
        raise UsageError(f"The export {wanted.name!r} is delivered over HTTP.", hint="It has no file format.")
    if wanted.purpose == "internal" and {"google", "meta"} & set(formats):
        hint = "Make an export with a purpose in cdp.yaml."
        raise UsageError(
            "A list for an advertiser's network needs a purpose that people consented to.", hint=hint
        )
    if wanted.dataset != "customers" and {"google", "meta"} & set(formats):
        raise UsageError(f"{wanted.dataset} cannot become a list for an advertiser's network.")
    return replace(wanted, formats=formats)


def _done(context: Context, order: Order) -> ExportReport | DeliveryReport:
    from cdp.runs import new_run_id
    from cdp.settings import load
    from connectors.registry import names
    from pipelines.session import open_session
    from pipelines.stages.export import export_one
    from warehouse.audiences.delivery import outbox_of

    now = datetime.now(UTC)
    run_id = new_run_id(now, secrets.token_hex(2))
    settings = load(context.workspace, names())
    name = order.wanted.name
    with open_session(
        context.workspace, settings, f"export {name}", run_id=run_id, now=now, wait_seconds=order.wait
    ) as session:
        if order.retry:
            with session.ledger.transaction("retry rejected"):
                outbox_of(session.ledger, order.wanted).forget_rejections()
        return export_one(session, order.wanted, withdraw=order.withdraw, caller=order.caller)


def _run(context: Context, order: Order) -> int:
    from warehouse.audiences.delivery import DeliveryReport

    report = _done(context, order)
    if isinstance(report, DeliveryReport):
        _tell_delivery(report)
        return 0 if report.complete else FAILED
    _tell(report)
    return 0


def _run_as_json(context: Context, order: Order) -> int:
    import json
    from dataclasses import asdict

    from warehouse.audiences.desk import Outcome

    try:
        outcome = Outcome.of(_done(context, order))
    except CdpError as error:
        told = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        click.echo(json.dumps(told))
        return error.exit_status
    click.echo(json.dumps(asdict(outcome)))
    return FAILED if outcome.problem else 0


def _line(wanted: Export) -> str:
    who = "" if wanted.purpose == "internal" else f", who consented to {wanted.purpose}"
    who += f" on {wanted.channel}" if wanted.channel else ""
    members = f", members of {wanted.segment}" if wanted.segment else ""
    sure = f", match probability from {wanted.min_probability}" if wanted.min_probability else ""
    way = f"as {', '.join(wanted.formats)}" if wanted.destination is None else "over HTTP"
    when = {"each_run": "", "manual": "; by hand"}.get(wanted.schedule, f"; at {wanted.schedule}")
    return f"{wanted.name}: {wanted.dataset} {way}{members}{who}{sure}{when}"


def _tell(report: ExportReport) -> None:
    state = " (was there already)" if report.repeated else ""
    click.echo(f"{report.export.name}: {report.rows:,} rows of release {report.release}{state}")
    if report.changes is not None:
        told = ", ".join(f"{count:,} {op}" for op, count in report.changes.items() if count)
        click.echo(f"  changes since the previous export: {told or 'none'}")
    click.echo(f"  {report.folder}")
    if not report.rows and report.export.purpose != "internal":
        click.echo(f"  Nobody has consented to {report.export.purpose!r}.", err=True)


def _tell_delivery(report: DeliveryReport) -> None:
    state = " (was delivered already)" if report.repeated else ""
    click.echo(f"{report.export.name}: {report.rows:,} rows are there, of release {report.release}{state}")
    click.echo(f"  {report.added:,} added, {report.changed:,} changed, {report.removed:,} removed")
    if report.rejected:
        click.echo(f"  {report.rejected:,} rows were refused; --retry-rejected tries them again.", err=True)
    if report.problem:
        click.echo(f"  Not complete: {report.problem}. The next run goes on from there.", err=True)


def _log(context: Context, name: str | None) -> None:
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from warehouse.audiences import shares

    with Ledger(Lake(context.workspace).ledger_path, read_only=True) as ledger:
        for share in shares.read(ledger, name):
            state = "" if share.complete else f"; not complete: {share.detail or 'it was cut off'}"
            click.echo(
                f"{share.at[:19]}Z {share.name} ({share.kind}) for {share.purpose}: {share.rows:,} rows, "
                f"+{share.added:,} ~{share.changed:,} -{share.removed:,}, release {share.release}, {share.caller}{state}"
            )
