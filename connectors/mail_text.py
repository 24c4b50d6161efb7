"""Texts of a parsed message: header fields by name, the body as people see its beginning."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from email.message import Message
from email.parser import HeaderParser

from connectors.mail_headers import decode_bytes

PREVIEW = 280
_READ = 8_192  # characters of a body that are looked at
_TAG = re.compile(
    r"<(?:style|script|head)\b.*?</(?:style|script|head)\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE
)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li)\b[^>]*>", re.IGNORECASE)
_KIND = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u200b\u200e\u200f\ufeff]+")
# Where the answer ends and what it answers begins, in the words of the common mail programs.
_QUOTE = re.compile(
    r"^(?:>|On .{5,200}wrote:|Am .{5,200}schrieb.*:|Le .{5,200}écrit\s?:|El .{5,200}escribió:|-{3,} ?Original"
    r"|-{2,} ?Forwarded|_{10,}|From: .+@|-- ?$)",
    re.MULTILINE | re.DOTALL,
)


def header(message: Message, name: str) -> str | None:
    """Return the first header field of that name, raw; None where it is missing or empty."""
    for key, value in message.raw_items():  # get() makes objects of values with odd bytes
        if key.lower() == name and str(value).strip():
            return str(value)
    return None


def every(message: Message, *names: str) -> list[str]:
    """Return all header fields of these names, raw, in their order."""
    return [str(value) for key, value in message.raw_items() if key.lower() in names]


def kind_of(part: Message) -> str:
    """Return the content type of a part in lower case; the parser's own idea where none is named."""
    found = _KIND.match(header(part, "content-type") or "")
    return found[1].lower() if found else part.get_content_type()


def headers_of(text: str) -> Message:
    """Parse a block of header fields."""
    return HeaderParser().parsestr(text.lstrip())


def part_text(part: Message) -> str | None:
    """Return the text of a part, whatever its transfer encoding and charset claim."""
    try:
        raw = part.get_payload(decode=True)
    except (ValueError, LookupError, IndexError, AssertionError):
        raw = None
    if not isinstance(raw, bytes):
        return None
    try:
        charset = part.get_content_charset()
    except (ValueError, LookupError, AttributeError, TypeError):
        charset = None
    return decode_bytes(raw[: 4 * _READ], charset)


def _is_text(part: Message, subtype: str) -> bool:
    attached = (header(part, "content-disposition") or "").lower().startswith("attachment")
    return kind_of(part) == f"text/{subtype}" and not attached


def text_of(parts: Sequence[Message]) -> str | None:
    """Return the text of a message: its plain part, else what its HTML says."""
    for part in parts:
        if _is_text(part, "plain") and (text := part_text(part)) and text.strip():
            return text
    for part in parts:
        if _is_text(part, "html") and (text := part_text(part)) and text.strip():
            return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", text[: 4 * _READ])))
    whole = parts[0].get_payload() if parts and kind_of(parts[0]).startswith("multipart/") else None
    return whole if isinstance(whole, str) else None  # its boundary is not the one that it names


def preview(text: str | None) -> str | None:
    r"""Return the first words of a body in one line, without what it quotes.

    >>> preview("Where is my lamp?\n\nOn Monday Ada wrote:\n> we sent it")
    'Where is my lamp?'
    """
    if text is None:
        return None
    text = text[:_READ].replace("\r\n", "\n").lstrip()
    quoted = _QUOTE.search(text)
    own = text[: quoted.start()] if quoted and quoted.start() > 0 else text
    return _SPACE.sub(" ", own).strip()[:PREVIEW] or None
