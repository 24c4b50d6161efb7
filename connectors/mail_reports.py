"""Reports that mail systems send: what became of a message, per recipient.

Read are delivery status notifications (RFC 3464), complaints in the Abuse Reporting Format (RFC 5965),
read receipts (RFC 8098), and the bounces of servers that follow no standard: those only where sender
and subject say so, with the recipients that the text names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import Message

from connectors.mail_headers import addresses, plain
from connectors.mail_text import header, headers_of, kind_of, part_text, text_of

_DAEMONS = re.compile(
    r"mailer-daemon|post_?master|mail-?daemon|mdaemon|mail\.?(?:system|delivery)|maildeliverysystem",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"undeliver|non.?deliver|deliver\w* (?:status|fail|problem|error|report)|fail(?:ed|ure)|bounce|rejected"
    r"|returned? (?:mail|to sender)|mail (?:system )?(?:error|failed)|could not be|not (?:be )?delivered"
    r"|user unknown|error sending|mail delivery|warning: message|delayed mail|message you sent"
    r"|unzustellbar|non remis|不達|エラー",
    re.IGNORECASE,
)
_LATER = re.compile(r"\bdelay|still being retried|warning: (?:message|could not)|not yet been", re.IGNORECASE)
_COPY = re.compile(
    r"^[ \t>]*-{2,}.*(?:below|copy|original|header|returned|included|message follows).*$"
    r"|^(?:Received|Return-Path|X-Originating-IP):",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_TO = re.compile(r"^(?:To|X-Original-To|Delivered-To):[ \t]*(.+)$", re.IGNORECASE | re.MULTILINE)

_ACTIONS = {
    "failed": "bounce",
    "failure": "bounce",
    "delayed": "deferred",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
    "deliverable": "delivered",
}
_CLASSES = {"5": "bounce", "4": "deferred", "2": "delivered"}


@dataclass(frozen=True)
class Fate:
    """What a report says of one recipient; ``kind`` as in the documents of ``connectors.mail``."""

    kind: str
    recipient: str | None
    status: str | None = None
    detail: str | None = None
    original_id: str | None = None
    subject: str | None = None


def fates(message: Message, parts: Sequence[Message]) -> list[Fate]:
    """Return what a message reports, recipient by recipient; nothing where it is no report."""
    original = _original(parts)
    reference = header(original, "message-id") if original is not None else None
    subject = plain(header(original, "subject")) if original is not None else None
    found = [*_statuses(parts), *_complaints(parts, original), *_receipts(parts)]
    if not found:
        found = list(_unstructured(message, parts, original))
    distinct = {(fate.kind, (fate.recipient or "").lower()): fate for fate in reversed(found)}
    return [
        replace(fate, original_id=_bare(reference) or fate.original_id, subject=subject)
        for fate in reversed(distinct.values())
    ]


def _bare(message_id: str | None) -> str | None:
    return message_id.strip("<> ") or None if message_id else None


def _original(parts: Sequence[Message]) -> Message | None:
    """Return the headers of the message that is reported on."""
    for part in parts:
        kind = kind_of(part)
        inner = part.get_payload()
        if kind == "message/rfc822" and isinstance(inner, list) and inner and isinstance(inner[0], Message):
            return inner[0]
        if kind in ("text/rfc822-headers", "message/rfc822-headers"):
            return headers_of(part_text(part) or "")
    return None


def _blocks(parts: Sequence[Message], kind: str) -> Iterator[Message]:
    for part in parts:
        if kind_of(part) == kind:
            inner = part.get_payload()
            if isinstance(inner, list):
                yield from (block for block in inner if isinstance(block, Message))
            else:
                yield from (headers_of(text) for text in (part_text(part) or "").split("\n\n"))


def _recipient(value: str | None) -> str | None:
    """Return the address of a field such as ``rfc822; <ada@example.com>``."""
    if value is None:
        return None
    kind, separator, rest = value.partition(";")
    return next((address for _, address in addresses([rest if separator else kind]) if address), None)


def _statuses(parts: Sequence[Message]) -> Iterator[Fate]:
    for block in _blocks(parts, "message/delivery-status"):
        named = [_recipient(header(block, name)) for name in ("original-recipient", "final-recipient")]
        recipient = next((address for address in named if address), None)
        action = (header(block, "action") or "").lower().split(" ")[0]
        status = _STATUS.search(header(block, "status") or "")
        detail = header(block, "diagnostic-code")
        status = status or _STATUS.search(detail or "")
        if recipient is None and not action and status is None:
            continue  # the block about the message, not about a recipient
        kind = _ACTIONS.get(action) or _CLASSES.get(status[1][0] if status else "", "bounce")
        yield Fate(kind, recipient, status[1] if status else None, detail)


def _complaints(parts: Sequence[Message], original: Message | None) -> Iterator[Fate]:
    for block in _blocks(parts, "message/feedback-report"):
        kind = (header(block, "feedback-type") or "abuse").lower()
        names = ("original-rcpt-to", "removal-recipient", "original-recipient", "redacted-address")
        recipient = next(
            (found for found in (_recipient(header(block, name)) for name in names) if found), None
        )
        if recipient is None and original is not None:
            receivers = [address for _, address in addresses([header(original, "to") or ""]) if address]
            recipient = receivers[0] if len(receivers) == 1 else None
        if kind.startswith("opt-out"):
            yield Fate("unsubscribe", recipient, None, kind)
        else:
            yield Fate(
                "complaint" if kind not in ("not-spam", "auth-failure") else "other_report",
                recipient,
                None,
                kind,
            )


def _receipts(parts: Sequence[Message]) -> Iterator[Fate]:
    for block in _blocks(parts, "message/disposition-notification"):
        disposition = (header(block, "disposition") or "").lower()
        recipient = _recipient(header(block, "original-recipient")) or _recipient(
            header(block, "final-recipient")
        )
        kind = "read" if "displayed" in disposition else "other_report"
        yield Fate(kind, recipient, None, disposition or None, _bare(header(block, "original-message-id")))


def _unstructured(message: Message, parts: Sequence[Message], original: Message | None) -> Iterator[Fate]:
    failed = header(message, "x-failed-recipients")
    if failed is None and not _is_bounce(message):
        return
    subject = plain(header(message, "subject")) or ""
    text = text_of(parts) or ""
    said, _, copied = _cut(text)
    status = _STATUS.search(said)
    ours = {address.lower() for _, address in addresses([header(message, "to") or ""]) if address}
    named = [address for _, address in addresses([failed or ""]) if address]
    named = named or [
        found for found in _ADDRESS.findall(said) if found.lower() not in ours and not _DAEMONS.search(found)
    ]
    if not named and original is not None:
        named = [address for _, address in addresses([header(original, "to") or ""]) if address]
    if not named and (line := _TO.search(copied)):
        named = [address for _, address in addresses([line[1]]) if address]
    kind = "deferred" if _LATER.search(subject) or (status and status[1][0] == "4") else "bounce"
    recipients: list[str | None] = [*dict.fromkeys(named[:1] if failed is None else named)]
    for recipient in recipients or [None]:
        yield Fate(kind, recipient, status[1] if status else None)


def _cut(text: str) -> tuple[str, str, str]:
    """Return what a bounce says, and the copy of the message behind it."""
    found = _COPY.search(text)
    return (text[: found.start()], found[0], text[found.start() :]) if found else (text, "", text)


def _is_bounce(message: Message) -> bool:
    sender = header(message, "from") or header(message, "return-path") or ""
    empty_path = (header(message, "return-path") or "").strip() == "<>"
    by_daemon = bool(_DAEMONS.search(sender)) or (
        empty_path and header(message, "auto-submitted") != "auto-replied"
    )
    return by_daemon and bool(_FAILED.search(plain(header(message, "subject")) or ""))
