"""Clustering that resists chains: average link by rounds of mutual best neighbours.

Two clusters are joined where each is the other's best neighbour; with ties broken by the smallest record this
yields the same tree as always joining the best pair, because average link is reducible (Bruynooghe 1978), and
the order of the input plays no part. Pairs without an edge count as ``missing``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
FORBIDDEN = -(10**9)


def components(size: int, left: Rows, right: Rows) -> Rows:
    """Smallest node of each node's connected component.

    >>> components(4, np.array([1, 2]), np.array([2, 3])).tolist()
    [0, 1, 1, 1]
    """
    label = np.arange(size, dtype=np.int64)
    while len(left):
        one, two = label[left], label[right]
        low, high = np.minimum(one, two), np.maximum(one, two)
        open_ = low != high
        if not open_.any():
            break
        left, right = left[open_], right[open_]
        np.minimum.at(label, high[open_], low[open_])
        while True:
            shorter = label[label]
            if np.array_equal(shorter, label):
                break
            label = shorter
    return label


@dataclass(frozen=True)
class _Edges:
    low: Rows
    high: Rows
    total: Rows
    count: Rows


def _merge_edges(size: int, edges: _Edges) -> _Edges:
    """Add up parallel edges and drop those inside a cluster."""
    keep = edges.low != edges.high
    low, high = np.minimum(edges.low, edges.high)[keep], np.maximum(edges.low, edges.high)[keep]
    packed = low * size + high
    order = np.argsort(packed, kind="stable")
    packed = packed[order]
    if not len(packed):
        return _Edges(low, high, edges.total[keep], edges.count[keep])
    starts = np.flatnonzero(np.r_[True, packed[1:] != packed[:-1]])
    total = np.add.reduceat(edges.total[keep][order], starts)
    count = np.add.reduceat(edges.count[keep][order], starts)
    return _Edges(packed[starts] // size, packed[starts] % size, total, count)


@dataclass(frozen=True)
class Linkage:
    """How far clusters grow.

    Joining stops where no average weight reaches ``threshold``; ``missing`` is the weight of a pair without
    an edge; ``cap`` limits the size of a cluster (0: no limit).
    """

    threshold: int
    missing: int = 0
    cap: int = 0


def average_link(
    size: int,
    edges: tuple[Rows, Rows, Rows],
    linkage: Linkage,
    start: Rows | None = None,
    forbidden: tuple[Rows, Rows] | None = None,
    mass: Rows | None = None,
) -> Rows:
    """Cluster nodes 0..size-1; returns for each node the smallest node of its cluster.

    ``edges``: left, right, integer weight. ``start``: clusters to begin with (label = smallest node).
    ``forbidden``: pairs that must not share a cluster. ``mass``: how much each node counts in averages and
    sizes (1 each); a node of mass 0 is a copy that its start cluster carries along.

    >>> two = (np.array([0, 1]), np.array([1, 2]), np.array([9, 2]))
    >>> average_link(3, two, Linkage(threshold=0, missing=-4)).tolist()
    [0, 0, 2]
    """
    left, right, weight = edges
    label = np.arange(size, dtype=np.int64) if start is None else start.astype(np.int64).copy()
    weights_of = np.ones(size, dtype=np.int64) if mass is None else mass
    members = np.bincount(label, weights=weights_of, minlength=size).astype(np.int64)
    bars = forbidden or (np.empty(0, np.int64), np.empty(0, np.int64))
    weights = np.concatenate([weight.astype(np.int64), np.full(len(bars[0]), FORBIDDEN * 1000, np.int64)])
    low, high = np.concatenate([left, bars[0]]), np.concatenate([right, bars[1]])
    counts = np.r_[np.ones(len(left), np.int64), np.zeros(len(bars[0]), np.int64)]
    link = _merge_edges(size, _Edges(label[low], label[high], weights, counts))
    while len(link.low):
        possible = members[link.low] * members[link.high]
        mean = (link.total + linkage.missing * (possible - link.count)) / possible
        good = (mean >= linkage.threshold) & (link.total > FORBIDDEN * 100)
        if linkage.cap:
            good &= members[link.low] + members[link.high] <= linkage.cap
        if not good.any():
            break
        pairs = _mutual_best(size, link.low[good], link.high[good], mean[good])
        parent = np.arange(size, dtype=np.int64)
        parent[pairs[1]] = pairs[0]
        members[pairs[0]] += members[pairs[1]]
        members[pairs[1]] = 0
        label = parent[label]
        link = _merge_edges(size, _Edges(parent[link.low], parent[link.high], link.total, link.count))
    return label


def _mutual_best(size: int, low: Rows, high: Rows, mean: npt.NDArray[np.float64]) -> tuple[Rows, Rows]:
    """Pairs of clusters that are each other's best neighbour; ties go to the smallest pair."""
    order = np.lexsort((high, low, -mean))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    best = np.full(size, len(order), dtype=np.int64)
    np.minimum.at(best, low, rank)
    np.minimum.at(best, high, rank)
    mutual = (best[low] == rank) & (best[high] == rank)
    return low[mutual], high[mutual]
