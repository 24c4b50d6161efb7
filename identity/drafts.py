"""Encoded columns on their way to a record set: parts by different hands, put under common dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from identity.columns import DateRules, space
from identity.kernels.codes import gather
from identity.recordset import RecordSet
from identity.sightings import Pairs
from identity.together import each
from identity.values import Coded, Codes, Column, Hashes, Multi, Values

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Draft:
    """Encoded columns, each with a dictionary of its own, and what was learned of dates."""

    columns: dict[str, Coded] = field(default_factory=dict)
    keys_only: dict[str, Coded] = field(default_factory=dict)
    identifiers: dict[tuple[str, str], Pairs] = field(default_factory=dict)
    placeholders: dict[tuple[str, str], Pairs] = field(default_factory=dict)
    rules: dict[str, DateRules] = field(default_factory=dict)


def used(draft: Draft) -> Draft:
    """A draft without the texts that no record has."""
    return replace(
        draft,
        columns={name: column.used() for name, column in draft.columns.items()},
        keys_only={name: column.used() for name, column in draft.keys_only.items()},
    )


def join(drafts: Iterable[Draft]) -> Draft:
    """All parts in one draft, without columns that nobody has a value of."""
    whole = Draft()
    for draft in drafts:
        whole.columns.update(draft.columns)
        whole.keys_only.update(draft.keys_only)
        whole.identifiers.update(draft.identifiers)
        whole.placeholders.update(draft.placeholders)
        whole.rules.update(draft.rules)
    for columns in (whole.columns, whole.keys_only):
        for name in [name for name, column in columns.items() if not len(column)]:
            del columns[name]
    for pairs in (whole.identifiers, whole.placeholders):
        for key in [key for key, found in pairs.items() if not len(found.record)]:
            del pairs[key]
    return whole


def record_set(keys: pa.Array, order: Hashes, draft: Draft) -> RecordSet:
    """The records of a draft, columns of one space under one dictionary."""
    stock: dict[str, Values] = {}
    size = len(keys)
    return RecordSet(
        keys=keys,
        order=order,
        columns=_columns(draft.columns, stock),
        keys_only=_columns(draft.keys_only, stock),
        identifiers=_multis(draft.identifiers, "", stock, size),
        placeholders=_multis(draft.placeholders, "placeholder ", stock, size),
        spaces=dict(sorted(stock.items())),
    )


def _columns(drafts: Mapping[str, Coded], stock: dict[str, Values]) -> dict[str, Column]:
    listed = sorted(drafts.items())
    values = each(partial(Values.of, column.texts) for _, column in listed)
    stored = [_stored(stock, space(name), own) for (name, _), own in zip(listed, values, strict=True)]
    codes = each(
        partial(gather, codes, column.codes) for codes, (_, column) in zip(stored, listed, strict=True)
    )
    return {name: Column(space(name), own) for (name, _), own in zip(listed, codes, strict=True)}


def _multis(
    drafts: Mapping[tuple[str, str], Pairs], prefix: str, stock: dict[str, Values], size: int
) -> dict[tuple[str, str], Multi]:
    made = {}
    for (kind, namespace), pairs in sorted(drafts.items()):
        place = f"{prefix}{kind}/{namespace}"
        mapping = _stored(stock, place, Values(pairs.value.texts, pairs.hashes))
        value, codes = gather(mapping, pairs.value.codes), gather(mapping, pairs.representatives(size))
        made[kind, namespace] = Multi(place, pairs.record, value, codes, pairs.seen)
    return made


def _stored(stock: dict[str, Values], place: str, values: Values) -> Codes:
    """Put values into the dictionary of a space; returns their codes in it."""
    if place not in stock:
        stock[place] = values
        return np.arange(len(values), dtype=np.int32)
    stock[place], codes = stock[place].union(values)
    return codes
