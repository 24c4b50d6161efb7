"""Arrow texts as flat numpy arrays, and back, without copying the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
MOST_BYTES = (1 << 31) - 1
"""Bytes that an Arrow array with 32-bit offsets can hold."""


def views(texts: pa.Array) -> tuple[Bytes, Offsets]:
    """The bytes of an array of texts (string or large_string, sliced or not) and where each text starts.

    Returns read-only ``uint8[]`` and ``int64[len + 1]``; text i is ``data[offsets[i]:offsets[i + 1]]``.
    Nulls have whatever extent the array gives them.

    >>> data, offsets = views(pa.array(["ab", "", "cde"]).slice(1))
    >>> offsets.tolist(), data[offsets[1] : offsets[2]].tobytes()
    ([2, 2, 5], b'cde')
    """
    wide = pa.types.is_large_string(texts.type) or pa.types.is_large_binary(texts.type)
    _, places, content = texts.buffers()
    if places is None or not len(texts):
        offsets = np.zeros(1, dtype=np.int64)
    else:
        raw = np.frombuffer(places, dtype=np.int64 if wide else np.int32)
        offsets = raw[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.frombuffer(content, dtype=np.uint8) if content is not None else np.empty(0, dtype=np.uint8)
    data.flags.writeable = False
    return data, offsets


def strings(data: Bytes, offsets: Offsets) -> pa.Array:
    """The inverse of ``views``: a string array over the bytes (large_string where 32 bits do not do).

    >>> strings(np.frombuffer(b"abc", np.uint8), np.array([0, 1, 3])).to_pylist()
    ['a', 'bc']
    """
    size = len(offsets) - 1
    content = pa.py_buffer(np.ascontiguousarray(data))
    if int(offsets[-1]) > MOST_BYTES:
        return pa.LargeStringArray.from_buffers(size, pa.py_buffer(np.ascontiguousarray(offsets)), content)
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets.astype(np.int32)), content)


def concat(arrays: list[pa.Array]) -> pa.Array:
    """Concatenate arrays of texts into one, in 64-bit offsets where the bytes ask for it.

    >>> concat([pa.array(["a"]), pa.array(["b"], pa.large_string())]).to_pylist()
    ['a', 'b']
    """
    filled = [array for array in arrays if len(array)]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        return pa.array([], pa.string())
    wide = any(pa.types.is_large_string(array.type) for array in filled)
    if wide or sum(array.nbytes for array in filled) > MOST_BYTES:
        filled = [array.cast(pa.large_string()) for array in filled]
    return pa.concat_arrays(filled)
