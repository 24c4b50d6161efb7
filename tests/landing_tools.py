"""A workspace in a folder, and the stages up to standardised events, for tests of the connectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp import stored
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.schemas import EVENTS
from cdp.settings.model import Settings, SourceSettings
from connectors import outcomes, replay
from connectors.compile import Own, SourceContext
from connectors.landing import LandingReport, land
from connectors.registry import connector_for
from connectors.standardise import mapping_hash, standardise
from pipelines import runner
from pipelines.compaction import CompactionReport

NOBODY = Own()
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass
class Landing:
    """A workspace with one source, landed and standardised step by step."""

    root: Path
    settings: Settings
    source: SourceSettings
    own: Own = NOBODY

    @classmethod
    def of(cls, root: Path, *, own: Own = NOBODY, name: str = "web", **source: Any) -> Landing:
        settings = Settings.model_validate(
            {
                "workspace": {"name": "test", "region": "GB"},
                "sources": {name: {"connector": "segment", **source}},
            }
        )
        (root / "inbox" / name).mkdir(parents=True, exist_ok=True)
        return cls(root, settings, settings.sources[name], own)

    @staticmethod
    def settings_of(source: dict[str, Any]) -> dict[str, Any]:
        """Return the source as cdp.yaml has it: without the name, which is its key there."""
        return {key: value for key, value in source.items() if key != "name"}

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def ledger(self) -> Ledger:
        return Ledger(self.lake.ledger_path)

    @property
    def context(self) -> SourceContext:
        source = self.source
        return SourceContext(
            source.name, source.namespace, source.timezone, source.region, source.brand, self.own
        )

    def put(self, name: str, data: bytes | str) -> None:
        """Write an input file."""
        data = data.encode() if isinstance(data, str) else data
        (self.root / "inbox" / self.source.name / name).write_bytes(data)

    def land(self, now: datetime = NOW, run_id: str = "r1") -> LandingReport:
        with self.ledger() as ledger:
            return land(self.source, connector_for(self.source), self.lake, ledger, now=now, run_id=run_id)

    def standardise(self, run_id: str = "r1") -> int:
        """Standardise what is pending; return how many files that was."""
        connector = connector_for(self.source)
        in_use = mapping_hash(connector, self.context)
        with self.ledger() as ledger:
            files = outcomes.pending(ledger, self.source.name, in_use)
            for file in files:
                skip = outcomes.duplicates(ledger, file.file_id)
                raw = outcomes.read_raw(self.lake, file)
                batch = standardise(raw, connector, self.context, file_id=file.file_id, skip=skip)
                outcomes.commit(self.lake, ledger, file, batch, mapping_hash=in_use, run_id=run_id)
            outcomes.settle_revisions(
                self.lake, ledger, self.source.name, self.source.on_revision, run_id=run_id, files=None
            )
        return len(files)

    def replay(self, run_id: str = "replay") -> None:
        connector = connector_for(self.source)
        in_use = mapping_hash(connector, self.context)
        with self.ledger() as ledger:
            for file in replay.files(ledger, self.source.name):
                skip = outcomes.duplicates(ledger, file.file_id)
                table = outcomes.read_raw(self.lake, file)
                batch = replay.reread(
                    table,
                    self.source,
                    connector,
                    self.context,
                    self.lake,
                    ledger,
                    file=file,
                    skip=skip,
                )
                outcomes.commit(self.lake, ledger, file, batch, mapping_hash=in_use, run_id=run_id)

    def compact(self, now: datetime = NOW) -> CompactionReport:
        """Put all small files together."""
        (report,) = runner.compact(self.root, self.settings, now=now)
        return report

    def run(self, now: datetime = NOW) -> None:
        self.land(now)
        self.standardise()

    def counts(self) -> list[outcomes.BatchCounts]:
        with self.ledger() as ledger:
            return outcomes.counts(ledger)

    def total(self, name: str) -> int:
        return sum(getattr(batch, name) for batch in self.counts())

    def reasons(self) -> dict[str, int]:
        """Return how many envelopes have which outcome and reason now (without 'standardised')."""
        with self.ledger() as ledger:
            rows = ledger.rows(
                "SELECT outcome || ':' || reason AS fate, count(*) AS n FROM current_outcomes "
                "WHERE outcome <> 'standardised' GROUP BY 1 ORDER BY 1"
            )
        return {row["fate"]: row["n"] for row in rows}

    def events(self) -> pa.Table:
        """Return the events that stand: current files without what was superseded."""
        with self.ledger() as ledger:
            files = stored.events(self.lake, ledger)
            gone = {
                (row["file_id"], row["raw_row"])
                for row in ledger.rows(
                    "SELECT file_id, raw_row FROM current_outcomes WHERE outcome IN ('superseded', 'quarantined')"
                )
            }
        tables = [pq.read_table(path) for path in files.whole] or [EVENTS.empty_table()]
        for path, ids in files.parts.items():
            part = pq.read_table(path)
            tables.append(part.filter(pc.is_in(part["file_id"], value_set=pa.array(ids, pa.int64()))))
        table = pa.concat_tables(tables).sort_by([("file_id", "ascending"), ("raw_row", "ascending")])
        keys = zip(table["file_id"].to_pylist(), table["raw_row"].to_pylist(), strict=True)
        return table.filter(pa.array([key not in gone for key in keys], pa.bool_()))

    def landed_payloads(self) -> list[bytes]:
        """Return every payload of the landing zone, raw and quarantined, in order of landing."""
        with self.ledger() as ledger:
            files = ledger.rows("SELECT path, first_row, rows FROM stored_files ORDER BY file_id")
        reader = stored.RowReader(["payload"])
        tables = [reader.read(self.lake.path(row["path"]), row["first_row"], row["rows"]) for row in files]
        return [payload for table in tables for payload in table["payload"].to_pylist()]


def comparable(
    events: pa.Table, drop: Sequence[str] = ("file_id", "raw_row", "received_at")
) -> list[dict[str, Any]]:
    """Return events as plain rows in a total order, without what differs between equal runs."""
    rows = events.drop_columns(list(drop)).to_pylist()
    for row in rows:
        row["identifiers"] = sorted(tuple(item.values()) for item in row["identifiers"] or [])
    return sorted(rows, key=lambda row: (row["event_id"], str(row["occurred_at"])))
