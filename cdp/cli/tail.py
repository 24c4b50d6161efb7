"""`cdp tail`: the last events of a source, and those that come."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Final

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdp.cli.main import Context
    from cdp.cli.tail_lines import Lines
    from pipelines.tail import Tail
    from pipelines.tail_entries import Entry

LOOK_SECONDS: Final = 0.2
_LONGEST_PAUSE: Final = 0.7
_MOST: Final = 10_000


@click.command("tail")
@click.argument("source")
@click.option(
    "-n",
    "--events",
    "count",
    type=click.IntRange(0, _MOST),
    default=20,
    show_default=True,
    metavar="N",
    help="How many events to begin with.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--unmasked", is_flag=True, help="Show personal data as they are.")
@format_option("table", "Output; json is one object a line, with the payload.")
@click.pass_obj
def command(context: Context, source: str, *, count: int, follow: bool, unmasked: bool, chosen: str) -> None:
    """Show the last events of SOURCE, the newest last: when received, type, outcome so far, name, and who.

    Also what a collector has taken and not yet landed (outcome `waiting`). Personal data are masked: of
    e-mail addresses first letters stay, of phone numbers the last two digits, of names the initials; what
    people wrote is left out, and of a payload whatever looks personal.
    """
    from cdp.settings import load
    from connectors.registry import names
    from pipelines.sources import enabled
    from pipelines.tail import Tail

    settings = load(context.workspace, names())
    enabled(settings, [source])  # or say which names there are
    if unmasked:
        click.echo("Personal data are shown as they are.", err=True)
    with Tail(context.workspace, settings, source, payloads=chosen == "json") as tail:
        shown = _Output(chosen, tail.last(count), masked=not unmasked)
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                _follow(tail, shown)
        elif not shown.count and count:
            click.echo(f"Nothing of {source} has come yet.", err=True)


def _follow(tail: Tail, shown: _Output) -> None:
    """Show what comes, for ever."""
    spent = 0.0
    while True:
        time.sleep(min(max(LOOK_SECONDS, 2 * spent), _LONGEST_PAUSE))  # most of the machine is for others
        before = time.perf_counter()
        news = tail.new()
        if news.left_out:
            click.echo(f"({news.left_out:,} more events came that are not shown)", err=True)
        shown.add(news.entries)
        spent = time.perf_counter() - before


class _Output:
    """Events on stdout, as they come."""

    def __init__(self, chosen: str, first: Sequence[Entry], *, masked: bool) -> None:
        self._masked, self._json, self.count = masked, chosen == "json", 0
        self._lines: Lines | None = None
        self.add(first)

    def add(self, entries: Sequence[Entry]) -> None:
        """Write some events."""
        from cdp.cli import tail_lines, terminal

        self.count += len(entries)
        if self._json:
            for entry in entries:
                click.echo(json.dumps(tail_lines.as_json(entry, masked=self._masked), ensure_ascii=False))
            return
        rows = [tail_lines.cells(entry, masked=self._masked) for entry in entries]
        if not rows:
            return
        if self._lines is None:
            self._lines = tail_lines.Lines(rows, terminal.width())
            click.echo(self._lines.heading())
        for row in rows:
            click.echo(self._lines.line(row))
