"""Rows of a release as those may see them who lack the scope ``read-pii``.

The dictionary says how personal each column is; API, pages and the masked copy for SQL all follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cdp import masking
from warehouse.tables import tables

_NAMES: Final = frozenset({"full_name", "given_name", "surname"})


@cache
def _direct(table: str) -> frozenset[str]:
    return frozenset(column.name for column in tables()[table].columns if column.pii == "direct")


def row(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of ``table`` with its direct personal data masked; other columns stay.

    >>> row("customers", {"customer_id": "C1", "email": "jane@mail.example", "city": "York"})
    {'customer_id': 'C1', 'email': 'j***@m***.example', 'city': 'York'}
    """
    direct = _direct(table)
    return {name: value(name, given) if name in direct else given for name, given in values.items()}


def value(column: str, given: Any) -> Any:
    """Return a direct value of a column, masked."""
    if given is None:
        return None
    if not isinstance(given, str):
        return None
    if column in {"email", "phone"}:
        return masking.identifier(column, given)
    if column in _NAMES:
        return masking.name(given)
    return masking.HIDDEN
