"""Compiled measures of texts: edit distance and Jaro–Winkler similarity of packed values.

Texts are UTF-16 code units in one flat buffer. ``packed`` holds two words per value. The first is a signature:
which letters and digits it has once and twice; it rejects most pairs before a distance is counted (a lower bound
on edits, an upper bound on matching letters) and never changes a result. The second holds, from the lowest bit:
16 bits of the first unit, 4 of the letters that found no room in the signature (15: many), 12 of the length, 2 of
flags (see ``features.NameFeatures``), and the rest where the text starts. Together they fill one line of a cache,
which is what a comparison costs.

What takes many arrays is inlined: a call counts references of every array that it is given, dearer than most
measures. Files that use these kernels name the hash of this one (``STRINGS``), because numba's cache does not see
changes in another file.
"""

from __future__ import annotations

import numpy as np

from identity.kernels.compiling import inlined, pairwise

LONGEST = 4095
"""Units of a text that are compared."""
_WORD = 64
ROUNDING = 1e-7  # a similarity of .9 may come out as .8999999999999999


@pairwise
def _popcount(bits):  # type: ignore[no-untyped-def]
    """Bits set in a 64-bit word (Hamming weight, Warren, Hacker's Delight 5-1)."""
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@pairwise
def first_of(word):  # type: ignore[no-untyped-def]
    """The first unit of a packed text."""
    return word & np.uint64(0xFFFF)


@pairwise
def spare_of(one, two):  # type: ignore[no-untyped-def]
    """Letters that two texts may have in common beyond what their signatures tell."""
    a, b = np.int64((one >> np.uint64(16)) & np.uint64(15)), np.int64((two >> np.uint64(16)) & np.uint64(15))
    least = min(a, b)
    return least if least < 15 else LONGEST


@pairwise
def length_of(word):  # type: ignore[no-untyped-def]
    """The length of a packed text."""
    return np.int64((word >> np.uint64(20)) & np.uint64(0xFFF))


@pairwise
def start_of(word):  # type: ignore[no-untyped-def]
    """Where a packed text starts."""
    return np.int64(word >> np.uint64(34))


@pairwise
def end_of(word):  # type: ignore[no-untyped-def]
    """Where a packed text ends."""
    return start_of(word) + length_of(word)


@pairwise
def pack(text, start, packed):  # type: ignore[no-untyped-def]
    """Fill ``packed`` for the values ``text[start[v]:start[v + 1]]``."""
    for value in range(len(start) - 1):
        word = np.uint64(0)
        spare = 0
        size = min(start[value + 1] - start[value], LONGEST)
        for place in range(start[value], start[value] + size):
            slot = np.uint64(text[place] % 31)
            one = np.uint64(1) << (np.uint64(2) * slot)
            two = one << np.uint64(1)
            if word & one == 0:
                word |= one
            elif word & two == 0:
                word |= two
            else:
                spare += 1
        packed[value, 0] = word
        first = np.uint64(text[start[value]]) if size else np.uint64(0)
        packed[value, 1] = (
            first
            | (np.uint64(min(spare, 15)) << np.uint64(16))
            | (np.uint64(size) << np.uint64(20))
            | (np.uint64(start[value]) << np.uint64(34))
        )


@pairwise
def edits(text, a, a_end, b, b_end, most):  # type: ignore[no-untyped-def]
    """Optimal string alignment distance, or ``most`` + 1 where it is larger (``most`` up to 5)."""
    if abs((a_end - a) - (b_end - b)) > most:
        return most + 1
    while a < a_end and b < b_end and text[a] == text[b]:
        a += 1
        b += 1
    while a < a_end and b < b_end and text[a_end - 1] == text[b_end - 1]:
        a_end -= 1
        b_end -= 1
    rows, cols = a_end - a, b_end - b
    if rows == 0 or cols == 0:
        return min(rows + cols, most + 1)
    if most == 1:
        if rows == 1 and cols == 1:
            return 1
        crossed = rows == 2 and cols == 2 and text[a] == text[b + 1] and text[a + 1] == text[b]
        return 1 if crossed else 2
    return _banded(text, a, rows, b, cols, most)


@pairwise
def _cell(row, place):  # type: ignore[no-untyped-def]
    return np.int64((row >> np.uint64(4 * place)) & np.uint64(15))


@pairwise
def _banded(text, a, rows, b, cols, most):  # type: ignore[no-untyped-def]
    """Dynamic programme over the diagonals within ``most`` of the main one.

    A row is one word of cells of four bits: none is over ``most`` + 1. Cell k + 1 of row i is column
    j = i + k - most; the cells at both ends are a border that is never better.
    """
    width = 2 * most + 1
    border = np.uint64(0)
    for k in range(width + 2):
        border |= np.uint64(most + 1) << np.uint64(4 * k)
    two, one = border, border
    for k in range(most, min(width, cols + most + 1)):
        one &= ~(np.uint64(15) << np.uint64(4 * (k + 1)))
        one |= np.uint64(min(k - most, most + 1)) << np.uint64(4 * (k + 1))
    for i in range(1, rows + 1):
        now, least, before = border, most + 1, most + 1
        for k in range(max(0, most - i), min(width, cols + most - i + 1)):
            j = i + k - most
            if j == 0:
                best = i
            else:
                best = _cell(one, k + 1) + (0 if text[a + i - 1] == text[b + j - 1] else 1)
                best = min(best, _cell(one, k + 2) + 1, before + 1)
                if (
                    i > 1
                    and j > 1
                    and text[a + i - 1] == text[b + j - 2]
                    and text[a + i - 2] == text[b + j - 1]
                ):
                    best = min(best, _cell(two, k + 1) + 1)
            before = min(best, most + 1)
            least = min(least, before)
            now &= ~(np.uint64(15) << np.uint64(4 * (k + 1)))
            now |= np.uint64(before) << np.uint64(4 * (k + 1))
        if least > most:
            return most + 1
        two, one = one, now
    return min(_cell(one, cols - rows + most + 1), most + 1)


@pairwise
def may_be_near(rows, cols, one, two, most):  # type: ignore[no-untyped-def]
    """Whether lengths and signatures of two texts allow ``most`` edits (each changes at most two bits)."""
    return abs(rows - cols) <= most and _popcount(one ^ two) <= 2 * most


@inlined
def is_near(text, packed, left, right, most):  # type: ignore[no-untyped-def]
    """Whether two values are at most ``most`` edits apart."""
    one, two = packed[left, 1], packed[right, 1]
    rows, cols = length_of(one), length_of(two)
    found = False
    if may_be_near(rows, cols, packed[left, 0], packed[right, 0], most):
        a, b = start_of(one), start_of(two)
        found = edits(text, a, a + rows, b, b + cols, most) <= most
    return found


@pairwise
def _first_smaller(text, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Whether the first text is the shorter or, of one length, the smaller one: a fixed order of the two."""
    if a_end - a != b_end - b:
        return a_end - a < b_end - b
    while a < a_end:
        if text[a] != text[b]:
            return text[a] < text[b]
        a += 1
        b += 1
    return True


@pairwise
def _matching(text, a, rows, b, cols):  # type: ignore[no-untyped-def]
    """Matching letters of two texts of at most 64 units, and how many of them stand in another order."""
    reach = max(cols // 2 - 1, 0)
    one = np.uint64(1)
    used_a, used_b = np.uint64(0), np.uint64(0)
    matches = 0
    for i in range(rows):
        unit = text[a + i]
        for j in range(max(0, i - reach), min(cols, i + reach + 1)):
            bit = one << np.uint64(j)
            if used_b & bit == 0 and unit == text[b + j]:
                used_a |= one << np.uint64(i)
                used_b |= bit
                matches += 1
                break
    swapped, j = 0, 0
    for i in range(rows):
        if used_a & (one << np.uint64(i)) != 0:
            while used_b & (one << np.uint64(j)) == 0:
                j += 1
            if text[a + i] != text[b + j]:
                swapped += 1
            j += 1
    return matches, swapped


@pairwise
def jaro_winkler(text, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Jaro–Winkler similarity (Winkler 1990): weight .1 for up to 4 letters of a common beginning, from .7.

    Of long texts the first 64 units are compared.
    """
    a_end, b_end = min(a_end, a + _WORD), min(b_end, b + _WORD)
    if not _first_smaller(text, a, a_end, b, b_end):
        a, a_end, b, b_end = b, b_end, a, a_end
    rows, cols = a_end - a, b_end - b
    if rows == 0:
        return 0.0
    matches, swapped = _matching(text, a, rows, b, cols)
    if matches == 0:
        return 0.0
    similarity = _jaro(matches, swapped // 2, rows, cols)
    prefix = 0
    while prefix < min(4, rows) and text[a + prefix] == text[b + prefix]:
        prefix += 1
    return similarity + prefix * 0.1 * (1.0 - similarity) if similarity > 0.7 else similarity


@pairwise
def _jaro(matches, swapped, rows, cols):  # type: ignore[no-untyped-def]
    return (matches / rows + matches / cols + (matches - swapped) / matches) / 3.0


@pairwise
def may_be_alike(rows, cols, one, two, spare, same_first, least):  # type: ignore[no-untyped-def]
    """Whether lengths, signatures and first letters of two texts allow a Jaro–Winkler similarity."""
    rows, cols = min(rows, _WORD), min(cols, _WORD)
    matches = min(_popcount(one & two) + spare, rows, cols)
    if matches == 0:
        return False
    bound = _jaro(matches, 0, rows, cols)
    if same_first:
        bound += min(4, rows, cols) * 0.1 * (1.0 - bound)
    return bound >= least - ROUNDING


@inlined
def is_alike(text, packed, left, right, least):  # type: ignore[no-untyped-def]
    """Whether the Jaro–Winkler similarity of two values is at least ``least``."""
    one, two = packed[left, 1], packed[right, 1]
    rows, cols = length_of(one), length_of(two)
    same_first = first_of(one) == first_of(two)
    found = False
    if may_be_alike(rows, cols, packed[left, 0], packed[right, 0], spare_of(one, two), same_first, least):
        a, b = start_of(one), start_of(two)
        found = jaro_winkler(text, a, a + rows, b, b + cols) >= least - ROUNDING
    return found


@pairwise
def to_utf16(data, offsets, text, start):  # type: ignore[no-untyped-def]
    """Decode UTF-8 values into ``text`` (as long as ``data``) and ``start``; returns the units written."""
    at = np.int64(0)
    for value in range(len(offsets) - 1):
        start[value] = at
        place = offsets[value]
        while place < offsets[value + 1]:
            byte = np.uint32(data[place])
            if byte < 0x80:
                code, size = byte, 1
            elif byte < 0xE0:
                code, size = ((byte & 0x1F) << 6) | (data[place + 1] & 0x3F), 2
            elif byte < 0xF0:
                code = ((byte & 0x0F) << 12) | ((data[place + 1] & 0x3F) << 6) | (data[place + 2] & 0x3F)
                size = 3
            else:
                # Outside the basic plane: one unit of the low bits is enough to compare by.
                code, size = ((data[place + 2] & 0x3F) << 6) | (data[place + 3] & 0x3F) | 0xD800, 4
            text[at] = code
            at += 1
            place += size
    start[len(offsets) - 1] = at
    return at


@inlined
def share(table, left, right):  # type: ignore[no-untyped-def]
    """Whether two rows of small sets (0 pads) have an entry in common."""
    found = False
    for i in range(table.shape[1]):
        if found or table[left, i] == 0:
            break
        for j in range(table.shape[1]):
            if table[right, j] == 0:
                break
            if table[left, i] == table[right, j]:
                found = True
                break
    return found
