"""Compiled levels of names of people."""

from __future__ import annotations

import numpy as np

from identity.kernels.compiling import inlined, pairwise
from identity.kernels.strings import (
    ROUNDING,
    edits,
    first_of,
    is_alike,
    jaro_winkler,
    length_of,
    may_be_alike,
    may_be_near,
    share,
    spare_of,
    start_of,
)

STRINGS = "969d451562fce508"


@inlined
def _given(text, packed, family, left, right):  # type: ignore[no-untyped-def]
    """Level of ``comparisons.GIVEN`` of two names, -1 where one is absent."""
    level = -1
    if left >= 0 and right >= 0:
        if left == right:
            level = 6
        else:
            one, two = packed[left, 1], packed[right, 1]
            rows, cols = length_of(one), length_of(two)
            a, b = start_of(one), start_of(two)
            same_first = first_of(one) == first_of(two)
            short = min(rows, cols)
            if (
                short >= 3
                and may_be_near(rows, cols, packed[left, 0], packed[right, 0], 1)
                and edits(text, a, a + rows, b, b + cols, 1) <= 1
            ):
                level = 5
            elif one & two & _FAMILY != 0 and share(family, left, right):
                level = 4
            elif short == 1:
                level = 3 if same_first else 0
            elif (
                may_be_alike(
                    rows, cols, packed[left, 0], packed[right, 0], spare_of(one, two), same_first, 0.84
                )
                and jaro_winkler(text, a, a + rows, b, b + cols) >= 0.84 - ROUNDING
            ):
                level = 2
            else:
                level = 1 if same_first else 0
    return level


@inlined
def _surname(text, packed, part, left, right):  # type: ignore[no-untyped-def]
    """Level of ``comparisons.SURNAME`` of two names not crossed with given names, -1 where one is absent."""
    level = -1
    if left >= 0 and right >= 0:
        if left == right:
            level = 7
        else:
            one, two = packed[left, 1], packed[right, 1]
            rows, cols = length_of(one), length_of(two)
            a, b = start_of(one), start_of(two)
            short = min(rows, cols)
            distance = 3
            if short >= 3 and may_be_near(rows, cols, packed[left, 0], packed[right, 0], 2):
                distance = edits(text, a, a + rows, b, b + cols, 2)
            if distance <= 1:
                level = 5
            elif (distance == 2 and short >= 6) or (
                may_be_alike(
                    rows,
                    cols,
                    packed[left, 0],
                    packed[right, 0],
                    spare_of(one, two),
                    first_of(one) == first_of(two),
                    0.9,
                )
                and jaro_winkler(text, a, a + rows, b, b + cols) >= 0.9 - ROUNDING
            ):
                level = 4
            elif (one | two) & _SEVERAL != 0 and share(part, left, right):
                level = 3
            else:
                level = 1 if packed[left, 2] != 0 and packed[left, 2] == packed[right, 2] else 0
    return level


@inlined
def _nearly_same(text, packed, left, right):  # type: ignore[no-untyped-def]
    """Whether two names are of level 5 or 6 of ``comparisons.GIVEN``: without it, nothing was swapped."""
    found = False
    if left >= 0 and right >= 0:
        one, two = packed[left, 1], packed[right, 1]
        rows, cols = length_of(one), length_of(two)
        found = left == right or (
            min(rows, cols) >= 3
            and may_be_near(rows, cols, packed[left, 0], packed[right, 0], 1)
            and edits(text, start_of(one), start_of(one) + rows, start_of(two), start_of(two) + cols, 1) <= 1
        )
    return found


_FAMILY, _SEVERAL = np.uint64(1 << 32), np.uint64(1 << 33)


@pairwise
def mark(packed, family, several):  # type: ignore[no-untyped-def]
    """Set the flags of names: that one belongs to families of names, that one has several words."""
    for value in range(len(packed)):
        if family[value, 0] != 0:
            packed[value, 1] |= _FAMILY
        if several[value]:
            packed[value, 1] |= _SEVERAL


@pairwise
def names(left, right, both, text, packed, family, part, first, last):  # type: ignore[no-untyped-def]
    """Fill the levels of given name and surname; names that differ as written are compared crosswise too.

    ``both``: given name and surname of each record. ``packed`` has a third word, the hash of the sound.
    """
    for i in range(len(left)):
        gl, gr, sl, sr = both[left[i], 0], both[right[i], 0], both[left[i], 1], both[right[i], 1]
        one = _given(text, packed, family, gl, gr)
        two = _surname(text, packed, part, sl, sr)
        first[i] = one
        last[i] = two
        if one == 6 or two == 7 or (one > 1 and two >= 0) or (two > 1 and one >= 0):
            continue
        if not (_nearly_same(text, packed, gl, sr) or _nearly_same(text, packed, gr, sl)):
            continue
        x = _given(text, packed, family, gl, sr)
        y = _given(text, packed, family, gr, sl)
        least, most = min(x, y), max(x, y)
        both_fit = least >= 2 and least != 3
        single = one <= 1 and two <= 1 and not both_fit
        lone = gl < 0 or sl < 0 or gr < 0 or sr < 0
        if both_fit or (single and lone):
            last[i] = 6
        elif single:
            last[i] = 2
        if both_fit:
            first[i] = most
        elif single:
            first[i] = -1


@pairwise
def middle_name(left, right, codes, text, packed, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.MIDDLE``."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = 4
        elif is_alike(text, packed, a, b, 0.9):
            out[i] = 3
        elif first_of(packed[a, 1]) != first_of(packed[b, 1]):
            out[i] = 0
        else:
            out[i] = 2 if min(length_of(packed[a, 1]), length_of(packed[b, 1])) == 1 else 1
