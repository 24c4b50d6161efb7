"""Values that a form may offer: those that occur in a release, with how often; kept per release."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdp import duck
from cdp.events import EVENT_TYPES
from warehouse import masking
from warehouse.segments.fields import CUSTOMERS, EVENTS, Field

if TYPE_CHECKING:
    import duckdb

MOST: Final = 50
"""More values than these are a text to be typed, with the most frequent ones offered."""
_KEPT: Final = 200


@dataclass(frozen=True)
class Choice:
    """A value and how many customers (or events) have it."""

    value: str
    count: int


@dataclass(frozen=True)
class Choices:
    """The most frequent values; ``whole`` where there are no others."""

    values: Sequence[Choice] = ()
    whole: bool = False


class _Kept:
    """The choices of the releases that were asked last; making them reads a whole column."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, ...], Choices] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> Choices | None:
        with self._lock:
            return self._found.get(key)

    def put(self, key: tuple[str, ...], choices: Choices) -> Choices:
        with self._lock:
            self._found[key] = choices
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return choices


_kept = _Kept()


def of_field(
    connection: duckdb.DuckDBPyConnection, release: str, table: str, field: Field, *, personal: bool
) -> Choices:
    """Return the values of a text or list field. Nobody is offered what they may not see, nor personal data."""
    is_open = personal or field.name in masking.open_columns(table)
    if field.kind not in ("text", "list") or field.is_personal or not is_open or field.name == "customer_id":
        return Choices()
    key = (release, table, field.name)
    return _kept.get(key) or _kept.put(key, _choices(connection, table, field))


def _choices(connection: duckdb.DuckDBPyConnection, table: str, field: Field) -> Choices:
    column = duck.identifier(field.name)
    value = f"unnest({column})" if field.kind == "list" else column
    rows = connection.execute(
        f"SELECT value, count(*) AS n FROM (SELECT {value} AS value FROM {duck.identifier(table)}) "
        f"WHERE value <> '' GROUP BY value ORDER BY n DESC, value LIMIT {MOST + 1}"
    ).fetchall()
    return Choices(tuple(Choice(str(v), int(n)) for v, n in rows[:MOST]), whole=len(rows) <= MOST)


def event_types(connection: duckdb.DuckDBPyConnection, release: str) -> Choices:
    """Return the event types that occur, with how many events of each there are, by channel and name."""
    key = (release, EVENTS, "event_type")
    if (found := _kept.get(key)) is not None:
        return found
    rows = connection.execute(
        "SELECT event_type, count(*) FROM behaviour GROUP BY event_type ORDER BY event_type"
    ).fetchall()
    counts = {str(name): int(n) for name, n in rows}
    return _kept.put(
        key, Choices(tuple(Choice(name, counts[name]) for name in EVENT_TYPES if name in counts), True)
    )


def table_of(*, detail: bool) -> str:
    """Return the table that a condition is about."""
    return EVENTS if detail else CUSTOMERS
