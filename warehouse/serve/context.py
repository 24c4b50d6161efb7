"""What every request of the server can reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cdp.lake import Lake
from cdp.settings import Settings
from warehouse.serve import audit, limits
from warehouse.serve.releases import Reader, Releases
from warehouse.serve.scopes import Caller
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

    @classmethod
    def open(cls, lake: Lake, settings: Settings) -> Serving:
        """Open a workspace for serving."""
        return cls(lake, settings, Store(lake.path(FILE)), Releases(lake))

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
        limits.spend_rows(self.store, caller, rows, now=self.now(), default=limits.ROWS_PER_DAY)

    def close(self) -> None:
        """Close what is open."""
        self.releases.close()
        self.store.close()
