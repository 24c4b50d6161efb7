"""What every request of the server can reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cdp.lake import Lake
from cdp.settings import Settings, duration
from warehouse.audiences.desk import Exporter
from warehouse.serve import audit, limits, sessions
from warehouse.serve.facts import Facts
from warehouse.serve.limits import Buckets
from warehouse.serve.releases import Reader, Releases
from warehouse.serve.scopes import Caller
from warehouse.serve.sessions import Lifetimes
from warehouse.serve.store import FILE, Store


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Serving:
    """A workspace that is being served."""

    lake: Lake
    settings: Settings
    store: Store
    releases: Releases
    now: Callable[[], datetime] = field(default=_now)
    buckets: Buckets = field(default_factory=Buckets)
    facts: Facts | None = None
    exporter: Exporter | None = None
    """Writes or delivers an export now; None where nobody has said how."""

    def __post_init__(self) -> None:
        """Take what every request needs from the settings."""
        self.lifetimes = Lifetimes.of(self.settings.serve)

    @classmethod
    def open(cls, lake: Lake, settings: Settings) -> Serving:
        """Open a workspace for serving."""
        chosen = settings.serve
        releases = Releases(lake, threads=chosen.threads, memory_limit=chosen.memory)
        return cls(lake, settings, Store(lake.path(FILE)), releases)

    def audit(
        self,
        caller: Caller,
        action: str,
        subject: str | None = None,
        *,
        reader: Reader | None = None,
        rows: int | None = None,
    ) -> None:
        """Write down who did what, before the answer leaves."""
        release = reader.version if reader else None
        audit.record(self.store, caller, action, now=self.now(), subject=subject, release=release, rows=rows)

    def spend_rows(self, caller: Caller, rows: int) -> None:
        """Take rows that are about to leave from what the caller may have today.

        Lists and exports call it before they answer; in pieces, where the number is not known before.
        Raises :class:`~warehouse.serve.problems.TooManyError` (429) where there are not so many left.
        """
        limits.spend_rows(self.store, caller, rows, now=self.now(), default=self.settings.serve.rows_per_day)

    def spend_request(self, caller: Caller) -> None:
        """Count a request of the caller. Raises :class:`~warehouse.serve.problems.TooManyError` (429)."""
        limits.spend_request(self.buckets, caller, self.settings.serve.requests_per_minute)

    def keep_up(self) -> None:
        """Drop what is kept no longer: old lines of the audit log, sessions that ended, counts of old days."""
        now = self.now()
        audit.drop_old(self.store, now - duration(self.settings.serve.keep_audit))
        sessions.drop_ended(self.store, now)
        limits.drop_old(self.store, now)

    def close(self) -> None:
        """Close what is open."""
        self.releases.close()
        self.store.close()
