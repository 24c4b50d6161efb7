"""Which other records an update touches: blocks that cross the cap, and stars with other representatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from identity.combined import Groups, Starts, Wide, walk
from identity.kernels import blocks
from identity.keys import (
    LIMITS,
    Codes,
    Counts,
    Flags,
    Hashes,
    Key,
    Limits,
    Rows,
    Values,
    combinable,
    count,
    recount,
    values,
)


@dataclass(frozen=True)
class Change:
    """Records that appeared, left or changed.

    ``rows``: their numbers, distinct; ``was``: which of them were active before; ``past``: their keys before,
    in the order of the keys now, with codes (and records of ``several``) by place in ``rows``. Without
    ``past`` the values are as before, and only activity changed.
    """

    rows: Rows
    was: Flags
    past: Sequence[Key] | None = None


def flips(
    keys: Sequence[Key],
    active: Flags,
    order: Hashes,
    cap: int,
    change: Change,
    edges: tuple[Rows, Rows],
    *,
    counts: Counts | None = None,
    limits: Limits = LIMITS,
) -> Rows:
    """Records besides the changed ones whose candidate pairs may have changed.

    ``keys``, ``active``, ``order`` and ``counts`` are those after the change; ``edges``: the good edges before
    it. With ``dirty`` = the changed records and these, the good edges after the change are exactly the good
    edges before it between records that are not dirty, and the good ones of ``emit(..., dirty=dirty)``.

    - A block that shrank to the cap brings pairs: its members are returned.
    - A block that grew over the cap takes pairs away: of its good edges those are rechecked that share no
      other small block of a single value; their ends are returned.
    - A star with other representatives: those that joined or left them are returned.
    - Where the number of active records crosses ``limits.all_pairs``, all of them are returned.
    """
    now = int(active.sum())
    before = now - int(active[change.rows].sum()) + int(change.was.sum())
    if max(now, before) <= limits.all_pairs:
        return np.empty(0, np.int32)
    if min(now, before) <= limits.all_pairs:
        others = active.copy()
        others[change.rows] = False
        return np.flatnonzero(others).astype(np.int32)
    keys, past = _alike(keys, change.past)
    known = counts or count(keys, active)
    if any(key.several and key.name not in known.several for key in keys):
        known = count(keys, active)
    both = _Both.of(keys, active, order, replace(change, past=past))
    grown, found = _crossed(both, known, both.past_counts(known), cap, limits)
    changed = both.changed[: len(active)]
    found, grown = found[: len(active)] & ~changed, grown[: len(active)] & ~changed
    left, right = edges
    inside = grown[left] & grown[right]
    left, right = left[inside], right[inside]
    lost = ~_kept(left, right, keys, known, cap)
    found[left[lost]] = True
    found[right[lost]] = True
    return np.flatnonzero(found & active).astype(np.int32)


@dataclass(frozen=True)
class _Both:
    """The records before and after a change: what changed its values stands twice, once on each side."""

    keys: Sequence[Key]
    before: Flags
    after: Flags
    changed: Flags
    order: Hashes

    @classmethod
    def of(cls, keys: Sequence[Key], active: Flags, order: Hashes, change: Change) -> _Both:
        """Put the former selves of changed records behind the records, where their values differ."""
        changed, before = np.zeros(len(active), bool), active.copy()
        changed[change.rows] = True
        before[change.rows] = change.was
        moved = _moved(keys, change, len(active))
        more = len(moved)
        if change.past is None or not more:
            return cls(keys, before, active, changed, order)
        before[change.rows[moved]] = False
        return cls(
            [_behind(key, past, moved, len(active)) for key, past in zip(keys, change.past, strict=True)],
            np.concatenate([before, np.ones(more, bool)]),
            np.concatenate([active, np.zeros(more, bool)]),
            np.concatenate([changed, np.ones(more, bool)]),
            np.concatenate([order, order[change.rows[moved]]]),
        )

    def past_counts(self, counts: Counts) -> Counts:
        """The counts before the change, from those after it."""
        gone, came = self.changed & self.before, self.changed & self.after
        return recount(counts, self.keys, [(came, -1), (gone, 1)])


def _alike(keys: Sequence[Key], past: Sequence[Key] | None) -> tuple[list[Key], list[Key] | None]:
    """Both with ``several`` where either has it: one value a record is a case of several."""
    if past is None:
        return list(keys), None
    pairs = list(zip(keys, past, strict=True))
    some = [(_as_several(a), _as_several(b)) if a.several or b.several else (a, b) for a, b in pairs]
    return [a for a, _ in some], [b for _, b in some]


def _as_several(key: Key) -> Key:
    if key.several:
        return key
    rows = np.flatnonzero(key.codes >= 0).astype(np.int32)
    return replace(key, several=(rows, key.codes[rows]))


def _moved(keys: Sequence[Key], change: Change, size: int) -> Starts:
    """Places in ``change.rows`` of records that were active with other values than now."""
    differs = np.zeros(len(change.rows), bool)
    place = np.full(size, -1, np.int64)
    place[change.rows] = np.arange(len(change.rows))
    for key, past in zip(keys, change.past or (), strict=False):
        differs |= key.codes[change.rows] != past.codes
        if key.several and past.several:
            now = place[key.several[0]]
            here = now >= 0
            packed = (now[here] << 32) | key.several[1][here]
            other = np.setxor1d(packed, (past.several[0].astype(np.int64) << 32) | past.several[1])
            differs[other >> 32] = True
    return np.flatnonzero(differs & change.was)


def _behind(key: Key, past: Key, moved: Starts, size: int) -> Key:
    """The key with the former values of the moved records behind it."""
    several = None
    if key.several and past.several:
        number = np.full(len(past.codes), -1, np.int32)
        number[moved] = np.arange(size, size + len(moved), dtype=np.int32)
        record = number[past.several[0]]
        several = (
            np.concatenate([key.several[0], record[record >= 0]]),
            np.concatenate([key.several[1], past.several[1][record >= 0]]),
        )
    return replace(key, codes=np.concatenate([key.codes, past.codes[moved]]), several=several)


def _crossed(both: _Both, after: Counts, before: Counts, cap: int, limits: Limits) -> tuple[Flags, Flags]:
    """Members of blocks that grew over the cap; and those of shrunken ones and changed representatives."""
    grown, found = np.zeros(len(both.after), bool), np.zeros(len(both.after), bool)
    rows, present = np.flatnonzero(both.changed).astype(np.int32), both.before | both.after
    wide = Wide(combinable(both.keys), np.zeros(len(present), np.uint32), {}, {}, {})

    def note(groups: Groups, sizes: Codes) -> None:
        above = np.repeat(sizes > cap, np.diff(groups.starts))
        grown[groups.rows[above]] = True
        found[groups.rows[~above]] = True

    def judge(rows: Rows, starts: Starts) -> tuple[Flags, Flags]:
        old, new = blocks.weigh(rows, starts, both.before), blocks.weigh(rows, starts, both.after)
        crosses = (old <= cap) != (new <= cap)
        return crosses, (np.maximum(old, new) > cap) & (blocks.weigh(rows, starts, both.changed) > 0)

    for shared in values(both.keys, cap, limits):
        touched = shared.touched(rows, both.changed)
        counts = shared.counts(before), shared.counts(after)
        status = np.zeros(len(counts[0]) + 1, np.uint8)  # the last one is that of no value
        place, number = np.empty(len(counts[0]), np.int32), np.empty(len(counts[0]), np.int32)
        starts, sizes, width = blocks.crossing(touched, *counts, shared.limits, status, place, number)
        members = np.full(starts[-1], -1, np.int32)
        for record, codes, used in shared.sides:
            bit = used if width else np.uint32(0)
            blocks.collect(record, codes, present, status, place, bit, wide.mask, members)
        if not shared.several:
            wide.numbers[shared.name], wide.widths[shared.name] = number, width
        groups = _only(Groups(members, starts), members >= 0)
        crosses = ((sizes[0] <= cap) != (sizes[1] <= cap)) & (shared.limits[0] > 0)
        note(groups.pick(crosses), sizes[1][crosses])
        if shared.limits[1]:
            found[_representatives(groups, both, shared)] = True
    # A group in which more than the cap did not change is above the cap before and after.
    for groups in walk(wide, judge, cap + len(rows), rows):
        note(groups, blocks.weigh(groups.rows, groups.starts, both.after))
    return grown, found


def _only(groups: Groups, keep: Flags) -> Groups:
    """The groups with some of their members."""
    return Groups(groups.rows[keep], np.concatenate([[0], np.cumsum(keep)])[groups.starts])


def _representatives(groups: Groups, both: _Both, shared: Values) -> Rows:
    """The members that became representatives of a star or ceased to be."""
    old, new = (
        _stars(_only(groups, side[groups.rows]), both.order, shared) for side in (both.before, both.after)
    )
    return (np.setxor1d(old, new) & 0xFFFFFFFF).astype(np.int32)


def _stars(groups: Groups, order: Hashes, shared: Values) -> Starts:
    """Block and representative, packed, of all blocks that are stars."""
    cap, most, star = (int(bound) for bound in shared.limits[:3])
    sizes = np.diff(groups.starts)
    chosen = np.flatnonzero((sizes > cap) & (sizes <= most))
    blocks.lead(groups.rows, groups.starts, chosen, order, star)
    reach = np.minimum(sizes[chosen], star)
    place = np.repeat(groups.starts[chosen], reach) + _ranges(reach)
    packed: Starts = (np.repeat(chosen, reach) << 32) | groups.rows[place]
    return packed


def _ranges(sizes: Starts) -> Starts:
    """0, 1, ... for each of the sizes."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _kept(left: Rows, right: Rows, keys: Sequence[Key], counts: Counts, cap: int) -> Flags:
    """Which pairs share a small block of a single value, whatever happened to their others."""
    kept = np.zeros(len(left), bool)
    for key in keys:
        if key.alone and key.size:
            codes = key.codes[left]
            small = counts.spaces[key.space][codes] <= cap
            kept |= (codes >= 0) & (codes == key.codes[right]) & small
    return kept
