"""How a query is read and looked up in the search index: its words, what words they may be, who has those."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
MOST_NEAR: Final = 80
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
class Spans:
    """Words of the index, by their numbers, that a word of a query may be, and what a hit by them costs.

    ``whole``: the word itself, 0; ``ranges``: words that it begins, 1, or numbers that end so; ``near``: words within
    some edits, 1 + edits.
    """

    whole: int | None = None
    ranges: tuple[tuple[int, int], ...] = ()
    near: Mapping[int, int] = field(default_factory=dict)

    EXACT: ClassVar[int] = 0
    PREFIX: ClassVar[int] = 1

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.whole is not None or bool(self.ranges or self.near)

    @property
    def size(self) -> int:
        """How many words there are at most."""
        return len(self.near) + sum(last - first + 1 for first, last in self.ranges)


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


def typed_spans(connection: duckdb.DuckDBPyConnection, slot: Slot, *, alone: bool) -> Spans:
    """Return the words of the index that a word is, or begins, or whose last digits it is.

    One letter alone is no beginning: half of all customers would have it.
    """
    ranges: list[tuple[int, int]] = []
    whole = None
    if slot.word:
        found = _prefix(connection, slot.word)
        if found is not None:
            first, last, is_whole = found
            whole = first if is_whole else None
            if len(slot.word) > 1 or not alone:
                ranges.append((first, last))
    numbers = (_prefix(connection, PHONE + digits[::-1]) for digits in slot.digits)
    ranges += [found[:2] for found in numbers if found]
    return Spans(whole, tuple(ranges))


def _prefix(connection: duckdb.DuckDBPyConnection, word: str) -> tuple[int, int, bool] | None:
    """Return the first and last word with this beginning, and whether it is the first one itself."""
    query = (
        "SELECT min(word_no), max(word_no), count(*) FILTER (word = $1) FROM search_words "
        "WHERE word >= $1 AND word < $2"
    )
    row = connection.execute(query, [word, word + _LAST]).fetchone()
    return (row[0], row[1], bool(row[2])) if row and row[0] is not None else None


def with_typos(
    connection: duckdb.DuckDBPyConnection, slots: Sequence[Slot], typed: Sequence[Spans], typos: Typos
) -> list[Spans]:
    """Return what was found of each word, and words near it; alone, a word of two letters has none."""
    signatures = _signatures(connection, [slot.word for slot in slots if slot.word])
    found = []
    for slot, spans in zip(slots, typed, strict=True):
        is_long = len(slot.word) >= FEWEST_LETTERS or len(slots) > 1
        near = _near(connection, slot.word, signatures[slot.word], typos) if slot.word and is_long else {}
        found.append(replace(spans, near=near))
    return found


def _near(
    connection: duckdb.DuckDBPyConnection, word: str, signature: tuple[int, str], typos: Typos
) -> dict[int, int]:
    """Return words within one edit, or two for long ones and for those of the same sound, and their costs."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    length = len(word)
    most = 1 if length <= SHORT else 2
    letters, alike = signature
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
    return {number: Spans.PREFIX + edits for edits, number in found[:MOST_NEAR] if edits}


def _signatures(connection: duckdb.DuckDBPyConnection, given: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return the letters and the sound of some words, as the index has them."""
    if not given:
        return {}
    letters = "SELECT word, unnest(string_split(word, '')) AS letter FROM (SELECT unnest(?) AS word)"
    query = f"SELECT word, {LETTERS}, any_value({sound('word')}) FROM ({letters}) GROUP BY word"
    rows = connection.execute(query, [list(given)]).fetchall()
    return {row[0]: (int(row[1] or 0), row[2] or "") for row in rows}


def hits_query(slots: Sequence[Spans], fields: int, limit: int) -> str:
    """Return the SQL of the customers who have a word of every slot: their number, and per slot what was found.

    That is one number: cost << 40 | word_no << 8 | fields; its smallest is the best. All values are numbers.
    """
    order = sorted(range(len(slots)), key=lambda at: slots[at].size)
    tables = [f"s{at} AS ({_slot_query(spans, fields)})" for at, spans in enumerate(slots)]
    joins = " ".join(f"JOIN s{at} USING (customer_no)" for at in order[1:])
    best = ", ".join(f"s{at}.best" for at in range(len(slots)))
    cost = " + ".join(f"(s{at}.best >> 40)" for at in range(len(slots)))
    return (
        f"WITH {', '.join(tables)} SELECT customer_no, {best} FROM s{order[0]} {joins} "
        f"ORDER BY {cost}, customer_no LIMIT {int(limit)}"
    )


def _slot_query(spans: Spans, fields: int) -> str:
    ranges = list(spans.ranges)
    if spans.whole is not None and not any(first <= spans.whole <= last for first, last in ranges):
        ranges.append((spans.whole, spans.whole))
    cost = (
        f"CASE WHEN word_no = {spans.whole} THEN 0 ELSE {Spans.PREFIX << 40} END"
        if spans.whole
        else str(Spans.PREFIX << 40)
    )
    packed = f"word_no::BIGINT * 256 + (fields & {int(fields)}) AS packed FROM search_postings"
    parts = [
        f"SELECT customer_no, {cost} + {packed} WHERE word_no BETWEEN {first} AND {last}"
        for first, last in ranges
    ]
    if spans.near:
        numbers, costs = (", ".join(map(str, part)) for part in (spans.near, spans.near.values()))
        near = f"SELECT unnest([{numbers}]) AS near_no, unnest([{costs}]) AS cost"
        parts.append(
            f"SELECT customer_no, (cost::BIGINT << 40) + {packed} JOIN ({near}) ON near_no = word_no WHERE true"
        )
    every = " UNION ALL ".join(f"{part} AND fields & {int(fields)} <> 0" for part in parts)
    return f"SELECT customer_no, min(packed) AS best FROM ({every}) GROUP BY customer_no"
