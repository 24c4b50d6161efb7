"""E-mail messages: single files (``.eml``), mbox folders, and messages that a mail service posted.

An envelope is a message, verbatim. Its events are one per party: an ``email_received`` from the sender
where the sender is not ours, else an ``email_sent`` to each recipient that is not ours (``own:`` in
cdp.yaml says who is). Bounces, complaints and receipts become events of the recipients they speak of.
Automatic answers keep their type and have the outcome ``auto_reply``, newsletters ``bulk``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items
from connectors.mail_mapping import message_mapping
from connectors.mail_message import documents, envelope
from connectors.mapping import EnvelopeFields
from connectors.protocol import RFC822, Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

# An mbox line, and a header field (or mboxo's quoted line) behind it: prose that begins with From is not.
_START = rb"From [^\r\n]*\r?\n(?:>From [^\r\n]*\r?\n)?[!-9;-~]+[ \t]*:"
_FIRST = re.compile(_START)
_NEXT = re.compile(rb"\n\r?\n(?=" + _START + rb")")
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\n\r?\n")


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the messages of an mbox, each with its ``From`` line, or the one message."""
    del context
    yield from json_items.collect(map(json_items.Piece, messages(data)))


def messages(data: bytes) -> Iterator[bytes]:
    r"""Yield the messages in the bytes of a file.

    >>> [m[:6] for m in messages(b"From a@b.example\nTo: x\n\n1\n\nFrom c@d.example\nTo: y\n\n2\n")]
    [b'From a', b'From c']
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        return
    start = len(data) - len(data.lstrip(b"\r\n"))
    if _FIRST.match(data, start) is None:
        yield data
        return
    while start < len(data):
        end = _end(data, start)
        yield data[start:end].rstrip(b"\r\n") + b"\n"
        start = end


def _end(data: bytes, start: int) -> int:
    """Return where the message that starts there ends: by its Content-Length if that is true."""
    head = _HEADER_END.search(data, start)
    if head is None:
        return len(data)
    length = _LENGTH.search(data, start, head.end())
    if length is not None:
        end = head.end() + int(length[1])
        rest = data[end : end + 4].lstrip(b"\r\n")
        if end <= len(data) and (not rest or b"From".startswith(rest)):
            following = end + len(data[end : end + 4]) - len(rest)
            if following >= len(data) or _FIRST.match(data, following):
                return following
    found = _NEXT.search(data, start)
    return found.end() if found else len(data)


MAPPING = message_mapping()

CONNECTOR = Connector(
    name="mail",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(event_id=("$.message_id",), type=("$.kind",), occurred_at=("$.date",)),
    mapping=MAPPING,
    content_type=RFC822,
    decode=documents,
    preview=envelope,
    suffixes=(".eml", ".mbox", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; which addresses are ours is the workspace's."""
    del settings
    return CONNECTOR
