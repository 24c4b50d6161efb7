"""Search customers by anything: whole identifiers first, then words of names, addresses and numbers, typos forgiven.

Every word of a query must be found with a customer: as it is, as the beginning of one of theirs, as the last
digits of a number, or within one or two edits (Damerau-Levenshtein), by the index of :mod:`warehouse.search_index`.
The order: whole identifiers, then words as they are, then beginnings, then fewer edits; among equals whoever was
seen last comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from warehouse import lookup
from warehouse.search_index import FIELDS, PHONE
from warehouse.search_plan import (
    Slot,
    Spans,
    Typos,
    hits_query,
    other_readings,
    reading,
    typed_spans,
    with_typos,
)

if TYPE_CHECKING:
    import duckdb

LONGEST_TEXT: Final = 256
"""Characters of a query beyond which nothing is read."""
MOST_HITS: Final = 200
"""Hits that one search finds at most: who is looked for further down is found by another word."""
MOST_FILTERED: Final = 5_000
"""Best hits that filters are applied to."""

ALL_FIELDS: Final = sum(FIELDS.values())
UNMASKED_FIELDS: Final = FIELDS["city"]
"""Fields that a caller without read-pii may search by words: those whose values the caller may see whole."""

_HIDDEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True)
class Part:
    """How one word of a query was found: ``how`` is exact, prefix, digits (the last ones) or typo."""

    word: str
    found: str
    how: str
    edits: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """A customer that was found, ``by`` a whole identifier of some kind, or by words.

    In a release that is older than the index, ``by`` may be name.
    """

    customer_id: str
    by: str
    parts: tuple[Part, ...] = ()

    @property
    def edits(self) -> int:
        """How many edits away the words are."""
        return sum(part.edits for part in self.parts)


def clean(text: str) -> str:
    r"""Return a query as it is read: without control characters, of bounded length.

    >>> clean("  Jane\x00 \ud800Doe\n")
    'Jane ?Doe'
    """
    sound = text[: 4 * LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    return " ".join(_HIDDEN.sub(" ", sound).split())[:LONGEST_TEXT].strip()


def search(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    *,
    limit: int = MOST_HITS,
    fields: int = ALL_FIELDS,
    where: str | None = None,
    parameters: Sequence[Any] = (),
) -> list[Hit]:
    """Return up to ``limit`` hits, the best first; it never raises for a text.

    ``fields``: a sum of :data:`~warehouse.search_index.FIELDS` that words are looked for in; whole identifiers are
    found always. ``where`` (SQL over ``customers``, with ``parameters``) keeps those of the best
    :data:`MOST_FILTERED` hits for which it is true.
    """
    wanted = clean(text)
    if not wanted:
        return []
    limit = min(limit, MOST_HITS)
    exact = [Hit(match.customer_id, match.matched_by) for match in lookup.find_exact(connection, wanted)]
    found = _passing(connection, exact, where, parameters)
    known = {hit.customer_id for hit in found}
    if len(found) < limit:
        most = MOST_FILTERED if where else limit
        others = _further(connection, wanted, most, fields, typos=not exact)
        others = [hit for hit in others if hit.customer_id not in known]
        found += _passing(connection, others, where, parameters)
    return found[:limit]


def _passing(
    connection: duckdb.DuckDBPyConnection, hits: list[Hit], where: str | None, parameters: Sequence[Any]
) -> list[Hit]:
    if not hits or not where:
        return hits
    query = f"SELECT customer_id FROM customers WHERE customer_id IN (SELECT unnest(?)) AND ({where})"
    ids = [hit.customer_id for hit in hits]
    kept = {row[0] for row in connection.execute(query, [ids, *parameters]).fetchall()}
    return [hit for hit in hits if hit.customer_id in kept]


def _further(
    connection: duckdb.DuckDBPyConnection, text: str, limit: int, fields: int, *, typos: bool
) -> list[Hit]:
    import duckdb

    try:
        return _by_words(connection, text, limit, fields, typos=typos)
    except duckdb.CatalogException:
        # A release of before the index: names as they are, for who may see them.
        if fields != ALL_FIELDS:
            return []
        return [Hit(match.customer_id, match.matched_by) for match in lookup.find(connection, text)]


def _by_words(
    connection: duckdb.DuckDBPyConnection, text: str, limit: int, fields: int, *, typos: bool
) -> list[Hit]:
    """Return hits by words: as they were typed; with typos; and where nobody was found, with other spaces."""
    slots = reading(connection, text)
    typed = _typed(connection, slots)
    found = _hits(connection, slots, typed, limit, fields)
    # The words of an address are rare ones, and no spaces are missing; one that is found as it is, is meant.
    is_address = "@" in text
    if typos and len(found) < limit and not (is_address and found):
        known = {hit.customer_id for hit in found}
        near = with_typos(connection, slots, typed, Typos.ALL if is_address else Typos.COMMON)
        further = _hits(connection, slots, near, limit, fields)
        found += [hit for hit in further if hit.customer_id not in known]
    if found or is_address or not typos:
        return found[:limit]
    for other in other_readings(connection, text):
        if found := _hits(connection, other, _typed(connection, other), limit, fields):
            return found
    return _hits(connection, slots, with_typos(connection, slots, typed, Typos.ALL), limit, fields)


def _typed(connection: duckdb.DuckDBPyConnection, slots: Sequence[Slot]) -> list[Spans]:
    return [typed_spans(connection, slot, alone=len(slots) == 1) for slot in slots]


def _hits(
    connection: duckdb.DuckDBPyConnection,
    slots: Sequence[Slot],
    spans: Sequence[Spans],
    limit: int,
    fields: int,
) -> list[Hit]:
    if not spans or not all(spans):
        return []
    rows = connection.execute(hits_query(spans, fields, limit)).fetchall()
    if not rows:
        return []
    ids = _customer_ids(connection, [row[0] for row in rows])
    words = _words(connection, {packed >> 8 & 0xFFFFFFFF for row in rows for packed in row[1:]})
    return [
        Hit(ids[row[0]], "words", tuple(_part(s, p, words) for s, p in zip(slots, row[1:], strict=True)))
        for row in rows
    ]


def _customer_ids(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> dict[int, str]:
    places = ", ".join(map(str, numbers))
    query = f"SELECT customer_no, customer_id FROM search_customers WHERE customer_no IN (SELECT unnest([{places}]))"
    return dict(connection.execute(query).fetchall())


def _words(connection: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> dict[int, str]:
    places = ", ".join(map(str, sorted(numbers)))
    return dict(
        connection.execute(
            f"SELECT word_no, word FROM search_words WHERE word_no IN (SELECT unnest([{places}]))"
        ).fetchall()
    )


def _part(slot: Slot, packed: int, words: dict[int, str]) -> Part:
    cost, word, fields = packed >> 40, words[packed >> 8 & 0xFFFFFFFF], packed & 0xFF
    named = tuple(name for name, bit in FIELDS.items() if fields & bit)
    if word.startswith(PHONE):
        return Part(slot.word, word[:0:-1], "digits", 0, named)
    how = "exact" if cost == Spans.EXACT else "prefix" if cost == Spans.PREFIX else "typo"
    return Part(slot.word, word, how, max(cost - Spans.PREFIX, 0), named)


def without_words(hit: Hit) -> Hit:
    """Return a hit without the words of the customer that were found: for who may not see them."""
    return replace(hit, parts=tuple(replace(part, found="") for part in hit.parts))
