"""Lists of customers: filters over what is not personal, sorting, paging by key set.

A page continues after a customer, whose id is the cursor: no value of anybody stands in an address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cdp.errors import NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    import duckdb

COLUMNS: Final = (
    "customer_id", "is_anonymous", "full_name", "given_name", "surname", "email", "phone", "city", "country",
    "company", "channels", "lifecycle_stage", "rfm_segment", "order_count", "net_revenue", "currency",
    "open_tickets", "record_count", "event_count", "first_seen_at", "last_seen_at",
)  # fmt: skip
CONSENT: Final = "consent_"
MOST_ROWS: Final = 200


@dataclass(frozen=True)
class Order:
    """An order of the list; one by a ``personal`` column would tell its values."""

    column: str
    words: str
    descending: bool = True
    personal: bool = False


ORDERS: Final[Mapping[str, Order]] = {
    "seen": Order("last_seen_at", "last seen"),
    "new": Order("first_seen_at", "newest"),
    "revenue": Order("net_revenue", "highest revenue"),
    "orders": Order("order_count", "most orders"),
    "events": Order("event_count", "most contacts"),
    "records": Order("record_count", "most records"),
    "name": Order("surname", "name", descending=False, personal=True),
}
DEFAULT_ORDER: Final = "seen"


@dataclass(frozen=True)
class Filters:
    """Whom a list shows; None: no such filter. ``seen_days`` count back from the release's time.

    ``consent``: purpose and channel of a consent that was granted, such as ``marketing_email``. ``profit_known``:
    whether the person counts in the measures of profitability.
    """

    stage: str | None = None
    rfm: str | None = None
    channel: str | None = None
    country: str | None = None
    consent: str | None = None
    source: str | None = None
    anonymous: bool | None = None
    open_tickets: bool | None = None
    seen_days: int | None = None
    segment: str | None = None
    rfm_recency: int | None = None
    rfm_frequency: int | None = None
    rfm_monetary: int | None = None
    profit_decile: int | None = None
    profit_known: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return the filters that are set."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}


@dataclass(frozen=True)
class Condition:
    """SQL over ``customers`` and its parameters."""

    sql: str = "true"
    parameters: tuple[Any, ...] = ()


_COMPARED: Final = {
    "stage": "lifecycle_stage = ?",
    "rfm": "rfm_segment = ?",
    "channel": "list_contains(channels, ?)",
    "country": "country = ?",
    "source": "list_contains(sources, ?)",
    "anonymous": "is_anonymous = ?",
    "open_tickets": "(open_tickets > 0) = ?",
    "segment": "customer_id IN (SELECT customer_id FROM segment_members WHERE segment_id = ? AND exited_release IS NULL)",
    "rfm_recency": "rfm_recency = ?",
    "rfm_frequency": "rfm_frequency = ?",
    "rfm_monetary": "rfm_monetary = ?",
    "profit_decile": "profit_decile = ?",
    "profit_known": "(profit_decile IS NOT NULL) = ?",
}
_ONCE_MISSING: Final = {
    "stage": "lifecycle_stage", "rfm": "rfm_segment", "source": "sources", "rfm_recency": "rfm_recency",
    "rfm_frequency": "rfm_frequency", "rfm_monetary": "rfm_monetary", "profit_decile": "profit_decile",
    "profit_known": "profit_decile",
}  # fmt: skip


def condition(filters: Filters, as_of: datetime, known: Sequence[str]) -> Condition:
    """Return the SQL of filters; ``known`` are the columns of this release. Raises :class:`UsageError`."""
    parts: list[str] = []
    parameters: list[Any] = []
    for name, value in filters.given().items():
        if name == "consent":
            parts.append(f"{_consent(value, known)} = 'granted'")
        elif name == "seen_days":
            parts.append("last_seen_at >= ?")
            parameters.append(as_of - timedelta(days=value))
        elif _column_missing(name, known):
            parts.append("false")
        else:
            parts.append(_COMPARED[name])
            parameters.append(value)
    return Condition(" AND ".join(parts) or "true", tuple(parameters))


def _column_missing(name: str, known: Sequence[str]) -> bool:
    """Whether a release is too old to have the column of a filter."""
    needed = _ONCE_MISSING.get(name)
    return needed is not None and needed not in known


def _consent(name: str, known: Sequence[str]) -> str:
    column = CONSENT + name
    if column not in known:
        kinds = [one.removeprefix(CONSENT) for one in known if one.startswith(CONSENT)]
        raise UsageError(
            f"There is no consent {name!r}.", hint=f"Did you mean {nearest(name, kinds) or ', '.join(kinds)}?"
        )
    return column


def columns(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return the columns of ``customers`` in a release."""
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'customers' ORDER BY column_index"
    ).fetchall()
    return tuple(row[0] for row in found)


def as_of(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Return the moment that days are counted from: when the release was made."""
    row = connection.execute("SELECT created_at FROM cdp_release").fetchone()
    assert row is not None  # noqa: S101 - every release has its row
    moment: datetime = row[0]
    return moment


def count(connection: duckdb.DuckDBPyConnection, where: Condition) -> int:
    """Return how many customers meet a condition."""
    row = connection.execute(f"SELECT count(*) FROM customers WHERE {where.sql}", where.parameters).fetchone()
    return int(row[0]) if row else 0


def page(
    connection: duckdb.DuckDBPyConnection,
    where: Condition,
    *,
    order: str = DEFAULT_ORDER,
    after: str | None = None,
    limit: int = 50,
) -> list[str]:
    """Return up to ``limit`` customer ids in an order, those after the customer ``after``.

    Raises :class:`UsageError` for an unknown order, :class:`NotFoundError` where the release lacks ``after``.
    """
    by = ORDERS.get(order)
    if by is None:
        raise UsageError(f"There is no order {order!r}.", hint=f"Known: {', '.join(ORDERS)}.")
    where = where if after is None else _later(connection, where, by, after)
    direction = "DESC" if by.descending else "ASC"
    query = (
        f"SELECT customer_id FROM customers WHERE {where.sql} "
        f"ORDER BY {by.column} {direction} NULLS LAST, customer_id LIMIT ?"
    )
    found = connection.execute(query, [*where.parameters, min(limit, MOST_ROWS)]).fetchall()
    return [row[0] for row in found]


def _later(connection: duckdb.DuckDBPyConnection, where: Condition, by: Order, after: str) -> Condition:
    query = f"SELECT {by.column} FROM customers WHERE customer_id = ?"
    row = connection.execute(query, [after]).fetchone()
    if row is None:
        raise NotFoundError(
            "This page begins after a customer who is not in this release.", hint="Start anew."
        )
    if row[0] is None:
        later, values = f"({by.column} IS NULL AND customer_id > ?)", [after]
    else:
        sign = "<" if by.descending else ">"
        later = f"({by.column} {sign} ? OR {by.column} IS NULL OR ({by.column} = ? AND customer_id > ?))"
        values = [row[0], row[0], after]
    return replace(where, sql=f"({where.sql}) AND {later}", parameters=(*where.parameters, *values))


def rows(
    connection: duckdb.DuckDBPyConnection, customer_ids: Sequence[str], known: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what a list shows of some customers, in their order; columns that a release lacks are None."""
    if not customer_ids:
        return []
    there = [name for name in COLUMNS if name in known]
    query = f"SELECT {', '.join(there)} FROM customers WHERE customer_id IN (SELECT unnest(?))"
    found = connection.execute(query, [list(customer_ids)]).fetchall()
    by_id = {row[0]: dict.fromkeys(COLUMNS) | dict(zip(there, row, strict=True)) for row in found}
    return [by_id[customer_id] for customer_id in customer_ids]


@dataclass(frozen=True)
class Choices:
    """What a release's filters may be set to: the values that there are, the most frequent first."""

    stage: tuple[str, ...]
    rfm: tuple[str, ...]
    channel: tuple[str, ...]
    country: tuple[str, ...]
    consent: tuple[str, ...]
    source: tuple[str, ...]
    segment: tuple[str, ...]


_MOST_CHOICES: Final = 250


def choices(connection: duckdb.DuckDBPyConnection, known: Sequence[str]) -> Choices:
    """Return what the filters may be set to in a release."""

    def values(expression: str, table: str = "customers") -> tuple[str, ...]:
        query = (
            f"SELECT value FROM (SELECT {expression} AS value FROM {table}) WHERE value IS NOT NULL "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {_MOST_CHOICES}"
        )
        return tuple(row[0] for row in connection.execute(query).fetchall())

    return Choices(
        stage=values("lifecycle_stage") if "lifecycle_stage" in known else (),
        rfm=values("rfm_segment") if "rfm_segment" in known else (),
        channel=values("unnest(channels)"),
        country=values("country"),
        consent=tuple(name.removeprefix(CONSENT) for name in known if name.startswith(CONSENT)),
        source=values("unnest(sources)") if "sources" in known else (),
        segment=values("segment_id", "segments"),
    )


def rule(filters: Filters) -> dict[str, Any]:
    """Return filters as the rule of a segment (:mod:`warehouse.segments`).

    >>> rule(Filters(country="GB", seen_days=30))["all"][1]
    {'field': 'last_seen_at', 'op': 'within_days', 'value': 30}
    """
    parts: list[dict[str, Any]] = []
    for name, value in filters.given().items():
        if name == "segment":
            parts.append({"segment": value})
        elif name == "source":
            parts.append({"field": "sources", "op": "includes", "value": value})
        elif name == "seen_days":
            parts.append({"field": "last_seen_at", "op": "within_days", "value": value})
        elif name == "channel":
            parts.append({"field": "channels", "op": "includes", "value": value})
        elif name == "open_tickets":
            parts.append({"field": "open_tickets", "op": "more_than" if value else "at_most", "value": 0})
        elif name == "consent":
            parts.append(_is(CONSENT + value, "granted"))
        elif name == "profit_known":
            parts.append({"field": "profit_decile", "op": "is_known" if value else "is_unknown"})
        else:
            parts.append(_is(_FIELD_OF.get(name, name), value))
    return {"all": parts}


_FIELD_OF: Final = {
    "stage": "lifecycle_stage", "rfm": "rfm_segment", "anonymous": "is_anonymous",
}  # fmt: skip


def _is(field: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": "is", "value": value}
