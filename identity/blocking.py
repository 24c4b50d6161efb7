"""Candidate pairs without hand-written rules.

Each field gives a key per record. Records that share a key are compared if they are at most ``cap``; where a
key is shared by more, two such keys must agree, and where those still are too many, three. A pair that shares
only common values is therefore never compared, whatever the data; what was left out is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from identity.records import Coded, Codes, RecordSet, recode, sounds

Keys = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
CAPS = (80, 40, 20, 12)
CAP = CAPS[1]
_BUDGET = 2_000_000
_PAIRS_PER_RECORD = 10
ALL_PAIRS = 1_500  # records up to which every pair is compared
_PLACES = frozenset({"postcode", "city"})
_LOCAL_PART = 5
_NOT_TEXT = frozenset(
    "given_name middle_name surname suffix gender birth_date company door street street_number postcode city "
    "region country".split()
)


@dataclass(frozen=True)
class Slot:
    """One key column. Slots of one ``space`` number their values alike, so that they can meet each other."""

    space: str
    codes: Codes
    alone: bool = True
    combine: bool = True


@dataclass(frozen=True)
class Blocks:
    """Candidate pairs (``left`` < ``right``, sorted, distinct) and the number of records in keys left out.

    ``coverage``: per key, how many records and values it has and how many pairs it emits; for the report.
    """

    left: Rows
    right: Rows
    oversize: dict[str, int]
    coverage: list[dict[str, Any]] = field(default_factory=list)
    without_key: int = 0
    cap: int | None = None


def slots(records: RecordSet, given: Codes, surname: Codes, spoken: Codes) -> list[Slot]:
    """The key columns of a set of records, without further values of identifiers."""
    found = [Slot("name", given), Slot("name", surname), Slot("sound", spoken, combine=False)]
    columns = records.columns
    if "birth_date" in columns:
        found.append(Slot("birth_date", _date_keys(columns["birth_date"])))
    whole = ("door", "postcode", "city", "company")
    found += [Slot(role, columns[role].codes) for role in whole if role in columns]
    if "company" in columns:
        found.append(Slot("company by sound", sounds(columns["company"]).codes, combine=False))
        found.append(Slot("first word", _first_words(columns["company"])))
    for (kind, namespace), column in records.identifiers.items():
        found.append(Slot(f"{kind}/{namespace}", column.codes))
        if kind == "email":
            found.append(Slot("local part", _local_parts(column), combine=False))
    texts = sorted(set(columns) - _NOT_TEXT)
    found += [
        Slot(name, columns[name].codes, alone=False) for name in texts if len(columns[name].values) > CAP
    ]
    return [slot for slot in found if (slot.codes >= 0).any()]


def coverage(all_slots: Sequence[Slot], cap: int | None) -> list[dict[str, Any]]:
    """Per key: records that have a value, values, pairs within the cap, records of values above it."""
    found = []
    for space in dict.fromkeys(slot.space for slot in all_slots):
        members = [slot for slot in all_slots if slot.space == space]
        sizes = np.bincount(np.concatenate([slot.codes[slot.codes >= 0] for slot in members]))
        alone = any(slot.alone for slot in members)
        small = sizes <= (len(members[0].codes) if cap is None else cap if alone else 1)
        found.append(
            {
                "key": space.rstrip("/").replace("_", " "),
                "values": int((sizes > 0).sum()),
                "records": int(np.any([slot.codes >= 0 for slot in members], axis=0).sum()),
                "pairs": int((sizes[small] * (sizes[small] - 1) // 2).sum()),
                "first": None,
                "oversize_records": int(sizes[~small].sum()),
            }
        )
    return found


def choose_cap(all_slots: Sequence[Slot], records: int) -> int:
    """The largest cap for which the single keys stay within 10 pairs a record (2,000,000 for small inputs).

    A model version keeps the cap that was chosen, so that increments see the same blocks.
    """
    sizes = [np.bincount(slot.codes[slot.codes >= 0]) for slot in all_slots if slot.alone]
    for cap in CAPS[:-1]:
        pairs = sum(int((s[s <= cap] * (s[s <= cap] - 1) // 2).sum()) for s in sizes)
        if pairs <= max(_BUDGET, _PAIRS_PER_RECORD * records):
            return cap
    return CAPS[-1]


def _date_keys(column: Coded) -> Codes:
    """Dates of which day and month are swapped share a key."""
    return recode(column.codes, [v[:4] + "".join(sorted((v[4:6], v[6:8]))) for v in column.values]).codes


def _first_words(column: Coded) -> Codes:
    """The first word of an organisation that is long enough to tell something."""
    long = [[word for word in value.split() if len(word) > 3] for value in column.values]
    return recode(column.codes, [words[0] if words else "" for words in long]).codes


def _local_parts(column: Coded) -> Codes:
    local = [value.partition("@")[0] for value in column.values]
    return recode(column.codes, [part if len(part) >= _LOCAL_PART else "" for part in local]).codes


def spoken_names(surname: Coded, given: Codes, initials: Codes) -> Codes:
    """Surname by sound with the initial of the given name."""
    sound = sounds(surname).codes
    both = (sound >= 0) & (given >= 0)
    keys = np.full(len(sound), -1, dtype=np.int64)
    keys[both] = sound[both].astype(np.int64) * 0x110000 + initials[given[both]]
    distinct, codes = np.unique(keys, return_inverse=True)
    return (codes - (1 if len(distinct) and distinct[0] < 0 else 0)).astype(np.int32)


def _groups(keys: Keys) -> tuple[Rows, Rows, Rows]:
    """Sort positions by key and give start and size of each run of equal keys."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = (
        np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, np.int64)
    )
    return order, starts, np.diff(np.r_[starts, len(ordered)])


def _pairs(rows: Rows, starts: Rows, sizes: Rows, cap: int) -> list[npt.NDArray[np.uint64]]:
    """All pairs inside runs of 2 to ``cap`` rows, packed into one number, blocks of one size at a time."""
    out = []
    for size in np.unique(sizes):
        if size < 2 or size > cap:
            continue
        block = rows[starts[sizes == size][:, None] + np.arange(size)]
        one, two = np.triu_indices(size, 1)
        out.append(pack(block[:, one].ravel(), block[:, two].ravel()))
    return out


def pack(left: Rows, right: Rows) -> npt.NDArray[np.uint64]:
    """Two record numbers in one unsigned 64-bit number, the smaller one first."""
    low, high = np.minimum(left, right).astype(np.uint64), np.maximum(left, right).astype(np.uint64)
    return (low << np.uint64(32)) | high


def distinct(packed: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Sorted distinct values; sorting is several times faster here than the hashing of ``np.unique``."""
    packed.sort()
    return packed[np.r_[True, packed[1:] != packed[:-1]]] if len(packed) else packed


def every_pair(rows: Rows) -> Blocks:
    """All pairs of the rows, for inputs so small that no block is needed."""
    one, two = np.triu_indices(len(rows), 1)
    return Blocks(rows[one], rows[two], {})


def unpack(packed: npt.NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """The inverse of ``pack``."""
    return (packed >> np.uint64(32)).astype(np.int64), (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)


def block(all_slots: Sequence[Slot], extra: Sequence[tuple[Rows, Codes]] = (), cap: int = CAP) -> Blocks:
    """Emit the candidate pairs of single keys, then of pairs and triples of oversize keys."""
    out: list[npt.NDArray[np.uint64]] = []
    oversize: dict[str, int] = {}
    large = [
        _single(space, [s for s in all_slots if s.space == space], cap, out, oversize)
        for space in dict.fromkeys(s.space for s in all_slots)
    ]
    wide = [item for group in large for item in group]
    double: list[tuple[frozenset[int], frozenset[str], Keys]] = []
    for (i, (space_a, keys_a)), (j, (space_b, keys_b)) in combinations(enumerate(wide), 2):
        if {space_a, space_b} <= _PLACES:
            continue
        keys = _joined(keys_a, keys_b, same_space=space_a == space_b)
        rest = _emit(keys, cap, out)
        if rest is not None:
            double.append((frozenset((i, j)), frozenset((space_a, space_b)), rest))
    for used, spaces, keys in double:
        for place in range(max(used) + 1, len(wide)):
            space, third = wide[place]
            if spaces | {space} != spaces or spaces == {"name"}:
                rest = _emit(_joined(keys, third), cap, out)
                if rest is not None:
                    label = " + ".join(sorted(spaces | {space}))
                    oversize[label] = oversize.get(label, 0) + int((rest >= 0).sum())
    for rows, codes in extra:
        order, starts, sizes = _groups(codes.astype(np.int64))
        out += _pairs(rows[order].astype(np.int64), starts, sizes, cap)
    packed = distinct(np.concatenate(out)) if out else np.empty(0, np.uint64)
    left, right = unpack(packed)
    keep = left != right
    return Blocks(left[keep], right[keep], oversize)


def _single(
    space: str, members: Sequence[Slot], cap: int, out: list[npt.NDArray[np.uint64]], oversize: dict[str, int]
) -> list[tuple[str, Keys]]:
    rows = np.concatenate([np.flatnonzero(s.codes >= 0) for s in members])
    codes = np.concatenate([s.codes[s.codes >= 0] for s in members]).astype(np.int64)
    order, starts, sizes = _groups(codes)
    values = codes[order][starts]
    if any(s.alone for s in members):
        out += _pairs(rows[order], starts, sizes, cap)
        large = sizes > cap
    else:
        large = sizes > 1
    if not large.any():
        return []
    if not any(s.combine for s in members):
        oversize[space] = int(sizes[large].sum())
        return []
    wide = np.zeros(int(values.max()) + 1, dtype=bool)
    wide[values[large]] = True
    return [
        (space, np.where((s.codes >= 0) & wide[s.codes], s.codes, -1).astype(np.int64))
        for s in members
        if s.combine
    ]


def _joined(first: Keys, second: Keys, *, same_space: bool = False) -> Keys:
    both = (first >= 0) & (second >= 0)
    low, high = (np.minimum(first, second), np.maximum(first, second)) if same_space else (first, second)
    return np.where(both, (low << 31) | high, np.int64(-1))


def _emit(keys: Keys, cap: int, out: list[npt.NDArray[np.uint64]]) -> Keys | None:
    """Emit the groups of at most ``cap``; return the keys of larger ones, renumbered, or None."""
    rows = np.flatnonzero(keys >= 0)
    if len(rows) < 2:
        return None
    order, starts, sizes = _groups(keys[rows])
    out += _pairs(rows[order], starts, sizes, cap)
    large = sizes > cap
    if not large.any():
        return None
    number = np.where(large, np.cumsum(large) - 1, -1)
    rest = np.full(len(keys), -1, dtype=np.int64)
    rest[rows[order]] = np.repeat(number, sizes)
    return rest
