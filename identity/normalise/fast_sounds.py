"""Names by sound over whole arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from identity.kernels import sounds
from identity.normalise import text
from identity.normalise.fast import one

_MUTE = "hw"

if TYPE_CHECKING:
    import pyarrow as pa


def consonant_codes(values: pa.Array) -> pa.Array:
    """``consonant_code`` of every text without its blanks.

    >>> import pyarrow as pa
    >>> consonant_codes(pa.array(["knight", "night", "van dyk"])).to_pylist()
    ['n23', 'n23', 'v532']
    """
    found, unusual = sounds.code(values, text._SOUND, text._LEADING, _MUTE)  # noqa: SLF001
    return one(values, unusual, lambda value: text.consonant_code(value.replace(" ", "")), found)
