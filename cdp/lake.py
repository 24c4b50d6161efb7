"""The files of a workspace: where each zone lives, and how Parquet gets there whole.

Readers never search folders: they list files from the ledger. A file that the ledger does not
list is an orphan of a run that died, and is swept when the next one starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cdp import durable
from cdp.schemas import RAW_DICTIONARY_COLUMNS

ROW_GROUP_ROWS = 131_072
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3

CONFIG_FILE = "cdp.yaml"
ZONES = ("landing", "events", "identity", "releases", "exports")
WAL = "landing/wal"
"""What the collector has acknowledged and not yet landed: no ledger lists it, and no sweep touches it."""
SWEPT = ("landing/raw", "landing/quarantine", "events", "identity")


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
        columns = [name for name in dictionary if name in table.schema.names]
        with durable.atomic_file(final) as temporary:
            pq.write_table(
                table,
                temporary,
                compression=COMPRESSION,
                compression_level=COMPRESSION_LEVEL,
                row_group_size=row_group_rows,
                use_dictionary=columns or False,
                write_statistics=_with_statistics(table.schema),
            )
        return StoredFile(relative, table.num_rows, final.stat().st_size)

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
