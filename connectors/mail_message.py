"""One e-mail message as JSON documents, one per party: what ``connectors.mail`` maps to events.

A document says who wrote (``from``) and, where it stands for a recipient, to whom (``to``); which of
them apply depends on which addresses are ours, and that is decided later. A report (bounce,
complaint, receipt) gives one document per recipient that it speaks of, and none of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from typing import Any

import orjson

from connectors import mail_reports
from connectors.mail_headers import addresses, moment, plain
from connectors.mail_text import every, header, kind_of, preview, text_of

# Attachments come behind the text: what lies beyond is not read.
READ_BYTES = 512 * 1024
MAX_ID = 250

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_LOOSE_FIELD = re.compile(rb"^(from|to|cc|subject|date|message-id)[ \t]+:", re.IGNORECASE | re.MULTILINE)
_ENVELOPE = re.compile(rb"^(message-id|date)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_HEADERS_END = re.compile(rb"\n\r?\n")
_FROM_LINE = re.compile(rb"From [^\r\n]*\r?\n")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_FORM = re.compile(rb"--([^\r\n]{1,70})\r?\nContent-Disposition: form-data", re.IGNORECASE)
_FORM_NAME = re.compile(
    rb'Content-Disposition: form-data; name="([^"]*)"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n', re.IGNORECASE
)
_BODY_FIELDS = re.compile(
    rb"^Content-(?:Type|Transfer-Encoding):[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)
_KNOWN = {
    b"from", b"to", b"cc", b"bcc", b"subject", b"date", b"message-id", b"received", b"return-path",
    b"reply-to", b"sender", b"delivered-to", b"mime-version",
}  # fmt: skip
_AUTO_SUBJECT = re.compile(
    r"^\W*(?:auto(?:matic|mated)?[ -]?(?:reply|response|matique)|out of (?:the )?office|abwesenheit|"
    r"automatische antwort|réponse automatique|respuesta automática|autosvar|"
    r"risposta automatica|automatic reply)",
    re.IGNORECASE,
)

Document = dict[str, Any]


def documents(payload: bytes) -> list[bytes]:
    """Return the JSON documents of a message; ``ValueError("not_a_message")`` where it is none."""
    payload, envelope_date = _unwrapped(payload)
    payload = (
        _LOOSE_FIELD.sub(rb"\1:", payload, count=20) if _LOOSE_FIELD.search(payload, 0, 4096) else payload
    )
    if not _has_headers(payload):
        raise ValueError("not_a_message")
    message = _parsed(payload)
    parts = _parts(message)
    common = _common(message, parts, envelope_date)
    found = [_report(common, fate) for fate in mail_reports.fates(message, parts)]
    return [_dump(document) for document in found or _parties(message, common)]


def envelope(payload: bytes) -> bytes:
    """Return a JSON document with the message's id and date alone, which need no MIME parsing."""
    message, envelope_date = _unwrapped(payload)
    if not _has_headers(message):
        raise ValueError("not_a_message")
    head = message[: end.start()] if (end := _HEADERS_END.search(message)) else message
    fields = {
        match[1].lower(): match[2].decode("ascii", "replace")
        for match in reversed(list(_ENVELOPE.finditer(head)))
    }
    if any("=?" in text or "\ufffd" in text for text in fields.values()):
        return documents(payload)[0]
    ids = _ids(fields.get(b"message-id"))
    date = moment(fields.get(b"date")) or moment(envelope_date)
    return orjson.dumps({"message_id": ids[0] if ids else None, "date": date})


def _unwrapped(payload: bytes) -> tuple[bytes, str | None]:
    """Return the message without what it was wrapped in, and the date of its mbox line."""
    payload = payload.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if (form := _FORM.match(payload)) is not None:
        payload = _posted(payload, form[1]).lstrip(b"\r\n")
    line = _FROM_LINE.match(payload)
    if line is None:
        return payload, None
    words = line[0].decode("ascii", "replace").split()[2:]
    return _QUOTED_FROM.sub(rb"\1", payload[line.end() :]), " ".join(words) or None


def _posted(payload: bytes, boundary: bytes) -> bytes:
    """Return the message of a form that a mail service posted (SendGrid's Inbound Parse)."""
    fields: dict[bytes, bytes] = {}
    for part in payload.split(b"--" + boundary):
        if (name := _FORM_NAME.search(part)) is not None:
            fields[name[1]] = part[name.end() :]
    if b"email" in fields:
        return fields[b"email"]
    head = _BODY_FIELDS.sub(b"", fields.get(b"headers", b"").strip() + b"\n")
    return head + b"Content-Type: text/plain; charset=utf-8\n\n" + fields.get(b"text", b"")


def _has_headers(payload: bytes) -> bool:
    names = set()
    for line in payload[:65_536].splitlines():
        if not line:
            break
        if (field := _FIELD.match(line)) is not None:
            names.add(field[0].rstrip(b": \t").lower())
    return bool(names & _KNOWN)


def _parsed(payload: bytes) -> Message:
    parser: BytesParser[Message] = BytesParser()
    try:
        return parser.parsebytes(payload[:READ_BYTES])
    except (RecursionError, ValueError, LookupError, AttributeError):  # parts nested or named beyond sense
        return parser.parsebytes(payload[:READ_BYTES], headersonly=True)


def _parts(message: Message, limit: int = 200) -> list[Message]:
    """Return the parts of a message, itself first; messages inside are parts, their parts are not."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < limit:
        part = waiting.pop(0)
        found.append(part)
        inner = part.get_payload()
        if not kind_of(part).startswith("message/") and isinstance(inner, list):
            waiting[:0] = [child for child in inner if isinstance(child, Message)]
    return found


def _common(message: Message, parts: Sequence[Message], envelope_date: str | None) -> Document:
    sender_name, sender = _sender(message)
    message_id = _ids(header(message, "message-id"))
    thread = _ids(header(message, "references")) or _ids(header(message, "in-reply-to")) or message_id
    date, origin = _date(message, envelope_date)
    subject = plain(header(message, "subject"))
    attached = sum("attachment" in (header(part, "content-disposition") or "").lower()[:12] for part in parts)
    automatic = _automatic(message, subject)
    properties = {
        "preview": preview(text_of(parts)),
        "reply_to": next((address for _, address in addresses(every(message, "reply-to")) if address), None),
        "list": plain(header(message, "list-id")),
        "attachments": attached or None,
        "date_from": origin,
    }
    return {
        "message_id": message_id[0] if message_id else None,
        "thread": thread[0] if thread else None,
        "date": date,
        "subject": subject,
        "from": sender,
        "from_name": sender_name,
        "outcome": automatic,
        "properties": properties,
    }


def _sender(message: Message) -> tuple[str | None, str | None]:
    for name in ("from", "sender", "reply-to", "return-path"):
        for spoken, address in addresses(every(message, name)):
            if address:
                return spoken, address
    return None, None


def _ids(text: str | None) -> list[str]:
    """Return the message ids in a header, without brackets."""
    line = plain(text) or ""
    found = re.findall(r"<([^<>\s]+)>", line) or line.replace("<", " ").replace(">", " ").split()[:1]
    return [value for value in found if len(value) <= MAX_ID]


def _date(message: Message, envelope_date: str | None) -> tuple[str | None, str | None]:
    """Return the date, and where it was found if not in ``Date``."""
    if (date := moment(header(message, "date"))) is not None:
        return date, None
    for received in every(message, "received"):
        if (date := moment(received.rpartition(";")[2])) is not None:
            return date, "received"
    if (date := moment(envelope_date)) is not None:
        return date, "mbox"
    return plain(header(message, "date")), None


def _automatic(message: Message, subject: str | None) -> str | None:
    submitted = (header(message, "auto-submitted") or "no").strip().lower()
    precedence = (header(message, "precedence") or "").strip().lower()
    replies = any(header(message, name) for name in ("x-autoreply", "x-autorespond", "x-auto-reply-from"))
    if submitted.startswith("auto-replied") or replies or precedence in ("auto_reply", "auto-reply"):
        return "auto_reply"
    if subject and _AUTO_SUBJECT.match(subject):
        return "auto_reply"
    if not submitted.startswith("no"):
        return "auto_generated"
    if (
        precedence in ("bulk", "list", "junk")
        or header(message, "list-id")
        or header(message, "list-unsubscribe")
    ):
        return "bulk"
    return None


def _parties(message: Message, common: Document) -> list[Document]:
    """Return a document for the sender, and one for each recipient."""
    found = [common | {"kind": "sender"}]
    seen = set()
    for name, address in addresses(every(message, "to", "cc", "bcc")):
        if address and address.lower() not in seen:
            seen.add(address.lower())
            found.append(common | {"kind": "recipient", "to": address, "to_name": name})
    return found


def _report(common: Document, fate: mail_reports.Fate) -> Document:
    return common | {
        "kind": fate.kind,
        "about": fate.recipient,
        "thread": fate.original_id,
        "subject": fate.subject or common["subject"],
        "outcome": fate.status,
        "properties": common["properties"] | {"detail": plain(fate.detail)},
    }


def _dump(document: Mapping[str, Any]) -> bytes:
    """Return JSON without empty members; what is no character becomes a question mark."""
    kept = {key: value for key, value in document.items() if value is not None and key != "properties"}
    kept["properties"] = {key: value for key, value in document["properties"].items() if value is not None}
    try:
        return orjson.dumps(kept)
    except orjson.JSONEncodeError:  # lone surrogates
        return orjson.dumps(_cleaned(kept))


def _cleaned(document: Document) -> Document:
    return {
        key: _cleaned(value)
        if isinstance(value, dict)
        else value.encode("utf-8", "replace").decode()
        if isinstance(value, str)
        else value
        for key, value in document.items()
    }
