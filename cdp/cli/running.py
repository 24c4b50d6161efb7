"""What `run`, `land`, `resolve`, `publish` and `quarantine replay` share: do a part of the job, sum it up."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from cdp.cli.main import Context
    from cdp.lake import Lake
    from cdp.settings import Settings
    from pipelines.report import RunReport

FAILED = 1

wait_option = click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait this long for another run of the workspace to end.",
)
sources_option = click.option(
    "--source", "-s", "sources", multiple=True, metavar="S", help="Only this source; may be repeated."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")


def execute(
    context: Context,
    selection: str,
    *,
    sources: Sequence[str] = (),
    full: bool = False,
    quarantined: bool = False,
    wait_seconds: float = 0.0,
    quiet: bool = False,
) -> int:
    """Run a selection of the job and print its summary; return the exit status."""
    from cdp.settings import load
    from connectors.registry import names
    from pipelines import runner
    from pipelines.options import RunOptions
    from pipelines.progress import for_stream

    workspace = context.workspace.resolve()
    settings = load(workspace, names())
    with for_stream(sys.stderr, quiet=quiet) as progress:
        report = runner.run(
            workspace,
            settings,
            selection,
            sources=sources,
            options=RunOptions(full=full, quarantined=quarantined),
            wait_seconds=wait_seconds,
            progress=progress,
        )
    if not quiet:
        _print(context, workspace, settings, report)
    return FAILED if report.unreadable else 0


def _print(context: Context, workspace: Path, settings: Settings, report: RunReport) -> None:
    from rich.console import Console

    from cdp.cli.profile_page import PIPE_COLUMNS

    columns = None if sys.stdout.isatty() else PIPE_COLUMNS
    console = Console(markup=False, emoji=False, highlight=False, width=columns)
    if report.nothing_new:
        _print_nothing_new(console, context, workspace)
    else:
        _print_summary(console, context, workspace, settings, report)


def _print_nothing_new(console: Console, context: Context, workspace: Path) -> None:
    from cdp.lake import Lake
    from warehouse.release import find_current

    standing = find_current(Lake(workspace))
    if standing is None:
        console.print("There is no input yet, so nothing was done.")
        console.print(f"Put files where cdp.yaml says (cdp sources{_named(context)}), then run again.")
        return
    rows = standing.manifest["rows"]
    console.print(
        f"Nothing new: release {standing.version} with {rows['customers']:,} customers is up to date. "
        "No work was done."
    )


def _print_summary(
    console: Console, context: Context, workspace: Path, settings: Settings, report: RunReport
) -> None:
    from cdp.cli import summary
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines import overview

    lake = Lake(workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        totals = overview.sources(
            ledger, [name for name, source in settings.sources.items() if source.enabled]
        )
    console.print(summary.sources_table(totals, report))
    customers = overview.customers(lake) if report.release else None
    truth = overview.accuracy(lake) if report.release else None
    if customers is not None:
        console.print(summary.customers_line(customers))
    changed = summary.ids_line(report.identity) if report.identity else None
    if changed is not None:
        console.print(changed)
    if truth is not None:
        console.print(summary.accuracy_line(truth))
    for warning in summary.warnings(report, totals, settings):
        console.print(warning)
    for line in summary.export_lines(report, settings):
        console.print(line)
    console.print(summary.times_line(report.times))
    if truth is not None and customers is not None and customers.example:
        _print_example(console, lake, customers.example)
    _print_next(console, context, customers.example if customers else None)


def _print_example(console: Console, lake: Lake, customer_id: str) -> None:
    from cdp.cli import summary
    from cdp.cli.profile_page import page
    from warehouse import lookup
    from warehouse.release import current

    console.print()
    summary.heading(console, "One of them, merged from several sources")
    with current(lake).open() as connection:
        console.print(page(lookup.profile(connection, customer_id, history=8)))


def _print_next(console: Console, context: Context, example: str | None) -> None:
    from cdp.cli import summary, terminal

    where, cdp = _named(context), terminal.program()
    if example is None:
        return
    console.print()
    summary.heading(console, "Next")
    lines = (
        (f"{cdp} serve{where}", "customers, segments, audiences in the browser"),
        (f"{cdp} profile {example}{where}", "any name, e-mail, phone or id will do"),
        (
            f'{cdp} sql "SELECT channel, count(*) AS contacts FROM contact_history GROUP BY ALL"{where}',
            "ask the release",
        ),
        (f"{cdp} quarantine list{where}", "what could not be read, and why"),
        (f"{cdp} export customers{where}", "files for other systems"),
    )
    wide = max(len(line) for line, _ in lines)
    for line, about in lines:
        console.print(f"  {line:<{wide}}  {about}", no_wrap=True, overflow="ignore", crop=False)


def _named(context: Context) -> str:
    """Return the option that names the workspace again, where it was named."""
    return "" if context.workspace == Path() else f" -w {context.workspace}"
