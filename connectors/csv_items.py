"""Rows of delimited text as JSON objects: ``{"column": "cell", ...}``, all cells as text.

A bad row is rejected and the rest survives: ``ragged_row`` (more or fewer cells than the header),
``unbalanced_quote`` (a quoted cell that swallows the rows after it; only its first line is given
up), ``not_utf8`` / ``bad_encoding``, ``nul_byte``, ``cell_too_long``. Blank lines are no rows, and
empty cells beyond the header's last column are no cells. Rows are numbered by the line on which they
begin. Without a delimiter the header decides between comma, semicolon, tab and bar.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import _csv

from cdp.errors import UsageError
from connectors.protocol import CHUNK_ROWS, Chunk, Rejected, SplitContext

CELL_LIMIT = 16 << 20
"""Characters of one cell; longer ones are damage."""

_DELIMITERS = ",;\t|"
_SPAN_LIMIT = 10_000  # lines of one row
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BEYOND = "\n"  # a line that is not of the file: a row that swallows it had not ended
_ENCODER = msgspec.json.Encoder()


def chunks(
    data: bytes, context: SplitContext, header: Sequence[str] | None = None, min_cells: int | None = None
) -> Iterator[Chunk]:
    r"""Yield the rows of ``data`` in chunks; ``header`` names the columns where no line does.

    With ``min_cells`` a row may be shorter than the header, and lacks its last columns.

    >>> [chunk.payloads for chunk in chunks(b"id;name\n1;Ada\n", SplitContext())]
    [[b'{"id":"1","name":"Ada"}']]
    """
    encoding, clean, text = _decoded(data, context.encoding)
    if context.header is not None:
        text = f"{context.header}\n{text}"
    lines = list(io.StringIO(text, newline=""))
    while lines and not lines[-1].strip():
        lines.pop()
    first = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    delimiter = context.delimiter
    if first < len(lines) and lines[first].lower().startswith("sep=") and header is None:
        delimiter, first = lines[first].strip()[4:5] or delimiter, first + 1
    if first >= len(lines):
        return
    delimiter = delimiter or _delimiter(lines[first], header)
    table = _Table(lines, first, delimiter, encoding, clean)
    names = list(header) if header is not None else table.header()
    if names is None:
        yield Chunk(rejected=[Rejected(first + 1, data, "bad_header", "the header is not readable text")])
        return
    yield from table.chunks(names, len(names) if min_cells is None else min_cells)


def _decoded(data: bytes, encoding: str) -> tuple[str, bool, str]:
    """Return the encoding, whether all bytes belong to it, and the text (bad bytes as surrogates)."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), encoding)
    try:
        return encoding, True, data.decode(encoding)
    except UnicodeDecodeError:
        handler = "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        return encoding, False, data.decode(encoding, handler)
    except LookupError:
        raise UsageError(f"There is no encoding {encoding!r}.", hint="Try utf-8 or cp1252.") from None


def _delimiter(line: str, header: Sequence[str] | None) -> str:
    counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _DELIMITERS}
    if header is not None:
        return min(_DELIMITERS, key=lambda mark: abs(counts[mark] - len(header)))
    return max(_DELIMITERS, key=lambda mark: counts[mark])


def column_names(cells: Sequence[str]) -> list[str]:
    """Return one distinct name per column: nameless ones are ``column_N``, repeated ones ``name_2``.

    >>> column_names(["id", "", "id"])
    ['id', 'column_2', 'id_2']
    """
    names: dict[str, int] = {}
    for n, cell in enumerate(cells, 1):
        name = base = cell.strip() or f"column_{n}"
        while name in names:
            names[base] += 1
            name = f"{base}_{names[base]}"
        names[name] = 1
    return list(names)


@dataclass
class _Rows:
    """Good rows with their first lines, and the bad ones."""

    cells: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass
class _Table:
    lines: list[str]
    at: int
    delimiter: str
    encoding: str
    clean: bool

    header_text: str | None = None

    def __post_init__(self) -> None:
        self.left = 4 * len(self.lines) + _SPAN_LIMIT  # lines that may be read again after damage
        self.clean = self.clean and not any("\x00" in line for line in self.lines)

    def reader(self, lines: Iterable[str], *, strict: bool = False) -> _csv.Reader:
        csv.field_size_limit(CELL_LIMIT)
        return csv.reader(lines, delimiter=self.delimiter, strict=strict)

    def header(self) -> list[str] | None:
        start = self.at
        cells, self.at = self._row(start)
        text = "".join(self.lines[start : self.at])
        self.header_text = text.rstrip("\r\n")
        return None if cells is None or self._unreadable(text) else column_names(cells)

    def chunks(self, names: list[str], min_cells: int) -> Iterator[Chunk]:
        while self.at < len(self.lines):
            if (simple := self._simple(names, min_cells)) is not None:
                yield simple
                continue
            rows = self._plain(len(names), min_cells) or self._careful(len(names), min_cells)
            if rows.cells or rows.rejected:
                yield Chunk(_objects(names, rows.cells), rows.lines, [], rows.rejected)

    def _simple(self, names: list[str], min_cells: int) -> Chunk | None:
        """Return the next rows where no cell is quoted and no row is ragged, else None: Polars reads these."""
        import polars as pl

        stop = min(self.at + CHUNK_ROWS, len(self.lines))
        text = "".join(self.lines[self.at : stop])
        width = len(names)
        if (
            not self.clean
            or min_cells != width
            or not _is_simple(text, self.delimiter, width, stop - self.at)
        ):
            return None
        try:
            frame = pl.read_csv(
                text.encode(),
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                separator=self.delimiter,
                quote_char=None,
                empty_string_is_null=False,
                missing_columns="raise",
                extra_columns="raise",
            )
        except pl.exceptions.PolarsError:
            return None
        if frame.height != stop - self.at:
            return None
        objects = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        chunk = Chunk(objects.cast(pl.Binary).to_list(), list(range(self.at + 1, stop + 1)))
        self.at = stop
        return chunk

    def _plain(self, width: int, min_cells: int) -> _Rows | None:
        """Return the next rows where each is one whole line, else None and nothing is read."""
        stop = min(self.at + CHUNK_ROWS, len(self.lines))
        if not self.clean:
            return None
        try:
            cells = list(self.reader([*self.lines[self.at : stop], _BEYOND]))
        except csv.Error:
            return None
        if cells.pop() or len(cells) != stop - self.at:
            return None
        if not set(map(len, cells)) <= set(range(min_cells, width + 1)):
            return None
        rows = _Rows(cells, list(range(self.at + 1, stop + 1)))
        self.at = stop
        return rows

    def _careful(self, width: int, min_cells: int) -> _Rows:
        rows, stop = _Rows(), min(self.at + CHUNK_ROWS, len(self.lines))
        while self.at < stop:
            start = self.at
            cells, self.at = self._row(start)
            reason, detail = self._problem(cells, start, width, min_cells)
            if reason is None and cells:
                rows.cells.append(cells[:width])
                rows.lines.append(start + 1)
            elif reason is not None:
                raw = "".join(self.lines[start : self.at]).rstrip("\r\n")
                payload = self.bytes_of(raw)
                rows.rejected.append(Rejected(start + 1, payload, reason, detail, self.header_text))
        return rows

    def _row(self, start: int) -> tuple[list[str] | None, int]:
        """Return the cells that begin on a line (None: damage) and the line after them."""
        stop = min(len(self.lines), start + max(1, min(_SPAN_LIMIT, self.left)))
        if '"' not in self.lines[start]:
            stop = start + 1
        reader = self.reader(itertools.chain(map(self.lines.__getitem__, range(start, stop)), [_BEYOND]))
        try:
            cells = next(reader, [])
        except csv.Error:
            cells = None
        end = start + reader.line_num
        if cells is not None and end <= stop and (end == start + 1 or self._is_strict(start, end)):
            return cells, end
        self.left -= end - start
        return None, start + 1

    def _is_strict(self, start: int, end: int) -> bool:
        """Whether the quotes of a row over many lines are where they belong: else it is damage."""
        try:
            return len(list(self.reader(self.lines[start:end], strict=True))) == 1
        except csv.Error:
            return False

    def _problem(
        self, cells: list[str] | None, start: int, width: int, min_cells: int
    ) -> tuple[str | None, str | None]:
        text = "".join(self.lines[start : self.at])
        if unreadable := self._unreadable(text):
            return unreadable
        if cells is None:
            if len(text) > CELL_LIMIT:
                return "cell_too_long", f"over {CELL_LIMIT} characters"
            return "unbalanced_quote", "a quoted cell does not end where it should"
        if text.strip() and (len(cells) < min_cells or any(cells[width:])):
            return "ragged_row", f"{len(cells)} cells, the header has {width}"
        if not text.strip():
            cells.clear()
        return None, None

    def _unreadable(self, text: str) -> tuple[str, str] | None:
        if self.clean:
            return None
        if "\x00" in text:
            return "nul_byte", "a NUL character"
        if "\ufffd" in text or not _encodes(text):
            reason = "not_utf8" if self.encoding.startswith("utf-8") else "bad_encoding"
            return reason, f"not {self.encoding}; name the encoding of the file, such as cp1252"
        return None

    def bytes_of(self, text: str) -> bytes:
        wide = self.encoding.startswith(("utf-16", "utf-32", "utf-8"))
        return text.encode("utf-8" if wide else self.encoding, "surrogateescape")


def _is_simple(text: str, delimiter: str, width: int, rows: int) -> bool:
    """Tell whether the lines may be ``rows`` rows of ``width`` cells, none of them quoted."""
    return (
        width > 1
        and len(delimiter) == 1
        and delimiter.isascii()
        and '"' not in text
        and text.count(delimiter) == (width - 1) * rows
        and text.count("\r") == text.count("\r\n")
    )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _objects(names: Sequence[str], rows: Sequence[list[str]]) -> list[bytes]:
    """Return each row as a JSON object; texts escape their line breaks, so lines are objects."""
    if not rows:
        return []
    return _ENCODER.encode_lines([dict(zip(names, cells, strict=False)) for cells in rows]).splitlines()
