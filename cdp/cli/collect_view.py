"""What `cdp collect` shows while it works: what arrives, from where, how fast, and what is refused."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.collector.counters import NOBODY

if TYPE_CHECKING:
    from rich.console import RenderableType

    from connectors.collector.app import Collector
    from connectors.collector.endpoints import Endpoints

LINE_SECONDS: Final = 10.0
LIVE_SECONDS: Final = 1.0


class View:
    """On a terminal a table that is drawn again each second, elsewhere a line when something has happened."""

    def __init__(self, endpoints: Endpoints, *, quiet: bool) -> None:
        self._endpoints, self._quiet = endpoints, quiet
        self._base = ""
        self._landed: dict[str, Counter[str]] = {}
        self._stop = threading.Event()
        self._since = time.monotonic()
        self._seen: dict[str, tuple[float, int]] = {}
        self._rates: dict[str, float] = {}

    def listening(self, host: str, port: int) -> None:
        """Say where events can be sent, once they can."""
        shown = f"[{host}]" if ":" in host else host
        self._base = f"http://{shown}:{port}"
        click.echo(f"Collecting on {self._base} (Ctrl-C stops; everything answered with 200 is kept)")
        for source in sorted(set(self._endpoints.keys.values())):
            click.echo(f"  {source:<16} tracking clients: {self._base}/v1/... with its write key")
        for source, hook in sorted(self._endpoints.hooks.items()):
            click.echo(f"  {source:<16} webhooks: {self._base}/hooks/{source} (verified: {hook.scheme.name})")

    def landed(self, told: dict[str, Any]) -> None:
        """Take in what the sealing process says; problems are shown at once."""
        for source, counts in told.get("sources", {}).items():
            self._landed.setdefault(source, Counter()).update(counts)
        for what, problem in told.get("problems", {}).items():
            click.echo(f"{_now()}  {what}: {problem}", err=True)

    @contextlib.contextmanager
    def watching(self, app: Collector) -> Iterator[None]:
        """Show what happens while the block runs."""
        thread = threading.Thread(target=self._watch, args=(app,), daemon=True)
        if not self._quiet:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            if thread.is_alive():
                thread.join()

    def ended(self, app: Collector) -> None:
        """Say at the end what came and what became of it."""
        events = sum(counts.events for counts in app.counters.sources.values())
        landed = sum(counts["landed"] for counts in self._landed.values())
        refused = sum(sum(counts.refused.values()) for counts in app.counters.sources.values())
        click.echo(
            f"Stopped: {events:,} events taken, {landed:,} envelopes landed, {refused:,} requests refused."
        )

    def _watch(self, app: Collector) -> None:
        if sys.stdout.isatty():
            self._watch_live(app)
        else:
            self._watch_lines(app)

    def _watch_live(self, app: Collector) -> None:
        from rich.live import Live

        with Live(self._table(app), refresh_per_second=4, transient=True) as live:
            while not self._stop.wait(LIVE_SECONDS):
                live.update(self._table(app))

    def _watch_lines(self, app: Collector) -> None:
        shown = ""
        while not self._stop.wait(LINE_SECONDS):
            line = self._line(app)
            if line != shown:
                click.echo(f"{_now()}  {line}")
                shown = line

    def _line(self, app: Collector) -> str:
        parts = []
        for source, counts in sorted(app.counters.sources.items()):
            landed = self._landed.get(source, Counter())
            if source == NOBODY:
                parts.append("of nobody known: " + ", ".join(_refusals(counts.refused)))
                continue
            told = [f"{source}: {counts.events:,} events", f"{landed['landed']:,} landed"]
            told += [
                f"{landed[word]:,} {word}"
                for word in ("duplicates", "quarantined", "suppressed")
                if landed[word]
            ]
            told += _refusals(counts.refused)
            parts.append(", ".join(told))
        return "; ".join(parts) or "nothing yet"

    def _table(self, app: Collector) -> RenderableType:
        from rich.table import Table

        headings = (
            "source",
            "events/s",
            "events",
            "landed",
            "duplicates",
            "quarantined",
            "suppressed",
            "refused",
        )
        table = Table(*headings[:1], box=None, pad_edge=False)
        for heading in headings[1:]:
            table.add_column(heading, justify="right")
        for source in sorted({*self._endpoints.sources, *app.counters.sources}):
            counts, landed = app.counters.of(source), self._landed.get(source, Counter())
            refused = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.refused.items()))
            numbers = [f"{landed[word]:,}" for word in ("landed", "duplicates", "quarantined", "suppressed")]
            shown = "(unknown)" if source == NOBODY else source
            table.add_row(
                shown, f"{self._rate(source, counts.events):,.0f}", f"{counts.events:,}", *numbers, refused
            )
        committer = app.committer
        if committer is not None and (not committer.healthy or committer.no_room):
            trouble = committer.totals.last_error if not committer.healthy else committer.no_room
            table.caption = f"Nothing is taken: {trouble}"
        return table

    def _rate(self, source: str, events: int) -> float:
        """Return the events a second since the last look."""
        now = time.monotonic()
        before, count = self._seen.get(source, (self._since, 0))
        if now - before >= LIVE_SECONDS:
            self._rates[source] = (events - count) / (now - before)
            self._seen[source] = (now, events)
        return self._rates.get(source, 0.0)


def _refusals(refused: Counter[str]) -> list[str]:
    return [f"{count:,} refused ({reason})" for reason, count in sorted(refused.items())]


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
