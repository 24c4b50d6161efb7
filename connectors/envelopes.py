"""Envelopes: gathered payloads become rows of the raw zone, column by column.

The envelope's own fields are taken out of all payloads in one pass. What cannot be read
(:mod:`connectors.reading`) becomes rows of the quarantine zone, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp import ids
from cdp.duck import quote
from cdp.schemas import QUARANTINE, RAW, RAW_SCHEMA_VERSION, TIMESTAMP
from connectors import times
from connectors.mapping import JOIN
from connectors.protocol import FORM, JSON, MULTIPART, Connector
from connectors.reading import Gathered, Item, Readable

if TYPE_CHECKING:
    import duckdb

# 64 stable bits of the id: DuckDB's own hash() may change with its version.
_HASH = "md5_number_lower(event_id)::UBIGINT"


@dataclass(frozen=True)
class EnvelopeContext:
    """What all envelopes of one batch share."""

    source: str
    batch_id: str
    received_at: datetime
    timezone: str = "UTC"
    region: str | None = None


def canonical(payload: bytes, content_type: str) -> bytes:
    """Return the payload with its keys sorted where it is JSON, else as it is.

    >>> canonical(b'{"b": 1, "a": 2}', "application/json")
    b'{"a":2,"b":1}'
    """
    import orjson

    if content_type != JSON:
        return payload
    try:
        return orjson.dumps(orjson.loads(payload), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return payload


def seal(
    connection: duckdb.DuckDBPyConnection, connector: Connector, gathered: Gathered, context: EnvelopeContext
) -> tuple[pa.Table, pa.Table]:
    """Return the rows of what was gathered for the raw zone (``RAW``) and for quarantine (``QUARANTINE``)."""
    import duckdb

    readable = Readable(connector, gathered)
    try:
        fields = _fields(connection, readable.table, connector, context)
    except duckdb.InvalidInputException:  # some document is not JSON: find out which
        readable.reject_invalid_json(connection)
        fields = _fields(connection, readable.table, connector, context)
    raw = _raw_table(connection, readable, fields, gathered.items, context)
    return raw, _quarantine_table(connection, readable, gathered.items, context)


def _atoms(paths: Iterable[str]) -> list[str]:
    """Return the single JSON paths of ``paths``, each once."""
    return list(dict.fromkeys(atom for path in paths for atom in path.split(JOIN)))


def _first(paths: Sequence[str], atoms: Sequence[str]) -> str:
    """Return SQL of the first path that gives a value, over the list ``f`` of the atoms' values."""
    values = [[f"nullif(f[{atoms.index(atom) + 1}], '')" for atom in path.split(JOIN)] for path in paths]
    parts = [" || ':' || ".join(value) for value in values]
    return f"coalesce({', '.join(parts)})" if parts else "NULL::VARCHAR"


def _fields(
    connection: duckdb.DuckDBPyConnection, documents: pa.Table, connector: Connector, context: EnvelopeContext
) -> pa.Table:
    envelope = connector.envelope
    connection.register("documents", documents)
    paths = _atoms([*envelope.event_id, *envelope.type, *envelope.occurred_at, *envelope.sent_at])
    extracted = (
        f"json_extract_string(document, [{', '.join(map(quote, paths))}])" if paths else "[]::VARCHAR[]"
    )
    occurred = times.parse("occurred_text", timezone=context.timezone, region=context.region)
    sent = times.parse("sent_text", timezone=context.timezone, region=context.region)
    return connection.sql(
        f"""
        WITH extracted AS (SELECT sent, {extracted} AS f FROM documents),
        named AS (
          SELECT {_first(envelope.event_id, paths)} AS event_id, {_first(envelope.type, paths)} AS type,
            {_first(envelope.occurred_at, paths)} AS occurred_text,
            coalesce({_first(envelope.sent_at, paths)}, sent) AS sent_text
          FROM extracted)
        SELECT event_id, {_HASH} AS event_hash, type, {occurred.instant} AS occurred_at, {sent.instant} AS sent_at
        FROM named
        """
    ).to_arrow_table()


def _content_ids(
    connection: duckdb.DuckDBPyConnection, fields: pa.Table, readable: Readable, items: Sequence[Item]
) -> tuple[pa.Array, pa.Array]:
    """Return all event ids and their hashes: the source's own, and those made from content."""
    own_ids, hashes = fields["event_id"].combine_chunks(), fields["event_hash"].combine_chunks()
    if own_ids.null_count == 0:
        return own_ids, hashes
    missing = pc.is_null(own_ids)
    lacking = readable.table.select(["item", "row", "payload"]).filter(missing)
    content_type = readable.connector.content_type
    made = pa.array(
        [
            items[item].event_id(canonical(payload, content_type), row)
            for item, row, payload in zip(
                *(lacking[name].to_pylist() for name in lacking.column_names), strict=True
            )
        ],
        pa.string(),
    )
    made_hashes = _hashes(connection, made)
    return pc.replace_with_mask(own_ids, missing, made), pc.replace_with_mask(hashes, missing, made_hashes)


def _hashes(connection: duckdb.DuckDBPyConnection, event_ids: pa.Array) -> pa.Array:
    connection.register("ids", pa.table({"event_id": event_ids}))
    return connection.sql(f"SELECT {_HASH} AS h FROM ids").to_arrow_table()["h"].combine_chunks()


def _raw_table(
    connection: duckdb.DuckDBPyConnection,
    readable: Readable,
    fields: pa.Table,
    items: Sequence[Item],
    context: EnvelopeContext,
) -> pa.Table:
    table = readable.table
    if not table.num_rows:
        return RAW.empty_table()
    event_ids, hashes = _content_ids(connection, fields, readable, items)
    columns = {name: fields[name].cast(RAW.field(name).type) for name in ("type", "occurred_at", "sent_at")}
    columns |= {"event_id": event_ids, "event_hash": hashes, "origin_row": table["row"]}
    columns |= {"payload": table["payload"], "fingerprint": table["fingerprint"]}
    columns["type"] = pc.coalesce(columns["type"], table["kind"])
    columns["received_at"] = _received(table["received"], context)
    if readable.connector.posted:
        columns["content_type"] = _content_types(table["payload"], readable.connector.content_type)
    return _table(readable.connector, context, columns, table["item"], items)


def _content_types(payloads: pa.ChunkedArray, usual: str) -> pa.ChunkedArray:
    """Return the usual type of what looks like JSON, and that of forms for all else."""
    begins = pc.binary_slice(payloads, 0, 2)
    multipart = pc.equal(begins, pa.scalar(b"--", pa.binary()))
    is_json = pc.is_in(pc.binary_slice(begins, 0, 1), value_set=pa.array([b"{", b"["], pa.binary()))
    return pc.if_else(is_json, usual, pc.if_else(multipart, MULTIPART, FORM))


def _received(
    received_us: pa.Array | pa.ChunkedArray, context: EnvelopeContext
) -> pa.Array | pa.ChunkedArray:
    """Return when each came: its own time, else that of the batch."""
    return pc.coalesce(received_us.cast(TIMESTAMP), pa.scalar(context.received_at, TIMESTAMP))


def _quarantine_table(
    connection: duckdb.DuckDBPyConnection, readable: Readable, items: Sequence[Item], context: EnvelopeContext
) -> pa.Table:
    """Return rejected pieces as rows of the quarantine zone, in the order of their items."""
    pieces = sorted(readable.rejected, key=lambda piece: (piece[0], piece[1].row))
    if not pieces:
        return QUARANTINE.empty_table()
    event_ids = pa.array(
        [items[item].event_id(piece.payload, piece.row) for item, piece in pieces], pa.string()
    )
    received = pa.array([piece.received_us for _, piece in pieces], pa.int64())
    columns = {
        "type": pa.array([piece.kind for _, piece in pieces], pa.string()),
        "received_at": _received(received, context),
        "occurred_at": pa.nulls(len(pieces), TIMESTAMP),
        "sent_at": pa.nulls(len(pieces), TIMESTAMP),
        "event_id": event_ids,
        "event_hash": _hashes(connection, event_ids),
        "origin_row": pa.array([piece.row for _, piece in pieces], pa.int64()),
        "payload": pa.array([piece.payload for _, piece in pieces], pa.binary()),
        "fingerprint": pa.array([ids.fingerprint(piece.payload) for _, piece in pieces], pa.binary(16)),
    }
    item_of = pa.array([item for item, _ in pieces], pa.int32())
    table = _table(readable.connector, context, columns, item_of, items)
    for name in ("reason", "detail", "context"):
        values = pa.array([getattr(piece, name) for _, piece in pieces], pa.string())
        table = table.append_column(QUARANTINE.field(name), values)
    return table


def _table(
    connector: Connector,
    context: EnvelopeContext,
    columns: dict[str, pa.Array | pa.ChunkedArray],
    item_of: pa.Array | pa.ChunkedArray,
    items: Sequence[Item],
) -> pa.Table:
    constants = {
        "source": context.source,
        "channel": connector.channel,
        "batch_id": context.batch_id,
        "connector_version": f"{connector.name}/{connector.version}",
        "schema_version": RAW_SCHEMA_VERSION,
        "content_type": connector.content_type,
    }
    count = len(item_of)
    values = {
        name: pa.repeat(pa.scalar(value, RAW.field(name).type), count) for name, value in constants.items()
    }
    values |= columns
    values["origin_file_sha"] = pc.take(pa.array([item.sha for item in items], pa.string()), item_of)
    return pa.table([values[name] for name in RAW.names], schema=RAW)
