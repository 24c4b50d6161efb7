"""Clusters of a region: some records that nothing ties to any other record.

Records are tied by good edges, judgements, equal contents, values of unique identifiers, and values that a record
without a name holds. Nothing that happens inside a region depends on records outside of it, so that an update
clusters the regions that it touches, and a whole resolution is the same with one region: all records.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from identity import attach as attaching
from identity import linkage, protection
from identity.components import (
    Edges,
    Flags,
    Ints,
    Order,
    RowPairs,
    Rows,
    Rules,
    as_rows,
    components,
    concat_edges,
    divide,
    exchanged,
    named,
    no_rows,
    stars,
    start_groups,
)
from identity.evidence_weights import JUDGED, shared_weight
from identity.held import Held
from identity.judgements import Judgements
from identity.policy import IdentityPolicy
from identity.protection import Identifiers
from identity.recordset import RecordSet
from identity.together import THREADS, both
from identity.values import Codes, Multi

Joins = tuple[str, Rows, Rows]


@dataclass(frozen=True)
class Clustered:
    """Clusters of N rows.

    ``labels``: the row of least order of each cluster; ``region``: likewise of each region. ``inside``: good
    pairs inside clusters, ``copies`` records with their equal firsts; ``stated``: joins by identifiers as
    (type, left, right). ``lowest``: least weight on each row's best path, NO_PATH for a row alone. ``held``: what
    linking held back, and suspicious clusters.
    """

    labels: Rows
    region: Rows
    inside: Edges
    copies: Edges
    stated: list[Joins]
    lowest: Ints
    held: list[Held]


@dataclass(frozen=True)
class Region:
    """Some rows, numbered anew by their place in ``rows`` (ascending): all arrays and pairs are by place.

    ``good``: edges that may join; ``copies``: records with their equal firsts, that may join as well.
    ``identifiers``: without hubs. ``given``: code of each given name in ``names``.
    """

    rows: Rows
    order: Order
    live: Flags
    active: Flags
    anchored: Flags
    good: Edges
    copies: Edges
    judged: Judgements
    identifiers: Identifiers
    given: Codes
    names: pa.Array

    def part(self, chosen: Flags) -> Region:
        """Some of the rows by themselves; whatever is tied to one of them must be chosen too."""
        rows = np.flatnonzero(chosen).astype(np.int32)
        place = np.empty(len(chosen), np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)

        def edges(found: Edges) -> Edges:
            use = np.flatnonzero(chosen[found.left])
            return Edges(place[found.left[use]], place[found.right[use]], found.weight[use])

        def pairs(found: RowPairs) -> RowPairs:
            use = chosen[found[0]]
            return place[found[0][use]], place[found[1][use]]

        def values(column: Multi) -> Multi:
            use = np.flatnonzero(chosen[column.record])
            return Multi(column.space, place[column.record[use]], column.value[use], no_rows())

        return Region(
            rows,
            self.order[rows],
            self.live[rows],
            self.active[rows],
            self.anchored[rows],
            edges(self.good),
            edges(self.copies),
            Judgements(pairs(self.judged.must), pairs(self.judged.cannot)),
            {name: values(column) for name, column in self.identifiers.items()},
            self.given[rows],
            self.names,
        )


def given_names(records: RecordSet) -> tuple[Codes, pa.Array]:
    """Code of each record's given name, and the names."""
    column = records.columns.get("given_name")
    if column is None:
        return np.full(len(records), -1, np.int32), pa.array([], pa.string())
    return column.codes, records.spaces[column.space].texts


def cluster(region: Region, score: linkage.Score, policy: IdentityPolicy, threshold: int) -> Clustered:
    """Cluster the records of a region; ``score`` weighs pairs of places. Everything in the result is by place."""
    order, live, judged = region.order, region.live, region.judged
    copies = region.copies
    unique = protection.same_unique(region.identifiers, policy, live)
    start = start_groups(order, judged.must, judged.cannot, unique, (copies.left, copies.right))
    divided = divide(order, region.good, start, region.active, Rules(threshold, policy.max_cluster))
    colours = protection.unique_colours(region.identifiers, policy, live, start)
    with ThreadPoolExecutor(THREADS) as pool:
        linked = linkage.link(divided, judged.cannot, score, colours=colours, each=pool.map)
    unnamed = live & ~region.anchored
    together, waiting = _waiting(unnamed, start, judged, order)
    attached = attaching.attach(
        linked.labels, waiting, region.identifiers, policy, judged.cannot,
        order=order, live=live, together=together,
    )  # fmt: skip
    labels = named(attached.labels, order)
    joins = protection.unique_edges(region.identifiers, policy, live, labels, order)
    stated = _by_type([*attached.edges, *joins])
    inside = linked.edges
    suspicious, (lowest, ties) = both(
        lambda: _suspicious(region, policy, labels),
        lambda: (
            linkage.best_paths(labels, weighed(concat_edges([inside, copies]), stated, judged)),
            _ties(region, unnamed, unique),
        ),
    )
    held = [*divided.held, *linked.held, *attached.held, *suspicious]
    return Clustered(labels, ties, inside, copies, stated, lowest, held)


def _waiting(unnamed: Flags, start: Rows, judged: Judgements, order: Order) -> tuple[Rows | None, Flags]:
    """What judgements joined, and the unnamed records that none of them gave to a named one."""
    if not len(judged.must[0]):
        return None, unnamed
    placed = np.zeros(len(start), bool)
    placed[start[~unnamed]] = True
    return components(order, *judged.must), unnamed & ~placed[start]


def _ties(region: Region, unnamed: Flags, unique: RowPairs) -> Rows:
    """Rows that are tied in any way, by the one of least order."""
    must, cannot = region.judged.must, region.judged.cannot
    pairs = [(region.good.left, region.good.right), (region.copies.left, region.copies.right), must, cannot]
    pairs.append(stars(region.order, *unique)[:2])
    for column in region.identifiers.values():
        held = unnamed[column.record]
        if held.any():
            shared = np.zeros(int(column.value.max()) + 1, bool)
            shared[column.value[held]] = True
            use = shared[column.value] & region.live[column.record]
            pairs.append(stars(region.order, column.record[use], column.value[use])[:2])
    return components(
        region.order, np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])
    )


def _suspicious(region: Region, policy: IdentityPolicy, labels: Rows) -> list[Held]:
    """Clusters that hold what one person hardly has."""
    several = protection.several_unique(region.identifiers, policy, region.live, labels)
    large = protection.oversized(labels, region.live, policy.max_cluster)
    names = protection.many_names(labels, as_rows(region.given), region.names, region.live)
    return [*several, *large, *names]


def _by_type(joins: list[Joins]) -> list[Joins]:
    return [
        (
            kind,
            np.concatenate([left for own, left, _ in joins if own == kind]),
            np.concatenate([right for own, _, right in joins if own == kind]),
        )
        for kind in sorted({kind for kind, left, _ in joins if len(left)})
    ]


def weighed(edges: Edges, stated: list[Joins], judged: Judgements) -> Edges:
    """All that holds clusters together, with weights."""
    parts = [edges]
    for kind, left, right in stated:
        parts.append(Edges(left, right, np.full(len(left), shared_weight(kind), np.int32)))
    must = judged.must
    return concat_edges([*parts, Edges(*must, np.full(len(must[0]), JUDGED, np.int32))])


def replaced(
    before: Clustered, part: Clustered, region: Region, chosen: Flags, records: RecordSet
) -> Clustered:
    """The clusters before a change with those of the ``chosen`` regions as they are now."""
    rows = region.rows

    def labels(old: Rows, new: Rows) -> Rows:
        found = np.empty(len(chosen), np.int32)
        found[: len(old)] = old
        found[rows] = rows[new]
        return found

    def edges(old: Edges, new: Edges) -> Edges:
        fresh = Edges(rows[new.left], rows[new.right], new.weight)
        return exchanged(old, np.flatnonzero(chosen[old.left]), fresh)

    stated = [(kind, left[~chosen[left]], right[~chosen[left]]) for kind, left, right in before.stated]
    stated += [(kind, rows[left], rows[right]) for kind, left, right in part.stated]
    lowest = np.empty(len(chosen), np.int32)
    lowest[: len(before.lowest)] = before.lowest
    lowest[rows] = part.lowest
    gone = _values_of(before.held, chosen, records)
    kept = [h for h in before.held if not _concerns(h, chosen, gone)]
    fresh = [h if h.what == "identifier" else replace(h, place=int(rows[h.place])) for h in part.held]
    return Clustered(
        labels(before.labels, part.labels),
        labels(before.region, part.region),
        edges(before.inside, part.inside),
        edges(before.copies, part.copies),
        _by_type(stated),
        lowest,
        [*kept, *fresh],
    )


def _values_of(held: list[Held], chosen: Flags, records: RecordSet) -> Mapping[tuple[str, str], Flags]:
    """Values of the chosen rows, for the types of which values were held back."""
    found = {}
    for name in sorted({(h.type, h.namespace) for h in held if h.what == "identifier"}):
        column = records.identifiers[name]
        found[name] = np.zeros(len(records.spaces[column.space]), bool)
        found[name][column.value[chosen[column.record]]] = True
    return found


def _concerns(held: Held, chosen: Flags, values: Mapping[tuple[str, str], Flags]) -> bool:
    if held.what == "identifier":
        return bool(values[held.type, held.namespace][held.place])
    return bool(chosen[held.place])
