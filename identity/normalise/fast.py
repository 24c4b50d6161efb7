"""The normalisers over whole arrays: common shapes in compiled code, everything unusual one value at a time.

Each function gives for every text of an array exactly what its namesake in the sibling modules gives; absent
is the empty text. Only ASCII letters, digits and signs go the fast way, and only where no word of the text has
a meaning of its own (a title, a legal form, a word for "missing").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import unwrap

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.kernels import texts as bytewise
from identity.kernels.buffers import concat
from identity.normalise import addresses, names, text
from identity.values import numbers

Flags = npt.NDArray[np.bool_]
_SLICE = 65_536  # values that are Python objects at any one time
_WORDS = bytewise.table(otherwise=32, digits=True, letters=True)
_SQUEEZED = bytewise.table(otherwise=bytewise.DROP, digits=True, letters=True)
_LETTERS = bytewise.table(otherwise=bytewise.UNUSUAL, letters=True)
_NAMES = bytewise.table(otherwise=bytewise.UNUSUAL, letters=True, keep=" ")
_SPECIAL = frozenset(
    word
    for group in (names._TITLES, names._SUFFIXES, names._DEGREES, names._PARTICLES, text._MISSING)  # noqa: SLF001
    for phrase in group
    for word in text.words(phrase).split()
)


def flags(mask: pa.Array | pa.ChunkedArray) -> Flags:
    """An Arrow mask as numpy flags; null counts as false."""
    filled = pc.fill_null(mask, False) if mask.null_count else mask
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=bool)


def is_in(texts: pa.Array, words: frozenset[str]) -> Flags:
    """Which texts are one of the words."""
    return flags(pc.is_in(texts, value_set=pa.array(sorted(words), texts.type)))


def put(column: pa.Array, rows: Flags, texts: pa.Array) -> pa.Array:
    """The column with some rows replaced, by one text for each of them."""
    order = np.arange(len(column))
    order[rows] = np.arange(len(column), len(column) + len(texts))
    return concat([column, texts]).take(pa.array(order))


def slow(
    values: pa.Array, rows: Flags, call: Callable[[str], Sequence[str]], columns: Sequence[pa.Array]
) -> list[pa.Array]:
    """The columns with what ``call`` gives for the values of some rows written into them."""
    if not rows.any():
        return list(columns)
    places = np.flatnonzero(rows)
    parts: list[list[pa.Array]] = [[] for _ in columns]
    for start in range(0, len(places), _SLICE):
        own = values.take(pa.array(places[start : start + _SLICE]))
        parsed = [call(value) for value in own.to_pylist()]
        for part, made in zip(parts, zip(*parsed, strict=True), strict=True):
            part.append(pa.array(made, pa.string()))
    return [put(column, rows, concat(part)) for column, part in zip(columns, parts, strict=True)]


def one(values: pa.Array, rows: Flags, call: Callable[[str], str], column: pa.Array) -> pa.Array:
    """``slow`` for a normaliser with one result."""
    plain = unwrap(call)
    return slow(values, rows, lambda value: (plain(value),), [column])[0]


def _missing(by: bytewise.Table) -> frozenset[str]:
    """What the words for "missing" look like after a rewriting: whoever looks like it is looked at closely."""
    stripped = bytewise.translate(pa.array(sorted(text._MISSING)), by)[0]  # noqa: SLF001
    return frozenset(stripped.to_pylist()) - {""}


def _folded(values: pa.Array, by: bytewise.Table, call: Callable[[str], str]) -> tuple[pa.Array, Flags]:
    """Rewrite by a table; what is unusual or may mean "missing" is done by ``call``. Tells which were not."""
    found, unusual = bytewise.translate(values, by)
    rows = unusual | is_in(found, _missing(by))
    return one(values, rows, call, found), ~rows


def worded(value: str) -> str:
    """Fold a text to its words; a word for "missing" gives the empty text."""
    return "" if text.is_missing(value) else text.words(value)


def words(values: pa.Array) -> pa.Array:
    """``worded`` of every text.

    >>> words(pa.array(["Priest & Poet", "N/A", "Évêque"])).to_pylist()
    ['priest poet', '', 'eveque']
    """
    return _folded(values, _WORDS, worded)[0]


def places(values: pa.Array) -> pa.Array:
    """``addresses.place`` of every text.

    >>> places(pa.array(["Saint Paul", "New York"])).to_pylist()
    ['st paul', 'new york']
    """
    found = words(values)
    return one(values, flags(pc.starts_with(found, "saint")), addresses.place, found)


def postcodes(values: pa.Array) -> pa.Array:
    """``addresses.postcode`` of every text.

    >>> postcodes(pa.array(["85975-1414", "M1S 1T4", "none"])).to_pylist()
    ['85975', 'm1s1t4', '']
    """
    found, _ = _folded(values, _SQUEEZED, addresses.postcode)
    nine = flags(pc.equal(pc.binary_length(found), 9)) & flags(pc.ascii_is_decimal(found))
    return put(found, nine, pc.utf8_slice_codeunits(found.filter(pa.array(nine)), 0, 5))


def organisations(values: pa.Array) -> pa.Array:
    """``names.organisation`` of every text.

    >>> organisations(pa.array(["Blue Ocean Trading, Inc.", "The Limited"])).to_pylist()
    ['blue ocean trading', 'the limited']
    """
    whole, usual = _folded(values, _WORDS, names.organisation)
    parts = pc.split_pattern(whole, " ")
    flat = parts.flatten()
    distinct = numbers(flat)
    image = [names.organisation_word(word) for word in distinct.texts.to_pylist()]
    stays = np.append(np.array([bool(word) for word in image], dtype=bool), False)
    kept = stays[distinct.codes]
    ends = np.concatenate([[0], np.cumsum(kept)])[np.asarray(parts.offsets.to_numpy())]
    told = pa.array(image, pa.string()).take(pa.array(distinct.codes[kept]))
    lists = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), told)
    short = pc.binary_join(lists, " ")
    return pc.if_else(pc.and_(pa.array(usual), pc.not_equal(short, "")), short, whole)


def given_names(values: pa.Array) -> list[pa.Array]:
    """``names.given_parts`` of every text: given name, middle names, suffix.

    >>> [part.to_pylist() for part in given_names(pa.array(["ANNE", "Mary Lou", "Sir"]))]
    [['anne', 'mary', ''], ['', 'lou', ''], ['', '', '']]
    """
    found, unusual = bytewise.translate(values, _LETTERS)
    rows = unusual | is_in(found, _SPECIAL)
    empty = _empty(len(values))
    return slow(values, rows, unwrap(names.given_parts), [found, empty, empty])


def surnames(values: pa.Array) -> list[pa.Array]:
    """``names.surname_parts`` of every text: surname, suffix.

    >>> [part.to_pylist() for part in surnames(pa.array(["SMITH", "O'Hare Jr."]))]
    [['smith', 'ohare'], ['', 'jr']]
    """
    found, unusual = bytewise.translate(values, _LETTERS)
    rows = unusual | is_in(found, _SPECIAL)
    return slow(values, rows, unwrap(names.surname_parts), [found, _empty(len(values))])


def full_names(values: pa.Array) -> list[pa.Array]:
    """``names.parse_full_name`` of every text: given name, middle names, surname, suffix.

    One to three plain words go the fast way.

    >>> [part.to_pylist() for part in full_names(pa.array(["Ada Lovelace", "Lovelace, Ada King"]))]
    [['ada', 'ada'], ['', 'king'], ['lovelace', 'lovelace'], ['', '']]
    """
    found, unusual = bytewise.translate(values, _NAMES)
    parts = pc.split_pattern(found, " ")
    flat, offsets = parts.flatten(), np.asarray(parts.offsets.to_numpy())
    sizes = np.diff(offsets)
    special = np.concatenate([[0], np.cumsum(is_in(flat, _SPECIAL))])[offsets]
    rows = unusual | (sizes > 3) | (np.diff(special) > 0)

    def word(place: npt.NDArray[np.int32], least: int) -> pa.Array:
        known = ~rows & (sizes >= least)
        return pc.fill_null(flat.take(pa.array(np.where(known, place, 0), mask=~known)), "")

    starts, ends = offsets[:-1], offsets[1:]
    middle = pc.if_else(pa.array(sizes == 3), word(starts + 1, 3), "")
    columns = [word(starts, 2), middle, word(ends - 1, 1), _empty(len(values))]

    def parse(value: str) -> Sequence[str]:
        name = unwrap(names.parse_full_name)(value)
        return name.given, name.middle, name.surname, name.suffix

    return slow(values, rows, parse, columns)


def _empty(size: int) -> pa.Array:
    return pa.repeat(pa.scalar("", pa.string()), size)
