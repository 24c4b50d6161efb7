"""The files of a workspace: where each zone lives, and how Parquet gets there whole.

Readers never search folders: they list files from the ledger. A file that the ledger does not
list is an orphan of a run that died, and is swept when the next one starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cdp import durable
from cdp.schemas import RAW_DICTIONARY_COLUMNS

ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES = 64 * 1024 * 1024
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3

CONFIG_FILE = "cdp.yaml"
ZONES = ("landing", "events", "identity", "releases", "exports")
WAL = "landing/wal"
"""What the collector has acknowledged and not yet landed: no ledger lists it, and no sweep touches it."""
SWEPT = ("landing/raw", "landing/quarantine", "events", "identity", "history")


@dataclass(frozen=True)
class StoredFile:
    """A file that has been written: its path below the workspace, rows and bytes."""

    path: str
    rows: int
    size: int


@dataclass(frozen=True)
class Lake:
    """Paths and atomic writes below one workspace folder."""

    root: Path

    def path(self, relative: str) -> Path:
        """Return the absolute path of ``relative``."""
        return self.root / relative

    @property
    def ledger_path(self) -> Path:
        """The ledger."""
        return self.root / "ledger.sqlite"

    @property
    def releases(self) -> Path:
        """Folder of the published releases."""
        return self.root / "releases"

    @property
    def exports(self) -> Path:
        """Folder of the exports."""
        return self.root / "exports"

    @property
    def logs(self) -> Path:
        """Folder of the runs' logs."""
        return self.root / "logs"

    def write_parquet(
        self,
        relative: str,
        table: pa.Table,
        *,
        dictionary: Iterable[str] = (),
        row_group_rows: int = ROW_GROUP_ROWS,
    ) -> StoredFile:
        """Write ``table`` durably to ``relative``; dictionary encoding only where it is named."""
        final = self.path(relative)
        with durable.atomic_file(final) as temporary:
            options = _written_as(table.schema, dictionary)
            pq.write_table(table, temporary, row_group_size=row_group_rows, **options)
        return StoredFile(relative, table.num_rows, final.stat().st_size)

    def write_tables(
        self,
        relative: str,
        tables: Iterable[pa.Table],
        schema: pa.Schema,
        *,
        dictionary: Iterable[str] = (),
    ) -> StoredFile:
        """Write tables of one schema durably to one file, holding no more than a row group at a time."""
        final = self.path(relative)
        rows = 0
        with (
            durable.atomic_file(final) as temporary,
            pq.ParquetWriter(temporary, schema, **_written_as(schema, dictionary)) as writer,
        ):
            for group in _row_groups(tables):
                writer.write_table(group, row_group_size=group.num_rows)
                rows += group.num_rows
        return StoredFile(relative, rows, final.stat().st_size)

    def write_raw(self, relative: str, table: pa.Table) -> StoredFile:
        """Write a raw or quarantine table (``cdp.schemas.RAW``, ``QUARANTINE``)."""
        return self.write_parquet(relative, table, dictionary=RAW_DICTIONARY_COLUMNS)

    def sweep(self, listed: set[str], *, zones: Iterable[str] = SWEPT) -> int:
        """Remove files of these zones that are not ``listed`` (relative paths); return how many."""
        swept = 0
        for zone in zones:
            for path in sorted(self.path(zone).rglob("*")):
                if path.is_file() and path.relative_to(self.root).as_posix() not in listed:
                    durable.remove(path)
                    swept += 1
        return swept


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Gather small tables up to a row group's rows or bytes."""
    gathered: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        if gathered and (rows + table.num_rows > ROW_GROUP_ROWS or size + table.nbytes > ROW_GROUP_BYTES):
            yield pa.concat_tables(gathered)
            gathered, rows, size = [], 0, 0
        if table.num_rows:
            gathered.append(table)
            rows, size = rows + table.num_rows, size + table.nbytes
    if gathered:
        yield pa.concat_tables(gathered)


def _written_as(schema: pa.Schema, dictionary: Iterable[str]) -> dict[str, Any]:
    """Return the options of every Parquet file of a workspace; dictionaries only for columns that are named."""
    return {
        "compression": COMPRESSION,
        "compression_level": COMPRESSION_LEVEL,
        "use_dictionary": [name for name in dictionary if name in schema.names] or False,
        "write_statistics": _with_statistics(schema),
    }


def _with_statistics(schema: pa.Schema) -> list[str] | bool:
    """Return the columns that get statistics: numbers and times.

    DuckDB 2.0 takes a text column whose smallest value is its largest one for constant where it filters,
    also where some of its values are NULL: ``IS NULL`` is then true for every row. Without statistics it looks.
    """
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_nested)
    return [field.name for field in schema if not any(is_text(field.type) for is_text in texts)] or False


def raw_path(zone: str, source: str, ingest_date: str, name: str) -> str:
    """Return the relative path of a landed file; ``zone`` is ``raw`` or ``quarantine``."""
    return f"landing/{zone}/source={source}/ingest_date={ingest_date}/{name}.parquet"


def events_path(source: str, file_id: int, name: str, mapping_hash: str) -> str:
    """Return the relative path of the standardised events of one raw file under one mapping."""
    return f"events/source={source}/{file_id:06d}-{name}-{mapping_hash}.parquet"


def pack_path(zone: str, source: str, ingest_date: str, name: str) -> str:
    """Return the relative path of a pack of landed files (``zone``: raw, quarantine) or of events.

    >>> pack_path("events", "web", "2026-03-01", "c70c3d893dd4badf")
    'events/source=web/pack-2026-03-01-c70c3d893dd4badf.parquet'
    """
    if zone == "events":
        return f"events/source={source}/pack-{ingest_date}-{name}.parquet"
    return raw_path(zone, source, ingest_date, f"pack-{name}")
