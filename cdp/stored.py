"""Where rows are on disk: each landed file and its events in files of their own, or many in one pack.

The ledger's views ``stored_files`` and ``stored_events`` say where; this module reads. Readers take the
paths from the ledger when they begin, and have time: what a pack takes the place of is not removed at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cdp.duck import quote
from cdp.lake import Lake
from cdp.ledger import Ledger

_CACHED_GROUPS = 2


@dataclass(frozen=True)
class EventFiles:
    """Files of events: ``whole`` ones, and ``parts``, packs of which only the rows of some file_ids count."""

    whole: tuple[Path, ...] = ()
    parts: Mapping[Path, Sequence[int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.whole or self.parts)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (*self.whole, *self.parts)

    def query(self) -> str:
        """Return the query that reads them; there must be one at least."""
        listed = ", ".join(quote(str(path)) for path in self.whole)
        selects = [f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"] if self.whole else []
        selects += [
            f"SELECT * FROM read_parquet({quote(str(path))}, hive_partitioning = false) "
            f"WHERE file_id IN ({', '.join(map(str, ids))})"
            for path, ids in self.parts.items()
        ]
        return " UNION ALL BY NAME ".join(selects)


def events(lake: Lake, ledger: Ledger, of: Collection[int] | None = None) -> EventFiles:
    """Return the files that hold the current events: of all landed files, or of those with these ids."""
    rows = ledger.rows(
        "SELECT path, file_id, stored_files FROM stored_events WHERE current ORDER BY path, file_id"
    )
    ids: dict[str, list[int]] = {}
    for row in rows:
        ids.setdefault(row["path"], []).append(row["file_id"])
    held = {row["path"]: row["stored_files"] for row in rows}
    asked = None if of is None else frozenset(of)
    wanted = [path for path in ids if asked is None or not asked.isdisjoint(ids[path])]
    whole = tuple(lake.path(path) for path in wanted if len(ids[path]) == held[path])
    parts = {lake.path(path): ids[path] for path in wanted if len(ids[path]) < held[path]}
    return EventFiles(whole, parts)


class RowReader:
    """Reads rows of Parquet files by position, one small range after the other without reading twice."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._path: Path | None = None
        self._file: pq.ParquetFile | None = None
        self._groups: dict[int, pa.Table] = {}

    def read(self, path: Path, first: int, count: int) -> pa.Table:
        """Return ``count`` rows from ``first`` on, of the columns that the file has."""
        file = self._open(path)
        parts = []
        for group, start, size in _groups(file):
            begin, end = max(first, start), min(first + count, start + size)
            if begin < end:
                rows = self._group(file, group, keep=end - begin < size)
                parts.append(rows.slice(begin - start, end - begin))
        return pa.concat_tables(parts) if parts else file.read_row_groups([], columns=self.columns)

    def _open(self, path: Path) -> pq.ParquetFile:
        if self._file is None or path != self._path:
            self._file, self._path, self._groups = pq.ParquetFile(path), path, {}
        return self._file

    def _group(self, file: pq.ParquetFile, group: int, *, keep: bool) -> pa.Table:
        if group in self._groups:
            return self._groups[group]
        table = file.read_row_group(group, columns=self.columns)
        if keep:
            while len(self._groups) >= _CACHED_GROUPS:
                del self._groups[next(iter(self._groups))]
            self._groups[group] = table
        return table


def _groups(file: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Yield number, first row and rows of each row group."""
    start = 0
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        yield group, start, size
        start += size
