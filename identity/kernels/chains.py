"""How many pairs of a cluster hang on each of its edges."""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _root(parent, node):  # type: ignore[no-untyped-def]
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@_jit
def hanging_pairs(label, left, right, places, pairs):  # type: ignore[no-untyped-def]
    """Fill ``pairs``: per edge, how many pairs of rows have it as the narrowest of their widest path.

    ``places``: the edges from the widest on. Edges between clusters hold none. In Kruskal's order (1956) an edge
    that joins two parts is the narrowest of the widest path of every pair between them.
    """
    parent, size = np.arange(len(label)).astype(np.int32), np.ones(len(label), np.int64)
    for edge in places:
        pairs[edge] = 0
        if label[left[edge]] != label[right[edge]]:
            continue
        one, two = _root(parent, left[edge]), _root(parent, right[edge])
        if one == two:
            continue
        if size[one] < size[two]:
            one, two = two, one
        pairs[edge] = size[one] * size[two]
        parent[two] = one
        size[one] += size[two]
