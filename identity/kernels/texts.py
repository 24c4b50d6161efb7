"""Byte-wise rewriting of many short texts: fold case, drop or replace characters, cut pieces out.

A table says for each byte what becomes of it. Whatever a table does not foresee (mostly letters beyond ASCII)
makes the text *unusual*: it is reported and left to the slow functions of ``normalise``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from identity.kernels.buffers import Bytes, Offsets, strings, views

if TYPE_CHECKING:
    import pyarrow as pa

Table = npt.NDArray[np.int16]
Flags = npt.NDArray[np.bool_]
DROP, STOP, UNUSUAL = -1, -2, -3
_BLANK = 32


def table(*, otherwise: int, digits: bool = False, letters: bool = False, keep: str = "") -> Table:
    """What becomes of each byte: DROP, STOP (the text ends before it), UNUSUAL, or the byte to write.

    ``digits`` and ``letters`` (ASCII, lower-cased) and the characters of ``keep`` are kept; anything else
    in ASCII becomes ``otherwise``; bytes beyond ASCII are unusual.
    """
    made = np.full(256, UNUSUAL, dtype=np.int16)
    made[:128] = otherwise
    if digits:
        made[48:58] = np.arange(48, 58)
    if letters:
        made[65:91] = made[97:123] = np.arange(97, 123)
    for sign in keep:
        made[ord(sign)] = ord(sign)
    return made


def translate(texts: pa.Array, by: Table, *, tidy: bool = True) -> tuple[pa.Array, Flags]:
    """Rewrite every text by a table; an unusual text becomes empty and is flagged (``bool[N]``).

    ``tidy``: blanks that are written are single, and none stands at either end.

    >>> import pyarrow as pa
    >>> plain = table(otherwise=32, digits=True, letters=True)
    >>> found, unusual = translate(pa.array([" Ann-Lee  2 ", "Zoë"]), plain)
    >>> found.to_pylist(), unusual.tolist()
    (['ann lee 2', ''], [False, True])
    """
    data, offsets = views(texts)
    return _rewritten(data, offsets[:-1], offsets[1:], by, tidy)


def cut(data: Bytes, starts: Offsets, ends: Offsets) -> pa.Array:
    """The texts ``data[starts[i]:ends[i]]``."""
    return _rewritten(data, starts, ends, _AS_IS, tidy=False)[0]


def _rewritten(
    data: Bytes,
    starts: Offsets,
    ends: Offsets,
    by: Table,
    tidy: bool,
) -> tuple[pa.Array, Flags]:
    size = len(starts)
    out = np.empty(int((ends - starts).sum()), dtype=np.uint8)
    places, unusual = np.zeros(size + 1, dtype=np.int64), np.zeros(size, dtype=bool)
    _translate(data, starts, ends, by, tidy, out, places, unusual)
    return strings(out[: int(places[-1])], places), unusual


@njit(cache=True, nogil=True, error_model="numpy")
def _translate(
    data: Any,
    starts: Any,
    ends: Any,
    by: Any,
    tidy: bool,
    out: Any,
    places: Any,
    unusual: Any,
) -> None:
    at = 0
    for i in range(len(starts)):
        begin = at
        for k in range(starts[i], ends[i]):
            to = by[data[k]]
            if to == DROP:
                continue
            if to == STOP:
                break
            if to == UNUSUAL:
                unusual[i] = True
                at = begin
                break
            if to == _BLANK and tidy and (at == begin or out[at - 1] == _BLANK):
                continue
            out[at] = to
            at += 1
        if tidy and at > begin and out[at - 1] == _BLANK:
            at -= 1
        places[i + 1] = at


@njit(cache=True, nogil=True, error_model="numpy")
def _doors(data: Any, starts: Any, ends: Any, number: Any, comma: Any, usual: Any) -> None:
    for i in range(len(starts)):
        k, end = starts[i], ends[i]
        while k < end and data[k] >= 48 and data[k] <= 57:
            k += 1
        number[i] = k
        ok = k > starts[i] and k < end and data[k] == _BLANK
        comma[i] = end
        while ok and k < end:
            if data[k] >= 127 or data[k] < _BLANK:
                ok = False
            elif data[k] == 44 and comma[i] == end:
                comma[i] = k
            k += 1
        usual[i] = ok


def split_doors(texts: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array, Flags]:
    """Cut "number street, locality" into its three parts; the last array tells which texts have that form.

    The form: printable ASCII, digits and a blank first; the locality (after the first comma) may be absent.
    The parts of other texts are empty.

    >>> import pyarrow as pa
    >>> [part.to_pylist() for part in split_doors(pa.array(["12 Main St, York", "Moss Ln"]))[:3]]
    [['12', ''], ['Main St', ''], [' York', '']]
    """
    data, offsets = views(texts)
    starts, ends = offsets[:-1], offsets[1:]
    number, comma = np.empty(len(texts), dtype=np.int64), np.empty(len(texts), dtype=np.int64)
    usual = np.zeros(len(texts), dtype=bool)
    _doors(data, starts, ends, number, comma, usual)
    number = np.where(usual, number, starts)
    head, comma = np.where(usual, number + 1, starts), np.where(usual, comma, starts)
    tail = np.where(usual, np.minimum(comma + 1, ends), starts)
    end = np.where(usual, ends, starts)
    return cut(data, starts, number), cut(data, head, comma), cut(data, tail, end), usual


def alike_at_both_ends(texts: pa.Array) -> Flags:
    """Which texts are empty, begin and end with the same byte, or have an end beyond ASCII: ``bool[N]``.

    >>> import pyarrow as pa
    >>> alike_at_both_ends(pa.array(["777", "a17", "", "é1"])).tolist()
    [True, False, True, True]
    """
    data, offsets = views(texts)
    starts, ends = offsets[:-1], offsets[1:]
    if not len(data):
        return np.ones(len(texts), dtype=bool)
    last = len(data) - 1
    one, two = data[np.minimum(starts, last)], data[np.clip(ends - 1, 0, last)]
    return np.asarray((one == two) | (one > 127) | (two > 127) | (starts == ends), dtype=bool)


_AS_IS = np.arange(256, dtype=np.int16)
