"""Blocking keys: what two records may share, and how many records share each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from identity.kernels import blocks

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
NONE: Codes = np.empty(0, dtype=np.int32)
CAPS = (80, 40, 20, 12)
CAP = CAPS[1]
PLACES = frozenset({"postcode", "city"})
MOST_COMBINED = 32
"""Keys that are combined: the first ones, if there are more."""
_BUDGET = 2_000_000
_PAIRS_PER_RECORD = 10
_NO_LIMIT = 1 << 40


@dataclass(frozen=True)
class KeySpec:
    """What a blocking key is, without its data.

    Keys of one ``space`` number their values alike and can meet each other (swapped names). ``alone``: a value
    that few records share is enough for a comparison. ``combine``: a common value tells something together with
    one of another key. ``identifier``: a common value is still compared with some representatives.
    """

    name: str
    space: str
    alone: bool = True
    combine: bool = True
    identifier: bool = False


@dataclass(frozen=True)
class Key:
    """One blocking key of N records.

    ``codes``: int32[N], the number of each record's value below ``size``, -1 for none. ``several``: all values
    of all records as (record, value), both int32[M], where records may have more than the one in ``codes``.
    """

    name: str
    space: str
    codes: Codes
    size: int
    alone: bool = True
    combine: bool = True
    several: tuple[Rows, Codes] | None = None
    identifier: bool = False


@dataclass(frozen=True)
class Limits:
    """How much is compared: what a model version freezes besides the cap.

    Up to ``all_pairs`` active records every pair is compared. Too common values of identifiers get a star of
    ``star`` representatives up to ``largest_star`` records; beyond, they are reported.
    """

    all_pairs: int = 1_500
    star: int = 8
    largest_star: int = 5_000


LIMITS = Limits()


@dataclass(frozen=True)
class Counts:
    """How many active records have each value: per space (all its keys together), and of ``several`` by key."""

    spaces: dict[str, Codes]
    several: dict[str, Codes]


def count(keys: Sequence[Key], active: Flags) -> Counts:
    """Count the values of the active records, in one pass over each key.

    >>> key = Key("city", "city", np.array([0, 1, 0, -1], np.int32), 2)
    >>> count([key], np.array([True, True, True, True])).spaces["city"].tolist()
    [2, 1]
    """
    sizes = _sizes(keys)
    nothing = Counts(
        {space: np.zeros(size, np.int32) for space, size in sizes.items()},
        {key.name: np.zeros(key.size, np.int32) for key in keys if key.several},
    )
    return recount(nothing, keys, [(active, 1)])


def recount(counts: Counts, keys: Sequence[Key], changes: Sequence[tuple[Flags, int]]) -> Counts:
    """The counts after the values of some records were added, or (-1) taken out."""
    # One more place at the end takes those without value.
    spaces = {name: np.append(found, np.int32(0)) for name, found in counts.spaces.items()}
    several = {name: np.append(found, np.int32(0)) for name, found in counts.several.items()}
    for flags, by in changes:
        rows = np.flatnonzero(flags)
        few = len(rows) < len(flags) // 8
        for key in keys:
            codes, active = (key.codes[rows], np.ones(len(rows), bool)) if few else (key.codes, flags)
            blocks.tally(NONE, codes, active, by, spaces[key.space])
            if key.several:
                blocks.tally(*key.several, flags, by, several[key.name])
    return Counts(
        {name: found[:-1] for name, found in spaces.items()},
        {name: found[:-1] for name, found in several.items()},
    )


@dataclass(frozen=True)
class Values:
    """The values of one space, or of one key of which records have ``several``, and who has them.

    ``sides``: record (empty where code i is that of record i), codes, and the key's bit among the combined
    keys (0: it does not combine). ``limits``: largest block of which all pairs are compared, largest block
    that gets a star, representatives of a star, largest block that is not combined.
    """

    name: str
    several: bool
    sides: list[tuple[Rows, Codes, np.uint32]]
    limits: npt.NDArray[np.int64]

    def counts(self, counts: Counts) -> Codes:
        """The counts of these values."""
        return counts.several[self.name] if self.several else counts.spaces[self.name]

    def touched(self, rows: Rows, flags: Flags) -> Codes:
        """The values of some records, given both as numbers and as flags."""
        return np.concatenate(
            [c[flags[r]] if len(r) else c[rows] for r, c, _ in self.sides if len(c)] or [NONE]
        )


def combinable(keys: Sequence[Key]) -> list[Key]:
    """The keys that combine with each other, places last."""
    return sorted([key for key in keys if key.combine][:MOST_COMBINED], key=lambda key: key.space in PLACES)


def values(keys: Sequence[Key], cap: int, limits: Limits) -> list[Values]:
    """The values that make blocks: by space, then those of keys with several values a record."""
    bits = {key.name: np.uint32(1 << place) for place, key in enumerate(combinable(keys))}
    found = []
    for space in _sizes(keys):
        members = [key for key in keys if key.space == space]
        alone = any(key.alone for key in members)
        star = limits.largest_star if any(k.identifier and not k.several for k in members) else 0
        combined = any(key.name in bits for key in members)
        bound = [cap if alone else 0, star, limits.star, (cap if alone else 1) if combined else _NO_LIMIT]
        sides = [(NONE, key.codes, bits.get(key.name, np.uint32(0))) for key in members]
        found.append(Values(space, False, sides, np.array(bound, np.int64)))
    for key in keys:
        if key.several:
            bound = [cap, limits.largest_star if key.identifier else 0, limits.star, _NO_LIMIT]
            sides = [(*key.several, np.uint32(0))]
            found.append(Values(key.name, True, sides, np.array(bound, np.int64)))
    return found


def _sizes(keys: Sequence[Key]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for key in keys:
        sizes[key.space] = max(key.size, sizes.get(key.space, 0))
    return sizes


def choose_cap(keys: Sequence[Key], active: Flags) -> int:
    """The largest cap for which the single keys stay within 10 pairs a record (2,000,000 for small inputs).

    A model version keeps the cap that was chosen, so that increments see the same blocks.
    """
    blocks_of = np.zeros(CAPS[0] + 2, np.int64)
    for key in keys:
        if key.alone:
            counts = np.zeros(key.size + 1, np.int32)
            blocks.tally(NONE, key.codes, active, 1, counts)
            blocks_of += np.bincount(np.minimum(counts[:-1], CAPS[0] + 1), minlength=len(blocks_of))
    size = np.arange(len(blocks_of))
    pairs = np.cumsum(blocks_of * (size * (size - 1) // 2))
    for cap in CAPS[:-1]:
        if pairs[cap] <= max(_BUDGET, _PAIRS_PER_RECORD * int(active.sum())):
            return cap
    return CAPS[-1]
