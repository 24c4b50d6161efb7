"""Which column means what: by the words of its name, then by what its values look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError, nearest
from identity.kernels.buffers import concat, views
from identity.kernels.codes import gather
from identity.normalise import contacts, dates
from identity.normalise.fast import flags
from identity.role_content import (
    by_content,
    emails,
    has_legal_form,
    is_organisation_type,
    is_record_type,
    names_organisations,
)
from identity.role_names import NAME_HEADERS, NAMES, Role, by_name, header_words, tells_of_an_event
from identity.values import Flags, read

# Roles of which a record may have several values: all become identifiers.
_SEVERAL = frozenset({"email", "phone"})
_SAMPLE = 2_000
_THREADS = 2  # Arrow and the kernels let go of the interpreter's lock
_LONG_TEXT = 80
_PLAUSIBLE = 0.3  # share of the values that must look like what a header promises
_BY_CHANCE = (
    0.1  # a text on which more pairs of strangers agree tells little, and such texts repeat each other
)
_RECORDS_PER_ID = 4.0
_MISLEADING = frozenset({"full_name", "street", "phone"})  # headers that may stand over dates of birth
_BIRTH = ("birth_year", "birth_month", "birth_day")
_CODED = frozenset(
    "given_name middle_name surname suffix gender birth_date street street_number city region postcode "
    "country full_name company source".split()
)
_NOT_AN_ID = frozenset(
    "household family group parent owner agent campaign order invoice product created modified by".split()
)


def assign(
    table: pa.Table, mapping: Mapping[str, str] | None = None, *, id_column: str | None = None
) -> dict[str, Role]:
    """Give every column its role; ``mapping`` (role → column) overrules what is found.

    Raises UsageError where the mapping names an unknown role or column.
    """
    forced: dict[str, str] = {}
    for role, column in (mapping or {}).items():
        if column not in table.column_names:
            near = nearest(column, table.column_names)
            raise UsageError(
                f"no column {column!r} for role {role!r}", hint=f"nearest: {near}" if near else None
            )
        if role not in NAMES and role not in ("text", "ignored"):
            near = nearest(role, NAMES)
            raise UsageError(
                f"unknown role {role!r}", hint=f"nearest: {near}" if near else f"roles: {', '.join(NAMES)}"
            )
        forced[column] = role
    found: dict[str, Role] = {}
    samples = {column: _sample(table[column]) for column in table.column_names}
    for column in table.column_names:
        if column == id_column:
            found[column] = Role("record_id", why="given")
        elif column in forced:
            found[column] = Role(forced[column], why="given")
        else:
            found[column] = _guess(column, table, samples[column])
    _one_of_a_kind(found, table, samples)
    _settle_names(found, samples)
    _settle_birth(found, table, samples)
    if "street" not in {role.role for role in found.values()}:
        _demote(found, "street_number", table, samples)
    if id_column is None:
        _one_record_id(found, table)
    return found


def _guess(column: str, table: pa.Table, sample: Sequence[str]) -> Role:
    if not sample:
        return Role("ignored", why="no values")
    if emails(sample):
        return Role("email", why="content")
    named = by_name(column)
    believed = named is not None and _plausible(named.role, sample)
    if named and believed and named.role not in _MISLEADING:
        return named
    content = by_content(sample)
    births = content is not None and content.role == "birth_date"
    if named and believed and not births:
        return named
    if header_words(column).endswith(" id") and named is None:
        return _other_id(column, table)
    if births and named is None and tells_of_an_event(column):
        content = None
    return content or _text_or_ignored(table[column], sample)


def _plausible(role: str, sample: Sequence[str]) -> bool:
    """Whether enough values look like what the header promises."""
    tests: dict[str, Callable[[str], object]] = {
        "email": contacts.email,
        "phone": lambda v: sum(ch.isdigit() for ch in v) >= 5,
        "birth_date": dates.parse_date,
        "birth_year": lambda v: v.strip()[:4].isdigit(),
        "birth_month": dates.month,
        "birth_day": lambda v: v.strip().split(".")[0].isdigit(),
        "gender": lambda v: v.strip()[:1].isalpha(),
    }
    if role == "record_type":
        return is_record_type(sample)
    test = tests.get(role)
    return test is None or sum(bool(test(v)) for v in sample) >= _PLAUSIBLE * len(sample)


def _other_id(column: str, table: pa.Table) -> Role:
    """An id that several records share, but never many, tells who somebody is; others say nothing."""
    values = pc.drop_null(table[column])
    distinct = _distinct(values)
    shared = distinct < len(values) <= _RECORDS_PER_ID * distinct
    if shared and _NOT_AN_ID.isdisjoint(header_words(column).split()):
        return Role("identifier", "external_id", "name")
    return Role("ignored", why="no id of a person")


def _text_or_ignored(column: pa.ChunkedArray, sample: Sequence[str]) -> Role:
    if float(np.mean([len(v) for v in sample])) > _LONG_TEXT:
        return Role("ignored", why="long text")
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Role("ignored", why="not text")
    counts = np.asarray(pc.value_counts(pc.drop_null(column)).field("counts").to_numpy(), dtype=np.float64)
    if float(((counts / counts.sum()) ** 2).sum()) > _BY_CHANCE:
        return Role("ignored", why="too few different values")
    return Role("text", why="no better meaning")


def _one_of_a_kind(found: dict[str, Role], table: pa.Table, samples: Mapping[str, Sequence[str]]) -> None:
    """What only the values suggest is believed of one column, and of none where a header says it."""
    taken = {_kind(role) for role in found.values() if role.why != "content"}
    for column, role in found.items():
        if role.why == "content" and role.role not in _SEVERAL:
            if _kind(role) in taken:
                found[column] = _text_or_ignored(table[column], samples[column])
            taken.add(_kind(role))


def _kind(role: Role) -> str:
    return "name" if role.role in ("full_name", "given_name", "surname", "company") else role.role


def _settle_names(found: dict[str, Role], samples: Mapping[str, Sequence[str]]) -> None:
    """A bare "name" is a surname beside given names, and an organisation's where its values say so."""
    roles = {role.role for role in found.values()}
    for column, role in found.items():
        if role.role != "full_name" or role.why == "given":
            continue
        least = 0.15 if header_words(column) in NAME_HEADERS else 0.5
        if least < 0.5 and "given_name" in roles and "surname" not in roles:
            found[column] = Role("surname", why="beside given names")
        elif not roles & {"given_name", "surname", "birth_date"} and names_organisations(
            samples[column], least
        ):
            found[column] = Role("company", why="content")


def _settle_birth(found: dict[str, Role], table: pa.Table, samples: Mapping[str, Sequence[str]]) -> None:
    """Parts of a birth date serve where there is a year; a lone "birth day" is a whole date."""
    roles = {role.role for role in found.values()}
    if "birth_year" in roles and "birth_date" not in roles and _spelled_out(found):
        return
    for part in _BIRTH:
        _demote(found, part, table, samples)


def _spelled_out(found: Mapping[str, Role]) -> bool:
    """Abbreviations such as "by" are believed only where all three parts stand together."""
    parts = {role.role: column for column, role in found.items() if role.role in _BIRTH}
    return len(parts) == len(_BIRTH) or len(header_words(parts["birth_year"]).replace(" ", "")) > 2


def _demote(found: dict[str, Role], part: str, table: pa.Table, samples: Mapping[str, Sequence[str]]) -> None:
    """Read columns of a role anew by their values alone."""
    for column, role in found.items():
        if role.role == part and role.why != "given":
            content = by_content(samples[column])
            found[column] = content or _text_or_ignored(table[column], samples[column])


def _one_record_id(found: dict[str, Role], table: pa.Table) -> None:
    """Keep the first unique non-empty id column as the record id; the others are compared as nothing."""
    taken = False
    for column, role in found.items():
        if role.role == "record_id":
            values = table[column]
            unique = values.null_count == 0 and _distinct(values) == table.num_rows
            found[column] = (
                Role("record_id", why=role.why) if unique and not taken else Role("ignored", why="second id")
            )
            taken = taken or unique


def _distinct(column: pa.ChunkedArray) -> int:
    """How many different values a column has; a dictionary counts those that are in use."""
    return (
        len(pc.unique(column)) if pa.types.is_dictionary(column.type) else pc.count_distinct(column).as_py()
    )


def _sample(column: pa.ChunkedArray) -> list[str]:
    values = pc.unique(pc.drop_null(column.slice(0, 50 * _SAMPLE)))
    return sorted(str(v) for v in values.slice(0, _SAMPLE).to_pylist())


@dataclass(frozen=True)
class Prepared:
    """Records and identifiers in the engine's form, and how each column was read."""

    records: pa.Table
    identifiers: pa.Table
    roles: dict[str, Role]


def prepare(
    table: pa.Table, mapping: Mapping[str, str] | None = None, *, id_column: str | None = None
) -> Prepared:
    """Turn any table of people or organisations into records and identifiers.

    Columns of one role are coalesced in the order of the table; e-mails, phones and ids become identifiers;
    parts of a birth date become one; full names of organisations become their ``company``. Without a unique
    id column the row number (from 0) is the ``record_key``.
    """
    roles = assign(table, mapping, id_column=id_column)
    key_column = next((column for column, role in roles.items() if role.role == "record_id"), None)
    compared = {column: role for column, role in roles.items() if role.role not in ("record_id", "ignored")}
    with ThreadPoolExecutor(_THREADS) as pool:
        keyed = pool.submit(lambda: _keys(table[key_column]) if key_column else _row_numbers(table.num_rows))
        texts = list(pool.map(lambda column: _text(table[column]), compared))
        keys = keyed.result()
    columns: dict[str, pa.Array] = {"record_key": keys}
    parts: list[tuple[str, str, pa.Array]] = []
    for (column, role), values in zip(compared.items(), texts, strict=True):
        if role.role == "identifier" or role.role in _SEVERAL or role.role == "national_id":
            kind = role.identifier or role.role
            namespace = "" if role.role in _SEVERAL else header_words(column)
            parts.append((kind, namespace, values))
            continue
        name = column if role.role == "text" else role.role
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
    taken = {part: columns.pop(part) for part in _BIRTH if part in columns}
    if "birth_year" not in taken:
        return
    year = pc.utf8_slice_codeunits(taken["birth_year"], 0, 4)
    whole = year
    if len(taken) == len(_BIRTH):
        month, day = (_two_digits(taken[part]) for part in _BIRTH[1:])
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
