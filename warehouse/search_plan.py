"""How a query is read and looked up in the search index: its words, what words they may be, who has those."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final

from cdp import duck
from warehouse.search_index import LETTERS, LONGEST_WORD, PHONE, sound, words

if TYPE_CHECKING:
    import duckdb

MOST_SPLITS: Final = 4
"""Ways to read one word as two that are tried."""
MOST_WORDS: Final = 8
"""Words of a query beyond which nothing is read."""
MOST_NEAR: Final = 100
"""Words within some edits of one word that are looked up."""
FEWEST_LETTERS: Final = 3
"""Letters from which on a word alone may have a typo."""
FEWEST_DIGITS: Final = 4
"""Last digits by which a number is found."""
SHORT: Final = 5
"""Letters up to which a word may be one edit away; longer ones, or ones of the same sound, may be two."""

_LAST: Final = "\U0010ffff"
_NUMBER = re.compile(r"[\d\s+().\-/]+")


@dataclass(frozen=True)
class Slot:
    """A word of a query, folded; ``digits`` where it may be the end of a telephone number."""

    word: str
    digits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """Words of the index from ``first`` to ``last`` (numbers), and what a hit by them costs.

    0: the word as it is; 1: a beginning of it, or the last digits; then 1 + edits.
    """

    first: int
    last: int
    cost: int

    EXACT: ClassVar[int] = 0
    PREFIX: ClassVar[int] = 1


def reading(connection: duckdb.DuckDBPyConnection, text: str) -> list[Slot]:
    """Return how a text is read first: its folded words, or one number."""
    whole = _number(text)
    return [Slot("", whole)] if whole else [_slot(word) for word in _folded(connection, text)]


def other_readings(connection: duckdb.DuckDBPyConnection, text: str) -> list[list[Slot]]:
    """Return how else a text may be read: a number as words; two words as one; one word as two."""
    typed = _folded(connection, text)
    if _number(text):
        return [[_slot(word) for word in typed]]
    joined = [
        [*typed[:at], typed[at] + typed[at + 1], *typed[at + 2 :]] for at in range(min(len(typed), 5) - 1)
    ]
    return [[_slot(word) for word in words] for words in (*joined, *_splits(connection, typed))]


def _number(text: str) -> tuple[str, ...]:
    """Return the digits of a text that is a number and nothing else, with and without what is dialled before it."""
    if not _NUMBER.fullmatch(text):
        return ()
    return _digits("".join(c for c in text if c.isdecimal()))


def _digits(digits: str) -> tuple[str, ...]:
    if not digits.isascii() or len(digits) < FEWEST_DIGITS:
        return ()
    bare = digits.lstrip("0")
    return (digits, bare) if len(bare) >= FEWEST_DIGITS + 2 and bare != digits else (digits,)


def _slot(word: str) -> Slot:
    return Slot(word, _digits(word) if word.isdecimal() else ())


def _folded(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """Return the folded words of a text; of the domain of an address the last label is left out, as in the index."""
    bare = " ".join(_without_top_level(chunk) for chunk in text.split())
    row = connection.execute(f"SELECT {words('?')}", [bare]).fetchone()
    found: list[str] = [word[:LONGEST_WORD] for word in row[0]] if row else []
    return list(dict.fromkeys(found))[:MOST_WORDS]


def _without_top_level(chunk: str) -> str:
    mailbox, at, domain = chunk.rpartition("@")
    return f"{mailbox}@{domain.rpartition('.')[0]}" if at and "." in domain else chunk


def _splits(connection: duckdb.DuckDBPyConnection, typed: Sequence[str]) -> list[list[str]]:
    """Return readings in which one word is two that both are in the index, joined or with a letter between."""
    pieces = {
        (at, place, gap): (word[:place], word[place + gap :])
        for at, word in enumerate(typed)
        for place in range(1, len(word))
        for gap in (0, 1)
        if not word.isdecimal() and place + gap < len(word)
    }
    if not pieces:
        return []
    wanted = sorted({piece for pair in pieces.values() for piece in pair})
    query = "SELECT word FROM search_words WHERE word IN (SELECT unnest(?))"
    known = {row[0] for row in connection.execute(query, [wanted]).fetchall()}
    likely = sorted(
        (key for key, pair in pieces.items() if known.issuperset(pair)),
        key=lambda key: (key[2], -min(map(len, pieces[key])), key),
    )
    return [[*typed[: key[0]], *pieces[key], *typed[key[0] + 1 :]] for key in likely[:MOST_SPLITS]]


class Typos(IntEnum):
    """Which words of the index a word of a query may be a misspelling of."""

    NONE = 0
    COMMON = 1
    ALL = 2


def found_spans(
    connection: duckdb.DuckDBPyConnection, slot: Slot, *, typos: Typos, alone: bool
) -> list[Span]:
    """Return the words of the index that a word of a query may be.

    One letter alone is no beginning: half of all customers would have it.
    """
    found: list[Span] = []
    if slot.word:
        found += [Span(first, last, Span.EXACT) for first, last in _prefix(connection, slot.word, whole=True)]
        if len(slot.word) > 1 or not alone:
            found += [Span(first, last, Span.PREFIX) for first, last in _prefix(connection, slot.word)]
    for digits in slot.digits:
        spans = _prefix(connection, PHONE + digits[::-1])
        found += [Span(first, last, Span.PREFIX) for first, last in spans]
    if typos and slot.word and (len(slot.word) >= FEWEST_LETTERS or not alone):
        found += _near(connection, slot.word, typos)
    return found


def _prefix(
    connection: duckdb.DuckDBPyConnection, word: str, *, whole: bool = False
) -> list[tuple[int, int]]:
    query = "SELECT min(word_no), max(word_no) FROM search_words WHERE word >= ? AND word "
    bound = "<= ?" if whole else "< ?"
    row = connection.execute(query + bound, [word, word if whole else word + _LAST]).fetchone()
    return [(row[0], row[1])] if row and row[0] is not None else []


def _near(connection: duckdb.DuckDBPyConnection, word: str, typos: Typos) -> list[Span]:
    """Return words within one edit, or two for long ones and for those of the same sound."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    length = len(word)
    most = 1 if length <= SHORT else 2
    letters, alike = _signature(connection, word)
    # Values as literals, so that the scan skips what is sorted away. Both are of our own making.
    query = (
        f"SELECT word_no, word, sound = {duck.quote(alike)} FROM search_spellings "
        f"WHERE {'NOT is_rare' if typos is Typos.COMMON else 'true'} "
        f"AND length BETWEEN {max(length - most, 1)} AND {length + most} "
        f"AND (bit_count(xor(letters, {letters})) <= {2 * most} OR sound = {duck.quote(alike)})"
    )
    rows = connection.execute(query).fetchall()
    close = process.extract(word, [row[1] for row in rows], scorer=OSA.distance, score_cutoff=2, limit=None)
    found = sorted((int(edits), rows[at][0]) for _, edits, at in close if 0 < edits <= most or rows[at][2])
    return [Span(number, number, Span.PREFIX + edits) for edits, number in found[:MOST_NEAR] if edits]


def _signature(connection: duckdb.DuckDBPyConnection, word: str) -> tuple[int, str]:
    letters = "SELECT word, unnest(string_split(word, '')) AS letter FROM (SELECT ? AS word)"
    query = f"SELECT {LETTERS}, any_value({sound('word')}) FROM ({letters})"
    row = connection.execute(query, [word]).fetchone()
    return (int(row[0] or 0), row[1] or "") if row else (0, "")


def hits_query(slots: Sequence[Sequence[Span]], fields: int, limit: int) -> str:
    """Return the SQL of the customers who have a word of every slot: their number, and per slot what was found.

    That is one number: cost << 40 | word_no << 8 | fields; its smallest is the best. All values are numbers.
    """
    order = sorted(range(len(slots)), key=lambda at: sum(span.last - span.first + 1 for span in slots[at]))
    tables = [f"s{at} AS ({_slot_query(spans, fields)})" for at, spans in enumerate(slots)]
    joins = " ".join(f"JOIN s{at} USING (customer_no)" for at in order[1:])
    best = ", ".join(f"s{at}.best" for at in range(len(slots)))
    cost = " + ".join(f"(s{at}.best >> 40)" for at in range(len(slots)))
    return (
        f"WITH {', '.join(tables)} SELECT customer_no, {best} FROM s{order[0]} {joins} "
        f"ORDER BY {cost}, customer_no LIMIT {int(limit)}"
    )


def _slot_query(spans: Sequence[Span], fields: int) -> str:
    wide = [span for span in spans if span.last > span.first or span.cost == Span.EXACT]
    single: dict[int, list[int]] = {}
    for span in spans:
        if span not in wide:
            single.setdefault(span.cost, []).append(span.first)
    conditions = [(f"word_no BETWEEN {span.first} AND {span.last}", span.cost) for span in wide]
    conditions += [
        (f"word_no IN (SELECT unnest([{', '.join(map(str, numbers))}]))", cost)
        for cost, numbers in single.items()
    ]
    parts = " UNION ALL ".join(
        f"SELECT customer_no, {cost << 40} + word_no::BIGINT * 256 + (fields & {int(fields)}) AS packed "
        f"FROM search_postings WHERE {condition} AND fields & {int(fields)} <> 0"
        for condition, cost in conditions
    )
    return f"SELECT customer_no, min(packed) AS best FROM ({parts}) GROUP BY customer_no"
