"""What a release says of a rule: how many, who, a few of them. Days count back from the release's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cdp import duck
from cdp.errors import NotFoundError
from warehouse.segments.compile import AsOf, Query, query
from warehouse.segments.fields import CUSTOMERS, Fields, fields_of
from warehouse.segments.tree import Node

if TYPE_CHECKING:
    import duckdb
    from sqlglot import exp

SAMPLE_COLUMNS: Final = (
    "customer_id", "full_name", "email", "phone", "city", "country", "order_count", "revenue", "currency",
    "last_seen_at",
)  # fmt: skip
_ID: Final = "customer_id"


def as_of(connection: duckdb.DuckDBPyConnection) -> AsOf:
    """Return which release answers, and as of when."""
    rows = connection.execute("SELECT version, created_at, base_currency FROM cdp_release").fetchall()
    if not rows:
        raise NotFoundError(
            "This release does not say what it is.", hint="Publish again: cdp publish --full."
        )
    return AsOf(*rows[0])


def _customers(*columns: str) -> exp.Select:
    from sqlglot import exp

    named = [exp.column(name, table="c", quoted=True) for name in columns]
    return exp.select(*named).from_(exp.to_table(CUSTOMERS, alias="c"))


def _compiled(
    connection: duckdb.DuckDBPyConnection,
    select: exp.Select,
    rule: Node,
    segments: Mapping[str, Node] | None,
    fields: Fields | None,
) -> Query:
    return query(select, rule, fields or fields_of(connection), as_of(connection), segments)


def count(
    connection: duckdb.DuckDBPyConnection,
    rule: Node,
    segments: Mapping[str, Node] | None = None,
    *,
    fields: Fields | None = None,
) -> int:
    """Return how many customers meet a rule. ``segments``: the rules that it may name, by id."""
    from sqlglot import exp

    select = exp.select(exp.Count(this=exp.Star())).from_(exp.to_table(CUSTOMERS, alias="c"))
    made = _compiled(connection, select, rule, segments, fields)
    row = connection.execute(made.sql, made.parameters).fetchone()
    return int(row[0]) if row else 0


def members(
    connection: duckdb.DuckDBPyConnection,
    rule: Node,
    segments: Mapping[str, Node] | None = None,
    *,
    after: str | None = None,
    limit: int | None = None,
    fields: Fields | None = None,
) -> list[str]:
    """Return the ids of who meets a rule, in their order: the first ``limit`` of those behind ``after``."""
    from sqlglot import exp

    select = _customers(_ID).order_by(exp.column(_ID, table="c", quoted=True))
    made = _compiled(connection, select, rule, segments, fields)
    parameters = {**made.parameters, "after": after, "most": limit}
    wrapped = (
        f"SELECT customer_id FROM ({made.sql}) AS found "
        "WHERE $after::VARCHAR IS NULL OR customer_id > $after ORDER BY customer_id LIMIT $most::BIGINT"
    )
    return [str(row[0]) for row in connection.execute(wrapped, parameters).fetchall()]


def sample(
    connection: duckdb.DuckDBPyConnection,
    rule: Node,
    segments: Mapping[str, Node] | None = None,
    *,
    size: int = 8,
    fields: Fields | None = None,
) -> list[dict[str, Any]]:
    """Return a few of who meets a rule, those who were seen last: rows of ``customers``, not masked."""
    made = _compiled(connection, _customers(_ID, "last_seen_at"), rule, segments, fields)
    chosen = f"SELECT customer_id FROM ({made.sql}) ORDER BY last_seen_at DESC NULLS LAST, customer_id LIMIT {int(size)}"
    ids = [str(row[0]) for row in connection.execute(chosen, made.parameters).fetchall()]
    return rows(connection, ids)


def rows(
    connection: duckdb.DuckDBPyConnection, ids: Sequence[str], columns: Sequence[str] = SAMPLE_COLUMNS
) -> list[dict[str, Any]]:
    """Return these customers in the order of ``ids``, not masked."""
    names = ", ".join(map(duck.identifier, columns))
    cursor = connection.execute(
        f"SELECT {names} FROM customers WHERE customer_id IN (SELECT unnest(?))", [list(ids)]
    )
    found = {row[0]: dict(zip(columns, row, strict=True)) for row in cursor.fetchall()}
    return [found[one] for one in ids if one in found]
