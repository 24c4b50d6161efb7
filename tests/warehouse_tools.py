"""Small worlds for the tests of the warehouse: events, identity tables, releases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cdp import duck
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.schemas import CLUSTERS, EVENTS, EVIDENCE, ID_MAP, RECORD_IDENTIFIERS
from warehouse.build import build
from warehouse.inputs import ATTRIBUTIONS, BuildInputs
from warehouse.release import Release, publish

if TYPE_CHECKING:
    import duckdb

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def event(event_id: str, record_key: str | None = "web:1", **fields: Any) -> Row:
    """An event of the record's source; times as ``day`` numbers or datetimes."""
    source = fields.pop("source", (record_key or "web:").split(":")[0])
    at = fields.pop("at", 0)
    return {
        "source": source,
        "event_id": event_id,
        "file_id": 1,
        "raw_row": 0,
        "line_count": 1,
        "record_key": record_key,
        "channel": "web",
        "event_type": "page_viewed",
        "occurred_at": at if isinstance(at, datetime) else day(at),
        "received_at": NOW,
        **fields,
    }


def order(event_id: str, amount: str | None, record_key: str = "shop:1", **fields: Any) -> Row:
    money = None if amount is None else Decimal(amount)
    given = {"channel": "orders", "event_type": "order_placed", "currency": "GBP", **fields}
    return event(event_id, record_key, amount=money, **given)


def events_table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in EVENTS.names} for row in rows], schema=EVENTS
    )


def write_files(folder: Path, files: Sequence[Sequence[Row]]) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, rows in enumerate(files):
        path = folder / f"events-{number}.parquet"
        pq.write_table(events_table([{**row, "file_id": number} for row in rows]), path)
        paths.append(path)
    return tuple(paths)


def table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    )


def edge(left: str, right: str, weight: float | None = 8.0, **fields: Any) -> Row:
    given = {"kind": "probabilistic", "reason": f"weight {weight}", **fields}
    return {
        "left_record": left,
        "right_record": right,
        "match_weight": weight,
        "match_probability": 0.9,
        **given,
    }


def identifier(record_key: str, kind: str, value: str, **fields: Any) -> Row:
    given = {
        "source": record_key.split(":", maxsplit=1)[0],
        "namespace": "",
        "first_seen_at": START,
        "last_seen_at": START,
    }
    return {"record_key": record_key, "type": kind, "value": value, **given, **fields}


def value(record_key: str, attribute: str, text: str) -> Row:
    source = record_key.split(":", maxsplit=1)[0]
    given = {"source": source, "observed_at": START, "rule": "most_recent"}
    return {"record_key": record_key, "attribute": attribute, "value": text, **given}


def world(
    folder: Path,
    files: Sequence[Sequence[Row]],
    id_map: Mapping[str, str],
    *,
    identifiers: Sequence[Row] = (),
    values: Sequence[Row] = (),
    evidence: Sequence[Row] = (),
    probabilities: Mapping[str, float] | None = None,
    **more: Any,
) -> BuildInputs:
    """Inputs of a release: event files, and who is who."""
    chances = probabilities or {}
    clusters = [
        {"record_key": key, "cluster_id": customer, "match_probability": chances.get(key)}
        for key, customer in id_map.items()
    ]
    return BuildInputs(
        event_files=write_files(folder, files),
        id_map=table(ID_MAP, [{"record_key": key, "customer_id": c} for key, c in id_map.items()]),
        record_identifiers=table(RECORD_IDENTIFIERS, identifiers),
        attributions=table(ATTRIBUTIONS, values),
        evidence=table(EVIDENCE, evidence),
        clusters=table(CLUSTERS, clusters),
        **{"default_region": "GB", "base_currency": "GBP", **more},
    )


@contextlib.contextmanager
def built(inputs: BuildInputs, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Build a release's file and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    report = build(inputs, folder, now=NOW)
    with duck.connect(report.path, read_only=True) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> list[Row]:
    cursor = connection.execute(query, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> Row:
    (row,) = rows(connection, query, *parameters)
    return row


def publish_into(
    lake: Lake, inputs: BuildInputs, *, now: datetime = NOW, keep: int = 2, masked: bool = False
) -> Release:
    lake.root.mkdir(parents=True, exist_ok=True)
    with Ledger(lake.ledger_path) as ledger:
        return publish(lake, ledger, inputs, now=now, run_id="run", keep=keep, masked=masked)


def customers_table(names: Mapping[str, str]) -> list[Row]:
    """Golden full names of records, by record_key."""
    return [value(key, "full_name", name) for key, name in names.items()]


def table_of(path: Path) -> list[Row]:
    rows_read: list[Row] = pq.read_table(path).to_pylist()
    return rows_read
