"""The tables of a resolution, made from its state: clusters, what was held back, pairs near even odds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp.schemas import CLUSTERS, EVIDENCE, HELD_BACK
from identity import engine
from identity.evidence_table import scored
from identity.held import held_table, placeholders
from identity.kernels import least as kernels
from identity.kernels.buffers import views
from identity.kernels.graph import NO_PATH
from identity.model import UNIT, probability
from identity.scorer import Scorer
from identity.state import State
from identity.values import Codes
from identity.vetoes import vetoes

MOST_UNCERTAIN = 20_000
_DOUBT = 4.25 * UNIT  # weights within it are probabilities between .05 and .95


def cluster_heads(state: State, rows: Codes | None = None) -> Codes:
    """By label, the live row with the smallest record key; ``rows``: only of clusters that consist of these."""
    data, offsets = views(state.records.keys)
    if rows is None:
        rows = np.flatnonzero(state.live).astype(np.int32)
    best = np.full(len(state.records), -1, np.int32)
    kernels.least(data, offsets, rows, state.clustered.labels, best)
    return best


def clusters(
    state: State, rows: npt.NDArray[np.integer] | None = None, heads: Codes | None = None
) -> pa.Table:
    """One row per live record (or of ``rows``), in the order in which the records came.

    ``heads``: those of ``cluster_heads``, if they are there already.
    """
    if rows is None:
        rows = np.flatnonzero(state.live)
    keys, found = state.records.keys, state.clustered
    head = (cluster_heads(state) if heads is None else heads)[found.labels[rows]]
    lowest = found.lowest[rows]
    alone = lowest == NO_PATH
    chance = pa.array(probability(np.where(alone, 0, lowest)), mask=alone)
    return pa.table([keys.take(pa.array(rows)), keys.take(pa.array(head)), chance], schema=CLUSTERS)


def uncertain(state: State, scorer: Scorer) -> pa.Table:
    """The pairs nearest to even odds, at most ``MOST_UNCERTAIN``, in the form of the evidence."""
    edges, order = state.edges, state.records.order
    near = np.flatnonzero(np.abs(edges.weight) <= _DOUBT)
    if not len(near):
        return EVIDENCE.empty_table()
    one, two = order[edges.left[near]], order[edges.right[near]]
    low, high = np.minimum(one, two), np.maximum(one, two)
    first = np.lexsort((high, low, np.abs(edges.weight[near])))[:MOST_UNCERTAIN]
    chosen = near[first]
    return scored(state.records, scorer, edges.left[chosen], edges.right[chosen])


def held_back(state: State, heads: Codes | None = None) -> pa.Table:
    """What links nobody, or not fully, with the reason; ``heads``: those of ``cluster_heads``, if they are there."""
    records = state.records
    held = engine.held_back(state)

    def text(kind: str, namespace: str, code: int) -> str:
        space = records.identifiers[kind, namespace].space
        return str(records.spaces[space].texts[code].as_py())

    first = cluster_heads(state) if heads is None else heads

    def key(row: int) -> str:
        head = first[state.clustered.labels[row]]
        return str(records.keys[int(head)].as_py())

    found = held_table(held, key, text)
    whole = pa.concat_tables([found, placeholders(records, state.live), vetoes(state)])
    return whole.sort_by([(name, "ascending") for name in HELD_BACK.names])
