"""Samples of bounded size from a source's landed files: few files, spread over time, few rows of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.duck import quote
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

WHOLE_READ_BYTES: Final = 16 << 20
"""Files up to here are sampled all over; of larger ones the first rows are taken."""


@dataclass(frozen=True)
class Piece:
    """Rows of one landed file: those of ``path`` from ``first_row`` on."""

    path: Path
    first_row: int
    rows: int
    size: int


def newest(ledger: Ledger, source: str) -> datetime | None:
    """Return when the newest batch of a source began that has anything in the raw zone."""
    found = ledger.value(
        "SELECT max(b.received_at) FROM files AS f JOIN batches AS b USING (batch_id) "
        "WHERE f.source = ? AND f.zone = 'raw'",
        (source,),
    )
    return datetime.fromisoformat(found) if found else None


def file_ids(
    ledger: Ledger, source: str, *, since: datetime | None = None, before: datetime | None = None
) -> list[int]:
    """Return the raw files of a source that landed from ``since`` on and before ``before``, in order."""
    rows = ledger.rows(
        "SELECT f.file_id FROM files AS f JOIN batches AS b USING (batch_id) WHERE f.source = :source "
        "AND f.zone = 'raw' AND (:since IS NULL OR b.received_at >= :since) "
        "AND (:before IS NULL OR b.received_at < :before) ORDER BY f.file_id",
        {
            "source": source,
            "since": timestamp(since) if since else None,
            "before": timestamp(before) if before else None,
        },
    )
    return [row[0] for row in rows]


def spread(ids: Sequence[int], most: int) -> list[int]:
    """Return up to ``most`` of ``ids``, evenly spread, the last among them.

    >>> spread(range(10), 3), spread([1, 2], 5)
    ([2, 5, 9], [1, 2])
    """
    if len(ids) <= most:
        return list(ids)
    return [ids[(number + 1) * len(ids) // most - 1] for number in range(most)]


def pieces(lake: Lake, ledger: Ledger, ids: Sequence[int]) -> list[Piece]:
    """Return where the rows of these files are now; files that are not there are left out."""
    rows = ledger.rows(
        "SELECT path, first_row, rows, stored_rows, stored_size FROM stored_files "
        "WHERE file_id IN (SELECT value FROM json_each(?)) ORDER BY file_id",
        (json.dumps(list(ids)),),
    )
    found = (
        Piece(
            lake.path(row["path"]),
            row["first_row"],
            row["rows"],
            row["stored_size"] * row["rows"] // max(row["stored_rows"], 1),
        )
        for row in rows
    )
    return [piece for piece in found if piece.path.is_file()]


def query(chosen: Sequence[Piece], columns: Sequence[str], rows: int) -> str:
    """Return a query of up to ``rows`` rows of each piece, evenly spread over it; there must be one at least."""
    return " UNION ALL ".join(_select(piece, ", ".join(columns), rows) for piece in chosen)


def _select(piece: Piece, columns: str, rows: int) -> str:
    taken = min(piece.rows, rows)
    step = piece.rows // max(taken, 1) if piece.size <= WHOLE_READ_BYTES else 1
    last = piece.first_row + step * (taken - 1)
    spaced = f" AND (file_row_number - {piece.first_row}) % {step} = 0" if step > 1 else ""
    return (
        f"SELECT {columns} FROM read_parquet({quote(str(piece.path))}, file_row_number = true, "
        f"hive_partitioning = false) WHERE file_row_number BETWEEN {piece.first_row} AND {last}{spaced}"
    )


def read(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table | None:
    """Return the rows of a query over landed files; None where one of them cannot be read (`cdp doctor` says why)."""
    import duckdb

    try:
        return connection.sql(sql).to_arrow_table()
    except (duckdb.IOException, duckdb.InvalidInputException):
        return None
