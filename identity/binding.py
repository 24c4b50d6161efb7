"""A model version bound to records: to all of them, or to the few that a change is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from identity.comparer import bind
from identity.components import Edges, Flags, Ints, RowPairs, Rows, concat_edges
from identity.features import FeatureStore
from identity.growing import extended
from identity.protection import Identifiers
from identity.recordset import RecordSet
from identity.scorer import Scorer
from identity.status import Status
from identity.together import each
from identity.values import Codes, Column, Multi
from identity.version import Frequencies, ModelVersion

Adjustments = tuple[Codes | None, ...]


@dataclass(frozen=True)
class Binding:
    """What binds a model version to records.

    ``adjustments``: by comparison, what the frequency of each value of its column adds.
    """

    version: ModelVersion
    records: RecordSet
    features: FeatureStore
    adjustments: Adjustments

    @classmethod
    def of(
        cls,
        version: ModelVersion,
        records: RecordSet,
        now: Status,
        features: FeatureStore,
        past: Sequence[Codes | None] = (),
    ) -> Binding:
        """``past``: the adjustments of the first values, if they are there already."""
        effective = replace(records, identifiers=dict(now.identifiers))
        none = _part(effective, np.zeros(len(records), bool), np.empty(0, np.int32))
        comparer = bind(none, version.plan, features, version.usual)
        spaces = [""] * len(version.plan)
        for step in comparer.steps:
            for row, space in zip(step.rows, step.spaces, strict=True):
                spaces[row] = space
        known = past or [None] * len(spaces)
        tables = each(
            partial(_adjustment, frequency, records, space, before)
            for frequency, space, before in zip(version.frequencies, spaces, known, strict=True)
        )
        return cls(version, effective, features, tuple(tables))

    def whole(self) -> Scorer:
        """The scorer of all records."""
        return self._scorer(self.records)

    def _scorer(self, records: RecordSet) -> Scorer:
        comparer = bind(records, self.version.plan, self.features, self.version.usual)
        return Scorer(comparer, self.version.model, self.adjustments).ready()

    def part(self, chosen: Flags) -> Part:
        """The scorer of the chosen records alone: what it reads lies close together."""
        rows = np.flatnonzero(chosen).astype(np.int32)
        place = np.empty(len(chosen), np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        return Part(self._scorer(_part(self.records, chosen, rows)), rows, place)

    def weights(self, left: Rows, right: Rows) -> Ints:
        """The weight of each pair of records."""
        if not len(left):
            return np.empty(0, np.int32)
        part = self.part(_either(len(self.records), [(left, right)]))
        return part.scorer.score(part.place[left], part.place[right]).weight

    def above(self, chunks: Iterable[RowPairs], floor: int) -> Edges:
        """The pairs whose weight is at least ``floor``, by a scorer of the records in them."""
        pairs = list(chunks)
        part = self.part(_either(len(self.records), pairs))
        near = ((part.place[left], part.place[right]) for left, right in pairs)
        found = concat_edges(part.scorer.above(near, floor))
        return Edges(part.rows[found.left], part.rows[found.right], found.weight)


@dataclass(frozen=True)
class Part:
    """A scorer of some records, by their place in ``rows``; ``place`` is the inverse."""

    scorer: Scorer
    rows: Rows
    place: Rows


def _adjustment(
    frequency: Frequencies | None, records: RecordSet, space: str, known: Codes | None
) -> Codes | None:
    """What the frequency of each value of a space adds; ``known``: of the first ones."""
    if frequency is None or space not in records.spaces:
        return None
    hashes = records.spaces[space].hashes
    if known is None or not len(known):
        return frequency.table(hashes)
    return extended(known, frequency.table(hashes[len(known) :]))


def _either(size: int, pairs: Iterable[RowPairs]) -> Flags:
    chosen = np.zeros(size, bool)
    for left, right in pairs:
        chosen[left] = chosen[right] = True
    return chosen


def _part(records: RecordSet, chosen: Flags, rows: Rows) -> RecordSet:
    """What is compared of some records; nobody asks for their keys."""
    columns = {name: Column(column.space, column.codes[rows]) for name, column in records.columns.items()}
    return replace(
        records,
        keys=pa.nulls(len(rows), pa.string()),
        order=records.order[rows],
        columns=columns,
        keys_only={},
        identifiers=_identifiers(records.identifiers, chosen, rows),
        placeholders={},
    )


def _identifiers(identifiers: Identifiers, chosen: Flags, rows: Rows) -> dict[tuple[str, str], Multi]:
    place = np.empty(len(chosen), np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    found = {}
    for name, column in identifiers.items():
        own = column.codes[rows]
        if len(column.record) == np.count_nonzero(column.codes >= 0):
            record = np.flatnonzero(own >= 0).astype(np.int32)
            found[name] = Multi(column.space, record, own[record], own)
        else:
            use = np.flatnonzero(chosen[column.record])
            found[name] = Multi(column.space, place[column.record[use]], column.value[use], own)
    return found
