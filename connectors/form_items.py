"""Form posts, as webhooks send them: the fields of urlencoded and of ``multipart/form-data`` bodies.

The header that names the boundary does not come along with a body, so its first line tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

MAX_FIELDS = 5_000
_MAX_HEAD = 16_384

_BOUNDARY = re.compile(
    rb"(?:\r?\n)*--([^\r\n]{1,200})\r?\nContent-Disposition:[ \t]*form-data", re.IGNORECASE
)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_QUOTED = rb'"((?:[^"\\\r\n]|\\.)*)"|([^;"\s]+)'
_NAME = re.compile(
    rb"^Content-Disposition:[^\r\n]*?;[ \t]*name=(?:" + _QUOTED + rb")", re.IGNORECASE | re.MULTILINE
)
_FILE = re.compile(
    rb"^Content-Disposition:[^\r\n]*?;[ \t]*filename=(?:" + _QUOTED + rb")", re.IGNORECASE | re.MULTILINE
)
_PAIRS = re.compile(rb"[\w.%+*~\[\]-]{1,200}=[^\x00-\x20\x7f<>\"{}]*\s*")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form; ``filename`` is None unless it is a file that was attached."""

    name: str
    value: bytes
    filename: str | None = None

    @property
    def text(self) -> str:
        """The value as text; bytes that are no UTF-8 become replacement characters."""
        return self.value.decode("utf-8", "replace")


def is_multipart(body: bytes) -> bool:
    """Whether a body begins as ``multipart/form-data`` does."""
    return _BOUNDARY.match(body) is not None


def fields(body: bytes) -> list[Field] | None:
    r"""Return the fields of a form in their order; None where the body is no form.

    >>> fields(b"event=opened&recipient=ann%40shop.example&tag=a+b")[2]
    Field(name='tag', value=b'a b', filename=None)
    >>> body = b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nann\r\n--x--\r\n'
    >>> [(field.name, field.text) for field in fields(body)]
    [('to', 'ann')]
    >>> fields(b'{"event": "opened"}') is None
    True
    """
    opened = _BOUNDARY.match(body)
    if opened is not None:
        return list(_parts(body[opened.start() :].lstrip(b"\r\n"), opened[1].rstrip()))
    if _PAIRS.fullmatch(body) is None or body.count(b"&") >= MAX_FIELDS:
        return None
    pairs = (pair.partition(b"=") for pair in body.strip().split(b"&") if pair)
    return [Field(_plus(name).decode("utf-8", "replace"), _plus(value)) for name, _, value in pairs]


def last_values(found: list[Field]) -> dict[str, str]:
    """Return the texts of the fields by name, files left out; of several of one name the last.

    >>> last_values([Field("a", b"1"), Field("a", b"2"), Field("f", b"x", "x.png")])
    {'a': '2'}
    """
    return {field.name: field.text for field in found if field.filename is None}


def _plus(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _parts(body: bytes, boundary: bytes) -> Iterator[Field]:
    marks = re.finditer(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|$)", body)
    start: int | None = None
    for _, mark in zip(range(MAX_FIELDS), marks, strict=False):
        if start is not None and (field := _field(body[start : mark.start()])) is not None:
            yield field
        start = mark.end()
        if mark[1]:  # what follows the last boundary is no part
            return
    if start is not None and (field := _field(body[start:])) is not None:  # it was cut off
        yield field


def _field(part: bytes) -> Field | None:
    head = _HEAD_END.search(part, 0, _MAX_HEAD)
    name = _NAME.search(part, 0, head.start()) if head is not None else None
    if head is None or name is None:
        return None
    filename = _FILE.search(part, 0, head.start())
    return Field(_unquoted(name), part[head.end() :], _unquoted(filename) if filename is not None else None)


def _unquoted(found: re.Match[bytes]) -> str:
    raw = found[1] if found[1] is not None else found[2]
    return re.sub(rb"\\(.)", rb"\1", raw).decode("utf-8", "replace")
