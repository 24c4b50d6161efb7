"""The blocking keys of a set of records: which there are, most telling first, and their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from identity.derived import (
    BIRTH_MONTH,
    BIRTHDAY,
    COMPANY_BY_SOUND,
    DATE_KEY,
    FIRST_WORD,
    LOCAL_PART,
    SPOKEN_NAME,
)
from identity.keys import CAP, Key, KeySpec, count
from identity.recordset import RecordSet, shown_column
from identity.values import Codes, Column, Flags, Multi

_NO_KEY = frozenset(
    "given_name middle_name surname suffix gender birth_date company door street street_number postcode city "
    "region country".split()
)
_WHOLE = ("door", "company")
_PLACES = ("postcode", "city")
Identifiers = Mapping[tuple[str, str], Multi]


def identifier_key(kind: str, namespace: str) -> str:
    """Name of the key of one identifier type."""
    return f"{kind}/{namespace}"


def choose(records: RecordSet) -> tuple[KeySpec, ...]:
    """The keys that the columns of the records allow; a model version keeps them."""
    found = [
        KeySpec(identifier_key(kind, space), identifier_key(kind, space), identifier=True)
        for (kind, space), column in sorted(records.identifiers.items())
        if len(column.record)
    ]
    identified = bool(found)
    columns, derived = records.columns, records.keys_only
    found += [KeySpec(name, name) for name in _WHOLE if name in columns]
    if DATE_KEY in derived:
        found.append(KeySpec(DATE_KEY, "birth_date"))
        if not identified:
            # Without identifiers, parts of the date find those whose date or name has a slip of the pen.
            found += [KeySpec(name, name, alone=False) for name in (BIRTH_MONTH, BIRTHDAY) if name in derived]
    found += [
        KeySpec(name, name, combine=False) for name in (LOCAL_PART, COMPANY_BY_SOUND) if name in derived
    ]
    if FIRST_WORD in derived:
        found.append(KeySpec(FIRST_WORD, FIRST_WORD))
    found += [KeySpec(name, "name") for name in ("given_name", "surname") if name in columns]
    if SPOKEN_NAME in derived:
        found.append(KeySpec(SPOKEN_NAME, SPOKEN_NAME, combine=False))
    found += [KeySpec(name, name) for name in _PLACES if name in columns]
    texts = sorted(set(columns) - _NO_KEY)
    found += [KeySpec(n, n, alone=False) for n in texts if len(records.spaces[columns[n].space]) > CAP]
    return tuple(found)


def build(
    specs: Sequence[KeySpec],
    records: RecordSet,
    identifiers: Identifiers,
    hubs: Mapping[tuple[str, str], Flags],
) -> list[Key]:
    """The columns of keys; ``identifiers`` are those without hub values, ``hubs`` flags these by value."""
    nothing = np.full(len(records), -1, np.int32)
    by_name = {identifier_key(*name): name for name in identifiers}
    keys = []
    for spec in specs:
        several = None
        if spec.name in by_name:
            column = identifiers[by_name[spec.name]]
            codes, size = column.codes, len(records.spaces[column.space])
            if len(column.record) > int((column.codes >= 0).sum()):
                several = (column.record, column.value)
        else:
            found = records.columns.get(spec.name) or records.keys_only.get(spec.name)
            codes = nothing if found is None else found.codes
            size = 1 if found is None else len(records.spaces[found.space])
            if spec.name == LOCAL_PART and found is not None:
                codes = _held(records, found, identifiers, hubs)
        keys.append(
            Key(spec.name, spec.space, codes, size, spec.alone, spec.combine, several, spec.identifier)
        )
    return keys


def _held(
    records: RecordSet, local: Column, identifiers: Identifiers, hubs: Mapping[tuple[str, str], Flags]
) -> Codes:
    """Local parts without those of addresses that are held back."""
    name = ("email", "")
    flags = hubs.get(name)
    if flags is None or not flags.any():
        return local.codes
    own = records.identifiers[name].codes
    return np.where(own == identifiers[name].codes, local.codes, np.int32(-1))


def coverage(keys: Sequence[Key], active: Flags, cap: int | None) -> dict[str, Any]:
    """Per key how many records and values it has, and how many pairs it emits; and records without any key."""
    counts = count(keys, active)
    found = []
    any_key = np.zeros(len(active), bool)
    for space in dict.fromkeys(key.space for key in keys):
        members = [key for key in keys if key.space == space]
        has = np.any([key.codes >= 0 for key in members], axis=0) & active
        any_key |= has
        size = counts.spaces[space].astype(np.int64)
        most = len(active) if cap is None else cap if any(key.alone for key in members) else 1
        small = size[size <= most]
        found.append(
            {
                "key": shown_column(space).rstrip("/").replace("_", " "),
                "values": int((size > 0).sum()),
                "records": int(has.sum()),
                "pairs": int((small * (small - 1) // 2).sum()),
                "first": None,
                "oversize_records": int(size[size > most].sum()),
            }
        )
    return {"blocking": found, "records_without_key": int((active & ~any_key).sum())}
