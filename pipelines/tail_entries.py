"""What each of the newest envelopes says: its event by today's mapping, who it is of, what became of it so far."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from cdp.ledger import Ledger
from connectors.standardise import documents_of, standardise

if TYPE_CHECKING:
    from connectors.compile import SourceContext
    from connectors.protocol import Connector

WAITING: Final = "waiting"
"""A collector has taken it; it has not landed."""
PENDING: Final = "pending"
"""It has landed, and is not standardised."""
SUPPRESSED: Final = "suppressed"
"""It will not land: it names somebody on the suppression list. Nothing else of it is told."""

Fate = tuple[str, str | None]
"""Outcome and reason."""


@dataclass(frozen=True)
class Entry:
    """One envelope. ``type``: as its source says; ``event_type`` and what follows: by the mapping, of the first event.

    ``events``: how many events it becomes. ``payload``: JSON documents (one as such, several as a list), or the
    bytes of what is none; None where it was not asked for.
    """

    received_at: datetime
    occurred_at: datetime | None
    event_id: str
    channel: str
    type: str | None
    outcome: str
    reason: str | None = None
    event_type: str | None = None
    events: int = 0
    subject: str | None = None
    page: str | None = None
    campaign: str | None = None
    product: str | None = None
    reference: str | None = None
    identifiers: tuple[tuple[str, str, str], ...] = ()
    traits: Mapping[str, str] = field(default_factory=dict)
    payload: Any = None


def ungrouped(connector: Connector) -> Connector:
    """Return the connector for looking at single envelopes: lines do not fold into one event."""
    if not connector.mapping.grouped:
        return connector
    mapping = dataclasses.replace(connector.mapping, grouped=False, event_id=None)
    return dataclasses.replace(connector, mapping=mapping)


def fates(ledger: Ledger, rows: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Fate]:
    """Return the outcome so far of landed rows, by (file, row)."""
    asked = json.dumps([list(row) for row in rows])
    told = ledger.rows(
        "SELECT c.file_id, c.raw_row, c.outcome, c.reason FROM json_each(?) AS r JOIN current_outcomes AS c "
        "ON c.file_id = r.value ->> 0 AND c.raw_row = r.value ->> 1",
        (asked,),
    )
    done = ledger.rows(
        "SELECT file_id FROM event_files WHERE current AND file_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted({file_id for file_id, _ in rows})),),
    )
    standardised = {row["file_id"] for row in done}
    found: dict[tuple[int, int], Fate] = {
        row: ("standardised" if row[0] in standardised else PENDING, None) for row in rows
    }
    return found | {(row["file_id"], row["raw_row"]): (row["outcome"], row["reason"]) for row in told}


def entries(
    table: pa.Table,
    fate_of: Sequence[Fate],
    connector: Connector,
    context: SourceContext,
    *,
    payloads: bool = False,
) -> list[Entry]:
    """Return an entry for each row of ``table`` (``pipelines.tail_rows.ROWS``), in its order."""
    events = _events(table, connector, context)
    documents = _documents(table, connector) if payloads else {}
    columns = table.select(
        ["received_at", "occurred_at", "event_id", "channel", "type", "payload"]
    ).to_pylist()
    found = []
    for number, (row, (outcome, reason)) in enumerate(zip(columns, fate_of, strict=True)):
        payload = row.pop("payload")
        if outcome == SUPPRESSED:
            found.append(Entry(row["received_at"], None, "", row["channel"], None, outcome))
            continue
        shown = documents.get(number, payload) if payloads else None
        more = events.get(number, {})
        found.append(Entry(**{**row, **more}, outcome=outcome, reason=reason, payload=shown))
    return found


def _readable(table: pa.Table) -> pa.Table:
    """Return the rows that the mapping can read, with their positions."""
    numbered = table.append_column("raw_row", pa.array(range(len(table)), pa.int64()))
    return numbered.filter(pc.equal(numbered["zone"], "raw"))


def _events(table: pa.Table, connector: Connector, context: SourceContext) -> dict[int, dict[str, Any]]:
    """Return what the mapping makes of each row that it makes something of."""
    raw = _readable(table)
    if not len(raw):
        return {}
    batch = standardise(
        raw.drop_columns("raw_row"), connector, context, file_id=0, rows=raw["raw_row"].combine_chunks()
    )
    found: dict[int, dict[str, Any]] = {}
    for event in batch.events.to_pylist():
        known = found.get(event["raw_row"])
        if known is not None:
            known["events"] += 1
            continue
        found[event["raw_row"]] = {
            "event_type": event["event_type"],
            "channel": event["channel"],
            "occurred_at": event["occurred_at"] if event["time_flag"] != "missing" else None,
            "events": 1,
            "page": _page(event["properties"]),
            "identifiers": tuple(tuple(one.values()) for one in event["identifiers"] or ()),
            "traits": {name: value for name, value in (event["traits"] or {}).items() if value},
            **{name: event[name] for name in ("subject", "campaign", "product", "reference")},
        }
    return found


def _page(properties: str | None) -> str | None:
    """Return the page that an event's properties name."""
    found = json.loads(properties) if properties else {}
    place = found.get("path") or found.get("url") if isinstance(found, dict) else None
    return place if isinstance(place, str) else None


def _documents(table: pa.Table, connector: Connector) -> dict[int, Any]:
    """Return the JSON documents of each row that has any; of several a list."""
    raw = _readable(table)
    texts: dict[int, list[Any]] = {}
    if len(raw):
        documents, _ = documents_of(raw, connector)
        for row, text in zip(
            documents["raw_row"].to_pylist(), documents["document"].to_pylist(), strict=True
        ):
            texts.setdefault(row, []).append(_parsed(text))
    return {row: found[0] if len(found) == 1 else found for row, found in texts.items()}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
