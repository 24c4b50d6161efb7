"""Publishing: a release appears whole or not at all, whatever dies, and readers never notice."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import threading
from datetime import timedelta

import duckdb
import pytest

from cdp import durable
from cdp.errors import NotFoundError, RunFailedError
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.crash_tools import tell_apart
from tests.warehouse_tools import NOW, event, one, publish_into, table, world
from warehouse.inputs import REDIRECTS
from warehouse.release import CURRENT, current, find_current, load, publish, recover


class Crash(BaseException):
    """The process dies here."""


def small(folder, name, count=1):
    return world(folder / name, [[event(f"{n}") for n in range(count)]], {"web:1": "C1"})


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "workspace")


def count(release):
    with release.open() as connection:
        return one(connection, "SELECT count(*) AS n FROM contact_history")["n"]


def test_before_the_first_release_there_is_none(lake):
    assert find_current(lake) is None
    with pytest.raises(NotFoundError, match="cdp run"):
        current(lake)
    with pytest.raises(NotFoundError, match="nope"):
        load(lake, "nope")


def test_a_release_is_current_and_described_by_its_manifest(lake, tmp_path):
    made = publish_into(lake, small(tmp_path, "a", 3))
    assert current(lake).version == made.version
    manifest = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["events"] == {
        "rows_read": 3,
        "superseded": 0,
        "folded": 0,
        "contact_history": 3,
        "unattributed": 0,
    }
    assert (manifest["contract_version"], manifest["previous_release"]) == (1, None)
    sizes = {file["name"]: file["size"] for file in manifest["files"]}
    assert sizes == {name: (made.folder / name).stat().st_size for name in ("cdp.duckdb", "profiles.idx")}
    beside = {"manifest.json", "masking.key"}
    assert {path.name for path in made.folder.iterdir()} == {*sizes, *beside}


def test_versions_sort_in_the_order_of_publishing_even_if_the_clock_goes_back(lake, tmp_path):
    versions = [
        publish_into(lake, small(tmp_path, f"{n}"), now=NOW + timedelta(hours=hours)).version
        for n, hours in enumerate([0, 1, -5, 0])
    ]
    assert versions == sorted(versions)
    assert len(set(versions)) == 4
    assert current(lake).version == versions[-1]


def test_old_releases_go_and_at_least_two_stay(lake, tmp_path):
    made = [publish_into(lake, small(tmp_path, f"{n}"), keep=1) for n in range(4)]
    assert [release.folder.exists() for release in made] == [False, False, True, True]
    assert current(lake).manifest["previous_release"] == made[2].version
    with Ledger(lake.ledger_path) as ledger:
        assert ledger.value("SELECT count(*) FROM releases WHERE retired = 1") == 2


def test_a_reader_of_a_retired_release_reads_on(lake, tmp_path):
    with publish_into(lake, small(tmp_path, "a", 5)).open() as connection:
        for n in range(3):
            publish_into(lake, small(tmp_path, f"{n}"))
        assert one(connection, "SELECT count(*) AS n FROM contact_history")["n"] == 5


def test_a_release_cannot_be_written_to(lake, tmp_path):
    made = publish_into(lake, small(tmp_path, "a"))
    with made.open() as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute("DELETE FROM customers")


def test_a_build_that_does_not_add_up_leaves_everything_as_it_was(lake, tmp_path):
    first = publish_into(lake, small(tmp_path, "a"))
    wrong = table(REDIRECTS, [{"previous_customer_id": "C8", "customer_id": "C9"}])
    inputs = world(tmp_path / "b", [[event("1")]], {"web:1": "C1"}, redirects=wrong)
    with pytest.raises(RunFailedError, match="does not add up"):
        publish_into(lake, inputs)
    assert current(lake).version == first.version
    assert sorted(p.name for p in lake.releases.iterdir()) == [first.version, CURRENT]


def steps_of(work):
    """Return the names of the durable steps of ``work``."""
    seen: list[str] = []
    with durable.crash_hook(seen.append):
        work()
    return seen


def die_at(place):
    """Return a hook that raises at the ``place``-th step."""
    left = [place]

    def hook(_name):
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    return hook


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_crash_at_any_step_leaves_a_whole_release_current_and_the_next_run_finishes(tmp_path, every):
    """Every step in `make soak`; here every fourth of those that leave different things on disk."""
    template = Lake(tmp_path / "template")
    publish_into(template, small(tmp_path, "a", 1))
    publish_into(template, small(tmp_path, "b", 2))
    third, fourth = small(tmp_path, "c", 3), small(tmp_path, "d", 4)

    def start(name):
        """A workspace with two releases, so that publishing also retires one."""
        return Lake(shutil.copytree(template.root, tmp_path / name))

    counted = start("counted")
    steps = steps_of(lambda: publish_into(counted, third))
    assert {"ledger publish release", f"write {CURRENT}", "ledger retire releases"} <= set(steps)
    for place in range(len(steps)) if every else tell_apart(steps)[::4]:
        lake, step = start(f"{place}"), steps[place]
        with pytest.raises(Crash), durable.crash_hook(die_at(place)):
            publish_into(lake, third)
        served = current(lake)
        assert count(served) in (2, 3), step
        done = publish_into(lake, fourth)
        assert (current(lake).version, count(current(lake))) == (done.version, 4), step
        folders = {path.name for path in lake.releases.iterdir()} - {CURRENT}
        with Ledger(lake.ledger_path) as ledger:
            listed = {row["version"] for row in ledger.rows("SELECT version FROM releases WHERE retired = 0")}
        assert folders == listed, step
        assert len(listed) == 2, step


def test_recovery_alone_brings_current_to_the_newest_listed_release(lake, tmp_path):
    publish_into(lake, small(tmp_path, "a", 1))
    listed = "ledger publish release committed"

    def hook(name):
        if name == listed:
            raise Crash

    with pytest.raises(Crash), durable.crash_hook(hook):
        publish_into(lake, small(tmp_path, "b", 2))
    assert count(current(lake)) == 1
    with Ledger(lake.ledger_path) as ledger:
        recover(lake, ledger)
    assert count(current(lake)) == 2


def test_recovery_removes_what_no_ledger_lists(lake, tmp_path):
    made = publish_into(lake, small(tmp_path, "a"))
    (lake.releases / "20990101T000000-000099").mkdir()
    (lake.releases / f"{made.version}.tmp").mkdir()
    with Ledger(lake.ledger_path) as ledger:
        recover(lake, ledger)
    assert sorted(path.name for path in lake.releases.iterdir()) == [made.version, CURRENT]


def test_recovery_without_any_release_forgets_current(lake, tmp_path):
    made = publish_into(lake, small(tmp_path, "a"))
    durable.remove(made.folder)
    with Ledger(lake.ledger_path) as ledger:
        recover(lake, ledger)
        assert find_current(lake) is None
        publish(lake, ledger, small(tmp_path, "b", 2), now=NOW, run_id="r")
    assert count(current(lake)) == 2


def _read_until(stop, root, answers):
    """Open the current release again and again, as a reader of its own process would."""
    seen = set()
    lake = Lake(root)
    while not stop.is_set():
        release = current(lake)
        with release.open() as connection:
            row = connection.execute(
                "SELECT (SELECT version FROM cdp_release), (SELECT count(*) FROM contact_history), "
                "(SELECT sum(event_count) FROM customers)"
            ).fetchone()
        assert row is not None
        assert row[0] == release.version
        assert row[1] == row[2]
        seen.add(row[:2])
    answers.put(sorted(seen))


@pytest.mark.soak
def test_readers_during_many_switches_see_whole_releases_only(lake, tmp_path):
    publish_into(lake, small(tmp_path, "0", 1))
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    readers = [context.Process(target=_read_until, args=(stop, lake.root, answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    versions = {}
    for n in range(1, 5):
        made = publish_into(lake, small(tmp_path, f"{n}", n))
        versions[made.version] = n
    stop.set()
    told = [answers.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join(60)
    assert [reader.exitcode for reader in readers] == [0, 0]
    for answer in told:
        assert answer, "a reader saw nothing"
        assert all(versions.get(version, 1) == events for version, events in answer)


def test_threads_share_a_release_through_cursors(lake, tmp_path):
    made = publish_into(lake, small(tmp_path, "a", 7))
    found: list[int] = []
    with made.open() as connection:

        def read():
            with connection.cursor() as cursor:
                row = cursor.execute("SELECT count(*) FROM contact_history").fetchone()
                found.append(row[0] if row else -1)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [7] * 4
