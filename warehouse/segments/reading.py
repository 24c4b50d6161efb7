"""What a release says about its segments: sizes over releases, members, entries and exits, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

_SEPARATOR: Final = "~"


@dataclass(frozen=True)
class Size:
    """A segment in one release."""

    release: str
    released_at: datetime
    rule_version: int
    size: int
    entered: int
    exited: int
    merged: int


@dataclass(frozen=True)
class Change:
    """Somebody entered or left a segment with a release. ``key`` goes on with the ones behind it."""

    release: str
    change: str
    customer_id: str

    @property
    def key(self) -> str:
        """Where the next page begins."""
        return _SEPARATOR.join((self.release, self.change, self.customer_id))


def has_history(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a release is new enough to know segments over releases."""
    found = connection.execute(
        "SELECT 1 FROM cdp_dictionary WHERE table_name = 'segment_sizes' LIMIT 1"
    ).fetchone()
    return found is not None


def sizes(
    connection: duckdb.DuckDBPyConnection, segment_id: str | None = None
) -> Mapping[str, Sequence[Size]]:
    """Return sizes over releases by segment, oldest first."""
    if not has_history(connection):
        return {}
    rows = connection.execute(
        "SELECT segment_id, release, released_at, rule_version, size, entered, exited, merged FROM segment_sizes "
        "WHERE $one::VARCHAR IS NULL OR segment_id = $one ORDER BY segment_id, release",
        {"one": segment_id},
    ).fetchall()
    found: dict[str, list[Size]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Size(*row[1:]))
    return found


def members(
    connection: duckdb.DuckDBPyConnection, segment_id: str, *, after: str | None = None, limit: int
) -> list[dict[str, Any]]:
    """Return members of a segment in this release in the order of their ids, with the release they entered in."""
    cursor = connection.execute(
        "SELECT customer_id, entered_release, rule_version FROM segment_members "
        "WHERE segment_id = $segment AND exited_release IS NULL AND ($after::VARCHAR IS NULL OR customer_id > $after) "
        "ORDER BY customer_id LIMIT $most",
        {"segment": segment_id, "after": after, "most": limit},
    )
    names = ("customer_id", "entered_release", "rule_version")
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def changes(
    connection: duckdb.DuckDBPyConnection,
    segment_id: str,
    *,
    since: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[Change]:
    """Return who entered and who left a segment with releases newer than ``since``, oldest release first."""
    if not has_history(connection):
        return []
    keys = (after or "").split(_SEPARATOR, 2)
    release, change, customer = keys if len(keys) == 3 else ("", "", "")
    rows = connection.execute(
        """
        SELECT * FROM (
            SELECT entered_release AS release, 'entered' AS change, customer_id FROM segment_members
            WHERE segment_id = $segment
            UNION ALL
            SELECT exited_release, 'exited', customer_id FROM segment_members
            WHERE segment_id = $segment AND exited_release IS NOT NULL
        )
        WHERE ($since::VARCHAR IS NULL OR release > $since)
            AND (release, change, customer_id) > ($release::VARCHAR, $change::VARCHAR, $customer::VARCHAR)
        ORDER BY release, change, customer_id LIMIT $most
        """,
        {
            "segment": segment_id, "since": since, "release": release, "change": change, "customer": customer,
            "most": limit,
        },
    ).fetchall()  # fmt: skip
    return [Change(*row) for row in rows]
