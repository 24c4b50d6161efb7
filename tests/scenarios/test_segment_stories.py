"""Stories of segments over releases, numbered as people tell them."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest

from cdp import durable
from cdp.errors import ConflictError, CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger
from pipelines.backup import backup
from pipelines.doctor import _customer_segments
from tests.crash_tools import die_at, tell_apart
from tests.segment_tools import keep_segment
from tests.warehouse_tools import NOW, event, order, publish_into, rows, table, value, world
from warehouse.inputs import REDIRECTS
from warehouse.release import publish
from warehouse.segments import files, history
from warehouse.segments.fields import known_fields

YORK = {"field": "city", "op": "is", "value": "York"}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "workspace")


def people(lake: Lake, number: int, cities: dict[str, str], ids: dict[str, str] | None = None, redirects=()):
    """Inputs of a release: a customer per record unless ``ids`` says more."""
    id_map = ids or {record: f"C{record[-1]}" for record in cities}
    golden = {customer: record for record, customer in id_map.items()}
    return world(
        lake.root / f"made{number}",
        [[event(record, record) for record in cities]],
        id_map,
        values=[value(record, "city", cities[record]) for record in golden.values()],
        redirects=table(REDIRECTS, [{"previous_customer_id": a, "customer_id": b} for a, b in redirects]),
    )


def release(lake: Lake, number: int, *given, **more):
    return publish_into(lake, people(lake, number, *given, **more), now=NOW + timedelta(days=number))


def stays(made, segment_id="yorkers"):
    with made.open() as connection:
        found = rows(
            connection, "SELECT * FROM segment_members WHERE segment_id = ? ORDER BY ALL", segment_id
        )
    return [
        (row["customer_id"], row["rule_version"], row["entered_release"], row["exited_release"])
        for row in found
    ]


def sizes(made, segment_id="yorkers"):
    with made.open() as connection:
        found = rows(
            connection, "SELECT * FROM segment_sizes WHERE segment_id = ? ORDER BY release", segment_id
        )
    return [(row["rule_version"], row["size"], row["entered"], row["exited"], row["merged"]) for row in found]


def test_1_somebody_moves_away_and_comes_back(lake):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York", "web:2": "Leeds"})
    two = release(lake, 2, {"web:1": "Leeds", "web:2": "York"})
    three = release(lake, 3, {"web:1": "York", "web:2": "York"})
    assert stays(three) == [
        ("C1", 1, one.version, two.version),
        ("C1", 1, three.version, None),
        ("C2", 1, two.version, None),
    ]
    assert sizes(three) == [(1, 1, 1, 0, 0), (1, 1, 1, 1, 0), (1, 2, 1, 0, 0)]


def test_2_two_members_turn_out_to_be_one_person(lake):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York", "web:2": "York"})
    ids = {"web:1": "C1", "web:2": "C1"}
    two = release(lake, 2, {"web:1": "York", "web:2": "York"}, ids, redirects=[("C2", "C1")])
    assert stays(two) == [("C1", 1, one.version, None)]
    assert sizes(two)[-1] == (1, 1, 0, 0, 1)


def test_3_a_profile_is_split_and_who_stays_stays(lake):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York", "web:2": "York"}, {"web:1": "C1", "web:2": "C1"})
    two = release(lake, 2, {"web:1": "York", "web:2": "York"}, {"web:1": "C1", "web:2": "C3"})
    assert stays(two) == [("C1", 1, one.version, None), ("C3", 1, two.version, None)]


def test_4_the_rule_changes_and_later_releases_say_which_one_they_used(lake):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York", "web:2": "Leeds"})
    keep_segment(
        lake.root, "yorkers", {"field": "city", "op": "is_any_of", "value": ["York", "Leeds"]}, after=1
    )
    two = release(lake, 2, {"web:1": "York", "web:2": "Leeds"})
    assert stays(two) == [("C1", 1, one.version, None), ("C2", 2, two.version, None)]
    assert sizes(two) == [(1, 1, 1, 0, 0), (2, 2, 1, 0, 0)]
    with two.open() as connection:
        found = rows(connection, "SELECT rule_version, size, author FROM segments ORDER BY 1")
    assert found == [
        {"rule_version": 1, "size": None, "author": "marge"},
        {"rule_version": 2, "size": 2, "author": "marge"},
    ]


def test_5_an_archived_segment_loses_its_members_and_gets_them_back(lake):
    keep_segment(lake.root, "yorkers", YORK)
    release(lake, 1, {"web:1": "York"})
    keep_segment(lake.root, "yorkers", YORK, after=1, archived=True)
    release(lake, 2, {"web:1": "York"})
    keep_segment(lake.root, "yorkers", YORK, after=2)
    release(lake, 3, {"web:1": "York"})
    four = release(lake, 4, {"web:1": "York"})
    assert [size[1:4] for size in sizes(four)] == [(1, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 0)]


def test_6_a_file_that_cannot_be_read_stops_nothing_and_its_members_stay(lake):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York", "web:2": "Leeds"})
    lake.path("segments/yorkers/v0002.json").write_text('{"name": "Yorkers", "rule": {"field": "citty"}}')
    two = release(lake, 2, {"web:1": "Leeds", "web:2": "York"})
    assert stays(two) == [("C1", 1, one.version, None)]
    with two.open() as connection:
        (problem,) = rows(connection, "SELECT problem FROM segments WHERE rule_version = 2")
    assert "did you mean 'city'" in problem["problem"]
    lake.path("segments/yorkers/v0003.json").write_text(json.dumps({"rule": YORK}))
    three = release(lake, 3, {"web:1": "Leeds", "web:2": "York"})
    assert stays(three) == [("C1", 1, one.version, three.version), ("C2", 3, three.version, None)]


def test_7_history_outlives_the_releases_and_a_deleted_segment(lake):
    keep_segment(lake.root, "yorkers", YORK)
    first = release(lake, 1, {"web:1": "York"})
    lake.path("segments/yorkers/v0001.json").unlink()
    lake.path("segments/yorkers").rmdir()
    for number in range(2, 5):
        last = release(lake, number, {"web:1": "York"})
    assert not first.folder.exists()
    ((customer, version, entered, exited),) = stays(last)
    assert (customer, version, entered) == ("C1", 1, first.version)
    assert exited is not None
    assert [size[1:4] for size in sizes(last)] == [(1, 1, 0), (0, 0, 1)]


def test_8_a_segment_of_segments_follows_the_others(lake):
    keep_segment(lake.root, "yorkers", YORK)
    keep_segment(lake.root, "others", {"not": {"segment": "yorkers"}})
    made = release(lake, 1, {"web:1": "York", "web:2": "Leeds"})
    assert [row[0] for row in stays(made, "others")] == ["C2"]
    with pytest.raises(ConflictError, match="others"):
        files.archive(lake, known_fields(), "yorkers", after=1, now=NOW, author=None)


@pytest.mark.soak
def test_9_whatever_dies_the_next_run_tells_the_same_story(tmp_path):
    begun = Lake(tmp_path / "begun")
    keep_segment(begun.root, "yorkers", YORK)
    release(begun, 1, {"web:1": "York", "web:2": "York"})
    inputs = people(begun, 2, {"web:1": "Leeds", "web:2": "York"})

    def work(lake):
        return publish_into(lake, inputs, now=NOW + timedelta(days=2))

    steps = []
    shutil.copytree(begun.root, tmp_path / "whole")
    with durable.crash_hook(steps.append):
        work(Lake(tmp_path / "whole"))
    after_build = [at for at in tell_apart(steps) if at >= steps.index("write CURRENT") - 6]
    assert any("parquet" in steps[at] for at in after_build)
    for at in after_build:
        lake = Lake(tmp_path / f"{at}")
        shutil.copytree(begun.root, lake.root)
        assert die_at(at + 1, lambda lake=lake: work(lake))
        made = publish_into(lake, inputs, now=NOW + timedelta(days=3))
        told = [(row[0], row[3] is None) for row in stays(made)]
        assert told == [("C1", False), ("C2", True)], steps[at]
        assert [sum(size[place] for size in sizes(made)) for place in (2, 3)] == [2, 1]
        with Ledger(lake.ledger_path) as ledger:
            assert lake.path(history.stays_path(ledger)).is_file()


def test_10_a_history_that_is_gone_is_said_and_not_begun_anew(lake):
    keep_segment(lake.root, "yorkers", YORK)
    release(lake, 1, {"web:1": "York"})
    with Ledger(lake.ledger_path) as ledger:
        path = lake.path(history.stays_path(ledger))
    durable.remove(path)
    with pytest.raises(CorruptError, match="history"), Ledger(lake.ledger_path) as ledger:
        publish(lake, ledger, people(lake, 2, {"web:1": "York"}), now=NOW, run_id="run")


def test_11_days_are_counted_from_the_release_not_from_the_clock(lake):
    keep_segment(lake.root, "buyers", {"did": "order_placed", "within_days": 30})
    inputs = world(lake.root / "made", [[order("o1", "9.99", at=400)]], {"shop:1": "C1"})
    counts = []
    for days in (0, 5, 6):
        made = publish_into(lake, inputs, now=NOW + timedelta(days=days))
        counts.append(sizes(made, "buyers")[-1][1])
    assert counts == [1, 1, 0]


def test_12_a_backup_holds_segments_and_their_history(lake, tmp_path):
    keep_segment(lake.root, "yorkers", YORK)
    one = release(lake, 1, {"web:1": "York"})
    backup(lake.root, tmp_path / "backup", now=NOW)
    shutil.rmtree(lake.root / "releases")
    restored = Lake(tmp_path / "backup")
    inputs = people(restored, 2, {"web:1": "York"})
    made = publish_into(restored, inputs, now=NOW + timedelta(days=9))
    assert stays(made) == [("C1", 1, one.version, None)]
    with Ledger(restored.ledger_path) as ledger:
        assert [finding.state for finding in _customer_segments(restored, ledger)] == ["ok"]
        durable.remove(restored.path(history.stays_path(ledger)))
        (finding,) = _customer_segments(restored, ledger)
    assert (finding.state, "backup" in finding.advice) == ("wrong", True)
