"""Build the DuckDB file of a release from events and one identity generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp import duck, durable
from cdp.errors import RunFailedError
from cdp.identifiers import country, normalise_array
from cdp.schemas import TIMESTAMP
from warehouse import inputs as build_inputs
from warehouse import search_index
from warehouse.inputs import BuildInputs
from warehouse.release import DATABASE, DEFAULT_RESOURCES, Resources
from warehouse.segments import history as segment_history
from warehouse.tables import (
    CONTRACT_VERSION,
    SCHEMA_VERSION,
    STORAGE_VERSION,
    comments,
    create_table,
    dictionary_rows,
    tables,
)

if TYPE_CHECKING:
    import duckdb


_EVENT_ORDER: Final = "e.occurred_at, e.source, e.event_id, e.event_type, e.raw_row, e.file_id"
_STAGES: Final = (
    "identity", "money", "contacts", "consent", "measure_lifecycle", "measure_rfm", "measure_acts",
    "measure_channels", "measure_campaigns", "measure_profit", "measure_tickets", "measure_joined",
    "customers", "measure_summaries", "behaviour",
)  # fmt: skip
_AMOUNT_BASE: Final = "try_cast(e.amount * rates.rate AS DECIMAL(18, 4)) AS amount_base"


@dataclass(frozen=True)
class BuildReport:
    """What a build read and made. ``events`` counts after superseded ones went and folds became one."""

    path: Path
    input_rows: int
    superseded: int
    folded: int
    records: int
    table_rows: Mapping[str, int]

    @property
    def events(self) -> int:
        """Events that must be in ``contact_history`` or ``unattributed``."""
        return self.input_rows - self.superseded - self.folded


def _sql(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    text = files("warehouse").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    connection.execute(text)


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _describe_release(
    connection: duckdb.DuckDBPyConnection, inputs: BuildInputs, version: str, now: datetime
) -> None:
    row = {
        "version": version,
        "contract_version": CONTRACT_VERSION,
        "schema_version": SCHEMA_VERSION,
        "created_at": now,
        "workspace": inputs.workspace,
        "default_region": inputs.default_region,
        "base_currency": inputs.base_currency,
    }
    texts = ("workspace", "default_region", "base_currency")
    schema = pa.schema(
        [
            ("version", pa.string()),
            ("contract_version", pa.int32()),
            ("schema_version", pa.int32()),
            ("created_at", TIMESTAMP),
            *((name, pa.string()) for name in texts),
        ]
    )
    connection.register("given_release", pa.Table.from_pylist([row], schema=schema))
    connection.execute("INSERT INTO cdp_release BY NAME SELECT * FROM given_release")
    connection.register("given_dictionary", dictionary_rows())
    connection.execute("INSERT INTO cdp_dictionary BY NAME SELECT * FROM given_dictionary")


def _select_events(connection: duckdb.DuckDBPyConnection) -> None:
    """Define ``current_events``; the second pass for folds runs only where there are any."""
    _sql(connection, "select_events")
    if not _count(connection, "SELECT count(*) FROM folded_keys"):
        connection.execute("CREATE TEMP VIEW current_events AS SELECT * EXCLUDE (traits) FROM counted_events")
        return
    _sql(connection, "fold_events")
    connection.execute(
        "CREATE TEMP VIEW current_events AS "
        "SELECT * EXCLUDE (traits) FROM counted_events ANTI JOIN folded_keys USING (source, event_id) "
        "UNION ALL BY NAME SELECT * FROM folded_events"
    )


def _map_countries(connection: duckdb.DuckDBPyConnection) -> None:
    """Define ``country_codes``: what the sources call a country, and its ISO 3166-1 alpha-2 code."""
    query = "SELECT DISTINCT value FROM input_attributions WHERE attribute = 'country' AND value IS NOT NULL"
    found = [(text, code) for (text,) in connection.execute(query).fetchall() if (code := country(text))]
    schema = pa.schema([("text", pa.string()), ("code", pa.string())])
    rows = [{"text": text, "code": code} for text, code in found]
    connection.register("country_codes", pa.Table.from_pylist(rows, schema=schema))


def _gather_golden_addresses(connection: duckdb.DuckDBPyConnection, region: str | None) -> None:
    """Fill ``golden_addresses``: a source may give an address as a trait only."""
    found = []
    for type_ in ("email", "phone"):
        golden = connection.sql(
            f"SELECT customer_id, '{type_}' AS type, {type_} AS value FROM customers AS c "
            f"WHERE {type_} IS NOT NULL AND NOT EXISTS (FROM customer_identifiers AS i "
            f"WHERE i.customer_id = c.customer_id AND i.type = '{type_}' AND i.value = c.{type_})"
        ).to_arrow_table()
        found.append(golden.set_column(2, "value", normalise_array(type_, golden["value"], region)))
    connection.register("given_addresses", pa.concat_tables(found))
    connection.execute("INSERT INTO golden_addresses BY NAME FROM given_addresses WHERE value IS NOT NULL")


def _store_events(connection: duckdb.DuckDBPyConnection) -> None:
    rates = "LEFT JOIN day_rates AS rates ON rates.currency = e.currency AND rates.day = e.occurred_at::DATE"
    connection.execute(
        f"INSERT INTO record_events BY NAME SELECT n.record_no, e.* EXCLUDE (record_key), {_AMOUNT_BASE} "
        f"FROM current_events AS e JOIN record_numbers AS n USING (record_key) {rates} "
        f"ORDER BY n.record_no, {_EVENT_ORDER}"
    )
    connection.execute(
        f"INSERT INTO unattributed BY NAME SELECT e.* EXCLUDE (record_key), {_AMOUNT_BASE} "
        f"FROM current_events AS e {rates} WHERE e.record_key IS NULL ORDER BY {_EVENT_ORDER}"
    )


def _create_views(connection: duckdb.DuckDBPyConnection) -> None:
    names = [duck.identifier(column.name) for column in tables()["unattributed"].columns]
    attributed = ", ".join(f"e.{name}" for name in names)
    connection.execute(
        f"CREATE VIEW contact_history AS SELECT r.customer_id, r.record_key, {attributed} "
        "FROM record_events AS e JOIN customer_records AS r ON r.record_no = e.record_no"
    )
    columns = ", ".join(names)
    connection.execute(
        f"CREATE VIEW all_events AS SELECT customer_id, record_key, {columns} FROM contact_history "
        f"UNION ALL SELECT NULL, NULL, {columns} FROM unattributed"
    )


def _fill(
    connection: duckdb.DuckDBPyConnection, inputs: BuildInputs, path: Path, version: str, now: datetime
) -> BuildReport:
    for table in tables().values():
        if table.kind == "table":
            connection.execute(create_table(table))
    build_inputs.register(connection, inputs)
    _describe_release(connection, inputs, version, now)
    _sql(connection, "records")
    _select_events(connection)
    _sql(connection, "rates")
    _store_events(connection)
    _map_countries(connection)
    for name in _STAGES:
        _sql(connection, name)
    _gather_golden_addresses(connection, inputs.default_region)
    _sql(connection, "shared_addresses")
    search_index.fill(connection)
    _create_views(connection)
    segment_history.fill(connection, inputs.segments, version, now)
    # In one transaction: else each of the 300 comments is flushed on its own.
    texts = [statement for table in tables().values() for statement in comments(table)]
    connection.execute(";\n".join(["BEGIN", *texts, "COMMIT"]))
    _sql(connection, "indexes")
    read = _count(connection, "SELECT count(*) FROM input_events")
    return BuildReport(
        path=path,
        input_rows=read,
        superseded=read - _count(connection, "SELECT count(*) FROM counted_events"),
        folded=_count(connection, "SELECT coalesce(sum(parts - 1), 0) FROM folded_keys"),
        records=_count(connection, "SELECT count(*) FROM input_id_map"),
        table_rows={
            name: _count(connection, f"SELECT count(*) FROM {duck.identifier(name)}")
            for name, table in tables().items()
            if table.kind == "table"
        },
    )


def build(
    inputs: BuildInputs,
    into: Path,
    *,
    now: datetime,
    version: str = "unpublished",
    resources: Resources = DEFAULT_RESOURCES,
) -> BuildReport:
    """Build ``into/cdp.duckdb`` and return what is in it.

    ``into`` is an existing folder; what does not fit in ``memory_limit`` spills below it and is gone
    afterwards. The tables do not depend on the order of the event files or of their rows. Raises
    :class:`CorruptError` where an input is missing or lacks a column, :class:`RunFailedError` where it
    contradicts itself or disk or memory are full.
    """
    import duckdb

    path = into / DATABASE
    spill = into / "spill"
    connection = duck.connect(
        threads=resources.threads, memory_limit=resources.memory_limit, temp_directory=spill
    )
    try:
        storage = duck.quote(STORAGE_VERSION)
        connection.execute(f"ATTACH {duck.quote(str(path))} AS release (STORAGE_VERSION {storage})")
        connection.execute("USE release")
        report = _fill(connection, inputs, path, version, now)
        connection.execute("CHECKPOINT release")
        connection.execute("USE memory")
        connection.execute("DETACH release")
    except duckdb.ConstraintException:
        # Its message holds the values.
        raise RunFailedError(
            "The release could not be built: a record or a customer would be in it twice, or without its id.",
            hint="Run `cdp resolve`; if it persists, please report it.",
        ) from None
    except (duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException) as error:
        raise RunFailedError(
            f"The release could not be built: {str(error).splitlines()[0]}",
            hint="Look for free disk space (it needs about three times the last release) and memory.",
        ) from None
    finally:
        connection.close()
        durable.remove(spill)
    return report
