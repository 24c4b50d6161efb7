"""Identifiers of records: e-mails, phones and ids, normalised once per value, placeholders set apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError
from identity.columns import CONTACT_ROLES
from identity.kernels.codes import gather
from identity.kernels.hashing import hash_texts
from identity.normalise import fast_contacts
from identity.values import (
    NEVER,
    NO_TIMES,
    Coded,
    Codes,
    Hashes,
    Times,
    distinct,
    indices,
    read,
    recode,
    stack,
)

_GLOBAL = ("email", "phone")


@dataclass(frozen=True)
class Sightings:
    """Rows of one identifier type and namespace: record numbers, raw values, times in microseconds."""

    record: Codes
    value: pa.ChunkedArray
    seen: Times


@dataclass(frozen=True)
class Pairs:
    """Distinct pairs of record and value, by record, and the hash of each distinct value.

    ``seen`` is empty where no time is known.
    """

    record: Codes
    value: Coded
    hashes: Hashes
    seen: Times

    def representatives(self, size: int) -> Codes:
        """For each of ``size`` records its value with the smallest hash, -1 where it has none."""
        codes = np.full(size, -1, dtype=np.int32)
        record, value = self.record, self.value.codes
        fresh = np.flatnonzero(np.append(True, record[1:] != record[:-1])) if len(record) else record
        if len(fresh) < len(record):
            own = self.hashes[value]
            least = np.repeat(np.minimum.reduceat(own, fresh), np.diff(np.append(fresh, len(record))))
            record, value = record[own == least], value[own == least]
        codes[record] = value
        return codes


def collect(
    keys: pa.Array, table: pa.Table, identifiers: pa.Table | None
) -> dict[tuple[str, str], list[Sightings]]:
    """Sightings by (type, namespace) from the columns of the records and from the table of identifiers."""
    collected: dict[tuple[str, str], list[Sightings]] = {}
    for role in sorted(CONTACT_ROLES & set(table.column_names)):
        everyone = np.arange(table.num_rows, dtype=np.int32)
        collected.setdefault((role, ""), []).append(Sightings(everyone, table[role], _times(table)))
    if identifiers is not None and identifiers.num_rows:
        rows, seen = _rows(identifiers["record_key"], keys), _times(identifiers)
        for kind, namespace, places in _kinds(identifiers):
            space = "" if kind in _GLOBAL else namespace
            value = _taken(identifiers["value"], places)
            collected.setdefault((kind, space), []).append(Sightings(rows[places], value, seen[places]))
    return dict(sorted(collected.items()))


def _times(table: pa.Table) -> Times:
    if "last_seen_at" not in table.column_names:
        return np.full(table.num_rows, NEVER)
    stamps = pc.cast(pc.cast(table["last_seen_at"], pa.timestamp("us", "UTC")), pa.int64())
    return np.asarray(pc.fill_null(stamps, NEVER).to_numpy(), dtype=np.int64)


def _rows(named: pa.ChunkedArray, keys: pa.Array) -> Codes:
    """The record of each sighting; a dictionary of keys is looked up once, not row by row."""
    if pa.types.is_dictionary(named.type):
        parts = [_by_dictionary(chunk, keys) for chunk in named.chunks]
        rows = np.concatenate(parts)
    else:
        rows = _places(named, keys)
    missing = int((rows < 0).sum())
    if missing:
        raise UsageError(f"{missing} identifiers name a record_key that no record has")
    return rows


def _by_dictionary(named: pa.DictionaryArray, keys: pa.Array) -> Codes:
    codes, dictionary = indices(named), named.dictionary
    if dictionary.equals(keys):
        return codes
    # A part of a larger table brings the keys of the whole.
    if len(dictionary) > 2 * len(codes) and (codes >= 0).all():
        few = np.unique(codes)
        codes, dictionary = np.searchsorted(few, codes).astype(np.int32), dictionary.take(pa.array(few))
    return gather(_places(dictionary, keys), codes)


def _places(named: pa.Array | pa.ChunkedArray, keys: pa.Array) -> Codes:
    found = pc.index_in(named.cast(keys.type), value_set=keys)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int32)


def _kinds(identifiers: pa.Table) -> Iterator[tuple[str, str, npt.NDArray[np.int64]]]:
    """Each type and namespace with the places of its rows, in the order of their names."""
    kind, namespace = distinct(read(identifiers["type"])), distinct(read(identifiers["namespace"]))
    spaces = ["", *namespace.texts.to_pylist()]
    packed = kind.codes.astype(np.int64) * len(spaces) + namespace.codes + 1
    kinds = kind.texts.to_pylist()
    names = [(kinds[code // len(spaces)], spaces[code % len(spaces)], code) for code in np.unique(packed)]
    for one, two, code in sorted(names):
        yield one, two, np.flatnonzero(packed == code)


def _taken(column: pa.ChunkedArray, places: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Rows of a column; without copying where they stand together."""
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 == len(places):
        return column.slice(first, len(places))
    return column.take(pa.array(places))


def encode(kind: str, parts: list[Sightings]) -> tuple[Pairs, Pairs]:
    """Encode the sightings of one type: values that may link, and placeholders."""
    record = np.concatenate([part.record for part in parts])
    seen = np.concatenate([part.seen for part in parts])
    raw = stack([read(part.value) for part in parts])
    coded = recode(raw, fast_contacts.normalised(kind, raw.texts))
    junk = fast_contacts.are_junk(kind, coded.texts)
    marks = np.append(junk.astype(np.int8), np.int8(-1))[coded.codes]
    return _pairs(record, coded, seen, marks == 0), _pairs(record, coded, seen, marks == 1)


def _pairs(record: Codes, coded: Coded, seen: Times, keep: npt.NDArray[np.bool_]) -> Pairs:
    """Distinct pairs with the last time of each, by record and then by code."""
    packed = (record[keep].astype(np.int64) << 32) | coded.codes[keep].astype(np.int64)
    times = seen[keep]
    if len(packed) and not (packed[1:] > packed[:-1]).all():
        order = np.lexsort((times, packed))
        packed, times = packed[order], times[order]
        last = np.append(packed[1:] != packed[:-1], True)
        packed, times = packed[last], times[last]
    if not (times != NEVER).any():
        times = NO_TIMES
    value = Coded(coded.texts, (packed & 0xFFFFFFFF).astype(np.int32)).used()
    return Pairs((packed >> 32).astype(np.int32), value, hash_texts(value.texts), times)
