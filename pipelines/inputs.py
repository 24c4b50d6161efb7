"""What the stages after standardising read, as the ledger lists it, and digests over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from cdp import stored
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.stored import EventFiles
from connectors.outcomes import CONFLICT
from pipelines import digests
from pipelines.records import EXCLUDED


@dataclass(frozen=True)
class EventInputs:
    """The current files of events, and the envelopes whose events no longer count."""

    files: EventFiles
    excluded: pa.Table
    digest: str


def events(lake: Lake, ledger: Ledger) -> EventInputs:
    """Return the events as they stand. Where they are stored makes no difference to the digest."""
    files = ledger.rows("SELECT path, events, size FROM event_files WHERE current ORDER BY path")
    lost = ledger.rows(
        "SELECT file_id, raw_row FROM current_outcomes WHERE outcome = 'superseded' OR reason = ? "
        "ORDER BY file_id, raw_row",
        (CONFLICT,),
    )
    excluded = pa.table({name: [row[name] for row in lost] for name in EXCLUDED.names}, schema=EXCLUDED)
    digest = digests.digest(digests.rows_digest(files), digests.rows_digest(lost))
    return EventInputs(stored.events(lake, ledger), excluded, digest)


_JUDGEMENTS = pa.schema(
    [
        ("left_record", pa.string()),
        ("right_record", pa.string()),
        ("kind", pa.string()),
        ("decided_at", pa.string()),
    ]
)


def judgements(ledger: Ledger) -> pa.Table:
    """Return people's judgements on pairs of records, oldest first, without those that were taken back."""
    rows = ledger.rows(
        "SELECT left_record, right_record, kind, decided_at FROM judgements WHERE withdrawn_at IS NULL "
        "ORDER BY judgement_id"
    )
    return pa.table({name: [row[name] for row in rows] for name in _JUDGEMENTS.names}, schema=_JUDGEMENTS)


def table(ledger: Ledger, sql: str, schema: pa.Schema) -> pa.Table:
    """Return the rows of a query as a table; texts of time become timestamps where the schema says so."""
    rows = ledger.rows(sql)
    columns: Mapping[str, pa.Array] = {
        field.name: _column([row[field.name] for row in rows], field.type) for field in schema
    }
    return pa.table(columns, schema=schema)


def _column(values: list[object], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.string()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
