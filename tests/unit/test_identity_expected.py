"""What a model expects of its clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.components import Edges
from identity.expected import expected_precision
from identity.model import probability

ROWS = 7
EDGES = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1), st.integers(-9_000, 9_000)))


def edges(found):
    return Edges(*(np.array([e[k] for e in found], np.int32) for k in range(3)))


def slowly(labels, found):
    """The widest path of each pair by dynamic programming (Floyd 1962)."""
    wide = np.full((ROWS, ROWS), -np.inf)
    for one, two, weight in found:
        if labels[one] == labels[two]:
            wide[one, two] = wide[two, one] = max(wide[one, two], weight)
    for by in range(ROWS):
        wide = np.maximum(wide, np.minimum(wide[:, [by]], wide[[by]]))
    chosen = [wide[a, b] for a in range(ROWS) for b in range(a) if np.isfinite(wide[a, b])]
    return float(probability(np.array(chosen)).mean()) if chosen else 1.0


@given(EDGES, st.lists(st.integers(0, 2), min_size=ROWS, max_size=ROWS))
def test_pairs_are_as_good_as_the_narrowest_edge_of_their_widest_path(found, labels):
    labels = np.array(labels, np.int32)
    assert expected_precision(labels, edges(found)) == pytest.approx(slowly(labels, found))


def test_no_pair_is_no_mistake():
    assert expected_precision(np.arange(3, dtype=np.int32), edges([])) == 1.0
