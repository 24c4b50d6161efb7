"""Any table of people or organisations in the engine's form: records and identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.kernels.buffers import concat, views
from identity.kernels.codes import gather
from identity.normalise import dates
from identity.normalise.fast import flags
from identity.recordset import text_column
from identity.role_columns import BIRTH, CONTACTS, Given, assign
from identity.role_content import by_content, has_legal_form, is_organisation_type
from identity.role_names import Role, by_name, header_words
from identity.together import each
from identity.values import Flags, read

_CODED = frozenset(
    "given_name middle_name surname suffix gender birth_date street street_number city region postcode "
    "country full_name company source".split()
)


@dataclass(frozen=True)
class Prepared:
    """Records and identifiers in the engine's form, and how each column was read."""

    records: pa.Table
    identifiers: pa.Table
    roles: dict[str, Role]


def prepare(table: pa.Table, mapping: Given | None = None, *, id_column: str | None = None) -> Prepared:
    """Turn any table of people or organisations into records and identifiers.

    Columns of one role are coalesced in the order of the table; e-mails, phones and ids become identifiers;
    parts of a birth date become one; full names of organisations become their ``company``. Without a unique
    id column the row number (from 0) is the ``record_key``.
    """
    roles = assign(table, mapping, id_column=id_column)
    key_column = next((column for column, role in roles.items() if role.role == "record_id"), None)
    compared = {column: role for column, role in roles.items() if role.role not in ("record_id", "ignored")}
    keyed = partial(_keys, table[key_column]) if key_column else partial(_row_numbers, table.num_rows)
    keys, *texts = each([keyed, *(partial(_text, table[column]) for column in compared)])
    columns: dict[str, pa.Array] = {"record_key": keys}
    parts: list[tuple[str, str, pa.Array]] = []
    for (column, role), values in zip(compared.items(), texts, strict=True):
        if role.role == "identifier" or role.role in CONTACTS or role.role == "national_id":
            kind = role.identifier or role.role
            namespace = "" if role.role in CONTACTS else header_words(column)
            parts.append((kind, namespace, values))
            continue
        name = text_column(column) if role.role == "text" else role.role
        if name in columns:
            columns[name] = pc.coalesce(_plain(columns[name]), _plain(values))
        else:
            columns[name] = values if name in _CODED else _plain(values)
    _join_birth(columns)
    _join_surnames(columns)
    _part_organisations(columns)
    if "source" not in columns:
        columns["source"] = _constant("all", table.num_rows)
    return Prepared(pa.table(columns), _identifiers(keys, parts), roles)


def _join_birth(columns: dict[str, pa.Array]) -> None:
    """Year, month and day in one text ``yyyy-mm-dd``; the year alone where the others are not known."""
    taken = {part: columns.pop(part) for part in BIRTH if part in columns}
    if "birth_year" not in taken:
        return
    year = pc.utf8_slice_codeunits(taken["birth_year"], 0, 4)
    whole = year
    if len(taken) == len(BIRTH):
        month, day = (_two_digits(taken[part]) for part in BIRTH[1:])
        whole = pc.coalesce(pc.binary_join_element_wise(year, month, day, "-"), year)
    given = columns.get("birth_date")
    columns["birth_date"] = whole if given is None else pc.coalesce(_plain(given), whole)


def _two_digits(part: pa.Array) -> pa.Array:
    encoded = pc.dictionary_encode(part)
    texts = [f"{dates.month(v) or 0:02d}" if not v[:1].isdigit() else f"{int(float(v)):02d}" if _is_number(v) else None
             for v in encoded.dictionary.to_pylist()]  # fmt: skip
    return pa.array(texts, pa.string()).take(encoded.indices)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _join_surnames(columns: dict[str, pa.Array]) -> None:
    second = columns.pop("second_surname", None)
    if second is not None:
        first = _plain(columns.get("surname", second))
        both = pc.binary_join_element_wise(first, second, " ")
        columns["surname"] = pc.coalesce(both, first, second) if "surname" in columns else second


def _part_organisations(columns: dict[str, pa.Array]) -> None:
    """Give names of organisations that stand among the full names of people to ``company``."""
    if "full_name" not in columns:
        return
    encoded = pc.dictionary_encode(columns["full_name"])
    legal = pa.array([has_legal_form(v) for v in encoded.dictionary.to_pylist()], pa.bool_())
    moved = pc.fill_null(legal.take(encoded.indices), False)
    if "record_type" in columns:
        kinds = pc.dictionary_encode(columns["record_type"])
        typed = pa.array([is_organisation_type(v) for v in kinds.dictionary.to_pylist()], pa.bool_())
        moved = pc.coalesce(typed.take(kinds.indices), moved)
    if not pc.any(moved).as_py():
        return
    nothing = pa.scalar(None, pa.string())
    whole = _plain(columns["full_name"])
    name = pc.if_else(moved, whole, nothing)
    columns["company"] = pc.coalesce(_plain(columns["company"]), name) if "company" in columns else name
    columns["full_name"] = pc.if_else(moved, nothing, whole)


def _text(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The texts of a column, dictionary-encoded; blank ones are null."""
    if pa.types.is_floating(column.type) and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = pc.cast(column, pa.int64())
    if _is_encoded(column) and not _are_blank(column.chunk(0).dictionary).any():
        return column.chunk(0)
    raw = read(column)
    blank, codes = _are_blank(raw.texts), raw.codes
    if blank.any():
        codes = gather(np.where(blank, -1, np.arange(len(raw))).astype(np.int32), codes)
    present = pa.py_buffer(np.packbits(codes >= 0, bitorder="little"))
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [present, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(indices, pc.cast(raw.texts, pa.string()))


def _is_encoded(column: pa.ChunkedArray) -> bool:
    """Whether a column has the wanted form already, with a dictionary that is none of a longer column."""
    if column.type != pa.dictionary(pa.int32(), pa.string()) or column.num_chunks != 1:
        return False
    dictionary = column.chunk(0).dictionary
    return not dictionary.null_count and len(dictionary) <= len(column)


def _are_blank(texts: pa.Array) -> Flags:
    return flags(pc.equal(pc.utf8_trim_whitespace(texts), ""))


def _keys(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column that hardly repeat; blank ones are null."""
    if not (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
        return _plain(_text(column))
    texts = concat([_plain(chunk) for chunk in column.chunks])
    data, offsets = views(texts)
    first = data[np.minimum(offsets[:-1], max(len(data) - 1, 0))] if len(data) else offsets[:-1]
    plain = (np.diff(offsets) > 0) & (first > ord(" ")) & (first < 128)
    return texts if plain.all() else _plain(_text(column))


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _row_numbers(size: int) -> pa.Array:
    return pc.cast(pa.array(np.arange(size)), pa.string())


def _constant(text: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([text]))


def _identifiers(keys: pa.Array, parts: Sequence[tuple[str, str, pa.Array]]) -> pa.Table:
    """One row per record and value; rows name their records by place, in a dictionary of all keys."""
    present = [pc.is_valid(values) for _, _, values in parts]
    rows = [pc.cast(pc.indices_nonzero(mask), pa.int32()) for mask in present]
    record = pa.concat_arrays(rows) if rows else pa.array([], pa.int32())
    values = [part[2].filter(mask) for part, mask in zip(parts, present, strict=True)]
    return pa.table(
        {
            "record_key": pa.DictionaryArray.from_arrays(record, keys),
            "type": _repeated([kind for kind, _, _ in parts], rows),
            "namespace": _repeated([namespace for _, namespace, _ in parts], rows),
            "value": pa.chunked_array(values, pa.dictionary(pa.int32(), pa.string())),
        }
    )


def _repeated(texts: Sequence[str], rows: Sequence[pa.Array]) -> pa.DictionaryArray:
    """Each text once for every row of its part."""
    different = sorted(set(texts))
    codes = [
        np.full(len(own), different.index(text), np.int32) for text, own in zip(texts, rows, strict=True)
    ]
    return pa.DictionaryArray.from_arrays(
        pa.array(np.concatenate([np.empty(0, np.int32), *codes])), pa.array(different, pa.string())
    )


__all__ = ["Prepared", "Role", "assign", "by_content", "by_name", "prepare"]
