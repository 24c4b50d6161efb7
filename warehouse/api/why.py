"""The evidence of one profile as the API answers it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from warehouse import masking
from warehouse.lookup import Edge, edges, spanning_tree

if TYPE_CHECKING:
    import duckdb

    from warehouse.profile_lookup import Document
    from warehouse.serve.releases import Reader
    from warehouse.serve.scopes import Caller

_MOST_EDGES: Final = 500
_MOST_HELD_BACK: Final = 100
_COLUMNS: Final = (
    "left_record",
    "right_record",
    "kind",
    "match_weight",
    "match_probability",
    "reason",
    "levels",
)
_HELD_BACK: Final = f"""
    SELECT CASE WHEN left_customer_id = $who THEN right_customer_id ELSE left_customer_id END AS other_customer_id,
        {", ".join(_COLUMNS)}
    FROM held_back_evidence WHERE left_customer_id = $who OR right_customer_id = $who
    ORDER BY coalesce(match_weight, 'infinity'::DOUBLE) DESC, left_record, right_record, kind, reason
    LIMIT {_MOST_HELD_BACK}
"""


def of_customer(reader: Reader, caller: Caller, document: Document) -> dict[str, Any]:
    """Return why the records of a customer are one person (:class:`warehouse.api.models.Why`)."""
    with reader.connection() as connection:
        found = edges(connection, document.customer_id)
        held_back = _held_back(connection, document.customer_id)
    kinds: dict[str, int] = {}
    for edge in found:
        kinds[edge.kind] = kinds.get(edge.kind, 0) + 1
    tree = spanning_tree(found)
    return {
        "edge_count": len(found),
        "kinds": dict(sorted(kinds.items())),
        "weakest": _shown(_edge(tree[-1]), "match_evidence", reader, caller) if tree else None,
        "edges": [_shown(_edge(edge), "match_evidence", reader, caller) for edge in found[:_MOST_EDGES]],
        "held_back": [_shown(row, "held_back_evidence", reader, caller) for row in held_back],
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {name: getattr(edge, name) for name in _COLUMNS}


def _held_back(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(_HELD_BACK, {"who": customer_id}).fetchall()
    return [dict(zip(("other_customer_id", *_COLUMNS), row, strict=True)) for row in rows]


def _shown(row: dict[str, Any], table: str, reader: Reader, caller: Caller) -> dict[str, Any]:
    seen = row if caller.sees_personal_data else masking.row(table, row, reader.tokens)
    levels = seen["levels"]
    try:
        return {**seen, "levels": json.loads(levels) if levels else None}
    except ValueError:  # masked to a mark
        return {**seen, "levels": None}
