"""Text for a terminal: data of customers must not be able to command it, or to break a line."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

UNLIMITED: Final = 1_000_000
_HIDDEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS: Final = frozenset("\u200c\u200d")  # part of words of Persian and Indian scripts, and of emoji


def printable(text: str) -> str:
    r"""Return ``text`` on one line, with blanks for what moves the cursor, hides or reorders.

    >>> printable("Ann\x1b[31m\nSmith")
    'Ann [31m Smith'
    """
    if text.isprintable():
        return text
    return "".join(
        " " if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in text
    ).rstrip()


def program() -> str:
    """Return how to call this program again: `cdp`, or its path where the shell would not find it."""
    called = Path(sys.argv[0])
    if called.name != "cdp" or not called.is_file():
        return "cdp"
    found = shutil.which("cdp")
    if found is not None and Path(found).resolve() == called.resolve():
        return "cdp"
    path = os.path.relpath(called)
    return str(called.absolute()) if path.startswith("..") else path


def width() -> int:
    """Return the columns of the terminal on stdout; no limit where it is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int], columns: int
) -> str:
    """Return rows as an aligned table, or a block per row where that is wider than ``columns``.

    ``right`` are the positions of columns that are numbers.

    >>> print(table(["id", "n"], [["a", "1"], ["bb", "22"]], right=frozenset({1}), columns=80))
    id   n
    --  --
    a    1
    bb  22
    """
    widths = [max(map(cells, column)) for column in zip(headings, *rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > columns:
        return _blocks(headings, rows)
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(padded(cell, widths[at], right=at in right) for at, cell in enumerate(line)).rstrip()
        for line in lines
    )


def _blocks(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    margin = max(map(cells, headings))
    blocks = [
        "\n".join(
            f"{padded(name, margin, right=False)}  {cell}".rstrip()
            for name, cell in zip(headings, row, strict=True)
        )
        for row in rows
    ]
    return "\n\n".join(blocks)


def cells(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text`` with blanks up to ``width`` columns."""
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks


def cut(text: str, columns: int) -> str:
    """Return what of a line fits into ``columns`` columns.

    >>> cut("Ann Smith", 6), cut("Ann", 6)
    ('Ann S…', 'Ann')
    """
    if cells(text) <= columns:
        return text
    kept = text[: max(columns - 1, 0)]
    while cells(kept) >= columns and kept:
        kept = kept[:-1]
    return f"{kept}…"
