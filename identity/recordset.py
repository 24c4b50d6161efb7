"""Encoded records and how they grow: a batch is appended, nothing that stands is renumbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from identity.growing import extended, extended_texts
from identity.kernels.codes import gather
from identity.values import NEVER, NO_TIMES, Codes, Column, Hashes, Multi, Times, Values

NAME_ROLES = ("given_name", "surname", "company")
_TEXT = "text: "


def text_column(name: str) -> str:
    """Name a column of text so that it is neither a role nor a derived column, whatever it is called.

    >>> text_column("door"), shown_column(text_column("door")), shown_column("company")
    ('text: door', 'door', 'company')
    """
    return _TEXT + name


def is_text_column(name: str) -> bool:
    """Whether a name was made by ``text_column``."""
    return name.startswith(_TEXT)


def shown_column(name: str) -> str:
    """The name by which people know a column."""
    return name.removeprefix(_TEXT)


@dataclass(frozen=True)
class RecordSet:
    """N encoded records in the order of their arrival, every mapping sorted by its key.

    ``order`` (``uint64[N]``) is the stable hash of each record key and breaks ties. ``columns`` by role or
    ``text_column``; ``keys_only`` are derived columns that serve as blocking keys and are never compared
    ("spoken name", "name key", "date key", "local part", "first word", "company by sound");
    ``identifiers`` and ``placeholders`` (values that anybody types, held back) by (type, namespace).
    """

    keys: pa.Array
    order: Hashes
    spaces: dict[str, Values]
    columns: dict[str, Column]
    keys_only: dict[str, Column] = field(default_factory=dict)
    identifiers: dict[tuple[str, str], Multi] = field(default_factory=dict)
    placeholders: dict[tuple[str, str], Multi] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def texts(self, column: Column | Multi) -> pa.Array:
        """One text per record, null where it has no value."""
        codes = pa.array(column.codes, mask=column.codes < 0)
        return self.spaces[column.space].texts.take(codes)


def append(state: RecordSet, batch: RecordSet) -> RecordSet:
    """The records of the state, then those of the batch; codes of the state stay as they are.

    The work is in proportion to the batch: what stands is copied once at most (see ``growing``). A record
    key may come again: which of its rows counts is the caller's matter.
    """
    spaces, mapping = _spaces(state.spaces, batch.spaces)
    sizes = (len(state), len(batch))
    return RecordSet(
        extended_texts(state.keys, batch.keys),
        extended(state.order, batch.order),
        spaces,
        _columns(state.columns, batch.columns, mapping, sizes),
        _columns(state.keys_only, batch.keys_only, mapping, sizes),
        _multis(state.identifiers, batch.identifiers, mapping, sizes),
        _multis(state.placeholders, batch.placeholders, mapping, sizes),
    )


def _spaces(
    state: Mapping[str, Values], batch: Mapping[str, Values]
) -> tuple[dict[str, Values], dict[str, Codes]]:
    spaces, mapping = dict(state), {}
    for space, values in batch.items():
        if space in state:
            spaces[space], mapping[space] = state[space].union(values)
        else:
            spaces[space], mapping[space] = values, np.arange(len(values), dtype=np.int32)
    return dict(sorted(spaces.items())), mapping


def _columns(
    state: Mapping[str, Column],
    batch: Mapping[str, Column],
    mapping: Mapping[str, Codes],
    sizes: tuple[int, int],
) -> dict[str, Column]:
    made = {}
    for name in sorted({*state, *batch}):
        parts = [_none(size) for size in sizes]
        if name in state:
            parts[0] = state[name].codes
        if name in batch:
            parts[1] = gather(mapping[batch[name].space], batch[name].codes)
        made[name] = Column((state.get(name) or batch[name]).space, extended(*parts))
    return made


def _none(size: int) -> Codes:
    return np.full(size, -1, dtype=np.int32)


def _multis(
    state: Mapping[tuple[str, str], Multi],
    batch: Mapping[tuple[str, str], Multi],
    mapping: Mapping[str, Codes],
    sizes: tuple[int, int],
) -> dict[tuple[str, str], Multi]:
    made = {}
    for name in sorted({*state, *batch}):
        space = (state.get(name) or batch[name]).space
        first = state.get(name) or _no_values(space, sizes[0])
        second = batch.get(name) or _no_values(space, sizes[1])
        own = mapping.get(space, np.empty(0, dtype=np.int32))
        made[name] = Multi(
            space,
            extended(first.record, second.record + np.int32(sizes[0])),
            extended(first.value, gather(own, second.value)),
            extended(first.codes, gather(own, second.codes)),
            _times(first, second),
        )
    return made


def _no_values(space: str, size: int) -> Multi:
    return Multi(space, _none(0), _none(0), _none(size))


def _times(first: Multi, second: Multi) -> Times:
    if not len(first.seen) and not len(second.seen):
        return NO_TIMES
    parts = [m.seen if len(m.seen) else np.full(len(m.record), NEVER) for m in (first, second)]
    return extended(*parts)
