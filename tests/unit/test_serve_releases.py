"""The release that answers: pinned for an answer, swapped while others read, never a damaged one."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from cdp.lake import Lake
from tests.serve_tools import Served, copy_of, lake_with_release
from tests.warehouse_tools import event, publish_into, world
from warehouse.release import CURRENT, DATABASE, MANIFEST
from warehouse.serve import releases as module
from warehouse.serve.problems import NotReadyError
from warehouse.serve.releases import Releases


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Lake:
    """A workspace with three releases: of 2, 5 and 7 customers."""
    folder = tmp_path_factory.mktemp("published")
    lake = lake_with_release(folder)
    for number in (5, 7):
        files = [[event(f"e{n}", f"web:{n}") for n in range(number)]]
        inputs = world(folder / f"inputs{number}", files, {f"web:{n}": f"C{n}" for n in range(number)})
        publish_into(lake, inputs, keep=3)
    return lake


@pytest.fixture
def lake(published: Lake, tmp_path: Path) -> Lake:
    made = copy_of(published, tmp_path)
    switch_to(made, 2)
    return made


def release_of(lake: Lake, number: int) -> str:
    """The name of the release with so many customers."""
    names = sorted(path.name for path in lake.releases.iterdir() if path.is_dir())
    return names[(2, 5, 7).index(number)]


def switch_to(lake: Lake, number: int) -> str:
    """Move CURRENT, as a publication does, to the release with so many customers."""
    version = release_of(lake, number)
    path = lake.releases / CURRENT
    new = path.with_suffix(".new")
    new.write_text(f"{version}\n")
    new.replace(path)
    return version


def customers(reader: module.Reader) -> int:
    with reader.connection() as connection:
        row = connection.execute("SELECT count(*) FROM customers").fetchone()
    assert row is not None
    return int(row[0])


def test_the_next_request_reads_the_new_release_and_the_one_at_work_its_own(lake):
    served = Releases(lake)
    old = served.pin()
    assert customers(old) == 2
    switch_to(lake, 5)
    new = served.pin()
    assert (customers(new), customers(old)) == (5, 2)
    assert old.version != new.version
    served.unpin(old)
    with pytest.raises(Exception, match="closed"):
        customers(old)
    served.unpin(new)
    assert customers(new) == 5
    served.close()


def test_a_release_stays_readable_until_its_last_request_even_when_its_folder_has_gone(lake):
    served = Releases(lake)
    old = served.pin()
    switch_to(lake, 5)
    shutil.rmtree(old.release.folder)
    assert customers(old) == 2
    served.unpin(old)
    served.close()


def test_before_the_first_release_it_says_so_and_then_serves_it(tmp_path):
    served = Releases(Lake(tmp_path / "workspace"))
    with pytest.raises(NotReadyError, match="no release yet"):
        served.pin()
    lake_with_release(tmp_path)
    with served.reading() as reader:
        assert customers(reader) == 2
    served.close()


def cut_off(folder: Path) -> None:
    path = folder / DATABASE
    os.truncate(path, path.stat().st_size // 2)


def scramble(folder: Path) -> None:
    path = folder / DATABASE
    path.write_bytes(b"\0" * path.stat().st_size)


def lose_database(folder: Path) -> None:
    (folder / DATABASE).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


@pytest.mark.parametrize("damage", [cut_off, scramble, lose_database, lose_manifest, spoil_manifest])
def test_a_damaged_release_keeps_the_one_before_and_says_so_once(lake, caplog, damage):
    served = Releases(lake)
    with served.reading() as reader:
        good = reader.version
    damage(lake.releases / switch_to(lake, 5))
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            with served.reading() as reader:
                assert (reader.version, customers(reader)) == (good, 2)
    assert len([record for record in caplog.records if "cannot be opened" in record.getMessage()]) == 1
    switch_to(lake, 7)
    with served.reading() as reader:
        assert customers(reader) == 7
    served.close()


def test_a_release_that_is_mended_in_place_is_taken_after_a_while(lake, monkeypatch):
    served = Releases(lake)
    with served.reading() as reader:
        good = reader.version
    late = switch_to(lake, 5)
    manifest = (lake.releases / late / MANIFEST).read_text()
    spoil_manifest(lake.releases / late)
    with served.reading() as reader:
        assert reader.version == good
    (lake.releases / late / MANIFEST).write_text(manifest)
    with served.reading() as reader:
        assert reader.version == good
    monkeypatch.setattr(module.time, "monotonic", lambda: time.perf_counter() + 1e6)
    with served.reading() as reader:
        assert reader.version == late
    served.close()


def test_a_first_release_that_is_damaged_is_an_answer_not_a_crash(lake):
    cut_off(lake.releases / (lake.releases / CURRENT).read_text().strip())
    served = Served(lake)
    answer = served.client().get("/api/v1/health")
    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
    served.close()


def test_settings_bound_the_database(lake):
    served = Served(lake, serve={"threads": 1, "memory": "300MB"})
    with served.serving.releases.reading() as reader, reader.connection() as connection:
        query = "SELECT current_setting('threads'), current_setting('memory_limit')"
        threads, memory = connection.execute(query).fetchone() or (0, "")
    assert (threads, memory) == (1, "286.1 MiB")
    served.close()


def test_a_connection_that_failed_is_not_lent_again(lake):
    served = Releases(lake)
    with served.reading() as reader:
        with pytest.raises(ValueError, match="mine"), reader.connection() as first:
            raise ValueError("mine")
        with reader.connection() as second:
            assert second is not first
        with reader.connection() as third:
            assert third is second
    served.close()


def test_threads_that_read_while_releases_switch_see_each_one_whole_and_all_are_closed(lake):
    """8 readers, 60 switches between 3 releases: each answer is of one release, and none stays open."""
    versions = {release_of(lake, number): number for number in (2, 5, 7)}
    served = Releases(lake)
    stop, wrong, read = threading.Event(), [], [0]
    opened: list[module.Reader] = []
    original = module.Reader.__init__

    def noted(self, *arguments, **named):
        original(self, *arguments, **named)
        opened.append(self)

    def work(seed: int) -> None:
        dice = random.Random(seed)
        while not stop.is_set():
            try:
                with served.reading() as reader:
                    first = customers(reader)
                    time.sleep(dice.random() / 500)
                    if not first == customers(reader) == versions[reader.version]:
                        wrong.append(reader.version)
                read[0] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                wrong.append(repr(error))

    module.Reader.__init__ = noted
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        order = random.Random(5)
        for _ in range(60):
            switch_to(lake, order.choice((2, 5, 7)))
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        module.Reader.__init__ = original
    assert wrong == []
    assert read[0] > 60
    assert len(opened) > 10
    assert [reader.pins for reader in opened] == [0] * len(opened)
    assert sum(not reader.is_closed for reader in opened) == 1
    served.close()
    assert all(reader.is_closed for reader in opened)


def test_who_opens_a_new_release_keeps_nobody_waiting(lake, monkeypatch):
    served = Releases(lake)
    with served.reading() as reader:
        old = reader.version
    new = switch_to(lake, 5)
    opening, go_on = threading.Event(), threading.Event()
    original = module.Reader.__init__

    def slowly(self, *arguments, **named):
        opening.set()
        assert go_on.wait(10)
        original(self, *arguments, **named)

    monkeypatch.setattr(module.Reader, "__init__", slowly)
    first: list[str] = []

    def open_it() -> None:
        with served.reading() as reader:
            first.append(reader.version)

    thread = threading.Thread(target=open_it)
    thread.start()
    assert opening.wait(10)
    assert served.is_open()
    with served.reading() as reader:
        assert reader.version == old
    go_on.set()
    thread.join()
    assert first == [new]
    served.close()


def test_a_manifest_without_files_is_no_reason_to_refuse(lake):
    version = (lake.releases / CURRENT).read_text().strip()
    path = lake.releases / version / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": []}))
    served = Releases(lake)
    with served.reading() as reader:
        assert customers(reader) == 2
    served.close()
