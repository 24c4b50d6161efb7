"""Compiled graph algorithms: components, average link, widest paths, owners of identifier values.

Nodes are row numbers (int32), weights int32 in 1/1000 bit. ``order`` (uint64 per row) is a total order that does
not depend on where a row stands: wherever a choice is free, the row of least order is taken. Callers give
contiguous, writable arrays of exactly these types, and arrays to be filled.

Every kernel here calls only kernels of this file: numba's cache does not see changes in another file.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
MOST_UNITS = 500
"""Units of a component that ``average_link`` takes: up to here its products of int32 weights fit 64 bits."""
NO_PATH = -(2**31)
_BLOCKED = -(2**62)
_ACTIVE, _FINAL, _GONE = 2, 1, 0


@_jit
def _root(parent, node):  # type: ignore[no-untyped-def]
    """Return the root of a node, halving the path to it (Tarjan and van Leeuwen 1984)."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@_jit
def _before(order, one, two):  # type: ignore[no-untyped-def]
    return order[one] < order[two] or (order[one] == order[two] and one < two)


@_jit
def connect(left, right, order, label):  # type: ignore[no-untyped-def]
    """Fill ``label`` with the node of least order in each node's connected component."""
    size = len(order)
    parent = np.empty(size, np.int32)
    for node in range(size):
        parent[node] = node
        label[node] = node
    for edge in range(len(left)):
        one, two = _root(parent, left[edge]), _root(parent, right[edge])
        if one < two:
            parent[two] = one
        elif two < one:
            parent[one] = two
    for node in range(size):
        root = _root(parent, node)
        if _before(order, node, label[root]):
            label[root] = node
    for node in range(size):
        label[node] = label[_root(parent, node)]


@_jit
def least_member(label, order, least):  # type: ignore[no-untyped-def]
    """Fill ``least``, at each label that is used, with the row of least order that has it."""
    for row in range(len(label)):
        least[label[row]] = row
    for row in range(len(label)):
        if _before(order, row, least[label[row]]):
            least[label[row]] = row


@_jit
def gather(label, compared, slot, members):  # type: ignore[no-untyped-def]
    """Write the rows of each component side by side; ``slot`` is where a label's next row goes, -1 nowhere."""
    for row in range(len(label)):
        place = slot[label[row]]
        if compared[row] and place >= 0:
            members[place] = row
            slot[label[row]] = place + 1


@_jit
def triangles(members, starts, left, right):  # type: ignore[no-untyped-def]
    """All pairs of the members of each group, group by group: (0, 1), (0, 2) ... (1, 2) ..."""
    edge = 0
    for group in range(len(starts) - 1):
        for i in range(starts[group], starts[group + 1]):
            for j in range(i + 1, starts[group + 1]):
                left[edge] = members[i]
                right[edge] = members[j]
                edge += 1


@_jit
def count_inside(left, right, place, group, starts):  # type: ignore[no-untyped-def]
    """Count the edges inside each group into ``starts[g + 2]``; ``place``: of a row among the members, -1 none."""
    for edge in range(len(left)):
        one, two = place[left[edge]], place[right[edge]]
        if one >= 0 and two >= 0 and group[one] == group[two]:
            starts[group[one] + 2] += 1


@_jit
def sort_inside(left, right, place, group, starts, edges):  # type: ignore[no-untyped-def]
    """Write the numbers of the edges inside each group from ``starts[g + 1]`` on, which moves to their end."""
    for edge in range(len(left)):
        one, two = place[left[edge]], place[right[edge]]
        if one >= 0 and two >= 0 and group[one] == group[two]:
            edges[starts[group[one] + 1]] = edge
            starts[group[one] + 1] += 1


@_jit
def spread(edges, left, right, weight, place, group, starts, first, known):  # type: ignore[no-untyped-def]
    """Write the weight of each edge to the place of its pair in ``triangles`` of the groups from ``first`` on."""
    at, offset = first, np.int64(0)
    for edge in edges:
        one, two = place[left[edge]], place[right[edge]]
        if one > two:
            one, two = two, one
        while at < group[one]:
            size = starts[at + 1] - starts[at]
            offset += size * (size - 1) // 2
            at += 1
        size = starts[at + 1] - starts[at]
        i, j = one - starts[at], two - starts[at]
        known[offset + i * (2 * size - i - 1) // 2 + j - i - 1] = weight[edge]


@_jit
def _nearest(total, mass, size, rank, active, count, one, threshold, cap):  # type: ignore[no-untyped-def]
    """Return the active unit of greatest mean weight with ``one`` (least order on a tie), -1 below the threshold.

    Means are compared as fractions, by cross-multiplication.
    """
    best, best_sum, best_mass = -1, np.int64(0), np.int64(1)
    for place in range(count):
        other = active[place]
        weight = total[one, other]
        if other == one or weight == _BLOCKED or (cap > 0 and size[one] + size[other] > cap):
            continue
        pairs = mass[one] * mass[other]
        if weight < threshold * pairs:
            continue
        if best >= 0:
            here, there = weight * best_mass, best_sum * pairs
            if here < there or (here == there and rank[other] >= rank[best]):
                continue
        best, best_sum, best_mass = other, weight, pairs
    return best


@_jit
def _join(total, mass, size, rank, into, state, keep, gone):  # type: ignore[no-untyped-def]
    """Make one unit of two; what stands on the diagonal is never read."""
    into[gone], state[gone] = keep, _GONE
    for other in range(len(state)):
        if state[other] != _GONE:
            one, two = total[keep, other], total[gone, other]
            total[keep, other] = _BLOCKED if min(one, two) == _BLOCKED else one + two
            total[other, keep] = total[keep, other]
    mass[keep] += mass[gone]
    size[keep] += size[gone]
    rank[keep] = min(rank[keep], rank[gone])


@_jit
def _chain(total, mass, size, rank, into, state, active, chain, where, threshold, cap):  # type: ignore[no-untyped-def]
    """Join units along chains of nearest neighbours until no two reach the threshold."""
    count = len(state)
    depth = 0
    while count > 0:
        if depth == 0:
            chain[0] = active[count - 1]
            depth = 1
        top = chain[depth - 1]
        best = _nearest(total, mass, size, rank, active, count, top, threshold, cap)
        leaving = -1
        if best < 0:
            state[top] = _FINAL
            leaving = top
            depth -= 1
        elif depth > 1 and best == chain[depth - 2]:
            _join(total, mass, size, rank, into, state, best, top)
            leaving = top
            depth -= 2
        else:
            chain[depth] = best
            depth += 1
        if leaving >= 0:
            count -= 1
            last = active[count]
            active[where[leaving]] = last
            where[last] = where[leaving]


@_jit
def _stopped(total, mass, size, state, threshold, cap):  # type: ignore[no-untyped-def]
    """Whether two clusters would have been joined but for the cap."""
    for one in range(len(state)):
        for two in range(one):
            if state[one] != _GONE and state[two] != _GONE and size[one] + size[two] > cap:
                weight = total[one, two]
                if weight != _BLOCKED and weight >= threshold * mass[one] * mass[two]:
                    return True
    return False


@_jit
def _totals(members, first, unit, place, weight, pair, own, name, mass, total):  # type: ignore[no-untyped-def]
    """Number the units of a group and add up the weights between them; returns how many units there are."""
    units = 0
    for i in range(len(own)):
        place[unit[members[first + i]]] = -1
    for i in range(len(own)):
        label = unit[members[first + i]]
        if place[label] < 0:
            place[label], name[units], mass[units] = units, label, 0
            units += 1
        own[i] = place[label]
        mass[own[i]] += 1
    for i in range(units):
        for j in range(units):
            total[i, j] = 0
    for i in range(len(own)):
        for j in range(i + 1, len(own)):
            if own[i] != own[j]:
                total[own[i], own[j]] += weight[pair]
                total[own[j], own[i]] = total[own[i], own[j]]
            pair += 1
    return units


@_jit
def _veto(name, colours, total):  # type: ignore[no-untyped-def]
    """Bar units that hold different values of one kind (colours: -1 none, -2 several)."""
    for kind in range(len(colours)):
        for i in range(len(name)):
            one = colours[kind, name[i]]
            for j in range(i if one != -1 else 0):
                two = colours[kind, name[j]]
                if two != -1 and (one != two or one == -2):
                    total[i, j] = _BLOCKED
                    total[j, i] = _BLOCKED


@_jit
def _name_clusters(name, into, rank, order, label):  # type: ignore[no-untyped-def]
    """Label each unit by the unit of least order in its cluster."""
    for i in range(len(into)):
        while into[into[i]] != into[i]:
            into[i] = into[into[i]]
    for i in range(len(into)):
        if order[name[i]] == rank[into[i]]:
            label[name[into[i]]] = name[i]
    for i in range(len(into)):
        if into[i] != i:
            label[name[i]] = label[name[into[i]]]


@_jit
def average_link(  # type: ignore[no-untyped-def]
    members,
    starts,
    weight,
    unit,
    sizes,
    order,
    colours,
    bar_starts,
    bar_left,
    bar_right,
    threshold,
    cap,
    label,
    stopped,
):
    """Cluster the members of each group; fills ``label`` at the units and ``stopped`` per group.

    ``weight``: of the pairs in the order of ``triangles``. ``unit``: per row the unit it starts in, named by a row;
    ``sizes``: per such row how many records the unit counts towards ``cap``. Units that must not meet: those of
    different ``colours`` (kinds x rows; -1 none, -2 several), and the pairs ``bar_*``, group by group.
    ``label[unit]`` becomes the unit of least order in its cluster.

    Nearest-neighbour chains (Benzecri 1982) give the tree of always joining the best pair because average link
    is reducible (Bruynooghe 1978), and stays so with barred pairs, a cap, and ties by order.
    """
    most = 1
    for group in range(len(starts) - 1):
        most = max(most, starts[group + 1] - starts[group])
    place, buffer = np.empty(len(unit), np.int32), np.empty((most, most), np.int64)
    name, own, into = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    mass, size, rank = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.uint64)
    active, chain, where = np.empty(most, np.int32), np.empty(most + 1, np.int32), np.empty(most, np.int32)
    states = np.empty(most, np.uint8)
    pair = 0
    for group in range(len(starts) - 1):
        count = starts[group + 1] - starts[group]
        units = _totals(members, starts[group], unit, place, weight, pair, own[:count], name, mass, buffer)
        pair += count * (count - 1) // 2
        records = 0
        for i in range(units):
            size[i], rank[i], into[i] = sizes[name[i]], order[name[i]], i
            states[i], active[i], where[i] = _ACTIVE, i, i
            records += size[i]
        for bar in range(bar_starts[group], bar_starts[group + 1]):
            one, two = place[bar_left[bar]], place[bar_right[bar]]
            buffer[one, two] = _BLOCKED
            buffer[two, one] = _BLOCKED
        _veto(name[:units], colours, buffer)
        state = states[:units]
        _chain(buffer, mass, size, rank, into, state, active, chain, where, threshold, cap)
        _name_clusters(name, into[:units], rank, order, label)
        over = cap > 0 and records > cap
        stopped[group] = over and _stopped(buffer, mass, size, state, threshold, cap)


@_jit
def _descending(weight, first, second):  # type: ignore[no-untyped-def]
    """Places of the weights from the greatest to the least: counting sort by 16 bits at a time."""
    count = len(weight)
    top, least = weight[0], weight[0]
    for edge in range(count):
        top, least = max(top, weight[edge]), min(least, weight[edge])
    for edge in range(count):
        first[edge] = edge
    shift = 0
    while shift == 0 or (np.int64(top) - np.int64(least)) >> shift > 0:
        heads = np.zeros(65537, np.int64)
        for edge in range(count):
            heads[1 + ((np.int64(top) - np.int64(weight[edge])) >> shift & 65535)] += 1
        for digit in range(65536):
            heads[digit + 1] += heads[digit]
        for i in range(count):
            head = (np.int64(top) - np.int64(weight[first[i]])) >> shift & 65535
            second[heads[head]] = first[i]
            heads[head] += 1
        first, second = second, first
        shift += 16
    return first


@_jit
def _settle(part, after, bits, lowest):  # type: ignore[no-untyped-def]
    """Give all rows of a part, a ring by ``after``, their weight."""
    row = part
    while True:
        lowest[row] = bits
        row = after[row]
        if row == part:
            break


@_jit
def widest_paths(label, left, right, weight, lowest):  # type: ignore[no-untyped-def]
    """Fill ``lowest`` with the least weight on each row's widest path to the row that names its cluster.

    NO_PATH where there is none. That row itself takes its best edge. Edges between clusters are passed over.
    Kruskal's order (1956): when a part without the naming row meets the part that has it, the edge at hand is the
    narrowest of the widest path for all of that part; so equal weights may come in any order.
    """
    size = len(label)
    parent, after = np.empty(size, np.int32), np.empty(size, np.int32)
    reached = np.empty(size, np.uint8)
    for row in range(size):
        parent[row] = after[row] = row
        reached[row] = label[row] == row
        lowest[row] = NO_PATH
    if len(weight) == 0:
        return
    places = _descending(weight, np.empty(len(weight), np.int32), np.empty(len(weight), np.int32))
    for i in range(len(weight)):
        edge = places[i]
        one, two = left[edge], right[edge]
        if label[one] != label[two]:
            continue
        bits = weight[edge]
        for row in (one, two):
            if label[row] == row:
                lowest[row] = max(lowest[row], bits)
        one, two = _root(parent, one), _root(parent, two)
        if one == two:
            continue
        if reached[two]:
            one, two = two, one
        if reached[one]:
            _settle(two, after, bits, lowest)
        parent[max(one, two)] = min(one, two)
        reached[min(one, two)] = reached[one]
        after[one], after[two] = after[two], after[one]


@_jit
def owners(record, value, owner, order, sole, shower):  # type: ignore[no-untyped-def]
    """Fill per value its one owner (-1 none, -2 several), and the record of least order that has an owner."""
    for i in range(len(record)):
        row, place = record[i], value[i]
        if owner[row] < 0:
            continue
        if sole[place] == -1:
            sole[place], shower[place] = owner[row], row
        else:
            if sole[place] != owner[row]:
                sole[place] = -2
            if _before(order, row, shower[place]):
                shower[place] = row


@_jit
def claims(record, value, owner, order, sole, shower, target, source):  # type: ignore[no-untyped-def]
    """Fill per record without owner the one owner of its values (-1 none, -2 several), and who shows it."""
    for i in range(len(record)):
        row, place = record[i], value[i]
        if owner[row] >= 0 or sole[place] < 0:
            continue
        if target[row] == -1:
            target[row], source[row] = sole[place], shower[place]
        else:
            if target[row] != sole[place]:
                target[row] = -2
            if _before(order, shower[place], source[row]):
                source[row] = shower[place]


@_jit
def crowded(members, starts, codes, most, over):  # type: ignore[no-untyped-def]
    """Fill ``over`` with whether a group has more than ``most`` different codes (-1 is none)."""
    seen = np.empty(most + 1, np.int32)
    for group in range(len(starts) - 1):
        count = 0
        for i in range(starts[group], starts[group + 1]):
            code = codes[members[i]]
            if code >= 0 and count <= most:
                place = 0
                while place < count and seen[place] != code:
                    place += 1
                seen[place] = code
                count = max(count, place + 1)
        over[group] = count > most


@_jit
def _slot(key, shift):  # type: ignore[no-untyped-def]
    """Where a key's search begins: Fibonacci hashing (Knuth, TAOCP 3, 6.4)."""
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(shift))


@_jit
def _find(table, keys, key, shift):  # type: ignore[no-untyped-def]
    """Return the slot of a key, or the free one (-1) where it belongs."""
    slot = _slot(key, shift)
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@_jit
def count_equal(keys, among, count):  # type: ignore[no-untyped-def]
    """Fill ``count``, for each row of ``among``, with how many rows of it have the same key."""
    rows = 0
    for row in range(len(keys)):
        rows += among[row]
    bits = 4
    while (1 << bits) < 2 * rows:
        bits += 1
    table = np.full(1 << bits, -1, np.int32)
    for row in range(len(keys)):
        if among[row]:
            slot = _find(table, keys, keys[row], 64 - bits)
            if table[slot] < 0:
                table[slot] = row
            count[table[slot]] += 1
    for row in range(len(keys)):
        if among[row]:
            count[row] = count[table[_find(table, keys, keys[row], 64 - bits)]]


@_jit
def is_among(keys, wanted, found):  # type: ignore[no-untyped-def]
    """Fill ``found`` with whether each key is one of ``wanted``."""
    bits = 4
    while (1 << bits) < 2 * len(wanted):
        bits += 1
    table = np.full(1 << bits, -1, np.int32)
    for place in range(len(wanted)):
        table[_find(table, wanted, wanted[place], 64 - bits)] = place
    for row in range(len(keys)):
        found[row] = table[_find(table, wanted, keys[row], 64 - bits)] >= 0
