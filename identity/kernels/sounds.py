"""Words by sound: similar consonants share a digit, vowels and repeats fall away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from identity.kernels.buffers import strings, views

if TYPE_CHECKING:
    import pyarrow as pa

_BLANK = 32
_LONGER = 4  # signs that a leading spelling may add at most


def code(
    texts: pa.Array, classes: Mapping[str, str], leading: Sequence[tuple[str, str]], mute: str
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Code texts of lower-case ASCII letters and blanks by sound; which are of other signs is flagged.

    ``classes``: the digit of each consonant; ``leading``: spellings at the start of a word and what they sound
    like (the first that fits); ``mute``: letters between two equal sounds that keep them one. Blanks fall away.
    An unusual text becomes empty.

    >>> import pyarrow as pa
    >>> found, unusual = code(pa.array(["knight", "a1"]), {"n": "5", "g": "2", "t": "3"}, [("kn", "n")], "hw")
    >>> found.to_pylist(), unusual.tolist()
    (['n23', ''], [False, True])
    """
    data, offsets = views(texts)
    sound = np.zeros(128, dtype=np.uint8)
    for letter, digit in classes.items():
        sound[ord(letter)] = ord(digit)
    silent = np.zeros(128, dtype=np.uint8)
    silent[[ord(letter) for letter in mute]] = 1
    written, spoken = (_padded([pair[side] for pair in leading]) for side in (0, 1))
    out = np.empty(len(data) + _LONGER * len(texts), dtype=np.uint8)
    places, unusual = np.zeros(len(texts) + 1, dtype=np.int64), np.zeros(len(texts), dtype=bool)
    room = np.empty(int(np.diff(offsets).max(initial=0)) + _LONGER, dtype=np.uint8)  # one word, room to grow
    _code(data, offsets, sound, silent, written, spoken, room, out, places, unusual)
    return strings(out[: int(places[-1])], places), unusual


def _padded(words: Sequence[str]) -> npt.NDArray[np.uint8]:
    made = np.zeros((len(words), _LONGER), dtype=np.uint8)
    for row, word in enumerate(words):
        made[row, : len(word)] = np.frombuffer(word.encode(), dtype=np.uint8)
    return made


@njit(cache=True, nogil=True, error_model="numpy")
def _letters(data: Any, start: Any, end: Any, room: Any, at: Any) -> Any:
    """Copy the letters of a word to ``at`` and on; gives their end, -1 where there are other signs."""
    for k in range(start, end):
        if data[k] != _BLANK:
            if data[k] < 97 or data[k] > 122:
                return -1
            room[at] = data[k]
            at += 1
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def _spoken(room: Any, at: Any, end: Any, written: Any, spoken: Any) -> Any:
    """Write how the word at ``at`` begins in place of how it is spelled; gives the new start."""
    for row in range(len(written)):
        size = 0
        while size < _LONGER and at + size < end and written[row, size] == room[at + size]:
            size += 1
        if size == _LONGER or written[row, size] == 0:
            length = 0
            while length < _LONGER and spoken[row, length]:
                length += 1
            begin = at + size - length
            for k in range(length):
                room[begin + k] = spoken[row, k]
            return begin
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def _code(
    data: Any, offsets: Any, sound: Any, silent: Any, written: Any, spoken: Any, room: Any, out: Any,
    places: Any, unusual: Any,
) -> None:  # fmt: skip
    at = 0
    for i in range(len(unusual)):
        end = _letters(data, offsets[i], offsets[i + 1], room, _LONGER)
        unusual[i] = end < 0
        if end > _LONGER:
            begin = _spoken(room, _LONGER, end, written, spoken)
            out[at] = room[begin]
            at += 1
            last = sound[room[begin]]
            for k in range(begin + 1, end):
                own = sound[room[k]]
                if own and own != last:
                    out[at] = own
                    at += 1
                if not silent[room[k]]:
                    last = own
        places[i + 1] = at
