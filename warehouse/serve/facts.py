"""What the overview says of the workspace beyond its release: sources, runs, releases.

The warehouse knows releases only; whoever starts the server gives it somebody who knows the rest (:class:`Facts`).
Nothing here holds a value of a payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

State = Literal["good", "late", "quiet", "new", "off"]


@dataclass(frozen=True)
class Day:
    """Envelopes that landed on a day (UTC)."""

    day: date
    landed: int


@dataclass(frozen=True)
class Reason:
    """Why envelopes of a source are in quarantine: how many, and when the newest of them came."""

    reason: str
    envelopes: int
    newest_at: datetime


@dataclass(frozen=True)
class Change:
    """A field of the payloads by its path, and the share of sampled payloads that have it, or had it."""

    path: str
    share: float


@dataclass(frozen=True)
class Drift:
    """What samples of a source's newest payloads say beside older ones. Lateness in seconds, of the last days."""

    new: Sequence[Change] = ()
    vanished: Sequence[Change] = ()
    sampled: int = 0
    median_lateness: float | None = None
    p95_lateness: float | None = None


@dataclass(frozen=True)
class Source:
    """How a source does.

    ``state``: late = older than its ``freshness`` allows; quiet = silent for longer than ever lately; new = nothing
    has landed yet. ``usual_gap``: median seconds between batches; ``usual_day``: median envelopes of a full day
    before the last one. ``drift``: None while it has not been looked at yet.
    """

    name: str
    connector: str
    enabled: bool
    state: State
    landed: int
    landed_day: int
    landed_week: int
    duplicates: int
    quarantined: int
    quarantined_share: float
    pending: int
    waiting: int
    last_landed_at: datetime | None
    limit_seconds: float | None
    usual_gap: float | None
    usual_day: float | None
    days: Sequence[Day]
    reasons: Sequence[Reason]
    drift: Drift | None
    alerts: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """A run of the pipeline."""

    run_id: str
    command: str
    status: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class PastRelease:
    """A release that was published, with what identity had made of the records by then.

    ``moved``: records whose customer changed against the generation before.
    """

    version: str
    created_at: datetime
    customers: int
    records: int
    events: int
    moved: int | None


class Facts(Protocol):
    """Who knows the workspace beyond its release. Each answer may be some seconds old."""

    def sources(self) -> Sequence[Source]:
        """Return how every source does, in the order of cdp.yaml."""
        ...

    def runs(self) -> Sequence[Run]:
        """Return the newest runs, newest first."""
        ...

    def releases(self) -> Sequence[PastRelease]:
        """Return the releases so far, newest first, up to some dozens."""
        ...
