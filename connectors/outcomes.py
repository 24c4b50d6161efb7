"""The fate of every envelope, kept in the ledger: commit of standardised files, revisions, counts.

An envelope's newest row in ``outcomes`` is its current outcome; one without a row, in a file whose
events are committed, is ``standardised``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa

from cdp import stored
from cdp.duck import connect, quote
from cdp.errors import CorruptError
from cdp.lake import Lake, events_path
from cdp.ledger import Ledger
from cdp.schemas import QUARANTINE
from connectors.standardise import StandardisedBatch

EVENTS_DICTIONARY = (
    "source",
    "channel",
    "event_type",
    "direction",
    "campaign",
    "product",
    "currency",
    "agent",
    "department",
    "outcome",
    "brand",
)


# What standardising and replay read of a landed file; ``reason`` and ``detail`` are in quarantine only.
READ_COLUMNS = [name for name in QUARANTINE.names if name not in ("event_hash", "fingerprint")]


@dataclass(frozen=True)
class PendingFile:
    """A landed file whose events under the mapping in use do not exist yet.

    Its rows are those of ``path`` from ``first_row`` on. ``collected``: its envelopes came over HTTP, each
    with the time of its own request.
    """

    file_id: int
    source: str
    path: str
    sha16: str
    ingest_date: str
    rows: int
    first_row: int = 0
    collected: bool = False


def pending(
    ledger: Ledger, source: str, mapping_hash: str, *, ingest_date: str | None = None, again: bool = False
) -> list[PendingFile]:
    """Return raw files of ``source`` to standardise; ``again`` returns all of them, done or not.

    Quarantined files are among them once a replay has read them (they have event files then), so
    that a change of mapping reaches what was replayed.
    """
    found = ledger.rows(
        """
        SELECT f.file_id, f.source, f.path, f.sha16, f.ingest_date, f.rows, f.first_row, b.collected
        FROM stored_files AS f JOIN batches AS b USING (batch_id)
        WHERE f.source = :source AND f.zone = 'raw' AND (:day IS NULL OR f.ingest_date = :day)
          AND (:again OR NOT EXISTS (SELECT 1 FROM event_files AS e
            WHERE e.file_id = f.file_id AND e.mapping_hash = :mapping AND e.current))
        ORDER BY f.file_id
        """,
        {"source": source, "mapping": mapping_hash, "day": ingest_date, "again": again},
    )
    return [PendingFile(**{**dict(row), "collected": bool(row["collected"])}) for row in found]


def read_raw(lake: Lake, file: PendingFile, reader: stored.RowReader | None = None) -> pa.Table:
    """Return the rows of a landed file; a file that is gone or cut raises :class:`CorruptError`.

    A ``reader`` (of ``READ_COLUMNS``) that is given again reads a pack of many files only once.
    """
    reader = reader or stored.RowReader(READ_COLUMNS)
    try:
        table = reader.read(lake.path(file.path), file.first_row, file.rows)
        found = f"{table.num_rows} of {file.rows} rows" if table.num_rows != file.rows else ""
    except (OSError, pa.ArrowInvalid) as error:
        found = type(error).__name__
    if found:
        raise CorruptError(
            f"The landed file {file.path} cannot be read ({found}).",
            hint="It is listed in the ledger and immutable: restore it from a backup; `cdp doctor` lists all such files.",
        )
    return table


def duplicates(ledger: Ledger, file_id: int) -> pa.Array:
    """Return the raw rows of a file that repeat older ones."""
    rows = ledger.rows(
        "SELECT raw_row FROM current_outcomes WHERE file_id = ? AND outcome = 'duplicate'", (file_id,)
    )
    return pa.array([row[0] for row in rows], pa.int64())


def commit(
    lake: Lake, ledger: Ledger, file: PendingFile, batch: StandardisedBatch, *, mapping_hash: str, run_id: str
) -> None:
    """Write the events of a file and record every envelope's outcome, in one transaction."""
    skipped = len(duplicates(ledger, file.file_id))
    envelopes = file.rows - skipped - batch.outcomes.num_rows
    path = events_path(file.source, file.file_id, file.sha16, mapping_hash)
    written = lake.write_parquet(path, batch.events, dictionary=EVENTS_DICTIONARY)
    with ledger.transaction("events"):
        ledger.execute("UPDATE event_files SET current = 0 WHERE file_id = ?", (file.file_id,))
        ledger.execute(
            "INSERT OR REPLACE INTO event_files (file_id, mapping_hash, path, envelopes, events, size, current, run_id) "
            "VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
            (file.file_id, mapping_hash, path, envelopes, written.rows, written.size, run_id),
        )
        _append_outcomes(ledger, file.file_id, batch.outcomes, mapping_hash, run_id)


def _append_outcomes(
    ledger: Ledger, file_id: int, outcomes: pa.Table, mapping_hash: str, run_id: str
) -> None:
    """Append what changed: new exceptions, and 'standardised' for those that are none any more."""
    current = {
        row["raw_row"]: (row["event_id"], row["outcome"], row["reason"])
        for row in ledger.rows(
            "SELECT raw_row, event_id, outcome, reason FROM current_outcomes "
            "WHERE file_id = ? AND outcome IN ('ignored', 'quarantined')",
            (file_id,),
        )
    }
    new = {row["raw_row"]: (row["event_id"], row["outcome"], row["reason"]) for row in outcomes.to_pylist()}
    changed = [(row, *fate) for row, fate in new.items() if current.get(row) != fate]
    changed += [
        (row, event_id, "standardised", "replayed")
        for row, (event_id, _, reason) in current.items()
        if row not in new and reason != CONFLICT
    ]
    append(ledger, [(file_id, *fate) for fate in sorted(changed)], mapping_hash, run_id)


def append(
    ledger: Ledger,
    fates: Sequence[tuple[int, int, str, str, str | None]],
    mapping_hash: str | None,
    run_id: str,
) -> None:
    """Append (file_id, raw_row, event_id, outcome, reason) rows, inside a transaction."""
    ledger.execute_many(
        "INSERT INTO outcomes (file_id, raw_row, event_id, outcome, reason, mapping_hash, run_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*fate, mapping_hash, run_id) for fate in fates],
    )


CONFLICT = "conflicting_revision"

# Which version stands, per policy; the order is total and does not depend on landing order alone. When the source
# sent a version tells most: the event's own time may be that of a beginning which all versions share.
_ORDERS = {
    "latest": "sent_at DESC NULLS LAST, occurred_at DESC, received_at DESC, fingerprint DESC",
    "first": "occurred_at, received_at, fingerprint",
    "quarantine": "occurred_at, received_at, fingerprint",
}


def settle_revisions(
    lake: Lake, ledger: Ledger, source: str, policy: str, *, run_id: str, files: Collection[int] | None = None
) -> int:
    """Decide between payloads that share an id; return how many outcomes changed.

    ``files`` limits the work to ids with a version in these files; None looks at all of them.
    """
    revised = _revised(ledger, source, files)
    if not revised:
        return 0
    fates = _decide(lake, ledger, revised, policy)
    current = {
        (row["file_id"], row["raw_row"]): (row["outcome"], row["reason"])
        for row in ledger.rows(
            "SELECT c.* FROM current_outcomes AS c JOIN revisions USING (file_id, raw_row)"
        )
    }
    changed = [
        (file_id, raw_row, event_id, outcome, reason)
        for file_id, raw_row, event_id, outcome, reason in fates
        if current.get((file_id, raw_row), ("standardised", None))[0] != outcome
    ]
    if changed:
        with ledger.transaction("revisions"):
            append(ledger, changed, None, run_id)
    return len(changed)


def _revised(ledger: Ledger, source: str, files: Collection[int] | None) -> list[tuple[str, int, int]]:
    rows = ledger.rows("SELECT event_id, file_id, raw_row FROM revisions WHERE source = ?", (source,))
    if files is not None:
        touched = {row["event_id"] for row in rows if row["file_id"] in files}
        rows = [row for row in rows if row["event_id"] in touched]
    return [(row["event_id"], row["file_id"], row["raw_row"]) for row in rows]


def _decide(
    lake: Lake, ledger: Ledger, revised: list[tuple[str, int, int]], policy: str
) -> list[tuple[int, int, str, str, str | None]]:
    """Return the fate of every version that is an event: the winner's and the losers'."""
    file_ids = sorted({file_id for _, file_id, _ in revised})
    events = stored.events(lake, ledger, file_ids)
    if not events:
        return []
    marks = ", ".join("?" * len(file_ids))
    where = {
        row["file_id"]: (str(lake.path(row["path"])), row["first_row"])
        for row in ledger.rows(
            f"SELECT file_id, path, first_row FROM stored_files WHERE file_id IN ({marks})", file_ids
        )
    }
    versions = pa.table(
        {
            "event_id": [event_id for event_id, _, _ in revised],
            "file_id": [file_id for _, file_id, _ in revised],
            "raw_row": [raw_row for _, _, raw_row in revised],
            "path": [where[file_id][0] for _, file_id, _ in revised],
            "stored_row": [where[file_id][1] + raw_row for _, file_id, raw_row in revised],
        }
    )
    paths = ", ".join(quote(path) for path in sorted({path for path, _ in where.values()}))
    loser = f"'quarantined', '{CONFLICT}'" if policy == "quarantine" else "'superseded', 'newer_revision'"
    if policy == "first":
        loser = "'superseded', 'older_revision'"
    lost_outcome, lost_reason = loser.split(", ")
    with connect() as connection:
        connection.register("versions", versions)
        return connection.sql(
            f"""
            WITH times AS (
              SELECT file_id, raw_row, min(occurred_at) AS occurred_at, min(received_at) AS received_at
              FROM ({events.query()}) SEMI JOIN versions USING (file_id, raw_row) GROUP BY ALL),
            prints AS (
              SELECT v.file_id, v.raw_row, r.fingerprint, r.sent_at
              FROM read_parquet([{paths}], filename = true, file_row_number = true, hive_partitioning = false) AS r
              JOIN versions AS v ON r.filename = v.path AND r.file_row_number = v.stored_row),
            ranked AS (
              SELECT v.file_id, v.raw_row, v.event_id,
                row_number() OVER (PARTITION BY v.event_id ORDER BY {_ORDERS[policy]}) AS place
              FROM versions AS v JOIN times USING (file_id, raw_row) JOIN prints USING (file_id, raw_row))
            SELECT file_id, raw_row, event_id,
              CASE WHEN place = 1 THEN 'standardised' ELSE {lost_outcome} END,
              CASE WHEN place = 1 THEN 'current_revision' ELSE {lost_reason} END
            FROM ranked ORDER BY ALL
            """
        ).fetchall()


@dataclass(frozen=True)
class BatchCounts:
    """Outcomes of one batch; ``pending`` are landed and not yet standardised."""

    batch_id: str
    source: str
    received: int
    suppressed: int
    landed: int
    standardised: int
    ignored: int
    duplicate: int
    superseded: int
    quarantined: int
    pending: int

    @property
    def holds(self) -> bool:
        """Say whether every received item is accounted for exactly once."""
        outcomes = self.standardised + self.ignored + self.duplicate + self.superseded + self.quarantined
        return self.received == self.landed + self.suppressed and self.landed == outcomes + self.pending


_COUNTS = """
WITH exceptions AS (
  SELECT f.batch_id, f.file_id, sum(c.outcome = 'ignored') AS ignored, sum(c.outcome = 'duplicate') AS duplicate,
    sum(c.outcome = 'superseded') AS superseded, sum(c.outcome = 'quarantined') AS quarantined,
    sum(c.outcome = 'quarantined' AND c.reason = 'conflicting_revision') AS conflicting
  FROM current_outcomes AS c JOIN files AS f USING (file_id) GROUP BY f.file_id),
per_file AS (
  SELECT f.batch_id, f.file_id, f.rows, coalesce(x.ignored, 0) AS ignored, coalesce(x.duplicate, 0) AS duplicate,
    coalesce(x.superseded, 0) AS superseded, coalesce(x.quarantined, 0) AS quarantined,
    coalesce(e.envelopes - coalesce(x.superseded, 0) - coalesce(x.conflicting, 0), 0) AS standardised,
    CASE WHEN e.file_id IS NULL AND f.zone = 'raw' THEN f.rows - coalesce(x.duplicate, 0) ELSE 0 END AS pending
  FROM files AS f LEFT JOIN exceptions AS x USING (file_id)
  LEFT JOIN event_files AS e ON e.file_id = f.file_id AND e.current)
SELECT b.batch_id, b.source, b.received, b.suppressed, b.landed,
  coalesce(sum(p.standardised), 0) AS standardised, coalesce(sum(p.ignored), 0) AS ignored,
  coalesce(sum(p.duplicate), 0) + (SELECT coalesce(sum(r.rows), 0) FROM repeated AS r WHERE r.batch_id = b.batch_id)
    AS duplicate,
  coalesce(sum(p.superseded), 0) AS superseded, coalesce(sum(p.quarantined), 0) AS quarantined,
  coalesce(sum(p.pending), 0) AS pending
FROM batches AS b LEFT JOIN per_file AS p USING (batch_id)
WHERE b.state = 'landed' AND (:source IS NULL OR b.source = :source)
GROUP BY b.batch_id ORDER BY b.batch_id
"""


def landed_batches(ledger: Ledger, source: str) -> frozenset[str]:
    """Return the ids of the batches of a source that have landed."""
    found = ledger.rows("SELECT batch_id FROM batches WHERE state = 'landed' AND source = ?", (source,))
    return frozenset(row[0] for row in found)


def counts(ledger: Ledger, source: str | None = None) -> list[BatchCounts]:
    """Return the outcomes of every landed batch (of one source)."""
    return [BatchCounts(**dict(row)) for row in ledger.rows(_COUNTS, {"source": source})]
