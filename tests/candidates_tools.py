"""Random blocking keys, and the candidate pairs by their definition, slowly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from identity.candidates import Candidates, Key, Limits

PLACES = {"postcode", "city"}
Pair = tuple[int, int]


def random_keys(random: np.random.Generator, size: int, spread: int) -> list[Key]:
    """Keys of every sort whose values are few, so that blocks of all sizes come about."""

    def codes(values: int) -> npt.NDArray[np.int32]:
        common = random.integers(0, values, size) * random.integers(0, 2, size)
        return np.where(random.random(size) < 0.15, -1, common).astype(np.int32)

    def several(values: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        found = sorted(
            set(zip(*random.integers(0, (max(size, 1), values), (size, 2)).T.tolist(), strict=True))
        )
        both = np.array(found, np.int32).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def first(shared: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
        out = np.full(size, -1, np.int32)
        out[shared[0][::-1]] = shared[1][::-1]
        return out

    emails = several(2 * spread)
    return [
        Key("given", "name", codes(spread), spread),
        Key("surname", "name", codes(spread), spread),
        Key("sound", "sound", codes(2 * spread), 2 * spread, combine=False),
        Key("birth_date", "birth_date", codes(spread), spread),
        Key("postcode", "postcode", codes(spread), spread),
        Key("city", "city", codes(2), 2),
        Key("text", "text", codes(3), 3, alone=False),
        Key("email", "email", first(emails), 2 * spread, several=emails, identifier=True),
        Key("phone", "phone", codes(3 * spread), 3 * spread, identifier=True),
        _with_second(random, Key("card", "card", codes(2 * spread), 2 * spread, identifier=True)),
    ]


def _with_second(random: np.random.Generator, key: Key) -> Key:
    """The key with a second value for one record in twenty."""
    both = [(row, code) for row, code in enumerate(key.codes.tolist()) if code >= 0]
    more = [(row, (code + 1) % key.size) for row, code in both if random.random() < 0.05]
    return several_or_none(
        replace(key, several=tuple(np.array(both + more, np.int32).reshape(-1, 2).T.copy()))
    )


def several_or_none(key: Key) -> Key:
    """The key without ``several`` where no record has more than one value."""
    if key.several and len(key.several[0]) == int((key.codes >= 0).sum()):
        return replace(key, several=None)
    return key


def random_order(random: np.random.Generator, size: int) -> npt.NDArray[np.uint64]:
    """A hash for each record."""
    return random.permutation(np.arange(1, size + 1)).astype(np.uint64) << np.uint64(40)


def pairs(found: Candidates, chunk: int = 7) -> list[Pair]:
    """All pairs of all chunks, in their order."""
    return [
        pair
        for left, right in found.chunks(chunk)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    ]


def some(keys: Sequence[Key], names: set[str]) -> list[Key]:
    """The keys of these names."""
    return [replace(key) for key in keys if key.name in names]


class Slow:
    """Candidates by their definition: each pair against each block that it shares."""

    def __init__(self, keys, active, order, cap: int, limits: Limits) -> None:
        self.keys, self.cap, self.limits, self.order = list(keys), cap, limits, order.tolist()
        self.rows = np.flatnonzero(active).tolist()
        self.value = {key.name: key.codes.tolist() for key in keys}
        self.counts: dict[str, Counter[int]] = {}
        for key in keys:
            found = self.counts.setdefault(key.space, Counter())
            found.update(self.value[key.name][row] for row in self.rows)

    def pairs(self) -> set[Pair]:
        everyone = {*combinations(self.rows, 2)}
        if len(self.rows) <= self.limits.all_pairs:
            return everyone
        found = self._single() | self._several() | self._combined() | self._stars()
        return {(min(pair), max(pair)) for pair in found if pair[0] != pair[1]}

    def _blocks(self, shared: dict[int, list[int]]) -> set[Pair]:
        return {p for rows in shared.values() if len(rows) <= self.cap for p in combinations(rows, 2)}

    def _single(self) -> set[Pair]:
        found = set()
        for space in {key.space for key in self.keys if key.alone}:
            shared: dict[int, list[int]] = {}
            for key in self.keys:
                for row in self.rows if key.space == space else ():
                    shared.setdefault(self.value[key.name][row], []).append(row)
            shared.pop(-1, None)
            found |= self._blocks(shared)
        return found

    def _members(self, key: Key) -> dict[int, list[int]]:
        record, value = key.several or (np.arange(len(key.codes)), key.codes)
        shared: dict[int, list[int]] = {}
        for row, code in zip(record.tolist(), value.tolist(), strict=True):
            if row in self.rows and code >= 0:
                shared.setdefault(code, []).append(row)
        return shared

    def _several(self) -> set[Pair]:
        return set().union(*(self._blocks(self._members(key)) for key in self.keys if key.several))

    def _stars(self) -> set[Pair]:
        found = set()
        for key in self.keys:
            for rows in self._members(key).values() if key.identifier else ():
                if self.cap < len(rows) <= self.limits.largest_star:
                    least = sorted(rows, key=self.order.__getitem__)[: self.limits.star]
                    found |= {(one, other) for one in least for other in rows}
        return found

    def _wide(self, key: Key, row: int) -> int | None:
        code = self.value[key.name][row]
        most = self.cap if any(k.alone for k in self.keys if k.space == key.space) else 1
        return code if code >= 0 and self.counts[key.space][code] > most else None

    def _combined(self) -> set[Pair]:
        wide = [key for key in self.keys if key.combine]
        doubles = [both for both in combinations(wide, 2) if not {key.space for key in both} <= PLACES]
        triples = [three for three in combinations(wide, 3) if len({key.space for key in three}) >= 2]
        return set().union(*(self._blocks(self._sharing(keys)) for keys in [*doubles, *triples]))

    def _sharing(self, keys: Sequence[Key]) -> dict[object, list[int]]:
        """Records by their common values of these keys; keys of one space may stand in either order."""
        shared: dict[object, list[int]] = {}
        for row in self.rows:
            values = sorted(
                (key.space, self._wide(key, row)) for key in keys if self._wide(key, row) is not None
            )
            if len(values) == len(keys):
                shared.setdefault(tuple(values), []).append(row)
        return shared
