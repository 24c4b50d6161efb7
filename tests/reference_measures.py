"""Levels of agreement in numpy and rapidfuzz, as plain as can be: what the compiled kernels are held to.

Measures: each maker takes a column and returns a function of two arrays of value codes. Measures are symmetric;
equal values never reach them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from identity.normalise.nicknames import families

Codes: TypeAlias = npt.NDArray[np.int32]
Levels: TypeAlias = npt.NDArray[np.int8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Texts: TypeAlias = npt.NDArray[np.object_]
Measure: TypeAlias = Callable[[Codes, Codes], Levels]


@dataclass(frozen=True)
class Coded:
    """Distinct values (object array) and the code of each record, -1 for none."""

    values: Texts
    codes: Codes


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
        level[jaro_winkler(a, b, 0.9) >= 0.9] = 4
        short, gap = np.minimum(length[left], length[right]), np.abs(length[left] - length[right])
        some = np.flatnonzero((short >= 6) & (gap <= 2))
        level[some[edits(a[some], b[some], 2) <= 2]] = 4
        few = np.flatnonzero((short >= 3) & (gap <= 1))
        level[few[edits(a[few], b[few], 1) <= 1]] = 5
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
    first, length = _initials(column.values), _lengths(column.values)

    def levels(left: Codes, right: Codes) -> Levels:
        same_first = np.asarray(first[left] == first[right])
        level: Levels = same_first.astype(np.int8)
        level[same_first & (np.minimum(length[left], length[right]) == 1)] = 2
        level[jaro_winkler(column.values[left], column.values[right], 0.9) >= 0.9] = 3
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
        partial = np.minimum(one // 100 % 100, two // 100 % 100) == 0
        level[year & (month | day | partial) | month & day] = 3
        level[days <= 31] = 4
        swapped = year & (one % 100 == two // 100 % 100) & (two % 100 == one // 100 % 100)
        level[
            (edits(column.values[left], column.values[right], 1) <= 1)
            | (month & day & ((one - two) % 1_000_000 == 0))
        ] = 6
        level[swapped] = 5
        return level

    return levels


_LOCAL_PART = 5


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
    own = np.fromiter((len(one) for one, _, _ in split), np.int16, len(split))

    def levels(left: Codes, right: Codes) -> Levels:
        level = np.zeros(len(left), dtype=np.int8)
        gap = np.abs(length[left] - length[right])
        # Two edits make "h.k@" of "f.j@": what is short must agree more closely.
        enough = np.minimum(own[left], own[right]) >= _LOCAL_PART
        loose = np.flatnonzero(rare[left] & rare[right] & (gap <= 5) & enough)
        level[loose] = edits(column.values[left[loose]], column.values[right[loose]], 5) <= 5
        level[(local[left] == local[right]) & (local[left] >= 0)] = 2
        for most, some in ((2, enough), (1, ~enough)):
            near = np.flatnonzero(some & (gap <= most))
            level[near[edits(column.values[left[near]], column.values[right[near]], most) <= most]] = 3
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
    """Levels of ``comparisons.COMPANY``.

    Words that many names hold count one, others three; at most eight words of a name are read, the rare and
    the long ones first.
    """
    values, length = column.values, _lengths(column.values)
    words, rare, mass, digits, joined, acronym = _name_words(values)

    def levels(left: Codes, right: Codes) -> Levels:
        shared, telling = _overlap(words, rare, left, right)
        least, most = np.minimum(mass[left], mass[right]), np.maximum(mass[left], mass[right])
        level = np.zeros(len(left), dtype=np.int8)
        level[(shared > 0) & (2 * shared >= least)] = 1
        level[telling & (2 * shared >= least)] = 3
        inside = (shared == least) & (shared > 0)
        level[inside & (telling | (2 * shared >= most))] = 4
        level[inside & (shared == most)] = 5
        level[(joined[left] == joined[right]) | _initials_of(acronym, joined, left, right)] = 5
        short = np.minimum(length[left], length[right])
        gap = np.abs(length[left] - length[right])
        for most_edits, least_length in ((1, 5), (2, 10), (3, 16)):
            near = np.flatnonzero((short >= least_length) & (gap <= most_edits) & (level < 5))
            level[near[edits(values[left[near]], values[right[near]], most_edits) <= most_edits]] = 5
        other = (digits[left, 0] >= 0) & (digits[right, 0] >= 0) & ~share_entry(digits[left], digits[right])
        level[other & (level >= 1)] = 2
        return level

    return levels


_WORDS, _DIGITS = 8, 3
_RARE_WEIGHT = 3


def _name_words(
    values: Texts,
) -> tuple[npt.NDArray[np.int32], Flags, npt.NDArray[np.int32], npt.NDArray[np.int32], Codes, Codes]:
    """Per name: its words, which of them are rare, their weight, its numbers, all as one word, its initials."""
    split = [value.split() for value in values]
    counts: dict[str, int] = {}
    for pieces in split:
        for word in set(pieces):
            counts[word] = counts.get(word, 0) + 1
    usual = max(5, len(values) // 200)
    number = {word: code for code, word in enumerate(sorted(counts))}
    words = np.full((len(values), _WORDS), -1, dtype=np.int32)
    rare = np.zeros((len(values), _WORDS), dtype=bool)
    digits = np.full((len(values), _DIGITS), -1, dtype=np.int32)
    whole: dict[str, int] = {}
    joined = np.fromiter((whole.setdefault("".join(p), len(whole)) for p in split), np.int32, len(split))
    initials = ["".join(word[0] for word in p) if len(p) >= 3 else "" for p in split]
    acronym = np.fromiter(
        (whole.get(text, -1) if len(text) >= 3 else -1 for text in initials), np.int32, len(split)
    )
    for place, pieces in enumerate(split):
        own = {word for word in pieces if not word.isdigit() and len(word) > 1}
        telling = sorted(own, key=lambda w: (counts[w] > usual, -len(w), w))[:_WORDS]
        for slot, word in enumerate(telling):
            words[place, slot], rare[place, slot] = number[word], counts[word] <= usual
        for slot, word in enumerate(sorted({word for word in pieces if word.isdigit()})[:_DIGITS]):
            digits[place, slot] = number[word]
    mass = np.where(words >= 0, np.where(rare, _RARE_WEIGHT, 1), 0).sum(axis=1).astype(np.int32)
    return words, rare, mass, digits, joined, acronym


def _overlap(
    words: npt.NDArray[np.int32], rare: Flags, left: Codes, right: Codes
) -> tuple[npt.NDArray[np.int32], Flags]:
    """Weight of the words in common, and whether a rare one is among them."""
    shared = np.zeros(len(left), dtype=np.int32)
    telling = np.zeros(len(left), dtype=bool)
    for i in range(_WORDS):
        word, weight = words[left, i], rare[left, i]
        hit = np.zeros(len(left), dtype=bool)
        for j in range(_WORDS):
            hit |= (word == words[right, j]) & (word >= 0)
        shared += np.where(hit, np.where(weight, _RARE_WEIGHT, 1), 0).astype(np.int32)
        telling |= hit & weight
    return shared, telling


def _initials_of(acronym: Codes, joined: Codes, left: Codes, right: Codes) -> Flags:
    one = (acronym[left] == joined[right]) & (acronym[left] >= 0)
    return np.asarray(one | ((acronym[right] == joined[left]) & (acronym[right] >= 0)))


def text(column: Coded) -> Measure:
    """Alike or not."""
    return lambda left, right: (jaro_winkler(column.values[left], column.values[right], 0.88) >= 0.88).astype(
        np.int8
    )


def place(column: Coded) -> Measure:
    """Alike or not, for cities."""
    return lambda left, right: (jaro_winkler(column.values[left], column.values[right], 0.9) >= 0.9).astype(
        np.int8
    )


_STREET_WORDS = 4


def street(column: Coded) -> Measure:
    """Alike or not, for streets: by spelling, or all words of one stand in the other."""
    numbers: dict[str, int] = {}
    words = np.full((len(column.values), _STREET_WORDS), -1, dtype=np.int32)
    for row, value in enumerate(column.values):
        own = sorted({w for w in value.split() if len(w) > 2 or w.isdigit()}, key=lambda w: (-len(w), w))
        for slot, word in enumerate(own[:_STREET_WORDS]):
            words[row, slot] = numbers.setdefault(word, len(numbers))
    size = (words >= 0).sum(axis=1)

    def levels(left: Codes, right: Codes) -> Levels:
        shared = np.zeros(len(left), dtype=np.int64)
        for i in range(_STREET_WORDS):
            for j in range(_STREET_WORDS):
                shared += (words[left, i] == words[right, j]) & (words[left, i] >= 0)
        least = np.minimum(size[left], size[right])
        alike = (least > 0) & (shared == least)
        alike |= jaro_winkler(column.values[left], column.values[right], 0.9) >= 0.9
        return np.asarray(alike, dtype=np.int8)

    return levels


def code(column: Coded) -> Measure:
    """One sign differs (postcodes)."""
    return lambda left, right: (edits(column.values[left], column.values[right], 1) <= 1).astype(np.int8)
