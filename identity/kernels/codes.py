"""Codes by the million: mapping them, counting them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Codes = npt.NDArray[np.int32]


def gather(mapping: Codes, codes: Codes) -> Codes:
    """``mapping[codes]``, and -1 where the code is -1.

    >>> gather(np.array([7, 8], np.int32), np.array([1, -1, 0], np.int32)).tolist()
    [8, -1, 7]
    """
    out = np.empty(len(codes), dtype=np.int32)
    _gather(np.ascontiguousarray(mapping), np.ascontiguousarray(codes), out)
    return out


def count(codes: Codes, size: int) -> npt.NDArray[np.int64]:
    """How often each of ``size`` codes occurs; -1 is no code.

    >>> count(np.array([1, -1, 1], np.int32), 2).tolist()
    [0, 2]
    """
    out = np.zeros(size, dtype=np.int64)
    _count(np.ascontiguousarray(codes), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(mapping: Any, codes: Any, out: Any) -> None:
    for i in range(len(codes)):
        code = codes[i]
        out[i] = mapping[code] if code >= 0 else -1


@njit(cache=True, nogil=True, error_model="numpy")
def _count(codes: Any, out: Any) -> None:
    for i in range(len(codes)):
        if codes[i] >= 0:
            out[codes[i]] += 1
