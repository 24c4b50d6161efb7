"""Finding customers, as the API and the pages do it: by a text, by filters, or both; masked where it must be.

A caller without read-pii finds by whole identifiers, which they know already, and by words of the
town, which they see. Words of what masking shortens are left out: whoever may ask letter by letter reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cdp.errors import UsageError
from warehouse import customer_list, masking, search
from warehouse.customer_list import DEFAULT_ORDER, ORDERS, Choices, Condition, Filters
from warehouse.search import Hit

if TYPE_CHECKING:
    import duckdb

    from warehouse.serve.releases import Reader

PAGE: Final = 50
NO_FILTERS: Final = Filters()


@dataclass(frozen=True)
class Facets:
    """What a release knows of its list of customers."""

    columns: tuple[str, ...]
    as_of: datetime
    choices: Choices


@dataclass(frozen=True)
class Question:
    """Whom somebody looks for. ``cursor``: where the page before ended; ``personal``: whether they may read all."""

    text: str = ""
    filters: Filters = NO_FILTERS
    order: str = DEFAULT_ORDER
    cursor: str | None = None
    limit: int = PAGE
    personal: bool = False


@dataclass(frozen=True)
class Found:
    """A page of customers. ``hits`` say why each was found by a text; ``total`` counts lists without a text."""

    rows: tuple[Mapping[str, Any], ...]
    hits: tuple[Hit, ...] = ()
    total: int | None = None
    cursor: str | None = None


_FACETS: dict[tuple[str, str], Facets] = {}
_MOST_FACETS: Final = 4


def facets(reader: Reader, connection: duckdb.DuckDBPyConnection) -> Facets:
    """Return what the filters of a release may be; read once per release."""
    key = (str(reader.release.folder), reader.version)
    found = _FACETS.get(key)
    if found is None:
        columns = customer_list.columns(connection)
        choices = customer_list.choices(connection, columns)
        found = Facets(columns, customer_list.as_of(connection), choices)
        while len(_FACETS) >= _MOST_FACETS:
            _FACETS.pop(next(iter(_FACETS)), None)
        _FACETS[key] = found
    return found


def find(connection: duckdb.DuckDBPyConnection, known: Facets, question: Question) -> Found:
    """Return whom a question means. Raises :class:`UsageError` for what cannot be asked."""
    where = customer_list.condition(question.filters, known.as_of, known.columns)
    if search.clean(question.text):
        found = _by_text(connection, known, question, where)
    else:
        found = _listed(connection, known, question, where)
    if question.personal:
        return found
    hits = tuple(search.without_words(hit) for hit in found.hits)
    return Found(tuple(masking.row("customers", row) for row in found.rows), hits, found.total, found.cursor)


def _by_text(
    connection: duckdb.DuckDBPyConnection, known: Facets, question: Question, where: Condition
) -> Found:
    start = _offset(question.cursor)
    hits = search.search(
        connection,
        question.text,
        limit=min(start + question.limit + 1, search.MOST_HITS),
        fields=search.ALL_FIELDS if question.personal else search.UNMASKED_FIELDS,
        where=where.sql if question.filters.given() else None,
        parameters=where.parameters,
    )
    shown = hits[start : start + question.limit]
    rows = customer_list.rows(connection, [hit.customer_id for hit in shown], known.columns)
    end = start + question.limit
    return Found(tuple(rows), tuple(shown), cursor=str(end) if len(hits) > end else None)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 6):
        raise UsageError("This cursor is none of a search.", hint="Send the cursor of the page before.")
    return int(cursor)


def _listed(
    connection: duckdb.DuckDBPyConnection, known: Facets, question: Question, where: Condition
) -> Found:
    order = ORDERS.get(question.order)
    if order is not None and order.personal and not question.personal:
        raise UsageError(f"A list by {order.words} needs the scope 'read-pii'.", hint="Choose another order.")
    ids = customer_list.page(
        connection, where, order=question.order, after=question.cursor, limit=question.limit + 1
    )
    shown = ids[: question.limit]
    rows = customer_list.rows(connection, shown, known.columns)
    total = customer_list.count(connection, where) if question.cursor is None else None
    return Found(tuple(rows), total=total, cursor=shown[-1] if len(ids) > question.limit else None)
