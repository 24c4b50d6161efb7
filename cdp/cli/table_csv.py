"""Delimited text as a table: encoding and dialect are found, broken rows are told by their line."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SNIFFED_LINES: Final = 50
_SNIFFED_BYTES: Final = 1 << 16
_BLOCK: Final = 8 << 20
_CELL_LIMIT: Final = 16 << 20
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    r"""Return text as UTF-8 without a mark, and notes on its encoding where it was another.

    >>> decoded("Zoë".encode("latin-1"))
    (b'Zo\xc3\xab', ('read as Windows-1252 (Latin-1): it is not UTF-8',))
    >>> decoded("\ufeffZoë".encode("utf-16-le"))
    (b'Zo\xc3\xab', ('read as UTF-16',))
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :]
            return (text, ()) if encoding == "utf-8" and _is_utf8(text) else _recoded(text, encoding)
    guess = _utf16_without_mark(data[:_SNIFFED_BYTES])
    if guess is not None:
        return _recoded(data, guess)
    return (data, ()) if _is_utf8(data) else _recoded(data, "cp1252")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(start: bytes) -> str | None:
    """Every second byte of plain text in UTF-16 is zero."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) < 4 or max(even, odd) < len(start) // 4:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _recoded(data: bytes, encoding: str) -> tuple[bytes, tuple[str, ...]]:
    if encoding == "utf-8":
        encoding = "cp1252"
    name = "Windows-1252 (Latin-1): it is not UTF-8" if encoding == "cp1252" else encoding[:6].upper()
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "cp1252":
            raise UsageError(
                f"The file begins like {name} but is not.", hint="Save it as UTF-8, or copy it again."
            ) from None
        text = data.decode("latin-1")
    return text.encode(), (f"read as {name}",)


def read_csv(path: Path, data: bytes) -> tuple[pa.Table, str, tuple[str, ...]]:
    """Return the rows as columns of text, the dialect in words, and notes.

    Raises :class:`UsageError` with the line of the first row that is broken: more or fewer cells than the
    header has, or a quote that does not end.
    """
    from cdp.cli.table_columns import renamings
    from cdp.cli.table_header import is_record
    from connectors.csv_items import column_names

    data, delimiter, skipped = _dialect(data)
    cells, start, line = _header(data, delimiter)
    line += skipped
    if not cells:
        raise UsageError(
            f"{path} has no header.", hint="Expected the names of the columns in the first line."
        )
    sample = list(islice(_tolerant(data[:_SNIFFED_BYTES].decode(errors="ignore"), delimiter), _SNIFFED_LINES))
    notes: tuple[str, ...] = ()
    if is_record(cells, sample[1:]):
        start, line, cells = 0, skipped + 1, [""] * len(cells)
        notes = ("no header: the first line is a record, columns are named by their place",)
    names = column_names(cells)
    body = data[start:]
    if not body.strip():
        raise UsageError(f"{path} has a header and no rows.", hint="Expected one row per record.")
    table = _parse(path, body, names, delimiter, line, "the first line" if notes else "the header")
    return table, f"CSV with {_DELIMITERS.get(delimiter, repr(delimiter))}", notes or renamings(names, cells)


def _dialect(data: bytes) -> tuple[bytes, str, int]:
    """Return the text from its header on, its delimiter (Excel's ``sep=;`` says it), and lines before it."""
    blank = len(data) - len(data.lstrip(b"\r\n"))
    skipped, data = len(data[:blank].splitlines()), data[blank:]
    first, _, rest = data.partition(b"\n")
    if first.lower().startswith(b"sep=") and len(first.strip()) == len(b"sep=;"):
        return rest, first.strip()[4:].decode(), skipped + 1
    return data, _delimiter(data[:_SNIFFED_BYTES].decode(errors="ignore")), skipped


def _delimiter(sample: str) -> str:
    r"""Return the delimiter that parts the most lines into as many cells as the header.

    >>> _delimiter("name;note\nAda;a, b, c\nBob;d\n")
    ';'
    """

    def fit(mark: str) -> tuple[float, int]:
        rows = list(islice(_tolerant(sample, mark), _SNIFFED_LINES))
        width = len(rows[0]) if rows else 0
        equal = sum(len(row) == width for row in rows)
        return (equal / len(rows) if width > 1 else 0.0), width

    return max(_DELIMITERS, key=fit)


def _tolerant(sample: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_CELL_LIMIT)
    lines = sample.splitlines(keepends=True)
    whole = lines[:-1] if len(lines) > 1 and not sample.endswith(("\n", "\r")) else lines
    yield from (row for row in csv.reader(whole, delimiter=delimiter) if row)


def _header(data: bytes, delimiter: str) -> tuple[list[str], int, int]:
    """Return the cells of the header, where the rows begin, and on which line."""
    handle = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in handle:
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter)
    cells = next(reader, [])
    return cells, sum(len(line.encode()) for line in taken), len(taken) + 1


def _parse(path: Path, body: bytes, names: list[str], delimiter: str, line: int, standard: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow

    try:
        table = arrow.read_csv(
            pa.BufferReader(body),
            arrow.ReadOptions(column_names=names, block_size=_BLOCK),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in body),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        _scan(path, body, delimiter, len(names), line, standard)
        raise UsageError(f"{path} is no CSV file that can be read.", hint="Save it again as CSV.") from None
    # Fewer rows than lines: cells go over several lines, and one of them may be a quote that does not end.
    if b'"' in body and table.num_rows != sum(1 for one in body.splitlines() if one):
        _scan(path, body, delimiter, len(names), line, standard)
    return table


def _scan(path: Path, body: bytes, delimiter: str, width: int, line: int, standard: str) -> None:
    """Look at each row by itself; raise for the first one that is broken."""
    csv.field_size_limit(_CELL_LIMIT)
    handle = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
    reader = csv.reader(handle, delimiter=delimiter, strict=True)
    begins, hint = line, "Mend that line, and run again."
    try:
        for row in reader:
            if row and len(row) != width:
                cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                raise UsageError(f"{path}, line {begins}: {cells}, {standard} has {width}.", hint=hint)
            if line + reader.line_num - begins > 1 and _swallows(row, delimiter, width):
                raise UsageError(f"{path}, line {begins}: a quote does not end and swallows rows.", hint=hint)
            begins = line + reader.line_num
    except csv.Error:
        raise UsageError(
            f"{path}, line {begins}: a quote that does not end, or stands inside a cell.", hint=hint
        ) from None


def _swallows(row: list[str], delimiter: str, width: int) -> bool:
    """Tell whether a cell holds lines that look like rows."""
    inner = [one for cell in row for one in cell.splitlines()[1:-1]]
    return width > 1 and bool(inner) and all(one.count(delimiter) == width - 1 for one in inner)
