"""What alone holds two records in one customer: found by resolving its records again without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.columns import ADDRESS_ROLES
from identity.encode import encode
from identity.engine import advance, find_rows
from identity.explain import without_held
from identity.features import FeatureStore
from identity.policy import IdentityPolicy
from identity.recordset import RecordSet
from identity.values import Column, Multi

if TYPE_CHECKING:
    from identity.version import ModelVersion

JUDGEMENT = "judgement"
_ADDRESS = (*sorted(ADDRESS_ROLES), "door")


def hinges(
    left: str,
    right: str,
    records: pa.Table,
    identifiers: pa.Table | None,
    model: ModelVersion,
    *,
    held: pa.Table | None = None,
    judgements: pa.Table | None = None,
    policy: IdentityPolicy | None = None,
) -> tuple[str, ...]:
    """Comparisons of which each alone, were no record to say anything of it, would leave two customers.

    ``records`` and ``identifiers``: those of the customer, and those of others that share an identifier with it, for
    whoever has no name may then go there. ``held``: what the resolution held back, ``policy`` and ``judgements``:
    those it was made with. Everything that depends on the comparison goes with it: what a household is likely to
    share, swapped names, e-mails made of names. "judgement" is among them where the two are one by a judgement.

    Empty where none does, or where the records alone do not join the two. Costs one resolution for each comparison.
    """
    encoded, _ = encode(records, identifiers, model.frozen)
    encoded = replace(encoded, identifiers=without_held(encoded, held))
    rules, features = policy or IdentityPolicy(), FeatureStore()
    live = np.ones(len(encoded), bool)
    one, two = find_rows(encoded, live, pa.array([left, right], pa.string())).tolist()
    if one < 0 or two < 0:
        return ()

    def apart(them: RecordSet, said: pa.Table | None = judgements) -> bool:
        labels = advance(None, them, live, said, rules, model, features).clustered.labels
        return bool(labels[one] != labels[two])

    if apart(encoded):
        return ()
    found = [name for name, less in _less(encoded, model) if apart(less)]
    if judgements is not None and judgements.num_rows:
        split = judgements.filter(pc.not_equal(judgements["kind"], "must_link"))
        if split.num_rows < judgements.num_rows and apart(encoded, split):
            found.append(JUDGEMENT)
    return tuple(sorted(found))


def _less(records: RecordSet, model: ModelVersion) -> Iterator[tuple[str, RecordSet]]:
    """The records without what each comparison reads, and without each type of identifiers that none reads."""
    read = set()
    for item in model.plan:
        source = item.source
        if source.kind == "identifier":
            name = (source.name, source.namespace)
            read.add(name)
            if name in records.identifiers:
                yield item.comparison.name, _without_identifier(records, name)
        else:
            columns = _ADDRESS if source.kind == "address" else (source.name,)
            if any(name in records.columns for name in columns):
                yield item.comparison.name, _without_columns(records, columns)
    for name in sorted(records.identifiers.keys() - read):
        yield name[0], _without_identifier(records, name)


def _without_columns(records: RecordSet, names: tuple[str, ...]) -> RecordSet:
    nothing = np.full(len(records), -1, np.int32)
    gone = {name: Column(one.space, nothing) for name, one in records.columns.items() if name in names}
    return replace(records, columns={**records.columns, **gone})


def _without_identifier(records: RecordSet, name: tuple[str, str]) -> RecordSet:
    none = np.empty(0, np.int32)
    empty = Multi(records.identifiers[name].space, none, none, np.full(len(records), -1, np.int32))
    return replace(records, identifiers={**records.identifiers, name: empty})
