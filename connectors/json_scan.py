"""Where JSON values begin and end in damaged or concatenated text, found by their brackets alone.

The scan never decodes: it is linear, keeps no recursion (a document nested a million deep is only
long), and works on bytes, so that a piece is verbatim even where its UTF-8 is broken. Whether a
piece is JSON is for the caller to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Possessive quantifiers: a string of 100 MB must neither backtrack nor fill a stack.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}"]', re.DOTALL)
_SKIP = re.compile(rb"(?:[\s,\x1e]|\xef\xbb\xbf)*+")
_NEXT = re.compile(rb"\n[ \t]*[{\[]")
_CLOSERS = {ord("{"): ord("}"), ord("["): ord("]")}

# A damaged value is given up at the next line that looks like its sibling. So that a file of
# damage stays linear, all attempts together may read this many times its length.
_BUDGET = 4


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start:end`` of the text; ``problem`` names what is wrong with them, if anything."""

    start: int
    end: int
    problem: str | None = None


class _Scan:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _BUDGET * len(data) + 4096

    def close(self, start: int) -> tuple[int, str | None]:
        """Return the end of the bracket that opens at ``start``, or (where it failed, problem)."""
        data, closers = self.data, bytearray()
        for token in _TOKEN.finditer(data, start):
            at = token.start()
            byte = data[at]
            if byte in _CLOSERS:
                closers.append(_CLOSERS[byte])
            elif byte == ord('"'):
                if token.end() == at + 1:
                    break
            elif byte != closers.pop():
                self.left -= at - start
                return at, "invalid_json"
            elif not closers:
                self.left -= at - start
                return at + 1, None
        self.left -= len(data) - start
        return len(data), "truncated"

    def resume(self, start: int) -> int:
        """Return where reading can go on after the damaged value at ``start``: its next sibling."""
        line = self.data.rfind(b"\n", 0, start) + 1
        margin = self.data[line:start]
        if self.left <= 0 or margin.strip():
            return len(self.data)
        found = self.data.find(b"\n" + margin + self.data[start : start + 1], start)
        return len(self.data) if found < 0 else found + 1 + len(margin)


def _skip(data: bytes, at: int) -> int:
    found = _SKIP.match(data, at)
    return found.end() if found else at


def _items(scan: _Scan, start: int) -> Iterator[Span]:
    """Yield the items of the array that opens at ``start``, then an empty span at its end."""
    data, at = scan.data, start + 1
    while (at := _skip(data, at)) < len(data) and data[at] != ord("]"):
        if data[at] in _CLOSERS:
            end, problem = scan.close(at)
            if problem:
                end = scan.resume(at)
        else:
            end, problem = _scalar(data, at), "not_an_object"
        yield Span(at, end, problem)
        at = end
    yield Span(min(at + 1, len(data)), min(at + 1, len(data)))


def _scalar(data: bytes, start: int) -> int:
    """Return the end of whatever stands in an array at ``start`` and is no object and no array."""
    if data[start] == ord('"') and (text := _TOKEN.match(data, start)):
        return text.end()
    ends = (data.find(byte, start + 1) for byte in (b",", b"]", b"{", b"["))
    return min((end for end in ends if end >= 0), default=len(data))


def items(data: bytes, start: int) -> Iterator[Span] | None:
    """Return the items of the array that opens at ``start``; None where it does not close.

    >>> [(span.start, span.end) for span in items(b'[1, {"a": NaN}] rest', 0) or ()]
    [(1, 2), (4, 14)]
    """
    scan = _Scan(data)
    if scan.close(start)[1] is not None:
        return None
    return (span for span in _items(scan, start) if span.end > span.start)


def spans(data: bytes) -> Iterator[Span]:
    """Yield the top-level values of ``data``, the items of an array in place of the array.

    What lies between them and is no white space comes as a span with the problem ``invalid_json``;
    the last value, where it does not end, with ``truncated``.

    >>> text = b'{"a": 1}{"b": [2]} [{"c": 3}, {"d": '
    >>> [(text[s.start:s.end], s.problem) for s in spans(text)]
    [(b'{"a": 1}', None), (b'{"b": [2]}', None), (b'{"c": 3}', None), (b'{"d": ', 'truncated')]
    """
    scan, at = _Scan(data), 0
    while (at := _skip(data, at)) < len(data):
        if data[at] == ord("["):
            for span in _items(scan, at):
                if span.end > span.start:
                    yield span
                at = span.end
        elif data[at] == ord("{"):
            end, problem = scan.close(at)
            if problem:
                end = scan.resume(at)
            yield Span(at, end, problem)
            at = end
        else:
            found = _NEXT.search(data, at)
            end = found.start() if found else len(data)
            yield Span(at, end, "invalid_json")
            at = end
