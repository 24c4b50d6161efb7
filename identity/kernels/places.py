"""Compiled levels of addresses and of names of organisations."""

from __future__ import annotations

from identity.kernels.compiling import inlined, pairwise
from identity.kernels.strings import is_alike, is_near, length_of, share, start_of

STRINGS = "969d451562fce508"


@inlined
def _same_area(text, packed, left, right):  # type: ignore[no-untyped-def]
    """Whether two postcodes are alike in all but the last three signs, at least two."""
    one, two = packed[left, 1], packed[right, 1]
    rows = min(max(2, length_of(one) - 3), length_of(one))
    same = rows == min(max(2, length_of(two) - 3), length_of(two))
    for i in range(rows):
        if not same or text[start_of(one) + i] != text[start_of(two) + i]:
            same = False
            break
    return same


@inlined
def _all_inside(words, left, right):  # type: ignore[no-untyped-def]
    """Whether all words of one value (0 pads) are words of the other, which has at least as many."""
    one = two = shared = 0
    while two < words.shape[1] and words[right, two] != 0:
        two += 1
    while one < words.shape[1] and words[left, one] != 0:
        for j in range(two):
            shared += words[left, one] == words[right, j]
        one += 1
    return min(one, two) > 0 and shared == min(one, two)


@pairwise
def address(  # type: ignore[no-untyped-def]
    left,
    right,
    columns,
    code_text,
    code_packed,
    city_text,
    city_packed,
    street_text,
    street_packed,
    street_words,
    rank,
    out,
):
    """Fill the levels of ``comparisons.ADDRESS`` or ``PLACE``: one comparison over all columns of an address.

    ``columns``: region, postcode, city, street and number of each record. ``rank``: the levels of region, area,
    city, similar postcode, that and city, postcode, that in another city. The levels that only streets reach are
    those of ADDRESS.
    """
    for i in range(len(left)):
        a, b = left[i], right[i]
        known = False
        level = rank[0] if columns[a, 0] >= 0 and columns[a, 0] == columns[b, 0] else 0
        near_code = False
        same_code = False
        if columns[a, 1] >= 0 and columns[b, 1] >= 0:
            known = True
            same_code = columns[a, 1] == columns[b, 1]
            near_code = same_code or is_near(code_text, code_packed, columns[a, 1], columns[b, 1], 1)
            if near_code or _same_area(code_text, code_packed, columns[a, 1], columns[b, 1]):
                level = rank[3] if near_code else rank[1]
        same_city = False
        if columns[a, 2] >= 0 and columns[b, 2] >= 0:
            known = True
            same_city = columns[a, 2] == columns[b, 2] or is_alike(
                city_text, city_packed, columns[a, 2], columns[b, 2], 0.9
            )
            if same_code:
                level = rank[5] if same_city else rank[6]
            elif same_city:
                level = rank[4] if near_code else rank[2]
        elif same_code:
            level = rank[5]
        if columns[a, 3] >= 0 and columns[b, 3] >= 0:
            known = True
            here = same_city or near_code
            if (
                columns[a, 3] == columns[b, 3]
                or is_alike(street_text, street_packed, columns[a, 3], columns[b, 3], 0.9)
                or _all_inside(street_words, columns[a, 3], columns[b, 3])
            ):
                numbered = columns[a, 4] >= 0 and columns[b, 4] >= 0
                if numbered and columns[a, 4] == columns[b, 4]:
                    level = 13 if here else 12
                elif here:
                    level = 10 if numbered else 11
            elif level == 4:
                level = 3
            elif level == 8 or level == 9:
                level = 5
        out[i] = level if known else -1


@pairwise
def company(  # type: ignore[no-untyped-def]
    left, right, codes, text, packed, words, rare, mass, digits, joined, acronym, out
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
            short = min(length_of(packed[a, 1]), length_of(packed[b, 1]))
            edits = 3 if short >= 16 else (2 if short >= 10 else 1)
            if short >= 5 and is_near(text, packed, a, b, edits):
                level = 5
        if level >= 1 and digits[a, 0] != 0 and digits[b, 0] != 0 and not share(digits, a, b):
            level = 2
        out[i] = level
