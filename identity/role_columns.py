"""Which column means what: by the words of its name, then by what its values look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError, nearest
from identity.columns import is_text
from identity.kernels.buffers import concat
from identity.kernels.hashing import hash_texts
from identity.normalise import contacts, dates
from identity.policy import DEFAULT_LIMITS
from identity.role_content import by_content, emails, is_record_type, names_organisations
from identity.role_names import NAME_HEADERS, NAMES, Role, by_name, header_words, tells_of_an_event
from identity.together import each
from identity.values import identity

BIRTH = ("birth_year", "birth_month", "birth_day")
CONTACTS = frozenset({"email", "phone"})
"""Roles of which a record may have several values: all become identifiers."""
SEVERAL = frozenset({"text", "ignored", *DEFAULT_LIMITS})
"""What may be said of several columns."""
_SAMPLE = 2_000
_MANY = 100_000  # rows from which on not all are looked at
_LONG_TEXT = 80
_PLAUSIBLE = 0.3  # share of the values that must look like what a header promises
_BY_CHANCE = (
    0.1  # a text on which more pairs of strangers agree tells little, and such texts repeat each other
)
_RECORDS_PER_ID = 4.0
_MISLEADING = frozenset({"full_name", "street", "phone"})  # headers that may stand over dates of birth
_NOT_AN_ID = frozenset(
    "household family group parent owner agent campaign order invoice product created modified by".split()
)
Given = Mapping[str, str | Sequence[str]]


def assign(table: pa.Table, mapping: Given | None = None, *, id_column: str | None = None) -> dict[str, Role]:
    """Give every column its role; ``mapping`` (role → column, or columns) overrules what is found.

    Besides the roles of records, ``mapping`` knows the types of identifiers, ``text`` and ``ignored``.
    Raises UsageError where it names an unknown role or column, or contradicts itself.
    """
    forced = _given(table.column_names, mapping or {}, id_column)
    samples = dict(
        zip(table.column_names, each(partial(_sample, column) for column in table.columns), strict=True)
    )
    found = {
        column: forced[column] if column in forced else _guess(column, table, samples[column])
        for column in table.column_names
    }
    _one_of_a_kind(found, table, samples)
    _settle_names(found, samples)
    _settle_birth(found, table, samples)
    if "street" not in {role.role for role in found.values()}:
        _demote(found, "street_number", table, samples)
    _one_record_id(found, table)
    return found


def _given(columns: Sequence[str], mapping: Given, id_column: str | None) -> dict[str, Role]:
    """The roles that were said, by column."""
    said = {role: [named] if isinstance(named, str) else list(named) for role, named in mapping.items()}
    if id_column is not None:
        said["record_id"] = list(dict.fromkeys([*said.get("record_id", []), id_column]))
    forced: dict[str, Role] = {}
    for role, named in said.items():
        _check_role(role, named)
        for column in named:
            if column not in columns:
                near = nearest(column, columns)
                raise UsageError(
                    f"no column {column!r} for role {role!r}", hint=f"nearest: {near}" if near else None
                )
            if column in forced:
                raise UsageError(
                    f"column {column!r} is given two roles", hint="a column can have one role only"
                )
            forced[column] = _role(role)
    return forced


def _check_role(role: str, named: Sequence[str]) -> None:
    known = sorted({*NAMES, *SEVERAL})
    if role not in known:
        near = nearest(role, known)
        raise UsageError(
            f"unknown role {role!r}", hint=f"nearest: {near}" if near else f"roles: {', '.join(known)}"
        )
    if len(named) > 1 and role not in SEVERAL:
        raise UsageError(
            f"role {role!r} is given to {' and to '.join(map(repr, named))}",
            hint=f"one column can have it; of several can be said {', '.join(sorted(SEVERAL))}",
        )


def _role(name: str) -> Role:
    """A role that was said; a type of identifier that is no role of records is an ``identifier``."""
    lone = name in DEFAULT_LIMITS and name not in NAMES
    return Role("identifier", name, "given") if lone else Role(name, why="given")


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
        if role.why == "content" and role.role not in CONTACTS:
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
    for part in BIRTH:
        _demote(found, part, table, samples)


def _spelled_out(found: Mapping[str, Role]) -> bool:
    """Abbreviations such as "by" are believed only where all three parts stand together."""
    parts = {role.role: column for column, role in found.items() if role.role in BIRTH}
    return len(parts) == len(BIRTH) or len(header_words(parts["birth_year"]).replace(" ", "")) > 2


def _demote(found: dict[str, Role], part: str, table: pa.Table, samples: Mapping[str, Sequence[str]]) -> None:
    """Read columns of a role anew by their values alone."""
    for column, role in found.items():
        if role.role == part and role.why != "given":
            content = by_content(samples[column])
            found[column] = content or _text_or_ignored(table[column], samples[column])


def _one_record_id(found: dict[str, Role], table: pa.Table) -> None:
    """Keep the id column that was given, or the first that names every record; others are compared as nothing."""
    candidates = [column for column, role in found.items() if role.role == "record_id"]
    given = [column for column in candidates if found[column].why == "given"]
    faults = {column: "" if given else _fault(table[column]) for column in candidates}
    chosen = next((column for column in given or candidates if not faults[column]), None)
    for column in candidates:
        if column != chosen:
            found[column] = Role("ignored", why=faults[column] or "second id")


def _fault(column: pa.ChunkedArray) -> str:
    """Why a column cannot name records; the empty text where it can."""
    if column.null_count or _has_blanks(column):
        return "no id: some are empty"
    return "" if _distinct(column) == len(column) else "no id: some come twice"


def _has_blanks(column: pa.ChunkedArray) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    return bool(pc.any(pc.equal(pc.utf8_trim_whitespace(column.cast(kind)), "")).as_py())


def _distinct(column: pa.ChunkedArray) -> int:
    """How many different values a column has; a dictionary counts those that are in use."""
    return (
        len(pc.unique(column)) if pa.types.is_dictionary(column.type) else pc.count_distinct(column).as_py()
    )


def _sample(column: pa.ChunkedArray) -> list[str]:
    """Different values that are not blank: those of least hash, so that the order of the rows plays no part."""
    if column.null_count == len(column):
        return []
    texts = _some_texts(column)
    first = _of_least_hash(hash_texts(texts), _SAMPLE)
    for size in (_SAMPLE, len(texts)):
        chosen = texts.take(pa.array(first[:size])).to_pylist()
        if found := sorted(text for text in chosen if text and text.strip()):
            return found
        first = _of_least_hash(hash_texts(texts), len(texts))
    return []


def _of_least_hash(hashes: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.int64]:
    """Places of different hashes, the least first; at least ``size``, if there are so many."""
    few = 4 * size
    if len(hashes) > few:
        near = np.argpartition(hashes, few)[:few]
        _, first = np.unique(hashes[near], return_index=True)
        if len(first) >= size:
            return near[first]
    return np.unique(hashes, return_index=True)[1]


def _some_texts(column: pa.ChunkedArray) -> pa.Array:
    """The dictionaries of a column; else its different values, or, where they are many, some by their hash."""
    if pa.types.is_dictionary(column.type):
        different = {identity(chunk.dictionary): chunk.dictionary for chunk in column.chunks}
        return concat([_strings(dictionary) for dictionary in different.values()])
    if is_text(column.type) and len(column) > _MANY:
        hashes = hash_texts(column)
        few = column.filter(pa.array((hashes < np.uint64(_MANY / len(column) * 2.0**64)) & (hashes > 0)))
        values = pc.unique(few)
        if len(values) >= _SAMPLE:
            return _strings(values)
    return _strings(pc.unique(pc.drop_null(column)))


def _strings(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    values = concat(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    return values if is_text(values.type) else pc.cast(values, pa.string())
