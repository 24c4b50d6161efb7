"""What a model expects of its own clusters, without any labels."""

from __future__ import annotations

import numpy as np

from identity.components import Edges, Rows
from identity.kernels import chains
from identity.model import counted, probability


def expected_precision(labels: Rows, edges: Edges) -> float:
    """The expected share of right pairs among all pairs of records inside clusters; 1 without any pair.

    ``edges``: what holds the clusters together. Two records belong together where a chain of edges between them
    holds, and a chain is as good as its narrowest edge: so a pair of one person's records that have little in
    common counts as much as what joined them.

    >>> edges = Edges(*(np.array(x, np.int32) for x in ([0, 1], [1, 2], [20_000, 0])))
    >>> round(expected_precision(np.zeros(3, np.int32), edges), 4)
    0.6667
    """
    places = np.argsort(-edges.weight)
    pairs = np.zeros(len(edges), np.int64)
    chains.hanging_pairs(labels, edges.left, edges.right, places, pairs)
    total = int(pairs.sum())
    # Counted by whole weight: sums of floats then do not depend on the order of the edges.
    weight, number = counted(edges.weight[pairs > 0], pairs[pairs > 0])
    return float((probability(weight) * number).sum()) / total if total else 1.0
