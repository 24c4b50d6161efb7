"""What a release is built from: event files, one identity generation, the ledger's history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

from cdp import duck
from cdp.errors import CorruptError, UsageError
from cdp.events import ENGAGEMENT_TYPES, UNATTENDED_OUTCOMES
from cdp.schemas import CLUSTERS, EVENTS, EVIDENCE, HELD_BACK, ID_MAP, RECORD_IDENTIFIERS, TIMESTAMP
from cdp.stored import EventFiles
from warehouse.measures.given import MeasureInputs
from warehouse.measures.given import register as register_measures
from warehouse.segments.history import SegmentInputs

if TYPE_CHECKING:
    import duckdb

ATTRIBUTIONS: Final = pa.schema(
    [
        ("record_key", pa.string()),
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("source", pa.string()),
        ("observed_at", TIMESTAMP),
        ("rule", pa.string()),
    ]
)
JUDGEMENTS: Final = pa.schema(
    [
        ("judgement_id", pa.int64()),
        ("left_record", pa.string()),
        ("right_record", pa.string()),
        ("kind", pa.string()),
        ("decided_at", TIMESTAMP),
        ("decided_by", pa.string()),
        ("reason", pa.string()),
    ]
)
SUPERSEDED: Final = pa.schema([("file_id", pa.int64()), ("raw_row", pa.int64())])
REDIRECTS: Final = pa.schema([("previous_customer_id", pa.string()), ("customer_id", pa.string())])
ID_CHANGES: Final = pa.schema(
    [
        ("change_seq", pa.int64()),
        ("changed_at", TIMESTAMP),
        ("change", pa.string()),
        ("customer_id", pa.string()),
        ("previous_customer_id", pa.string()),
        ("generation", pa.int64()),
        ("run_id", pa.string()),
        ("reason", pa.string()),
    ]
)
QUALITY: Final = pa.schema(
    [
        ("source", pa.string()),
        ("check_name", pa.string()),
        ("passed", pa.bool_()),
        ("observed", pa.string()),
        ("expected", pa.string()),
        ("run_id", pa.string()),
        ("checked_at", TIMESTAMP),
    ]
)
RATES: Final = pa.schema([("date", pa.date32()), ("currency", pa.string()), ("rate", pa.decimal128(18, 8))])

TableInput: TypeAlias = pa.Table | Path
"""A table in memory, or a Parquet file (rates also as CSV)."""


@dataclass(frozen=True)
class BuildInputs:
    """Everything that a release is made of. Tables may have more columns than their schema names.

    ``event_files``: Parquet of :data:`cdp.schemas.EVENTS`, any order. ``event_parts``: packs of them of which
    only the rows of these file_ids count. ``superseded``: envelopes that
    lost to another revision. ``grouped_sources``: sources whose rows of one event_id are partial folds.
    ``attributions`` hold one row per golden value, of the record that gave it. ``evidence`` may also
    hold edges between different customers; they are served as held back. ``held_back``: values that link
    nobody, and records and clusters that were held back. ``judgements`` are all of the ledger's that
    nobody took back; the newest of a pair stands. ``rates``: base-currency units for one unit of
    ``currency``, from ``date`` on.
    ``digest`` names all of this: equal inputs need no new release.
    """

    event_files: tuple[Path, ...]
    id_map: TableInput
    record_identifiers: TableInput
    attributions: TableInput
    evidence: TableInput
    clusters: TableInput
    held_back: TableInput = field(default_factory=HELD_BACK.empty_table)
    judgements: TableInput = field(default_factory=JUDGEMENTS.empty_table)
    event_parts: Mapping[Path, Sequence[int]] = field(default_factory=dict)
    superseded: TableInput = field(default_factory=SUPERSEDED.empty_table)
    grouped_sources: frozenset[str] = frozenset()
    redirects: TableInput = field(default_factory=REDIRECTS.empty_table)
    id_changes: TableInput = field(default_factory=ID_CHANGES.empty_table)
    quality: TableInput = field(default_factory=QUALITY.empty_table)
    rates: TableInput = field(default_factory=RATES.empty_table)
    measures: MeasureInputs = field(default_factory=MeasureInputs)
    segments: SegmentInputs = field(default_factory=SegmentInputs)
    workspace: str | None = None
    default_region: str | None = None
    base_currency: str | None = None
    generation: int | None = None
    digest: str = ""


_TYPES: Final[Mapping[str, str]] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "date32[day]": "DATE",
    "decimal128(18, 8)": "DECIMAL(18,8)",
}


def _scan(path: Path) -> str:
    if path.suffix == ".csv":
        return f"read_csv({duck.quote(str(path))}, header = true, all_varchar = true)"
    return f"read_parquet({duck.quote(str(path))}, hive_partitioning = false)"


def _select(name: str, given: str, schema: pa.Schema) -> str:
    """A select list that casts each column; one that is nested becomes JSON, one that is absent NULL."""
    wanted = schema.field(name).type
    kind = "VARCHAR" if pa.types.is_nested(wanted) else _TYPES[str(wanted)]
    quoted = duck.identifier(name)
    if not given:
        return f"NULL::{kind} AS {quoted}"
    if kind == "VARCHAR" and given.endswith((")", "]")):
        return f"to_json({quoted})::VARCHAR AS {quoted}"
    return f"{quoted}::{kind} AS {quoted}"


def _register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    given: TableInput,
    schema: pa.Schema,
    required: Iterable[str],
) -> None:
    if isinstance(given, Path):
        if not given.exists():
            message = f"{given.name}, a file of the identity generation, is missing."
            raise CorruptError(message, hint="Run `cdp resolve` to make it again.")
        origin = _scan(given)
    else:
        origin = f"given_{name}"
        connection.register(origin, given)
    described = connection.execute(f"DESCRIBE SELECT * FROM {origin}").fetchall()
    present = {str(row[0]): str(row[1]) for row in described}
    if missing := [column for column in required if column not in present]:
        raise CorruptError(f"The table {name} has no column {missing[0]!r}; it has: {', '.join(present)}.")
    columns = ", ".join(_select(column, present.get(column, ""), schema) for column in schema.names)
    if isinstance(given, Path) and given.suffix == ".csv":
        _read_text(connection, name, given, f"SELECT {columns} FROM {origin}")
    else:
        connection.execute(f"CREATE TEMP VIEW input_{name} AS SELECT {columns} FROM {origin}")


def _read_text(connection: duckdb.DuckDBPyConnection, name: str, path: Path, query: str) -> None:
    """Read a file that a person wrote, at once: what cannot be read is said by line."""
    import duckdb

    try:
        connection.execute(f"CREATE TEMP TABLE input_{name} AS {query}")
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        message = f"{path.name} cannot be read: {str(error).splitlines()[0]}"
        raise UsageError(message, hint="Expected: date (2026-01-31), currency (EUR), rate (0.86).") from None


def _register_events(connection: duckdb.DuckDBPyConnection, files: EventFiles) -> None:
    if missing := [path for path in files.paths if not path.exists()]:
        raise CorruptError(
            f"The events file {missing[0].name} is listed but missing.",
            hint="Run `cdp run --full` to make it again.",
        )
    query = files.query() if files else "FROM given_events"
    if not files:
        connection.register("given_events", EVENTS.empty_table())
    connection.execute(f"CREATE TEMP VIEW input_events AS {query}")


def register(connection: duckdb.DuckDBPyConnection, inputs: BuildInputs) -> None:
    """Make every input readable as ``input_<name>`` on ``connection``, with the types of its schema."""
    _register_events(connection, EventFiles(tuple(sorted(inputs.event_files)), inputs.event_parts))
    identifiers = ("record_key", "type", "value", "source")
    tables: tuple[tuple[str, TableInput, pa.Schema, tuple[str, ...]], ...] = (
        ("id_map", inputs.id_map, ID_MAP, tuple(ID_MAP.names)),
        ("record_identifiers", inputs.record_identifiers, RECORD_IDENTIFIERS, identifiers),
        ("attributions", inputs.attributions, ATTRIBUTIONS, ("record_key", "attribute", "value")),
        ("evidence", inputs.evidence, EVIDENCE, ("left_record", "right_record", "kind")),
        ("clusters", inputs.clusters, CLUSTERS, ("record_key",)),
        ("held_back", inputs.held_back, HELD_BACK, ("what", "type", "value", "reason")),
        (
            "judgements",
            inputs.judgements,
            JUDGEMENTS,
            ("judgement_id", "left_record", "right_record", "kind"),
        ),
        ("superseded", inputs.superseded, SUPERSEDED, tuple(SUPERSEDED.names)),
        ("redirects", inputs.redirects, REDIRECTS, tuple(REDIRECTS.names)),
        ("id_changes", inputs.id_changes, ID_CHANGES, ("change_seq", "change", "customer_id")),
        ("quality", inputs.quality, QUALITY, ("check_name", "passed")),
        ("rates", inputs.rates, RATES, tuple(RATES.names)),
    )
    for name, given, schema, required in tables:
        _register(connection, name, given, schema, required)
    sources = pa.array([sorted(inputs.grouped_sources)], pa.list_(pa.string()))
    connection.register("input_grouped", pa.table({"sources": sources}))
    connection.register("input_engagement", pa.table({"event_type": sorted(ENGAGEMENT_TYPES)}))
    connection.register("input_unattended", pa.table({"outcome": sorted(UNATTENDED_OUTCOMES)}))
    register_measures(connection, inputs.measures)
