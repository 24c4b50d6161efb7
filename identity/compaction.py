"""A state without the rows of records that are gone, and without values that nobody has any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity import keyring
from identity.clusters import Clustered
from identity.components import Edges, RowPairs, Rows
from identity.features import FeatureStore
from identity.held import Held
from identity.judgements import Judgements
from identity.kernels.codes import gather
from identity.keys import count
from identity.protection import Copies
from identity.recordset import RecordSet
from identity.state import State
from identity.status import Status, without_hubs
from identity.values import Codes, Column, Flags, Multi, Values

Name = tuple[str, str]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Numbers:
    """Old numbers that stay, and the new number of each old one (-1: gone)."""

    kept: Places
    place: Codes

    @classmethod
    def of(cls, kept: Flags) -> _Numbers:
        place = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        return cls(np.flatnonzero(kept), place)


def compacted(state: State) -> State:
    """The state with live rows only; it takes batches as the state with all rows does.

    What follows from the rest (features, adjustments, counts) is worked out by the next update.
    """
    rows = _Numbers.of(state.live)
    values = {space: _Numbers.of(used) for space, used in _used(state.records, state.live).items()}
    records = _records(state.records, rows, values)
    status = _status(state, records, rows, values)
    keys = keyring.build(state.version.keys, records, status.identifiers, status.hubs)

    def pairs(found: RowPairs) -> RowPairs:
        return rows.place[found[0]], rows.place[found[1]]

    return replace(
        state,
        records=records,
        live=np.ones(len(records), bool),
        status=status,
        keys=keys,
        edges=_edges(state.edges, rows),
        clustered=_clustered(state, rows, values),
        judged=Judgements(pairs(state.judged.must), pairs(state.judged.cannot)),
        features=FeatureStore(),
        adjustments=tuple(None for _ in state.adjustments),
        counts=count(keys, status.active),
        renewed=np.empty(0, np.int32),
    )


def _used(records: RecordSet, live: Flags) -> dict[str, Flags]:
    """Which values live records have, by space."""
    used = {space: np.zeros(len(values) + 1, bool) for space, values in records.spaces.items()}
    for column in (*records.columns.values(), *records.keys_only.values()):
        used[column.space][column.codes[live]] = True
    for multi in (*records.identifiers.values(), *records.placeholders.values()):
        used[multi.space][multi.value[live[multi.record]]] = True
    return {space: flags[:-1] for space, flags in used.items()}


def _records(records: RecordSet, rows: _Numbers, values: Mapping[str, _Numbers]) -> RecordSet:
    def columns(found: Mapping[str, Column]) -> dict[str, Column]:
        return {
            name: Column(c.space, gather(values[c.space].place, c.codes[rows.kept]))
            for name, c in found.items()
        }

    def multis(found: Mapping[Name, Multi]) -> dict[Name, Multi]:
        return {name: _multi(m, rows, values[m.space]) for name, m in found.items()}

    spaces = {}
    for space, own in records.spaces.items():
        kept = values[space].kept
        spaces[space] = Values(own.texts.take(pa.array(kept)), own.hashes[kept])
    return RecordSet(
        records.keys.take(pa.array(rows.kept)),
        records.order[rows.kept],
        spaces,
        columns(records.columns),
        columns(records.keys_only),
        multis(records.identifiers),
        multis(records.placeholders),
    )


def _multi(column: Multi, rows: _Numbers, values: _Numbers) -> Multi:
    use = np.flatnonzero(rows.place[column.record] >= 0)
    return Multi(
        column.space,
        rows.place[column.record[use]],
        values.place[column.value[use]],
        gather(values.place, column.codes[rows.kept]),
        column.seen[use] if len(column.seen) else column.seen,
    )


def _edges(edges: Edges, rows: _Numbers) -> Edges:
    return Edges(rows.place[edges.left], rows.place[edges.right], edges.weight)


def _status(state: State, records: RecordSet, rows: _Numbers, values: Mapping[str, _Numbers]) -> Status:
    now, kept = state.status, rows.kept
    hubs = {
        name: flags[values[state.records.identifiers[name].space].kept] for name, flags in now.hubs.items()
    }
    copies = Copies(rows.place[now.copies.first], rows.place[now.copies.copy], now.copies.crowd)
    held = [_held(h, state.records, rows, values) for h in now.held]
    return Status(
        hubs, without_hubs(records, hubs), now.content[kept], now.several[kept], now.anchored[kept],
        now.active[kept], copies, held,
    )  # fmt: skip


def _clustered(state: State, rows: _Numbers, values: Mapping[str, _Numbers]) -> Clustered:
    found = state.clustered

    def labels(old: Rows) -> Rows:
        return rows.place[old[rows.kept]]

    return Clustered(
        labels(found.labels),
        labels(found.region),
        _edges(found.inside, rows),
        _edges(found.copies, rows),
        [(kind, rows.place[left], rows.place[right]) for kind, left, right in found.stated],
        found.lowest[rows.kept],
        [_held(h, state.records, rows, values) for h in found.held],
    )


def _held(held: Held, records: RecordSet, rows: _Numbers, values: Mapping[str, _Numbers]) -> Held:
    if held.what == "identifier":
        space = records.identifiers[held.type, held.namespace].space
        return replace(held, place=int(values[space].place[held.place]))
    return replace(held, place=int(rows.place[held.place]))
