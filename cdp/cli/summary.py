"""The end of a run, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from cdp.settings import Settings
    from identity.evaluation.evaluate import Evaluation
    from pipelines.overview import CustomerTotals, SourceTotals
    from pipelines.report import RunReport, StageTime
    from pipelines.stages.resolve import ResolveReport

_COLUMNS = ("standardised", "duplicate", "superseded", "ignored", "quarantined")
_STAGES = {
    "start Dagster": "start",
    "land": "land",
    "standardise": "standardise",
    "resolve": "resolve",
    "check": "check",
    "customers": "merge",
    "publish": "publish",
    "export": "export",
}


def sources_table(totals: Sequence[SourceTotals], report: RunReport) -> RenderableType:
    """Return the outcomes per source: all so far, and how many envelopes this run landed."""
    waiting = any(total.pending for total in totals)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=len(totals) > 1)
    rows = [_row(total, report, waiting) for total in totals]
    sums = [sum(column) for column in zip(*(numbers for _, numbers in rows), strict=True)]
    table.add_column("source", "all")
    headings = ["new", "landed", *_COLUMNS, *(["waiting"] if waiting else [])]
    for heading, total in zip(headings, sums or [0] * len(headings), strict=True):
        style = "yellow" if heading == "quarantined" and total else ""
        table.add_column(heading, f"{total:,}", justify="right", style=style)
    for name, numbers in rows:
        table.add_row(name, *(f"{number:,}" if number else "·" for number in numbers))
    return table


def _row(total: SourceTotals, report: RunReport, waiting: bool) -> tuple[str, list[int]]:
    landed = report.landed.get(total.source)
    numbers = [landed.landed if landed else 0, total.landed, *(getattr(total, name) for name in _COLUMNS)]
    return total.source, numbers + ([total.pending] if waiting else [])


def customers_line(totals: CustomerTotals) -> Text:
    """Return what the records became."""
    text = Text()
    text.append(f"{totals.records:,} records → ")
    text.append(f"{totals.customers:,} customers", "bold green")
    text.append(f" ({totals.anonymous:,} anonymous)" if totals.anonymous else "")
    text.append(f"; {totals.several_channels:,} seen in two or more channels")
    return text


def ids_line(found: ResolveReport) -> Text | None:
    """Return how many of the records known before have another customer now, and why; None at first."""
    generation = found.generation
    if found.unchanged or generation.changed_share is None:
        return None
    moved, known = generation.moved_records or 0, generation.previous_records or 0
    text = Text(f"Since the last run ({found.cause}): ")
    text.append(f"{moved:,} of {known:,}", "bold")
    text.append(f" records changed customer ({generation.changed_share:.1%})")
    parts = [(found.created, "new customers"), (found.merged, "merged"), (found.split, "split")]
    counted = ", ".join(f"{count:,} {word}" for count, word in parts if count)
    text.append(f"; {counted}" if counted else "")
    return text


def accuracy_line(found: Evaluation) -> Text:
    """Return how the customers compare with the known truth."""
    text = Text("Against the known truth: precision ")
    text.append(f"{found.pairwise_precision:.1%}", "bold")
    text.append(", recall ")
    text.append(f"{found.pairwise_recall:.1%}", "bold")
    text.append(f" of {found.true_pairs:,} pairs of records; {found.entities:,} people in truth")
    return text


def times_line(times: Sequence[StageTime]) -> Text:
    """Return the time of each stage."""
    seconds: dict[str, float] = {}
    for time in times:
        if time.stage in _STAGES:
            seconds[_STAGES[time.stage]] = seconds.get(_STAGES[time.stage], 0.0) + time.seconds
    parts = [f"{stage} {seconds[stage]:.1f} s" for stage in _STAGES.values() if stage in seconds]
    return Text(f"Time: {' · '.join(parts)} · all {sum(seconds.values()):.1f} s", "dim")


def export_lines(report: RunReport, settings: Settings) -> list[Text]:
    """Return what was delivered over HTTP, and which exports wait for a time of their own."""
    found = [
        Text(
            f"Delivered {one.export.name}: {one.added:,} added, {one.changed:,} changed, {one.removed:,} removed"
            + (f"; {one.rejected:,} rows were refused" if one.rejected else "")
        )
        for one in report.deliveries
        if not one.repeated
    ]
    waiting = [
        f"{name} ({'by hand' if export.cron is None else export.schedule})"
        for name, export in settings.exports.items()
        if export.schedule != "each_run"
    ]
    return found + ([Text(f"Not exported by runs: {', '.join(waiting)}", "dim")] if waiting else [])


def warnings(report: RunReport, totals: Sequence[SourceTotals], settings: Settings) -> list[Text]:
    """Return what deserves a look: unreadable files, failed checks, much quarantine, many changed customers."""
    most_quarantined = settings.alerts.quarantined_share
    found = [
        Text(f"{name}: {problem.origin} cannot be read ({problem.problem}); the next run tries again.", "red")
        for name, landed in report.landed.items()
        for problem in landed.unreadable
    ]
    found += [
        Text(
            f"{standardised.source}: {check.check_name}: {check.observed} (expected: {check.expected})",
            "yellow",
        )
        for standardised in report.standardised.values()
        for check in standardised.checks
        if not check.passed
    ]
    for segment in report.release.bad_segments if report.release else ():
        text = (
            f"The segment {segment} has a problem, its members stay as they were: cdp segment show {segment}"
        )
        found.append(Text(text, "red"))
    for total in totals:
        share = total.quarantined / total.landed if total.landed else 0.0
        if share > most_quarantined:
            found.append(
                Text(
                    f"{total.source}: {share:.0%} of its envelopes are in quarantine: "
                    f"cdp quarantine list --source {total.source}",
                    "yellow",
                )
            )
    return found + _identity_warnings(report.identity, settings.identity.changed_alert)


def _identity_warnings(found: ResolveReport | None, alert: float) -> list[Text]:
    if found is None or found.unchanged:
        return []
    warned = []
    share = found.generation.changed_share
    if share is not None and share > alert:
        warned.append(
            Text(
                f"{share:.1%} of the records known before changed customer ({found.cause}), more than "
                f'identity.changed_alert ({alert:.1%}). What changed: cdp sql "FROM id_changes"',
                "yellow",
            )
        )
    if found.new_model is not None and found.generation.previous_records:
        warned.append(Text(f"A new identity model is in use: {found.new_model}.", "yellow"))
    return warned


def heading(console: Console, text: str) -> None:
    """Print a rule with a title."""
    console.print(Rule(text, align="left", style="dim"))
