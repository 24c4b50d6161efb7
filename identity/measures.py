"""Measures: levels of agreement of two different values of one column.

Each maker takes a column and returns a function of two arrays of value codes, with what it needs of each
value (lengths, numbers, initials) worked out once. Measures are symmetric; equal values never reach them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from identity.normalise.nicknames import families
from identity.records import Coded, Codes

Levels: TypeAlias = npt.NDArray[np.int8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Texts: TypeAlias = npt.NDArray[np.object_]
Measure: TypeAlias = Callable[[Codes, Codes], Levels]


def jaro_winkler(left: Texts, right: Texts, cutoff: float) -> npt.NDArray[np.float32]:
    """Jaro–Winkler similarity of paired texts (0 below ``cutoff``)."""
    found = process.cpdist(left, right, scorer=JaroWinkler.similarity, score_cutoff=cutoff, dtype=np.float32)
    return np.asarray(found, dtype=np.float32)


def edits(left: Texts, right: Texts, most: int) -> npt.NDArray[np.int32]:
    """Optimal string alignment distance of paired texts (``most`` + 1 above ``most``)."""
    found = process.cpdist(left, right, scorer=OSA.distance, score_cutoff=most, dtype=np.int32)
    return np.asarray(found, dtype=np.int32)


def _lengths(texts: Texts) -> npt.NDArray[np.int16]:
    return np.fromiter((len(t) for t in texts), np.int16, len(texts))


def _initials(texts: Texts) -> npt.NDArray[np.int32]:
    return np.fromiter((ord(t[0]) for t in texts), np.int32, len(texts))


def share_entry(left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]) -> Flags:
    """Whether two rows of small sets (-1 pads) have an entry in common."""
    shared = np.zeros(len(left), dtype=bool)
    one, two = np.flatnonzero(left[:, 0] >= 0), right
    here = one[two[one, 0] >= 0]
    if not len(here):
        return shared
    a, b = left[here], right[here]
    hit = np.zeros(len(here), dtype=bool)
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            hit |= (a[:, i] == b[:, j]) & (a[:, i] >= 0)
    shared[here] = hit
    return shared


def given_name(names: Coded) -> Measure:
    """Levels of ``comparisons.GIVEN``."""
    known = families()
    values, length, first = names.values, _lengths(names.values), _initials(names.values)
    family = np.full((len(values), max(map(len, known.values()))), -1, dtype=np.int32)
    for place, value in enumerate(values):
        own = known.get(value, ())
        family[place, : len(own)] = own

    def levels(left: Codes, right: Codes) -> Levels:
        short = np.minimum(length[left], length[right])
        level = np.zeros(len(left), dtype=np.int8)
        same_first = first[left] == first[right]
        whole = np.flatnonzero(short > 1)
        level[same_first & (short > 1)] = 1
        a, b = values[left[whole]], values[right[whole]]
        level[whole[jaro_winkler(a, b, 0.84) >= 0.84]] = 2
        level[same_first & (short == 1)] = 3
        level[share_entry(family[left], family[right])] = 4
        close = np.flatnonzero((short >= 3) & (np.abs(length[left] - length[right]) <= 1))
        level[close[edits(values[left[close]], values[right[close]], 1) <= 1]] = 5
        return level

    return levels


def surname(names: Coded, sound: Codes) -> Measure:
    """Levels of ``comparisons.SURNAME``.

    Those of swapped names are for the caller. ``sound``: code by value.
    """
    values, length = names.values, _lengths(names.values)
    part = _name_parts(values)

    def levels(left: Codes, right: Codes) -> Levels:
        a, b = values[left], values[right]
        level = np.zeros(len(left), dtype=np.int8)
        level[(sound[left] == sound[right]) & (sound[left] >= 0)] = 1
        level[share_entry(part[left], part[right])] = 3
        near = jaro_winkler(a, b, 0.9) >= 0.9
        level[near] = 4
        short, gap = np.minimum(length[left], length[right]), np.abs(length[left] - length[right])
        other = np.flatnonzero(~near & (short >= 4) & (gap <= 1))
        level[other[edits(a[other], b[other], 1) <= 1]] = 4
        return level

    return levels


def _name_parts(values: Texts) -> npt.NDArray[np.int32]:
    """The name written as one word, and its two longest words."""
    numbers: dict[str, int] = {}
    part = np.full((len(values), 3), -1, dtype=np.int32)
    for place, value in enumerate(values):
        pieces = value.split()
        part[place, 0] = numbers.setdefault("".join(pieces), len(numbers))
        if len(pieces) > 1:
            longest = sorted({p for p in pieces if len(p) > 2}, key=lambda p: (-len(p), p))[:2]
            for slot, piece in enumerate(longest, start=1):
                part[place, slot] = numbers.setdefault(piece, len(numbers))
    return part


def middle_name(column: Coded) -> Measure:
    """Levels of ``comparisons.MIDDLE``."""
    first = _initials(column.values)

    def levels(left: Codes, right: Codes) -> Levels:
        level: Levels = (first[left] == first[right]).astype(np.int8)
        level[jaro_winkler(column.values[left], column.values[right], 0.9) >= 0.9] = 1
        return level

    return levels


def equal_only(_: Coded) -> Measure:
    """Different values simply differ."""
    return lambda left, _right: np.zeros(len(left), dtype=np.int8)


def birth_date(column: Coded) -> Measure:
    """Levels of ``comparisons.BIRTH``."""
    number = np.fromiter((int(v) for v in column.values), np.int64, len(column.values))
    # Days on a calendar of 31-day months: near enough to compare, and defined for impossible dates.
    day_number = (number // 10000 * 12 + number // 100 % 100) * 31 + number % 100

    def levels(left: Codes, right: Codes) -> Levels:
        one, two = number[left], number[right]
        days = np.abs(day_number[left] - day_number[right])
        year, month, day = (
            one // 10000 == two // 10000,
            one // 100 % 100 == two // 100 % 100,
            one % 100 == two % 100,
        )
        level = np.zeros(len(left), dtype=np.int8)
        level[days <= 3720] = 1
        level[days <= 372] = 2
        level[year & (month | day) | month & day] = 3
        level[days <= 31] = 4
        swapped = year & (one % 100 == two // 100 % 100) & (two % 100 == one // 100 % 100)
        level[
            (edits(column.values[left], column.values[right], 1) <= 1)
            | (month & day & ((one - two) % 1_000_000 == 0))
        ] = 6
        level[swapped] = 5
        return level

    return levels


def email(column: Coded) -> Measure:
    """Levels of ``comparisons.EMAIL``. A loose likeness counts only outside the large providers."""
    numbers: dict[str, int] = {}
    split = [value.rpartition("@") for value in column.values]
    local = np.fromiter(
        (numbers.setdefault(one, len(numbers)) if len(one) >= 4 else -1 for one, _, _ in split),
        np.int32,
        len(split),
    )
    domains: dict[str, int] = {}
    domain = np.fromiter((domains.setdefault(two, len(domains)) for _, _, two in split), np.int32, len(split))
    rare = (
        (np.bincount(domain, minlength=1) <= max(20, len(split) // 200))[domain]
        if split
        else np.empty(0, bool)
    )
    length = _lengths(column.values)

    def levels(left: Codes, right: Codes) -> Levels:
        level = np.zeros(len(left), dtype=np.int8)
        gap = np.abs(length[left] - length[right])
        loose = np.flatnonzero(rare[left] & rare[right] & (gap <= 5))
        level[loose] = edits(column.values[left[loose]], column.values[right[loose]], 5) <= 5
        level[(local[left] == local[right]) & (local[left] >= 0)] = 2
        near = np.flatnonzero(gap <= 2)
        level[near[edits(column.values[left[near]], column.values[right[near]], 2) <= 2]] = 3
        return level

    return levels


def phone(column: Coded) -> Measure:
    """Levels of ``comparisons.PHONE``; a number without its area code counts as one digit off."""
    tails: dict[str, int] = {}
    tail = np.fromiter(
        (tails.setdefault(v[-7:], len(tails)) for v in column.values), np.int32, len(column.values)
    )
    length = _lengths(column.values)

    def levels(left: Codes, right: Codes) -> Levels:
        level = np.zeros(len(left), dtype=np.int8)
        near = np.flatnonzero(np.abs(length[left] - length[right]) <= 1)
        level[near] = edits(column.values[left[near]], column.values[right[near]], 1) <= 1
        level[(np.minimum(length[left], length[right]) == 7) & (tail[left] == tail[right])] = 1
        return level

    return levels


def identifier(column: Coded) -> Measure:
    """One sign differs, in identifiers of five signs or more."""
    length = _lengths(column.values)

    def levels(left: Codes, right: Codes) -> Levels:
        level = np.zeros(len(left), dtype=np.int8)
        short, gap = np.minimum(length[left], length[right]), np.abs(length[left] - length[right])
        near = np.flatnonzero((short >= 5) & (gap <= 1))
        level[near] = edits(column.values[left[near]], column.values[right[near]], 1) <= 1
        return level

    return levels


def company(column: Coded) -> Measure:
    """Levels of ``comparisons.COMPANY``: words in common, then spelling."""
    bags = [frozenset(w for w in value.split() if len(w) > 2) for value in column.values]

    def levels(left: Codes, right: Codes) -> Levels:
        common = np.fromiter(
            (
                len(bags[i] & bags[j]) / max(1, min(len(bags[i]), len(bags[j])))
                for i, j in zip(left, right, strict=True)
            ),
            np.float64,
            len(left),
        )
        score = jaro_winkler(column.values[left], column.values[right], 0.75)
        level = (common >= 0.5).astype(np.int8)
        level[(score >= 0.9) | ((common >= 0.99) & (score > 0))] = 2
        return level

    return levels


def text(column: Coded) -> Measure:
    """Alike or not."""
    return lambda left, right: (jaro_winkler(column.values[left], column.values[right], 0.88) >= 0.88).astype(
        np.int8
    )


def place(column: Coded) -> Measure:
    """Alike or not, for streets and cities."""
    return lambda left, right: (jaro_winkler(column.values[left], column.values[right], 0.9) >= 0.9).astype(
        np.int8
    )


def code(column: Coded) -> Measure:
    """One sign differs (postcodes)."""
    return lambda left, right: (edits(column.values[left], column.values[right], 1) <= 1).astype(np.int8)
