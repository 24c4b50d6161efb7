"""The generic files connector: one mapping, every format, the same events."""

from __future__ import annotations

import gzip
import io
import json
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.landing_tools import Landing, comparable

ROWS = [
    {"id": "1", "at": "2026-01-02T10:00:00", "who": "ann@example.com", "gift": "10.50", "first": "Ann"},
    {"id": "2", "at": "2026-01-03T10:00:00", "who": "bob@example.com", "gift": "7", "first": "Bób"},
]
SOURCE = {
    "name": "gifts",
    "connector": "files",
    "event": {"type": "donation_made", "id": "id", "time": "at", "amount": "gift", "currency": "EUR"},
    "identifiers": {"email": "who"},
    "traits": {"given_name": "first"},
    "properties": [],
}


def as_csv() -> bytes:
    lines = [",".join(ROWS[0]), *(",".join(row.values()) for row in ROWS)]
    return "\n".join(lines).encode()


def as_workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append(
            [int(row["id"]), datetime.fromisoformat(row["at"]), row["who"], float(row["gift"]), row["first"]]
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


FORMATS = {
    "a.csv": as_csv(),
    "a.tsv": as_csv().replace(b",", b"\t"),
    "a.txt": as_csv().replace(b",", b";"),
    "a.csv.gz": gzip.compress(as_csv()),
    "a.jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "a.json": json.dumps(ROWS, indent=1).encode(),
    "a.parquet": as_parquet(),
    "a.xlsx": as_workbook(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_events(tmp_path: Path, name: str) -> None:
    gifts = Landing.of(tmp_path, **SOURCE)
    gifts.put(name, FORMATS[name])
    gifts.run()
    events = comparable(gifts.events(), drop=("file_id", "raw_row", "received_at", "occurred_text"))
    assert [(row["event_id"], str(row["amount"]), row["currency"], row["channel"]) for row in events] == [
        ("1", "10.5000", "EUR", "donations"),
        ("2", "7.0000", "EUR", "donations"),
    ]
    assert [row["occurred_at"].isoformat()[:19] for row in events] == [
        "2026-01-02T10:00:00",
        "2026-01-03T10:00:00",
    ]
    assert [row["record_key"] for row in events] == ["gifts:ann@example.com", "gifts:bob@example.com"]
    assert events[1]["traits"]["given_name"] == "Bób"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.parquet", as_parquet()[:-20], "unreadable_parquet"),
        ("a.parquet", b"PAR1", "unreadable_parquet"),
        ("a.xlsx", as_workbook()[:200], "unreadable_workbook"),
        ("a.csv.gz", gzip.compress(as_csv() * 50)[:-12], "unreadable_gzip"),
        ("a.jsonl", b'{"id": "1"', "truncated"),
    ],
)
def test_a_damaged_file_is_quarantined_whole_with_a_reason(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    gifts = Landing.of(tmp_path, **SOURCE)
    gifts.put(name, data)
    gifts.put("good.csv", as_csv())
    gifts.run()
    assert gifts.reasons() == {f"quarantined:{reason}": 1}
    assert gifts.events().num_rows == 2
    assert data in gifts.landed_payloads()


def test_columns_with_odd_names_and_nested_ones(tmp_path: Path) -> None:
    source = {
        **SOURCE,
        "event": {
            "type": "donation_made",
            "time": 'the "when"',
            "amount": '"gift/now" * 2',
            "agent": "by.name",
        },
        "identifiers": {"email": "who is.it"},
    }
    gifts = Landing.of(tmp_path, **source)
    row = {'the "when"': "2026-01-01", "gift/now": 4, "by": {"name": "Zoë"}, "who is.it": "x@example.com"}
    gifts.put("a.jsonl", json.dumps(row))
    gifts.run()
    (event,) = gifts.events().to_pylist()
    assert (str(event["amount"]), event["agent"], event["record_key"]) == (
        "8.0000",
        "Zoë",
        "gifts:x@example.com",
    )


def test_the_event_type_may_depend_on_a_column(tmp_path: Path) -> None:
    rule = {
        "column": "no",
        "prefixes": {"C": "order_refunded"},
        "values": {"X": "order_cancelled"},
        "default": "order_placed",
    }
    orders = Landing.of(
        tmp_path, name="orders", connector="files", event={"type": rule, "id": "no", "time": "at"}
    )
    orders.put("a.csv", "no,at\nC1,2026-01-01\nX,2026-01-02\n9,2026-01-03\n")
    orders.run()
    assert sorted(orders.events()["event_type"].to_pylist()) == [
        "order_cancelled",
        "order_placed",
        "order_refunded",
    ]


def test_a_value_without_a_meaning_is_quarantined(tmp_path: Path) -> None:
    rule = {"column": "state", "values": {"open": "ticket_opened"}}
    tickets = Landing.of(tmp_path, name="t", connector="files", event={"type": rule, "time": "at"})
    tickets.put("a.csv", "state,at\nopen,2026-01-01\nlost,2026-01-01\n")
    tickets.run()
    assert tickets.reasons() == {"quarantined:unknown_event_type": 1}
