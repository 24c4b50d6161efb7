"""Rows of a release as one caller sees them: whole, or masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse import masking

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A connection to a release, and whether who asks sees personal data."""

    connection: duckdb.DuckDBPyConnection
    personal: bool
    tokens: masking.Tokens

    def rows(self, table: str, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query whose columns are named as those of ``table``."""
        found = self.raw(query, parameters)
        return found if self.personal else [masking.row(table, row, self.tokens) for row in found]

    def raw(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query that asks for nothing personal, or whose rows never leave as they are."""
        cursor = self.connection.execute(query, list(parameters))
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def record(self, record_key: str) -> str:
        """Return what a record is called here: its key, or what stands for it."""
        return record_key if self.personal else self.tokens.record(record_key)
