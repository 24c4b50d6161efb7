"""What was generated: counts per source and the truth about the records, to hold a pipeline against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cdp.demo.sink import Tally, Truth


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What one source consists of, counted in items: envelopes after splitting files and batches.

    Every item is counted in ``items``; of these
    ``duplicates`` repeat an earlier item's id and payload,
    ``revisions`` give another payload under an earlier item's id,
    ``malformed`` cannot be read or mapped and belong in quarantine (by what is wrong with them), and
    ``unattributed`` are sound and no repetition, but carry no identifier of anybody.
    ``kinds`` counts items by the format's own type (for orders also ``orders`` and ``refunds``, which
    are events of several lines).
    """

    files: int
    items: int
    duplicates: int
    revisions: int
    malformed: Mapping[str, int]
    unattributed: int
    kinds: Mapping[str, int]

    @classmethod
    def of(cls, tally: Tally) -> SourceReport:
        """Return the report of a finished tally."""
        return cls(
            files=tally.files,
            items=tally.items,
            duplicates=tally.duplicates,
            revisions=tally.revisions,
            malformed=dict(sorted(tally.malformed.items())),
            unattributed=tally.unattributed,
            kinds=dict(sorted(tally.kinds.items())),
        )

    @property
    def quarantined(self) -> int:
        """Number of items that belong in quarantine."""
        return sum(self.malformed.values())


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What ``generate`` wrote. ``records`` counts the rows of ``truth.parquet``."""

    into: Path
    seed: int
    people: int
    records: int
    sources: Mapping[str, SourceReport]

    @property
    def items(self) -> int:
        """Number of items of all sources."""
        return sum(source.items for source in self.sources.values())

    @property
    def files(self) -> int:
        """Number of files of all sources."""
        return sum(source.files for source in self.sources.values())

    def as_json(self) -> str:
        """Return the report as it stands in ``expected.json`` (without the folder's name)."""
        content = {
            "seed": self.seed,
            "people": self.people,
            "records": self.records,
            "items": self.items,
            "sources": {name: asdict(source) for name, source in self.sources.items()},
        }
        return json.dumps(content, indent=1) + "\n"


def write_truth(truth: Truth, path: Path) -> int:
    """Write (record_key, person_id) as Parquet and return the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = truth.rows()
    table = pa.table(
        {
            "record_key": pa.array([key for key, _ in rows], pa.string()),
            "person_id": pa.array([person for _, person in rows], pa.string()),
        }
    )
    pq.write_table(table, path, compression="zstd")
    return len(rows)
