"""The measures as the pages and the API read them: small tables of the release, never its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cdp import duck
from cdp.errors import NotFoundError, nearest
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rfm_cells": "rfm_recency DESC, rfm_frequency DESC, rfm_monetary DESC NULLS LAST, currency NULLS LAST",
        "lifecycle_months": "month, stage",
        "channel_responses": "channel, month NULLS FIRST",
        "campaigns": "campaign, channel",
        "product_escalations": "product NULLS LAST, all_departments DESC, department NULLS LAST",
        "profitability": "dimension, try_cast(bucket AS INTEGER) NULLS FIRST, bucket NULLS LAST",
    }
)
"""The tables that hold one row per group of customers, with the order in which they are told."""

SEGMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "champions": "Bought lately, often and much. Reward them; they tell others.",
        "loyal": "Buy often and well. Offer more, ask for reviews.",
        "potential_loyalists": "New-ish, bought more than once. Offer membership, recommend.",
        "new": "Bought for the first time lately. Help them begin.",
        "promising": "Bought lately, little. Make yourself known.",
        "need_attention": "Above the middle once, now cooling. Remind them with something for them.",
        "about_to_sleep": "Below the middle and cooling. Bring back what they liked.",
        "at_risk": "Bought often and well, long ago. Write to them in person.",
        "cannot_lose": "Were among the best, and have been away longest. Call them.",
        "hibernating": "Bought little, long ago. Only broad offers.",
        "lost": "Bought least, longest ago. Leave them be.",
    }
)
"""The named RFM segments, the best first: what they are and what to do."""

STAGES: Final = ("lead", "customer", "won_back", "lapsing", "lapsed")


def read(
    connection: duckdb.DuckDBPyConnection, table: str, *, limit: int | None = None, offset: int = 0
) -> list[Row]:
    """Return rows of one of :data:`TABLES` in its order. Raises :class:`NotFoundError`."""
    order = TABLES.get(table)
    if order is None:
        close = nearest(table, TABLES)
        hint = f"Did you mean {close!r}?" if close else f"There are {', '.join(TABLES)}."
        raise NotFoundError(f"There is no table of measures {table!r}.", hint=hint)
    part = "" if limit is None else f" LIMIT {int(limit)} OFFSET {int(offset)}"
    return rows(connection, f"SELECT * FROM {duck.identifier(table)} ORDER BY {order}{part}")


def rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> list[Row]:
    """Return the rows of a query as dicts."""
    cursor = connection.execute(query, parameters or [])
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def main_currency(cells: list[Row], base: str | None) -> str | None:
    """Return the currency in which sums are shown: the base currency, else the one of most customers."""
    if base:
        return base
    counts: dict[str, int] = {}
    for row in cells:
        if row["currency"]:
            counts[row["currency"]] = counts.get(row["currency"], 0) + row["customers"]
    return max(sorted(counts), key=lambda name: counts[name], default=None)


@dataclass(frozen=True)
class Group:
    """Customers of a cell or segment; ``value`` is what the ``payers`` in the main currency are worth."""

    customers: int = 0
    payers: int = 0
    value: Any = None

    @property
    def each(self) -> Any:
        """Value per payer; None where there is none."""
        return self.value / self.payers if self.payers else None

    def plus(self, row: Row, currency: str | None) -> Group:
        """Add a row of ``rfm_cells``."""
        money = None
        if row["currency"] == currency and currency is not None:
            parts = [row[name] for name in ("net_revenue", "donated") if row[name] is not None]
            money = sum(parts) if parts else None
        if money is None:
            return Group(self.customers + row["customers"], self.payers, self.value)
        return Group(
            self.customers + row["customers"], self.payers + row["customers"], (self.value or 0) + money
        )


def grouped(cells: list[Row], currency: str | None, *keys: str) -> dict[tuple[Any, ...], Group]:
    """Return the cells added up by some of their columns."""
    found: dict[tuple[Any, ...], Group] = {}
    for row in cells:
        key = tuple(row[name] for name in keys)
        found[key] = found.get(key, Group()).plus(row, currency)
    return found


def stages(connection: duckdb.DuckDBPyConnection) -> dict[str | None, int]:
    """Return how many customers are in each lifecycle stage; None: anonymous visitors."""
    found = rows(connection, "SELECT lifecycle_stage AS stage, count(*) AS n FROM customers GROUP BY ALL")
    return {row["stage"]: row["n"] for row in found}


def columns(table: str) -> dict[str, str]:
    """Return what each column of a table is."""
    return {column.name: column.comment for column in tables()[table].columns}
