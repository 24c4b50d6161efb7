"""Which payloads can be read: size, UTF-8, JSON, and decoding where a payload is no JSON itself.

Chunks of several items are gathered first, so that the checks, and all that follows, work on full
columns however small the files are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp import ids
from connectors.protocol import CHUNK_ROWS, Chunk, Connector, Rejected

if TYPE_CHECKING:
    import duckdb

# Mail services let messages of 25 MB through.
MAX_PAYLOAD_BYTES = 32 * 1024 * 1024
GATHERED_BYTES = 128 * 1024 * 1024


@dataclass(slots=True)
class Item:
    """A source item: the SHA-256 of its bytes, and how often each content has been seen in it.

    Contents are equal only under one ``salt``; where they are told apart ``by_row``, no two are.
    """

    sha: str
    salt: str = ""
    by_row: bool = False
    seen: Counter[bytes] | None = None

    def event_id(self, canonical: bytes, row: int) -> str:
        """Return the id made from content; equal contents of one item are told apart by their count."""
        if self.seen is None:
            self.seen = Counter()
        salt = f"{self.salt}#{row}" if self.by_row else self.salt
        content = salt.encode() + b"\x00" + canonical if salt else canonical
        key = hashlib.sha256(content).digest()[:16]
        occurrence = self.seen[key]
        self.seen[key] += 1
        return ids.content_event_id(content, occurrence)


@dataclass
class Gathered:
    """Payloads of several items as columns; ``item_of`` is the position in ``items`` of each."""

    items: list[Item] = field(default_factory=list)
    item_of: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    sent: list[str | None] = field(default_factory=list)
    received: list[int | None] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    size: int = 0

    def add(self, chunk: Chunk, item: Item) -> None:
        """Take in a chunk of ``item``."""
        if not self.items or self.items[-1] is not item:
            self.items.append(item)
        position, count = len(self.items) - 1, len(chunk.payloads)
        self.item_of += [position] * count
        self.payloads += chunk.payloads
        self.rows += chunk.rows
        self.sent += chunk.sent or [None] * count
        self.received += chunk.received or [None] * count
        self.kinds += chunk.kinds or [None] * count
        self.rejected += [(position, piece) for piece in chunk.rejected]
        self.size += sum(map(len, chunk.payloads))

    @property
    def full(self) -> bool:
        """Say whether it is time to make a file of it."""
        return len(self.payloads) >= CHUNK_ROWS or self.size >= GATHERED_BYTES

    def __bool__(self) -> bool:
        return bool(self.payloads or self.rejected)


class Readable:
    """The readable payloads of a gathering.

    Columns: item, row, sent, received, kind, payload, fingerprint, document.
    """

    def __init__(self, connector: Connector, gathered: Gathered) -> None:
        self.connector = connector
        self.rejected = list(gathered.rejected)
        count = len(gathered.payloads)
        self.table = pa.table(
            {
                "item": pa.array(gathered.item_of, pa.int32()),
                "row": pa.array(gathered.rows, pa.int64()),
                "sent": _column(gathered.sent, pa.string()),
                "received": _column(gathered.received, pa.int64()),
                "kind": _column(gathered.kinds, pa.string()),
                "payload": pa.array(gathered.payloads, pa.binary()),
                "fingerprint": pa.array(map(ids.fingerprint, gathered.payloads), pa.binary(16), size=count),
            }
        )
        self._reject(
            pc.greater(pc.binary_length(self.table["payload"]), MAX_PAYLOAD_BYTES), "payload_too_large"
        )
        if connector.decode is not None:
            self._decode()
        else:
            self._read_text(self.table["payload"])

    def reject_invalid_json(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Reject every document that is not JSON."""
        connection.register("documents", self.table)
        valid = connection.sql("SELECT json_valid(document) AS ok FROM documents").to_arrow_table()["ok"]
        self._reject(pc.invert(valid), "invalid_json")

    def _reject(self, bad: pa.ChunkedArray, reason: str) -> None:
        if not pc.any(bad, min_count=0).as_py():
            return
        gone = self.table.filter(bad)
        columns = (gone[name].to_pylist() for name in ("item", "row", "payload", "received", "kind"))
        for item, row, payload, received, kind in zip(*columns, strict=True):
            detail = f"{len(payload)} bytes"
            piece = Rejected(row, payload, reason, detail, received_us=received, kind=kind)
            self.rejected.append((item, piece))
        self.table = self.table.filter(pc.invert(bad))

    def _decode(self) -> None:
        """Read payloads that are not JSON; the first document of each gives the envelope's fields."""
        previews = [preview(self.connector, payload) for payload in self.table["payload"].to_pylist()]
        documents = [found if isinstance(found, bytes) else None for found in previews]
        self.table = self.table.append_column("document", pa.array(documents, pa.binary()))
        for reason in sorted({found for found in previews if isinstance(found, str)}):
            self._reject(pa.chunked_array([[found == reason for found in previews]]), reason)
            previews = [found for found in previews if found != reason]
        documents = self.table["document"]
        self.table = self.table.drop_columns("document")
        self._read_text(documents)

    def _read_text(self, documents: pa.ChunkedArray) -> None:
        try:
            self.table = self.table.append_column("document", documents.cast(pa.string()))
        except pa.ArrowInvalid:
            bad = pa.chunked_array([[not _is_utf8(document) for document in documents.to_pylist()]])
            self._reject(bad, "not_utf8")
            self.table = self.table.append_column(
                "document", documents.filter(pc.invert(bad)).cast(pa.string())
            )


def _column(values: list[Any], type_: pa.DataType) -> pa.Array:
    return pa.array(values, type_) if any(values) else pa.nulls(len(values), type_)


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
        return _reason(error)


def preview(connector: Connector, payload: bytes) -> bytes | str:
    """Return a document with the envelope's fields of a payload, or the reason why it cannot be read."""
    if connector.preview is None:
        decoded = decode(connector, payload)
        return decoded if isinstance(decoded, str) else decoded[0] if decoded else b"{}"
    try:
        return connector.preview(payload)
    except ValueError as error:
        return _reason(error)


def _reason(error: ValueError) -> str:
    """Return the word that a connector gave as the reason; of any other text no word gets out."""
    text = str(error)
    return text if text.replace("_", "").isalnum() and len(text) < 40 else "unreadable_payload"
