"""Values of an answer as people read them: on the terminal, on a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    for kind, written in _WRITTEN.items():
        if isinstance(value, kind):
            return written(value)
    return "" if value is None else str(value)


def _decimal(value: Decimal) -> str:
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


_WRITTEN: Final[dict[type, Callable[[Any], str]]] = {
    bool: lambda value: str(value).lower(),
    datetime: lambda value: f"{value:%Y-%m-%d %H:%M:%S}",
    Decimal: _decimal,
    bytes: bytes.hex,
    list: _json,
    dict: _json,
}


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

    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(check(kind) for check in checks)
