"""Compiled levels of single columns, and the sum of their weights."""

from __future__ import annotations

import numpy as np

from identity.kernels.compiling import pairwise
from identity.kernels.strings import end_of, is_alike, is_near, length_of

DECIDED, NAMES, OPEN = 0, 1, 2
STRINGS = "969d451562fce508"


@pairwise
def birth_date(left, right, codes, number, text, packed, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.BIRTH``; ``number``: the date as yyyymmdd, by value."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
            continue
        if a == b:
            out[i] = 7
            continue
        one, two = number[a], number[b]
        # Days on a calendar of 31-day months: near enough to compare, and defined for impossible dates.
        days = abs(
            (one // 10000 * 12 + one // 100 % 100) * 31
            + one % 100
            - (two // 10000 * 12 + two // 100 % 100) * 31
            - two % 100
        )
        year, month, day = (
            one // 10000 == two // 10000,
            one // 100 % 100 == two // 100 % 100,
            one % 100 == two % 100,
        )
        partial = min(one // 100 % 100, two // 100 % 100) == 0
        if year and one % 100 == two // 100 % 100 and two % 100 == one // 100 % 100:
            out[i] = 5
        elif is_near(text, packed, a, b, 1) or (month and day and (one - two) % 1_000_000 == 0):
            out[i] = 6
        elif days <= 31:
            out[i] = 4
        elif (year and (month or day or partial)) or (month and day):
            out[i] = 3
        elif days <= 372:
            out[i] = 2
        else:
            out[i] = 1 if days <= 3720 else 0


@pairwise
def email(left, right, codes, text, packed, local, length, rare, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.EMAIL``; see ``features.EmailFeatures``; ``rare``: whose domain few have."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
            continue
        if a == b:
            out[i] = 4
            continue
        # Two edits make "h.k@" of "f.j@": what is short must agree more closely.
        enough = min(length[a], length[b]) >= 5
        if is_near(text, packed, a, b, 2 if enough else 1):
            out[i] = 3
        elif local[a] != 0 and local[a] == local[b]:
            out[i] = 2
        else:
            out[i] = 1 if enough and rare[a] and rare[b] and is_near(text, packed, a, b, 5) else 0


@pairwise
def _same_tail(text, a_end, b_end, size):  # type: ignore[no-untyped-def]
    same = True
    for i in range(1, size + 1):
        same = same and text[a_end - i] == text[b_end - i]
    return same


@pairwise
def phone(left, right, codes, text, packed, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.PHONE``; a number without its area code counts as one digit off."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = 2
        else:
            short = min(length_of(packed[a, 1]), length_of(packed[b, 1]))
            close = short == 7 and _same_tail(text, end_of(packed[a, 1]), end_of(packed[b, 1]), 7)
            out[i] = 1 if close or is_near(text, packed, a, b, 1) else 0


@pairwise
def near(left, right, codes, text, packed, most, shortest, level, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``level`` where values of at least ``shortest`` signs are within ``most`` edits, ``exact`` if equal."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = exact
        else:
            short = min(length_of(packed[a, 1]), length_of(packed[b, 1]))
            out[i] = level if short >= shortest and is_near(text, packed, a, b, most) else 0


@pairwise
def alike(left, right, codes, text, packed, least, level, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``level`` where the Jaro–Winkler similarity is at least ``least``, ``exact`` where values are equal."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = exact
        else:
            out[i] = level if is_alike(text, packed, a, b, least) else 0


@pairwise
def same(left, right, codes, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``exact`` where values are equal, 0 where they differ."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        out[i] = -1 if a < 0 or b < 0 else (exact if a == b else 0)


@pairwise
def share_value(left, right, begin, value, exact, out):  # type: ignore[no-untyped-def]
    """Raise to ``exact`` where any value of one record is a value of the other (sorted within a record)."""
    for i in range(len(left)):
        if out[i] < 0 or out[i] == exact:
            continue
        a, a_end, b, b_end = begin[left[i]], begin[left[i] + 1], begin[right[i]], begin[right[i] + 1]
        while a < a_end and b < b_end:
            if value[a] == value[b]:
                out[i] = exact
                break
            if value[a] < value[b]:
                a += 1
            else:
                b += 1


@pairwise
def expect(  # type: ignore[no-untyped-def]
    left, right, codes, adjustment, first, bit, shared, exact, household, other, total, related, undecided
):
    """Add what equal and missing values decide, and the most that other values may give.

    One column of ``codes`` per comparison; ``adjustment``: those of all comparisons, from ``first`` on (-1: none).
    ``exact`` and ``household``: weights of equal values. Sets ``bit`` in ``undecided`` of each pair whose values
    differ.
    """
    for i in range(len(left)):
        a, b = left[i], right[i]
        sure, near, found = 0, 0, np.uint64(0)
        for k in range(codes.shape[1]):
            one, two = codes[a, k], codes[b, k]
            if one >= 0 and two >= 0:
                if one == two:
                    rarity = adjustment[first[k] + one] if first[k] >= 0 else 0
                    sure += exact[k] + rarity
                    near += household[k] + (rarity if shared[k] else 0)
                else:
                    sure += other[k]
                    found |= bit[k]
        total[i] += sure
        related[i] += near
        undecided[i] |= found


@pairwise
def expect_names(  # type: ignore[no-untyped-def]
    left,
    right,
    given,
    surname,
    adjustment,
    first,
    bit,
    shared,
    exact,
    household,
    other,
    total,
    related,
    undecided,
):
    """``expect`` for a given name and its surname: decided where each is equal or missing.

    Not where both are missing: one record may have the other's surname for a given name.
    """
    for i in range(len(left)):
        same = missing = sure = near = most = 0
        for k in range(2):
            codes = given if k == 0 else surname
            one, two = codes[left[i]], codes[right[i]]
            if one < 0 or two < 0:
                missing += 1
                most += other[k]
            elif one == two:
                same += 1
                rarity = adjustment[first[k] + one] if first[k] >= 0 else 0
                sure += exact[k] + rarity
                near += household[k] + (rarity if shared[k] else 0)
                most += exact[k] + rarity
            else:
                most += other[k]
        if same > 0 and same + missing == 2:
            total[i] += sure
            related[i] += near
        else:
            total[i] += most
            undecided[i] |= bit[0]


@pairwise
def open_pairs(undecided, bit, total, floor, left, right, place, one, two):  # type: ignore[no-untyped-def]
    """Number of the pairs that a step must look at; fills their ``place`` and their rows."""
    size = 0
    for i in range(len(undecided)):
        if undecided[i] & bit != 0 and total[i] >= floor:
            place[size], one[size], two[size] = i, left[i], right[i]
            size += 1
    return size


@pairwise
def settle(  # type: ignore[no-untyped-def]
    place,
    left,
    right,
    level,
    codes,
    adjustment,
    first,
    weights,
    household,
    shared,
    kind,
    exact,
    other,
    total,
    related,
):
    """Replace what was expected of a comparison (see ``expect``) by the weight of its level."""
    top = len(weights) - 1
    for i in range(len(place)):
        at = level[i]
        rarity = 0
        expected = other
        if at == top or kind == NAMES:
            a, b = codes[left[i]], codes[right[i]]
            if a >= 0 and a == b:
                rarity = adjustment[first + a] if first >= 0 else 0
                if kind == NAMES:
                    expected = exact + rarity
        total[place[i]] -= expected
        if at >= 0:
            gain = rarity if at == top else 0
            total[place[i]] += weights[at] + gain
            related[place[i]] += household[at] + (gain if shared else 0)
