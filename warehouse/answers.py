"""Values of an answer as people read them: on the terminal, on a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

BEYOND: Final = "(beyond what can be shown)"


def text(value: Any) -> str:
    """Return a value of a row as a table shows it.

    >>> text(None), text(True), text(Decimal("2.5000")), text(["a", "b"])
    ('', 'true', '2.5', '["a", "b"]')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case Decimal():
            shown = f"{value:f}"
            return shown.rstrip("0").rstrip(".") if "." in shown else shown
        case bytes():
            return value.hex()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, default=_plain)
        case _:
            return str(value)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def rows(batch: pa.RecordBatch, most: int) -> Iterator[list[str]]:
    """Yield the first ``most`` rows of a batch as texts; columns may have equal names."""
    part = batch.slice(0, most)
    columns = [_texts(column) for column in part.columns]
    for at in range(part.num_rows):
        yield [column[at] for column in columns]


def _texts(column: pa.Array) -> list[str]:
    try:
        return [text(value) for value in column.to_pylist()]
    except (OverflowError, ValueError, TypeError):
        return [_one(scalar) for scalar in column]


def _one(scalar: pa.Scalar) -> str:
    """Return one value's text; Python has no dates before the year 1, and no months in an interval."""
    try:
        return text(scalar.as_py())
    except (OverflowError, ValueError, TypeError):
        return BEYOND


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of a type stand to the right."""
    import pyarrow as pa

    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
