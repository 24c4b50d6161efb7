"""How each source does: volume, lateness, fields, freshness, and what waits with the collector.

Counts come from the ledger; lateness and fields from samples of bounded size (:mod:`pipelines.samples`). It can
be asked at any time: before the first run, beside a run, beside a collector.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.duck import connect
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import duration
from pipelines.lateness import Lateness, lateness
from pipelines.payload_fields import Fields, fields
from pipelines.segments import Backlog, Waiting, backlog
from pipelines.sources import connector_of
from pipelines.volumes import Volumes, volumes

if TYPE_CHECKING:
    import duckdb

    from cdp.settings import Settings


@dataclass(frozen=True)
class Freshness:
    """How old the newest batch is, and how old it may be (``freshness`` of the source), in seconds."""

    age_seconds: float | None = None
    limit_seconds: float | None = None

    @property
    def stale(self) -> bool | None:
        """Whether it is older than it may be; None where nobody says how old that is."""
        if self.limit_seconds is None:
            return None
        return self.age_seconds is None or self.age_seconds > self.limit_seconds


@dataclass(frozen=True)
class SourceHealth:
    """One source. ``lateness`` and ``fields`` are None where nothing has landed."""

    source: str
    volumes: Volumes = field(default_factory=Volumes)
    lateness: Lateness | None = None
    fields: Fields | None = None
    freshness: Freshness = field(default_factory=Freshness)
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True)
class Health:
    """All sources that were asked for, and what waits with the collector in all."""

    sources: Sequence[SourceHealth]
    backlog: Backlog


def health(
    workspace: Path, settings: Settings, names: Sequence[str], *, now: datetime, sampled: bool = True
) -> Health:
    """Return how these sources do at ``now``; without what needs samples where these are not wanted."""
    lake = Lake(workspace)
    with ExitStack() as opened:
        ledger: Ledger | None = None
        if lake.ledger_path.is_file():
            ledger = opened.enter_context(Ledger(lake.ledger_path, read_only=True))
        # Segments first: what lands meanwhile is counted twice rather than not at all.
        waiting = backlog(lake, ledger, list(settings.sources))
        found = volumes(ledger, now) if ledger is not None else {}
        connection = opened.enter_context(connect())
        sources = []
        for name in names:
            one = _counted(settings, name, found.get(name, Volumes()), waiting, now)
            if sampled and ledger is not None and one.volumes.total.landed:
                one = _sampled(one, lake, ledger, connection, settings, now)
            sources.append(one)
    return Health(sources, waiting)


def _counted(settings: Settings, name: str, found: Volumes, waiting: Backlog, now: datetime) -> SourceHealth:
    source, last = settings.sources[name], found.last_landed_at
    limit = duration(source.freshness).total_seconds() if source.freshness else None
    age = (now - datetime.fromisoformat(last)).total_seconds() if last else None
    return SourceHealth(
        name,
        found,
        freshness=Freshness(age, limit),
        waiting=waiting.by_source.get(name, Waiting()),
    )


def _sampled(
    known: SourceHealth,
    lake: Lake,
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    now: datetime,
) -> SourceHealth:
    name = known.source
    return replace(
        known,
        lateness=lateness(lake, ledger, connection, name, now),
        fields=fields(lake, ledger, connection, name, connector_of(settings.sources[name])),
    )
