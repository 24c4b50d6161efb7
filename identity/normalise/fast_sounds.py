"""Names by sound over whole arrays."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from identity.normalise.text import consonant_code


def consonant_codes(values: pa.Array) -> pa.Array:
    """``consonant_code`` of every text without its blanks.

    >>> consonant_codes(pa.array(["knight", "night", "van dyk"])).to_pylist()
    ['n23', 'n23', 'v532']
    """
    return pa.array([consonant_code(value.replace(" ", "")) for value in values.to_pylist()], pa.string())
