"""What records say: one row per record, field and value, with the value in normal form.

Evaluation and diagnostics read records in this long form. Each distinct value is normalised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.normalise import addresses, contacts, dates, names
from identity.normalise.text import is_missing, words

FACTS = pa.schema(
    [("record", pa.int32()), ("field", pa.string()), ("value", pa.string()), ("norm", pa.string())]
)
"""``record`` is the place in ``Facts.keys``; ``value`` as it was given; ``norm`` is never empty."""
_NOT_SAID = frozenset({"record_key", "source", "first_seen_at", "last_seen_at", "title", "language"})
_DATE_SAMPLE = 20_000
_MANY, _MUCH = 50, 0.004  # records, and share of the dated records, above which a birth date is a placeholder


@dataclass(frozen=True)
class Facts:
    """Record keys, and the FACTS about them.

    Field names are roles (``given_name``), types of identifiers (``email``, ``external_id/shop``), and ``name``:
    given name and surname in the order of the alphabet, so that swapped names are equal.
    """

    keys: pa.Array
    table: pa.Table
    sources: pa.Array


def read_facts(records: pa.Table, identifiers: pa.Table | None = None) -> Facts:
    """Turn records (``record_key``, text columns) and identifiers (record_key, type, namespace, value) around.

    >>> people = pa.table({"record_key": ["a"], "given_name": ["Dr. Ann"], "surname": ["O'Hare"]})
    >>> sorted(read_facts(people).table["norm"].to_pylist())
    ['ann', 'ann ohare', 'ohare']
    """
    keys = _text(records["record_key"])
    parts = [_part(column, _text(records[column]), _form(column)) for column in _said(records)]
    parts += _names(records)
    if identifiers is not None and identifiers.num_rows:
        parts += list(_identifiers(identifiers, keys))
    sources = (
        _text(records["source"]) if "source" in records.column_names else pa.nulls(len(keys), pa.string())
    )
    return Facts(keys, pa.concat_tables(parts) if parts else FACTS.empty_table(), sources)


def _said(records: pa.Table) -> list[str]:
    kinds = {field.name: field.type for field in records.schema}
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    return [name for name, kind in kinds.items() if name not in _NOT_SAID and any(is_(kind) for is_ in texts)]


def _text(column: pa.ChunkedArray) -> pa.Array:
    cast = pc.cast(column, pa.string())
    return cast.combine_chunks() if isinstance(cast, pa.ChunkedArray) else cast


def _plain(value: str) -> str:
    return "" if is_missing(value) else words(value)


_FORMS: dict[str, Callable[[str], str]] = {
    "given_name": lambda value: names.given_parts(value)[0],
    "surname": lambda value: names.surname_parts(value)[0],
    "company": names.organisation,
    "postcode": addresses.postcode,
    "city": addresses.place,
    "email": lambda value: _unless(contacts.is_junk_email, contacts.email(value)),
    "phone": lambda value: _unless(contacts.is_junk_phone, contacts.phone(value)),
}


def _unless(junk: Callable[[str], bool], value: str) -> str:
    """The value, unless it is a placeholder: these say nothing."""
    return "" if not value or junk(value) else value


def _identifier(value: str) -> str:
    return _unless(contacts.is_junk_identifier, contacts.identifier(value))


def _form(column: str) -> Callable[[str], str]:
    return _FORMS.get(column, _plain)


def _normalised(values: pa.Array, form: Callable[[str], str]) -> pa.Array:
    """Normal form of each value; NULL where it says nothing."""
    coded = pc.dictionary_encode(values)
    folded = [form(value) or None for value in coded.dictionary.to_pylist()]
    return pa.array(folded, pa.string()).take(coded.indices)


def _part(field: str, values: pa.Array, form: Callable[[str], str], rows: pa.Array | None = None) -> pa.Table:
    if field == "birth_date":
        sample = pc.unique(pc.drop_null(values))[:_DATE_SAMPLE].to_pylist()
        day_first = dates.day_first(sample)
        norm = _normalised(values, lambda value: dates.parse_date(value, day_is_first=day_first))
        norm = _without_placeholders(norm)
    else:
        norm = _normalised(values, form)
    return _rows(field, values, norm, rows)


def _without_placeholders(norm: pa.Array) -> pa.Array:
    """Drop dates that far too many records have: forms that ask for one fill them in (1 January 1900)."""
    counted = pc.value_counts(pc.drop_null(norm))
    most = max(_MANY, int(_MUCH * (len(norm) - norm.null_count)))
    common = counted.filter(pc.greater(counted.field("counts"), most)).field("values")
    return pc.if_else(pc.is_in(norm, value_set=common), pa.scalar(None, pa.string()), norm)


def _rows(field: str, values: pa.Array, norm: pa.Array, rows: pa.Array | None = None) -> pa.Table:
    numbers = pa.array(np.arange(len(values), dtype=np.int32)) if rows is None else rows
    present = pc.is_valid(norm)
    kept = [numbers.filter(present), values.filter(present), norm.filter(present)]
    label = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(kept[0]), np.int32)), pa.array([field]))
    return pa.table([kept[0], label.cast(pa.string()), kept[1], kept[2]], schema=FACTS)


def _names(records: pa.Table) -> Iterator[pa.Table]:
    """The name as a whole; and given name and surname where a source gives only full names."""
    nothing = pa.nulls(records.num_rows, pa.string())
    columns = {name: _text(records[name]) for name in _said(records)}
    given = _normalised(columns.get("given_name", nothing), _FORMS["given_name"])
    surname = _normalised(columns.get("surname", nothing), _FORMS["surname"])
    if "full_name" in columns:
        whole = columns["full_name"]
        from_whole = [
            _normalised(whole, lambda value, part=part: getattr(names.parse_full_name(value), part))  # type: ignore[misc]
            for part in ("given", "surname")
        ]
        for field, own, derived in (
            ("given_name", given, from_whole[0]),
            ("surname", surname, from_whole[1]),
        ):
            only = pc.if_else(pc.is_null(own), derived, pa.scalar(None, pa.string()))
            yield _rows(field, only, only)
        given, surname = pc.coalesce(given, from_whole[0]), pc.coalesce(surname, from_whole[1])
    ordered = pc.less_equal(given, surname)
    joined = pc.if_else(
        ordered,
        pc.binary_join_element_wise(given, surname, " "),
        pc.binary_join_element_wise(surname, given, " "),
    )
    yield _rows("name", joined, joined)


def _identifiers(identifiers: pa.Table, keys: pa.Array) -> Iterator[pa.Table]:
    places = pc.index_in(_text(identifiers["record_key"]), value_set=keys)
    known = pc.is_valid(places)
    identifiers, places = identifiers.filter(known), places.filter(known)
    kinds, namespaces = _text(identifiers["type"]), pc.fill_null(_text(identifiers["namespace"]), "")
    labels = pc.if_else(pc.equal(namespaces, ""), kinds, pc.binary_join_element_wise(kinds, namespaces, "/"))
    values = _text(identifiers["value"])
    for label in sorted(pc.unique(labels).to_pylist()):
        chosen = pc.equal(labels, label)
        form = _FORMS.get(label, _identifier)
        yield _part(label, values.filter(chosen), form, places.filter(chosen).cast(pa.int32()))
