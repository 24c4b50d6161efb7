"""What the settings of the measures must say: names of the vocabulary, thresholds in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cdp.errors import nearest
from cdp.events import CHANNELS, EVENT_TYPES
from cdp.settings.base import duration
from cdp.settings.document import Path, Problem
from cdp.settings.model import Settings


def check(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with `lifecycle` and `costs`."""
    lifecycle = settings.lifecycle
    if duration(lifecycle.lapsed) <= duration(lifecycle.lapsing):
        what = f"given {lifecycle.lapsed!r}, expected more than lapsing ({lifecycle.lapsing})"
        yield Problem(("lifecycle", "lapsed"), what, "Who has lapsed has been lapsing before.")
    yield from _names(settings.costs.contact, CHANNELS, "channel", ("costs", "contact"))
    yield from _names(settings.costs.event, EVENT_TYPES, "event type", ("costs", "event"))
    if settings.costs.configured and not settings.workspace.currency:
        hint = "Name it: workspace: {currency: GBP}."
        yield Problem(("costs",), "costs are in the workspace's currency, and it has none", hint)


def _names(given: Collection[str], known: Collection[str], what: str, path: Path) -> Iterator[Problem]:
    for name in given:
        if name not in known:
            close = nearest(name, known)
            hint = f"Did you mean {close!r}?" if close else "docs/reference/events.md has them all."
            yield Problem((*path, name), f"{name!r} is no known {what}", hint)
