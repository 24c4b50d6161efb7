"""The records of the newest generation as people name them: found by key, with what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdp.duck import connect, quote
from cdp.errors import NotFoundError, UsageError
from pipelines.generations import Generation, newest

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake
    from cdp.ledger import Ledger

_FILES = ("records", "identifiers", "clusters", "evidence", "uncertain", "id_map")
_ALIKE = 0.8
_NOT_SHOWN = frozenset({"record_key", "source", "first_seen_at"})


@dataclass(frozen=True)
class Record:
    """A record: its customer, and its values by name in the order in which they are read."""

    record_key: str
    customer_id: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Known:
    """A generation opened for questions about single records."""

    generation: Generation
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger

    def customer_of(self, key: str) -> str | None:
        """Return the customer id of a record, or None where there is no such record."""
        query = "SELECT customer_id FROM id_map WHERE record_key = ?"
        rows = self.connection.execute(query, [key]).fetchall()
        return str(rows[0][0]) if rows else None

    def records_of(self, customer_id: str) -> list[str]:
        """Return the keys of a customer's records; a retired id stands for the customer that followed it."""
        query = "SELECT record_key FROM id_map WHERE customer_id = ? ORDER BY 1"
        found = self.connection.execute(query, [customer_id]).fetchall()
        if not found:
            follows = "SELECT customer_id FROM redirects WHERE previous_customer_id = ?"
            found = self.connection.execute(query, [self.ledger.value(follows, [customer_id])]).fetchall()
        return [str(row[0]) for row in found]

    def gone(self, keys: Iterable[str]) -> set[str]:
        """Return those of the keys that no record has."""
        query = "SELECT unnest(?) EXCEPT SELECT record_key FROM id_map"
        return {str(row[0]) for row in self.connection.execute(query, [sorted(set(keys))]).fetchall()}

    def check(self, key: str) -> str:
        """Return ``key``; raises :class:`NotFoundError` with the nearest where there is no such record."""
        if self.customer_of(key) is not None:
            return key
        query = """
            SELECT record_key FROM id_map
            WHERE jaro_winkler_similarity(lower(record_key), lower($key)) >= $alike
            ORDER BY jaro_winkler_similarity(lower(record_key), lower($key)) DESC, record_key LIMIT 1
        """
        rows = self.connection.execute(query, {"key": key, "alike": _ALIKE}).fetchall()
        hint = (
            f"Did you mean {rows[0][0]}?"
            if rows
            else "Expected source:key; `cdp profile` lists a person's records."
        )
        raise NotFoundError(f"There is no record {key!r}.", hint=hint)

    def values(self, keys: Sequence[str]) -> list[Record]:
        """Return records with what they say: columns of the record, then its identifiers."""
        cursor = self.connection.execute(
            "SELECT * FROM records WHERE record_key IN (SELECT unnest(?))", [list(keys)]
        )
        names = [str(column[0]) for column in cursor.description or ()]
        rows = {
            row["record_key"]: row for row in (dict(zip(names, r, strict=True)) for r in cursor.fetchall())
        }
        found = {key: dict(_shown(rows[key])) for key in keys}
        query = """
            SELECT record_key, type, string_agg(DISTINCT value, ', ' ORDER BY value) FROM identifiers
            WHERE record_key IN (SELECT unnest(?)) GROUP BY 1, 2 ORDER BY 1, 2
        """
        for key, kind, text in self.connection.execute(query, [list(keys)]).fetchall():
            found[key].setdefault(str(kind), str(text))
        return [Record(key, self.customer_of(key) or "", found[key]) for key in keys]


def _shown(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if name not in _NOT_SHOWN and value is not None and str(value).strip():
            yield name, str(value)[:19] if name.endswith("_seen_at") else str(value)


@contextmanager
def opened(lake: Lake, ledger: Ledger) -> Iterator[Known]:
    """Open the newest generation. Raises :class:`UsageError` before the first run."""
    generation = newest(ledger)
    if generation is None or not lake.path(generation.path).is_dir():
        raise UsageError("There are no resolved records yet.", hint="Run `cdp run` first.")
    with connect() as connection:
        for name in _FILES:
            path = lake.path(generation.path) / f"{name}.parquet"
            if path.is_file():
                connection.execute(
                    f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({quote(str(path))})"
                )
        yield Known(generation, connection, ledger)


def check_all(known: Known, keys: Iterable[str]) -> None:
    """Raise for the first key that is no record."""
    for key in keys:
        known.check(key)
