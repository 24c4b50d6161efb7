"""Compaction of small files: beside readers and landings, over crashes, by itself and on demand."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cdp import durable, lock, stored
from cdp.cli.main import run as cdp
from cdp.errors import CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger
from connectors.landing import land
from connectors.registry import connector_for
from pipelines import compaction, quarantine, runner, sweep
from pipelines.backup import backup
from pipelines.compaction import MANY, MANY_OF_A_PAST_DAY, CompactionReport, Small, is_due, small_files
from pipelines.report import RunReport
from pipelines.session import open_session
from pipelines.stages.land import verify
from tests.crash_tools import problems, take_images
from tests.pipelines_tools import (
    NOW,
    ORDER_HEAD,
    add_files,
    call,
    copy,
    differences,
    ledger_rows,
    make_shop,
    rows,
    run,
    settings_of,
)

Capture = pytest.CaptureFixture[str]
SOON = NOW + timedelta(minutes=30)
LATER = NOW + timedelta(days=1)
FILES = 6


def compact(shop: Path, **options: object) -> dict[str, CompactionReport]:
    reports = runner.compact(shop, settings_of(shop), now=options.pop("now", NOW), **options)  # type: ignore[arg-type]
    return {report.source: report for report in reports}


def add(shop: Path, number: int) -> None:
    """Land one more file of each source, with a duplicate, a revision, an order line and a cut line now and then."""
    web = [
        call(number, number % 3, "identify" if number % 2 else "track"),
        call(max(number - 1, 0), (number - 1) % 3, "track", properties={"name": f"Lamp {number}"}),
        f'{{"type": "track", "messageId": "cut{number}' if number % 3 == 0 else call(100 + number % 2, 0),
    ]
    order = f"A{number // 2},2026-02-03 12:00,C{number % 3},Ann Archer,ann.archer@mail.example,Lamp,{number + 1},3.00"
    add_files(shop, {f"inbox/web/{number}.jsonl": web, f"inbox/orders/{number}.csv": [ORDER_HEAD, order]})
    run(shop, "land")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with several small files of each source, after a run. Nobody changes it."""
    shop = make_shop(tmp_path_factory.mktemp("small") / "shop", {})
    for number in range(FILES):
        add(shop, number)
    run(shop)
    return shop


@pytest.fixture
def shop(finished: Path, tmp_path: Path) -> Path:
    """The same, to change."""
    return copy(finished, tmp_path / "shop")


def on_disk(shop: Path, *zones: str) -> list[str]:
    found = [path for zone in zones for path in (shop / zone).rglob("*.parquet")]
    return sorted(path.relative_to(shop).as_posix() for path in found)


def stored_paths(shop: Path) -> list[str]:
    needed = "SELECT path FROM stored_files UNION SELECT path FROM stored_events WHERE current ORDER BY 1"
    return [row[0] for row in ledger_rows(shop, needed)]


def test_the_small_files_of_a_day_become_one_of_each_zone(shop: Path, finished: Path) -> None:
    before = len(stored_paths(shop))
    reports = compact(shop)
    assert before == sum(report.files for report in reports.values()) == 26
    assert [(report.packs, report.files) for report in reports.values()] == [(3, 14), (2, 12)]
    names = [Path(path).parent.relative_to(".").as_posix() for path in stored_paths(shop)]
    assert names == [
        "events/source=orders",
        "events/source=web",
        "landing/quarantine/source=web/ingest_date=2026-03-01",
        "landing/raw/source=orders/ingest_date=2026-03-01",
        "landing/raw/source=web/ingest_date=2026-03-01",
    ]
    assert differences(shop, finished) == []


def test_rows_lie_in_a_pack_as_they_lay_in_their_files(shop: Path, finished: Path) -> None:
    compact(shop)
    wanted = "SELECT file_id, zone, path, first_row, rows FROM stored_files ORDER BY file_id"
    reader = stored.RowReader(["event_id", "payload", "batch_id", "fingerprint", "origin_row"])
    for new, old in zip(ledger_rows(shop, wanted), ledger_rows(finished, wanted), strict=True):
        assert new[:2] == old[:2]
        assert reader.read(shop / new[2], *new[3:]).equals(
            pq.read_table(finished / old[2], columns=reader.columns)
        )


def test_after_it_a_run_finds_nothing_to_do_and_everything_adds_up(shop: Path, capsys: Capture) -> None:
    releases = rows(shop, "SELECT version FROM cdp_release")
    compact(shop)
    report = run(shop, now=SOON)
    assert report.nothing_new
    assert [time.stage for time in report.times] == ["plan"]
    assert rows(shop, "SELECT version FROM cdp_release") == releases
    assert compact(shop, now=LATER) == {"web": CompactionReport("web"), "orders": CompactionReport("orders")}
    assert cdp(["doctor", "-w", str(shop)]) == 0
    assert "✗" not in capsys.readouterr().out


@pytest.mark.soak
def test_later_runs_on_packs_are_as_without_them(shop: Path, finished: Path, tmp_path: Path) -> None:
    """Duplicates and revisions of what lies in packs, a changed mapping, a replay, everything again."""
    plain = copy(finished, tmp_path / "plain")
    for number, folder in enumerate((shop, plain)):
        for later in range(FILES, FILES + 3):
            if number == 0:
                compact(folder)
            add(folder, later % 4)
            add(folder, later)
        run(folder)
        config = folder / "cdp.yaml"
        changed = config.read_text(encoding="utf-8").replace("product: product", "product: order_no")
        config.write_text(changed, encoding="utf-8")
        run(folder, "replay", quarantined=True)
        if number == 0:
            compact(folder)
        run(folder, full=True, now=LATER)
    assert ledger_rows(shop, "SELECT count(*) FROM packed")[0][0] > 2 * FILES + 4
    assert differences(shop, plain) == []
    outcomes = "SELECT file_id, raw_row, event_id, outcome, reason FROM current_outcomes ORDER BY 1, 2"
    assert ledger_rows(shop, outcomes) == ledger_rows(plain, outcomes)


def test_quarantine_verify_and_backup_read_packs(shop: Path, finished: Path, tmp_path: Path) -> None:
    backup(shop, tmp_path / "backup", now=NOW)
    compact(shop)
    held = []
    for folder in (shop, finished):
        with Ledger(Lake(folder).ledger_path, read_only=True) as ledger:
            held.append(quarantine.held(Lake(folder), ledger, show=True))
    assert held[0] == held[1]
    assert len(held[0]) == 2
    with open_session(shop, settings_of(shop), "test", run_id="r", now=NOW) as session:
        assert verify(session, "web", ["2026-03-01"]) == 3 * FILES
    report = backup(shop, tmp_path / "backup", now=NOW)
    assert report.files == 3 + 2  # packs, the model, cdp.yaml
    assert on_disk(tmp_path / "backup", "landing") == [
        path for path in stored_paths(shop) if "landing" in path
    ]
    restored = copy(tmp_path / "backup", tmp_path / "restored")
    run(restored, full=True, now=LATER)
    assert differences(restored, shop) == []


def test_what_a_pack_took_the_place_of_stays_for_an_hour(shop: Path) -> None:
    before = on_disk(shop, "landing", "events")
    compact(shop)
    assert set(before) < set(on_disk(shop, "landing", "events"))
    run(shop, now=SOON)
    assert set(before) < set(on_disk(shop, "landing", "events"))
    run(shop, now=NOW + sweep.GRACE + timedelta(minutes=1))
    assert on_disk(shop, "landing", "events") == stored_paths(shop)
    assert ledger_rows(shop, "SELECT count(*) FROM retired") == [(0,)]


def test_who_reads_for_longer_says_so(shop: Path) -> None:
    before = on_disk(shop, "landing", "events")
    compact(shop)
    with lock.reading(shop):
        run(shop, now=LATER)
        assert set(before) < set(on_disk(shop, "landing", "events"))
    run(shop, now=LATER)
    assert on_disk(shop, "landing", "events") == stored_paths(shop)


def test_a_file_that_is_made_again_at_its_old_place_is_not_taken_for_retired(shop: Path) -> None:
    """`--full` writes the events of the same file under the same mapping: at the path that was retired."""
    compact(shop)
    run(shop, full=True, now=SOON)
    assert ledger_rows(
        shop, "SELECT count(*) FROM retired AS r JOIN stored_events AS e USING (path) WHERE current"
    ) == [(2 * FILES,)]
    run(shop, now=LATER)
    assert on_disk(shop, "landing", "events") == stored_paths(shop)
    assert compact(shop, now=LATER)["web"].packs == 1
    run(shop, now=LATER + timedelta(hours=2))
    assert on_disk(shop, "landing", "events") == stored_paths(shop)


def test_a_reader_that_took_its_paths_before_reads_on(shop: Path) -> None:
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        files = stored.events(Lake(shop), ledger)
    compact(shop)
    add(shop, 50)
    run(shop, now=SOON)
    assert sum(pq.read_metadata(path).num_rows for path in files.paths) > FILES


@pytest.mark.soak
def test_what_lands_at_any_moment_of_it_is_neither_lost_nor_moved(
    shop: Path, finished: Path, tmp_path: Path
) -> None:
    """A collector takes no writer lock. Here a landing comes between any two steps that hold no transaction."""
    numbers = iter(range(10, 99))
    landed: list[int] = []
    settings = settings_of(shop)

    def on_step(name: str) -> None:
        if name.startswith(("write", "rename", "ledger pack committed")) and not busy:
            busy.append(1)
            number = next(numbers)
            (shop / f"inbox/web/{number}.jsonl").write_text(call(number, number % 3) + "\n", encoding="utf-8")
            with Ledger(Lake(shop).ledger_path) as ledger:
                source = settings.sources["web"]
                land(source, connector_for(source), Lake(shop), ledger, now=NOW, run_id="collector")
            landed.append(number)
            busy.clear()

    busy: list[int] = []
    with durable.crash_hook(on_step):
        compact(shop)
    assert len(landed) > 10
    run(shop)
    other = copy(finished, tmp_path / "other")
    for number in landed:
        add_files(other, {f"inbox/web/{number}.jsonl": [call(number, number % 3)]})
    run(other)
    assert differences(shop, other) == []
    compact(shop)
    assert run(shop).nothing_new


def _land_on(shop: str, numbers: range) -> None:
    """Land files one by one, in a process of its own."""
    folder = Path(shop)
    source = settings_of(folder).sources["web"]
    for number in numbers:
        (folder / f"inbox/web/{number}.jsonl").write_text(call(number, number % 3) + "\n", encoding="utf-8")
        with Ledger(Lake(folder).ledger_path) as ledger:
            land(source, connector_for(source), Lake(folder), ledger, now=NOW, run_id="collector")


@pytest.mark.soak
def test_a_process_may_land_while_another_compacts_again_and_again(
    shop: Path, finished: Path, tmp_path: Path
) -> None:
    numbers = range(200, 230)
    process = multiprocessing.get_context("spawn").Process(target=_land_on, args=(str(shop), numbers))
    process.start()
    rounds = 0
    while process.is_alive():
        compact(shop)
        rounds += 1
    process.join()
    assert process.exitcode == 0
    assert rounds > 1
    run(shop)
    other = copy(finished, tmp_path / "other")
    add_files(other, {f"inbox/web/{number}.jsonl": [call(number, number % 3)] for number in numbers})
    run(other)
    assert differences(shop, other) == []


def recovered(folders: Iterator[Path], finished: Path) -> dict[str, list[str]]:
    wrong = {}
    for folder in folders:
        run(folder, now=SOON)
        if found := list(problems(folder, finished)):
            wrong[folder.name] = found
    return wrong


@pytest.mark.soak
def test_it_may_die_at_any_durable_step(shop: Path, finished: Path, tmp_path: Path) -> None:
    images, steps = take_images(shop, tmp_path / "images", lambda: compact(shop))
    assert steps > 25
    assert recovered((image.folder for image in images), finished) == {}
    for image in images:
        assert all(report.packs <= 3 for report in compact(image.folder, now=LATER).values())
        run(image.folder, now=LATER + timedelta(hours=2))
        assert on_disk(image.folder, "landing", "events") == stored_paths(image.folder), image
        assert len(stored_paths(image.folder)) == 5


def test_packs_of_packs_may_die_at_any_durable_step(shop: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "PACK_BYTES", 20_000)
        compact(shop)
    assert len(stored_paths(shop)) > 8
    images, _ = take_images(shop, tmp_path / "images", lambda: compact(shop))
    assert recovered((image.folder for image in images[::2]), finished) == {}


def test_events_of_a_pack_that_were_made_again_count_once(shop: Path, finished: Path) -> None:
    """A standardising of everything dies after a few files: the rest of the pack counts, and what was made anew."""
    compact(shop)
    source = "SELECT count(*) FROM stored_events WHERE current AND pack_id IS NOT NULL"
    before = ledger_rows(shop, source)
    steps = 0

    def on_step(name: str) -> None:
        nonlocal steps
        steps += name == "ledger events committed"
        if steps == 3:
            raise KeyboardInterrupt

    with durable.crash_hook(on_step), pytest.raises(KeyboardInterrupt):
        run(shop, full=True, now=SOON)
    assert ledger_rows(shop, source)[0][0] == before[0][0] - 3
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        assert len(stored.events(Lake(shop), ledger).parts) == 1
    assert run(shop, "publish", full=True, now=SOON).release is not None
    assert differences(shop, finished) == []
    assert compact(shop, now=SOON)["web"].packs == 1
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        assert not stored.events(Lake(shop), ledger).parts
    assert differences(shop, finished) == []


def small(count: int, day: str) -> list[Small]:
    return [Small("raw", day, f"{n}", n, 1, 1, 10, 1_000, None) for n in range(count)]


def test_many_are_more_while_the_day_lasts() -> None:
    today, before = "2026-03-02", "2026-03-01"
    due = [(MANY, today), (MANY + 1, today), (MANY_OF_A_PAST_DAY, before), (MANY_OF_A_PAST_DAY + 1, before)]
    assert [is_due(small(count, day), today) for count, day in due] == [False, True, False, True]


def compacted(report: RunReport) -> list[str | None]:
    return [time.source for time in report.times if time.stage == "compact"]


def test_a_run_compacts_by_itself_what_has_become_many(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY", FILES)
    assert compacted(run(shop)) == []
    add(shop, FILES)
    assert compacted(run(shop)) == ["web", "orders"]
    assert ledger_rows(shop, "SELECT source, zone, files FROM packs ORDER BY 1, 2") == [
        ("orders", "events", FILES + 1),
        ("orders", "raw", FILES + 1),
        ("web", "events", FILES + 1),
        ("web", "raw", FILES + 1),
    ]
    assert run(shop).nothing_new


def test_a_day_that_is_over_is_compacted_by_the_run_that_publishes_for_today(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY_OF_A_PAST_DAY", FILES - 1)
    assert compacted(run(shop)) == []
    report = run(shop, now=LATER)
    assert (report.landed, compacted(report)) == ({}, ["web", "orders"])
    assert compacted(run(shop, now=LATER)) == []


def test_a_day_that_is_over_is_compacted_also_where_a_release_of_today_is_there(
    shop: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(finished := copy(finished, shop.parent / "whole"), now=LATER)
    assert compacted(run(shop, now=LATER)) == []
    monkeypatch.setattr(compaction, "MANY_OF_A_PAST_DAY", FILES - 1)
    report = run(shop, now=LATER)
    assert (report.nothing_new, compacted(report)) == (True, ["web", "orders"])
    assert differences(shop, finished) == []


@pytest.mark.soak
def test_a_run_of_dagster_compacts_too(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY", FILES)
    add(shop, FILES)
    assert compacted(run(shop, engine="dagster")) == ["web", "orders"]


def test_files_that_are_not_small_are_left_alone(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored_paths(shop)
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        groups = [len(group) for group in small_files(ledger, "web")]
    assert groups == [6, 2, 6]
    monkeypatch.setattr(compaction, "_LANDED", compaction._LANDED.replace(str(compaction.SMALL_BYTES), "1"))
    monkeypatch.setattr(compaction, "_EVENTS", compaction._EVENTS.replace(str(compaction.SMALL_BYTES), "1"))
    assert compact(shop)["web"].packs == 0
    assert stored_paths(shop) == before


@pytest.mark.parametrize("damage", ["gone", "cut", "rows"])
def test_a_damaged_file_is_named_and_nothing_is_moved(shop: Path, damage: str) -> None:
    ((path,),) = ledger_rows(
        shop, "SELECT path FROM stored_files WHERE zone = 'raw' AND source = 'web' LIMIT 1"
    )
    file = shop / path
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        pq.write_table(pq.read_table(file).slice(1), file)
    before = stored_paths(shop)
    with pytest.raises(CorruptError, match=Path(path).name):
        compact(shop)
    assert [one for one in stored_paths(shop) if "landing/raw/source=web" in one] == [
        one for one in before if "landing/raw/source=web" in one
    ]
    assert not list(shop.rglob(f"*{durable.TEMPORARY_SUFFIX}"))


def test_the_command_says_what_it_did(shop: Path, capsys: Capture) -> None:
    assert cdp(["compact", "-w", str(shop), "--source", "web"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("web: 14 files became 3 (")
    assert cdp(["compact", "-w", str(shop), "--quiet"]) == 0
    assert cdp(["compact", "-w", str(shop)]) == 0
    assert capsys.readouterr().out == "There are no small files to put together.\n"
    logs = [
        json.loads(line) for path in (shop / "logs").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    told = {one["source"]: one["files"] for one in logs if one["event"] == "compact"}
    assert told == {"web": 14, "orders": 12}
