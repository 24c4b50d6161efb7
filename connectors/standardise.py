"""Standardising: raw envelopes to events of one schema, and the fate of every envelope.

Pure: a raw table and a connector in, events and outcomes out. The order of rows, and how envelopes
are spread over files, do not change an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp.duck import connect
from cdp.identifiers import normalise_array
from cdp.schemas import EVENTS, EVENTS_SCHEMA_VERSION, OUTCOMES
from connectors.compile import (
    SourceContext,
    arrow_events,
    events_query,
    fold_query,
    identifier_columns,
    mapped_query,
)
from connectors.mapping import Mapping, digest
from connectors.protocol import Connector
from connectors.reading import decode

if TYPE_CHECKING:
    import duckdb

# Raise when this module, connectors.compile or connectors.times change what comes out.
ENGINE_VERSION = 1

_MEMBERS = pa.schema([("raw_row", pa.int64()), ("envelope_event_id", pa.string()), ("event_id", pa.string())])

_ENVELOPE_COLUMNS = ["event_id", "type", "channel", "sent_at", "received_at"]


@dataclass(frozen=True)
class StandardisedBatch:
    """Events (``cdp.schemas.EVENTS``) of one raw file, and outcomes (``OUTCOMES``) of the other rows.

    ``members`` (raw_row, envelope_event_id, event_id) lists every raw row that is part of an event.
    """

    events: pa.Table
    outcomes: pa.Table
    members: pa.Table


def mapping_hash(connector: Connector, context: SourceContext) -> str:
    """Return the identity of everything that decides what events an envelope becomes."""
    return digest(
        ENGINE_VERSION, EVENTS_SCHEMA_VERSION, connector.name, connector.version, connector.mapping, context
    )


def standardise(
    raw: pa.Table,
    connector: Connector,
    context: SourceContext,
    *,
    file_id: int,
    skip: pa.Array | None = None,
    rows: pa.Array | None = None,
    collected: bool = False,
) -> StandardisedBatch:
    """Return the events of a raw table (``cdp.schemas.RAW``); ``skip`` lists raw rows to leave out.

    ``rows`` gives the raw row of each table row where that is not its position. ``collected`` says that
    ``received_at`` is when each came over HTTP (see ``Mapping.skew``). Every raw row that is not skipped is
    either part of an event or has exactly one outcome (``ignored`` or ``quarantined``, with its reason).
    """
    rows = pa.array(range(raw.num_rows), pa.int64()) if rows is None else rows
    table = raw.append_column("raw_row", rows)
    if skip is not None and len(skip):
        table = table.filter(pc.invert(pc.is_in(rows, value_set=skip)))
    if table.num_rows == 0:
        return StandardisedBatch(EVENTS.empty_table(), OUTCOMES.empty_table(), _MEMBERS.empty_table())
    documents, failed = documents_of(table, connector)
    with connect() as connection:
        mapped = evaluated(connection, documents, connector.mapping, context)
        connection.register("mapped", mapped)
        query = events_query(connector.mapping, context, file_id, collected=collected)
        placed = connection.sql(query).to_arrow_table()
        events = _events(connection, placed, connector.mapping)
    members = placed.filter(pc.is_null(placed["fate"])).select(_MEMBERS.names).cast(_MEMBERS)
    return StandardisedBatch(
        events, pa.concat_tables([failed, _outcomes(placed, events, connector.mapping)]), members
    )


def documents_of(table: pa.Table, connector: Connector) -> tuple[pa.Table, pa.Table]:
    """Return (raw_row, doc, envelope columns, document) per JSON document, and outcomes of the unreadable."""
    if connector.decode is None:
        document = table["payload"].cast(pa.string())
        first = pa.repeat(pa.scalar(0, pa.int32()), table.num_rows)
        selected = table.select(["raw_row", *_ENVELOPE_COLUMNS])
        return selected.append_column("doc", first).append_column(
            "document", document
        ), OUTCOMES.empty_table()
    index: list[int] = []
    doc: list[int] = []
    text: list[bytes] = []
    failed: list[dict[str, object]] = []
    payloads = zip(
        table["raw_row"].to_pylist(), table["event_id"].to_pylist(), table["payload"].to_pylist(), strict=True
    )
    for position, (raw_row, event_id, payload) in enumerate(payloads):
        decoded = decode(connector, payload)
        if isinstance(decoded, str) or not decoded:
            outcome, reason = (
                ("quarantined", decoded) if isinstance(decoded, str) else ("ignored", "nothing_inside")
            )
            failed.append({"raw_row": raw_row, "event_id": event_id, "outcome": outcome, "reason": reason})
            continue
        index += [position] * len(decoded)
        doc += range(len(decoded))
        text += decoded
    chosen = table.select(["raw_row", *_ENVELOPE_COLUMNS]).take(pa.array(index, pa.int64()))
    documents = chosen.append_column("doc", pa.array(doc, pa.int32()))
    documents = documents.append_column("document", pa.array(text, pa.binary()).cast(pa.string()))
    return documents, pa.Table.from_pylist(failed, schema=OUTCOMES)


def evaluated(
    connection: duckdb.DuckDBPyConnection, documents: pa.Table, mapping: Mapping, context: SourceContext
) -> pa.Table:
    """Evaluate the expressions of the mapping, and normalise the identifiers."""
    connection.register("documents", documents)
    mapped = connection.sql(mapped_query(mapping, context)).to_arrow_table()
    for column in identifier_columns(mapping):
        position = mapped.schema.get_field_index(column.name)
        normalised = normalise_array(column.type, mapped.column(position), context.region)
        mapped = mapped.set_column(position, column.name, normalised)
    return mapped


def _events(connection: duckdb.DuckDBPyConnection, placed: pa.Table, mapping: Mapping) -> pa.Table:
    """Return what is an event, in the order of the raw rows (DuckDB keeps the order of its input)."""
    fate = placed["fate"]
    events = placed if fate.null_count == len(fate) else placed.filter(pc.is_null(fate))
    if not mapping.grouped or not events.num_rows:
        return arrow_events(events)
    connection.register("lines", events)
    folded = connection.sql(fold_query("lines")).to_arrow_table()
    return arrow_events(folded).sort_by([("raw_row", "ascending"), ("event_id", "ascending")])


def _outcomes(placed: pa.Table, events: pa.Table, mapping: Mapping) -> pa.Table:
    """Return one outcome per envelope none of whose documents became (part of) an event."""
    fated = placed.filter(pc.is_valid(placed["fate"]))
    if mapping.grouped:
        rest = fated
    else:
        rest = fated.filter(
            pc.invert(pc.is_in(fated["raw_row"], value_set=events["raw_row"].combine_chunks()))
        )
    first = rest.filter(pc.equal(rest["doc"], 0)) if rest.num_rows else rest
    parts = pc.split_pattern(first["fate"], ":", max_splits=1)
    return pa.table(
        [
            first["raw_row"],
            first["envelope_event_id"],
            pc.list_element(parts, 0),
            pc.list_element(parts, 1),
            pa.nulls(first.num_rows, pa.string()),
        ],
        schema=OUTCOMES,
    )


def reject(batch: StandardisedBatch, failing: pa.Array, reason: str) -> StandardisedBatch:
    """Return the batch without the events at the positions ``failing``; their envelopes are quarantined.

    With a folded event go all its lines, and with one event of an envelope its others.
    """
    bad_events = batch.events.take(failing)
    folded = bad_events.filter(pc.greater(bad_events["line_count"], 1))["event_id"].combine_chunks()
    bad = pc.or_(
        pc.is_in(batch.members["raw_row"], value_set=bad_events["raw_row"].combine_chunks()),
        pc.is_in(batch.members["event_id"], value_set=folded),
    )
    rows = (
        batch.members.filter(bad)
        .group_by("raw_row")
        .aggregate([("envelope_event_id", "min")])
        .sort_by("raw_row")
    )
    gone = rows["raw_row"].combine_chunks()
    outcomes = pa.table(
        [
            gone,
            rows["envelope_event_id_min"],
            pa.repeat(pa.scalar("quarantined"), rows.num_rows),
            pa.repeat(pa.scalar(reason), rows.num_rows),
            pa.nulls(rows.num_rows, pa.string()),
        ],
        schema=OUTCOMES,
    )
    events = batch.events.filter(pc.invert(pc.is_in(batch.events["raw_row"], value_set=gone)))
    return StandardisedBatch(
        events, pa.concat_tables([batch.outcomes, outcomes]), batch.members.filter(pc.invert(bad))
    )
