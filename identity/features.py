"""What comparisons need to know of each distinct value, worked out once: text as code units, sounds, parts.

Features of a value depend on the value alone. They are append-only like the dictionary that they belong to, so
that an increment works out those of its new values only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.growing import extended
from identity.kernels.buffers import views
from identity.kernels.hashing import hash_texts
from identity.kernels.names import mark
from identity.kernels.strings import pack, to_utf16
from identity.normalise import fast
from identity.normalise.fast_sounds import consonant_codes
from identity.normalise.nicknames import families

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Texts:
    """Values as UTF-16 code units in one buffer, with what kernels read first (``packed``, see there)."""

    text: npt.NDArray[np.uint16]
    packed: Hashes

    @classmethod
    def of(cls, values: pa.Array) -> Texts:
        """Read the values of an Arrow string array."""
        data, offsets = views(values)
        text = np.empty(int(offsets[-1] - offsets[0]), np.uint16)
        start = np.empty(len(values) + 1, np.int64)
        used = to_utf16(data, offsets, text, start)
        text = text[:used].copy() if used < len(text) else text
        packed = np.zeros((len(values), 2), np.uint64)
        pack(text, start, packed)
        return cls(text, packed)

    def joined(self, other: Texts) -> Texts:
        """These values, then the other's."""
        packed = extended(self.packed, other.packed)
        packed[len(self.packed) :, 1] += np.uint64(len(self.text) << _START)
        return Texts(extended(self.text, other.text), packed)


_START = 34  # the bit from which on the second word holds where a text starts


@dataclass(frozen=True)
class NameFeatures:
    """Of names: ids of nickname families (0 pads), hashes of the name's parts (0 pads), hash of its sound.

    ``text`` and ``packed``: as in ``Texts``, with flags, and with the hash of the sound (0 for none) as third word.
    """

    family: npt.NDArray[np.int32]
    part: Hashes
    text: npt.NDArray[np.uint16]
    packed: Hashes

    @classmethod
    def of(cls, values: pa.Array) -> NameFeatures:
        """Work out the features of normalised names."""
        known = families()
        width = max(map(len, known.values()))
        table = np.zeros((len(known) + 1, width), np.int32)
        for place, ids in enumerate(known.values()):
            table[place, : len(ids)] = np.asarray(ids) + 1
        found = pc.index_in(values, value_set=pa.array(list(known), values.type))
        family = table[pc.fill_null(found, len(known)).to_numpy(zero_copy_only=False)]
        texts = values.to_pylist()
        sound = hash_texts(consonant_codes(values))
        sound[fast.flags(pc.equal(pc.binary_length(consonant_codes(values)), 0))] = 0
        read = Texts.of(values)
        packed = np.concatenate([read.packed, sound[:, None], np.zeros((len(texts), 1), np.uint64)], axis=1)
        mark(packed, family, fast.flags(pc.match_substring(values, " ")))
        return cls(family, _parts(values, texts), read.text, packed)

    def joined(self, other: NameFeatures) -> NameFeatures:
        """These names, then the other's."""
        packed = extended(self.packed, other.packed)
        packed[len(self.packed) :, 1] += np.uint64(len(self.text) << _START)
        return NameFeatures(
            extended(self.family, other.family),
            extended(self.part, other.part),
            extended(self.text, other.text),
            packed,
        )


def _parts(values: pa.Array, texts: list[str]) -> Hashes:
    """The name written as one word, and its two longest words."""
    part = np.zeros((len(texts), 3), np.uint64)
    part[:, 0] = hash_texts(values)
    several = np.flatnonzero(pc.match_substring(values, " ").to_numpy(zero_copy_only=False))
    pieces = [texts[place].split() for place in several]
    longest = [sorted({p for p in words if len(p) > 2}, key=lambda p: (-len(p), p))[:2] for words in pieces]
    part[several, 0] = _hash_or_zero(["".join(words) for words in pieces])
    for slot in (0, 1):
        part[several, slot + 1] = _hash_or_zero([w[slot] if len(w) > slot else "" for w in longest])
    return part


def _hash_or_zero(texts: list[str]) -> Hashes:
    hashes = np.asarray(hash_texts(pa.array(texts, pa.string())), dtype=np.uint64)
    hashes[np.fromiter((not text for text in texts), bool, len(texts))] = 0
    return hashes


@dataclass(frozen=True)
class EmailFeatures:
    """Of e-mail addresses: hash of the name part (0 where it is short), its length, hash of the domain."""

    local: Hashes
    length: npt.NDArray[np.int32]
    domain: Hashes

    @classmethod
    def of(cls, values: pa.Array) -> EmailFeatures:
        """Split at the last @."""
        whole = pc.match_substring(values, "@")
        local = pc.if_else(whole, pc.replace_substring_regex(values, "@[^@]*$", ""), "")
        hashes = np.array(hash_texts(local), dtype=np.uint64)
        length = pc.utf8_length(local).to_numpy(zero_copy_only=False).astype(np.int32)
        hashes[length < 4] = 0
        domain = pc.replace_substring_regex(values, "^.*@", "")
        return cls(hashes, length, np.asarray(hash_texts(domain), dtype=np.uint64))


@dataclass(frozen=True)
class DateFeatures:
    """Of dates: yyyymmdd as a number."""

    number: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: pa.Array) -> DateFeatures:
        """Read eight digits."""
        return cls(pc.cast(values, pa.int64()).to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class StreetFeatures:
    """Of streets: hashes of the longest words and of numbers (0 pads)."""

    words: Hashes

    @classmethod
    def of(cls, values: pa.Array) -> StreetFeatures:
        """Read up to four words."""
        pieces = [
            sorted({w for w in text.split() if len(w) > 2 or w.isdigit()}, key=lambda w: (-len(w), w))
            for text in values.to_pylist()
        ]
        return cls(_word_table(pieces, _STREET_WORDS))


@dataclass(frozen=True)
class CompanyFeatures:
    """Of names of organisations, by hash (0 pads): words, numbers, the name as one word, its initials.

    ``rare``: words that few names have, which count three; ``mass``: the weight of all words of the name.
    """

    words: Hashes
    rare: npt.NDArray[np.bool_]
    mass: npt.NDArray[np.int32]
    digits: Hashes
    joined: Hashes
    acronym: Hashes

    @classmethod
    def of(cls, values: pa.Array, common: frozenset[str]) -> CompanyFeatures:
        """``common``: the words that many names have. Rare and long words come first, at most eight."""
        split = [text.split() for text in values.to_pylist()]
        own = [{w for w in pieces if not w.isdigit() and len(w) > 1} for pieces in split]
        telling = [sorted(ws, key=lambda w: (w in common, -len(w), w))[:_WORDS] for ws in own]
        words = _word_table(telling, _WORDS)
        rare = np.zeros(words.shape, np.bool_)
        for row, pieces in enumerate(telling):
            rare[row, : len(pieces)] = [w not in common for w in pieces]
        mass = np.where(words != 0, np.where(rare, _RARE_WEIGHT, 1), 0).sum(axis=1).astype(np.int32)
        digits = _word_table([sorted({w for w in pieces if w.isdigit()}) for pieces in split], _DIGITS)
        joined = _hash_or_zero(["".join(pieces) for pieces in split])
        initials = ["".join(w[0] for w in pieces) if len(pieces) >= 3 else "" for pieces in split]
        return cls(words, rare, mass, digits, joined, _hash_or_zero(initials))


_STREET_WORDS, _WORDS, _DIGITS = 4, 8, 3
_RARE_WEIGHT = 3


def common_words(values: pa.Array) -> frozenset[str]:
    """Words that more than five names, and more than one in 200, have."""
    counts = Counter(word for text in values.to_pylist() for word in set(text.split()))
    usual = max(5, len(values) // 200)
    return frozenset(word for word, count in counts.items() if count > usual)


def _word_table(pieces: list[list[str]], width: int) -> Hashes:
    """Hashes of the first words of each value, side by side, 0 where there are fewer."""
    table = np.zeros((len(pieces), width), np.uint64)
    for slot in range(width):
        table[:, slot] = _hash_or_zero([words[slot] if len(words) > slot else "" for words in pieces])
    return table


KINDS: dict[str, Any] = {
    "texts": Texts,
    "names": NameFeatures,
    "emails": EmailFeatures,
    "dates": DateFeatures,
    "streets": StreetFeatures,
    "companies": CompanyFeatures,
}
"""Features by the name of their kind: dataclasses of arrays, made by ``of``."""


def joined(first: Any, second: Any) -> Any:
    """Features of values one after the other."""
    if isinstance(first, Texts | NameFeatures):
        return first.joined(second)
    parts = (extended(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))
    return type(first)(*parts)


class FeatureStore:
    """Features by space and kind, extended on demand to the values that a space has now."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, Any]] = {}

    def get(self, kind: str, space: str, values: pa.Array, **given: Any) -> Any:
        """Features of ``kind`` of all ``values``; those that were known before are not worked out again.

        ``given``: what the kind needs besides, always the same.
        """
        size, found = self._found.get((space, kind), (0, None))
        if found is None or size < len(values):
            fresh = KINDS[kind].of(values.slice(size), **given)
            found = fresh if found is None else joined(found, fresh)
            self._found[space, kind] = len(values), found
        return found

    def known(self) -> list[tuple[tuple[str, str], tuple[int, Any]]]:
        """What is known: (space, kind) with the number of values and their features."""
        return sorted(self._found.items(), key=lambda item: item[0])

    def put(self, space: str, kind: str, size: int, found: Any) -> None:
        """Take features that were known before."""
        self._found[space, kind] = size, found

    def fork(self) -> FeatureStore:
        """A store that may go on with other values, without touching this one."""
        other = FeatureStore()
        other._found = dict(self._found)
        return other
