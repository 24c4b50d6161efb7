"""Stable 64-bit hashes of texts, and look-up by hash.

The hash is XXH64 (Yann Collet, xxHash, seed 0) over the UTF-8 bytes alone: the same on every machine, in
every version and for every layout of the array, so that it may be stored in a model version.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from identity.kernels.buffers import views

Hashes = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.int32]

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)


def hash_texts(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """XXH64 of every text; the hash of a null is 0. Sliced, chunked and dictionary arrays, any width.

    >>> [hex(h) for h in hash_texts(pa.array(["", "a", "abc"]))]
    ['0xef46db3751d8e999', '0xd24ec4f1a98c6e5b', '0x44bc2cf5ad770999']
    """
    if isinstance(texts, pa.ChunkedArray):
        parts = [hash_texts(chunk) for chunk in texts.chunks]
        return np.concatenate(parts) if parts else _NO_HASHES.copy()
    if pa.types.is_dictionary(texts.type):
        codes = np.asarray(texts.indices.fill_null(-1).to_numpy(zero_copy_only=False))
        hashes: Hashes = np.append(hash_texts(texts.dictionary), np.uint64(0))[codes]
        return hashes
    data, offsets = views(texts)
    out = np.empty(len(texts), dtype=np.uint64)
    _hash_all(data, offsets, out)
    if texts.null_count:
        out[np.asarray(texts.is_null().to_numpy(zero_copy_only=False))] = 0
    return out


def locate(stock: Hashes, wanted: Hashes) -> Codes:
    """Place of each wanted hash in the stock (the first one), -1 where it is absent: int32[len(wanted)].

    One pass over the stock against a table of what is wanted: no index has to be kept, and a small request
    costs little more than reading the stock once.

    >>> locate(np.array([7, 8, 9], np.uint64), np.array([9, 1, 7, 9], np.uint64)).tolist()
    [2, -1, 0, 2]
    """
    slots = 8
    while slots < 2 * len(wanted):
        slots *= 2
    found = np.full(len(wanted), -1, dtype=np.int32)
    if len(wanted) and len(stock):
        table = np.full(slots, -1, dtype=np.int32)
        _locate(stock, wanted, table, np.empty(len(wanted), dtype=np.int32), found)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _rotated(value: Any, bits: Any) -> Any:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(cache=True, nogil=True, error_model="numpy")
def _word(data: Any, at: Any) -> Any:
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return word


@njit(cache=True, nogil=True, error_model="numpy")
def _round(state: Any, word: Any) -> Any:
    return _rotated(state + word * _P2, 31) * _P1


@njit(cache=True, nogil=True, error_model="numpy")
def _merged(state: Any, lane: Any) -> Any:
    return (state ^ _round(np.uint64(0), lane)) * _P1 + _P4


@njit(cache=True, nogil=True, error_model="numpy")
def _hash(data: Any, start: Any, end: Any) -> Any:
    at = start
    if end - start >= 32:
        one, two, three, four = _P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1
        while at + 32 <= end:
            one = _round(one, _word(data, at))
            two = _round(two, _word(data, at + 8))
            three = _round(three, _word(data, at + 16))
            four = _round(four, _word(data, at + 24))
            at += 32
        state = _rotated(one, 1) + _rotated(two, 7) + _rotated(three, 12) + _rotated(four, 18)
        state = _merged(_merged(_merged(_merged(state, one), two), three), four)
    else:
        state = _P5
    state += np.uint64(end - start)
    while at + 8 <= end:
        state = _rotated(state ^ _round(np.uint64(0), _word(data, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        half = np.uint64(0)
        for k in range(4):
            half |= np.uint64(data[at + k]) << np.uint64(8 * k)
        state = _rotated(state ^ (half * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        state = _rotated(state ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += 1
    state = (state ^ (state >> np.uint64(33))) * _P2
    state = (state ^ (state >> np.uint64(29))) * _P3
    return state ^ (state >> np.uint64(32))


@njit(cache=True, nogil=True, error_model="numpy")
def _hash_all(data: Any, offsets: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = _hash(data, offsets[i], offsets[i + 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _marked(wanted: Any, wide: Any) -> Any:
    """Bits of what is wanted: most of a stock is not, and this table stays in the processor's cache."""
    marks = np.zeros((wide >> np.uint64(6)) + np.uint64(1), np.uint64)
    for j in range(len(wanted)):
        marks[(wanted[j] & wide) >> np.uint64(6)] |= np.uint64(1) << (wanted[j] & np.uint64(63))
    return marks


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(stock: Any, wanted: Any, table: Any, same: Any, found: Any) -> None:
    mask = np.uint64(len(table) - 1)
    for j in range(len(wanted)):
        slot = wanted[j] & mask
        while table[slot] >= 0 and wanted[table[slot]] != wanted[j]:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot] = j
        same[j] = table[slot]
    wide = np.uint64(len(table) * 16 - 1)
    marks = _marked(wanted, wide)
    for i in range(len(stock)):
        if not (marks[(stock[i] & wide) >> np.uint64(6)] >> (stock[i] & np.uint64(63))) & np.uint64(1):
            continue
        slot = stock[i] & mask
        while table[slot] >= 0:
            if wanted[table[slot]] == stock[i]:
                if found[table[slot]] < 0:
                    found[table[slot]] = i
                break
            slot = (slot + np.uint64(1)) & mask
    for j in range(len(wanted)):
        found[j] = found[same[j]]


@njit(cache=True, nogil=True, error_model="numpy")
def mix(key: Any, codes: Any, hashes: Any, salt: Any) -> None:
    """Add the hash of each row's value to ``key``, scattered by SplitMix64's finaliser (Steele, Lea, Flood 2014)."""
    for i in range(len(key)):
        if codes[i] >= 0:
            value = (hashes[codes[i]] ^ salt) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            key[i] += value ^ (value >> np.uint64(31))
