"""`cdp doctor`: is the workspace whole?"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from cdp.cli.main import Context

_MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "wrong": ("✗", "red")}


@click.command("doctor")
@format_option("text")
@click.pass_obj
def command(context: Context, *, chosen: str) -> int:
    """Hold ledger, files and accounting against each other. Nothing is changed.

    Exit status 1 where something is wrong that the next run does not mend by itself.
    """
    from pipelines.doctor import examine

    findings = list(examine(context.workspace))
    if chosen == "json":
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.state]
            advice = f"  → {finding.advice}" if finding.advice and finding.state != "ok" else ""
            click.echo(f"{click.style(mark, fg=colour)} {finding.about}: {finding.text}{advice}")
    return 1 if any(finding.state == "wrong" for finding in findings) else 0
