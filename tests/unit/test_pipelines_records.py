"""Records from events: held against the obvious slow way, in any order, spread over any files."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp.schemas import EVENTS, TRAITS
from cdp.stored import EventFiles
from pipelines import records

START = datetime(2026, 1, 1, tzinfo=UTC)
FLAGS = (None, None, None, "ambiguous", "future", "missing")


def random_events(seed: int, count: int = 200) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    found = []
    for number in range(count):
        person = dice.randrange(12)
        told = {
            name: dice.choice(["x", "y", "z"])
            for name in ("given_name", "city", "email")
            if dice.random() < 0.4
        }
        ids = [("user_id", "web", f"u{person}")] + [("email", "", f"{person % 5}@x.example")] * (
            dice.random() < 0.5
        )
        moment = START + timedelta(hours=dice.randrange(50))
        found.append(
            {
                "source": "web",
                "event_id": f"e{number}",
                "file_id": number % 3,
                "raw_row": number,
                "line_count": 1,
                "record_key": None if dice.random() < 0.1 else f"web:u{person}",
                "channel": "web",
                "event_type": "page_viewed",
                "occurred_at": moment,
                "time_flag": dice.choice(FLAGS),
                "received_at": moment,
                "identifiers": [dict(zip(("type", "namespace", "value"), one, strict=True)) for one in ids],
                "traits": {name: told.get(name) for name in TRAITS} if told else None,
            }
        )
    return found


def write(folder: Path, rows: list[dict[str, Any]], files: int) -> EventFiles:
    folder.mkdir()
    paths = []
    for number in range(files):
        paths.append(folder / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist(rows[number::files], schema=EVENTS), paths[-1])
    return EventFiles(tuple(paths))


def sound(row: dict[str, Any]) -> datetime | None:
    moment: datetime = row["occurred_at"]
    return moment if row["time_flag"] in (None, "ambiguous") else None


def newest(moments: list[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def slowly(rows: list[dict[str, Any]]) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """Return values, identifiers and latest traits, row by row."""
    values, identifiers = defaultdict(list), defaultdict(list)
    latest: dict[Any, Any] = {}
    for row in rows:
        if row["record_key"] is None:
            continue
        for one in row["identifiers"]:
            identifiers[row["record_key"], one["type"], one["namespace"], one["value"]].append(sound(row))
        for name, value in (row["traits"] or {}).items():
            if value:
                values[row["record_key"], name, value].append(sound(row))
                rank = (sound(row) or datetime.min.replace(tzinfo=UTC), row["event_id"])
                if (
                    rank
                    > latest.get((row["record_key"], name), ((datetime.min.replace(tzinfo=UTC), ""), ""))[0]
                ):
                    latest[row["record_key"], name] = (rank, value)
    return values, identifiers, latest


@pytest.mark.parametrize("seed", range(4))
def test_it_gives_what_the_slow_way_gives(tmp_path: Path, seed: int) -> None:
    rows = random_events(seed)
    gone = rows[::17]
    excluded = pa.table({name: [row[name] for row in gone] for name in ("file_id", "raw_row")})
    found = records.build(write(tmp_path / "e", rows, 3), excluded.cast(records.EXCLUDED))
    kept = [row for row in rows if row not in gone]
    values, identifiers, latest = slowly(kept)
    assert {
        (row["record_key"], row["attribute"], row["value"]): row["observed_at"]
        for row in found.values.to_pylist()
    } == {key: newest(moments) for key, moments in values.items()}
    assert {
        (row["record_key"], row["type"], row["namespace"], row["value"]): row["last_seen_at"]
        for row in found.identifiers.to_pylist()
    } == {key: newest(moments) for key, moments in identifiers.items()}
    assert {
        (row["record_key"], name): row[name]
        for row in found.records.to_pylist()
        for name in TRAITS
        if row[name]
    } == {key: value for key, (_, value) in latest.items()}
    assert found.attributed == sum(row["record_key"] is not None for row in kept)
    assert found.unattributed == sum(row["record_key"] is None for row in kept)


def test_the_order_of_rows_and_files_does_not_matter(tmp_path: Path) -> None:
    rows = random_events(9)
    shuffled = random.Random(1).sample(rows, len(rows))
    none = records.EXCLUDED.empty_table()
    one = records.build(write(tmp_path / "one", rows, 1), none)
    other = records.build(EventFiles(write(tmp_path / "other", shuffled, 7).whole[::-1]), none)
    assert one.records.equals(other.records)
    assert one.identifiers.equals(other.identifiers)
    assert one.values.equals(other.values)


def test_lines_of_one_order_count_once_however_they_are_spread(tmp_path: Path) -> None:
    common = {**random_events(1, 1)[0], "event_id": "A1", "record_key": "web:u1", "time_flag": None}
    first = {**common, "traits": dict.fromkeys(TRAITS) | {"full_name": "Ann Archer"}}
    second = {
        **common,
        "raw_row": 7,
        "traits": dict.fromkeys(TRAITS) | {"full_name": "A. Archer", "city": "Bath"},
    }
    found = records.build(
        write(tmp_path / "e", [first, second], 2), records.EXCLUDED.empty_table(), grouped_sources={"web"}
    )
    said = {(row["attribute"], row["value"]) for row in found.values.to_pylist()}
    assert said == {("full_name", "A. Archer"), ("city", "Bath")}
    assert found.attributed == 1


def test_no_events_give_empty_tables() -> None:
    found = records.build(EventFiles(), records.EXCLUDED.empty_table())
    assert (found.records.num_rows, found.identifiers.num_rows, found.values.num_rows) == (0, 0, 0)
    assert found.records.schema == records.RECORDS
