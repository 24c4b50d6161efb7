"""Identifiers of people, (type, namespace, value), and the one canonical form of each value.

Everything here is pure. `normalise` and `check` take one value; `normalise_array` and `check_array` take
an Arrow array and give the same answers, distinct value by distinct value.

>>> normalise("email", " Alice@Example.COM "), normalise("phone", "020 7946 0018", "GB")
('alice@example.com', '+442079460018')
>>> normalise("user_id", "undefined") is None
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdp.errors import UsageError, nearest
from cdp.identifiers.countries import country, country_names
from cdp.identifiers.emails import check_email
from cdp.identifiers.keys import check_handle, check_key
from cdp.identifiers.phones import check_phone
from cdp.identifiers.text import REASONS, Checked, Reason

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GLOBAL_NAMESPACE",
    "IDENTIFIER_TYPES",
    "REASONS",
    "Checked",
    "IdentifierType",
    "Reason",
    "check",
    "check_array",
    "country",
    "country_array",
    "country_names",
    "default_namespace",
    "normalise",
    "normalise_array",
]

GLOBAL_NAMESPACE: Final = ""
"""Namespace of the types whose values mean the same person everywhere."""


@dataclass(frozen=True, slots=True)
class IdentifierType:
    """A type of identifier; ``is_global`` where its values need no namespace."""

    name: str
    is_global: bool
    description: str
    check: Callable[[str, str | None], Checked]


def _check_key(value: str, region: str | None) -> Checked:
    del region
    return check_key(value)


def _check_handle(value: str, region: str | None) -> Checked:
    del region
    return check_handle(value)


def _check_email(value: str, region: str | None) -> Checked:
    del region
    return check_email(value)


IDENTIFIER_TYPES: Final[Mapping[str, IdentifierType]] = {
    row.name: row
    for row in (
        IdentifierType("user_id", False, "id of a person who has an account", _check_key),
        IdentifierType("external_id", False, "id of a person in a business system", _check_key),
        IdentifierType("anonymous_id", False, "id of a device or browser", _check_key),
        IdentifierType("email", True, "e-mail address", check=_check_email),
        IdentifierType("phone", True, "telephone number in E.164", check=check_phone),
        IdentifierType("handle", False, "name on a social network", _check_handle),
    )
}
"""Every type, in the order in which the first present one gives a record its key."""


def default_namespace(kind: str, source: str) -> str:
    """Return the namespace of an identifier of ``kind`` where the configuration names none.

    >>> default_namespace("email", "web"), default_namespace("user_id", "web")
    ('', 'web')
    """
    return GLOBAL_NAMESPACE if _type(kind).is_global else source


def check(kind: str, value: str | float | None, region: str | None = None) -> Checked:
    """Return the canonical form of ``value``, or the reason why it is no identifier.

    ``kind`` is a name of `IDENTIFIER_TYPES`; ``region`` (ISO alpha-2) is where telephone numbers without
    a plus were dialled, None if they are international. Raises `cdp.errors.UsageError` for an unknown
    kind, never for a value.

    >>> check("email", "j***@example.com")
    Checked(value=None, reason='masked')
    """
    rule = _type(kind).check
    return Checked(None, "empty") if value is None else rule(str(value), region)


def normalise(kind: str, value: str | float | None, region: str | None = None) -> str | None:
    """Return the canonical form of ``value``, or None where it is no identifier; see `check`."""
    return check(kind, value, region).value


def normalise_array(kind: str, values: pa.Array | pa.ChunkedArray, region: str | None = None) -> pa.Array:
    """Return the canonical forms of ``values`` (string, number or dictionary array) as a string array.

    Row i is ``normalise(kind, values[i], region)``; the work is done once per distinct value.
    """
    return check_array(kind, values, region)[0]


def check_array(
    kind: str, values: pa.Array | pa.ChunkedArray, region: str | None = None
) -> tuple[pa.Array, pa.Array]:
    """Return the canonical forms of ``values``, and the reason of each row that has none (NULL elsewhere).

    A NULL among ``values`` is no refusal: its reason is NULL too.
    """
    from cdp.identifiers.arrays import check_distinct

    return check_distinct(kind, _type(kind).check, values, region)


def country_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the ISO 3166-1 alpha-2 codes of country codes and names, NULL where none is known."""
    from cdp.identifiers.arrays import map_distinct

    return map_distinct(country, values)


def _type(kind: str) -> IdentifierType:
    found = IDENTIFIER_TYPES.get(kind)
    if found is None:
        close = nearest(kind, IDENTIFIER_TYPES) or ", ".join(IDENTIFIER_TYPES)
        raise UsageError(f"{kind!r} is no type of identifier.", hint=f"Did you mean {close}?")
    return found
