"""What is in quarantine: which envelopes, why, and how their payloads begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp.errors import CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.masking import mask

EXCERPT = 80
WHOLE = 16_384
"""Characters shown of a payload: by default, and where it is asked for as it is."""


@dataclass(frozen=True)
class Held:
    """One quarantined envelope; ``excerpt`` is how its payload begins, masked unless asked otherwise.

    ``detail`` says where and why a piece could not be read, where landing has found that out.
    """

    source: str
    reason: str
    file_id: int
    raw_row: int
    ingest_date: str
    event_id: str
    excerpt: str
    detail: str | None


_WHERE = "WHERE c.outcome = 'quarantined' AND (:all OR f.source IN (SELECT value FROM json_each(:sources)))"


def _parameters(sources: Sequence[str]) -> dict[str, object]:
    import json

    return {"all": not sources, "sources": json.dumps(list(sources))}


def reasons(ledger: Ledger, sources: Sequence[str] = ()) -> list[tuple[str, str, int]]:
    """Return (source, reason, envelopes), the most frequent first."""
    rows = ledger.rows(
        "SELECT f.source, c.reason, count(*) FROM current_outcomes AS c JOIN files AS f USING (file_id) "
        f"{_WHERE} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
        _parameters(sources),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def held(
    lake: Lake,
    ledger: Ledger,
    *,
    sources: Sequence[str] = (),
    reason: str | None = None,
    limit: int = 50,
    show: bool = False,
) -> list[Held]:
    """Return quarantined envelopes, the newest files first."""
    rows = ledger.rows(
        "SELECT f.source, c.reason, f.file_id, c.raw_row, f.ingest_date, c.event_id, f.path, "
        "f.first_row + c.raw_row AS place "
        f"FROM current_outcomes AS c JOIN stored_files AS f USING (file_id) {_WHERE} "
        "AND (:reason IS NULL OR c.reason = :reason) ORDER BY f.file_id DESC, c.raw_row LIMIT :limit",
        {**_parameters(sources), "reason": reason, "limit": limit},
    )
    wanted: dict[str, list[int]] = {}
    for row in rows:
        wanted.setdefault(row["path"], []).append(row["place"])
    length = WHOLE if show else EXCERPT
    found = {path: _pieces(lake, path, places, length) for path, places in wanted.items()}
    pieces = [found[row["path"]][row["place"]] for row in rows]
    return [
        Held(
            row["source"],
            row["reason"],
            row["file_id"],
            row["raw_row"],
            row["ingest_date"],
            row["event_id"],
            _excerpt(payload, length, show=show),
            detail,
        )
        for row, (payload, detail) in zip(rows, pieces, strict=True)
    ]


def _pieces(lake: Lake, path: str, rows: Sequence[int], length: int) -> dict[int, tuple[bytes, str | None]]:
    """Return the beginning of each row's payload, and its detail (files of the quarantine zone have one)."""
    try:
        file = pq.ParquetFile(lake.path(path))
        wanted = [name for name in ("payload", "detail") if name in file.schema_arrow.names]
        table = file.read(columns=wanted).take(pa.array(rows, pa.int64()))
    except (OSError, pa.ArrowInvalid) as error:
        raise CorruptError(
            f"The landed file {path} cannot be read ({type(error).__name__}).",
            hint="`cdp doctor` lists all such files.",
        ) from error
    payloads = pc.binary_slice(table["payload"], 0, 4 * length).to_pylist()
    details = table["detail"].to_pylist() if "detail" in table.column_names else [None] * len(payloads)
    return dict(zip(rows, zip(payloads, details, strict=True), strict=True))


def _excerpt(payload: bytes, length: int, *, show: bool) -> str:
    text = " ".join(payload.decode("utf-8", errors="replace").split())
    if len(text) > length:
        text = text[: length - 1] + "…"
    return text if show else mask(text) or ""
