"""Figures of a release for the overview: its customers, what identity did, the checks with their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

RUNS_SHOWN: Final = 12


@dataclass(frozen=True)
class Figures:
    """A release in numbers. ``merged``: customers of several records; ``changes``: changes of ids so far, by kind."""

    version: str
    created_at: datetime
    customers: int
    anonymous: int
    records: int
    merged: int
    several_sources: int
    several_channels: int
    redirects: int
    events: int
    unattributed: int
    changes: Mapping[str, int]

    @property
    def records_per_customer(self) -> float | None:
        """Source records per customer; None without customers."""
        return self.records / self.customers if self.customers else None

    def share(self, part: int) -> float | None:
        """Return a part of the customers as a share; None without customers."""
        return part / self.customers if self.customers else None


@dataclass(frozen=True)
class Check:
    """A check of the data: its newest result, and whether it passed in the runs before, newest first."""

    source: str | None
    name: str
    passed: bool
    observed: str | None
    expected: str | None
    checked_at: datetime | None
    history: Sequence[bool]
    failures: int


_CUSTOMERS: Final = """
SELECT count(*), count(*) FILTER (is_anonymous), coalesce(sum(record_count), 0)::BIGINT,
    count(*) FILTER (record_count > 1), count(*) FILTER (source_count > 1), count(*) FILTER (len(channels) > 1)
FROM customers
"""
_REST: Final = """
SELECT version, created_at, (SELECT count(*) FROM customer_redirects), (SELECT count(*) FROM record_events),
    (SELECT count(*) FROM unattributed)
FROM cdp_release
"""
_CHECKS: Final = f"""
SELECT source, check_name, arg_max(passed, run_id), arg_max(observed, run_id), arg_max(expected, run_id),
    max(checked_at), list(passed ORDER BY run_id DESC)[1:{RUNS_SHOWN}], count(*) FILTER (NOT passed)
FROM quality GROUP BY source, check_name
"""


def figures(connection: duckdb.DuckDBPyConnection) -> Figures:
    """Return the figures of a release."""
    customers, anonymous, records, merged, sources, channels = connection.execute(_CUSTOMERS).fetchall()[0]
    version, created_at, redirects, events, unattributed = connection.execute(_REST).fetchall()[0]
    changes = connection.execute("SELECT change, count(*) FROM id_changes GROUP BY 1 ORDER BY 1").fetchall()
    return Figures(
        version, created_at, customers, anonymous, records, merged, sources, channels, redirects, events,
        unattributed, dict(changes),
    )  # fmt: skip


def checks(connection: duckdb.DuckDBPyConnection) -> list[Check]:
    """Return the checks: those that fail first, then those that failed lately, then by source and name."""
    found = [Check(*row) for row in connection.execute(_CHECKS).fetchall()]
    return sorted(
        found,
        key=lambda one: (one.passed, all(one.history), one.source is not None, one.source or "", one.name),
    )
