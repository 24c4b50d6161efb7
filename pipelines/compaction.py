"""Compaction: many small files of one source and day become one pack, beside readers and a live collector.

A landed file keeps its id, and each of its rows its number: the ledger says in which pack they lie, and where
it begins there. So outcomes, revisions, counts and digests stay as they are, and no table of a release
changes. Files of events are put together in the same way. A pack is written first, then one transaction moves
its files into it and retires what it takes the place of, which a later sweep removes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp import ids
from cdp.errors import CorruptError
from cdp.lake import StoredFile, pack_path
from cdp.ledger import Ledger, timestamp
from cdp.schemas import RAW_DICTIONARY_COLUMNS
from connectors.outcomes import EVENTS_DICTIONARY
from pipelines.session import Session

if TYPE_CHECKING:
    from cdp.lake import Lake

# What opening a file costs is then a small part of reading it (docs/explanation/landing-and-outcomes.md).
SMALL_BYTES = 8 * 1024 * 1024
# A pack stays so small that it is rewritten in a second or two.
PACK_BYTES = 64 * 1024 * 1024
# While a day lasts, its rows are rewritten a few times on their way to a pack of SMALL_BYTES; a day that is over gets
# no more files, and is done once.
MANY = 64
MANY_OF_A_PAST_DAY = 8

EVENTS_ZONE = "events"


@dataclass(frozen=True)
class Small:
    """A small file on disk: a landed file or file of events of its own, or a pack.

    ``files``: landed files whose rows lie in it and count, ``held``: with those that no longer do. ``rows`` counts.
    """

    zone: str
    ingest_date: str
    path: str
    first: int
    files: int
    held: int
    rows: int
    size: int
    pack_id: int | None

    @property
    def is_stale(self) -> bool:
        """Say whether it also holds events that have been made again elsewhere."""
        return self.files < self.held


@dataclass(frozen=True)
class CompactionReport:
    """What compacting a source did: files before and packs after, with their rows and bytes."""

    source: str
    files: int = 0
    packs: int = 0
    rows: int = 0
    size: int = 0


_LANDED = f"""
SELECT zone, ingest_date, path, min(file_id) AS first, count(*) AS files, count(*) AS held, stored_rows AS rows,
  stored_size AS size, pack_id
FROM stored_files WHERE source = :source AND stored_size < {SMALL_BYTES} GROUP BY path
"""

# Of a pack, the part that counts is what matters.
_EVENTS = f"""
SELECT '{EVENTS_ZONE}' AS zone, f.ingest_date, e.path, min(e.file_id) AS first, count(*) AS files,
  e.stored_files AS held, sum(e.events) AS rows, e.stored_size AS size, e.pack_id
FROM stored_events AS e JOIN files AS f USING (file_id)
WHERE f.source = :source AND e.current
GROUP BY e.path HAVING e.stored_size * sum(e.events) <= {SMALL_BYTES} * e.stored_rows
"""


def small_files(ledger: Ledger, source: str) -> list[list[Small]]:
    """Return the small files of a source, by zone and day, each in the order in which they landed."""
    found = [Small(**dict(row)) for sql in (_LANDED, _EVENTS) for row in ledger.rows(sql, {"source": source})]
    found.sort(key=lambda file: (file.zone, file.ingest_date, file.first))
    groups = itertools.groupby(found, key=lambda file: (file.zone, file.ingest_date))
    return [list(group) for _, group in groups]


def is_due(group: Sequence[Small], today: str) -> bool:
    """Say whether a run compacts the small files of one zone and day by itself."""
    return len(group) > (MANY if group[0].ingest_date >= today else MANY_OF_A_PAST_DAY)


def compact_due(session: Session, sources: Sequence[str]) -> list[CompactionReport]:
    """Compact what has become many small files; where there is nothing to do, this costs a look at the ledger."""
    today = session.moment().date().isoformat()
    reports = []
    for name in sources:
        groups = [group for group in small_files(session.ledger, name) if is_due(group, today)]
        if groups:
            reports.append(_compact(session, name, groups))
    return reports


def compact(session: Session, source: str) -> CompactionReport:
    """Compact all small files of a source, where two are of one zone and day."""
    groups = small_files(session.ledger, source)
    return _compact(session, source, groups)


def _compact(session: Session, source: str, groups: Sequence[Sequence[Small]]) -> CompactionReport:
    chunks = [chunk for group in groups for chunk in _chunks(session.lake, group)]
    if not chunks:
        return CompactionReport(source)
    with session.stage("compact", source) as counts:
        with session.progress.step(f"Compact {source}", sum(map(len, chunks))) as advance:
            written = []
            for chunk in chunks:
                written.append(_pack(session, source, chunk))
                advance(len(chunk))
        report = CompactionReport(
            source,
            sum(map(len, chunks)),
            len(written),
            sum(pack.rows for pack in written),
            sum(pack.size for pack in written),
        )
        counts |= {"files": report.files, "packs": report.packs, "rows": report.rows, "bytes": report.size}
    return report


def _chunks(lake: Lake, group: Sequence[Small]) -> Iterator[list[Small]]:
    """Yield what becomes one pack each: files of one schema, up to the size of a pack."""
    schemas: dict[str, list[Small]] = {}
    for file in group:
        schemas.setdefault(_opened(lake, file).schema_arrow.to_string(show_field_metadata=False), []).append(
            file
        )
    for files in schemas.values():
        chunk: list[Small] = []
        size = 0
        for file in files:
            if chunk and size + file.size > PACK_BYTES:
                yield from _worth(chunk)
                chunk, size = [], 0
            chunk.append(file)
            size += file.size
        yield from _worth(chunk)


def _worth(chunk: list[Small]) -> Iterator[list[Small]]:
    if len(chunk) > 1 or any(file.is_stale for file in chunk):
        yield chunk


def _opened(lake: Lake, file: Small) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(lake.path(file.path))
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(file, type(error).__name__) from error


def _damaged(file: Small, problem: str) -> CorruptError:
    advice = "make it again: cdp run --full" if file.zone == EVENTS_ZONE else "restore it from a backup"
    return CorruptError(
        f"The file {file.path} cannot be read ({problem}).",
        hint=f"It is left as it is. `cdp doctor` lists all such files; {advice}.",
    )


def _pack(session: Session, source: str, chunk: Sequence[Small]) -> StoredFile:
    """Write a pack and move its files into it."""
    lake, ledger = session.lake, session.ledger
    zone, day = chunk[0].zone, chunk[0].ingest_date
    name = ids.sha16(source, "\0".join([session.run_id, *(file.path for file in chunk)]).encode())
    schema = _opened(lake, chunk[0]).schema_arrow
    dictionary = EVENTS_DICTIONARY if zone == EVENTS_ZONE else RAW_DICTIONARY_COLUMNS
    tables = (_rows(session, file) for file in chunk)
    stored = lake.write_tables(pack_path(zone, source, day, name), tables, schema, dictionary=dictionary)
    files = sum(file.files for file in chunk)
    with ledger.transaction("pack"):
        made = ledger.execute(
            "INSERT INTO packs (zone, source, ingest_date, path, files, rows, size, run_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (zone, source, day, stored.path, files, stored.rows, stored.size, session.run_id),
        )
        offset = 0
        for file in chunk:
            _move(ledger, file, int(made.lastrowid or 0), offset)
            offset += file.rows
        _retire(ledger, [file.path for file in chunk], timestamp(session.moment()))
    return stored


def _retire(ledger: Ledger, paths: Sequence[str], moment: str) -> None:
    """Note what may go after a while, and forget packs in which nothing lies that counts."""
    ledger.execute_many("INSERT OR REPLACE INTO retired VALUES (?, ?)", [(path, moment) for path in paths])
    ledger.execute("UPDATE event_files SET pack_id = NULL WHERE NOT current AND pack_id IS NOT NULL")
    ledger.execute(
        "DELETE FROM packs WHERE NOT EXISTS (SELECT 1 FROM packed AS m WHERE m.pack_id = packs.pack_id) "
        "AND NOT EXISTS (SELECT 1 FROM event_files AS e WHERE e.pack_id = packs.pack_id)"
    )


def _rows(session: Session, file: Small) -> pa.Table:
    """Return the rows of a small file that count."""
    try:
        table = _opened(session.lake, file).read()
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(file, type(error).__name__) from error
    if file.is_stale:
        current = session.ledger.rows(
            "SELECT file_id FROM event_files WHERE current AND pack_id = ?", (file.pack_id,)
        )
        table = table.filter(pc.is_in(table["file_id"], pa.array([row[0] for row in current], pa.int64())))
    if table.num_rows != file.rows:
        raise _damaged(file, f"{table.num_rows} of {file.rows} rows")
    return table


def _move(ledger: Ledger, file: Small, pack_id: int, offset: int) -> None:
    """Say that a file's rows begin at ``offset`` of a pack now, inside a transaction."""
    if file.zone == EVENTS_ZONE:
        where = "file_id = ? AND pack_id IS NULL" if file.pack_id is None else "pack_id = ?"
        ledger.execute(
            f"UPDATE event_files SET pack_id = ? WHERE current AND {where}",
            (pack_id, file.first if file.pack_id is None else file.pack_id),
        )
    elif file.pack_id is None:
        ledger.execute("INSERT INTO packed VALUES (?, ?, ?)", (file.first, pack_id, offset))
    else:
        ledger.execute(
            "UPDATE packed SET pack_id = ?, first_row = first_row + ? WHERE pack_id = ?",
            (pack_id, offset, file.pack_id),
        )
