"""The newest envelopes of a source: rows of landed files, and requests that a collector has not landed yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp.duck import quote
from cdp.errors import CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.schemas import RAW, TIMESTAMP
from connectors.batch import Lander, Origin
from connectors.collector import wal
from connectors.collector.pieces import Pieces
from connectors.envelopes import EnvelopeContext, seal
from connectors.protocol import Chunk
from connectors.reading import Gathered, Item

if TYPE_CHECKING:
    import duckdb

_COLUMNS: Final = (
    "event_id", "channel", "type", "occurred_at", "sent_at", "received_at", "origin_file_sha", "origin_row",
    "content_type", "payload",
)  # fmt: skip

ROWS: Final = pa.schema(
    [
        *(RAW.field(name) for name in _COLUMNS),
        pa.field("zone", pa.string()),
        pa.field("file_id", pa.int64()),
        pa.field("stored_row", pa.int64()),
        pa.field("reason", pa.string()),
    ]
)
"""An envelope and where it is: its zone, file and position in it; of one that has not landed ``file_id`` is NULL.

``reason``: why one that has not landed will be in quarantine; of landed ones the ledger knows.
"""

ARRIVAL: Final = ("received_at", "zone", "file_id", "stored_row")
"""The order of arrival. What came in one file came at once; then what could be read of it counts as newer."""


Place = tuple[int, int]
"""When a request came (microseconds since 1970), and a row's number in its segment: the same before and after landing."""


@dataclass(frozen=True)
class LandedFile:
    """A landed file, where its rows are now, and whether a collector took them."""

    file_id: int
    zone: str
    batch_id: str
    collected: bool
    path: Path
    first_row: int
    rows: int


def files(ledger: Ledger, lake: Lake, source: str, *, after: int = -1, most: int = -1) -> list[LandedFile]:
    """Return the files of a source behind file ``after``, the newest ``most`` of them, the newest first."""
    rows = ledger.rows(
        "SELECT f.file_id, f.zone, f.batch_id, b.collected, f.path, f.first_row, f.rows "
        "FROM stored_files AS f JOIN batches AS b USING (batch_id) "
        "WHERE f.source = ? AND f.file_id > ? ORDER BY f.file_id DESC LIMIT ?",
        (source, after, most),
    )
    return [
        LandedFile(**{**dict(row), "collected": bool(row["collected"]), "path": lake.path(row["path"])})
        for row in rows
    ]


def newest_files(ledger: Ledger, lake: Lake, source: str, rows: int) -> list[LandedFile]:
    """Return the files that hold the newest ``rows`` envelopes of a source, the newest first; it is always there."""
    found: list[LandedFile] = []
    counts = {"raw": 0, "quarantine": 0}
    for file in files(ledger, lake, source, most=max(2 * rows, 2)):
        if found and counts["raw"] >= rows:
            break
        if found and file.batch_id != found[-1].batch_id and sum(counts.values()) >= rows:
            break
        found.append(file)
        counts[file.zone] += file.rows
    return found


def read(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[LandedFile],
    rows: int,
    seen: Sequence[Place] = (),
    *,
    since: datetime | None = None,
) -> tuple[pa.Table, int]:
    """Return the last ``rows`` rows (``ROWS``) of each file in order of arrival, and how many there are besides.

    Rows that a collector took do not count where they were ``seen`` while they waited, or came before ``since``.
    """
    import duckdb

    if not chosen:
        return ROWS.empty_table(), 0
    if seen:
        connection.register("seen", _places(seen))
    join = "ANTI JOIN seen USING (received_at, origin_row)" if seen else ""
    condition = f" AND received_at >= {quote(since.isoformat())}::TIMESTAMPTZ" if since else ""
    sql = " UNION ALL ".join(
        _select(file, rows, join, condition) if file.collected else _select(file, rows) for file in chosen
    )
    try:
        table = connection.sql(f"SELECT * FROM ({sql}) ORDER BY {', '.join(ARRIVAL)}").to_arrow_table()
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise CorruptError(
            f"A landed file cannot be read ({type(error).__name__}).",
            hint="`cdp doctor` lists all such files.",
        ) from error
    shown = table.select(ROWS.names).cast(ROWS)
    together = table.select(["file_id", "together"]).group_by("file_id").aggregate([("together", "max")])
    total = sum(together["together_max"].to_pylist())
    return shown, total - len(shown)


def _places(seen: Sequence[Place]) -> pa.Table:
    received, rows = zip(*seen, strict=True)
    columns = [pa.array(received, pa.int64()).cast(TIMESTAMP), pa.array(rows, pa.int64())]
    return pa.table(columns, names=["received_at", "origin_row"])


def _select(file: LandedFile, rows: int, join: str = "", condition: str = "") -> str:
    some = bool(join or condition)
    # Where all rows count, those before the last ones need not be read.
    first = file.first_row + (0 if some else max(file.rows - rows, 0))
    return (
        f"SELECT {', '.join(_COLUMNS)}, {quote(file.zone)} AS zone, {file.file_id}::BIGINT AS file_id, "
        f"file_row_number - {file.first_row} AS stored_row, NULL::VARCHAR AS reason, "
        f"{'count(*) OVER ()' if some else file.rows} AS together "
        f"FROM read_parquet({quote(str(file.path))}, file_row_number = true, hive_partitioning = false) {join} "
        f"WHERE file_row_number BETWEEN {first} AND {file.first_row + file.rows - 1}{condition} "
        f"QUALIFY row_number() OVER (ORDER BY file_row_number DESC) <= {rows}"
    )


@dataclass(frozen=True)
class Taken:
    """Requests as rows (``ROWS``): the newest of them. ``places``: of all; ``last``: the number of the last row."""

    table: pa.Table
    places: Sequence[Place]
    last: int


def taken(
    lander: Lander, origin: str, requests: Sequence[wal.Request], *, before: int, rows: int, most_bytes: int
) -> Taken:
    """Return what requests of a segment will land as, numbered on from row ``before`` of it.

    ``most_bytes``: the longest event that is taken. They have the ids that they will have.
    """
    found: list[tuple[Chunk, Item]] = []
    places: list[Place] = []
    last = before
    for chunk, item in Pieces(Origin(origin, "", 0, ""), lander, most_bytes).of(requests):
        chunk.rows = [row + before for row in chunk.rows]
        chunk.rejected = [dataclasses.replace(one, row=one.row + before) for one in chunk.rejected]
        here = [*zip(chunk.received, chunk.rows, strict=True)]
        here += [(one.received_us, one.row) for one in chunk.rejected]
        places += [(received or 0, row) for received, row in here]
        last = max([last, *(row for _, row in here)])
        found.append((chunk, item))
    gathered, room = Gathered(), rows
    kept: list[tuple[Chunk, Item]] = []
    for chunk, item in reversed(found):
        if room <= 0:
            break
        kept.append((_last(chunk, room), item))
        room -= len(kept[-1][0])
    for chunk, item in reversed(kept):
        gathered.add(chunk, item)
    return Taken(_rows(lander, gathered), places, last)


def _last(chunk: Chunk, rows: int) -> Chunk:
    """Return the last rows of a chunk; what was rejected of it goes first."""
    fewer = max(rows, 0)
    payloads = min(len(chunk.payloads), fewer)
    start = len(chunk.payloads) - payloads
    return Chunk(
        chunk.payloads[start:],
        chunk.rows[start:],
        chunk.sent[start:],
        chunk.rejected[len(chunk.rejected) - min(len(chunk.rejected), fewer - payloads) :],
        chunk.received[start:],
        chunk.kinds[start:],
    )


def _rows(lander: Lander, gathered: Gathered) -> pa.Table:
    if not gathered:
        return ROWS.empty_table()
    source = lander.source
    context = EnvelopeContext(source.name, "", datetime.now(UTC), source.timezone, source.region or None)
    tables = []
    for zone, table in zip(
        ("raw", "quarantine"), seal(lander.connection, lander.connector, gathered, context), strict=True
    ):
        count = len(table)
        columns = {name: table[name] for name in _COLUMNS}
        columns["zone"] = pa.repeat(pa.scalar(zone), count)
        columns["file_id"] = pa.nulls(count, pa.int64())
        columns["stored_row"] = pa.nulls(count, pa.int64())
        columns["reason"] = table["reason"] if zone == "quarantine" else pa.nulls(count, pa.string())
        tables.append(pa.table([columns[name] for name in ROWS.names], schema=ROWS))
    return pa.concat_tables(tables)
