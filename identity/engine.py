"""From encoded records to clusters, at once or after a change: one procedure for both.

Every status and every cluster is a function of the live records, the model version, the policy and the judgements.
After a change, light passes work out the statuses anew; only pairs with a dirty record are weighed, and only the
components that they touch are clustered. Without a state before, everything is dirty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa

from identity import attach as attaching
from identity import keyring, linkage, protection
from identity.candidates import Change, emit, flips
from identity.comparer import bind
from identity.components import (
    Divided,
    Edges,
    Ints,
    RowPairs,
    Rows,
    Rules,
    concat_edges,
    divide,
    named,
    rows_of_components,
    start_groups,
)
from identity.evidence_weights import JUDGED, shared_weight
from identity.features import FeatureStore
from identity.held import Held
from identity.judgements import Judgements, read_judgements
from identity.kernels.hashing import hash_texts, locate
from identity.keys import Key, count
from identity.model import DOUBT, UNIT
from identity.policy import IdentityPolicy
from identity.recordset import RecordSet
from identity.scorer import THREADS, Scorer
from identity.state import Clustered, State
from identity.status import Status, status, turned_hubs
from identity.values import Codes, Flags
from identity.version import ModelVersion

Progress = Callable[[str], None]


def find_rows(records: RecordSet, live: Flags, keys: pa.Array | pa.ChunkedArray) -> Codes:
    """The live row of each record key, -1 for an unknown one."""
    rows = np.flatnonzero(live).astype(np.int32)
    found = locate(records.order[rows], hash_texts(keys))
    return np.where(found >= 0, rows[found] if len(rows) else found, np.int32(-1))


def threshold_of(version: ModelVersion, policy: IdentityPolicy) -> int:
    """The match weight from which records may join, in 1/1000 bit."""
    if policy.threshold == "auto":
        return version.model.threshold
    return int(np.rint(np.log2(policy.threshold / (1 - policy.threshold)) * UNIT))


def scorer_of(
    version: ModelVersion,
    records: RecordSet,
    now: Status,
    features: FeatureStore,
    past: Sequence[Codes | None] = (),
) -> Scorer:
    """Bind a model version to records; ``past``: frequency adjustments of the first values of each comparison."""
    effective = replace(records, identifiers=dict(now.identifiers))
    comparer = bind(effective, version.plan, features, version.usual)
    tables: list[Codes | None] = [None] * len(version.plan)
    for step in comparer.steps:
        for row, space in zip(step.rows, step.spaces, strict=True):
            frequency = version.frequencies[row]
            if frequency is not None and space in records.spaces:
                known = past[row] if past else None
                known = np.empty(0, np.int32) if known is None else known
                fresh = frequency.table(records.spaces[space].hashes[len(known) :])
                tables[row] = np.concatenate([known, fresh])
    return Scorer(comparer, version.model, tuple(tables))


def advance(
    before: State | None,
    records: RecordSet,
    live: Flags,
    judgements: pa.Table | None,
    policy: IdentityPolicy,
    version: ModelVersion,
    features: FeatureStore,
    progress: Progress = lambda _: None,
    now: Status | None = None,
) -> State:
    """Resolve the live records; ``before``: the state of the rows that stood before, under the same policy.

    Rows of ``before`` keep their numbers; ``live`` says which of them still count.
    """
    progress("hold_back")
    judged = read_judgements(judgements, lambda keys: find_rows(records, live, keys))
    now = now or status(records, live, judged.rows, policy, before.status if before else None)
    keys = keyring.build(version.keys, records, now.identifiers, now.hubs)
    scorer = scorer_of(version, records, now, features, before.adjustments if before else ())
    floor = threshold_of(version, policy) - DOUBT
    progress("score")
    dirty, edges, lost = _edges(before, records, live, now, keys, scorer, version, floor)
    progress("cluster")
    clustered = _cluster(before, records, live, now, judged, scorer, edges, dirty, lost, policy, version)
    return State(
        version, policy, records, live, now, keys, edges, clustered, judged, features, scorer.adjustments
    )


def _edges(
    before: State | None,
    records: RecordSet,
    live: Flags,
    now: Status,
    keys: list[Key],
    scorer: Scorer,
    version: ModelVersion,
    floor: int,
) -> tuple[Flags | None, Edges, Edges]:
    """Rows of which pairs were weighed (None: all), the scored pairs now, and those that went or came."""
    counts = count(keys, now.active)
    if before is None:
        candidates = emit(keys, now.active, records.order, version.cap, counts=counts, limits=version.limits)
        found = concat_edges(scorer.above(candidates, floor))
        return None, found, found
    dirty = _changed(before, records, live, now)
    rows = np.flatnonzero(dirty).astype(np.int32)
    change = Change(rows, _padded(before.status.active, len(records), fill=False)[rows], _past(before, keys, rows))
    old = before.edges
    pairs = old.left, old.right
    order, cap, limits = records.order, version.cap, version.limits
    dirty[flips(keys, now.active, order, cap, change, pairs, counts=counts, limits=limits)] = True
    touched = dirty[old.left] | dirty[old.right]
    candidates = emit(keys, now.active, order, cap, dirty=dirty, counts=counts, limits=limits)
    fresh = concat_edges(scorer.above(candidates, floor))
    return dirty, concat_edges([old.take(~touched), fresh]), concat_edges([old.take(touched), fresh])


def _changed(before: State, records: RecordSet, live: Flags, now: Status) -> Flags:
    """Rows that came, went, or are compared otherwise than before."""
    dirty = np.ones(len(records), bool)
    old = len(before.records)
    dirty[:old] = (live[:old] != before.live) | (now.active[:old] != before.status.active)
    dirty[:old] |= now.anchored[:old] != before.status.anchored
    for name, turned in turned_hubs(now.hubs, before.status.hubs):
        column = records.identifiers[name]
        dirty[column.record[turned[column.value]]] = True
    return dirty


def _padded(values: Flags, size: int, *, fill: bool) -> Flags:
    return np.concatenate([values, np.full(size - len(values), fill)])


def _past(before: State, keys: list[Key], rows: Rows) -> list[Key]:
    """The keys of some rows before the change, by place in ``rows``; rows that were not there have none."""
    old = len(before.records)
    there = rows < old
    place = np.full(old, -1, np.int32)
    place[rows[there]] = np.flatnonzero(there).astype(np.int32)
    found = []
    for key, past in zip(keys, before.keys, strict=True):
        codes = np.full(len(rows), -1, np.int32)
        codes[there] = past.codes[rows[there]]
        several = None
        if key.several is not None or past.several is not None:
            record, value = past.several if past.several is not None else _singles(past)
            own = place[record]
            several = (own[own >= 0], value[own >= 0])
        found.append(replace(key, codes=codes, several=several))
    return found


def _singles(key: Key) -> RowPairs:
    rows = np.flatnonzero(key.codes >= 0).astype(np.int32)
    return rows, key.codes[rows]


def _cluster(
    before: State | None,
    records: RecordSet,
    live: Flags,
    now: Status,
    judged: Judgements,
    scorer: Scorer,
    edges: Edges,
    dirty: Flags | None,
    lost: Edges,
    policy: IdentityPolicy,
    version: ModelVersion,
) -> Clustered:
    threshold = threshold_of(version, policy)
    rules = Rules(threshold, policy.max_cluster)
    copies = _copies(now, scorer, threshold)
    unique = protection.same_unique(now.identifiers, policy, live)
    start = start_groups(records.order, judged.must, judged.cannot, unique, (copies.left, copies.right))
    good = edges.take(edges.weight >= threshold)
    divided = divide(records.order, good, start, now.active, rules)
    part = None if before is None or dirty is None else _part(before, divided, judged, dirty, lost)
    linked = _link(divided, part, judged, scorer, now, policy, live)
    labels, inside, held = linked.labels, linked.edges, linked.held
    if before is not None and part is not None:
        past = before.clustered
        old = len(past.linked)
        labels[:old] = np.where(part[:old], labels[:old], past.linked)
        inside = concat_edges([past.inside.take(~part[past.inside.left]), inside])
        held = [h for h in past.held if not part[h.place]] + held
    attached = attaching.attach(
        labels, live & ~now.anchored, now.identifiers, policy, judged.cannot, order=records.order, live=live
    )
    final = named(attached.labels, records.order)
    joins = protection.unique_edges(now.identifiers, policy, live, final, records.order)
    stated = [*attached.edges, *joins]
    held_by = _weighed(concat_edges([inside, copies]), stated, judged)
    if before is None or part is None or dirty is None:
        lowest = linkage.best_paths(final, held_by)
    else:
        lowest = _lowest(before.clustered, final, held_by, part | dirty)
    noted = [*divided.held, *attached.held]
    return Clustered(start, divided.label, labels, final, inside, copies, stated, lowest, noted, held)


def _lowest(before: Clustered, labels: Rows, edges: Edges, touched: Flags) -> Ints:
    """Best paths anew in the clusters that changed."""
    old = len(before.labels)
    touched = touched.copy()
    touched[:old] |= labels[:old] != before.labels
    touched = rows_of_components(labels, touched)
    fresh = linkage.best_paths(labels, edges.take(touched[edges.left]))
    fresh[:old] = np.where(touched[:old], fresh[:old], before.lowest)
    return fresh


def _copies(now: Status, scorer: Scorer, threshold: int) -> Edges:
    """Copies that are sure to be one record with their first: equal contents have equal weights."""
    use = ~now.copies.crowd
    first, copy = now.copies.first[use], now.copies.copy[use]
    heads, place, which = np.unique(first, return_index=True, return_inverse=True)
    weight = scorer.score(heads.astype(np.int32), copy[place]).weight
    sure = (weight >= threshold)[which]
    return Edges(first[sure], copy[sure], weight[which][sure])


def _part(before: State, divided: Divided, judged: Judgements, dirty: Flags, lost: Edges) -> Flags:
    """Rows of the components that a change touches."""
    touched = dirty.copy()
    touched[lost.left] = touched[lost.right] = True
    old = len(before.clustered.start)
    moved = divided.start[:old] != before.clustered.start
    touched[:old] |= moved
    touched[divided.start[:old][moved]] = True
    touched[before.clustered.start[moved]] = True
    touched[_between(judged.cannot, before.judged.cannot)] = True
    return touched | rows_of_components(divided.connected, touched)


def _between(one: RowPairs, two: RowPairs) -> Rows:
    """Rows of the pairs that are on one side only."""
    packed = [(a.astype(np.int64) << 32) | b for a, b in (one, two)]
    differ = np.setxor1d(*packed)
    return np.concatenate([differ >> 32, differ & 0xFFFFFFFF]).astype(np.int32)


def _link(
    divided: Divided,
    part: Flags | None,
    judged: Judgements,
    scorer: Scorer,
    now: Status,
    policy: IdentityPolicy,
    live: Flags,
) -> linkage.Linked:
    """Cluster all components, or only those of ``part``."""
    if part is not None:
        good = divided.good
        divided = replace(divided, compared=divided.compared & part, good=good.take(part[good.left]))
    colours = protection.unique_colours(now.identifiers, policy, live, divided.start)

    with ThreadPoolExecutor(THREADS) as pool:
        return linkage.link(divided, judged.cannot, scorer.for_linkage, colours=colours, each=pool.map)


def _weighed(edges: Edges, stated: Iterable[tuple[str, Rows, Rows]], judged: Judgements) -> Edges:
    """All that holds clusters together, with weights."""
    parts = [edges]
    for kind, left, right in stated:
        parts.append(Edges(left, right, np.full(len(left), shared_weight(kind), np.int32)))
    must = judged.must
    return concat_edges([*parts, Edges(*must, np.full(len(must[0]), JUDGED, np.int32))])


def held_back(state: State) -> list[Held]:
    """All that was held back: values, records, pairs between too large components, suspicious clusters."""
    return [*state.status.held, *state.clustered.noted, *state.clustered.held]
