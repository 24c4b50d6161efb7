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
_ROUNDING = 1e-7  # a similarity of .9 may come out as .8999999999999999


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
def _may_be_near(rows, cols, one, two, most):  # type: ignore[no-untyped-def]
    """Whether lengths and signatures of two texts allow ``most`` edits (each changes at most two bits)."""
    return abs(rows - cols) <= most and _popcount(one ^ two) <= 2 * most


@_jit
def _near(text, start, bits, left, right, most):  # type: ignore[no-untyped-def]
    """Whether two values are at most ``most`` edits apart."""
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    if not _may_be_near(a_end - a, b_end - b, bits[left], bits[right], most):
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


@_jit
def _matching_long(text, a, rows, b, cols):  # type: ignore[no-untyped-def]
    """``_matching`` for texts of any length."""
    reach = max(cols // 2 - 1, 0)
    used_a, used_b = np.zeros(rows, np.bool_), np.zeros(cols, np.bool_)
    matches = 0
    for i in range(rows):
        for j in range(max(0, i - reach), min(cols, i + reach + 1)):
            if not used_b[j] and text[a + i] == text[b + j]:
                used_a[i] = True
                used_b[j] = True
                matches += 1
                break
    swapped, j = 0, 0
    for i in range(rows):
        if used_a[i]:
            while not used_b[j]:
                j += 1
            if text[a + i] != text[b + j]:
                swapped += 1
            j += 1
    return matches, swapped


@_jit
def _jaro_winkler(text, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Jaro–Winkler similarity (Winkler 1990): weight .1 for up to 4 letters of a common beginning, from .7."""
    if not _first_smaller(text, a, a_end, b, b_end):
        a, a_end, b, b_end = b, b_end, a, a_end
    rows, cols = a_end - a, b_end - b
    if rows == 0:
        return 0.0
    if cols <= 64:
        matches, swapped = _matching(text, a, rows, b, cols)
    else:
        matches, swapped = _matching_long(text, a, rows, b, cols)
    if matches == 0:
        return 0.0
    similarity = _jaro(matches, swapped // 2, rows, cols)
    prefix = 0
    while prefix < min(4, rows) and text[a + prefix] == text[b + prefix]:
        prefix += 1
    return similarity + prefix * 0.1 * (1.0 - similarity) if similarity > 0.7 else similarity


@_jit
def _jaro(matches, swapped, rows, cols):  # type: ignore[no-untyped-def]
    return (matches / rows + matches / cols + (matches - swapped) / matches) / 3.0


@_jit
def _may_be_alike(rows, cols, one, two, spare, same_first, least):  # type: ignore[no-untyped-def]
    """Whether lengths, signatures and first letters of two texts allow a Jaro–Winkler similarity."""
    matches = min(_popcount(one & two) + spare, rows, cols)
    if matches == 0:
        return False
    bound = _jaro(matches, 0, rows, cols)
    if same_first:
        bound += min(4, rows, cols) * 0.1 * (1.0 - bound)
    return bound >= least - _ROUNDING


@_jit
def _alike(text, start, bits, over, left, right, least):  # type: ignore[no-untyped-def]
    """Whether the Jaro–Winkler similarity of two values is at least ``least``."""
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    same_first = a < a_end and b < b_end and text[a] == text[b]
    spare = min(over[left], over[right])
    if not _may_be_alike(a_end - a, b_end - b, bits[left], bits[right], spare, same_first, least):
        return False
    return _jaro_winkler(text, a, a_end, b, b_end) >= least - _ROUNDING


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
    """Level of ``comparisons.GIVEN`` of two names, -1 where one is absent."""
    if left < 0 or right < 0:
        return -1
    if left == right:
        return 6
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    rows, cols, one, two = a_end - a, b_end - b, bits[left], bits[right]
    if (
        min(rows, cols) >= 3
        and _may_be_near(rows, cols, one, two, 1)
        and _edits(text, a, a_end, b, b_end, 1) <= 1
    ):
        return 5
    if family[left, 0] != 0 and family[right, 0] != 0 and _share(family, left, right):
        return 4
    same_first = text[a] == text[b]
    if min(rows, cols) == 1:
        return 3 if same_first else 0
    spare = min(over[left], over[right])
    if (
        _may_be_alike(rows, cols, one, two, spare, same_first, 0.84)
        and _jaro_winkler(text, a, a_end, b, b_end) >= 0.84 - _ROUNDING
    ):
        return 2
    return 1 if same_first else 0


@_jit
def _surname(text, start, bits, over, part, sound, left, right):  # type: ignore[no-untyped-def]
    """Level of ``comparisons.SURNAME`` of two names not crossed with given names, -1 where one is absent."""
    if left < 0 or right < 0:
        return -1
    if left == right:
        return 7
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    rows, cols, one, two = a_end - a, b_end - b, bits[left], bits[right]
    short = min(rows, cols)
    if short >= 3 and _may_be_near(rows, cols, one, two, 2):
        distance = _edits(text, a, a_end, b, b_end, 2)
        if distance <= 1:
            return 5
        if distance == 2 and short >= 6:
            return 4
    spare = min(over[left], over[right])
    if (
        _may_be_alike(rows, cols, one, two, spare, text[a] == text[b], 0.9)
        and _jaro_winkler(text, a, a_end, b, b_end) >= 0.9 - _ROUNDING
    ):
        return 4
    # Names of one word share a part only with names of several.
    if (part[left, 1] != 0 or part[right, 1] != 0 or part[left, 0] == part[right, 0]) and _share(
        part, left, right
    ):
        return 3
    return 1 if sound[left] != 0 and sound[left] == sound[right] else 0


@_jit
def _nearly_same(text, start, bits, left, right):  # type: ignore[no-untyped-def]
    """Whether two names are of level 5 or 6 of ``comparisons.GIVEN``: without it, nothing was swapped."""
    if left < 0 or right < 0:
        return False
    if left == right:
        return True
    a, a_end, b, b_end = start[left], start[left + 1], start[right], start[right + 1]
    rows, cols = a_end - a, b_end - b
    if min(rows, cols) < 3 or not _may_be_near(rows, cols, bits[left], bits[right], 1):
        return False
    return _edits(text, a, a_end, b, b_end, 1) <= 1


@_jit
def names(  # type: ignore[no-untyped-def]
    left, right, given, surname, text, start, bits, over, family, part, sound, first, last
):
    """Fill the levels of given name and surname; names that differ as written are compared crosswise too."""
    for i in range(len(left)):
        gl, gr, sl, sr = given[left[i]], given[right[i]], surname[left[i]], surname[right[i]]
        one = _given(text, start, bits, over, family, gl, gr)
        two = _surname(text, start, bits, over, part, sound, sl, sr)
        first[i] = one
        last[i] = two
        if one == 6 or two == 7 or (one > 1 and two >= 0) or (two > 1 and one >= 0):
            continue
        if not (_nearly_same(text, start, bits, gl, sr) or _nearly_same(text, start, bits, gr, sl)):
            continue
        x = _given(text, start, bits, over, family, gl, sr)
        y = _given(text, start, bits, over, family, gr, sl)
        least, most = min(x, y), max(x, y)
        both = least >= 2 and least != 3
        single = one <= 1 and two <= 1 and not both
        lone = gl < 0 or sl < 0 or gr < 0 or sr < 0
        if both or (single and lone):
            last[i] = 6
        elif single:
            last[i] = 2
        if both:
            first[i] = most
        elif single:
            first[i] = -1


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
        partial = min(one // 100 % 100, two // 100 % 100) == 0
        if year and one % 100 == two // 100 % 100 and two % 100 == one // 100 % 100:
            out[i] = 5
        elif _near(text, start, bits, a, b, 1) or (month and day and (one - two) % 1_000_000 == 0):
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
def email(left, right, codes, text, start, bits, local, length, rare, out):  # type: ignore[no-untyped-def]
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
        if _near(text, start, bits, a, b, 2 if enough else 1):
            out[i] = 3
        elif local[a] != 0 and local[a] == local[b]:
            out[i] = 2
        else:
            out[i] = 1 if enough and rare[a] and rare[b] and _near(text, start, bits, a, b, 5) else 0


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
def _all_inside(words, left, right):  # type: ignore[no-untyped-def]
    """Whether all words of one value (0 pads) are words of the other, which has at least as many."""
    one = two = shared = 0
    for i in range(words.shape[1]):
        one += words[left, i] != 0
        two += words[right, i] != 0
        for j in range(words.shape[1]):
            shared += words[left, i] != 0 and words[left, i] == words[right, j]
    return min(one, two) > 0 and shared == min(one, two)


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
    street_words,
    rank,
    out,
):
    """Fill the levels of ``comparisons.ADDRESS`` or ``PLACE``: one comparison over all columns of an address.

    ``rank``: the levels of region, area, city, similar postcode, that and city, postcode, that in another city.
    The levels that only streets reach are those of ADDRESS.
    """
    for i in range(len(left)):
        a, b = left[i], right[i]
        known = False
        level = rank[0] if region[a] >= 0 and region[a] == region[b] else 0
        near_code = False
        same_code = False
        if postcode[a] >= 0 and postcode[b] >= 0:
            known = True
            same_code = postcode[a] == postcode[b]
            near_code = same_code or _near(code_text, code_start, code_bits, postcode[a], postcode[b], 1)
            if near_code or _same_area(code_text, code_start, postcode[a], postcode[b]):
                level = rank[3] if near_code else rank[1]
        same_city = False
        if city[a] >= 0 and city[b] >= 0:
            known = True
            same_city = city[a] == city[b] or _alike(
                city_text, city_start, city_bits, city_over, city[a], city[b], 0.9
            )
            if same_code:
                level = rank[5] if same_city else rank[6]
            elif same_city:
                level = rank[4] if near_code else rank[2]
        elif same_code:
            level = rank[5]
        if street[a] >= 0 and street[b] >= 0:
            known = True
            here = same_city or near_code
            if (
                street[a] == street[b]
                or _alike(street_text, street_start, street_bits, street_over, street[a], street[b], 0.9)
                or _all_inside(street_words, street[a], street[b])
            ):
                numbered = number[a] >= 0 and number[b] >= 0
                if numbered and number[a] == number[b]:
                    level = 13 if here else 12
                elif here:
                    level = 10 if numbered else 11
            elif level == 4:
                level = 3
            elif level == 8 or level == 9:
                level = 5
        out[i] = level if known else -1


@_jit
def company(  # type: ignore[no-untyped-def]
    left, right, codes, text, start, bits, words, rare, mass, digits, joined, acronym, out
):
    """Fill the levels of ``comparisons.COMPANY``; what each name is made of: see ``features.CompanyFeatures``."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
            continue
        if a == b:
            out[i] = 6
            continue
        shared = 0
        telling = False
        for j in range(words.shape[1]):
            if words[a, j] == 0:
                break
            for k in range(words.shape[1]):
                if words[a, j] == words[b, k]:
                    shared += 3 if rare[a, j] else 1
                    telling = telling or rare[a, j]
                    break
        least, most = min(mass[a], mass[b]), max(mass[a], mass[b])
        level = 0
        if shared > 0 and 2 * shared >= least:
            level = 3 if telling else 1
        if shared > 0 and shared == least:
            if telling or 2 * shared >= most:
                level = 4
            if shared == most:
                level = 5
        if joined[a] == joined[b] or acronym[a] == joined[b] or acronym[b] == joined[a]:
            level = 5
        if level < 5:
            short = min(start[a + 1] - start[a], start[b + 1] - start[b])
            edits = 3 if short >= 16 else (2 if short >= 10 else 1)
            if short >= 5 and _near(text, start, bits, a, b, edits):
                level = 5
        if level >= 1 and digits[a, 0] != 0 and digits[b, 0] != 0 and not _share(digits, a, b):
            level = 2
        out[i] = level


@_jit
def middle_name(left, right, codes, text, start, bits, over, out):  # type: ignore[no-untyped-def]
    """Fill the levels of ``comparisons.MIDDLE``."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            out[i] = -1
        elif a == b:
            out[i] = 4
        elif _alike(text, start, bits, over, a, b, 0.9):
            out[i] = 3
        elif text[start[a]] != text[start[b]]:
            out[i] = 0
        else:
            out[i] = 2 if min(start[a + 1] - start[a], start[b + 1] - start[b]) == 1 else 1


@_jit
def expect(left, right, codes, adjustment, exact, other, absent, total):  # type: ignore[no-untyped-def]
    """Add the most that a comparison may give, as far as equal and missing values tell."""
    for i in range(len(left)):
        a, b = codes[left[i]], codes[right[i]]
        if a < 0 or b < 0:
            total[i] += absent
        elif a == b:
            total[i] += exact + (adjustment[a] if len(adjustment) else 0)
        else:
            total[i] += other


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
