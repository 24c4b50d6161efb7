"""Resolve records into clusters: the one call that the pipeline makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError
from identity import cluster, evidence, modelreport, report, score
from identity.compare import comparer
from identity.model import UNIT, Model
from identity.policy import IdentityPolicy
from identity.records import HeldValue, RecordSet, encode
from identity.score import Pairs, Scorer

Rows = npt.NDArray[np.int64]
_CLIP = 10_000  # no single pair outweighs the rest of two clusters
# Inside a component, records that have nothing in common are as a rule joined through a third one of the same
# person, who has moved or is badly known: fields that disagree are no independent witnesses then, and count a
# quarter. Where the two look like people of one household, that is what joined them, and they count in full.
_AGAINST = 4
_HOUSEHOLD = -3_000
_MOST_COMPARED = 2_000  # records of a component up to which all its pairs are compared


@dataclass(frozen=True)
class Resolution:
    """The result of one resolution.

    ``clusters``: record_key, cluster_id (the smallest record_key of the cluster), match_probability (the
    lowest probability on the record's best path to that record; NULL for a record alone). ``evidence``:
    edges inside clusters: left_record, right_record, kind, match_weight (bits, prior included),
    match_probability, reason, levels (list of comparison, level, weight, which sum to match_weight).
    ``held_back``: what, type, namespace, value, reason, records. ``model``: what was estimated, in a form
    for JSON; ``version`` names it. ``uncertain``: candidate pairs near even odds, inside clusters and between
    them, as ``evidence``.
    """

    clusters: pa.Table
    evidence: pa.Table
    held_back: pa.Table
    model: dict[str, Any]
    uncertain: pa.Table


@dataclass(frozen=True)
class Judgements:
    """Must-link and cannot-link pairs as record numbers, contradictions settled for the later word."""

    must: tuple[Rows, Rows]
    cannot: tuple[Rows, Rows]

    @property
    def records(self) -> Rows:
        """All records that are judged."""
        return np.unique(np.concatenate([*self.must, *self.cannot]))


def read_judgements(table: pa.Table | None, keys: pa.Array) -> Judgements:
    """Read judgements on known records; for one pair, and for a chain, the later judgement wins."""
    empty = np.empty(0, np.int64)
    if table is None or not table.num_rows:
        return Judgements((empty, empty), (empty, empty))
    order = [("decided_at", "ascending")] if "decided_at" in table.column_names else []
    table = table.sort_by(
        [*order, ("left_record", "ascending"), ("right_record", "ascending"), ("kind", "ascending")]
    )
    left = pc.fill_null(pc.index_in(table["left_record"], value_set=keys), -1).to_numpy()
    right = pc.fill_null(pc.index_in(table["right_record"], value_set=keys), -1).to_numpy()
    last: dict[tuple[int, int], tuple[int, str]] = {}
    for place, (a, b, kind) in enumerate(
        zip(left.tolist(), right.tolist(), table["kind"].to_pylist(), strict=True)
    ):
        if kind not in ("must_link", "cannot_link"):
            raise UsageError(f"unknown kind of judgement {kind!r}", hint="expected must_link or cannot_link")
        if a >= 0 and b >= 0 and a != b:
            last[min(a, b), max(a, b)] = (place, kind)
    return _settle(sorted((place, pair, kind) for pair, (place, kind) in last.items()))


def _settle(items: Sequence[tuple[int, tuple[int, int], str]]) -> Judgements:
    """Newest first: a must-link that would join two records held apart by a later cannot-link is void."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    must: list[tuple[int, int]] = []
    cannot: list[tuple[int, int]] = []
    for _, (a, b), kind in reversed(items):
        one, two = root(a), root(b)
        if kind == "must_link":
            if not any({root(x), root(y)} == {one, two} for x, y in cannot):
                must.append((a, b))
                parent[max(one, two)] = min(one, two)
        elif one != two:
            cannot.append((a, b))
    return Judgements(_columns(must), _columns(cannot))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[Rows, Rows]:
    both = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@dataclass(frozen=True)
class _Clustered:
    labels: Rows
    unique: tuple[Rows, Rows, list[str]]
    attached: evidence.Attached


def resolve(
    records: pa.Table,
    identifiers: pa.Table | None = None,
    judgements: pa.Table | None = None,
    policy: IdentityPolicy | None = None,
    *,
    model: Mapping[str, Any] | None = None,
    with_evidence: bool = True,
) -> Resolution:
    """Resolve records into customers.

    ``model``: the model of an earlier resolution, to use its weights instead of estimating new ones; it
    serves as long as the records have the same columns. ``with_evidence=False`` leaves the evidence table
    empty.

    Raises UsageError for tables that do not keep the contract (see the module ``records``). Pure: the same
    tables in any order give the same result.
    """
    rules = policy or IdentityPolicy()
    encoded, held = encode(records, identifiers)
    judged = read_judgements(judgements, encoded.keys)
    encoded, hubs = evidence.hold_hubs(encoded, rules)
    compared = comparer(encoded)
    anchored = evidence.anchors(encoded, rules, judged.records)
    copies = evidence.copies(encoded, anchored, judged.records, rules.max_cluster)
    active = anchored.copy()
    active[copies.copy] = False
    blocks = score.candidates(compared, active)
    threshold = score.AUTO_THRESHOLD if rules.threshold == "auto" else rules.threshold
    cut = int(np.rint(np.log2(threshold / (1 - threshold)) * UNIT))
    frozen = replace(Model.from_dict(dict(model)), threshold=cut) if model else None
    sample = score.random_pairs(encoded.hashes, active)
    scorer, pairs = score.fit_and_score(compared, blocks, sample, threshold, frozen)
    same = scorer.score(copies.first, copies.copy)
    same = same.take(~copies.crowd & (same.weight >= scorer.model.threshold))
    clustered = _cluster(encoded, pairs, scorer, rules, judged, anchored, same)
    pairs = score.both(pairs, same)
    return _report(
        encoded,
        pairs,
        scorer,
        judged,
        clustered,
        [*held, *hubs, *copies.held(encoded.keys)],
        {
            "oversize_blocks": blocks.oversize,
            "blocking": blocks.coverage,
            "records_without_key": blocks.without_key,
            "cap": blocks.cap,
            "compared_records": int(active.sum()),
        },
        with_evidence=with_evidence,
    )


def _cluster(
    records: RecordSet,
    pairs: Pairs,
    scorer: Scorer,
    rules: IdentityPolicy,
    judged: Judgements,
    anchored: npt.NDArray[np.bool_],
    same: Pairs,
) -> _Clustered:
    size = len(records)
    unique = evidence.same_unique(records, rules)
    start = _start(size, judged, unique)
    start = cluster.components(
        size, np.concatenate([np.arange(size), same.left]), np.concatenate([start, same.right])
    )
    mass = np.ones(size, dtype=np.int64)
    mass[same.right] = 0
    good = pairs.weight >= scorer.model.threshold
    group = cluster.components(
        size, np.concatenate([pairs.left[good], np.arange(size)]), np.concatenate([pairs.right[good], start])
    )
    conflicts = evidence.unique_conflicts(records, rules, group)
    settled = _unjudged(conflicts, start)
    forbidden = (
        np.concatenate([judged.cannot[0], settled[0]]),
        np.concatenate([judged.cannot[1], settled[1]]),
    )
    left, right = _within(group, mass > 0)
    weight = linkage_weight(scorer.score(left, right))
    labels = cluster.average_link(
        size,
        (left, right, weight),
        cluster.Linkage(scorer.model.threshold, 0, rules.max_cluster),
        start,
        forbidden,
        mass,
    )
    attached = evidence.attach(labels, anchored, records, rules, forbidden)
    return _Clustered(attached.labels, unique, attached)


def linkage_weight(pairs: Pairs) -> Rows:
    """What a pair of records counts in the average of two clusters, in 1/1000 bit."""
    weight = np.minimum(pairs.weight.astype(np.int64), _CLIP)
    weak = (weight < 0) & (pairs.household > _HOUSEHOLD)
    return np.where(weak, -(-weight // _AGAINST), weight)


def _within(group: Rows, among: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """All pairs of records of each component."""
    rows = np.flatnonzero(among)
    rows = rows[np.argsort(group[rows], kind="stable")]
    starts = np.flatnonzero(np.r_[True, group[rows][1:] != group[rows][:-1]])
    sizes = np.diff(np.r_[starts, len(rows)])
    lefts, rights = [], []
    for size in np.unique(sizes[(sizes > 1) & (sizes <= _MOST_COMPARED)]):
        one, two = np.triu_indices(size, 1)
        block = rows[starts[sizes == size][:, None] + np.arange(size)]
        lefts.append(block[:, one].ravel())
        rights.append(block[:, two].ravel())
    if not lefts:
        return rows[:0], rows[:0]
    return np.concatenate(lefts), np.concatenate(rights)


def _start(size: int, judged: Judgements, unique: tuple[Rows, Rows, list[str]]) -> Rows:
    """Join must-linked records, and records of one unique identifier unless a judgement keeps them apart."""
    start = cluster.components(size, *judged.must)
    apart = set(zip(start[judged.cannot[0]].tolist(), start[judged.cannot[1]].tolist(), strict=True))
    left, right = unique[0], unique[1]
    if apart and len(left):
        judged_rows = np.zeros(size, dtype=bool)
        judged_rows[judged.cannot[0]] = judged_rows[judged.cannot[1]] = True
        keep = ~(judged_rows[left] | judged_rows[right])
        left, right = left[keep], right[keep]
    return cluster.components(
        size, np.concatenate([judged.must[0], left]), np.concatenate([judged.must[1], right])
    )


def _unjudged(conflicts: tuple[Rows, Rows], start: Rows) -> tuple[Rows, Rows]:
    """Conflicts of unique identifiers, except where a judgement has joined the two."""
    open_ = start[conflicts[0]] != start[conflicts[1]]
    return conflicts[0][open_], conflicts[1][open_]


def _report(
    records: RecordSet,
    pairs: Pairs,
    scorer: Scorer,
    judged: Judgements,
    found: _Clustered,
    held: list[HeldValue],
    blocking: dict[str, Any],
    *,
    with_evidence: bool,
) -> Resolution:
    labels = found.labels
    inside = (labels[pairs.left] == labels[pairs.right]) & (pairs.weight >= scorer.model.threshold)
    chosen = pairs.take(np.flatnonzero(inside))
    edges = report.collect(chosen, found.attached, found.unique, judged.must, labels)
    clusters = report.clusters_table(records.keys, labels, edges)
    table = (
        report.evidence_table(records.keys, edges, chosen, scorer) if with_evidence else report.no_evidence()
    )
    estimated = score.estimated_accuracy(pairs, scorer.model.threshold)
    model = {
        **scorer.model.to_dict(),
        **estimated,
        "term_frequencies": scorer.tables_hash(),
        "records": len(records),
        "candidate_pairs": len(pairs),
        "pairs_above": int((pairs.weight >= scorer.model.threshold).sum()),
        "match_weights": modelreport.weight_histogram(pairs.weight),
        "term_frequency_tables": scorer.tables(),
        **blocking,
    }
    doubtful = report.uncertain_table(records.keys, pairs, scorer) if with_evidence else report.no_evidence()
    return Resolution(clusters, table, report.held_table([*held, *found.attached.held]), model, doubtful)
