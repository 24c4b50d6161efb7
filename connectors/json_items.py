"""JSON documents out of the bytes of a source item, each of them verbatim.

Understood are: a document a line (NDJSON), one document over many lines, an array (its items are
the documents), documents one after the other, and mixtures, with or without a byte order mark;
UTF-16 with its mark is turned into UTF-8. A piece that cannot be a document is rejected
(``invalid_json``, ``truncated``, ``not_an_object``) and the rest survives.

**Left to landing**, which does it in bulk: that each payload is valid UTF-8 (``not_utf8``) and valid
JSON (``invalid_json``). Lines that begin with ``{`` and end with ``}`` are handed on unread.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from connectors.json_scan import spans
from connectors.protocol import CHUNK_ROWS, Chunk, Rejected

_WHITE = b" \t\r\n\f\v"
_GLUED = re.compile(rb"\}\{")
_SAMPLE = 1 << 20  # bytes looked at to tell how lines end
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A payload of an item, or with ``reason`` what could not be read (see ``Rejected``)."""

    payload: bytes
    sent: str | None = None
    reason: str | None = None
    detail: str | None = None


Splitter = Callable[[bytes], Sequence[Piece] | None]
"""Divides a document into its payloads; None where the document is itself the one payload."""

_RAW_ITEMS: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


def elements(document: bytes) -> list[bytes] | None:
    """Return the items of a JSON array, verbatim; None where it is no valid array.

    >>> elements(b'[{"a": 1.0}, 2]')
    [b'{"a": 1.0}', b'2']
    """
    try:
        return [bytes(item) for item in _RAW_ITEMS.decode(document)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def members(document: bytes) -> dict[str, bytes] | None:
    """Return the values of a JSON object by key, verbatim; None where it is no valid object.

    >>> members(b'{"a": [1, 2], "b": 1e3}')
    {'a': b'[1, 2]', 'b': b'1e3'}
    """
    try:
        return {key: bytes(value) for key, value in _RAW_MEMBERS.decode(document).items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def compose(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a JSON object from keys and verbatim values.

    >>> compose([("a", b"1.0"), ("b", b"[2]")])
    b'{"a":1.0,"b":[2]}'
    """
    return b"{" + b",".join(msgspec.json.encode(key) + b":" + value for key, value in parts) + b"}"


def documents(data: bytes) -> Iterator[Piece]:
    """Yield the documents of an item in order.

    >>> [piece.payload for piece in documents(b'[{"a": 1}, {"a": 2}]')]
    [b'{"a": 1}', b'{"a": 2}']
    """
    for part in _parts(data):
        if isinstance(part, Piece):
            yield part
        else:
            yield from map(Piece, part)


def chunks(data: bytes, splitter: Splitter | None = None, inside: bytes | None = None) -> Iterator[Chunk]:
    r"""Yield the payloads of an item in chunks; ``splitter`` may divide a document further.

    ``inside`` (a pattern) names the member whose list ``splitter`` divides: of a document that was
    cut off, the items of that list that are whole count.

    Rows count the pieces of the item from 1, so in a file of lines without blanks they are lines.

    >>> [chunk.payloads for chunk in chunks(b'{"a": 1}\n{"a": 2}\n')]
    [[b'{"a": 1}', b'{"a": 2}']]
    """
    if splitter is not None:
        yield from collect(_split(documents(data), splitter, inside))
        return
    row = 1
    for lines, pieces in itertools.groupby(_parts(data), lambda part: isinstance(part, list)):
        if not lines:
            for chunk in collect((piece for piece in pieces if isinstance(piece, Piece)), row):
                row += len(chunk)
                yield chunk
            continue
        for part in pieces:
            for start in range(0, len(part) if isinstance(part, list) else 0, CHUNK_ROWS):
                payloads = part[start : start + CHUNK_ROWS]  # type: ignore[index]
                yield Chunk(payloads, list(range(row, row + len(payloads))))
                row += len(payloads)


def collect(pieces: Iterable[Piece], first_row: int = 1) -> Iterator[Chunk]:
    """Yield chunks of the pieces in order, numbered from ``first_row``."""
    numbered = enumerate(pieces, first_row)
    while batch := list(itertools.islice(numbered, CHUNK_ROWS)):
        good = [(row, piece) for row, piece in batch if piece.reason is None]
        sent = [piece.sent for _, piece in good]
        yield Chunk(
            [piece.payload for _, piece in good],
            [row for row, _ in good],
            sent if any(sent) else [],
            [Rejected(row, p.payload, p.reason, p.detail) for row, p in batch if p.reason is not None],
        )


def _split(pieces: Iterable[Piece], splitter: Splitter, inside: bytes | None) -> Iterator[Piece]:
    opened = re.compile(rb'"(?:' + inside + rb')"\s*:\s*(?=\[)') if inside is not None else None
    for piece in pieces:
        if piece.reason == "truncated" and opened is not None and (start := opened.search(piece.payload)):
            yield from _scanned(piece.payload[start.end() :])
        elif piece.reason is None and (inner := splitter(piece.payload)) is not None:
            yield from inner
        else:
            yield piece


def _parts(data: bytes) -> Iterator[Piece | list[bytes]]:
    """Yield runs of lines that need no look inside, and single pieces, in order."""
    try:
        body = _utf8(data).strip(_WHITE)
    except UnicodeDecodeError:
        yield Piece(
            data, reason="not_utf8", detail="the byte order mark says UTF-16 or UTF-32, the rest does not"
        )
        return
    if not body:
        return
    lines = body.split(b"\r\n" if body.count(b"\r\n", 0, _SAMPLE) else b"\n") if body[:1] == b"{" else []
    whole = all(line[:1] == b"{" and line[-1:] == b"}" for line in lines)
    if len(lines) > 1 and whole and _GLUED.search(body) is None:
        yield lines
    else:
        yield from _mixed(body, body.count(b"\n"))


def _utf8(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    for mark, encoding in _WIDE:
        if data.startswith(mark):
            return data.decode(encoding).encode()
    return data


def _mixed(body: bytes, breaks: int) -> Iterator[Piece | list[bytes]]:
    if body[:1] == b"{" and _is_json(body):
        yield Piece(body)
        return
    if body[:1] == b"[" and (items := elements(body)) is not None:
        yield from map(_object, items)
        return
    whole = [line for line in body.split(b"\n") if line and not line.isspace()] if breaks else []
    lines = list(map(bytes.strip, whole))
    odd = [n for n, line in enumerate(lines) if not (line[:1] == b"{" and line[-1:] == b"}") or b"}{" in line]
    arrays = sum(lines[n][:1] + lines[n][-1:] == b"[]" for n in odd)
    if (len(odd) - arrays) * 2 < len(lines):
        yield from _lines(lines, odd, whole)
    else:
        yield from _scanned(body)


def _is_json(body: bytes) -> bool:
    try:
        _RAW.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _lines(lines: list[bytes], odd: Sequence[int], whole: list[bytes]) -> Iterator[Piece | list[bytes]]:
    """Yield the documents of lines most of which are documents; the odd ones may be parts of one.

    ``lines`` are without blanks around, ``whole`` are as they stand.
    """
    done = 0
    for _, numbers in itertools.groupby(enumerate(odd), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in numbers]
        if run[0] > done:
            yield lines[done : run[0]]
        done = run[-1] + 1
        yield from _odd(whole[run[0] : done])
    if done < len(lines):
        yield lines[done:]


def _odd(lines: Sequence[bytes]) -> Iterator[Piece]:
    together = list(_scanned(b"\n".join(lines)))
    if any(piece.reason for piece in together):
        return (piece for line in lines for piece in _scanned(line))
    return iter(together)


def _scanned(body: bytes) -> Iterator[Piece]:
    for span in spans(body):
        piece = body[span.start : span.end].rstrip(_WHITE)
        if span.problem is None:
            yield _object(piece)
        else:
            yield Piece(piece, reason=span.problem, detail=f"at byte {span.start}, {len(piece)} bytes")


def _object(payload: bytes) -> Piece:
    if payload[:1] == b"{":
        return Piece(payload)
    return Piece(payload, reason="not_an_object", detail="an item that is no JSON object")
