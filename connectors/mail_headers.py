"""Header fields of e-mail, read with patience: any charset, broken encoded words, odd address lists.

Python's own decoding gives up on much of what is out there; here every byte that can be shown is.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)\s+(=\?)")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u200e\u200f\u202a-\u202e\ufeff]+")
# Names that senders use for charsets which Python calls otherwise.
_CHARSETS = {
    "unknown-8bit": "utf-8",
    "default": "utf-8",
    "x-unknown": "utf-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "gb2312": "gb18030",
    "ks_c_5601-1987": "cp949",
    "us-ascii": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-1": "cp1252",
}


def decode_bytes(raw: bytes, charset: str | None) -> str:
    r"""Return text of bytes: in their charset, else UTF-8, else Windows-1252.

    >>> decode_bytes("Łódź".encode("iso-8859-2"), "ISO-8859-2"), decode_bytes(b"caf\xe9", "no-such")
    ('Łódź', 'café')
    """
    name = (charset or "utf-8").strip().lower()
    for encoding in (_CHARSETS.get(name, name), "utf-8"):
        try:
            return raw.decode(encoding)
        except (LookupError, ValueError):
            continue
    return raw.decode("cp1252", "replace")


def _unescaped(text: str) -> str:
    """Return header text whose raw bytes the parser kept as surrogates."""
    return text if text.isascii() else decode_bytes(text.encode("utf-8", "surrogateescape"), None)


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("ascii", "ignore")
    if encoding in "qQ":
        return quopri.decodestring(raw, header=True)
    for encoded in (raw + b"=" * (-len(raw) % 4), raw[: len(raw) // 4 * 4]):
        try:
            return base64.b64decode(encoded)
        except (binascii.Error, ValueError):
            continue
    return raw


def _decoded_words(text: str) -> str:
    """Decode encoded words; the bytes of neighbours join first, as a character may be cut in two."""
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        if word.start() > end or word[1].lower() != charset:
            parts.append(decode_bytes(pending, charset) if pending else "")
            parts.append(text[end : word.start()])
            pending, charset = b"", word[1].lower()
        pending += _word_bytes(word[2], word[3])
        end = word.end()
    parts.append(decode_bytes(pending, charset) if pending else "")
    return "".join(parts) + text[end:]


def plain(text: str | None) -> str | None:
    r"""Return a header's value as one line of text, or None where nothing is left.

    >>> plain("=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus\r\n =?iso-8859-1?B?S/ZsbiE=?=")
    'Grüße aus Köln!'
    """
    if not text:
        return None
    if "=?" in text:
        text = _decoded_words(_BETWEEN.sub(r"\1\2", text))
    return _CONTROL.sub(" ", _unescaped(text)).strip() or None


_TOKEN = re.compile(
    r'=\?[^?\s]+\?[bBqQ]\?[^?]*\?=|"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|<[^<>]*>|[^"(<,;:=]+|.', re.DOTALL
)
_QUOTED_PAIR = re.compile(r"\\(.)")


def _mailboxes(text: str) -> Iterator[list[str]]:
    """Yield the tokens of each mailbox of an address list; the names of groups are left out."""
    found: list[str] = []
    for piece in _TOKEN.findall(text):
        if piece in ",;":
            yield found
            found = []
        elif piece == ":" and not any(part.startswith("<") for part in found):
            found = []
        else:
            found.append(piece)
    yield found


def _mailbox(tokens: list[str]) -> tuple[str | None, str | None]:
    comments = [token[1:-1] for token in tokens if token.startswith("(") and token.endswith(")")]
    words = [token for token in tokens if not (token.startswith("(") and token.endswith(")"))]
    angles = [token[1:-1] for token in words if token.startswith("<") and token.endswith(">")]
    if angles:
        name = "".join(word for word in words if not word.startswith("<"))
        address = angles[-1]
    else:
        name, address = " ".join(comments), "".join(words)
    if name.strip().startswith('"'):
        name = _QUOTED_PAIR.sub(r"\1", name.strip().strip('"'))
    spoken = plain(name)
    where = "".join((plain(address) or "").split()).removeprefix("mailto:").strip("\"'")
    if spoken is not None and ("@" in spoken or spoken.lower() == where.lower()):
        spoken = None
    return (spoken.strip("\"' ") or None if spoken else None), where if "@" in where else None


def addresses(values: Iterable[str]) -> list[tuple[str | None, str | None]]:
    """Return (name, address) of the mailboxes in address headers; either may be None, not both.

    >>> addresses(['"Doe, Jane" <jane@example.com>, bob@example.com (Bob)', "list: a@b.example;"])
    [('Doe, Jane', 'jane@example.com'), ('Bob', 'bob@example.com'), (None, 'a@b.example')]
    """
    found = [_mailbox(tokens) for value in values for tokens in _mailboxes(value)]
    return [pair for pair in found if pair != (None, None)]


def moment(text: str | None) -> str | None:
    """Return a date header in ISO 8601, without an offset where it has none; None if unreadable.

    >>> moment("Mon, 2 Mar 2020 10:00:00 +0100 (CET)"), moment("yesterday")
    ('2020-03-02T10:00:00+01:00', None)
    """
    if not text:
        return None
    try:
        when: datetime = parsedate_to_datetime(_CONTROL.sub(" ", _unescaped(text)).strip())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return when.isoformat()
