"""Pairs of customers that would be one but for two values of a unique identifier: told, never merged silently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp.schemas import HELD_BACK
from identity.components import Edges, Rows
from identity.engine import threshold_of
from identity.evidence_table import oriented
from identity.model import UNIT
from identity.protection import unique_colours
from identity.state import State

MOST_VETOES = 1_000
"""The pairs that are told: those of greatest weight."""


def vetoes(state: State, most: int = MOST_VETOES) -> pa.Table:
    """The pairs of records that weigh enough, in customers that hold different values of a unique type.

    Of each two customers the pair of greatest weight is told, in the columns of ``HELD_BACK``.
    """
    names = [name for name in sorted(state.status.identifiers) if name[0] in state.policy.unique]
    edges = _across(state) if names else None
    if edges is None or not len(edges):
        return HELD_BACK.empty_table()
    labels = state.clustered.labels
    colours = unique_colours(state.status.identifiers, state.policy, state.live, labels)
    one, two = colours[:, labels[edges.left]], colours[:, labels[edges.right]]
    barred = (one != -1) & (two != -1) & ((one != two) | (one == -2))
    use = np.flatnonzero(barred.any(axis=0))
    if not len(use):
        return HELD_BACK.empty_table()
    chosen = _strongest(state, edges.take(use), most)
    kind = barred[:, use[chosen]].argmax(axis=0).tolist()
    left, right = oriented(state.records, edges.left[use[chosen]], edges.right[use[chosen]])
    keys, bits = state.records.keys, edges.weight[use[chosen]] / UNIT
    rows = [
        (
            "pair",
            *names[number],
            f"{keys[a].as_py()} and {keys[b].as_py()}",
            _reason(weight, names[number]),
            2,
        )
        for number, a, b, weight in zip(kind, left.tolist(), right.tolist(), bits.tolist(), strict=True)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(HELD_BACK)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, HELD_BACK, strict=True)],
        schema=HELD_BACK,
    )


def _reason(weight: float, name: tuple[str, str]) -> str:
    what = " of ".join(filter(None, name))
    return f"match weight {weight:+.1f}, but their customers hold different values of {what}: one customer has one"


def _across(state: State) -> Edges:
    """The pairs that weigh enough and are not of one customer."""
    edges, labels = state.edges, state.clustered.labels
    good = np.flatnonzero(edges.weight >= threshold_of(state.version, state.policy))
    return edges.take(good[labels[edges.left[good]] != labels[edges.right[good]]])


def _strongest(state: State, edges: Edges, most: int) -> npt.NDArray[np.int64]:
    """Places of the best pair of each two customers, the best of these first; row numbers play no part."""
    order, labels = state.records.order, state.clustered.labels

    def ends(one: Rows, two: Rows) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        return np.minimum(order[one], order[two]), np.maximum(order[one], order[two])

    low, high = ends(edges.left, edges.right)
    first, second = ends(labels[edges.left], labels[edges.right])
    rank = np.lexsort((high, low, -edges.weight.astype(np.int64)))
    first, second = first[rank], second[rank]
    alike = np.lexsort((second, first))  # stable: of each two customers the best stands first
    fresh = (np.diff(first[alike]) != 0) | (np.diff(second[alike]) != 0)
    return rank[np.sort(alike[np.flatnonzero(np.r_[True, fresh])])][:most]
