"""E-mail addresses that are made of their owner's name."""

from __future__ import annotations

from identity.kernels.compiling import pairwise
from identity.kernels.strings import length_of, start_of

STRINGS = "969d451562fce508"
_DIGITS = 2  # so many figures of an address are more than its owner's name
_SHORTEST = 3


@pairwise
def _holds(text, start, length, other, other_start, size):  # type: ignore[no-untyped-def]
    """Whether one run of units holds another as a part."""
    for first in range(start, start + length - size + 1):
        place = 0
        while place < size and text[first + place] == other[other_start + place]:
            place += 1
        if place == size:
            return True
    return False


@pairwise
def _is_name(text, start, length, names, packed, given, surname):  # type: ignore[no-untyped-def]
    """Whether a name part is made of a given name or a surname, and of hardly any figures."""
    digits = 0
    for place in range(start, start + length):
        if 48 <= text[place] <= 57:
            digits += 1
    if digits >= _DIGITS:
        return False
    for code in (given, surname):
        if code >= 0:
            size = length_of(packed[code, 1])
            if size >= _SHORTEST and _holds(text, start, length, names, start_of(packed[code, 1]), size):
                return True
    return False


@pairwise
def silence_names(  # type: ignore[no-untyped-def]
    left, right, codes, text, packed, local, both, names, names_packed, exact, out
):
    """Set -1 where two addresses agree in part and one of them is made of its owner's name.

    ``local``: length of each address's name part; ``both``: codes of given name and surname, by row.
    """
    for i in range(len(left)):
        if out[i] <= 0 or out[i] == exact:
            continue
        for row in (left[i], right[i]):
            code = codes[row]
            start = start_of(packed[code, 1])
            if _is_name(text, start, local[code], names, names_packed, both[row, 0], both[row, 1]):
                out[i] = -1
                break
