"""A customer's document: what the API answers about one profile, as JSON that DuckDB writes.

One query makes it, for one customer or for all: what :mod:`warehouse.profile_index` keeps of a release is what
the tables say. Times are RFC 3339 in UTC, money is text, as in the exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cdp import duck
from warehouse.formats import described

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def json_value(column: str, kind: str) -> str:
    """Return SQL for a column as it stands in JSON: times as text, money as text, the rest as it is.

    >>> json_value("c.revenue", "DECIMAL(18,4)")
    'c.revenue::VARCHAR'
    """
    if kind.startswith("TIMESTAMP"):
        return f"strftime({column}, '{TIME_FORMAT}')"
    return f"{column}::VARCHAR" if kind.startswith("DECIMAL") else column


def json_struct(alias: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return SQL for a struct of these columns (name, type) of ``alias``, ready for JSON."""
    parts = (f"{duck.identifier(n)} := {json_value(f'{alias}.{duck.identifier(n)}', k)}" for n, k in columns)
    return f"struct_pack({', '.join(parts)})"


# The rows of each list of a document. A list is sorted by the text of its rows, so by their first members.
_LISTS: Final[Mapping[str, str]] = {
    "attributions": (
        "SELECT customer_id, attribute, value, source, record_key, observed_at, rule "
        "FROM customer_attributions WHERE {who}"
    ),
    "identifiers": (
        "SELECT customer_id, type, coalesce(namespace, '') AS namespace, value, "
        "list(DISTINCT source ORDER BY source) AS sources, min(first_seen_at) AS first_seen_at, "
        "max(last_seen_at) AS last_seen_at FROM customer_identifiers WHERE {who} "
        "GROUP BY customer_id, type, coalesce(namespace, ''), value"
    ),
    "consents": (
        "SELECT customer_id, purpose, channel, state, decided_at, source, event_type "
        "FROM customer_consents WHERE {who}"
    ),
    "records": (
        "SELECT customer_id, record_key, source, match_probability, first_seen_at, last_seen_at, event_count "
        "FROM customer_records WHERE {who}"
    ),
    "previous_ids": "SELECT customer_id, previous_customer_id FROM customer_redirects WHERE {who}",
}


def _list(connection: duckdb.DuckDBPyConnection, name: str, who: str) -> str:
    """Return the join that gives each customer one list as text, without its brackets.

    Each row becomes text before they are gathered: that costs half of gathering structs, in order.
    """
    rows = f"({_LISTS[name].format(who=who)})"
    columns = [(n, k) for n, k in described(connection, rows) if n != "customer_id"]
    row = f"r.{duck.identifier(columns[0][0])}" if len(columns) == 1 else json_struct("r", columns)
    return (
        "LEFT JOIN (SELECT customer_id, array_to_string(list_sort(list(json)), ',') AS text FROM "
        f"(SELECT r.customer_id, to_json({row})::VARCHAR AS json FROM {rows} AS r) GROUP BY customer_id"
        f") AS {name} ON {name}.customer_id = c.customer_id"
    )


def query(connection: duckdb.DuckDBPyConnection, who: str) -> str:
    """Return the query of ``customer_id, document`` for the customers that ``who`` (SQL over customer_id) names.

    Columns are those that the release has, so that an older one answers, too.
    """
    customer = json_struct("c", described(connection, "customers"))
    parts = [f"""'{{"customer_id":' || to_json(c.customer_id) || ',"customer":' || to_json({customer})"""]
    parts += [f"""',"{name}":[' || coalesce({name}.text, '') || ']'""" for name in _LISTS]
    joins = " ".join(_list(connection, name, who) for name in _LISTS)
    return (
        f"SELECT c.customer_id, {' || '.join(parts)} || '}}' AS document "
        f"FROM (SELECT * FROM customers WHERE {who}) AS c {joins} ORDER BY c.customer_id"
    )


def of_customers(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return id and document of these customers, by id; those that the release does not have are left out."""
    if not ids:
        return []
    listed = ", ".join(duck.quote(one) for one in ids)
    rows: list[tuple[Any, ...]] = connection.execute(
        query(connection, f"customer_id IN ({listed})")
    ).fetchall()
    return [(customer_id, document.encode()) for customer_id, document in rows]


def of_range(connection: duckdb.DuckDBPyConnection, first: str, last: str) -> pa.Table:
    """Return id and document of all customers from ``first`` to ``last``, by id."""
    who = f"customer_id BETWEEN {duck.quote(first)} AND {duck.quote(last)}"
    return connection.sql(query(connection, who)).to_arrow_table()
