"""Resolve records into clusters: the one call that the pipeline makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cdp.schemas import EVIDENCE
from identity import tables
from identity.clusters import weighed
from identity.components import concat_edges
from identity.encode import encode
from identity.engine import advance, find_rows, scorer_of, threshold_of
from identity.evidence_table import evidence
from identity.expected import expected_precision
from identity.features import FeatureStore
from identity.fit import fit
from identity.judgements import read_judgements
from identity.keys import LIMITS, Limits
from identity.policy import IdentityPolicy
from identity.scorer import Scorer, estimated_accuracy
from identity.state import State
from identity.status import status
from identity.together import both
from identity.version import ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

AUTO_THRESHOLD = 0.5
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Resolution:
    """The result of one resolution.

    ``clusters``: record_key, cluster_id (the smallest record_key of the cluster), match_probability (the
    lowest probability on the record's best path inside its cluster; NULL for a record alone), in the order of
    the records. ``evidence``: edges inside clusters: left_record, right_record, kind, match_weight (bits, prior
    included), match_probability, reason, levels (list of comparison, level, weight, which sum to match_weight).
    ``held_back``: what, type, namespace, value, reason, records. ``model``: what was estimated, in a form for
    JSON. ``uncertain``: candidate pairs near even odds, inside clusters and between them, as ``evidence``.
    ``version``: the model, to resolve other records alike. ``state``: what ``incremental.update`` goes on from.
    """

    clusters: pa.Table
    evidence: pa.Table
    held_back: pa.Table
    model: dict[str, Any]
    uncertain: pa.Table
    version: ModelVersion
    state: State


def resolve(
    records: pa.Table,
    identifiers: pa.Table | None = None,
    judgements: pa.Table | None = None,
    policy: IdentityPolicy | None = None,
    *,
    model: ModelVersion | None = None,
    with_evidence: bool = True,
    progress: Progress = lambda _: None,
) -> Resolution:
    """Resolve records into customers.

    ``model``: the version of an earlier resolution, to use instead of estimating a new one: the result then
    depends on nothing but the records. ``with_evidence=False`` leaves ``evidence`` and ``uncertain`` empty.
    ``progress`` is called with the name of each stage when it starts.

    Raises UsageError for tables that do not keep the contract (see the module ``encode``). Pure: the same
    tables in any order give the same result.
    """
    state = start(records, identifiers, judgements, policy, model=model, progress=progress)
    return describe(state, with_evidence=with_evidence, progress=progress)


def start(
    records: pa.Table,
    identifiers: pa.Table | None = None,
    judgements: pa.Table | None = None,
    policy: IdentityPolicy | None = None,
    *,
    model: ModelVersion | None = None,
    limits: Limits = LIMITS,
    progress: Progress = lambda _: None,
) -> State:
    """Resolve records into a state; ``describe`` makes the tables of it.

    ``limits``: how much is compared, for a model that is estimated here.
    """
    rules = policy or IdentityPolicy()
    progress("encode")
    encoded, frozen = encode(records, identifiers, model.frozen if model else None)
    del records, identifiers
    live = np.ones(len(encoded), bool)
    progress("hold_back")
    judged = read_judgements(judgements, lambda keys: find_rows(encoded, live, keys))
    now = status(encoded, live, judged.rows, rules)
    features, blocked = FeatureStore(), None
    if model is None:
        progress("fit")
        wanted = AUTO_THRESHOLD if rules.threshold == "auto" else rules.threshold
        fitted = fit(encoded, now, frozen, features, wanted, limits=limits)
        model, blocked = fitted.version, fitted.blocked
        del fitted
    return advance(None, encoded, live, judgements, rules, model, features, progress, now, blocked)


def describe(state: State, *, with_evidence: bool = True, progress: Progress = lambda _: None) -> Resolution:
    """The tables of a state."""
    progress("report")
    scorer = scorer_of(state.version, state.records, state.status, state.features, state.adjustments)
    (found, held), told = both(lambda: _tables(state), lambda: _told(state, scorer))
    edges, doubtful = EVIDENCE.empty_table(), EVIDENCE.empty_table()
    if with_evidence:
        progress("evidence")
        edges, doubtful = evidence(state, scorer), tables.uncertain(state, scorer)
    progress("done")
    return Resolution(found, edges, held, told, doubtful, state.version, state)


def _tables(state: State) -> tuple[pa.Table, pa.Table]:
    heads = tables.cluster_heads(state)
    return tables.clusters(state, heads=heads), tables.held_back(state, heads)


def _told(state: State, scorer: Scorer) -> dict[str, Any]:
    """The model and what it expects of its own work, in a form for JSON."""
    version, weight = state.version, state.edges.weight
    threshold = threshold_of(version, state.policy)
    found = state.clustered
    holding = weighed(concat_edges([found.inside, found.copies]), found.stated, state.judged)
    of_pairs = estimated_accuracy(weight, threshold, version.report["unseen_matches"])
    return {
        **version.model.to_dict(),
        **version.report,
        "estimated_precision": expected_precision(found.labels, holding),
        "estimated_recall": of_pairs["estimated_recall"],
        "pairs_estimated_precision": of_pairs["estimated_precision"],
        "version": version.version,
        "threshold": threshold,
        "records": int(state.live.sum()),
        "compared_records": int(state.status.active.sum()),
        "pairs_above": int((weight >= threshold).sum()),
        "term_frequency_tables": scorer.frequency_range(),
    }
