"""Landing: input files of a source to immutable raw Parquet, each envelope counted.

A batch is one input file, or several small ones. Its order of commit: an intent row that fixes
``received_at``, the Parquet files (written, fsynced, renamed), then one transaction with the file
rows, the counts, the outcomes and the cursors. A crash anywhere leaves either the whole batch or
an intent and orphans, which the next run takes up and sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from cdp import ids
from cdp.duck import connect
from cdp.lake import Lake, StoredFile, raw_path
from cdp.ledger import Ledger, timestamp
from connectors import inbox
from connectors.duplicates import Known, LandedFile, Verdict
from connectors.envelopes import EnvelopeContext, seal
from connectors.protocol import Connector, SplitContext
from connectors.reading import Gathered, Item

if TYPE_CHECKING:
    import duckdb

    from cdp.settings import SourceSettings

# Small files share a batch up to here; a larger one is a batch of its own.
BATCH_BYTES = 64 * 1024 * 1024
BATCH_FILES = 2_000

Progress = Callable[[str, int], None]


def _silent(origin: str, size: int) -> None:
    del origin, size


@dataclass(frozen=True)
class LandedBatch:
    """What one batch brought: rows landed, of these quarantined and duplicate, and bytes read."""

    batch_id: str
    origins: int
    landed: int
    quarantined: int
    duplicates: int
    size: int


@dataclass
class LandingReport:
    """What landing a source did."""

    source: str
    batches: list[LandedBatch] = field(default_factory=list)
    unreadable: list[inbox.Unreadable] = field(default_factory=list)

    @property
    def landed(self) -> int:
        """Envelopes landed."""
        return sum(batch.landed for batch in self.batches)


@dataclass
class _Part:
    """A table that is written as one file of a batch, with the verdict on its rows."""

    zone: str
    table: pa.Table
    stored: StoredFile
    file_id: int
    sha16: str
    verdict: Verdict


def land(
    source: SourceSettings,
    connector: Connector,
    lake: Lake,
    ledger: Ledger,
    *,
    now: datetime,
    run_id: str,
    progress: Progress = _silent,
) -> LandingReport:
    """Land every new or changed input file of ``source``; return what it brought.

    The caller holds the writer lock. A file that cannot be read is reported and left for the next
    run; bad data inside a file land in quarantine, each with its reason.
    """
    report = LandingReport(source.name)
    known_cursors = ledger.rows("SELECT origin, cursor FROM cursors WHERE source = ?", (source.name,))
    cursors = {row["origin"]: row["cursor"] for row in known_cursors}
    pending = inbox.files(lake.root, source.paths, cursors)
    if not pending:
        return report
    with connect() as connection:
        known = Known(lake, _landed_files(ledger, source.name), connection)
        for group in _groups(pending):
            batch = _Batch(source, connector, lake, ledger, known, connection, now=now, run_id=run_id)
            landed = batch.land(group, report.unreadable, progress)
            if landed is not None:
                report.batches.append(landed)
    return report


def _landed_files(ledger: Ledger, source: str) -> list[LandedFile]:
    found = ledger.rows("SELECT file_id, path FROM files WHERE source = ? ORDER BY file_id", (source,))
    return [LandedFile(row["file_id"], row["path"]) for row in found]


def _groups(pending: Sequence[inbox.InboxFile]) -> Iterator[list[inbox.InboxFile]]:
    group: list[inbox.InboxFile] = []
    size = 0
    for item in pending:
        if group and (size + item.size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group


class _Batch:
    """One batch on its way: opened by an intent, closed by one transaction."""

    def __init__(
        self,
        source: SourceSettings,
        connector: Connector,
        lake: Lake,
        ledger: Ledger,
        known: Known,
        connection: duckdb.DuckDBPyConnection,
        *,
        now: datetime,
        run_id: str,
    ) -> None:
        self.source, self.connector, self.lake, self.ledger = source, connector, lake, ledger
        self.known, self.connection = known, connection
        self.run_id = run_id
        self.batch_id, self.received_at = self._open(now)
        self.ingest_date = self.received_at.date().isoformat()
        self.parts: list[_Part] = []
        self.repeated: list[tuple[int, int]] = []
        self.next_file_id = int(
            ledger.value("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'files'") or 0
        )

    def _open(self, now: datetime) -> tuple[str, datetime]:
        """Take up the intent of a run that died, or record a new one."""
        left = self.ledger.rows(
            "SELECT batch_id, received_at FROM batches WHERE source = ? AND state = 'intent' ORDER BY batch_id LIMIT 1",
            (self.source.name,),
        )
        if left:
            return left[0]["batch_id"], datetime.fromisoformat(left[0]["received_at"])
        received_at = now.astimezone(UTC)
        with self.ledger.transaction("batch intent"):
            number = self.ledger.next_number("batch")
            self.ledger.advance("batch", number + 1)
            batch_id = f"b{number:08d}"
            self.ledger.execute(
                "INSERT INTO batches (batch_id, source, run_id, received_at, ingest_date, state, connector_version) "
                "VALUES (?, ?, ?, ?, ?, 'intent', ?)",
                (
                    batch_id,
                    self.source.name,
                    self.run_id,
                    timestamp(received_at),
                    received_at.date().isoformat(),
                    f"{self.connector.name}/{self.connector.version}",
                ),
            )
        return batch_id, received_at

    def land(
        self, group: Sequence[inbox.InboxFile], unreadable: list[inbox.Unreadable], progress: Progress
    ) -> LandedBatch | None:
        read: list[tuple[inbox.InboxFile, str]] = []
        gathered = Gathered()
        for item in group:
            data = inbox.read(item)
            if isinstance(data, inbox.Unreadable):
                unreadable.append(data)
                continue
            origin_sha = inbox.sha(data)
            read.append((item, origin_sha))
            split = SplitContext(item.origin, self.source.encoding, self.source.delimiter, self.source.sheet)
            origin = Item(origin_sha)
            for chunk in self.connector.split(data, split):
                gathered.add(chunk, origin)
                if gathered.full:
                    self._seal(gathered)
                    gathered = Gathered()
            progress(item.origin, item.size)
        if gathered:
            self._seal(gathered)
        return self._commit(read)

    def _seal(self, gathered: Gathered) -> None:
        """Write what was gathered: one file for the raw zone, one for quarantine, neither empty."""
        context = EnvelopeContext(
            self.source.name, self.batch_id, self.received_at, self.source.timezone, self.source.region
        )
        raw, quarantine = seal(self.connection, self.connector, gathered, context)
        if raw.num_rows:
            self._write(raw.combine_chunks(), "raw")
        if quarantine.num_rows:
            self._write(quarantine.combine_chunks(), "quarantine")

    def _write(self, table: pa.Table, zone: str) -> None:
        """Write a part, unless its very bytes have landed before."""
        sha16 = ids.sha16(self.source.name, b"".join(_contents(table["fingerprint"])))
        same = self.ledger.value(
            "SELECT file_id FROM files WHERE source = ? AND zone = ? AND sha16 = ?",
            (self.source.name, zone, sha16),
        )
        if same is None:
            same = next(
                (part.file_id for part in self.parts if (part.zone, part.sha16) == (zone, sha16)), None
            )
        if same is not None:
            self.repeated.append((int(same), table.num_rows))
            return
        self.next_file_id += 1
        verdict = self.known.check(table, self.next_file_id)
        path = raw_path(zone, self.source.name, self.ingest_date, sha16)
        stored = self.lake.write_raw(path, table)
        self.known.add(LandedFile(self.next_file_id, path), table)
        keys = table.select(["event_id", "reason"] if zone == "quarantine" else ["event_id"])
        self.parts.append(_Part(zone, keys, stored, self.next_file_id, sha16, verdict))

    def _commit(self, read: Sequence[tuple[inbox.InboxFile, str]]) -> LandedBatch | None:
        if not read:
            return None
        repeated = sum(rows for _, rows in self.repeated)
        landed = sum(part.table.num_rows for part in self.parts) + repeated
        size = sum(item.size for item, _ in read)
        duplicates = quarantined = 0
        with self.ledger.transaction("batch landed"):
            self.ledger.execute(
                "UPDATE batches SET state = 'landed', origins = ?, received = ?, suppressed = 0, landed = ?, "
                "bytes = ?, run_id = ? WHERE batch_id = ?",
                (len(read), landed, landed, size, self.run_id, self.batch_id),
            )
            for part in self.parts:
                is_duplicate, is_quarantined = self._commit_part(part)
                duplicates += is_duplicate
                quarantined += is_quarantined
            self.ledger.execute_many(
                "INSERT INTO repeated VALUES (?, ?, ?)", [(self.batch_id, *part) for part in self.repeated]
            )
            self.ledger.execute_many(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)",
                [
                    (self.source.name, item.origin, item.cursor, origin_sha, self.batch_id)
                    for item, origin_sha in read
                ],
            )
        return LandedBatch(self.batch_id, len(read), landed, quarantined, duplicates + repeated, size)

    def _commit_part(self, part: _Part) -> tuple[int, int]:
        """Insert a file with the outcomes known at landing; return its duplicates and quarantined."""
        self.ledger.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                part.file_id,
                part.zone,
                self.source.name,
                self.ingest_date,
                part.sha16,
                part.stored.path,
                self.batch_id,
                part.stored.rows,
                part.stored.size,
            ),
        )
        outcomes = list(_outcomes(part, self.run_id))
        self.ledger.execute_many(
            "INSERT INTO outcomes (file_id, raw_row, event_id, outcome, reason, run_id) VALUES (?, ?, ?, ?, ?, ?)",
            outcomes,
        )
        self.ledger.execute_many(
            "INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?)",
            [(self.source.name, *revision) for revision in part.verdict.revisions],
        )
        duplicates = sum(1 for row in outcomes if row[3] == "duplicate")
        return duplicates, len(outcomes) - duplicates


def _contents(fingerprints: pa.ChunkedArray) -> Iterator[memoryview]:
    """Yield the bytes of fixed-size values, chunk by chunk, without making an object of each."""
    for chunk in fingerprints.chunks:
        width = chunk.type.byte_width
        yield memoryview(chunk.buffers()[1])[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def _outcomes(part: _Part, run_id: str) -> Iterator[tuple[int, int, str, str, str | None, str]]:
    """Yield the outcomes that landing itself decides: duplicates, and all rows of quarantine."""
    repeated = part.verdict.duplicates
    wanted = pa.array(range(part.table.num_rows), pa.int64())
    if part.zone == "raw":
        wanted = wanted.filter(repeated)
    reasons = part.table["reason"].to_pylist() if part.zone == "quarantine" else None
    event_ids = part.table["event_id"].take(wanted).to_pylist()
    for row, event_id in zip(wanted.to_pylist(), event_ids, strict=True):
        if repeated[row].as_py():
            yield part.file_id, row, event_id, "duplicate", "landed_before", run_id
        else:
            yield part.file_id, row, event_id, "quarantined", reasons[row] if reasons else None, run_id
