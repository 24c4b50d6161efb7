"""A model version: everything that was learned from data, frozen.

Levels and weights, frequencies of values, what normalisation learned, blocking keys and their cap. Under one
version the partition of records depends on the records alone, so that increments and full rebuilds agree.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp.errors import CorruptError, UsageError
from identity.candidates import LIMITS, KeySpec, Limits
from identity.comparer import Plan, Planned, Source, Usual
from identity.encode import Frozen
from identity.kernels.codes import count
from identity.model import UNIT, Ints, Model
from identity.unread import unread

FORMAT = 2
_METADATA = b"cdp_model"
_UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError)
Hashes = npt.NDArray[np.uint64]
_MOST_ADJUSTMENT = 6 * UNIT


@dataclass(frozen=True)
class Frequencies:
    """How much rarer than usual the values of a comparison are, in 1/1000 bit.

    ``hashes``: sorted hashes of the values that at least two records had; ``single``: for all other values.
    """

    hashes: Hashes
    adjustment: Ints
    single: int
    _made: tuple[Hashes, Ints] | None = field(default=None, repr=False, compare=False)
    """The very values that were counted, with their adjustments."""

    @classmethod
    def of(cls, codes: npt.NDArray[np.int32], hashes: Hashes) -> Frequencies:
        """Count the values of a column: log2(mean frequency / frequency of the value)."""
        counts = count(codes, len(hashes))
        total = max(int(counts.sum()), 1)
        # Sums over integers only: they do not depend on the order of the values.
        mean = float((counts**2).sum()) / total
        bits = np.rint(np.log2(max(mean, 1e-9) / np.maximum(counts, 1)) * UNIT)
        bits = np.clip(bits, -_MOST_ADJUSTMENT, _MOST_ADJUSTMENT).astype(np.int32)
        single = int(np.clip(np.rint(np.log2(max(mean, 1e-9)) * UNIT), -_MOST_ADJUSTMENT, _MOST_ADJUSTMENT))
        common = np.flatnonzero(counts > 1)
        order = common[np.argsort(hashes[common])]
        table = np.where(counts > 1, bits, np.int32(single))
        return cls(hashes[order], bits[order], single, (hashes, table))

    def table(self, hashes: Hashes) -> Ints:
        """The adjustment of each value, by its hash."""
        if self._made is not None and hashes is self._made[0]:
            return self._made[1]
        found = np.full(len(hashes), self.single, np.int32)
        if len(self.hashes) and len(hashes):
            place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
            known = self.hashes[place] == hashes
            found[known] = self.adjustment[place[known]]
        return found


@dataclass(frozen=True)
class ModelVersion:
    """All that a resolution needs besides records, judgements and policy.

    ``records``: how many there were when it was fitted. ``report``: what estimation saw then, for people.
    """

    model: Model
    plan: Plan
    frequencies: tuple[Frequencies | None, ...]
    frozen: Frozen
    usual: Usual
    keys: tuple[KeySpec, ...]
    cap: int
    records: int
    limits: Limits = LIMITS
    report: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """Name of the version: a hash of its content."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def to_bytes(self) -> bytes:
        """The version as one block of bytes (an Arrow file whose metadata hold a JSON document)."""
        places, hashes, bits = [np.empty(0, np.int16)], [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        for place, table in enumerate(self.frequencies):
            if table is not None:
                places.append(np.full(len(table.hashes), place, np.int16))
                hashes.append(table.hashes)
                bits.append(table.adjustment)
        body = {
            "format": FORMAT,
            "model": self.model.to_dict(),
            "sources": [asdict(item.source) for item in self.plan],
            "single": [None if table is None else table.single for table in self.frequencies],
            "frozen": self.frozen.to_dict(),
            "usual_domains": [int(h) for h in self.usual.domains],
            "usual_words": sorted(self.usual.words),
            "keys": [asdict(key) for key in self.keys],
            "cap": self.cap,
            "records": self.records,
            "limits": asdict(self.limits),
            "report": dict(self.report),
        }
        table = pa.table(
            {
                "comparison": np.concatenate(places),
                "value_hash": np.concatenate(hashes),
                "adjustment": np.concatenate(bits),
            }
        ).replace_schema_metadata({_METADATA: json.dumps(body, sort_keys=True)})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    def unread(self, records: pa.Table, identifiers: pa.Table | None = None) -> tuple[str, ...]:
        """Columns and identifier types of the records that this version was not fitted on and does not read.

        Named are those that more than 1 % of the records hold (and at least 5). Where any are named, estimate a new
        version: this one treats the records as if they did not say these things. ``user_id of web`` is the type
        ``user_id`` in the namespace ``web``.
        """
        return unread(self.plan, self.report.get("there", {}), records, identifiers)

    @classmethod
    def from_bytes(cls, blob: bytes) -> ModelVersion:
        """Read what ``to_bytes`` wrote.

        Raises UsageError for a format that another version of cdp wrote, CorruptError for bytes that are none of it.

        >>> ModelVersion.from_bytes(b"no model")
        Traceback (most recent call last):
        ...
        cdp.errors.CorruptError: the model of identity is damaged or no model at all
          estimate a new one
        """
        try:
            table = pa.ipc.open_file(pa.BufferReader(blob)).read_all()
            body: dict[str, Any] = json.loads(table.schema.metadata[_METADATA])
            made = body["format"]
            if made == FORMAT:
                return cls._of(table, body)
        except _UNREADABLE as error:
            raise CorruptError(
                "the model of identity is damaged or no model at all", hint="estimate a new one"
            ) from error
        raise UsageError(
            f"the model of identity has format {made!r}, this version of cdp reads {FORMAT}",
            hint="estimate a new one, or read it by the version that wrote it",
        )

    @classmethod
    def _of(cls, table: pa.Table, body: Mapping[str, Any]) -> ModelVersion:
        model = Model.from_dict(body["model"])
        place = table["comparison"].to_numpy()
        hashes, bits = table["value_hash"].to_numpy(), table["adjustment"].to_numpy()
        return cls(
            model,
            tuple(Planned(c, Source(**s)) for c, s in zip(model.comparisons, body["sources"], strict=True)),
            tuple(_frequencies(place == i, hashes, bits, single) for i, single in enumerate(body["single"])),
            Frozen.from_dict(body["frozen"]),
            Usual(np.array(body["usual_domains"], np.uint64), frozenset(body["usual_words"])),
            tuple(KeySpec(**key) for key in body["keys"]),
            body["cap"],
            body["records"],
            Limits(**body["limits"]),
            body["report"],
        )


def _frequencies(
    mine: npt.NDArray[np.bool_], hashes: Hashes, bits: Ints, single: int | None
) -> Frequencies | None:
    return None if single is None else Frequencies(hashes[mine], bits[mine], single)
