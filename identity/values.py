"""Dictionary-coded texts: distinct values with stable hashes, and columns of codes into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.growing import extended, extended_texts
from identity.kernels import hashing
from identity.kernels.buffers import MOST_BYTES, concat
from identity.kernels.codes import count, gather

Codes = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]
NO_CODES: Codes = np.empty(0, dtype=np.int32)
NO_TIMES: Times = np.empty(0, dtype=np.int64)
NEVER = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Values:
    """V distinct normalised texts, none null and none empty, with the stable hash of each (``uint64[V]``).

    A code is a place in ``texts``; it has no meaning and no order. Dictionaries only ever grow.
    """

    texts: pa.Array
    hashes: Hashes

    @classmethod
    def of(cls, texts: pa.Array) -> Values:
        """Make a dictionary of texts that are distinct already."""
        return cls(texts, hashing.hash_texts(texts))

    def __len__(self) -> int:
        return len(self.texts)

    def locate(self, hashes: Hashes) -> Codes:
        """Codes of the values with these hashes, -1 where there is none: ``int32[len(hashes)]``.

        >>> values = Values.of(pa.array(["ann", "bob"]))
        >>> values.locate(hashing.hash_texts(pa.array(["bob", "eve"]))).tolist()
        [1, -1]
        """
        return hashing.locate(self.hashes, hashes)

    def find(self, other: Values) -> Codes:
        """Codes of another dictionary's values in this one, -1 where absent; equal hashes are verified."""
        found = self.locate(other.hashes)
        known = np.flatnonzero(found >= 0)
        same = pc.equal(self.texts.take(pa.array(found[known])), other.texts.take(pa.array(known)))
        for place in known[~np.asarray(same.to_numpy(zero_copy_only=False), dtype=bool)]:
            twins = np.flatnonzero(self.hashes == other.hashes[place])
            text = other.texts[int(place)].as_py()
            found[place] = next((t for t in twins.tolist() if self.texts[t].as_py() == text), -1)
        return found

    def union(self, other: Values) -> tuple[Values, Codes]:
        """This dictionary with the new values of another one at its end, and the other one's codes in it.

        >>> both, codes = Values.of(pa.array(["a", "b"])).union(Values.of(pa.array(["c", "a"])))
        >>> both.texts.to_pylist(), codes.tolist()
        (['a', 'b', 'c'], [2, 0])
        """
        codes = self.find(other)
        fresh = np.flatnonzero(codes < 0)
        if not len(fresh):
            return self, codes
        codes[fresh] = np.arange(len(self), len(self) + len(fresh), dtype=np.int32)
        texts = extended_texts(self.texts, other.texts.take(pa.array(fresh)))
        return Values(texts, extended(self.hashes, other.hashes[fresh])), codes


@dataclass(frozen=True)
class Column:
    """At most one value per record: ``codes`` (``int32[N]``, -1 = none) into the dictionary of ``space``."""

    space: str
    codes: Codes


@dataclass(frozen=True)
class Multi:
    """Any number of values per record.

    ``record`` and ``value`` (``int32[M]``) are the distinct pairs, by record ascending; ``seen`` (``int64[M]``)
    the last sighting of each in microseconds (NEVER where unknown), empty where no time is known at all.
    ``codes`` (``int32[N]``) holds for each record its value with the smallest hash, -1 where it has none.
    """

    space: str
    record: Codes
    value: Codes
    codes: Codes
    seen: Times = field(default_factory=lambda: NO_TIMES)


@dataclass(frozen=True)
class Coded:
    """A column on its own: ``texts``, distinct and not empty once normalised, and ``codes``, -1 = no value."""

    texts: pa.Array
    codes: Codes

    def __len__(self) -> int:
        return len(self.texts)

    def counts(self) -> npt.NDArray[np.int64]:
        """Records per value."""
        return count(self.codes, len(self))

    def used(self) -> Coded:
        """The column without the texts that no record has."""
        present = self.counts() > 0
        if present.all():
            return self
        place = np.where(present, np.cumsum(present, dtype=np.int32) - 1, -1).astype(np.int32)
        return Coded(self.texts.filter(pa.array(present)), gather(place, self.codes))


def numbers(texts: pa.Array) -> Coded:
    """Number the different texts of an array; null and the empty text have no number.

    >>> coded = numbers(pa.array(["x", "", "y", None, "x"]))
    >>> coded.texts.to_pylist(), coded.codes.tolist()
    (['x', 'y'], [0, -1, 1, -1, 0])
    """
    encoded = pc.dictionary_encode(texts)
    codes = indices(encoded)
    empty = np.flatnonzero(np.asarray(pc.binary_length(encoded.dictionary).to_numpy()) == 0)
    if not len(empty):
        return Coded(encoded.dictionary, codes)
    mapping = np.arange(len(encoded.dictionary), dtype=np.int32)
    mapping[empty[0] :] -= 1
    mapping[empty[0]] = -1
    kept = concat([encoded.dictionary.slice(0, empty[0]), encoded.dictionary.slice(empty[0] + 1)])
    return Coded(kept, gather(mapping, codes))


def indices(array: pa.DictionaryArray) -> Codes:
    """The codes of a dictionary-encoded array, -1 for null."""
    filled = pc.fill_null(array.indices, -1) if array.indices.null_count else array.indices
    return np.asarray(filled.to_numpy(zero_copy_only=False)).astype(np.int32, copy=False)


def read(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Read a column as it came, of any type that has a text form: its texts, and codes into them.

    A dictionary-encoded column is used as it is, without looking at each row's text: its texts may repeat.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _read_dictionaries(chunks)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return numbers(concat([_texts(pc.cast(chunk, pa.large_string())) for chunk in chunks]))
    return numbers(concat(chunks))


def _texts(array: pa.Array) -> pa.Array:
    """The array with 32-bit offsets where they do."""
    small = array.nbytes <= MOST_BYTES and pa.types.is_large_string(array.type)
    return array.cast(pa.string()) if small else array


def _read_dictionaries(chunks: Sequence[pa.DictionaryArray]) -> Coded:
    """Chunks of one file often share one dictionary: each different dictionary is read once."""
    parts: dict[tuple[int, ...], pa.Array] = {}
    starts: dict[tuple[int, ...], int] = {}
    codes, start = [NO_CODES], 0
    for chunk in chunks:
        own = chunk.dictionary
        which = identity(own)
        if which not in parts:
            plain = own if pa.types.is_string(own.type) else _texts(pc.cast(own, pa.large_string()))
            parts[which] = pc.fill_null(plain, "") if plain.null_count else plain
            starts[which], start = start, start + len(own)
        place = np.int32(starts[which])
        raw = indices(chunk)
        codes.append(np.where(raw >= 0, raw + place, np.int32(-1)) if place else raw)
    whole = np.concatenate(codes)
    if len(parts) < 2:
        return Coded(concat(list(parts.values())), whole).used()
    together = numbers(concat(list(parts.values())))
    return Coded(together.texts, gather(together.codes, whole)).used()


def identity(dictionary: pa.Array) -> tuple[int, ...]:
    """Which memory a dictionary is in: chunks of one file often share one."""
    addresses = [buffer.address if buffer is not None else 0 for buffer in dictionary.buffers()]
    return (dictionary.offset, len(dictionary), *addresses)


def distinct(raw: Coded) -> Coded:
    """The column with texts that do not repeat."""
    return recode(raw, raw.texts)


def recode(raw: Coded, normalised: pa.Array) -> Coded:
    """Replace each text of a column by its normalised form (one per text); the empty form is no value.

    >>> raw = numbers(pa.array(["Ann", "ann", "-"]))
    >>> made = recode(raw, pa.array(["ann", "ann", ""]))
    >>> made.texts.to_pylist(), made.codes.tolist()
    (['ann'], [0, 0, -1])
    """
    made = numbers(normalised)
    return Coded(made.texts, gather(made.codes, raw.codes))


def coalesce(first: Coded, second: Coded, take: Flags | None = None) -> Coded:
    """``first`` where it has a value, else ``second`` (only where ``take``, if given)."""
    if not len(second) or not len(first):
        use = np.ones(len(second.codes), dtype=bool) if take is None else take
        return first if len(first) else Coded(second.texts, np.where(use, second.codes, np.int32(-1)))
    both = numbers(concat([first.texts, second.texts]))
    left = gather(both.codes[: len(first)], first.codes)
    right = gather(both.codes[len(first) :], second.codes)
    use = left < 0 if take is None else (left < 0) & take
    return Coded(both.texts, np.where(use, right, left))


def combine(first: Coded, second: Coded) -> Coded:
    """The two values of each record joined by a blank; only records that have both have a value."""
    both = (first.codes >= 0) & (second.codes >= 0)
    width = max(len(second), 1)
    packed = pa.array(first.codes[both].astype(np.int64) * width + second.codes[both])
    pairs = pc.dictionary_encode(packed)
    distinct = np.asarray(pairs.dictionary.to_numpy())
    left, right = pa.array(distinct // width), pa.array(distinct % width)
    joined = numbers(pc.binary_join_element_wise(first.texts.take(left), second.texts.take(right), " "))
    codes = np.full(len(first.codes), -1, dtype=np.int32)
    codes[both] = gather(joined.codes, indices(pairs))
    return Coded(joined.texts, codes)


def stack(parts: Sequence[Coded]) -> Coded:
    """The columns one below the other, with one dictionary."""
    if len(parts) == 1:
        return parts[0]
    both = numbers(concat([part.texts for part in parts]))
    codes, start = [], 0
    for part in parts:
        codes.append(gather(both.codes[start : start + len(part)], part.codes))
        start += len(part)
    return Coded(both.texts, np.concatenate(codes))
