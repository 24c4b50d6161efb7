"""Evidence as a table: edges with the levels that sum to their weight, and a sentence made of the strongest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.schemas import EVIDENCE
from identity.components import Rows, concat_edges
from identity.evidence_weights import JUDGED, shared_weight
from identity.kernels import least as kernels
from identity.kernels.buffers import views
from identity.model import UNIT, probability
from identity.recordset import RecordSet
from identity.scorer import Pairs, Scorer
from identity.state import State

PRIOR = "prior"
HOUSEHOLD = "household"
_TOLD = 4
_CHUNK = 1 << 18
_LEVEL = list(EVIDENCE.field("levels").type.value_type)
Texts = list[tuple[str, ...]]


def evidence(state: State, scorer: Scorer) -> pa.Table:
    """Every edge inside a cluster, in an order that only the record keys decide."""
    found = state.clustered
    inside = concat_edges([found.inside, found.copies])
    one, two = state.records.order[inside.left], state.records.order[inside.right]
    inside = inside.take(np.lexsort((np.maximum(one, two), np.minimum(one, two))))
    parts = [
        scored(state.records, scorer, inside.left[at : at + _CHUNK], inside.right[at : at + _CHUNK])
        for at in range(0, len(inside), _CHUNK)
    ]
    return pa.concat_tables([EVIDENCE.empty_table(), *parts, stated(state)])


def scored(records: RecordSet, scorer: Scorer, left: Rows, right: Rows) -> pa.Table:
    """Evidence rows of pairs of records, whatever their weight; the smaller key stands left."""
    left, right = oriented(records, left, right)
    pairs = scorer.score(left, right)
    weights, levels, names, texts = level_weights(pairs, scorer)
    kinds = [item.source.kind for item in scorer.comparer.plan]
    identifying = np.array([kind == "identifier" for kind in ("prior", *kinds, "household")])
    top = np.array([len(row) - 1 for row in texts])
    shared = (
        ((levels == top[:, None]) & identifying[:, None]).any(axis=0) if len(pairs) else np.empty(0, bool)
    )
    certain = pa.array(["probabilistic", "deterministic"])
    return pa.table(
        [
            records.keys.take(pa.array(left)),
            records.keys.take(pa.array(right)),
            certain.take(pa.array(shared.astype(np.int8))),
            pa.array(pairs.weight / UNIT),
            pa.array(probability(pairs.weight)),
            _sentences(weights, levels, names, texts),
            _levels(weights, levels, names, texts),
        ],
        schema=EVIDENCE,
    )


def oriented(records: RecordSet, left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Pairs with the smaller record key on the left."""
    data, offsets = views(records.keys)
    turned = np.zeros(len(left), np.bool_)
    kernels.turned(data, offsets, left, right, turned)
    return np.where(turned, right, left), np.where(turned, left, right)


def level_weights(
    pairs: Pairs, scorer: Scorer
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8], list[str], Texts]:
    """Weight and level of each comparison, of the prior and of the household term; columns sum to the weight."""
    model = scorer.model
    rows = [
        np.append(table, 0).astype(np.int32)[levels] + extra
        for table, levels, extra in zip(model.weights, pairs.levels, pairs.frequency, strict=True)
    ]
    count = len(pairs)
    prior = np.full(count, model.prior, dtype=np.int32)
    weights = np.asarray(np.vstack([prior, *rows, pairs.household]), dtype=np.int32)
    household = np.where(pairs.household == 0, np.int8(-1), np.int8(0))
    levels = np.asarray(np.vstack([np.zeros(count, np.int8), *pairs.levels, household]), dtype=np.int8)
    names = [PRIOR, *(c.name for c in model.comparisons), HOUSEHOLD]
    texts = [
        ("two records taken at random",),
        *(c.levels for c in model.comparisons),
        ("could be another person of the household",),
    ]
    return weights, levels, names, texts


def _levels(
    weights: npt.NDArray[np.int32], levels: npt.NDArray[np.int8], names: list[str], texts: Texts
) -> pa.ListArray:
    present = levels >= 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=0))]).astype(np.int32)
    flat = present.T
    row = np.broadcast_to(np.arange(len(names), dtype=np.int32)[:, None], levels.shape).T[flat]
    starts = np.concatenate([[0], np.cumsum([len(t) for t in texts])]).astype(np.int32)
    catalogue = pa.array([text for level in texts for text in level])
    value = pa.StructArray.from_arrays(
        [
            pa.array(names).take(pa.array(row)),
            catalogue.take(pa.array(starts[row] + levels.T[flat])),
            pa.array(weights.T[flat] / UNIT),
        ],
        fields=_LEVEL,
    )
    return pa.ListArray.from_arrays(pa.array(offsets), value)


def _sentences(
    weights: npt.NDArray[np.int32], levels: npt.NDArray[np.int8], names: list[str], texts: Texts
) -> pa.Array:
    """The strongest agreements and disagreements; made once per distinct combination, in tenths of a bit."""
    inner, grades = weights[1:-1], levels[1:-1]
    strength = np.where(grades >= 0, np.abs(inner), -1)
    order = np.argsort(-strength, axis=0, kind="stable")[:_TOLD]
    picked = np.take_along_axis(strength, order, axis=0) > 0
    tenths = np.rint(np.take_along_axis(inner, order, axis=0) / (UNIT / 10)).astype(np.int64)
    grade = np.take_along_axis(grades, order, axis=0).astype(np.int64)
    code = np.where(picked, ((order * 16 + grade) << 12) | (tenths + 2048), -1)
    if not code.size:
        return pa.array([""] * weights.shape[1], pa.string())
    told = pa.nulls(weights.shape[1], pa.string())
    for row in code:
        distinct, inverse = np.unique(row, return_inverse=True)
        parts = pa.array([_part(int(c), names, texts) for c in distinct], pa.string())
        part = parts.take(pa.array(inverse))
        told = pc.coalesce(pc.binary_join_element_wise(told, part, "; "), told, part)
    return pc.fill_null(told, "")


def _part(code: int, names: list[str], texts: Texts) -> str | None:
    if code < 0:
        return None
    bits, place, grade = ((code & 4095) - 2048) / 10, (code >> 12) // 16, (code >> 12) % 16
    name, level = names[place + 1], texts[place + 1][grade]
    if level == "same":
        return f"same {name} (weight {bits:.1f})"
    return f"{name} {level} ({bits:.1f})"


def stated(state: State) -> pa.Table:
    """Evidence rows of shared identifiers and of judgements."""
    found = [
        _stated(state.records, left, right, kind, shared_weight(kind), _reason(kind))
        for kind, left, right in state.clustered.stated
        if len(left)
    ]
    left, right = state.judged.must
    found.append(_stated(state.records, left, right, "judgement", JUDGED, "judged to be one customer"))
    return pa.concat_tables(found)


def _reason(kind: str) -> str:
    bits = shared_weight(kind) / UNIT
    if kind == "user_id":
        return f"same {kind} (weight {bits:.1f})"
    return f"same {kind} and no name to compare (weight {bits:.1f})"


def _stated(records: RecordSet, left: Rows, right: Rows, name: str, weight: int, reason: str) -> pa.Table:
    judged = name == "judgement"
    left, right = oriented(records, left, right)
    size = len(left)

    def repeated(value: str | float, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), size)

    value = pa.StructArray.from_arrays(
        [
            repeated(name, pa.string()),
            repeated("must link" if judged else "shared", pa.string()),
            repeated(weight / UNIT, pa.float64()),
        ],
        fields=_LEVEL,
    )
    return pa.table(
        [
            records.keys.take(pa.array(left)),
            records.keys.take(pa.array(right)),
            repeated("judgement" if judged else "deterministic", pa.string()),
            repeated(weight / UNIT, pa.float64()),
            repeated(float(probability(np.array([weight]))[0]), pa.float64()),
            repeated(reason, pa.string()),
            pa.ListArray.from_arrays(pa.array(np.arange(size + 1, dtype=np.int32)), value),
        ],
        schema=EVIDENCE,
    )
