"""Increments: new, changed and removed records are resolved against the state, at a cost in proportion to them.

Law: under one model version, policy and set of judgements, a sequence of updates gives the partition that a
resolution of the records then present gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from identity.encode import encode
from identity.engine import Progress, advance, find_rows
from identity.recordset import append
from identity.state import State
from identity.stored import load, save


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
    fresh, _, _ = encode(batch.records, batch.identifiers, state.version.frozen)
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


__all__ = ["Batch", "load", "save", "update"]
