"""From encoded records to clusters, at once or after a change: one procedure for both.

Every status and every cluster is a function of the live records, the model version, the policy and the judgements.
After a change, light passes work out the statuses anew; only pairs with a dirty record are weighed, and only the
components that they touch are clustered. Without a state before, everything is dirty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from identity import keyring
from identity.binding import Binding
from identity.candidates import Blocked, Change, emit, flips
from identity.clusters import Clustered, Region, cluster, given_names, replaced
from identity.components import Edges, RowPairs, Rows, concat_edges, exchanged, rows_of_components
from identity.features import FeatureStore
from identity.growing import longer
from identity.held import Held
from identity.judgements import Judgements, read_judgements
from identity.kernels.hashing import hash_texts, locate
from identity.keys import Counts, Key, count, recount
from identity.model import DOUBT, UNIT
from identity.policy import IdentityPolicy
from identity.protection import Copies
from identity.recordset import RecordSet
from identity.scorer import Scorer
from identity.state import State
from identity.status import Changed, Status, restate, status
from identity.values import Codes, Flags
from identity.version import ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str], None]


def find_rows(records: RecordSet, live: Flags, keys: pa.Array | pa.ChunkedArray) -> Codes:
    """The live row of each record key, -1 for an unknown one."""
    return locate(np.where(live, records.order, np.uint64(0)), hash_texts(keys))


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
    adjustments: Sequence[Codes | None] = (),
) -> Scorer:
    """Bind a model version to all records; ``adjustments``: by comparison, of the first values' frequencies."""
    return Binding.of(version, records, now, features, adjustments).whole()


def advance(  # noqa: PLR0913, PLR0917 (each is a part of what a resolution is a function of)
    before: State | None,
    records: RecordSet,
    live: Flags,
    judgements: pa.Table | None,
    policy: IdentityPolicy,
    version: ModelVersion,
    features: FeatureStore,
    progress: Progress = lambda _: None,
    now: Status | None = None,
    blocked: Blocked | None = None,
) -> State:
    """Resolve the live records; ``before``: the state of the rows that stood before, under the same policy.

    Rows of ``before`` keep their numbers; ``live`` says which of them still count. ``now`` and ``blocked``: their
    statuses and candidate pairs, where everything is resolved and they are known.
    """
    progress("hold_back")
    judged = read_judgements(judgements, lambda keys: find_rows(records, live, keys))
    if before is None:
        now, changed = now or status(records, live, judged.rows, policy), None
    else:
        were = before.judged.rows
        now, changed = restate(before.status, before.live, were, records, live, judged.rows, policy)
    keys = blocked.keys if blocked else keyring.build(version.keys, records, now.identifiers, now.hubs)
    binding = Binding.of(version, records, now, features, before.adjustments if before else ())
    world = _World(records, live, now, keys, judged, binding, policy, threshold_of(version, policy))
    progress("score")
    if before is None or changed is None:
        blocked = blocked or Blocked.of(keys, now.active, records.order, version.cap, version.limits)
        scorer, counts = binding.whole(), blocked.counts
        edges = concat_edges(scorer.above(blocked.candidates, world.floor))
        del blocked
        progress("cluster")
        region = _region(world, edges, _copies(world, now.copies))
        clustered = cluster(region, scorer.for_linkage, policy, world.threshold)
        return world.state(edges, clustered, counts, region.rows)
    counts = _recounted(before, world, changed)
    edges = _edges_again(before, world, changed, counts)
    progress("cluster")
    part, clustered = _cluster_again(before, world, changed, edges)
    return world.state(edges, clustered, counts, part.rows)


@dataclass(frozen=True)
class _World:
    """The records as they are now, with all that weighs and clusters them."""

    records: RecordSet
    live: Flags
    now: Status
    keys: list[Key]
    judged: Judgements
    binding: Binding
    policy: IdentityPolicy
    threshold: int

    @property
    def version(self) -> ModelVersion:
        """The model version."""
        return self.binding.version

    @property
    def floor(self) -> int:
        """The least weight of pairs that are kept."""
        return self.threshold - DOUBT

    def state(self, edges: Edges, clustered: Clustered, counts: Counts, renewed: Rows) -> State:
        """The state that a resolution ends in."""
        return State(
            self.version, self.policy, self.records, self.live, self.now, self.keys, edges, clustered,
            self.judged, self.binding.features, self.binding.adjustments, counts, renewed,
        )  # fmt: skip


def _recounted(before: State, world: _World, changed: Changed) -> Counts:
    """How many active rows have each value, from how many had it before."""
    several = {key.name for key in world.keys if key.several is not None}
    if changed.values or several != set(before.counts.several):
        return count(world.keys, world.now.active)
    size: dict[str, int] = {}
    for key in world.keys:
        size[key.space] = max(key.size, size.get(key.space, 0))
        if key.several is not None:
            size[key.name] = key.size
    past = Counts(
        {space: longer(found, size[space]) for space, found in before.counts.spaces.items()},
        {name: longer(found, size[name]) for name, found in before.counts.several.items()},
    )
    was, active = longer(before.status.active, len(world.live)), world.now.active
    return recount(past, world.keys, [(was & ~active, -1), (active & ~was, 1)])


def _edges_again(before: State, world: _World, changed: Changed, counts: Counts) -> Edges:
    """The scored pairs after a change; adds to ``changed`` the rows whose good edges differ."""
    records, now, version = world.records, world.now, world.version
    rows = np.flatnonzero(changed.rows).astype(np.int32)
    was = longer(before.status.active, len(records))[rows]
    change = Change(rows, was, _past(before, world.keys, rows) if changed.values else None)
    old, dirty = before.edges, changed.rows.copy()
    order, cap, limits = records.order, version.cap, version.limits
    pairs = old.left, old.right
    dirty[flips(world.keys, now.active, order, cap, change, pairs, counts=counts, limits=limits)] = True
    gone = np.flatnonzero(dirty[old.left] | dirty[old.right])
    candidates = emit(world.keys, now.active, order, cap, dirty=dirty, counts=counts, limits=limits)
    fresh = world.binding.above(candidates, world.floor)
    ends = _between(_good(old.take(gone), world.threshold), _good(fresh, world.threshold))
    changed.tied[ends] = True
    return exchanged(old, gone, fresh)


def _good(edges: Edges, threshold: int) -> RowPairs:
    use = edges.weight >= threshold
    return edges.left[use], edges.right[use]


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


def _region(world: _World, edges: Edges, copies: Edges) -> Region:
    """All rows; ``copies``: those that are known to be good."""
    now, given = world.now, given_names(world.records)
    rows = np.arange(len(world.records), dtype=np.int32)
    good = edges.take(np.flatnonzero(edges.weight >= world.threshold))
    return Region(
        rows, world.records.order, world.live, now.active, now.anchored, good, copies, world.judged,
        now.identifiers, *given,
    )  # fmt: skip


def _cluster_again(before: State, world: _World, changed: Changed, edges: Edges) -> tuple[Region, Clustered]:
    """Cluster the regions that a change touches."""
    past, tied, old = before.clustered, changed.tied, len(before.records)
    for one, two in ((world.judged.must, before.judged.must), (world.judged.cannot, before.judged.cannot)):
        tied[_between(one, two)] = True
    chosen = tied.copy()
    chosen[:old] |= rows_of_components(past.region, tied[:old])
    mine, _ = world.now.copies.part(chosen[world.now.copies.copy])
    near = edges.take(np.flatnonzero(chosen[edges.left]))
    part = _region(world, near, _copies(world, mine)).part(chosen)
    fresh = cluster(part, world.binding.part(chosen).scorer.for_linkage, world.policy, world.threshold)
    return part, replaced(past, fresh, part, chosen, world.records)


def _copies(world: _World, copies: Copies) -> Edges:
    """Copies that are sure to be one record with their first: equal contents have equal weights."""
    first, copy = copies.first[~copies.crowd], copies.copy[~copies.crowd]
    heads, place, which = np.unique(first, return_index=True, return_inverse=True)
    weight = world.binding.weights(heads.astype(np.int32), copy[place])
    sure = (weight >= world.threshold)[which]
    return Edges(first[sure], copy[sure], weight[which][sure])


def _between(one: RowPairs, two: RowPairs) -> Rows:
    """Rows of the pairs that are on one side only."""
    first, second = ((a.astype(np.int64) << 32) | b for a, b in (one, two))
    differ = np.setxor1d(first, second)
    return np.concatenate([differ >> 32, differ & 0xFFFFFFFF]).astype(np.int32)


def held_back(state: State) -> list[Held]:
    """All that was held back: values, records, pairs between too large components, suspicious clusters."""
    return [*state.status.held, *state.clustered.held]
