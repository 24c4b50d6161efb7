"""Profiles by identifier: from the release's index where there is one, else from its tables.

Both give the same documents. The index answers in microseconds; the tables of a release from before it, or of
a build that was never published, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from cdp.errors import UsageError
from cdp.identifiers import IDENTIFIER_TYPES, check
from warehouse import documents
from warehouse.lookup import spellings
from warehouse.profile_index import CUSTOMER, MAX_FOUND, RECORD, RETIRED, ProfileIndex

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Document:
    """A customer's document as it is kept, and what it says."""

    raw: bytes

    @cached_property
    def content(self) -> dict[str, Any]:
        """The document, parsed."""
        found: dict[str, Any] = orjson.loads(self.raw)
        return found

    @property
    def customer_id(self) -> str:
        """Whose it is."""
        return str(self.content["customer_id"])

    def has(self, kind: str, value: str, namespace: str | None = None) -> bool:
        """Whether the customer is found by this key (in this namespace, where one is given)."""
        content = self.content
        if kind == CUSTOMER:
            return bool(content["customer_id"] == value)
        if kind == RETIRED:
            return value in content["previous_ids"]
        if kind == RECORD:
            return any(record["record_key"] == value for record in content["records"])
        return any(
            one["value"] == value and one["type"] == kind and namespace in (None, one["namespace"])
            for one in content["identifiers"]
        )


class Source(Protocol):
    """Where documents are found by a key."""

    default_region: str | None
    types: Sequence[str]

    def find(self, kind: str, value: str) -> Iterable[Document]:
        """Return the documents that may have this key, in the order of their ids."""
        ...


class FromIndex:
    """Documents of a release with an index."""

    def __init__(self, index: ProfileIndex) -> None:
        self._index = index
        self.default_region = index.default_region
        self.types: Sequence[str] = index.types

    def find(self, kind: str, value: str) -> Iterable[Document]:
        """Yield the documents that may have this key, in the order of their ids."""
        return (Document(self._index.document(row)) for row in self._index.rows(kind, value))


_BY_KEY: Final = {
    CUSTOMER: "SELECT customer_id FROM customers WHERE customer_id = $value",
    RETIRED: "SELECT customer_id FROM customer_redirects WHERE previous_customer_id = $value",
    RECORD: "SELECT customer_id FROM customer_records WHERE record_key = $value",
}
_BY_IDENTIFIER: Final = (
    "SELECT DISTINCT customer_id FROM customer_identifiers WHERE value = $value AND type = $type ORDER BY 1"
)
_PAGE: Final = 100


class FromTables:
    """Documents of a release without an index."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        ((self.default_region,),) = connection.execute("SELECT default_region FROM cdp_release").fetchall()
        self.types: Sequence[str] = tuple(IDENTIFIER_TYPES)

    def find(self, kind: str, value: str) -> Iterable[Document]:
        """Yield the documents that have this key, in the order of their ids."""
        if kind in _BY_KEY:
            rows = self._connection.execute(_BY_KEY[kind], {"value": value}).fetchall()
        else:
            rows = self._connection.execute(_BY_IDENTIFIER, {"value": value, "type": kind}).fetchall()
        ids = [str(row[0]) for row in rows]
        for first in range(0, len(ids), _PAGE):
            for _, raw in documents.of_customers(self._connection, ids[first : first + _PAGE]):
                yield Document(raw)


@dataclass(frozen=True)
class Found:
    """What a key led to: at most :data:`MAX_FOUND` documents, by id. ``more`` were left out."""

    matched_by: str
    documents: Sequence[Document] = ()
    more: bool = False


def _take(found: Iterable[Document], kind: str, value: str, namespace: str | None = None) -> list[Document]:
    """Return the documents that really have the key, one more than are shown at most."""
    kept: list[Document] = []
    for document in found:
        if document.has(kind, value, namespace):
            kept.append(document)
            if len(kept) > MAX_FOUND:
                break
    return kept


def _of(matched_by: str, kept: Sequence[Document]) -> Found:
    return Found(matched_by, kept[:MAX_FOUND], len(kept) > MAX_FOUND)


def by_id(source: Source, customer_id: str) -> Document | None:
    """Return the document of a customer in use."""
    return next(iter(_take(source.find(CUSTOMER, customer_id), CUSTOMER, customer_id)), None)


def by_retired_id(source: Source, previous_id: str) -> Document | None:
    """Return the document of the customer that holds the records of a retired id now."""
    return next(iter(_take(source.find(RETIRED, previous_id), RETIRED, previous_id)), None)


def by_identifier(source: Source, kind: str, value: str, namespace: str | None = None) -> Found:
    """Return the customers with an identifier; ``value`` as a person writes it, or as it is stored.

    With a ``namespace`` every holder of the value is looked at. Raises :class:`cdp.errors.UsageError` for an
    unknown type, and for a namespace of one that has none.
    """
    known = IDENTIFIER_TYPES.get(kind)
    if namespace and known is not None and known.is_global:
        raise UsageError(f"Identifiers of the type {kind!r} have no namespace.", hint="Leave it out.")
    normal = check(kind, value, source.default_region).value
    for text in dict.fromkeys(one for one in (normal, value.strip()) if one):
        if kept := _take(source.find(kind, text), kind, text, namespace):
            return _of("identifier", kept)
    return Found("identifier")


def by_text(source: Source, text: str) -> Found:
    """Return the customers that a text leads to: an id, a retired id, a record_key, or any identifier.

    Tried in turn, and the first that finds somebody decides, as in :func:`warehouse.lookup.find`; names are
    what a search is for.
    """
    wanted = text.strip()
    if not wanted:
        return Found("identifier")
    for matched_by, kind, value in (
        ("customer_id", CUSTOMER, wanted.upper()),
        ("retired_id", RETIRED, wanted.upper()),
        ("record_key", RECORD, wanted),
    ):
        if kept := _take(source.find(kind, value), kind, value):
            return _of(matched_by, kept)
    kind, colon, value = wanted.partition(":")
    if colon and kind in IDENTIFIER_TYPES:
        return by_identifier(source, kind, value)
    for spelling in spellings(wanted, source.default_region):
        people: dict[str, Document] = {}
        for kind in source.types:
            people |= {one.customer_id: one for one in _take(source.find(kind, spelling), kind, spelling)}
        if people:
            return _of("identifier", [people[one] for one in sorted(people)])
    return Found("identifier")
