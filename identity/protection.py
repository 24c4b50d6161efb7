"""What must not link, or not silently: hubs, crowds of equal records, unique identifiers, incoherent clusters.

Every status is a function of the records that are live now, value by value and group by group: with ``touched``
values, or ``live`` cut down to whole groups, the answer for these is the one that a look at everything gives.
Names and contents come as numbers; what is held back goes out as ``Held``, by number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.components import Flags, Order, RowPairs, Rows, as_order, as_rows, no_rows, stars
from identity.held import Held
from identity.kernels import graph
from identity.linkage import arrange
from identity.policy import IdentityPolicy, Limit
from identity.values import Hashes, Multi

KEPT_COPIES = 12
"""How many of equal records are compared; the rest follow the first."""
MOST_NAMES = 3
"""Clearly different given names of one cluster from which on it is reported."""
STREETS = 4
"""How many streets one person may give: homes, gifts to others, slips of the pen. Only more of them are two people."""
HUB = "shared by about "
"""How the reason of a value begins that links nobody because too many people share it."""
Identifiers = Mapping[tuple[str, str], Multi]


@dataclass(frozen=True)
class Hubs:
    """Values (codes) shared by more people than their type allows, how many people, on how many live records.

    ``people``: different names, and a part of the ``streets``, which are those of records without a name.
    """

    values: Rows
    people: npt.NDArray[np.int64]
    streets: npt.NDArray[np.int64]
    records: npt.NDArray[np.int64]

    def held(self, kind: str, namespace: str, limit: Limit) -> list[Held]:
        """The hubs of one type and namespace with their reasons."""
        return [
            Held(
                "identifier",
                kind,
                namespace,
                value,
                f"{HUB}{_counted(people, streets)}, more than {limit.max_people}",
                records,
            )
            for value, people, streets, records in zip(
                self.values.tolist(),
                self.people.tolist(),
                self.streets.tolist(),
                self.records.tolist(),
                strict=True,
            )
        ]


def _counted(people: int, streets: int) -> str:
    """Say who shares a value.

    >>> _counted(7, 3), _counted(500, 2001)
    ('7 different names', '500 different people, counted by names and by 2001 streets of records without a name')
    """
    if streets < STREETS:
        return f"{people} different names"
    return f"{people} different people, counted by names and by {streets} streets of records without a name"


def hubs(
    column: Multi,
    people: npt.NDArray[np.integer],
    limit: Limit,
    live: Flags,
    touched: Flags | None = None,
    *,
    streets: Callable[[Rows], Rows] | None = None,
) -> Hubs:
    """Values that more different people share than the limit allows, within its window.

    ``people``: a coarse number of each record's name, -1 without one. ``touched``: per value, which to look at.
    ``streets``: number of the street of each of some records that have no name, -1 without one.
    """
    size = int(column.value.max()) + 1 if len(column.value) else 0
    records = np.bincount(column.value[live[column.record]], minlength=size)
    look = records > limit.max_people
    if touched is not None:
        look &= touched[:size]
    use = np.flatnonzero(look[column.value]) if look.any() else np.empty(0, np.int64)
    use = use[live[column.record[use]]]
    if limit.window is not None and len(column.seen):
        last = np.full(size, np.iinfo(np.int64).min)
        np.maximum.at(last, column.value[use], column.seen[use])
        span = int(limit.window.total_seconds() * 1e6)
        since = np.where(last < np.iinfo(np.int64).min + span, last, last - span)
        use = use[column.seen[use] >= since[column.value[use]]]
    record, value = column.record[use], column.value[use]
    count, doors = _different(people[record], value, size), np.zeros(size, np.int64)
    if streets is not None and len(record):
        doors = _different(streets(record), value, size)
        count += doors // STREETS
    found = np.flatnonzero(count > limit.max_people)
    return Hubs(found.astype(np.int32), count[found], doors[found], records[found])


def _different(number: npt.NDArray[np.integer], value: Rows, size: int) -> npt.NDArray[np.int64]:
    """How many different numbers (-1 is none) each value comes with."""
    use = number >= 0
    _, own = np.unique(number[use], return_inverse=True)
    width = int(own.max()) + 1 if len(own) else 1
    pairs = np.unique(value[use].astype(np.int64) * width + own)
    return np.bincount(pairs // width, minlength=size)


def without(column: Multi, values: Flags, hashes: Hashes) -> Multi:
    """The column without the flagged values (one flag per value of the dictionary)."""
    gone = values[column.value]
    if not gone.any():
        return column
    record, value = column.record[~gone], column.value[~gone]
    hit = np.zeros(len(column.codes), bool)
    hit[column.record[gone]] = True
    again = np.flatnonzero(hit[record])
    again = again[np.argsort(hashes[value[again]], kind="stable")[::-1]]
    codes = np.where(hit, np.int32(-1), column.codes)
    codes[record[again]] = value[again]  # the last one written has the smallest hash
    seen = column.seen[~gone] if len(column.seen) else column.seen
    return replace(column, record=record, value=value, codes=codes, seen=seen)


@dataclass(frozen=True)
class Copies:
    """Records whose whole content many others have too: ``first`` stands for ``copy``.

    ``crowd``: copies in a group that is larger than a customer may be and that shares no identifier.
    """

    first: Rows
    copy: Rows
    crowd: Flags

    def part(self, chosen: Flags) -> tuple[Copies, Copies]:
        """The chosen ones, and the others."""
        one, two = (Copies(self.first[use], self.copy[use], self.crowd[use]) for use in (chosen, ~chosen))
        return one, two

    def joined(self, other: Copies) -> Copies:
        """These and others."""
        return Copies(
            np.concatenate([self.first, other.first]),
            np.concatenate([self.copy, other.copy]),
            np.concatenate([self.crowd, other.crowd]),
        )

    def held(self) -> list[Held]:
        """What crowds hold back, by their first record."""
        first, counts = np.unique(self.first[self.crowd], return_counts=True)
        reason = "equal records without an identifier, more than one customer may have"
        return [
            Held("record", "record", "", row, reason, count + 1)
            for row, count in zip(first.tolist(), counts.tolist(), strict=True)
        ]


def copies(content: Hashes, order: Order, among: Flags, identified: Flags, most: int) -> Copies:
    """Find records that equal many others.

    ``content``: hash of all that a record says. ``among``: the records that can be copies (live, with one value per
    type, not judged). Of equal records the first few by ``order`` are compared like any other; the rest would only
    fill blocks, and follow the first. Groups of more than ``most`` (0: no limit) without an identifier are crowds.
    """
    count = np.zeros(len(content), np.int32)
    graph.count_equal(as_order(content), np.require(among, np.bool_, ["C", "W"]), count)
    rows = np.flatnonzero(count > min(KEPT_COPIES, most or KEPT_COPIES)).astype(np.int32)
    rows = rows[np.lexsort((order[rows], content[rows]))]
    if not len(rows):
        return Copies(rows, rows, np.zeros(0, bool))
    start = np.flatnonzero(np.r_[True, content[rows][1:] != content[rows][:-1]])
    size = np.diff(np.r_[start, len(rows)])
    crowd = np.repeat((size > (most or len(rows))) & ~identified[rows[start]], size)
    place = np.arange(len(rows)) - np.repeat(start, size)
    extra = place >= np.where(crowd, 1, KEPT_COPIES)
    return Copies(np.repeat(rows[start], size)[extra], rows[extra], crowd[extra])


def having(keys: Hashes, wanted: Hashes) -> Flags:
    """Which rows have one of the wanted keys: one pass, for the members of touched groups.

    >>> having(np.array([7, 8, 7], np.uint64), np.array([7], np.uint64)).tolist()
    [True, False, True]
    """
    found = np.empty(len(keys), np.bool_)
    graph.is_among(as_order(keys), as_order(wanted), found)
    return found


def _unique(identifiers: Identifiers, policy: IdentityPolicy) -> list[tuple[tuple[str, str], Multi]]:
    return [item for item in sorted(identifiers.items(), key=lambda i: i[0]) if item[0][0] in policy.unique]


def same_unique(identifiers: Identifiers, policy: IdentityPolicy, live: Flags) -> RowPairs:
    """Sightings of unique identifiers: record, and a number per value over all types and namespaces."""
    records, numbers, base = [no_rows()], [no_rows()], 0
    for _, column in _unique(identifiers, policy):
        use = live[column.record]
        records.append(column.record[use])
        numbers.append(column.value[use] + np.int32(base))
        base += int(column.value.max()) + 1 if len(column.value) else 0
    return np.concatenate(records), np.concatenate(numbers)


def unique_edges(
    identifiers: Identifiers, policy: IdentityPolicy, live: Flags, labels: Rows, order: Order
) -> list[tuple[str, Rows, Rows]]:
    """The joins of unique identifiers inside clusters: (type, left, right), a star per value and cluster."""
    found = []
    for (kind, _), column in _unique(identifiers, policy):
        use = live[column.record]
        left, right, _ = stars(order, column.record[use], column.value[use], labels)
        found.append((kind, left, right))
    return found


def unique_colours(identifiers: Identifiers, policy: IdentityPolicy, live: Flags, start: Rows) -> Rows:
    """Per unique type and namespace (rows) and start group: its one value, -1 none, -2 several.

    Groups that hold different values must not meet: a customer has at most one value. Groups that a judgement
    joined are one group here, and keep what they have.
    """
    columns = _unique(identifiers, policy)
    colours = np.full((len(columns), len(start)), -1, np.int32)
    for colour, (_, column) in zip(colours, columns, strict=True):
        use = live[column.record]
        _paint(colour, start[column.record[use]], column.value[use])
    return colours


def _paint(colour: Rows, group: Rows, value: Rows) -> None:
    colour[group] = value
    colour[group[colour[group] != value]] = -2


def several_unique(identifiers: Identifiers, policy: IdentityPolicy, live: Flags, labels: Rows) -> list[Held]:
    """Clusters with different values of one unique type: a judgement joined them, or one record has several."""
    held = []
    for (kind, namespace), column in _unique(identifiers, policy):
        use = live[column.record]
        label, value = labels[column.record[use]], column.value[use]
        colour = np.full(len(labels), -1, np.int32)
        _paint(colour, label, value)
        mixed = colour[label] == -2
        pairs = np.unique(label[mixed].astype(np.int64) << 32 | value[mixed])
        names, counts = np.unique(pairs >> 32, return_counts=True)
        size = np.bincount(labels[live], minlength=len(labels)) if len(names) else counts
        where = f" of {namespace}" if namespace else ""
        held += [
            Held(
                "cluster",
                kind,
                namespace,
                int(name),
                f"holds {count} values of {kind}{where}: a judgement joined them, or one record has several",
                int(size[name]),
            )
            for name, count in zip(names, counts, strict=True)
        ]
    return held


def oversized(labels: Rows, live: Flags, most: int) -> list[Held]:
    """Clusters of more than ``most`` records (0: no limit): what joined them was no comparison of each with each."""
    size = np.bincount(labels[live], minlength=len(labels))
    return [
        Held(
            "cluster",
            "size",
            "",
            label,
            f"holds {size[label]} records, more than the {most} that comparisons may join: they are unnamed or equal, "
            "or an identifier or judgement joined them",
            int(size[label]),
        )
        for label in np.flatnonzero(size > most).tolist()
        if most
    ]


def many_names(
    labels: Rows,
    given: Rows,
    texts: pa.Array,
    live: Flags,
    distinct: Callable[[list[str]], Sequence[str]] | None = None,
) -> list[Held]:
    """Clusters with more than three given names that are no spellings or short forms of each other.

    ``given``: code of each record's given name in ``texts``. Different codes are counted first; only the texts of
    clusters with too many are compared (``distinct`` keeps one text of each kind).
    """
    if distinct is None:
        from identity.normalise.nicknames import distinct_names

        distinct = distinct_names
    named = live & (given >= 0)
    groups = arrange(labels, named, len(labels))
    over = np.zeros(len(groups), np.bool_)
    graph.crowded(groups.members, groups.starts, as_rows(given), MOST_NAMES, over)
    held = []
    for group in np.flatnonzero(over):
        members = groups.members[groups.starts[group] : groups.starts[group + 1]]
        found = sorted(t for t in texts.take(pa.array(np.unique(given[members]))).to_pylist() if len(t) > 1)
        kinds = len(distinct(found))
        if kinds > MOST_NAMES:
            reason = f"holds {kinds} given names that are no spellings or short forms of each other"
            label = labels[members[0]]
            held.append(Held("cluster", "given_name", "", int(label), reason, len(members)))
    return held
