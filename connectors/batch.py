"""One batch of envelopes on its way from payloads to committed files of the landing zone.

The order of commit: an intent row that fixes ``received_at``, the Parquet files (written, fsynced,
renamed), then one transaction with the file rows, the counts, the outcomes and the cursors. A crash
anywhere leaves either the whole batch or an intent and orphans, which the next run takes up and sweeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp import ids, suppression
from cdp.lake import Lake, StoredFile, raw_path
from cdp.ledger import Ledger, timestamp
from connectors.duplicates import Known, LandedFile, Verdict, landed_files, packs_revision
from connectors.envelopes import EnvelopeContext, seal
from connectors.protocol import Chunk, Connector
from connectors.reading import Gathered, Item
from connectors.suppression import HeldBack

if TYPE_CHECKING:
    import duckdb

    from cdp.settings import SourceSettings

HoldBack = Callable[[pa.Table], HeldBack]
"""Says which rows of a raw table (``cdp.schemas.RAW``) must not land: :class:`connectors.suppression.Gate`."""


@dataclass(frozen=True)
class LandedBatch:
    """What one batch brought: rows landed, of these quarantined and duplicate, and bytes read.

    ``suppressed`` are not among the landed.
    """

    batch_id: str
    origins: int
    landed: int
    quarantined: int
    duplicates: int
    size: int
    suppressed: int = 0


@dataclass(frozen=True)
class Origin:
    """An item that has been read to its end: its name, cursor, size in bytes, and SHA-256."""

    name: str
    cursor: str
    size: int
    sha: str


@dataclass
class _Part:
    """A table that is written as one file of a batch, with the verdict on its rows."""

    zone: str
    table: pa.Table
    stored: StoredFile
    file_id: int
    sha16: str
    verdict: Verdict


class Lander:
    """What landing a source keeps from batch to batch: above all which ids are known.

    Every batch is opened and committed under ``cdp.lock.landing_lock``. The rows that
    ``held_back`` names are counted and go nowhere.
    """

    def __init__(
        self,
        source: SourceSettings,
        connector: Connector,
        lake: Lake,
        ledger: Ledger,
        connection: duckdb.DuckDBPyConnection,
        held_back: HoldBack | None = None,
    ) -> None:
        self.source, self.connector, self.lake, self.ledger = source, connector, lake, ledger
        self.connection, self.held_back = connection, held_back
        self.known = Known(lake, (), connection)
        self._packs: int | None = None

    def refresh(self) -> None:
        """Take in what has landed since the last batch; all is listed again only when files have been packed."""
        name = self.source.name
        newer = None if self._packs is None else landed_files(self.ledger, name, after=self.known.newest)
        packs = packs_revision(self.ledger)  # read after the newer files: none of them has moved unseen
        if newer is not None and packs == self._packs:
            self.known.follow_on(newer)
        else:
            self.known.follow(landed_files(self.ledger, name))
            self._packs = packs

    def open_batch(self, now: datetime, run_id: str, *, collected: bool = False) -> Batch:
        """Begin a batch: take up the intent of a run that died, or record a new one."""
        self.refresh()
        return Batch(self, now, run_id, collected=collected)


class Batch:
    """One batch: opened by an intent, closed by one transaction."""

    def __init__(self, lander: Lander, now: datetime, run_id: str, *, collected: bool) -> None:
        self.lander, self.run_id, self.collected = lander, run_id, collected
        self.batch_id, self.received_at = self._open(now)
        self.ingest_date = self.received_at.date().isoformat()
        self.gathered = Gathered()
        self.parts: list[_Part] = []
        self.repeated: list[tuple[int, int]] = []
        self.suppressed = 0
        self.suppressed_by: Counter[bytes] = Counter()
        self.next_file_id = int(
            lander.ledger.value("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'files'") or 0
        )

    def _open(self, now: datetime) -> tuple[str, datetime]:
        ledger, source, connector = self.lander.ledger, self.lander.source, self.lander.connector
        left = ledger.rows(
            "SELECT batch_id, received_at FROM batches WHERE source = ? AND state = 'intent' AND collected = ? "
            "ORDER BY batch_id LIMIT 1",
            (source.name, self.collected),
        )
        if left:
            return left[0]["batch_id"], datetime.fromisoformat(left[0]["received_at"])
        received_at = now.astimezone(UTC)
        with ledger.transaction("batch intent"):
            number = ledger.next_number("batch")
            ledger.advance("batch", number + 1)
            batch_id = f"b{number:08d}"
            ledger.execute(
                "INSERT INTO batches (batch_id, source, run_id, received_at, ingest_date, state, "
                "connector_version, collected) VALUES (?, ?, ?, ?, ?, 'intent', ?, ?)",
                (
                    batch_id,
                    source.name,
                    self.run_id,
                    timestamp(received_at),
                    received_at.date().isoformat(),
                    f"{connector.name}/{connector.version}",
                    self.collected,
                ),
            )
        return batch_id, received_at

    def add(self, chunk: Chunk, item: Item) -> None:
        """Take in a chunk of an item; a full file's worth is written at once."""
        self.gathered.add(chunk, item)
        if self.gathered.full:
            self._flush()

    def _flush(self) -> None:
        """Write what was gathered: one file for the raw zone, one for quarantine, neither empty."""
        gathered, self.gathered = self.gathered, Gathered()
        if not gathered:
            return
        lander = self.lander
        source = lander.source
        context = EnvelopeContext(
            source.name, self.batch_id, self.received_at, source.timezone, source.region or None
        )
        raw, quarantine = seal(lander.connection, lander.connector, gathered, context)
        for zone, table in (("raw", self._permitted(raw)), ("quarantine", quarantine)):
            if table.num_rows:
                self._write(table.combine_chunks(), zone)

    def _permitted(self, raw: pa.Table) -> pa.Table:
        """Return the rows that may land; count the others."""
        if self.lander.held_back is None or not raw.num_rows:
            return raw
        held = self.lander.held_back(raw)
        if not held.rows.true_count:
            return raw
        self.suppressed += held.rows.true_count
        self.suppressed_by.update(held.entries)
        return raw.filter(pc.invert(held.rows))

    def _write(self, table: pa.Table, zone: str) -> None:
        """Write a part, unless its very bytes have landed before."""
        lander = self.lander
        name = lander.source.name
        sha16 = ids.sha16(name, b"".join(self._identity(table)))
        same = lander.ledger.value(
            "SELECT file_id FROM files WHERE source = ? AND zone = ? AND sha16 = ?", (name, zone, sha16)
        )
        if same is None:
            same = next(
                (part.file_id for part in self.parts if (part.zone, part.sha16) == (zone, sha16)), None
            )
        if same is not None:
            self.repeated.append((int(same), table.num_rows))
            return
        self.next_file_id += 1
        verdict = lander.known.check(table, self.next_file_id)
        path = raw_path(zone, name, self.ingest_date, sha16)
        stored = lander.lake.write_raw(path, table)
        lander.known.add(LandedFile(self.next_file_id, path), table)
        keys = table.select(["event_id", "reason"] if zone == "quarantine" else ["event_id"])
        self.parts.append(_Part(zone, keys, stored, self.next_file_id, sha16, verdict))

    def _identity(self, table: pa.Table) -> Iterator[memoryview]:
        """Yield what makes a part the same as another: payloads in order, and of requests their ids.

        Two equal requests without an id of their own are two events.
        """
        yield from _contents(table["fingerprint"])
        if self.collected:
            yield from _contents(table["event_hash"])

    def commit(self, origins: Sequence[Origin]) -> LandedBatch:
        """Write what is left and commit the batch: files, counts, outcomes, and how far was read."""
        self._flush()
        repeated = sum(rows for _, rows in self.repeated)
        landed = sum(part.table.num_rows for part in self.parts) + repeated
        size = sum(origin.size for origin in origins)
        ledger, source = self.lander.ledger, self.lander.source.name
        duplicates = quarantined = 0
        with ledger.transaction("batch landed"):
            ledger.execute(
                "UPDATE batches SET state = 'landed', origins = ?, received = ?, suppressed = ?, landed = ?, "
                "bytes = ?, run_id = ? WHERE batch_id = ?",
                (
                    len(origins),
                    landed + self.suppressed,
                    self.suppressed,
                    landed,
                    size,
                    self.run_id,
                    self.batch_id,
                ),
            )
            suppression.record(ledger, self.suppressed_by, now=self.received_at)
            for part in self.parts:
                is_duplicate, is_quarantined = self._commit_part(part)
                duplicates += is_duplicate
                quarantined += is_quarantined
            ledger.execute_many(
                "INSERT INTO repeated VALUES (?, ?, ?)", [(self.batch_id, *part) for part in self.repeated]
            )
            ledger.execute_many(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)",
                [(source, origin.name, origin.cursor, origin.sha, self.batch_id) for origin in origins],
            )
        return LandedBatch(
            self.batch_id, len(origins), landed, quarantined, duplicates + repeated, size, self.suppressed
        )

    def _commit_part(self, part: _Part) -> tuple[int, int]:
        """Insert a file with the outcomes known at landing; return its duplicates and quarantined."""
        ledger, source = self.lander.ledger, self.lander.source.name
        ledger.execute(
            "INSERT INTO files (file_id, zone, source, ingest_date, sha16, path, batch_id, rows, size) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                part.file_id,
                part.zone,
                source,
                self.ingest_date,
                part.sha16,
                part.stored.path,
                self.batch_id,
                part.stored.rows,
                part.stored.size,
            ),
        )
        outcomes = list(_outcomes(part, self.run_id))
        ledger.execute_many(
            "INSERT INTO outcomes (file_id, raw_row, event_id, outcome, reason, run_id) VALUES (?, ?, ?, ?, ?, ?)",
            outcomes,
        )
        ledger.execute_many(
            "INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?)",
            [(source, *revision) for revision in part.verdict.revisions],
        )
        duplicates = sum(1 for row in outcomes if row[3] == "duplicate")
        return duplicates, len(outcomes) - duplicates


def _contents(values: pa.ChunkedArray) -> Iterator[memoryview]:
    """Yield the bytes of values of fixed size, chunk by chunk, without making an object of each."""
    for chunk in values.chunks:
        width = chunk.type.bit_width // 8
        yield memoryview(chunk.buffers()[1])[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def _outcomes(part: _Part, run_id: str) -> Iterator[tuple[int, int, str, str, str | None, str]]:
    """Yield the outcomes that landing itself decides: duplicates, and all rows of quarantine."""
    repeated = part.verdict.duplicates
    if part.zone == "raw":
        wanted = pc.indices_nonzero(repeated)
    else:
        wanted = pa.array(range(part.table.num_rows), pa.int64())
    reasons = part.table["reason"].to_pylist() if part.zone == "quarantine" else None
    event_ids = part.table["event_id"].take(wanted).to_pylist()
    for row, event_id in zip(wanted.to_pylist(), event_ids, strict=True):
        if repeated[row].as_py():
            yield part.file_id, row, event_id, "duplicate", "landed_before", run_id
        else:
            yield part.file_id, row, event_id, "quarantined", reasons[row] if reasons else None, run_id
