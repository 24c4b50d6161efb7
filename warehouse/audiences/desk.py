"""What pages and API say of exports: what there is, when it goes next, what left last, and going now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import Settings
from warehouse.audiences import shares
from warehouse.audiences.delivery import DeliveryReport
from warehouse.audiences.outbox import destination_id
from warehouse.audiences.platforms import LAYOUTS
from warehouse.audiences.shares import Share
from warehouse.audiences.times import next_time
from warehouse.exports import Export, ExportReport, configured


@dataclass(frozen=True)
class Outcome:
    """What an export did. ``rows``: what the other side has now; ``problem``: why that is not all of it."""

    name: str
    release: str
    rows: int
    added: int
    changed: int
    removed: int
    rejected: int
    problem: str | None
    repeated: bool

    @classmethod
    def of(cls, report: ExportReport | DeliveryReport) -> Outcome:
        """Return what a report says, of files and of deliveries alike."""
        name, release, rows = report.export.name, report.release, report.rows
        if isinstance(report, DeliveryReport):
            counts = (report.added, report.changed, report.removed, report.rejected)
            return cls(name, release, rows, *counts, report.problem, report.repeated)
        changes = {} if report.repeated else report.changes or {}
        gone = changes.get("merge", 0) + changes.get("delete", 0)
        added, changed = changes.get("insert", 0), changes.get("update", 0)
        return cls(name, release, rows, added, changed, gone, 0, None, report.repeated)


Exporter = Callable[[str, str], Outcome]
"""Writes or delivers an export now: its name, and who asked. The server is given one when it starts."""


_NAMES: Final[dict[str, str]] = {
    "parquet": "Parquet",
    "csv": "CSV",
    "jsonl": "JSON Lines",
    "google": LAYOUTS["google"].name,
    "meta": LAYOUTS["meta"].name,
}


@dataclass(frozen=True)
class Standing:
    """An export of ``cdp.yaml``, and how it stands. ``rejected``: rows that its destination refused."""

    export: Export
    next_at: datetime | None
    last: Share | None
    rejected: int

    @property
    def way(self) -> str:
        """Where it goes, in words."""
        if self.export.destination is not None:
            return urlsplit(self.export.destination.url).hostname or "HTTP"
        return ", ".join(_NAMES[into] for into in self.export.formats)


@dataclass(frozen=True)
class Standings:
    """All exports of a workspace, and the newest lines of the share log."""

    exports: Sequence[Standing]
    log: Sequence[Share]


def standings(lake: Lake, settings: Settings, now: datetime, *, lines: int = 50) -> Standings:
    """Return how all exports stand."""
    exports = configured(settings)
    if not lake.ledger_path.is_file():
        return Standings([_standing(one, settings, now, {}, {}) for one in exports.values()], [])
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        newest = shares.newest(ledger)
        counted = ledger.rows("SELECT destination, count(*) AS rows FROM rejected GROUP BY destination")
        rejected = {str(row["destination"]): int(row["rows"]) for row in counted}
        log = shares.read(ledger, limit=lines)
    return Standings([_standing(one, settings, now, newest, rejected) for one in exports.values()], log)


def _standing(
    export: Export,
    settings: Settings,
    now: datetime,
    newest: Mapping[str, Share],
    rejected: Mapping[str, int],
) -> Standing:
    cron = settings.exports[export.name].cron
    next_at = next_time(cron, settings.workspace.timezone, now) if cron else None
    place = destination_id(export.name, export.destination.url) if export.destination else ""
    return Standing(export, next_at, newest.get(export.name), rejected.get(place, 0))


def purposes(settings: Settings, known: Sequence[str]) -> list[str]:
    r"""Return the purposes to choose from: those that people spoke of, and those of exports.

    Groups of a mailing service (``group_17``) have no name of their own: they come after those that have.

    >>> from cdp.settings import parse
    >>> purposes(parse("version: 1\nworkspace: {name: shop}"), ["analytics"])
    ['analytics', 'marketing', 'internal']
    >>> purposes(parse("version: 1\nworkspace: {name: shop}"), ["group_17", "news"])
    ['marketing', 'news', 'group_17', 'internal']
    """
    named = {export.purpose.lower() for export in settings.exports.values()} | set(known) | {"marketing"}
    return [*sorted(named - {"internal"}, key=lambda name: (name.startswith("group_"), name)), "internal"]
