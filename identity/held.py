"""What was held back from linking, with the reason: values, records and clusters by number until they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from cdp.schemas import HELD_BACK
from identity.recordset import RecordSet
from identity.values import Flags

AMBIGUOUS = "unnamed records share it with several customers"
"""Why a value links no record without a name, though it counts where named records are compared."""


@dataclass(frozen=True)
class Held:
    """One thing that was held back.

    ``place`` is the code of an identifier's value, or the row of a record, or the row that names a cluster.
    ``records``: how many records it concerns.
    """

    what: Literal["identifier", "record", "cluster"]
    type: str
    namespace: str
    place: int
    reason: str
    records: int


def held_table(
    held: Iterable[Held], key: Callable[[int], str], text: Callable[[str, str, int], str]
) -> pa.Table:
    """Name what was held back: ``key`` of a row, ``text`` of a value of (type, namespace). Sorted.

    >>> found = held_table([Held("record", "record", "", 7, "equal", 3)], "row {}".format, "{}/{}: {}".format)
    >>> found.to_pylist()[0]["value"]
    'row 7'
    """
    rows = sorted(
        (
            h.what,
            h.type,
            h.namespace,
            text(h.type, h.namespace, h.place) if h.what == "identifier" else key(h.place),
            h.reason,
            h.records,
        )
        for h in held
    )
    columns = list(zip(*rows, strict=True)) or [()] * len(HELD_BACK)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, HELD_BACK, strict=True)],
        schema=HELD_BACK,
    )


def placeholders(records: RecordSet, live: Flags) -> pa.Table:
    """The identifier values that anybody types and live records carry, in the columns of ``HELD_BACK``."""
    tables = [HELD_BACK.empty_table()]
    for (kind, namespace), column in records.placeholders.items():
        texts = records.spaces[column.space].texts
        counts = np.bincount(column.value[live[column.record]], minlength=len(texts))
        present = np.flatnonzero(counts)
        what, of_type, of_namespace, reason = (
            pa.repeat(word, len(present)) for word in ("identifier", kind, namespace, "placeholder value")
        )
        value = texts.take(pa.array(present))
        columns = [what, of_type, of_namespace, value, reason, pa.array(counts[present])]
        tables.append(pa.table(columns, schema=HELD_BACK))
    return pa.concat_tables(tables)
