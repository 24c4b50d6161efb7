"""A table out of a file of people: CSV, JSON lines or Parquet, every column as text.

Nothing is lost without a word: a broken row is an error that names its line, and a column that cannot be
compared is named in ``notes``.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET_MAGIC: Final = b"PAR1"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_JSON_SUFFIXES: Final = frozenset({".jsonl", ".ndjson", ".json"})
_CSV_SUFFIXES: Final = frozenset({".csv", ".tsv", ".txt"})


@dataclass(frozen=True)
class TableFile:
    """Columns of text in the order of the file, and what a reader should know about the reading."""

    table: pa.Table
    format: str
    notes: tuple[str, ...] = ()


def read(path: Path, ids: str | None = None) -> TableFile:
    """Read a file; its format is told by its first bytes, then by its name. ``ids``: the column of ids, if known.

    Raises :class:`NotFoundError` where there is none, and :class:`UsageError` where it is empty or broken.
    """
    try:
        with path.open("rb") as handle:
            start = handle.read(4)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.", hint=_near(path)) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", hint="Name a readable file.") from None
    if not start:
        raise UsageError(f"{path} is empty.", hint="Expected CSV, JSON lines or Parquet.")
    if start == _PARQUET_MAGIC:
        from cdp.cli.table_columns import read_parquet

        found = TableFile(*read_parquet(path, ids))
    else:
        found = _read_text(path, zipped=start.startswith(_GZIP_MAGIC))
    if not found.table.num_rows:
        raise UsageError(f"{path} has no rows.", hint="Expected one row per record.")
    return found


def _near(path: Path) -> str:
    from cdp.errors import nearest

    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    close = nearest(path.name, beside)
    return f"Did you mean {path.with_name(close)}?" if close else "Name a CSV, JSON lines or Parquet file."


def _read_text(path: Path, *, zipped: bool) -> TableFile:
    from cdp.cli.table_columns import read_json
    from cdp.cli.table_csv import decoded, read_csv

    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".parquet", ".pq"):
        raise UsageError(f"{path} is no Parquet file, whatever its name says.", hint="Name it as what it is.")
    data, notes = decoded(_bytes(path, zipped=zipped))
    is_json = suffix in _JSON_SUFFIXES or (suffix not in _CSV_SUFFIXES and data.lstrip()[:1] == b"{")
    if is_json:
        table, more = read_json(path, data)
        return TableFile(table, "JSON lines", (*notes, *more))
    table, dialect, more = read_csv(path, data)
    return TableFile(table, dialect, (*notes, *more))


def _bytes(path: Path, *, zipped: bool) -> bytes:
    if not zipped:
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UsageError(f"{path} is a broken gzip file.", hint="Copy it again.") from None
