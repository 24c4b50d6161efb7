"""Encode tables of records and identifiers: every column normalised once per distinct value.

Rows stay in the order of their arrival. With ``frozen`` given, what a value becomes depends on nothing but the
value, so that encoding a table at once or in parts that are appended comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cdp.errors import UsageError
from identity import columns as columns_
from identity import derived, sightings
from identity.columns import DateRules
from identity.drafts import Draft, join, record_set, used
from identity.kernels.buffers import concat
from identity.kernels.hashing import hash_texts
from identity.recordset import RecordSet, append, is_text_column, text_column
from identity.together import both
from identity.values import Coded, Hashes

__all__ = ["Frozen", "RecordSet", "append", "encode"]

_DATES = ("birth_date",)
_EMAIL = ("email", "")
_OWN_NAME = frozenset({"record_type", "occupation"})  # roles of which the words are all that counts
_ELSEWHERE = columns_.NAME_ROLES | columns_.ADDRESS_ROLES | columns_.CONTACT_ROLES | columns_.NOT_COMPARED


@dataclass(frozen=True)
class Frozen:
    """What normalisation learned from the data, by column of dates: a part of the model version.

    >>> frozen = Frozen({"birth_date": DateRules(day_first=True, placeholders=("19000101",))})
    >>> Frozen.from_dict(frozen.to_dict()) == frozen
    True
    """

    dates: Mapping[str, DateRules] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """In a form for JSON."""
        return {
            "dates": {
                name: {"day_first": rules.day_first, "placeholders": list(rules.placeholders)}
                for name, rules in sorted(self.dates.items())
            }
        }

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> Frozen:
        """The inverse of ``to_dict``."""
        return cls(
            {
                name: DateRules(bool(rules["day_first"]), tuple(rules["placeholders"]))
                for name, rules in made["dates"].items()
            }
        )


def encode(
    records: pa.Table,
    identifiers: pa.Table | None = None,
    frozen: Frozen | None = None,
    *,
    threads: int = 2,
) -> tuple[RecordSet, Frozen]:
    """Encode every column of the records and every identifier.

    ``records``: ``record_key``, columns by role, other texts (under a name of their own or one of
    ``text_column``); ``identifiers``: ``record_key``, ``type``, ``namespace``, ``value`` and, optionally,
    ``last_seen_at``; columns of text may be dictionary-encoded.
    ``frozen``: what an earlier call learned; with it nothing is learned. ``threads`` has no influence on the
    result. Returns the records and what was learned.

    Raises UsageError where ``record_key`` is absent, empty or repeated, or an identifier's record is unknown.
    """
    keys = _keys(records)
    order, tasks = both(lambda: _order(keys), lambda: _tasks(keys, records, identifiers, frozen))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(lambda task: used(task()), task) for task in tasks]
            drafts = [one.result() for one in running]
    else:
        drafts = [used(task()) for task in tasks]
    whole = join(drafts)
    named = Draft(keys_only={derived.NAME_KEY: derived.name_keys(whole.columns, len(keys))})
    found = record_set(keys, order, join([whole, named]))
    return found, frozen or Frozen(whole.rules)


def _keys(records: pa.Table) -> pa.Array:
    if "record_key" not in records.column_names:
        raise UsageError(
            "the records have no column record_key", hint=f"columns given: {', '.join(records.column_names)}"
        )
    column = records["record_key"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not columns_.is_text(column.type):
        column = column.cast(pa.string())
    if column.null_count:
        raise UsageError(f"record_key is empty in {column.null_count} of {len(column)} records")
    return concat(column.chunks)


def _order(keys: pa.Array) -> Hashes:
    order = hash_texts(keys)
    ordered = np.sort(order)
    if (ordered[1:] == ordered[:-1]).any():
        distinct = len(keys.unique())
        if distinct != len(keys):
            raise UsageError(f"record_key repeats: {len(keys)} records, {distinct} different keys")
    return order


def _tasks(
    keys: pa.Array, table: pa.Table, identifiers: pa.Table | None, frozen: Frozen | None
) -> list[Callable[[], Draft]]:
    """One task for each column or group of columns that belong together, the longest first."""
    found = sightings.collect(keys, table, identifiers)
    tasks: list[Callable[[], Draft]] = []
    if columns_.ADDRESS_ROLES & set(table.column_names):
        tasks.append(lambda: Draft(columns_.address(table)))
    tasks += [_identifier_task(name, found[name], len(keys)) for name in sorted(found)]
    if columns_.NAME_ROLES & set(table.column_names):
        tasks.append(lambda: _person(table))
    for name in sorted(set(table.column_names) - _ELSEWHERE):
        if name in _DATES or name in ("gender", "company") or columns_.is_text(table.schema.field(name).type):
            tasks.append(_column_task(name, table[name], frozen))
    return tasks


def _person(table: pa.Table) -> Draft:
    found = columns_.person(table)
    return Draft(found, derived.of_person(found))


def _identifier_task(
    name: tuple[str, str], parts: list[sightings.Sightings], size: int
) -> Callable[[], Draft]:
    def task() -> Draft:
        good, junk = sightings.encode(name[0], parts)
        local = (
            derived.of_email(Coded(good.value.texts, good.representatives(size))) if name == _EMAIL else {}
        )
        return Draft(keys_only=local, identifiers={name: good}, placeholders={name: junk})

    return task


def _column_task(name: str, column: pa.ChunkedArray, frozen: Frozen | None) -> Callable[[], Draft]:
    def task() -> Draft:
        if name in _DATES:
            rules = frozen.dates.get(name, DateRules()) if frozen else None
            dates, learned = columns_.birth_dates(column, rules)
            return Draft({name: dates}, derived.of_date(dates), rules={name: learned})
        if name == "gender":
            return Draft({name: columns_.gender(column)})
        if name == "company":
            company = columns_.company(column)
            return Draft({name: company}, derived.of_company(company))
        apart = name in _OWN_NAME or is_text_column(name)
        return Draft({name if apart else text_column(name): columns_.text(column)})

    return task
