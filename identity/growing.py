"""Arrays that grow at their end in place, so that what stands is not copied for each batch.

``extended(a, b)`` gives the values of ``a``, then those of ``b``. Where ``a`` was made by this function it lies in a
buffer with room behind it: only ``b`` is written there. ``a`` itself stays as it is; extended a second time, it
is copied. So arrays are values as ever, and a chain of increments costs what the increments cost.
"""

from __future__ import annotations

from typing import TypeVar
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.kernels.buffers import MOST_BYTES, concat

_Kind = TypeVar("_Kind", bound=np.generic)
_SPARE = 8  # an eighth more than is asked for
_LEAST = 4_096


class _Room(bytearray):
    """A buffer of which ``used`` bytes belong to somebody."""

    used: int


_ROOMS: WeakValueDictionary[int, _Room] = WeakValueDictionary()
"""Rooms by the address where they begin, as long as an array lies in them."""


def roomy(stand: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
    """A copy with room behind it."""
    size = stand.nbytes
    room = _Room(size + size // _SPARE + _LEAST)
    room.used = size
    whole = np.frombuffer(room, np.uint8)
    _ROOMS[whole.ctypes.data] = room
    whole[:size] = np.ascontiguousarray(stand).reshape(-1).view(np.uint8)
    return whole[:size].view(stand.dtype).reshape(stand.shape)


def extended(stand: npt.NDArray[_Kind], more: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
    """The values of one array, then those of another of the same type, along the first axis.

    >>> one = extended(np.array([1, 2]), np.array([3]))
    >>> two, three = extended(one, np.array([4])), extended(one, np.array([5]))
    >>> one.tolist(), two.tolist(), three.tolist()
    ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 5])
    """
    more = np.ascontiguousarray(more, stand.dtype)
    size, total = stand.nbytes, stand.nbytes + more.nbytes
    room = _ROOMS.get(stand.ctypes.data) if size else None
    if room is None or room.used != size or total > len(room):
        stand = roomy(stand) if size else roomy(np.empty((0, *more.shape[1:]), more.dtype))
        room = _ROOMS[stand.ctypes.data]
        if total > len(room):
            return roomy(np.concatenate([stand, more]))
    room.used = total
    whole = np.frombuffer(room, np.uint8, total)
    whole[size:] = more.reshape(-1).view(np.uint8)
    shape = (len(stand) + len(more), *stand.shape[1:])
    return whole.view(stand.dtype).reshape(shape)


def longer(values: npt.NDArray[_Kind], size: int) -> npt.NDArray[_Kind]:
    """A copy with zeros (or False) behind it."""
    found = np.zeros(size, values.dtype)
    found[: len(values)] = values
    return found


def extended_texts(stand: pa.Array, more: pa.Array) -> pa.Array:
    """The same for texts without nulls.

    >>> extended_texts(pa.array(["ab", "c"]), pa.array(["d", ""])).to_pylist()
    ['ab', 'c', 'd', '']
    """
    if not (len(stand) and len(more)) or stand.offset or stand.null_count or more.null_count:
        return concat([stand, more])
    if not (stand.type == more.type == pa.string()) or stand.nbytes + more.nbytes > MOST_BYTES:
        return concat([stand, more])
    (_, places, content), (_, added, own) = stand.buffers(), more.buffers()
    starts = np.frombuffer(places, np.int32, len(stand) + 1)
    ends = np.frombuffer(added, np.int32, len(more) + 1, more.offset * 4)
    data = np.frombuffer(content or b"", np.uint8, starts[-1])
    fresh = np.frombuffer(own or b"", np.uint8)[ends[0] : ends[-1]]
    starts = extended(starts, ends[1:] - ends[0] + starts[-1])
    return pa.StringArray.from_buffers(
        len(starts) - 1, pa.py_buffer(starts), pa.py_buffer(extended(data, fresh))
    )
