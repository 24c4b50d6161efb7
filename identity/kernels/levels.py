"""Compiled levels of single columns, and the sum of their weights."""

from __future__ import annotations

import numba

from identity.kernels.strings import end_of, is_alike, is_near, length_of

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
STRINGS = "b671fb9b5de1f219"


@_jit
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


@_jit
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


@_jit
def _same_tail(text, a_end, b_end, size):  # type: ignore[no-untyped-def]
    same = True
    for i in range(1, size + 1):
        same = same and text[a_end - i] == text[b_end - i]
    return same


@_jit
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


@_jit
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


@_jit
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


@_jit
def same(left, right, codes, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``exact`` where values are equal, 0 where they differ."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        out[i] = -1 if a < 0 or b < 0 else (exact if a == b else 0)


@_jit
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


@_jit
def expect(left, right, codes, adjustment, first, exact, other, absent, total):  # type: ignore[no-untyped-def]
    """Add the most that comparisons may give, as far as equal and missing values tell.

    ``codes``: one column per comparison; ``adjustment``: those of all comparisons, from ``first`` on (-1: none).
    """
    for i in range(len(left)):
        a, b = left[i], right[i]
        for k in range(codes.shape[1]):
            one, two = codes[a, k], codes[b, k]
            if one < 0 or two < 0:
                total[i] += absent[k]
            elif one == two:
                total[i] += exact[k] + (adjustment[first[k] + one] if first[k] >= 0 else 0)
            else:
                total[i] += other[k]


@_jit
def settle(  # type: ignore[no-untyped-def]
    left, right, level, codes, adjustment, weights, household, shared, exact, other, absent, total, related
):
    """Replace what was expected of a comparison (see ``expect``) by the weight of its level."""
    top = len(weights) - 1
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        same = a >= 0 and a == b
        rarity = adjustment[a] if same and len(adjustment) else 0
        if same:
            total[i] -= exact + rarity
        else:
            total[i] -= absent if a < 0 or b < 0 else other
        at = level[i]
        if at >= 0:
            gain = rarity if at == top else 0
            total[i] += weights[at] + gain
            related[i] += household[at] + (gain if shared else 0)
