"""Match weights counted in bins, for the model report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from identity.model import UNIT

BIN = 0.5
LOWEST, HIGHEST = -40.0, 40.0


def weight_histogram(
    weights: npt.NDArray[Any], counts: npt.NDArray[Any] | None = None, *, with_term_frequency: bool = True
) -> dict[str, Any]:
    """Count match weights (1/1000 bit, prior included) in bins of half a bit, with the matches expected there.

    ``counts``: how many pairs have each weight, where ``weights`` are those of patterns. The end bins take
    what lies outside of -40 to 40 bits.

    >>> found = weight_histogram(np.array([0, 100, 9_000]))
    >>> sum(found["counts"]), round(sum(found["matches"]), 2)
    (3, 2.01)
    """
    whole = np.asarray(weights, dtype=np.int64)
    lowest = int(whole.min()) if len(whole) else 0
    # Counted by whole weight first: sums of floats then do not depend on the order of the pairs.
    amount = np.bincount(whole - lowest, counts).astype(np.float64)
    bits = (np.arange(len(amount)) + lowest) / UNIT
    size = int((HIGHEST - LOWEST) / BIN)
    place = np.clip(np.floor((bits - LOWEST) / BIN), 0, size - 1).astype(np.int64)
    chance = 1.0 / (1.0 + np.exp2(-np.clip(bits, -60, 60)))
    return {
        "bin": BIN,
        "first": LOWEST,
        "counts": [int(n) for n in np.bincount(place, amount, size).round()],
        "matches": [round(float(n), 3) for n in np.bincount(place, amount * chance, size)],
        "with_term_frequency": with_term_frequency,
    }
