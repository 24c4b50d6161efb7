"""What records hold that a model version does not read: columns and identifiers that came after it was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.columns import ADDRESS_ROLES, CONTACT_ROLES, NOT_COMPARED
from identity.comparisons import ADDRESS
from identity.recordset import shown_column, text_column

if TYPE_CHECKING:
    from identity.comparer import Plan
    from identity.recordset import RecordSet

LEAST_SHARE = 0.01
"""Share of the records that must hold something before it is missed,"""
LEAST_RECORDS = 5
"""and how many records at least."""
_GLOBAL = ("email", "phone")
_SPELLINGS = {"full_name": ("given_name", "surname")}
"""Columns that are read as others."""
Name = tuple[str, str]


def there(records: RecordSet) -> dict[str, Any]:
    """The columns and identifiers of which the records hold any value, in a form for JSON."""
    return {
        "columns": sorted(name for name, column in records.columns.items() if (column.codes >= 0).any()),
        "identifiers": sorted(list(name) for name, one in records.identifiers.items() if len(one.record)),
    }


def unread(
    chosen: Plan, known: Mapping[str, Any], records: pa.Table, identifiers: pa.Table | None
) -> tuple[str, ...]:
    """Columns and identifier types that more than 1 % of the records hold (at least 5), and no comparison reads.

    ``known``: what was there when the version was fitted (see ``there``), of which it reads all that can be
    compared. Only what is new by its name is encoded, so that hardly anything is done where nothing is new.
    """
    from identity.encode import encode

    least = max(LEAST_RECORDS, int(LEAST_SHARE * records.num_rows) + 1)
    columns, pairs = _known(chosen, known)
    new = [
        name
        for name in records.column_names
        if name not in NOT_COMPARED
        and not _is_known(name, columns, pairs)
        and _filled(records[name]) >= least
    ]
    sightings = None if identifiers is None else _new_sightings(identifiers, pairs, least)
    if not new and sightings is None:
        return ()
    encoded, _ = encode(records.select(["record_key", *new]), sightings)
    named = {*new, *(other for name in new for other in _SPELLINGS.get(name, ()))}
    found = [
        (shown_column(name), one.codes)
        for name, one in encoded.columns.items()
        if name not in columns and shown_column(name) in named
    ]
    found += [
        (" of ".join(filter(None, name)), one.codes)
        for name, one in encoded.identifiers.items()
        if name not in pairs
    ]
    return tuple(sorted(name for name, codes in found if np.count_nonzero(codes >= 0) >= least))


def _known(chosen: Plan, known: Mapping[str, Any]) -> tuple[set[str], set[Name]]:
    """Columns and identifiers that a version reads, or that were there when it was fitted."""
    columns = set(known.get("columns", ()))
    pairs = {(kind, namespace) for kind, namespace in known.get("identifiers", ())}
    for item in chosen:
        kind, name = item.source.kind, item.source.name
        if kind == "identifier":
            pairs.add((name, item.source.namespace))
        elif kind == "address":
            columns |= ADDRESS_ROLES if item.comparison.name == ADDRESS.name else ADDRESS_ROLES - {"street"}
        else:
            columns.add(name)
    return columns, pairs


def _is_known(name: str, columns: set[str], pairs: set[Name]) -> bool:
    if name in CONTACT_ROLES:
        return (name, "") in pairs
    return not columns.isdisjoint((name, text_column(name), *_SPELLINGS.get(name, ())))


def _filled(column: pa.ChunkedArray) -> int:
    """How many rows have a value."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return int(pc.sum(pc.not_equal(column.cast(kind), "")).as_py() or 0)
    return len(column) - int(column.null_count)


def _new_sightings(identifiers: pa.Table, pairs: set[Name], least: int) -> pa.Table | None:
    """The identifiers of types that are not known and that many rows have; None where there are none."""
    counts = identifiers.group_by(["type", "namespace"]).aggregate([("record_key", "count")])
    kinds = {
        (row["type"], row["namespace"]): row["record_key_count"]
        for row in counts.to_pylist()
        if (row["type"], "" if row["type"] in _GLOBAL else row["namespace"] or "") not in pairs
    }
    use = [
        pc.and_(
            pc.equal(identifiers["type"], kind),
            pc.fill_null(pc.equal(identifiers["namespace"], namespace), namespace is None),
        )
        for (kind, namespace), count in sorted(kinds.items(), key=str)
        if count >= least
    ]
    if not use:
        return None
    chosen = use[0]
    for more in use[1:]:
        chosen = pc.or_(chosen, more)
    return identifiers.filter(chosen)
