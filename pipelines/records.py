"""Records from events: the tables on which identity works, built by DuckDB from the events' files.

A record is one source's view of one person (``record_key``). Its identifiers carry when they were
first and last seen; its trait values are kept all, with the time of the latest event that said so,
and once more as the latest value per trait, which is what records are compared by. Nothing here
depends on the order of the files or of the rows in them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from cdp.duck import connect, identifier, quote
from cdp.schemas import EVENTS, RECORD_IDENTIFIERS, RECORD_VALUES, TIMESTAMP, TRAITS
from cdp.stored import EventFiles

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "1GB"

# The events' own times that can be believed; where an event has none, when it was seen is not known.
_SOUND = "(time_flag IS NULL OR time_flag = 'ambiguous')"

EXCLUDED = pa.schema([("file_id", pa.int64()), ("raw_row", pa.int64())])
"""Envelopes whose events no longer count (superseded, or quarantined since)."""

RECORDS = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("first_seen_at", TIMESTAMP),
        pa.field("last_seen_at", TIMESTAMP),
        *(pa.field(name, pa.string()) for name in TRAITS),
    ]
)
"""One row per record: the latest value of each trait, by (time, event id)."""


@dataclass(frozen=True)
class RecordTables:
    """``records`` (RECORDS), ``identifiers`` and ``values`` (cdp.schemas), sorted by record_key.

    ``attributed`` and ``unattributed`` count the rows of events with and without a record.
    """

    records: pa.Table
    identifiers: pa.Table
    values: pa.Table
    attributed: int
    unattributed: int


def build(
    event_files: EventFiles,
    excluded: pa.Table,
    *,
    grouped_sources: Collection[str] = (),
    temp_directory: Path | None = None,
) -> RecordTables:
    """Return the records of all events in ``event_files`` but those of the ``excluded`` envelopes.

    Rows of one event of ``grouped_sources`` are parts of it (lines of an order that came in several files).
    """
    with connect(memory_limit=MEMORY_LIMIT, temp_directory=temp_directory) as connection:
        _events(connection, event_files, excluded, grouped_sources)
        (attributed,), (unattributed,) = (
            connection.sql(f"SELECT count(*) FROM counted WHERE record_key IS {word} NULL").fetchall()[0]
            for word in ("NOT", "")
        )
        return RecordTables(
            _table(connection, _RECORDS_SQL, RECORDS),
            _table(connection, _IDENTIFIERS_SQL, RECORD_IDENTIFIERS),
            _table(connection, _VALUES_SQL, RECORD_VALUES),
            attributed,
            unattributed,
        )


def _table(connection: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> pa.Table:
    return connection.sql(sql).to_arrow_table().select(schema.names).cast(schema)


def _events(
    connection: duckdb.DuckDBPyConnection,
    event_files: EventFiles,
    excluded: pa.Table,
    grouped_sources: Collection[str],
) -> None:
    """Create ``counted`` (events that count, each once) and ``said`` (one row per trait value said)."""
    connection.register("excluded_envelopes", excluded.cast(EXCLUDED))
    if event_files:
        connection.execute(f"CREATE TEMP VIEW stored AS {event_files.query()}")
    else:
        connection.register("stored", EVENTS.empty_table())
    connection.execute(_STANDING_SQL)
    grouped = pa.table({"source": pa.array(sorted(grouped_sources), pa.string())})
    connection.register("grouped", grouped)
    connection.execute(_PARTS_SQL)
    folded = connection.sql("SELECT count(*) FROM parts").fetchall()[0][0]
    connection.execute(f"CREATE TEMP VIEW counted AS {_FOLDED_SQL if folded else _WHOLE_SQL}")
    connection.execute(_SAID_SQL)


_STANDING_SQL = f"""
CREATE TEMP VIEW standing AS
SELECT record_key, source, event_id, occurred_at, occurred_text, {_SOUND} AS is_sound, identifiers, traits
FROM stored ANTI JOIN excluded_envelopes USING (file_id, raw_row)
"""

_PARTS_SQL = """
CREATE TEMP TABLE parts AS
SELECT source, event_id FROM standing SEMI JOIN grouped USING (source) GROUP BY ALL HAVING count(*) > 1
"""

_WHOLE_SQL = """
SELECT record_key, source, event_id, identifiers, traits, CASE WHEN is_sound THEN occurred_at END AS seen_at
FROM standing
"""

# By the rules of the fold of lines within one file: it must not matter how they are spread.
_FOLDED_SQL = f"""
{_WHOLE_SQL} ANTI JOIN parts USING (source, event_id)
UNION ALL
SELECT min(record_key), source, event_id, list_distinct(flatten(list(coalesce(identifiers, [])))),
  CASE WHEN bool_or(traits IS NOT NULL)
    THEN struct_pack({", ".join(f"{name} := min(traits.{name})" for name in TRAITS)}) END,
  CASE WHEN arg_min_null(is_sound, (occurred_at, occurred_text)) THEN min(occurred_at) END
FROM standing SEMI JOIN parts USING (source, event_id) GROUP BY source, event_id
"""

# UNPIVOT leaves out the traits that an event does not have.
_SAID_SQL = f"""
CREATE TEMP TABLE said AS
SELECT record_key, source, attribute, value,
  max(seen_at) AS observed_at,
  max((coalesce(seen_at, '-infinity'::TIMESTAMPTZ), event_id)) AS latest
FROM (
  UNPIVOT (
    SELECT record_key, source, event_id, seen_at, unnest(traits)
    FROM counted WHERE record_key IS NOT NULL AND traits IS NOT NULL)
  ON {", ".join(identifier(name) for name in TRAITS)} INTO NAME attribute VALUE value)
WHERE value <> ''
GROUP BY ALL
"""

_VALUES_SQL = """
SELECT record_key, source, attribute, value, observed_at FROM said
ORDER BY record_key, attribute, value
"""

_IDENTIFIERS_SQL = """
SELECT record_key, source, one.type, one.namespace, one.value,
  min(seen_at) AS first_seen_at, max(seen_at) AS last_seen_at
FROM (
  SELECT record_key, source, seen_at, unnest(identifiers) AS one
  FROM counted WHERE record_key IS NOT NULL)
GROUP BY ALL
ORDER BY record_key, one.type, one.namespace, one.value
"""

_LATEST = ",\n    ".join(
    f"max_by(value, (latest, value)) FILTER (attribute = {quote(name)}) AS {identifier(name)}"
    for name in TRAITS
)

_RECORDS_SQL = f"""
SELECT * FROM (
  SELECT record_key, any_value(source) AS source,
    min(seen_at) AS first_seen_at, max(seen_at) AS last_seen_at
  FROM counted WHERE record_key IS NOT NULL GROUP BY record_key)
LEFT JOIN (
  SELECT record_key,
    {_LATEST}
  FROM said GROUP BY record_key) USING (record_key)
ORDER BY record_key
"""
