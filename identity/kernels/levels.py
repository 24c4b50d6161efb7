"""Compiled measures of agreement between values: edit distance, Jaro–Winkler, and what is built on them.

Texts are UTF-16 code units in one flat buffer; value v is ``text[start[v]:start[v + 1]]``. ``signature`` holds
64 bits per value: which letters and digits it has once and twice; it rejects most pairs before a distance is
counted (a lower bound on edits, an upper bound on matching letters) and never changes a result.

Every kernel here calls only kernels of this file: numba's cache does not see changes in another file.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
_WORD = 64


@_jit
def _popcount(bits):  # type: ignore[no-untyped-def]
    """Bits set in a 64-bit word (Hamming weight, Warren, Hacker's Delight 5-1)."""
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@_jit
def signatures(text, start, bits, over):  # type: ignore[no-untyped-def]
    """Fill ``bits`` (per value: letter seen once, seen twice) and ``over`` (letters that found no free bit)."""
    for value in range(len(start) - 1):
        word = np.uint64(0)
        spare = 0
        for place in range(start[value], start[value + 1]):
            slot = np.uint64(text[place] % 31)
            one = np.uint64(1) << (np.uint64(2) * slot)
            two = one << np.uint64(1)
            if word & one == 0:
                word |= one
            elif word & two == 0:
                word |= two
            else:
                spare += 1
        bits[value] = word
        over[value] = min(spare, 255)


@_jit
def _edits(text, a, a_end, b, b_end, most):  # type: ignore[no-untyped-def]
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


@_jit
def _banded(text, a, rows, b, cols, most):  # type: ignore[no-untyped-def]
    """Dynamic programme over the diagonals within ``most`` of the main one."""
    width = 2 * most + 1
    two = np.full(width + 2, most + 1, np.int64)
    one = np.full(width + 2, most + 1, np.int64)
    now = np.full(width + 2, most + 1, np.int64)
    for k in range(width):  # cell k of row i is column j = i + k - most; shifted by one for a border
        j = k - most
        if 0 <= j <= cols:
            one[k + 1] = min(j, most + 1)
    for i in range(1, rows + 1):
        least = most + 1
        now[:] = most + 1
        for k in range(width):
            j = i + k - most
            if j < 0 or j > cols:
                continue
            if j == 0:
                best = i
            else:
                same = text[a + i - 1] == text[b + j - 1]
                best = one[k + 1] + (0 if same else 1)
                best = min(best, one[k + 2] + 1, now[k] + 1)
                if (
                    i > 1
                    and j > 1
                    and text[a + i - 1] == text[b + j - 2]
                    and text[a + i - 2] == text[b + j - 1]
                ):
                    best = min(best, two[k + 1] + 1)
            now[k + 1] = min(best, most + 1)
            least = min(least, now[k + 1])
        if least > most:
            return most + 1
        two, one, now = one, now, two
    return min(one[cols - rows + most + 1], most + 1)


@_jit
def _near(text, start, bits, left, right, most):  # type: ignore[no-untyped-def]
    """Whether two values are at most ``most`` edits apart."""
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    if abs((a_end - a) - (b_end - b)) > most or _popcount(bits[left] ^ bits[right]) > 2 * most:
        return False
    return _edits(text, a, a_end, b, b_end, most) <= most


@_jit
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


@_jit
def _jaro_winkler(text, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Jaro–Winkler similarity (Winkler 1990): weight .1 for up to 4 letters of a common beginning, from .7."""
    if not _first_smaller(text, a, a_end, b, b_end):
        a, a_end, b, b_end = b, b_end, a, a_end
    rows, cols = a_end - a, b_end - b
    if rows == 0:
        return 0.0
    reach = max(cols // 2 - 1, 0)
    used_a = np.zeros(rows, np.bool_)
    used_b = np.zeros(cols, np.bool_)
    matches = 0
    for i in range(rows):
        for j in range(max(0, i - reach), min(cols, i + reach + 1)):
            if not used_b[j] and text[a + i] == text[b + j]:
                used_a[i] = True
                used_b[j] = True
                matches += 1
                break
    if matches == 0:
        return 0.0
    swapped, j = 0, 0
    for i in range(rows):
        if used_a[i]:
            while not used_b[j]:
                j += 1
            if text[a + i] != text[b + j]:
                swapped += 1
            j += 1
    similarity = _jaro(matches, swapped // 2, rows, cols)
    prefix = 0
    while prefix < min(4, rows) and text[a + prefix] == text[b + prefix]:
        prefix += 1
    return similarity + prefix * 0.1 * (1.0 - similarity) if similarity > 0.7 else similarity


@_jit
def _jaro(matches, swapped, rows, cols):  # type: ignore[no-untyped-def]
    return (matches / rows + matches / cols + (matches - swapped) / matches) / 3.0


@_jit
def _alike(text, start, bits, over, left, right, least):  # type: ignore[no-untyped-def]
    """Whether the Jaro–Winkler similarity of two values is at least ``least``."""
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    rows, cols = a_end - a, b_end - b
    matches = min(_popcount(bits[left] & bits[right]) + min(over[left], over[right]), rows, cols)
    if matches == 0:
        return False
    bound = _jaro(matches, 0, rows, cols)
    prefix = 0
    while prefix < min(4, rows, cols) and text[a + prefix] == text[b + prefix]:
        prefix += 1
    if bound + prefix * 0.1 * (1.0 - bound) < least - 1e-9:
        return False
    return _jaro_winkler(text, a, a_end, b, b_end) >= least


@_jit
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


@_jit
def _share(table, left, right):  # type: ignore[no-untyped-def]
    """Whether two rows of small sets (0 pads) have an entry in common."""
    for i in range(table.shape[1]):
        if table[left, i] == 0:
            return False
        for j in range(table.shape[1]):
            if table[right, j] == 0:
                break
            if table[left, i] == table[right, j]:
                return True
    return False


@_jit
def _given(text, start, bits, over, family, left, right):  # type: ignore[no-untyped-def]
    """Level of ``comparisons.GIVEN`` of two different names."""
    short = min(start[left + 1] - start[left], start[right + 1] - start[right])
    if short >= 3 and _near(text, start, bits, left, right, 1):
        return 5
    if _share(family, left, right):
        return 4
    same_first = text[start[left]] == text[start[right]]
    if short == 1:
        return 3 if same_first else 0
    if _alike(text, start, bits, over, left, right, 0.84):
        return 2
    return 1 if same_first else 0


@_jit
def _surname(text, start, bits, over, part, sound, left, right):  # type: ignore[no-untyped-def]
    """Level of ``comparisons.SURNAME`` of two different names, not crossed with given names."""
    short = min(start[left + 1] - start[left], start[right + 1] - start[right])
    if (short >= 4 and _near(text, start, bits, left, right, 1)) or _alike(
        text, start, bits, over, left, right, 0.9
    ):
        return 4
    if _share(part, left, right):
        return 3
    return 1 if sound[left] != 0 and sound[left] == sound[right] else 0


@_jit
def _level_given(text, start, bits, over, family, left, right):  # type: ignore[no-untyped-def]
    if left < 0 or right < 0:
        return -1
    return 6 if left == right else _given(text, start, bits, over, family, left, right)


@_jit
def names(  # type: ignore[no-untyped-def]
    left, right, given, surname, text, start, bits, over, family, part, sound, first, last
):
    """Fill the levels of given name and surname; names that differ as written are compared crosswise too."""
    for i in range(len(left)):
        gl, gr, sl, sr = given[left[i]], given[right[i]], surname[left[i]], surname[right[i]]
        one = _level_given(text, start, bits, over, family, gl, gr)
        two = -1
        if sl >= 0 and sr >= 0:
            two = 6 if sl == sr else _surname(text, start, bits, over, part, sound, sl, sr)
        crossed = ((one <= 1 and two <= 1) or one < 0 or two < 0) and one != 6 and two != 6
        if crossed and ((gl >= 0 and sr >= 0) or (sl >= 0 and gr >= 0)):
            x = _level_given(text, start, bits, over, family, gl, sr)
            y = _level_given(text, start, bits, over, family, gr, sl)
            least, most = min(x, y), max(x, y)
            both = least >= 2 and most >= 5 and least != 3
            single = most >= 5 and one <= 1 and two <= 1 and not both
            lone = gl < 0 or sl < 0 or gr < 0 or sr < 0
            if both or (single and lone):
                two = 5
            elif single:
                two = 2
            if both:
                one = most
            elif single:
                one = -1
        first[i] = one
        last[i] = two


@_jit
def birth_date(left, right, codes, number, text, start, bits, out):  # type: ignore[no-untyped-def]
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
        if year and one % 100 == two // 100 % 100 and two % 100 == one // 100 % 100:
            out[i] = 5
        elif _near(text, start, bits, a, b, 1) or (month and day and (one - two) % 1_000_000 == 0):
            out[i] = 6
        elif days <= 31:
            out[i] = 4
        elif (year and (month or day)) or (month and day):
            out[i] = 3
        elif days <= 372:
            out[i] = 2
        else:
            out[i] = 1 if days <= 3720 else 0


@_jit
def email(left, right, codes, text, start, bits, local, rare, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.EMAIL``; ``local``: hash of the name part (0: too short), ``rare``: domain."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = 4
        elif _near(text, start, bits, a, b, 2):
            out[i] = 3
        elif local[a] != 0 and local[a] == local[b]:
            out[i] = 2
        else:
            out[i] = 1 if rare[a] and rare[b] and _near(text, start, bits, a, b, 5) else 0


@_jit
def _same_tail(text, a_end, b_end, size):  # type: ignore[no-untyped-def]
    for i in range(1, size + 1):
        if text[a_end - i] != text[b_end - i]:
            return False
    return True


@_jit
def phone(left, right, codes, text, start, bits, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.PHONE``; a number without its area code counts as one digit off."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = 2
        else:
            short = min(start[a + 1] - start[a], start[b + 1] - start[b])
            close = short == 7 and _same_tail(text, start[a + 1], start[b + 1], 7)
            out[i] = 1 if close or _near(text, start, bits, a, b, 1) else 0


@_jit
def near(left, right, codes, text, start, bits, most, shortest, level, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``level`` where values of at least ``shortest`` signs are within ``most`` edits, ``exact`` if equal."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = exact
        else:
            short = min(start[a + 1] - start[a], start[b + 1] - start[b])
            out[i] = level if short >= shortest and _near(text, start, bits, a, b, most) else 0


@_jit
def alike(left, right, codes, text, start, bits, over, least, level, exact, out):  # type: ignore[no-untyped-def]
    """Fill ``level`` where the Jaro–Winkler similarity is at least ``least``, ``exact`` where values are equal."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = exact
        else:
            out[i] = level if _alike(text, start, bits, over, a, b, least) else 0


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
def _same_area(text, start, left, right):  # type: ignore[no-untyped-def]
    """Whether two postcodes are alike in all but the last three signs, at least two."""
    one, two = max(2, start[left + 1] - start[left] - 3), max(2, start[right + 1] - start[right] - 3)
    one, two = min(one, start[left + 1] - start[left]), min(two, start[right + 1] - start[right])
    if one != two:
        return False
    for i in range(one):
        if text[start[left] + i] != text[start[right] + i]:
            return False
    return True


@_jit
def address(  # type: ignore[no-untyped-def]
    left,
    right,
    region,
    postcode,
    city,
    street,
    number,
    code_text,
    code_start,
    code_bits,
    city_text,
    city_start,
    city_bits,
    city_over,
    street_text,
    street_start,
    street_bits,
    street_over,
    out,
):
    """Fill the levels of ``comparisons.ADDRESS``: one comparison over all columns of an address."""
    for i in range(len(left)):
        a, b = left[i], right[i]
        known = False
        level = 1 if region[a] >= 0 and region[a] == region[b] else 0
        near_code = False
        same_code = False
        if postcode[a] >= 0 and postcode[b] >= 0:
            known = True
            same_code = postcode[a] == postcode[b]
            near_code = same_code or _near(code_text, code_start, code_bits, postcode[a], postcode[b], 1)
            if _same_area(code_text, code_start, postcode[a], postcode[b]):
                level = 2
        same_city = False
        if city[a] >= 0 and city[b] >= 0:
            known = True
            same_city = city[a] == city[b] or _alike(
                city_text, city_start, city_bits, city_over, city[a], city[b], 0.9
            )
            if same_city:
                level = 3
        if near_code:
            level = 5 if same_code else 4
        if street[a] >= 0 and street[b] >= 0:
            known = True
            if street[a] == street[b] or _alike(
                street_text, street_start, street_bits, street_over, street[a], street[b], 0.9
            ):
                here = same_city or near_code
                if here:
                    level = 6
                if number[a] >= 0 and number[a] == number[b]:
                    level = 8 if here else 7
        out[i] = level if known else -1
