"""What a rule may ask about: the columns of the dictionary, by the kind of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from warehouse import masking
from warehouse.masking import Treatment
from warehouse.segments import labels
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

Kind = Literal["text", "number", "money", "boolean", "date", "time", "list"]
Takes = Literal["nothing", "one", "two", "many", "days"]

CUSTOMERS: Final = "customers"
EVENTS: Final = "behaviour"
SOUND: Final = "time_flag"

_KINDS: Final[Mapping[str, Kind]] = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMPTZ": "time",
    "VARCHAR[]": "list",
    "DOUBLE": "number",
}
_WHOLE: Final = ("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT")
# Towns and countries stay as they are, but for what looks like an address in them: a rule tells no more.
_SHOWN: Final = (Treatment.KEEP, Treatment.CONTENT)
# Keys of the storage, and what the conditions on type, time and place already ask.
_NO_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    CUSTOMERS: frozenset({"customer_no"}),
    EVENTS: frozenset({"customer_no", "event_type", "occurred_at", SOUND, "amount_base"}),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """How a field may be compared: in words, and what it is compared with."""

    name: str
    words: str
    takes: Takes


_KNOWN: Final = (
    Operator("is_known", "is known", "nothing"),
    Operator("is_unknown", "is not known", "nothing"),
)
_AMOUNTS: Final = (
    Operator("at_least", "is at least", "one"),
    Operator("at_most", "is at most", "one"),
    Operator("more_than", "is more than", "one"),
    Operator("less_than", "is less than", "one"),
    Operator("between", "is between", "two"),
    Operator("is", "is", "one"),
    Operator("is_not", "is something other than", "one"),
    *_KNOWN,
)
_TIMES: Final = (
    Operator("within_days", "is within the last … days", "days"),
    Operator("before_days", "is more than … days ago", "days"),
    Operator("before", "is before", "one"),
    Operator("on_or_after", "is on or after", "one"),
    Operator("between", "is between", "two"),
    *_KNOWN,
)
OPERATORS: Final[Mapping[Kind, tuple[Operator, ...]]] = {
    "text": (
        Operator("is", "is", "one"),
        Operator("is_not", "is something other than", "one"),
        Operator("is_any_of", "is any of", "many"),
        Operator("is_none_of", "is something other than any of", "many"),
        Operator("contains", "contains", "one"),
        Operator("starts_with", "starts with", "one"),
        *_KNOWN,
    ),
    "number": _AMOUNTS,
    "money": _AMOUNTS,
    "boolean": (Operator("is", "is", "one"), *_KNOWN),
    "date": _TIMES,
    "time": _TIMES,
    "list": (
        Operator("includes", "include", "one"),
        Operator("includes_any", "include any of", "many"),
        Operator("includes_all", "include all of", "many"),
        Operator("is_known", "are not empty", "nothing"),
        Operator("is_unknown", "are empty", "nothing"),
    ),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a rule may ask about. ``type`` is that of DuckDB.

    ``masked``: whether those who lack ``read-pii`` see less of its values than a rule would tell them.
    """

    name: str
    kind: Kind
    type: str
    pii: str
    comment: str
    masked: bool = False

    @property
    def label(self) -> str:
        """What it is called.

        >>> Field("order_count", "number", "INTEGER", "none", "orders placed").label
        'Number of orders'
        """
        return labels.label(self.name)

    @property
    def is_personal(self) -> bool:
        """Whether only who may read personal data may ask about it: the answer would tell the value."""
        return self.masked or self.pii == "direct"

    @property
    def is_whole(self) -> bool:
        """Whether its numbers have no fraction."""
        return self.type in _WHOLE

    def operator(self, name: str) -> Operator | None:
        """Return an operator of this kind of field."""
        return next((found for found in OPERATORS[self.kind] if found.name == name), None)


@dataclass(frozen=True)
class Fields:
    """The fields of customers and of events. ``events`` is empty where a release is too old to have any.

    ``has_base``: whether there is a base currency, in which amounts are compared where none is named.
    """

    customers: Mapping[str, Field]
    events: Mapping[str, Field]
    has_base: bool = True


def _field(table: str, name: str, kind: str, pii: str, comment: str) -> Field | None:
    if name in _NO_FIELDS[table]:
        return None
    known: Kind | None = _KINDS.get(kind)
    if kind in _WHOLE:
        known = "number"
    elif kind.startswith("DECIMAL"):
        known = "money"
    return Field(name, known, kind, pii, comment, _is_masked(table, name, pii)) if known else None


def _is_masked(table: str, name: str, pii: str) -> bool:
    """Whether a column is shown changed. One that masking does not know is, unless it is not personal at all."""
    how = masking.treatments(table).get(name)
    return pii != "none" if how is None else how not in _SHOWN


def known_fields() -> Fields:
    """Return the fields of a release that this version publishes.

    >>> known_fields().customers["channels"].kind
    'list'
    """
    found: dict[str, Mapping[str, Field]] = {}
    for table in (CUSTOMERS, EVENTS):
        columns = tables()[table].columns
        made = (_field(table, c.name, c.type, c.pii, c.comment) for c in columns)
        found[table] = MappingProxyType({field.name: field for field in made if field})
    return Fields(found[CUSTOMERS], found[EVENTS])


def fields_of(connection: duckdb.DuckDBPyConnection) -> Fields:
    """Return the fields that a release has: its own dictionary says so."""
    rows = connection.execute(
        "SELECT table_name, column_name, type, pii, comment FROM cdp_dictionary "
        "WHERE table_name IN (?, ?) AND column_name IS NOT NULL",
        [CUSTOMERS, EVENTS],
    ).fetchall()
    found: dict[str, dict[str, Field]] = {CUSTOMERS: {}, EVENTS: {}}
    for table, name, kind, pii, comment in rows:
        if field := _field(table, name, kind, pii, comment):
            found[table][name] = field
    base = connection.execute("SELECT base_currency FROM cdp_release").fetchall()
    has_base = any(currency is not None for (currency,) in base)
    return Fields(MappingProxyType(found[CUSTOMERS]), MappingProxyType(found[EVENTS]), has_base)
