"""The tables of a resolution.

Clusters with their probabilities, evidence with reasons, what was held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from identity.evidence import Attached, shared_weight
from identity.model import UNIT, probability
from identity.records import HeldValue
from identity.score import Pairs, Scorer

Rows = npt.NDArray[np.int64]
JUDGED = 60 * UNIT
LEVELS = pa.list_(pa.struct([("comparison", pa.string()), ("level", pa.string()), ("weight", pa.float64())]))
EVIDENCE = pa.schema(
    [
        ("left_record", pa.string()),
        ("right_record", pa.string()),
        ("kind", pa.string()),
        ("match_weight", pa.float64()),
        ("match_probability", pa.float64()),
        ("reason", pa.string()),
        ("levels", LEVELS),
    ]
)
CLUSTERS = pa.schema(
    [("record_key", pa.string()), ("cluster_id", pa.string()), ("match_probability", pa.float64())]
)
HELD = pa.schema(
    [
        ("what", pa.string()),
        ("type", pa.string()),
        ("namespace", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("records", pa.int64()),
    ]
)
_TOLD = 4


@dataclass(frozen=True)
class Edges:
    """Edges inside clusters.

    The first ``scored`` are the chosen pairs, in order; then the shared identifiers.
    """

    left: Rows
    right: Rows
    weight: Rows
    kind: npt.NDArray[np.object_]
    identifier: npt.NDArray[np.object_]
    scored: int


def collect(
    pairs: Pairs,
    attached: Attached,
    unique: tuple[Rows, Rows, list[str]],
    must: tuple[Rows, Rows],
    labels: Rows,
) -> Edges:
    """Bring weighed pairs, shared identifiers and must-links together, all inside their clusters."""
    whole = labels[unique[0]] == labels[unique[1]]
    kinds = (
        np.concatenate([attached.kinds, np.array(unique[2], dtype=object)[whole]])
        if len(unique[2])
        else attached.kinds
    )
    stated = [(attached.left, attached.right), (unique[0][whole], unique[1][whole])]
    left, right = (np.concatenate([part[side] for part in stated]) for side in (0, 1))
    weights = np.fromiter((shared_weight(str(kind)) for kind in kinds), np.int64, len(kinds))
    return Edges(
        np.concatenate([pairs.left, left, must[0]]),
        np.concatenate([pairs.right, right, must[1]]),
        np.concatenate([pairs.weight.astype(np.int64), weights, np.full(len(must[0]), JUDGED)]),
        _labels([("probabilistic", len(pairs)), ("deterministic", len(left)), ("judgement", len(must[0]))]),
        np.concatenate(
            [np.full(len(pairs), "", dtype=object), kinds, np.full(len(must[0]), "", dtype=object)]
        ),
        len(pairs),
    )


def _labels(runs: Sequence[tuple[str, int]]) -> npt.NDArray[np.object_]:
    return np.concatenate([np.full(count, text, dtype=object) for text, count in runs])


def best_paths(size: int, labels: Rows, left: Rows, right: Rows, weight: Rows) -> npt.NDArray[np.float64]:
    """Lowest weight on the widest path from each record to its cluster's smallest; NaN for a record alone.

    The smallest record takes its own best edge. Widest paths lie in a maximum spanning tree, which Borůvka's
    rounds (1926) find with whole-array steps; ties are broken by the order of the edges.
    """
    order = np.lexsort((right, left, -weight))
    left, right, weight = left[order], right[order], weight[order]
    tree = _spanning_tree(size, left, right)
    one, two, bits = left[tree], right[tree], weight[tree].astype(np.float64)
    reached = labels == np.arange(size)
    lowest = np.where(reached, np.inf, np.nan)
    open_ = np.ones(len(one), dtype=bool)
    while open_.any():
        ahead = open_ & reached[one] & ~reached[two]
        back = open_ & reached[two] & ~reached[one]
        if not (ahead.any() or back.any()):
            break
        for here, source, goal in ((ahead, one, two), (back, two, one)):
            lowest[goal[here]] = np.minimum(lowest[source[here]], bits[here])
            reached[goal[here]] = True
        open_ &= ~(ahead | back)
    roots = np.flatnonzero(np.isinf(lowest))
    best = np.full(size, np.nan)
    np.fmax.at(best, left, weight.astype(np.float64))
    np.fmax.at(best, right, weight.astype(np.float64))
    lowest[roots] = best[roots]
    return lowest


def _spanning_tree(size: int, left: Rows, right: Rows) -> Rows:
    """Edges of a maximum spanning forest; edges come sorted, the best first."""
    label = np.arange(size, dtype=np.int64)
    chosen: list[Rows] = []
    alive = np.arange(len(left))
    while len(alive):
        one, two = label[left[alive]], label[right[alive]]
        alive = alive[one != two]
        if not len(alive):
            break
        one, two = label[left[alive]], label[right[alive]]
        best = np.full(size, len(left), dtype=np.int64)
        np.minimum.at(best, one, alive)
        np.minimum.at(best, two, alive)
        picked = np.unique(best[best < len(left)])
        chosen.append(picked)
        label = _relabel(label, label[left[picked]], label[right[picked]])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _relabel(label: Rows, left: Rows, right: Rows) -> Rows:
    from identity.cluster import components

    return components(len(label), left, right)[label]


def clusters_table(keys: pa.Array, labels: Rows, edges: Edges) -> pa.Table:
    """One row per record, in the order of the record keys."""
    weight = best_paths(len(keys), labels, edges.left, edges.right, edges.weight)
    alone = np.isnan(weight)
    chance = pa.array(probability(np.where(alone, 0, weight)), mask=alone)
    return pa.table([keys, keys.take(pa.array(labels)), chance], schema=CLUSTERS)


UNCERTAIN = 20_000
_DOUBT = 4.25 * UNIT  # weights within it are probabilities between .05 and .95


def uncertain_table(keys: pa.Array, pairs: Pairs, scorer: Scorer) -> pa.Table:
    """The pairs nearest to even odds, at most ``UNCERTAIN``, in the form of the evidence."""
    size = np.abs(pairs.weight.astype(np.int64))
    near = np.flatnonzero(size <= _DOUBT)
    order = np.lexsort((pairs.right[near], pairs.left[near], size[near]))[:UNCERTAIN]
    return scored_table(keys, pairs.take(near[order]), scorer)


def no_evidence() -> pa.Table:
    """An evidence table without rows."""
    return EVIDENCE.empty_table()


def evidence_table(keys: pa.Array, edges: Edges, pairs: Pairs, scorer: Scorer) -> pa.Table:
    """Edges with levels that sum to the weight and a sentence made of the strongest of them."""
    columns = [_scored(keys, edges, pairs, scorer), _stated(keys, edges)]
    return pa.concat_tables(columns)


def scored_table(keys: pa.Array, pairs: Pairs, scorer: Scorer) -> pa.Table:
    """Evidence rows of weighed pairs, whatever their weight."""
    blank = np.full(len(pairs), "", dtype=object)
    edges = Edges(pairs.left, pairs.right, pairs.weight.astype(np.int64), blank, blank, len(pairs))
    return _scored(keys, edges, pairs, scorer)


def _scored(keys: pa.Array, edges: Edges, pairs: Pairs, scorer: Scorer) -> pa.Table:
    count = edges.scored
    weights, levels, names, texts = level_weights(pairs, scorer)
    present = levels >= 0
    offsets = np.r_[0, np.cumsum(present.sum(axis=0))].astype(np.int32)
    flat = present.T
    width = max(len(row) for row in texts)
    number = np.arange(len(names))[:, None] * width + np.maximum(levels, 0)
    catalogue = pa.array([text for row in texts for text in [*row, *[""] * (width - len(row))]])
    value = pa.StructArray.from_arrays(
        [
            pa.array(names).take(
                pa.array(np.broadcast_to(np.arange(len(names))[:, None], levels.shape).T[flat])
            ),
            catalogue.take(pa.array(number.T[flat])),
            pa.array(weights.T[flat] / UNIT),
        ],
        fields=list(LEVELS.value_type),
    )
    identifying = np.array([n in _IDENTIFYING or n.endswith(")") for n in names])
    top = np.array([len(row) - 1 for row in texts])
    shared = ((levels == top[:, None]) & identifying[:, None]).any(axis=0) if count else np.empty(0, bool)
    kind = np.where(shared, "deterministic", "probabilistic").astype(object)
    return pa.table(
        [
            keys.take(pa.array(edges.left[:count])),
            keys.take(pa.array(edges.right[:count])),
            pa.array(kind, pa.string()),
            pa.array(edges.weight[:count] / UNIT),
            pa.array(probability(edges.weight[:count])),
            pa.array(_sentences(weights, levels, names, texts), pa.string()),
            pa.ListArray.from_arrays(pa.array(offsets), value),
        ],
        schema=EVIDENCE,
    )


_IDENTIFYING = frozenset({"e-mail", "phone"})
PRIOR = "prior"
HOUSEHOLD = "household"


def level_weights(
    pairs: Pairs, scorer: Scorer
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8], list[str], list[tuple[str, ...]]]:
    """Weight and level of each comparison, of the prior and of the household term.

    Columns sum to the weight.
    """
    model = scorer.model
    rows = [
        np.append(table, 0).astype(np.int32)[levels]
        for table, levels in zip(model.weights, pairs.levels, strict=True)
    ]
    count = len(pairs)
    inner = [row + extra for row, extra in zip(rows, pairs.frequency, strict=True)]
    prior = np.full(count, model.prior, dtype=np.int32)
    weights = np.asarray(np.vstack([prior, *inner, pairs.household]), dtype=np.int32)
    household = np.where(pairs.household == 0, np.int8(-1), np.int8(0))
    levels = np.asarray(np.vstack([np.zeros(count, np.int8), *pairs.levels, household]), dtype=np.int8)
    names = [PRIOR, *(c.name for c in model.comparisons), HOUSEHOLD]
    texts = [
        ("two records taken at random",),
        *(c.levels for c in model.comparisons),
        ("could be another person of the household",),
    ]
    return weights, levels, names, texts


def _sentences(
    weights: npt.NDArray[np.int32],
    levels: npt.NDArray[np.int8],
    names: list[str],
    texts: list[tuple[str, ...]],
) -> npt.NDArray[np.object_]:
    """The strongest agreements and disagreements; made once per distinct combination, in tenths of a bit."""
    inner, grades = weights[1:-1], levels[1:-1]
    strength = np.where(grades >= 0, np.abs(inner), -1)
    order = np.argsort(-strength, axis=0, kind="stable")[:_TOLD]
    picked = np.take_along_axis(strength, order, axis=0) > 0
    tenths = np.rint(np.take_along_axis(inner, order, axis=0) / (UNIT / 10)).astype(np.int64)
    grade = np.take_along_axis(grades, order, axis=0).astype(np.int64)
    code = np.where(picked, ((order * 16 + grade) << 12) | (tenths + 2048), -1)
    distinct, inverse = np.unique(code, return_inverse=True)
    parts = [_part(int(c), names, texts) for c in distinct]
    table = np.array(parts, dtype=object)[inverse.reshape(code.shape)]
    found = table[0] if len(table) else np.full(weights.shape[1], "", dtype=object)
    for row in table[1:]:
        found = found + np.where(row != "", "; ", "") + row
    return found


def _part(code: int, names: list[str], texts: list[tuple[str, ...]]) -> str:
    if code < 0:
        return ""
    bits, place, grade = ((code & 4095) - 2048) / 10, (code >> 12) // 16, (code >> 12) % 16
    name, level = names[place + 1], texts[place + 1][grade]
    if level == "same":
        return f"same {name} (weight {bits:.1f})"
    return f"{name} {level} ({bits:.1f})"


def _stated(keys: pa.Array, edges: Edges) -> pa.Table:
    rest = slice(edges.scored, None)
    kind, identifier, weight = edges.kind[rest], edges.identifier[rest], edges.weight[rest]
    judged = kind == "judgement"
    bits = weight / UNIT
    names = np.where(judged, "judgement", identifier)
    level = np.where(judged, "must link", "shared")
    reason = [
        "judged to be one customer"
        if j
        else f"same {name} and no name to compare (weight {b:.1f})"
        if name != "user_id"
        else f"same {name} (weight {b:.1f})"
        for j, name, b in zip(judged, names, bits, strict=True)
    ]
    value = pa.StructArray.from_arrays(
        [pa.array(names, pa.string()), pa.array(level.astype(object), pa.string()), pa.array(bits)],
        fields=list(LEVELS.value_type),
    )
    offsets = pa.array(np.arange(len(kind) + 1, dtype=np.int32))
    return pa.table(
        [
            keys.take(pa.array(edges.left[rest])),
            keys.take(pa.array(edges.right[rest])),
            pa.array(kind, pa.string()),
            pa.array(bits),
            pa.array(probability(weight)),
            pa.array(reason, pa.string()),
            pa.ListArray.from_arrays(offsets, value),
        ],
        schema=EVIDENCE,
    )


def held_table(held: Sequence[HeldValue]) -> pa.Table:
    """What was held back, with the reason."""
    rows = sorted(held, key=lambda h: (h.type, h.namespace, h.value, h.reason))
    columns = [
        ["record" if h.type == "record" else "identifier" for h in rows],
        *([getattr(h, name) for h in rows] for name in HELD.names[1:]),
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, HELD, strict=True)], schema=HELD)


def count_kinds(table: pa.Table) -> dict[str, int]:
    """Edges by kind.

    >>> count_kinds(no_evidence())
    {}
    """
    found = pc.value_counts(table["kind"])
    return {item["values"]: item["counts"] for item in found.to_pylist()}
