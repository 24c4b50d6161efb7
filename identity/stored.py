"""A state as Arrow tables, and back: what a caller writes to files between batches, without any I/O here.

``save`` gives tables that share the state's memory, to be written as uncompressed Arrow IPC; ``load`` copies them
out of a memory map into arrays that can grow.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp.errors import UsageError
from identity import keyring
from identity.clusters import Clustered
from identity.compaction import compacted
from identity.components import Edges
from identity.features import KINDS, FeatureStore
from identity.growing import roomy
from identity.held import Held
from identity.judgements import Judgements
from identity.kernels.buffers import strings, views
from identity.keys import Counts
from identity.policy import IdentityPolicy, Limit
from identity.protection import Copies
from identity.recordset import RecordSet
from identity.state import State
from identity.status import Status, without_hubs
from identity.values import Column, Multi, Values
from identity.version import ModelVersion

FORMAT = 2
Parts = dict[str, pa.Table | bytes]
_Array = npt.NDArray[Any]
_OUTLINE, _VERSION = "outline", "version"
_MULTI = ("record", "value", "codes", "seen")
_STATUS = ("content", "several", "anchored", "active")
_LABELS = ("labels", "region", "lowest")
_LIVE = 0.8
"""Share of live rows below which a state is saved without its dead ones."""


class _Writer:
    """Collects arrays by name; those of one length become columns of one table."""

    def __init__(self) -> None:
        self._arrays: dict[str, pa.Array] = {}

    def put(self, name: str, values: _Array | pa.Array) -> None:
        if isinstance(values, np.ndarray):
            array = pa.array(np.ascontiguousarray(values).reshape(-1))
            values = pa.FixedSizeListArray.from_arrays(array, values.shape[1]) if values.ndim == 2 else array
        self._arrays[name] = values

    def edges(self, name: str, edges: Edges) -> None:
        self.pairs(name, edges.left, edges.right)
        self.put(f"{name}/weight", edges.weight)

    def pairs(self, name: str, left: _Array, right: _Array) -> None:
        self.put(f"{name}/left", left)
        self.put(f"{name}/right", right)

    def multi(self, name: str, column: Multi) -> None:
        for part in _MULTI:
            self.put(f"{name}/{part}", getattr(column, part))

    def tables(self) -> dict[str, pa.Table]:
        found: dict[str, dict[str, pa.Array]] = defaultdict(dict)
        for name, values in self._arrays.items():
            found[f"arrays-{len(values)}"][name] = values
        return {name: pa.table(columns) for name, columns in found.items()}


class _Reader:
    """Gives arrays by name, copied into memory of their own: files may go while the state lives on."""

    def __init__(self, parts: Mapping[str, pa.Table | bytes]) -> None:
        self._columns = {
            name: table[name]
            for table in parts.values()
            if isinstance(table, pa.Table)
            for name in table.column_names
        }

    def _array(self, name: str) -> pa.Array:
        column = self._columns[name]
        if column.num_chunks == 1:
            return column.chunk(0)
        return pa.concat_arrays([*column.chunks, pa.array([], column.type)])

    def texts(self, name: str) -> pa.Array:
        data, starts = views(self._array(name))
        return strings(data[starts[0] : starts[-1]].copy(), starts - starts[0])

    def get(self, name: str) -> _Array:
        array = self._array(name)
        wide = array.type.list_size if pa.types.is_fixed_size_list(array.type) else 0
        values = (array.flatten() if wide else array).to_numpy(zero_copy_only=False)
        return roomy(values.reshape(-1, wide) if wide else values)

    def edges(self, name: str) -> Edges:
        return Edges(*self.pairs(name), self.get(f"{name}/weight"))

    def pairs(self, name: str) -> tuple[_Array, _Array]:
        return self.get(f"{name}/left"), self.get(f"{name}/right")

    def multi(self, name: str, space: str) -> Multi:
        record, value, codes, seen = (self.get(f"{name}/{part}") for part in _MULTI)
        return Multi(space, record, value, codes, seen)


def save(state: State) -> Parts:
    """The state as tables and bytes by name; where many rows are dead, without these (see ``compacted``).

    ``load(save(state))`` takes batches as ``state`` does.
    """
    if np.count_nonzero(state.live) < _LIVE * len(state.live):
        state = compacted(state)
    writer = _Writer()
    _write_records(writer, state.records)
    _write_status(writer, state)
    _write_clusters(writer, state.clustered)
    for sort, counts in (("space", state.counts.spaces), ("several", state.counts.several)):
        for name, found in counts.items():
            writer.put(f"counts/{sort}/{name}", found)
    for place, table in enumerate(state.adjustments):
        if table is not None:
            writer.put(f"adjustment/{place}", table)
    for (space, kind), (_, feature) in state.features.known():
        for field in fields(feature):
            writer.put(f"feature/{space}/{kind}/{field.name}", getattr(feature, field.name))
    writer.edges("edges", state.edges)
    writer.pairs("must", *state.judged.must)
    writer.pairs("cannot", *state.judged.cannot)
    outline = json.dumps(_outline(state)).encode()
    return {_OUTLINE: outline, _VERSION: state.version.to_bytes(), **writer.tables()}


def _outline(state: State) -> dict[str, Any]:
    """What is no array."""
    records, policy = state.records, state.policy
    return {
        "format": FORMAT,
        "policy": {
            "limits": {kind: _limit(limit) for kind, limit in policy.limits.items()},
            "default_limit": _limit(policy.default_limit),
            "priority": list(policy.priority),
            "unique": sorted(policy.unique),
            "threshold": policy.threshold,
            "ambiguous": policy.ambiguous,
            "max_cluster": policy.max_cluster,
        },
        "spaces": list(records.spaces),
        "columns": [[name, column.space] for name, column in records.columns.items()],
        "keys_only": [[name, column.space] for name, column in records.keys_only.items()],
        "identifiers": [[*name, column.space] for name, column in records.identifiers.items()],
        "placeholders": [[*name, column.space] for name, column in records.placeholders.items()],
        "stated": [kind for kind, _, _ in state.clustered.stated],
        "held": [[asdict(held) for held in part] for part in (state.status.held, state.clustered.held)],
        "counts": list(state.counts.spaces),
        "several": list(state.counts.several),
        "adjustments": [table is not None for table in state.adjustments],
        "features": [[space, kind, size] for (space, kind), (size, _) in state.features.known()],
    }


def _limit(limit: Limit) -> list[float | None]:
    return [limit.max_people, None if limit.window is None else limit.window.total_seconds()]


def _write_records(writer: _Writer, records: RecordSet) -> None:
    writer.put("record_key", records.keys)
    writer.put("order", records.order)
    for sort, columns in (("column", records.columns), ("key", records.keys_only)):
        for name, column in columns.items():
            writer.put(f"{sort}/{name}", column.codes)
    for sort, multis in (("identifier", records.identifiers), ("placeholder", records.placeholders)):
        for (kind, namespace), multi in multis.items():
            writer.multi(f"{sort}/{kind}/{namespace}", multi)
    for space, values in records.spaces.items():
        writer.put(f"value/{space}", values.texts)
        writer.put(f"hash/{space}", values.hashes)


def _write_status(writer: _Writer, state: State) -> None:
    now = state.status
    writer.put("live", state.live)
    for name in _STATUS:
        writer.put(name, getattr(now, name))
    for (kind, namespace), flags in now.hubs.items():
        writer.put(f"hub/{kind}/{namespace}", flags)
    writer.pairs("equal", now.copies.first, now.copies.copy)
    writer.put("equal/crowd", now.copies.crowd)


def _write_clusters(writer: _Writer, found: Clustered) -> None:
    for name in _LABELS:
        writer.put(name, getattr(found, name))
    writer.edges("inside", found.inside)
    writer.edges("copies", found.copies)
    for kind, left, right in found.stated:
        writer.pairs(f"stated/{kind}", left, right)


def load(parts: Mapping[str, pa.Table | bytes]) -> State:
    """The state that was saved. Raises UsageError for a format that another version of cdp wrote."""
    outline = json.loads(_bytes(parts, _OUTLINE))
    if outline["format"] != FORMAT:
        raise UsageError(
            f"the state of identity has format {outline['format']}, this version of cdp reads {FORMAT}",
            hint="resolve everything once: cdp resolve --full",
        )
    version, reader = ModelVersion.from_bytes(_bytes(parts, _VERSION)), _Reader(parts)
    records = _read_records(reader, outline)
    status = _read_status(reader, records, outline)
    return State(
        version,
        _policy(outline["policy"]),
        records,
        reader.get("live"),
        status,
        keyring.build(version.keys, records, status.identifiers, status.hubs),
        reader.edges("edges"),
        _read_clusters(reader, outline),
        Judgements(reader.pairs("must"), reader.pairs("cannot")),
        _read_features(reader, outline),
        tuple(
            reader.get(f"adjustment/{place}") if there else None
            for place, there in enumerate(outline["adjustments"])
        ),
        Counts(
            {name: reader.get(f"counts/space/{name}") for name in outline["counts"]},
            {name: reader.get(f"counts/several/{name}") for name in outline["several"]},
        ),
        np.empty(0, np.int32),
    )


def _bytes(parts: Mapping[str, pa.Table | bytes], name: str) -> bytes:
    found = parts[name]
    if isinstance(found, pa.Table):
        raise TypeError(f"part {name} is a table; expected bytes")
    return found


def _policy(made: Mapping[str, Any]) -> IdentityPolicy:
    return IdentityPolicy(
        limits={kind: _limit_of(limit) for kind, limit in made["limits"].items()},
        default_limit=_limit_of(made["default_limit"]),
        priority=tuple(made["priority"]),
        unique=frozenset(made["unique"]),
        threshold=made["threshold"],
        ambiguous=made["ambiguous"],
        max_cluster=made["max_cluster"],
    )


def _limit_of(made: list[Any]) -> Limit:
    people, seconds = made
    return Limit(people, None if seconds is None else timedelta(seconds=seconds))


def _read_records(reader: _Reader, outline: Mapping[str, Any]) -> RecordSet:
    return RecordSet(
        reader.texts("record_key"),
        reader.get("order"),
        {
            space: Values(reader.texts(f"value/{space}"), reader.get(f"hash/{space}"))
            for space in outline["spaces"]
        },
        {name: Column(space, reader.get(f"column/{name}")) for name, space in outline["columns"]},
        {name: Column(space, reader.get(f"key/{name}")) for name, space in outline["keys_only"]},
        _read_multis(reader, "identifier", outline["identifiers"]),
        _read_multis(reader, "placeholder", outline["placeholders"]),
    )


def _read_multis(reader: _Reader, sort: str, names: list[list[str]]) -> dict[tuple[str, str], Multi]:
    return {
        (kind, namespace): reader.multi(f"{sort}/{kind}/{namespace}", space)
        for kind, namespace, space in names
    }


def _read_status(reader: _Reader, records: RecordSet, outline: Mapping[str, Any]) -> Status:
    hubs = {name: reader.get(f"hub/{name[0]}/{name[1]}") for name in records.identifiers}
    content, several, anchored, active = (reader.get(name) for name in _STATUS)
    copies = Copies(*reader.pairs("equal"), reader.get("equal/crowd"))
    held = [Held(**held) for held in outline["held"][0]]
    return Status(hubs, without_hubs(records, hubs), content, several, anchored, active, copies, held)


def _read_clusters(reader: _Reader, outline: Mapping[str, Any]) -> Clustered:
    labels, region, lowest = (reader.get(name) for name in _LABELS)
    stated = [(kind, *reader.pairs(f"stated/{kind}")) for kind in outline["stated"]]
    held = [Held(**held) for held in outline["held"][1]]
    inside, copies = reader.edges("inside"), reader.edges("copies")
    return Clustered(labels, region, inside, copies, stated, lowest, held)


def _read_features(reader: _Reader, outline: Mapping[str, Any]) -> FeatureStore:
    found = FeatureStore()
    for space, kind, size in outline["features"]:
        made = KINDS[kind]
        names = [field.name for field in fields(made)]
        found.put(space, kind, size, made(*(reader.get(f"feature/{space}/{kind}/{name}") for name in names)))
    return found
