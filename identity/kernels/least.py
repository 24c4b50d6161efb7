"""The smallest text of each group."""

from __future__ import annotations

import numba

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _smaller(data, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Whether one run of bytes comes before another."""
    while a < a_end and b < b_end:
        if data[a] != data[b]:
            return data[a] < data[b]
        a += 1
        b += 1
    return a_end - a < b_end - b


@_jit
def least(data, offsets, rows, label, best):  # type: ignore[no-untyped-def]
    """Fill ``best`` (by label, -1 to begin with) with the row of the smallest text among ``rows``."""
    for row in rows:
        old = best[label[row]]
        if old < 0 or _smaller(data, offsets[row], offsets[row + 1], offsets[old], offsets[old + 1]):
            best[label[row]] = row


@_jit
def turned(data, offsets, left, right, out):  # type: ignore[no-untyped-def]
    """Flag pairs of which the right text is the smaller one."""
    for i in range(len(left)):
        a, b = left[i], right[i]
        out[i] = _smaller(data, offsets[b], offsets[b + 1], offsets[a], offsets[a + 1])
