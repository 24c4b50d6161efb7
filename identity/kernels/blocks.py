"""Compiled loops of blocking: who shares a key with whom.

A *group* is a run of record numbers: group g is ``rows[starts[g]:starts[g + 1]]``. Nothing is sorted by value:
rows are scattered to the place of their group (counting sort), so that the cost is linear in the rows.

Every kernel here calls only kernels of this file: numba's cache does not see changes in another file.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
TAKEN = 1
"""Bit of a value's status: its records are collected into a block."""
WIDE = 2
"""Bit of a value's status: it tells something only together with another one."""
_SEEN = 4
_STRIDE = 1 << 12
_MIX_ONE = np.uint64(0x9E3779B97F4A7C15)
_MIX_TWO = np.uint64(0xC2B2AE3D27D4EB4F)


@_jit
def tally(record: Any, codes: Any, active: Any, by: Any, counts: Any) -> None:
    """Add ``by`` to the count of the value of each active record; the last count is of records without value.

    ``record``: number of the record of each code; empty where code i is that of record i.
    """
    last, several = np.uint32(len(counts) - 1), len(record) > 0
    for i in range(len(codes)):
        # As an unsigned number, -1 is larger than any code: no branch for the processor to guess.
        counts[min(np.uint32(codes[i]), last)] += by * active[record[i] if several else i]


@_jit
def classify(values: Any, counts: Any, limits: Any, status: Any, place: Any, wide: Any) -> Any:
    """Say of each of the values what becomes of its records.

    ``limits``: largest block of which all pairs are compared, largest block that gets a star, representatives
    of a star, largest block that is not combined with another key. Fills ``status`` (bits), ``place`` (where
    the block starts) and ``wide`` (number among wide values). Returns starts of the blocks, their
    representatives (0: all members are compared with each other) and the number of wide values.
    """
    cap, most, star, alone = limits[0], limits[1], limits[2], limits[3]
    starts = np.empty(len(values) + 1, np.int64)
    reach = np.empty(len(values), np.int32)
    used, blocks, wides = 0, 0, 0
    for i in range(len(values)):
        value = values[i]
        if value < 0 or status[value] != 0:
            continue
        count = counts[value]
        found = _SEEN
        if 2 <= count <= max(cap, most):
            found |= TAKEN
            starts[blocks] = used
            reach[blocks] = 0 if count <= cap or count <= star else star
            place[value] = used
            blocks += 1
            used += count
        if count > alone:
            found |= WIDE
            wide[value] = wides
            wides += 1
        status[value] = found
    starts[blocks] = used
    return starts[: blocks + 1].copy(), reach[:blocks].copy(), wides


@_jit
def crossing(values: Any, before: Any, after: Any, limits: Any, status: Any, place: Any, wide: Any) -> Any:
    """Find the values whose block changes its state between two counts; arguments as in ``classify``.

    A block is taken where it crosses the cap, or is or was a star: its representatives may change. Returns
    starts, the count before and the count after of the blocks, and the number of values ever wide.
    """
    cap, most, alone = limits[0], limits[1], limits[3]
    starts = np.empty(len(values) + 1, np.int64)
    sizes = np.empty((2, len(values)), np.int32)
    used, blocks, wides = 0, 0, 0
    for i in range(len(values)):
        value = values[i]
        if value < 0 or status[value] != 0:
            continue
        old, new = before[value], after[value]
        found = _SEEN
        crosses = cap > 0 and (old <= cap) != (new <= cap)
        if crosses or (cap < old <= most) or (cap < new <= most):
            found |= TAKEN
            starts[blocks] = used
            sizes[0, blocks] = old
            sizes[1, blocks] = new
            place[value] = used
            blocks += 1
            # A record that left and one that came have both been counted only once, each on its side.
            used += old + new
        if max(old, new) > alone:
            found |= WIDE
            wide[value] = wides
            wides += 1
        status[value] = found
    starts[blocks] = used
    return starts[: blocks + 1].copy(), sizes[:, :blocks].copy(), wides


@_jit
def collect(
    record: Any, codes: Any, present: Any, status: Any, place: Any, bit: Any, mask: Any, members: Any
) -> None:
    """One pass over the records: put them into the blocks of their values, and note who has a wide value.

    ``status``: by value; the last one, of records without value, is 0. ``bit`` is set in ``mask`` for a record
    with a wide value. Moves ``place`` to the end of each block.
    """
    last, several = np.uint32(len(status) - 1), len(record) > 0
    hits, states = np.empty(_STRIDE, np.int64), np.empty(_STRIDE, np.uint8)
    for begin in range(0, len(codes), _STRIDE):
        part, found = codes[begin : begin + _STRIDE], 0
        # First who is concerned, without branches, for values come in no order; then what to do with them.
        for i in range(len(part)):
            states[i] = status[min(np.uint32(part[i]), last)]
        for i in range(len(part)):
            hits[found] = begin + i
            found += states[i] & TAKEN
        if bit != 0:
            marks, here = mask[begin : begin + _STRIDE], present[begin : begin + _STRIDE]
            for i in range(len(part)):
                marks[i] |= bit if (states[i] & WIDE) != 0 and here[i] else np.uint32(0)
        for hit in range(found):
            i = hits[hit]
            row = record[i] if several else i
            if present[row]:
                members[place[codes[i]]] = row
                place[codes[i]] += 1


@_jit
def ascend(members: Any, starts: Any) -> None:
    """Sort the members of each group; cheap where they are few or nearly in order (insertion sort)."""
    for group in range(len(starts) - 1):
        for i in range(starts[group] + 1, starts[group + 1]):
            row, at = members[i], i
            while at > starts[group] and members[at - 1] > row:
                members[at] = members[at - 1]
                at -= 1
            members[at] = row


@_jit
def lead(members: Any, starts: Any, chosen: Any, order: Any, star: Any) -> None:
    """Move the ``star`` members of least order to the front of each chosen block, in order."""
    for block in chosen:
        start, end = starts[block], starts[block + 1]
        held = 0
        for i in range(start, end):
            row = members[i]
            if held == star and order[row] >= order[members[start + star - 1]]:
                continue
            at = start + held
            if held < star:
                held += 1
            else:
                at -= 1
            members[i] = members[at]
            while at > start and order[row] < order[members[at - 1]]:
                members[at] = members[at - 1]
                at -= 1
            members[at] = row


@_jit
def both_wide(mask: Any, both: Any, one: Any, two: Any, ordered: Any, table: Any, out: Any) -> Any:
    """Records with wide values of two keys; with a ``table`` only those whose two values it may hold.

    ``ordered``: the two values may stand in either order. Fills ``out``, which has one place more than there
    are records, and returns how many.
    """
    found = 0
    for row in range(len(mask)):
        out[found] = row
        found += (mask[row] & both) == both
    if len(table) == 0:
        return found
    bits, held = np.uint64(len(table) * 64 - 1), 0
    for i in range(found):
        row = out[i]
        a, b = one[row], two[row]
        if ordered and a > b:
            a, b = b, a
        mixed = np.uint64(a) * _MIX_ONE + np.uint64(b) * _MIX_TWO
        mixed ^= mixed >> np.uint64(32)
        first, second = mixed & bits, (mixed >> np.uint64(20)) & bits
        here = (table[first >> np.uint64(6)] >> (first & np.uint64(63))) & np.uint64(1)
        there = (table[second >> np.uint64(6)] >> (second & np.uint64(63))) & np.uint64(1)
        out[held] = row
        if here & there:
            held += 1
    return held


@_jit
def note(rows: Any, mask: Any, both: Any, one: Any, two: Any, ordered: Any, table: Any) -> None:
    """Put the two wide values of each of the rows into the table that ``both_wide`` asks (a Bloom filter)."""
    bits = np.uint64(len(table) * 64 - 1)
    for i in range(len(rows)):
        row = rows[i]
        if mask[row] & both != both:
            continue
        a, b = one[row], two[row]
        if ordered and a > b:
            a, b = b, a
        mixed = np.uint64(a) * _MIX_ONE + np.uint64(b) * _MIX_TWO
        mixed ^= mixed >> np.uint64(32)
        first, second = mixed & bits, (mixed >> np.uint64(20)) & bits
        table[first >> np.uint64(6)] |= np.uint64(1) << (first & np.uint64(63))
        table[second >> np.uint64(6)] |= np.uint64(1) << (second & np.uint64(63))


@_jit
def refine(rows: Any, starts: Any, codes: Any, width: Any, most: Any) -> Any:
    """Split each group by the code of its members; members without code and groups of one are left out.

    ``codes``: code of ``rows[i]``, below ``width``. Groups of more than ``most`` are left out as well. Returns
    rows and starts of the new groups, and how many rows were in too large ones.
    """
    count = np.zeros(width, np.int32)
    touched = np.empty(min(width, len(rows)), np.int32)
    out = np.empty(len(rows), np.int32)
    begins = np.empty(len(rows) // 2 + 1, np.int64)
    used, groups, dropped = 0, 0, 0
    for group in range(len(starts) - 1):
        distinct, taken = 0, used
        for i in range(starts[group], starts[group + 1]):
            code = codes[i]
            if code >= 0:
                if count[code] == 0:
                    touched[distinct] = code
                    distinct += 1
                count[code] += 1
        for i in range(distinct):
            size = count[touched[i]]
            count[touched[i]] = -1
            if size > most:
                dropped += size
            elif size > 1:
                count[touched[i]] = used
                begins[groups] = used
                groups += 1
                used += size
        for i in range(starts[group], starts[group + 1] if used > taken else starts[group]):
            code = codes[i]
            if code >= 0 and count[code] >= 0:
                out[count[code]] = rows[i]
                count[code] += 1
        for i in range(distinct):
            count[touched[i]] = 0
    begins[groups] = used
    return out[:used].copy(), begins[: groups + 1].copy(), dropped


@_jit
def wide_codes(rows: Any, mask: Any, bit: Any, codes: Any, number: Any) -> Any:
    """The number of each row's wide value, -1 where it has none."""
    out = np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        out[i] = number[codes[rows[i]]] if mask[rows[i]] & bit else np.int32(-1)
    return out


@_jit
def weigh(rows: Any, starts: Any, flags: Any) -> Any:
    """Per group the number of members that have a flag."""
    out = np.zeros(len(starts) - 1, np.int32)
    for group in range(len(out)):
        for i in range(starts[group], starts[group + 1]):
            if flags[rows[i]]:
                out[group] += 1
    return out


@_jit
def pick(rows: Any, starts: Any, keep: Any) -> Any:
    """Only some of the groups."""
    size, groups = 0, 0
    for group in range(len(keep)):
        if keep[group]:
            size += starts[group + 1] - starts[group]
            groups += 1
    out = np.empty(size, np.int32)
    begins = np.empty(groups + 1, np.int64)
    used, groups = 0, 0
    for group in range(len(keep)):
        if keep[group]:
            begins[groups] = used
            groups += 1
            for i in range(starts[group], starts[group + 1]):
                out[used] = rows[i]
                used += 1
    begins[groups] = used
    return out, begins


@_jit
def transpose(members: Any, spans: Any, number: Any, size: Any) -> Any:
    """Per numbered record the blocks that it belongs to: ``blocks[offsets[n]:offsets[n + 1]]``.

    ``spans``: start, end (and more) of each block. ``number``: record to 0 ... ``size`` - 1, or -1 for records
    that are left out; empty where each record's number is its own.
    """
    everyone = len(number) == 0
    offsets = np.zeros(size + 2, np.int32)
    for i in range(len(members)):
        at = members[i] if everyone else number[members[i]]
        if at >= 0:
            offsets[at + 2] += 1
    for i in range(2, size + 2):
        offsets[i] += offsets[i - 1]
    blocks = np.empty(offsets[size + 1], np.int32)
    for block in range(len(spans)):
        for i in range(spans[block, 0], spans[block, 1]):
            at = members[i] if everyone else number[members[i]]
            if at >= 0:
                blocks[offsets[at + 1]] = block
                offsets[at + 1] += 1
    return offsets[: size + 1], blocks


@_jit
def pairs(
    rows: Any,
    number: Any,
    offsets: Any,
    blocks: Any,
    members: Any,
    spans: Any,
    seen: Any,
    state: Any,
    left: Any,
    right: Any,
) -> Any:
    """Write the pairs of each of the rows with the other members of its blocks, each pair once.

    Row by row, every neighbour is marked in ``seen``, so that one met in several blocks counts once. A pair of
    two numbered records is written by the smaller one. With ``number`` empty (all records take part, in
    ascending order, and so do members) the start of a span moves behind the rows that are done.
    ``spans``: start, end, representatives (at the front of a star; 0: all members meet) of each block.
    Stops where ``left`` is full; ``state`` says where to go on: row, entry, member. Returns how many.
    """
    done, size, everyone = 0, len(left), len(number) == 0
    at, entry, member = state[0], state[1], state[2]
    while at < len(rows):
        row = rows[at]
        seen[row] = row
        entry = max(entry, offsets[at])
        while entry < offsets[at + 1]:
            block = blocks[entry]
            start, end, star = spans[block, 0], spans[block, 1], spans[block, 2]
            if star > 0:
                whole, end = end, start + star
                for i in range(start, start + star):
                    if members[i] == row:
                        end = whole
            member = max(member, start)
            while member < end:
                other = members[member]
                member += 1
                if (other > row or (not everyone and number[other] < 0)) and seen[other] != row:
                    seen[other] = row
                    left[done] = min(row, other)
                    right[done] = max(row, other)
                    done += 1
                    if done == size:
                        state[0], state[1], state[2] = at, entry, member
                        return done
            if everyone and star == 0:
                spans[block, 0] += 1
            entry += 1
            member = 0
        at += 1
    state[0], state[1], state[2] = at, entry, member
    return done
