"""One-off downloads: who of a segment may leave for a purpose, and a file of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from cdp.errors import UsageError
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.suppression import Suppressed
from cdp.suppression import load as load_suppressed
from warehouse.audiences import platforms
from warehouse.audiences.platforms import LAYOUTS
from warehouse.audiences.selection import Audience, Funnel, Selection, funnel, select
from warehouse.formats import write
from warehouse.segments import reading
from warehouse.segments.desk import Desk
from warehouse.segments.tree import references

if TYPE_CHECKING:
    import duckdb

Form = Literal["csv", "google", "meta"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
CONTACT: Final = (
    "customer_id", "full_name", "given_name", "surname", "email", "phone", "street", "city", "region", "postcode",
    "country", "language",
)  # fmt: skip
"""Columns of a CSV: how to reach somebody, and no more."""


@dataclass(frozen=True)
class Wish:
    """What somebody would like to download."""

    audience: Audience
    form: Form

    def check(self) -> None:
        """Raise :class:`UsageError` where nothing may leave that way."""
        if self.form != "csv" and self.audience.internal:
            raise UsageError(
                f"{LAYOUTS[self.form].name} is somebody else: it needs a purpose that people consented to.",
                hint="Choose a purpose such as marketing.",
            )


@dataclass(frozen=True)
class Outlook:
    """How many would leave, and why others would not. ``unmatchable``: of hashed lists, no address of any kind."""

    funnel: Funnel
    unmatchable: int

    @property
    def leaving(self) -> int:
        """Rows of the file."""
        return self.funnel.allowed - self.unmatchable


def suppressed(lake: Lake) -> Suppressed:
    """Return the suppression list of a workspace as it stands."""
    if not lake.ledger_path.is_file():
        return Suppressed()
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        return load_suppressed(ledger)


def members(lake: Lake, connection: duckdb.DuckDBPyConnection, segment: str | None) -> Sequence[str] | None:
    """Return who is in a segment whose rule, or one that it names, is newer than the release; None: the release knows.

    Raises :class:`cdp.errors.NotFoundError` and :class:`UsageError` where it is not there or cannot be used.
    """
    if segment is None:
        return None
    desk = Desk.open(lake, connection, personal=True)
    found = desk.catalogue.get(segment)
    rule = desk.usable(found)
    return None if _as_published(desk, found.segment_id) else desk.members(rule)


def _as_published(desk: Desk, segment: str) -> bool:
    """Tell whether the release was made with the rules of today: of a segment and of all that it names."""
    published = reading.sizes(desk.connection)
    waiting, seen = [segment], {segment}
    while waiting:
        one = waiting.pop()
        known = published.get(one, ())
        if one not in desk.rules or not known or known[-1].rule_version != desk.catalogue.get(one).last:
            return False
        named = references(desk.rules[one]) - seen
        waiting.extend(named)
        seen |= named
    return True


def look(lake: Lake, connection: duckdb.DuckDBPyConnection, wish: Wish) -> Outlook:
    """Return what a download would hold."""
    wish.check()
    listed, chosen = suppressed(lake), members(lake, connection, wish.audience.segment)
    counted = funnel(connection, wish.audience, listed, chosen)
    if wish.form == "csv":
        return Outlook(counted, 0)
    leaving = select(connection, wish.audience, listed, chosen)
    unmatchable = platforms.unmatchable(connection, wish.form, f"({leaving.sql})", leaving.parameters)
    return Outlook(counted, unmatchable)


def save(lake: Lake, connection: duckdb.DuckDBPyConnection, wish: Wish, path: Path) -> int:
    """Write a download to ``path``; return its rows."""
    wish.check()
    chosen = members(lake, connection, wish.audience.segment)
    leaving = select(connection, wish.audience, suppressed(lake), chosen)
    if wish.form != "csv":
        return platforms.write(connection, wish.form, f"({leaving.sql})", leaving.parameters, path)
    return _save_csv(connection, leaving, path)


def _save_csv(connection: duckdb.DuckDBPyConnection, leaving: Selection, path: Path) -> int:
    columns = ", ".join(CONTACT)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE download AS SELECT {columns} FROM customers "
        f"SEMI JOIN ({leaving.sql}) AS l USING (customer_id) ORDER BY customer_id",
        dict(leaving.parameters),
    )
    try:
        write(connection, "download", path, "csv")
        ((rows,),) = connection.execute("SELECT count(*) FROM download").fetchall()
        return int(rows)
    finally:
        connection.execute("DROP TABLE download")
