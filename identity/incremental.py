"""Increments: new, changed and removed records are resolved against the state, at a cost in proportion to them.

Law: under one model version, policy and set of judgements, a sequence of updates gives the partition that a
resolution of the records then present gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.encode import encode
from identity.engine import Progress, advance, find_rows
from identity.kernels.hashing import locate
from identity.recordset import append
from identity.state import State
from identity.stored import load, save
from identity.tables import cluster_heads, clusters


@dataclass(frozen=True)
class Batch:
    """What changed: ``records`` (and all their ``identifiers``) that are new or replace those of the same key.

    ``removed``: keys of records that are gone; unknown ones are no matter.
    """

    records: pa.Table
    identifiers: pa.Table | None = None
    removed: pa.Array | None = None


def update(
    state: State, batch: Batch, judgements: pa.Table | None, progress: Progress = lambda _: None
) -> State:
    """Resolve a batch against a state; ``judgements`` are all that stand, not only new ones.

    Raises UsageError for tables that do not keep the contract (see ``encode``).
    """
    progress("encode")
    fresh, _ = encode(batch.records, batch.identifiers, state.version.frozen)
    live = np.concatenate([state.live, np.ones(len(fresh), bool)])
    gone = [find_rows(state.records, state.live, fresh.keys)]
    if batch.removed is not None and len(batch.removed):
        gone.append(find_rows(state.records, state.live, batch.removed))
    for rows in gone:
        live[rows[rows >= 0]] = False
    return advance(
        state,
        append(state.records, fresh),
        live,
        judgements,
        state.policy,
        state.version,
        state.features.fork(),
        progress,
    )


@dataclass(frozen=True)
class Changes:
    """What an update did: records whose cluster or probability is new, and keys of records that are gone.

    ``clusters``: record_key, cluster_id (the smallest key of the cluster), match_probability.
    """

    clusters: pa.Table
    gone: pa.Array


def changes(before: State, after: State) -> Changes:
    """What ``after = update(before, ...)`` changed; looks at the regions that were clustered anew only."""
    rows, size = after.renewed, len(before.records)
    old = rows[rows < size]
    old, rows = old[before.live[old]], rows[after.live[rows]]
    past = clusters(before, old, cluster_heads(before, old))
    now = clusters(after, rows, cluster_heads(after, rows))
    order = after.records.order
    place = locate(order[old], order[rows])
    same = place >= 0
    for name in ("cluster_id", "match_probability"):
        there = past[name].combine_chunks().take(pa.array(np.maximum(place, 0), mask=place < 0))
        here = now[name].combine_chunks()
        equal = pc.or_(pc.fill_null(pc.equal(here, there), False), pc.and_(here.is_null(), there.is_null()))
        same &= equal.to_numpy(zero_copy_only=False)
    left = locate(order[rows], order[old]) < 0
    return Changes(now.filter(pa.array(~same)), before.records.keys.take(pa.array(old[left])))


__all__ = ["Batch", "Changes", "changes", "load", "save", "update"]
