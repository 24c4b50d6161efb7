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
    """The readable payloads of a chunk with the text of their JSON documents."""

    def __init__(self, connector: Connector, chunk: Chunk) -> None:
        self.connector = connector
        self.rejected: list[Rejected] = list(chunk.rejected)
        self.payloads, self.rows = chunk.payloads, chunk.rows
        self.sent: Sequence[str | None] = chunk.sent or [None] * len(chunk.payloads)
        self._reject([len(payload) > MAX_PAYLOAD_BYTES for payload in self.payloads], "payload_too_large")
        documents = self._decoded(connector) if connector.decode else pa.array(self.payloads, pa.binary())
        self.documents = self._text(documents)

    def fields(self, connection: duckdb.DuckDBPyConnection, context: EnvelopeContext) -> pa.Table:
        """Return event_id, type, occurred_at and sent_at per payload, after rejecting invalid JSON."""
        import duckdb

        try:
            return _fields(connection, self._table(), self.connector, context)
        except duckdb.InvalidInputException:  # some document is not JSON: find out which
            self._reject_invalid_json(connection)
            return _fields(connection, self._table(), self.connector, context)

    def _table(self) -> pa.Table:
        return pa.table({"document": self.documents, "sent": pa.array(self.sent, pa.string())})

    def _keep(self, keep: Sequence[bool]) -> None:
        self.payloads = [value for value, kept in zip(self.payloads, keep, strict=True) if kept]
        self.rows = [value for value, kept in zip(self.rows, keep, strict=True) if kept]
        self.sent = [value for value, kept in zip(self.sent, keep, strict=True) if kept]

    def _reject(self, bad: Sequence[bool], reason: str) -> None:
        if not any(bad):
            return
        for row, payload, is_bad in zip(self.rows, self.payloads, bad, strict=True):
            if is_bad:
                self.rejected.append(Rejected(row, payload, reason, f"{len(payload)} bytes"))
        self._keep([not is_bad for is_bad in bad])

    def _decoded(self, connector: Connector) -> pa.Array:
        documents, keep = [], []
        for row, payload in zip(self.rows, self.payloads, strict=True):
            outcome = decode(connector, payload)
            keep.append(not isinstance(outcome, str))
            if isinstance(outcome, str):
                self.rejected.append(Rejected(row, payload, outcome))
            else:
                documents.append(outcome[0] if outcome else b"{}")
        self._keep(keep)
        return pa.array(documents, pa.binary())

    def _text(self, documents: pa.Array) -> pa.Array:
        try:
            return documents.cast(pa.string())
        except pa.ArrowInvalid:
            bad = [not _is_utf8(document) for document in documents.to_pylist()]
            self._reject(bad, "not_utf8")
            return documents.filter(pc.invert(pa.array(bad))).cast(pa.string())

    def _reject_invalid_json(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.register("documents", self._table())
        valid = connection.sql("SELECT json_valid(document) AS ok FROM documents").to_arrow_table()["ok"]
        self._reject([not ok for ok in valid.to_pylist()], "invalid_json")
        self.documents = self.documents.filter(valid.combine_chunks())


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


def _first(paths: Sequence[str], all_paths: Sequence[str]) -> str:
    parts = [f"nullif(f[{all_paths.index(path) + 1}], '')" for path in paths]
    return f"coalesce({', '.join(parts)})" if parts else "NULL::VARCHAR"


def _fields(
    connection: duckdb.DuckDBPyConnection, documents: pa.Table, connector: Connector, context: EnvelopeContext
) -> pa.Table:
    envelope = connector.envelope
    connection.register("documents", documents)
    paths = list(dict.fromkeys([*envelope.event_id, *envelope.type, *envelope.occurred_at, *envelope.sent_at]))
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
    if not reader.payloads:
        return RAW.empty_table()

    def content_id(index: int) -> str:
        return occurrences.event_id(canonical(reader.payloads[index], reader.connector.content_type))

    return _table(
        connection,
        reader.connector,
        context,
        origin_sha,
        event_ids=_filled_ids(fields["event_id"], content_id),
        rows=reader.rows,
        payloads=reader.payloads,
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
        rows=[piece.row for piece in pieces],
        payloads=[piece.payload for piece in pieces],
        columns=nothing,
    )
    table = table.append_column(QUARANTINE.field("reason"), pa.array([piece.reason for piece in pieces], pa.string()))
    return table.append_column(QUARANTINE.field("detail"), pa.array([piece.detail for piece in pieces], pa.string()))


def _table(
    connection: duckdb.DuckDBPyConnection,
    connector: Connector,
    context: EnvelopeContext,
    origin_sha: str,
    *,
    event_ids: pa.Array,
    rows: Sequence[int],
    payloads: Sequence[bytes],
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
    values["origin_row"] = pa.array(rows, pa.int64())
    values["event_hash"] = _event_hashes(connection, event_ids)
    values["fingerprint"] = pa.array([ids.fingerprint(payload) for payload in payloads], pa.binary(16))
    values["payload"] = pa.array(payloads, pa.binary())
    return pa.table([values[name] for name in RAW.names], schema=RAW)
