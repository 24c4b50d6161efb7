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
from pipelines.masking import mask

EXCERPT = 80


@dataclass(frozen=True)
class Held:
    """One quarantined envelope; ``excerpt`` is how its payload begins, masked unless asked otherwise."""

    source: str
    reason: str
    file_id: int
    raw_row: int
    ingest_date: str
    event_id: str
    excerpt: str


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
        "SELECT f.source, c.reason, f.file_id, c.raw_row, f.ingest_date, c.event_id, f.path "
        f"FROM current_outcomes AS c JOIN files AS f USING (file_id) {_WHERE} "
        "AND (:reason IS NULL OR c.reason = :reason) ORDER BY f.file_id DESC, c.raw_row LIMIT :limit",
        {**_parameters(sources), "reason": reason, "limit": limit},
    )
    wanted: dict[str, list[int]] = {}
    for row in rows:
        wanted.setdefault(row["path"], []).append(row["raw_row"])
    payloads = {path: _payloads(lake, path, places) for path, places in wanted.items()}
    return [
        Held(
            row["source"],
            row["reason"],
            row["file_id"],
            row["raw_row"],
            row["ingest_date"],
            row["event_id"],
            _excerpt(payloads[row["path"]][row["raw_row"]], show=show),
        )
        for row in rows
    ]


def _payloads(lake: Lake, path: str, rows: Sequence[int]) -> dict[int, bytes]:
    try:
        column = pq.read_table(lake.path(path), columns=["payload"])["payload"]
    except (OSError, pa.ArrowInvalid) as error:
        raise CorruptError(
            f"The landed file {path} cannot be read ({type(error).__name__}).",
            hint="`cdp doctor` lists all such files.",
        ) from error
    chosen = pc.binary_slice(column.take(pa.array(rows, pa.int64())), 0, 4 * EXCERPT)
    return dict(zip(rows, chosen.to_pylist(), strict=True))


def _excerpt(payload: bytes, *, show: bool) -> str:
    text = " ".join(payload.decode("utf-8", errors="replace").split())
    if len(text) > EXCERPT:
        text = text[: EXCERPT - 1] + "…"
    return text if show else mask(text) or ""
