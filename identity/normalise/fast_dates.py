"""Dates of birth over whole arrays: fixed shapes as matrices of bytes, the others one by one."""

from __future__ import annotations

from functools import partial
from inspect import unwrap

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.kernels.buffers import strings, views
from identity.kernels.hashing import hash_texts
from identity.normalise import dates
from identity.normalise.fast import Flags, one

_SAMPLE = 20_000
_SIGNS = b"-/."
_Bytes = npt.NDArray[np.uint8]


def day_first(values: pa.Array) -> bool:
    """``dates.day_first`` of distinct texts; of many, of those with the smallest hashes, in whatever order."""
    if len(values) > _SAMPLE:
        values = values.take(pa.array(np.argsort(hash_texts(values), kind="stable")[:_SAMPLE]))
    return dates.day_first(values.to_pylist())


def parse(values: pa.Array, *, day_is_first: bool) -> pa.Array:
    """``dates.parse_date`` of every text.

    >>> parse(pa.array(["1977-03-25", "05/12/1975", "27 Dec 1951", "Mar 1 1970"]), day_is_first=True).to_pylist()
    ['19770325', '19751205', '19511227', '19700301']
    """
    data, offsets = views(values)
    out, done = np.zeros((len(values), 8), dtype=np.uint8), np.zeros(len(values), dtype=bool)
    for length, read in (
        (10, _iso), (10, partial(_numeric, day_is_first=day_is_first)), (11, _worded),
        (8, partial(_packed, day_is_first=day_is_first)),
    ):  # fmt: skip
        rows = np.flatnonzero(np.diff(offsets) == length)
        text = (
            data[offsets[rows][:, None] + np.arange(length)] if len(rows) else np.empty((0, length), np.uint8)
        )
        good, digits = read(text)
        out[rows[good]] = digits[good]
        done[rows[good]] = True
    places = np.concatenate([[0], np.cumsum(np.where(done, 8, 0))])
    return one(
        values, ~done, partial(_slow, day_is_first=day_is_first), strings(out[done].reshape(-1), places)
    )


def _slow(value: str, *, day_is_first: bool) -> str:
    return str(unwrap(dates.parse_date)(value, day_is_first=day_is_first))


def keys(values: pa.Array) -> pa.Array:
    """Normalised dates with day and month in ascending order, so that swapped ones are equal.

    >>> keys(pa.array(["19751205", "19750512"])).to_pylist()
    ['19750512', '19750512']
    """
    data, offsets = views(values)
    usual = np.diff(offsets) == 8
    text = data[offsets[:-1][usual][:, None] + np.arange(8)] if usual.any() else np.empty((0, 8), np.uint8)
    month, day = _number(text[:, 4:6]), _number(text[:, 6:8])
    swap = (month > day)[:, None]
    text = np.where(swap, text[:, [0, 1, 2, 3, 6, 7, 4, 5]], text)
    places = np.concatenate([[0], np.cumsum(np.where(usual, 8, 0))])
    return one(values, ~usual, date_key, strings(text.reshape(-1), places))


def date_key(value: str) -> str:
    """One normalised date with day and month in ascending order."""
    return value[:4] + "".join(sorted((value[4:6], value[6:8])))


def _are_digits(text: _Bytes) -> Flags:
    return np.asarray(((text >= 48) & (text <= 57)).all(axis=1), dtype=bool)


def _are_signs(text: _Bytes, signs: bytes = _SIGNS) -> Flags:
    return np.asarray(np.isin(text, np.frombuffer(signs, np.uint8)).all(axis=1), dtype=bool)


def _number(text: _Bytes) -> npt.NDArray[np.int32]:
    ten = 10 ** np.arange(text.shape[1])[::-1]
    return np.asarray((text.astype(np.int32) - 48) @ ten, dtype=np.int32)


def _iso(text: _Bytes) -> tuple[Flags, _Bytes]:
    """The form yyyy-mm-dd."""
    digits = text[:, [0, 1, 2, 3, 5, 6, 8, 9]]
    return _are_digits(digits) & _are_signs(text[:, [4, 7]]), digits


def _packed(text: _Bytes, *, day_is_first: bool) -> tuple[Flags, _Bytes]:
    """The form yyyymmdd; mmddyyyy and ddmmyyyy where the last four are a year and the others a day of one."""
    good = _are_digits(text)
    first, second, year = _number(text[:, :2]), _number(text[:, 2:4]), _number(text[:, 4:])
    low, high = np.minimum(first, second), np.maximum(first, second)
    last = (year >= 1800) & (year < 2100) & (low >= 1) & (low <= 12) & (high <= 31)
    turned = _month_first(text[:, [4, 5, 6, 7, 0, 1, 2, 3]], np.full((len(text), 1), day_is_first))
    return good, np.where(last[:, None], turned, text)


def _numeric(text: _Bytes, *, day_is_first: bool) -> tuple[Flags, _Bytes]:
    """The forms mm/dd/yyyy and dd/mm/yyyy; where only one reading is possible, that one."""
    digits = text[:, [6, 7, 8, 9, 0, 1, 3, 4]]
    good = _are_digits(digits) & _are_signs(text[:, [2, 5]], _SIGNS + b" ")
    return good, _month_first(digits, (text[:, 2:3] == ord(".")) | day_is_first)


def _month_first(digits: _Bytes, day_first: Flags) -> _Bytes:
    """A year with day and month in either order as yyyymmdd; where only one order is possible, by that one."""
    digits = np.where(day_first, digits[:, [0, 1, 2, 3, 6, 7, 4, 5]], digits)
    month, day = _number(digits[:, 4:6]), _number(digits[:, 6:8])
    swap = ((month > 12) & (day <= 12))[:, None]
    return np.where(swap, digits[:, [0, 1, 2, 3, 6, 7, 4, 5]], digits)


def _worded(text: _Bytes) -> tuple[Flags, _Bytes]:
    """The form dd Mon yyyy."""
    good = _are_digits(text[:, [0, 1, 7, 8, 9, 10]]) & _are_signs(text[:, [2, 6]], _SIGNS + b" ")
    word = (text[:, 3:6] | 32).astype(np.int32)
    packed = (word[:, 0] << 16) | (word[:, 1] << 8) | word[:, 2]
    digits = np.zeros((len(text), 8), dtype=np.uint8)
    digits[:, [0, 1, 2, 3, 6, 7]] = text[:, [7, 8, 9, 10, 0, 1]]
    known = np.zeros(len(text), dtype=bool)
    for code in np.unique(packed[good]).tolist():
        name = code.to_bytes(3, "big")
        parsed = _slow(f"01 {name.decode()} 1990", day_is_first=False) if name.isalpha() else ""
        if parsed:
            rows = packed == code
            known |= rows
            digits[rows, 4:6] = np.frombuffer(parsed[4:6].encode(), np.uint8)
    letters = (((text[:, 3:6] | 32) >= 97) & ((text[:, 3:6] | 32) <= 122)).all(axis=1)
    return good & known & letters, digits
