"""Levels of agreement of pairs of records, by compiled measures.

A ``Plan`` says which comparisons there are and where each finds its values; it belongs to the model version, so
that increments are compared as the records before them were. ``Comparer`` binds a plan to records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.comparisons import (
    ADDRESS,
    BIRTH,
    BRANCH_ADDRESS,
    BRANCH_NAME,
    BRANCH_PLACE,
    COMPANY,
    GENDER,
    GIVEN,
    LONE_NAME,
    MIDDLE,
    PLACE,
    RECORD_TYPE,
    SUFFIX,
    SURNAME,
    Comparison,
    of_identifier,
    of_text,
)
from identity.features import FeatureStore, Texts, common_words
from identity.kernels import contacts, levels, names, places
from identity.recordset import RecordSet, shown_column
from identity.values import Multi

Rows = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]
Levels = npt.NDArray[np.int8]
Fill = Callable[[Rows, Rows], tuple[Levels, ...]]
_TEXT_LIMIT = 12
# Measured per pair of unequal values, in units of a test for equality (10 ns).
_COSTS = {
    "suffix": 1.0,
    "gender": 1.0,
    "record_type": 1.0,
    "birth_date": 1.5,
    "phone": 3.0,
    "email": 8.0,
    "company": 20.0,
}
_NO_VALUES = pa.array([], pa.string())
_RANKS = {
    ADDRESS.name: ("same region", "same area", "same city", "similar postcode", "similar postcode, same city",
                   "same postcode", "same postcode, other city"),
    PLACE.name: ("same region", "same area", "same city", "similar postcode", "similar postcode, same city",
                 "same", "same postcode, other city"),
}  # fmt: skip
_ADDRESS_ROLES = ("door", "street", "street_number", "postcode", "city", "region", "country")
_SIMPLE = {
    "middle_name": MIDDLE,
    "suffix": SUFFIX,
    "gender": GENDER,
    "birth_date": BIRTH,
    "record_type": RECORD_TYPE,
    "company": COMPANY,
}


@dataclass(frozen=True)
class Source:
    """Where a comparison finds its values: ``kind`` is names, address, column, text or identifier."""

    kind: str
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class Planned:
    """One comparison and its source."""

    comparison: Comparison
    source: Source


Plan = tuple[Planned, ...]


def plan(records: RecordSet) -> Plan:
    """Choose the comparisons that the columns of the records allow."""
    columns = records.columns
    named = "given_name" in columns or "surname" in columns
    chosen: list[Planned] = []
    if named:
        chosen += [
            Planned(GIVEN, Source("names", "given_name")),
            Planned(SURNAME, Source("names", "surname")),
        ]
    for role, comparison in _SIMPLE.items():
        if role in columns:
            own = BRANCH_NAME if comparison is COMPANY and not named else comparison
            chosen.append(Planned(own, Source("column", role)))
    if any(role in columns for role in ("postcode", "city", "street", "region")):
        branches = not named and "company" in columns
        whole = BRANCH_ADDRESS if branches else ADDRESS
        place = BRANCH_PLACE if branches else PLACE
        chosen.append(Planned(whole if "street" in columns else place, Source("address")))
    for (kind, namespace), identifier in sorted(records.identifiers.items()):
        if len(identifier.record):
            chosen.append(Planned(of_identifier(kind, namespace), Source("identifier", kind, namespace)))
    used = {*_SIMPLE, "given_name", "surname", *_ADDRESS_ROLES}
    texts = [name for name in sorted(columns) if name not in used][:_TEXT_LIMIT]
    taken = {"prior", "household", *(item.comparison.name for item in chosen)}
    for name in texts:
        told = shown_column(name)
        chosen.append(Planned(of_text(f"{told} (text)" if told in taken else told), Source("text", name)))
    if len(chosen) == 1 and chosen[0].source == Source("column", "company"):
        chosen = [Planned(LONE_NAME, chosen[0].source)]
    return tuple(chosen)


@dataclass(frozen=True)
class Step:
    """One call of a kernel: the comparisons whose levels it gives, and the column that tells equal values.

    ``codes``: per comparison the column whose equal values the frequency adjustment looks up.
    ``bound``: what values of ``codes`` alone tell of the level: "values", that equal ones are exact and missing
    ones absent; "silent", likewise, but others may say nothing; "names", that equal ones are exact; or "nothing".
    ``cost``: of a pair, relative to equality.
    """

    rows: tuple[int, ...]
    fill: Fill
    codes: tuple[Codes, ...]
    spaces: tuple[str, ...]
    bound: str = "values"
    several: bool = False
    cost: float = 1.0


@dataclass(frozen=True)
class Comparer:
    """A plan bound to records."""

    plan: Plan
    steps: tuple[Step, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons in their order."""
        return tuple(item.comparison for item in self.plan)

    def levels(self, left: Rows, right: Rows) -> Levels:
        """Matrix of levels, one row per comparison, one column per pair; -1 where a side has no value."""
        out = np.full((len(self.plan), len(left)), -1, dtype=np.int8)
        for step in self.steps:
            for row, level in zip(step.rows, step.fill(left, right), strict=True):
                out[row] = level
        return out


@dataclass(frozen=True)
class Usual:
    """What is common in the data that a model version was fitted on.

    ``domains``: sorted hashes of e-mail domains that many addresses have; ``words``: of names of organisations.
    """

    domains: npt.NDArray[np.uint64]
    words: frozenset[str]

    @classmethod
    def of(cls, records: RecordSet, features: FeatureStore) -> Usual:
        """Count the distinct values of the records."""
        domains, words = np.empty(0, np.uint64), frozenset[str]()
        email = records.identifiers.get(("email", ""))
        if email is not None:
            own = features.get("emails", email.space, records.spaces[email.space].texts).domain
            found, counts = np.unique(own, return_counts=True)
            domains = found[counts > max(20, len(own) // 200)]
        if "company" in records.columns:
            words = common_words(records.spaces[records.columns["company"].space].texts)
        return cls(domains, words)


def bind(records: RecordSet, chosen: Plan, features: FeatureStore, usual: Usual) -> Comparer:
    """Bind a plan to records."""
    binder = _Binder(records, features, usual)
    steps: list[Step] = []
    for row, item in enumerate(chosen):
        kind, name = item.source.kind, item.source.name
        if kind == "names":
            if name == "given_name":
                steps.append(binder.names((row, row + 1)))
        elif kind == "address":
            steps.append(binder.address(row, item.comparison))
        elif kind == "identifier":
            steps.append(binder.identifier(row, name, item.source.namespace, item.comparison))
        else:
            steps.append(binder.column(row, name, item.comparison))
    return Comparer(chosen, tuple(steps))


class _Binder:
    """Finds columns and features of a set of records for the kernels."""

    def __init__(self, records: RecordSet, features: FeatureStore, usual: Usual) -> None:
        self.records, self.features, self.usual = records, features, usual
        self.nothing = np.full(len(records), -1, dtype=np.int32)

    def codes(self, role: str) -> tuple[Codes, str]:
        column = self.records.columns.get(role)
        return (column.codes, column.space) if column is not None else (self.nothing, "")

    def feature(self, kind: str, space: str) -> Any:
        values = self.records.spaces.get(space)
        return self.features.get(kind, space, values.texts if values is not None else _NO_VALUES)

    def texts(self, space: str) -> Texts:
        found: Texts = self.feature("texts", space)
        return found

    def names(self, rows: tuple[int, int]) -> Step:
        given, surname = self.codes("given_name")[0], self.codes("surname")[0]
        both, n = np.stack([given, surname], axis=1), self.feature("names", "name")

        def fill(left: Rows, right: Rows) -> tuple[Levels, ...]:
            first, last = np.empty(len(left), np.int8), np.empty(len(left), np.int8)
            names.names(left, right, both, n.text, n.packed, n.family, n.part, first, last)
            return first, last

        return Step(rows, fill, (given, surname), ("name", "name"), "names", cost=30.0)

    def address(self, row: int, comparison: Comparison) -> Step:
        found = [self.codes(role) for role in ("region", "postcode", "city", "street", "street_number")]
        columns = np.stack([codes for codes, _ in found], axis=1)
        p, c, s = (self.texts(space) for _, space in found[1:4])
        words = self.feature("streets", found[3][1]).words
        rank = np.array([comparison.levels.index(name) for name in _RANKS[comparison.name]], np.int8)
        telling, space = self.telling(comparison)

        def fill(left: Rows, right: Rows) -> tuple[Levels, ...]:
            out = np.empty(len(left), np.int8)
            places.address(
                left, right, columns, p.text, p.packed, c.text, c.packed, s.text, s.packed, words, rank, out
            )  # fmt: skip
            return (out,)

        return Step((row,), fill, (telling,), (space,), "nothing", cost=10.0)

    def telling(self, comparison: Comparison) -> tuple[Codes, str]:
        """The column of which equal values stand for an equal address."""
        if comparison.name == ADDRESS.name:
            return self.codes("door")
        found = self.codes("postcode")
        return found if found[1] else self.codes("city")

    def column(self, row: int, name: str, comparison: Comparison) -> Step:
        codes, space = self.codes(name)
        fill = self._measure(name, codes, space, comparison.exact)
        return Step((row,), fill, (codes,), (space,), cost=_COSTS.get(name, 4.0))

    def identifier(self, row: int, kind: str, namespace: str, comparison: Comparison) -> Step:
        column = self.records.identifiers.get((kind, namespace))
        if column is None:
            return Step((row,), _absent, (self.nothing,), ("",))
        fill = self._measure(
            kind if kind in ("email", "phone") else "identifier", column.codes, column.space, comparison.exact
        )
        several = len(column.record) > int((column.codes >= 0).sum())
        if several:
            fill = _any_shared(fill, column, len(self.records), comparison.exact)
        bound = "values"
        if kind == "email":
            fill, bound = self._but_names(fill, column, comparison.exact), "silent"
        cost = _COSTS.get(kind, 2.0)
        return Step((row,), fill, (column.codes,), (column.space,), bound, several=several, cost=cost)

    def _but_names(self, fill: Fill, column: Multi, exact: int) -> Fill:
        """Addresses that are made of names agree in part because the names do: that is no further evidence."""
        both = np.stack([self.codes("given_name")[0], self.codes("surname")[0]], axis=1)
        t, n, length = (
            self.texts(column.space),
            self.feature("names", "name"),
            self.feature("emails", column.space).length,
        )

        def telling(left: Rows, right: Rows) -> tuple[Levels, ...]:
            (out,) = fill(left, right)
            contacts.silence_names(
                left, right, column.codes, t.text, t.packed, length, both, n.text, n.packed, exact, out
            )
            return (out,)

        return telling

    def _measure(self, name: str, codes: Codes, space: str, exact: int) -> Fill:
        """The kernel of one column, with its features."""
        if name in ("suffix", "gender", "record_type") or not space:
            return partial(_one, levels.same, (codes, exact))
        t = self.texts(space)
        kernel, more = self._special(name, space) or (levels.alike, (0.88, 1, exact))
        if name == "identifier":
            kernel, more = levels.near, (1, 5, 1, exact)
        first = (codes, more[0]) if name == "birth_date" else (codes,)
        rest = more[1:] if name == "birth_date" else more
        return partial(_one, kernel, (*first, t.text, t.packed, *rest))

    def _special(self, name: str, space: str) -> tuple[Callable[..., None], tuple[Any, ...]] | None:
        """Kernel and features of the columns that have a measure of their own."""
        if name == "birth_date":
            return levels.birth_date, (self.feature("dates", space).number,)
        if name == "phone":
            return levels.phone, ()
        if name == "middle_name":
            return names.middle_name, ()
        if name == "email":
            e = self.feature("emails", space)
            return levels.email, (e.local, e.length, ~np.isin(e.domain, self.usual.domains))
        if name == "company":
            values = self.records.spaces[space].texts
            c = self.features.get("companies", space, values, common=self.usual.words)
            return places.company, (c.words, c.rare, c.mass, c.digits, c.joined, c.acronym)
        return None


def _one(
    kernel: Callable[..., None], arguments: tuple[Any, ...], left: Rows, right: Rows
) -> tuple[Levels, ...]:
    out = np.empty(len(left), np.int8)
    kernel(left, right, *arguments, out)
    return (out,)


def _absent(left: Rows, _right: Rows) -> tuple[Levels, ...]:
    return (np.full(len(left), -1, np.int8),)


def _any_shared(fill: Fill, column: Multi, size: int, exact: int) -> Fill:
    """Raise levels to ``exact`` where two records share any of several values."""
    order = np.lexsort((column.value, column.record))
    begin = np.searchsorted(column.record[order], np.arange(size + 1)).astype(np.int64)
    value = column.value[order]

    def shared(left: Rows, right: Rows) -> tuple[Levels, ...]:
        (out,) = fill(left, right)
        levels.share_value(left, right, begin, value, exact, out)
        return (out,)

    return shared
