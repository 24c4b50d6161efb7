"""Dictionary-encoded records: each column normalised once per distinct value, records sorted by key.

Sorting by ``record_key`` first makes everything that follows independent of the order of the input rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError
from identity.normalise import addresses, contacts, dates, names
from identity.normalise.text import consonant_code, is_missing, words

Codes = npt.NDArray[np.int32]
NO_CODES: Codes = np.empty(0, dtype=np.int32)
_DATE_SAMPLE = 20_000


@dataclass(frozen=True)
class Coded:
    """One value per record.

    ``codes[i]`` is the place of record i's value in ``values``, -1 where it has none.
    """

    values: npt.NDArray[np.object_]
    codes: Codes

    @property
    def present(self) -> bool:
        """Whether any record has a value."""
        return len(self.values) > 0

    def counts(self) -> npt.NDArray[np.int64]:
        """Records per value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


@dataclass(frozen=True)
class MultiCoded(Coded):
    """Any number of values per record: ``codes`` holds one of them, ``record``/``value`` hold all, sorted.

    ``seen`` is the last sighting of each (record, value) in microseconds, empty where no times are known.
    """

    record: Codes = field(default_factory=lambda: NO_CODES)
    value: Codes = field(default_factory=lambda: NO_CODES)
    seen: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class RecordSet:
    """Encoded records. ``columns`` by role or text name; ``identifiers`` by (type, namespace)."""

    keys: pa.Array
    columns: dict[str, Coded]
    identifiers: dict[tuple[str, str], MultiCoded]
    hashes: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.keys)

    def has_name(self) -> npt.NDArray[np.bool_]:
        """Which records carry a name of a person or an organisation."""
        named = np.zeros(len(self), dtype=bool)
        for role in ("given_name", "surname", "company"):
            if role in self.columns:
                named |= self.columns[role].codes >= 0
        return named


PERSON_ROLES = frozenset({"full_name", "given_name", "middle_name", "surname", "title", "suffix"})
ADDRESS_ROLES = frozenset({"street", "street_number", "city", "region", "postcode", "country"})
_NOT_COMPARED = frozenset({"record_key", "source", "first_seen_at", "last_seen_at", "title"})


def recode(codes: Codes, normalised: Sequence[str]) -> Coded:
    """Turn codes of raw values into codes of normalised values; the empty text becomes "no value"."""
    places: dict[str, int] = {}
    mapping = np.fromiter(
        (places.setdefault(text, len(places)) if text else -1 for text in normalised),
        np.int32,
        len(normalised),
    )
    return Coded(_objects(list(places)), _apply(mapping, codes))


def _sorted(column: Coded) -> Coded:
    """Number the values in their own order, so that the order of the rows leaves no trace."""
    order = sorted(range(len(column.values)), key=column.values.__getitem__)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Coded(column.values[order], _apply(place, column.codes))


def _objects(values: list[str]) -> npt.NDArray[np.object_]:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _apply(mapping: Codes, codes: Codes) -> Codes:
    if not len(mapping):
        return np.full(len(codes), -1, dtype=np.int32)
    return np.where(codes >= 0, mapping[codes], np.int32(-1)).astype(np.int32)


def _encode(column: pa.ChunkedArray | pa.Array) -> tuple[Codes, list[str]]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_string(array.type):
        array = pc.cast(array, pa.string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    encoded = pc.dictionary_encode(array)
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)
    return codes, [value or "" for value in encoded.dictionary.to_pylist()]


def _simple(column: pa.ChunkedArray, normaliser: Callable[[str], str]) -> Coded:
    codes, values = _encode(column)
    return recode(codes, [normaliser(value) for value in values])


def coalesce(first: Coded, second: Coded, take: npt.NDArray[np.bool_] | None = None) -> Coded:
    """``first`` where it has a value, else ``second`` (only where ``take``, if given)."""
    both = list(first.values)
    places = {value: place for place, value in enumerate(both)}
    mapping = np.empty(len(second.values), dtype=np.int32)
    for place, value in enumerate(second.values):
        mapping[place] = places.setdefault(value, len(places))
    other = _apply(mapping, second.codes)
    use = first.codes < 0 if take is None else (first.codes < 0) & take
    return Coded(_objects(list(places)), np.where(use, other, first.codes).astype(np.int32))


def _names(table: pa.Table) -> dict[str, Coded]:
    """Given name, middle name, surname and suffix from whatever name columns there are."""
    size = table.num_rows
    empty = Coded(_objects([]), np.full(size, -1, dtype=np.int32))
    found = {"given_name": empty, "middle_name": empty, "surname": empty, "suffix": empty}
    if "given_name" in table.column_names:
        codes, values = _encode(table["given_name"])
        parts = [names.given_parts(v) for v in values]
        for place, role in enumerate(("given_name", "middle_name", "suffix")):
            found[role] = recode(codes, [part[place] for part in parts])
    if "surname" in table.column_names:
        codes, values = _encode(table["surname"])
        pieces = [names.surname_parts(v) for v in values]
        found["surname"] = recode(codes, [piece[0] for piece in pieces])
        found["suffix"] = coalesce(recode(codes, [piece[1] for piece in pieces]), found["suffix"])
    if "middle_name" in table.column_names:
        middle = _simple(table["middle_name"], lambda v: "" if is_missing(v) else words(v))
        found["middle_name"] = coalesce(middle, found["middle_name"])
    if "suffix" in table.column_names:
        own = _simple(table["suffix"], lambda v: names.surname_parts("x " + v)[1])
        found["suffix"] = coalesce(own, found["suffix"])
    if "full_name" in table.column_names:
        codes, values = _encode(table["full_name"])
        whole = [names.parse_full_name(v) for v in values]
        given = recode(codes, [p.given for p in whole])
        lone = (given.codes < 0) & (found["given_name"].codes >= 0)
        found["surname"] = coalesce(found["surname"], recode(codes, [p.surname for p in whole]), ~lone)
        found["given_name"] = coalesce(found["given_name"], given)
        found["middle_name"] = coalesce(found["middle_name"], recode(codes, [p.middle for p in whole]))
        found["suffix"] = coalesce(found["suffix"], recode(codes, [p.suffix for p in whole]))
    return {role: column for role, column in found.items() if column.present}


def _address(table: pa.Table) -> dict[str, Coded]:
    """House number, street, door (both), postcode, city, region and country."""
    found: dict[str, Coded] = {}
    present = set(table.column_names)
    for role, normaliser in (
        ("city", addresses.place),
        ("region", addresses.place),
        ("country", addresses.place),
        ("postcode", addresses.postcode),
    ):
        if role in present:
            found[role] = _simple(table[role], normaliser)
    if "street" in present:
        codes, values = _encode(table["street"])
        parsed = [addresses.parse_address(v) for v in values]
        found["street"] = recode(codes, [p.street for p in parsed])
        number = recode(codes, [p.number for p in parsed])
        for role, texts in (("postcode", [p.postcode for p in parsed]), ("city", [p.rest for p in parsed])):
            extra = recode(codes, texts)
            if extra.present:
                found[role] = coalesce(found[role], extra) if role in found else extra
        if "street_number" in present:
            own = _simple(table["street_number"], lambda v: addresses.parse_address(v).number or words(v))
            number = coalesce(own, number)
        found["street_number"] = number
        found["door"] = combine(number, found["street"])
    return {role: column for role, column in found.items() if column.present}


def combine(first: Coded, second: Coded) -> Coded:
    """One column of the pairs of two columns, only where both have a value; values are joined by a blank."""
    both = (first.codes >= 0) & (second.codes >= 0)
    packed = first.codes.astype(np.int64) * max(len(second.values), 1) + second.codes
    distinct, inverse = np.unique(packed[both], return_inverse=True)
    width = max(len(second.values), 1)
    codes = np.full(len(first.codes), -1, dtype=np.int32)
    codes[both] = inverse
    left, right = first.values[distinct // width], second.values[distinct % width]
    return Coded(_objects([f"{a} {b}" for a, b in zip(left, right, strict=True)]), codes)


def _dates(column: pa.ChunkedArray) -> Coded:
    codes, values = _encode(column)
    day_first = dates.day_first(values[:: max(1, len(values) // _DATE_SAMPLE)])
    parsed = recode(codes, [dates.parse_date(value, day_is_first=day_first) for value in values])
    if not parsed.present:
        return parsed
    counts = parsed.counts()
    usual = float(np.median(counts)) * 10 + 3
    junk = np.array(
        [v in dates.PLACEHOLDERS and c > usual for v, c in zip(parsed.values, counts, strict=True)]
    )
    return Coded(
        parsed.values, np.where((parsed.codes >= 0) & junk[parsed.codes], -1, parsed.codes).astype(np.int32)
    )


def _gender(value: str) -> str:
    letter = words(value)[:1]
    return letter if letter in ("m", "f") else ""


_CONTACT: dict[str, tuple[Callable[[str], str], Callable[[str], bool]]] = {
    "email": (contacts.email, contacts.is_junk_email),
    "phone": (contacts.phone, contacts.is_junk_phone),
}


def _normalised_identifier(kind: str, values: Iterable[str]) -> tuple[list[str], list[bool]]:
    normalise, junk = _CONTACT.get(kind, (contacts.identifier, contacts.is_junk_identifier))
    texts = [normalise(value) for value in values]
    return texts, [bool(text) and junk(text) for text in texts]


@dataclass(frozen=True)
class HeldValue:
    """An identifier value that links nobody, with the reason and the number of records that carry it."""

    type: str
    namespace: str
    value: str
    reason: str
    records: int


def multi(
    size: int,
    record: Codes,
    codes: Codes,
    normalised: Sequence[str],
    seen: npt.NDArray[np.int64] | None = None,
) -> MultiCoded:
    """Encode (record, value) pairs as a column with any number of values per record."""
    coded = _sorted(recode(codes, normalised))
    keep = coded.codes >= 0
    packed = (record[keep].astype(np.int64) << 32) | coded.codes[keep].astype(np.int64)
    packed, inverse = np.unique(packed, return_inverse=True)
    rows, value = (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32)
    first = np.full(size, -1, dtype=np.int32)
    first[rows[::-1]] = value[::-1]
    last = np.empty(0, dtype=np.int64)
    if seen is not None:
        last = np.full(len(packed), np.iinfo(np.int64).min, dtype=np.int64)
        np.maximum.at(last, inverse, seen[keep])
    return MultiCoded(coded.values, first, rows, value, last)


@dataclass(frozen=True)
class _Sightings:
    """Rows of one identifier type and namespace: record numbers, raw values, times in microseconds."""

    record: Codes
    value: pa.Array
    seen: npt.NDArray[np.int64]


def _sightings(
    keys: pa.Array, table: pa.Table, identifiers: pa.Table | None
) -> dict[tuple[str, str], list[_Sightings]]:
    collected: dict[tuple[str, str], list[_Sightings]] = {}
    never = np.iinfo(np.int64).min
    for role in ("email", "phone", "national_id"):
        if role in table.column_names:
            everyone = np.arange(table.num_rows, dtype=np.int32)
            seen = (
                _micros(table["last_seen_at"])
                if "last_seen_at" in table.column_names
                else np.full(table.num_rows, never)
            )
            collected.setdefault((role, ""), []).append(
                _Sightings(everyone, table[role].combine_chunks(), seen)
            )
    if identifiers is None or not identifiers.num_rows:
        return collected
    rows = pc.index_in(identifiers["record_key"], value_set=keys)
    if rows.null_count:
        raise UsageError(f"{rows.null_count} identifiers name a record_key that no record has")
    row = np.asarray(rows.to_numpy(), dtype=np.int32)
    seen = (
        _micros(identifiers["last_seen_at"])
        if "last_seen_at" in identifiers.column_names
        else np.full(len(row), never)
    )
    spaces = pc.fill_null(identifiers["namespace"], "")
    kinds = (
        pa.table({"type": identifiers["type"], "namespace": spaces})
        .group_by(["type", "namespace"])
        .aggregate([])
    )
    for kind, namespace in sorted((r["type"], r["namespace"]) for r in kinds.to_pylist()):
        mask = np.asarray(
            pc.and_(pc.equal(identifiers["type"], kind), pc.equal(spaces, namespace)).to_numpy()
        )
        value = identifiers["value"].filter(pa.array(mask)).combine_chunks()
        space = "" if kind in ("email", "phone") else namespace
        collected.setdefault((kind, space), []).append(_Sightings(row[mask], value, seen[mask]))
    return collected


def _micros(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    stamps = (
        pc.cast(column, pa.timestamp("us", "UTC")) if column.type != pa.timestamp("us", "UTC") else column
    )
    return np.asarray(
        pc.fill_null(pc.cast(stamps, pa.int64()), np.iinfo(np.int64).min).to_numpy(), dtype=np.int64
    )


def _identifiers(
    keys: pa.Array, table: pa.Table, identifiers: pa.Table | None
) -> tuple[dict[tuple[str, str], MultiCoded], list[HeldValue]]:
    found: dict[tuple[str, str], MultiCoded] = {}
    held: list[HeldValue] = []
    for (kind, namespace), parts in sorted(_sightings(keys, table, identifiers).items()):
        record = np.concatenate([part.record for part in parts])
        seen = np.concatenate([part.seen for part in parts])
        codes, values = _encode(pa.concat_arrays([pc.cast(part.value, pa.string()) for part in parts]))
        texts, junk = _normalised_identifier(kind, values)
        present = codes >= 0
        good = ["" if bad else text for text, bad in zip(texts, junk, strict=True)]
        times = seen[present] if (seen != np.iinfo(np.int64).min).any() else None
        found[kind, namespace] = multi(len(keys), record[present], codes[present], good, times)
        bad_texts = [text if bad else "" for text, bad in zip(texts, junk, strict=True)]
        held += _held_junk(kind, namespace, recode(codes, bad_texts))
    return found, held


def _held_junk(kind: str, namespace: str, junk: Coded) -> list[HeldValue]:
    return [
        HeldValue(kind, namespace, value, "placeholder value", int(count))
        for value, count in zip(junk.values, junk.counts(), strict=True)
    ]


def encode(records: pa.Table, identifiers: pa.Table | None = None) -> tuple[RecordSet, list[HeldValue]]:
    """Sort records by key and encode every column and identifier.

    Returns the records and the identifier values that were set aside as placeholders.
    Raises UsageError where ``record_key`` is absent, empty or repeated.
    """
    if "record_key" not in records.column_names:
        raise UsageError(
            "the records have no column record_key", hint=f"columns given: {', '.join(records.column_names)}"
        )
    table = records.take(pc.sort_indices(records["record_key"])).combine_chunks()
    keys = table["record_key"].combine_chunks()
    if keys.null_count:
        raise UsageError(f"record_key is empty in {keys.null_count} of {len(keys)} records")
    distinct = pc.count_distinct(keys).as_py()
    if distinct != len(keys):
        raise UsageError(f"record_key repeats: {len(keys)} records, {distinct} different keys")
    columns = _names(table)
    columns.update(_address(table))
    coded_elsewhere = PERSON_ROLES | ADDRESS_ROLES | _NOT_COMPARED | {"email", "phone", "national_id"}
    for name in sorted(set(table.column_names) - coded_elsewhere):
        column = table[name]
        if name == "birth_date":
            coded = _dates(column)
        elif name == "gender":
            coded = _simple(column, _gender)
        elif name == "company":
            coded = _simple(column, names.organisation)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            coded = _simple(column, lambda v: "" if is_missing(v) else words(v))
        else:
            continue
        if coded.present:
            columns[name] = coded
    found, held = _identifiers(keys, table, identifiers)
    hashes = np.fromiter((zlib.crc32(k.encode()) for k in keys.to_pylist()), np.uint32, len(keys))
    return RecordSet(keys, columns, found, hashes), held


def sounds(column: Coded) -> Coded:
    """The column by sound, for blocking names that are spelled differently."""
    return recode(column.codes, [consonant_code(value.replace(" ", "")) for value in column.values])
