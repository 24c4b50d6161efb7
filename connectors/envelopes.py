"""Envelopes: a chunk of payloads becomes rows of the raw zone, column by column.

The payloads are checked in bulk (UTF-8, JSON, size), and the envelope's own fields are taken out
in one pass. What cannot be read leaves the chunk with a reason, as rows of the quarantine zone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp import ids
from cdp.duck import quote
from cdp.schemas import QUARANTINE, RAW, RAW_SCHEMA_VERSION, TIMESTAMP
from connectors import times
from connectors.mapping import JOIN
from connectors.protocol import JSON, Chunk, Connector, Rejected

if TYPE_CHECKING:
    import duckdb

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class EnvelopeContext:
    """What all envelopes of one batch share."""

    source: str
    batch_id: str
    received_at: datetime
    timezone: str = "UTC"
    region: str | None = None


@dataclass
class Occurrences:
    """How often each content has been seen in the item so far (for ids made from content)."""

    seen: Counter[bytes] = field(default_factory=Counter)

    def event_id(self, canonical: bytes) -> str:
        key = hashlib.sha256(canonical).digest()[:16]
        occurrence = self.seen[key]
        self.seen[key] += 1
        return ids.content_event_id(canonical, occurrence)


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
    connection: duckdb.DuckDBPyConnection,
    connector: Connector,
    chunk: Chunk,
    context: EnvelopeContext,
    *,
    origin_sha: str,
    occurrences: Occurrences,
) -> tuple[pa.Table, pa.Table]:
    """Return the chunk's rows for the raw zone (``RAW``) and for quarantine (``QUARANTINE``)."""
    reader = _Reader(connector, chunk)
    fields = reader.fields(connection, context)
    raw = _raw_table(connection, reader, fields, context, origin_sha, occurrences)
    quarantine = quarantine_table(
        connection, connector, reader.rejected, context, origin_sha=origin_sha, occurrences=occurrences
    )
    return raw, quarantine


class _Reader:
    """The readable payloads of a chunk: columns row, sent, payload, fingerprint, document."""

    def __init__(self, connector: Connector, chunk: Chunk) -> None:
        self.connector = connector
        self.rejected: list[Rejected] = list(chunk.rejected)
        count = len(chunk.payloads)
        self.table = pa.table(
            {
                "row": pa.array(chunk.rows, pa.int64()),
                "sent": pa.array(chunk.sent, pa.string()) if chunk.sent else pa.nulls(count, pa.string()),
                "payload": pa.array(chunk.payloads, pa.binary()),
                "fingerprint": pa.array(map(ids.fingerprint, chunk.payloads), pa.binary(16), size=count),
            }
        )
        self._reject(pc.greater(pc.binary_length(self.table["payload"]), MAX_PAYLOAD_BYTES), "payload_too_large")
        if connector.decode is not None:
            self._decode()
        else:
            self._read_text(self.table["payload"])

    def fields(self, connection: duckdb.DuckDBPyConnection, context: EnvelopeContext) -> pa.Table:
        """Return event_id, type, occurred_at and sent_at per payload, after rejecting invalid JSON."""
        import duckdb

        try:
            return _fields(connection, self.table, self.connector, context)
        except duckdb.InvalidInputException:  # some document is not JSON: find out which
            connection.register("documents", self.table)
            valid = connection.sql("SELECT json_valid(document) AS ok FROM documents").to_arrow_table()["ok"]
            self._reject(pc.invert(valid), "invalid_json")
            return _fields(connection, self.table, self.connector, context)

    def _reject(self, bad: pa.ChunkedArray, reason: str) -> None:
        if not pc.any(bad, min_count=0).as_py():
            return
        gone = self.table.filter(bad)
        for row, payload in zip(gone["row"].to_pylist(), gone["payload"].to_pylist(), strict=True):
            self.rejected.append(Rejected(row, payload, reason, f"{len(payload)} bytes"))
        self.table = self.table.filter(pc.invert(bad))

    def _decode(self) -> None:
        """Read payloads that are not JSON; the first document of each gives the envelope's fields."""
        decoded = [decode(self.connector, payload) for payload in self.table["payload"].to_pylist()]
        reasons = {outcome for outcome in decoded if isinstance(outcome, str)}
        first = [None if isinstance(outcome, str) else outcome[0] if outcome else b"{}" for outcome in decoded]
        self.table = self.table.append_column("document", pa.array(first, pa.binary()))
        for reason in sorted(reasons):
            self._reject(pa.chunked_array([[outcome == reason for outcome in decoded]]), reason)
            decoded = [outcome for outcome in decoded if outcome != reason]
        documents = self.table["document"]
        self.table = self.table.drop_columns("document")
        self._read_text(documents)

    def _read_text(self, documents: pa.ChunkedArray) -> None:
        try:
            self.table = self.table.append_column("document", documents.cast(pa.string()))
        except pa.ArrowInvalid:
            bad = pa.chunked_array([[not _is_utf8(document) for document in documents.to_pylist()]])
            self._reject(bad, "not_utf8")
            self.table = self.table.append_column("document", documents.filter(pc.invert(bad)).cast(pa.string()))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode(connector: Connector, payload: bytes) -> list[bytes] | str:
    """Return the JSON documents of a payload, or the reason (a word) why it cannot be read."""
    if connector.decode is None:
        return [payload]
    try:
        return connector.decode(payload)
    except ValueError as error:
        reason = str(error)
        return reason if reason.replace("_", "").isalnum() and len(reason) < 40 else "unreadable_payload"


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
    extracted = f"json_extract_string(document, [{', '.join(map(quote, paths))}])" if paths else "[]::VARCHAR[]"
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
        SELECT event_id, type, {occurred.instant} AS occurred_at, {sent.instant} AS sent_at FROM named
        """
    ).to_arrow_table()


def _event_hashes(connection: duckdb.DuckDBPyConnection, event_ids: pa.Array) -> pa.ChunkedArray:
    connection.register("ids", pa.table({"event_id": event_ids}))
    return connection.sql("SELECT md5_number_lower(event_id)::UBIGINT AS h FROM ids").to_arrow_table()["h"]


def _filled_ids(found: pa.ChunkedArray, content_id: Callable[[int], str]) -> pa.Array:
    if found.null_count == 0:
        return found.combine_chunks()
    return pa.array(
        [value if value is not None else content_id(index) for index, value in enumerate(found.to_pylist())], pa.string()
    )


def _raw_table(
    connection: duckdb.DuckDBPyConnection,
    reader: _Reader,
    fields: pa.Table,
    context: EnvelopeContext,
    origin_sha: str,
    occurrences: Occurrences,
) -> pa.Table:
    payloads = reader.table["payload"]
    if not len(payloads):
        return RAW.empty_table()

    def content_id(index: int) -> str:
        return occurrences.event_id(canonical(payloads[index].as_py(), reader.connector.content_type))

    return _table(
        connection,
        reader.connector,
        context,
        origin_sha,
        event_ids=_filled_ids(fields["event_id"], content_id),
        rows=reader.table["row"],
        payloads=payloads,
        fingerprints=reader.table["fingerprint"],
        columns={name: fields[name].cast(RAW.field(name).type) for name in ("type", "occurred_at", "sent_at")},
    )


def quarantine_table(
    connection: duckdb.DuckDBPyConnection,
    connector: Connector,
    rejected: Iterable[Rejected],
    context: EnvelopeContext,
    *,
    origin_sha: str,
    occurrences: Occurrences,
) -> pa.Table:
    """Return rejected pieces as rows of the quarantine zone (``QUARANTINE``), in the item's order."""
    pieces = sorted(rejected, key=lambda piece: piece.row)
    if not pieces:
        return QUARANTINE.empty_table()
    nothing = {
        "type": pa.nulls(len(pieces), pa.string()),
        "occurred_at": pa.nulls(len(pieces), TIMESTAMP),
        "sent_at": pa.nulls(len(pieces), TIMESTAMP),
    }
    table = _table(
        connection,
        connector,
        context,
        origin_sha,
        event_ids=pa.array([occurrences.event_id(piece.payload) for piece in pieces], pa.string()),
        rows=pa.array([piece.row for piece in pieces], pa.int64()),
        payloads=pa.array([piece.payload for piece in pieces], pa.binary()),
        fingerprints=pa.array([ids.fingerprint(piece.payload) for piece in pieces], pa.binary(16)),
        columns=nothing,
    )
    for name in ("reason", "detail", "context"):
        values = pa.array([getattr(piece, name) for piece in pieces], pa.string())
        table = table.append_column(QUARANTINE.field(name), values)
    return table


def _table(
    connection: duckdb.DuckDBPyConnection,
    connector: Connector,
    context: EnvelopeContext,
    origin_sha: str,
    *,
    event_ids: pa.Array,
    rows: pa.Array | pa.ChunkedArray,
    payloads: pa.Array | pa.ChunkedArray,
    fingerprints: pa.Array | pa.ChunkedArray,
    columns: dict[str, pa.ChunkedArray | pa.Array],
) -> pa.Table:
    constants = {
        "source": context.source,
        "channel": connector.channel,
        "received_at": context.received_at,
        "batch_id": context.batch_id,
        "origin_file_sha": origin_sha,
        "connector_version": f"{connector.name}/{connector.version}",
        "schema_version": RAW_SCHEMA_VERSION,
        "content_type": connector.content_type,
    }
    values: dict[str, pa.Array | pa.ChunkedArray] = {
        name: pa.repeat(pa.scalar(value, RAW.field(name).type), len(rows)) for name, value in constants.items()
    }
    values |= columns
    values["event_id"] = event_ids
    values["origin_row"] = rows
    values["event_hash"] = _event_hashes(connection, event_ids)
    values["fingerprint"] = fingerprints
    values["payload"] = payloads
    return pa.table([values[name] for name in RAW.names], schema=RAW)
