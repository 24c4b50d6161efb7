"""`cdp suppress`, from the command line to what lands, what is published and what is told."""

from __future__ import annotations

import io
import json
import logging
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp import suppression
from cdp.cli.main import run as cdp
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from connectors.collector.seal import Sealer
from pipelines.stages.land import hold_back
from tests.collector_tools import CONFIG as COLLECTED
from tests.collector_tools import collecting
from tests.crash_tools import take_images
from tests.pipelines_tools import (
    CONFIG,
    NOW,
    ORDER_HEAD,
    add_files,
    call,
    differences,
    ledger_rows,
    make_shop,
    rows,
    run,
    settings_of,
)

Capture = pytest.CaptureFixture[str]
ANN = "ann.archer@mail.example"
LATER = NOW + timedelta(hours=3)
ADS = CONFIG.replace("exports: {", "exports: {ads: {dataset: customers, format: csv, purpose: marketing}, ")


def suppress(shop: Path, *arguments: str) -> int:
    return cdp(["suppress", *arguments, "-w", str(shop)])


def sums(shop: Path) -> list[tuple[str, int, int, int]]:
    """(source, received, suppressed, landed) of each batch."""
    found = ledger_rows(shop, "SELECT source, received, suppressed, landed FROM batches ORDER BY batch_id")
    return [(row[0], row[1], row[2], row[3]) for row in found]


def stored(shop: Path, *below: str) -> bytes:
    """Return all bytes of the payloads below these folders, uncompressed."""
    paths = [path for folder in below for path in sorted((shop / folder).rglob("*.parquet"))]
    return b"\n".join(
        payload
        for path in paths
        for payload in pq.read_table(path, columns=["payload"])["payload"].to_pylist()
    )


def test_whoever_is_on_the_list_does_not_land_and_is_counted(tmp_path: Path, capsys: Capture) -> None:
    shop = make_shop(tmp_path / "shop")
    assert suppress(shop, "add", f"email:{ANN.upper()}", "user_id@web:u1", "external_id:C1") == 0
    capsys.readouterr()
    report = run(shop)
    assert report.succeeded
    assert {name: found.landed for name, found in report.landed.items()} == {"web": 13, "orders": 4}
    assert sums(shop) == [("web", 14, 1, 13), ("orders", 7, 3, 4)]
    for word in (b"ann.archer", b"Ann Archer", b'"u1"', b'"C1"'):
        assert word not in stored(shop, "landing")
    assert rows(shop, "SELECT count(*) FROM customer_identifiers WHERE value IN ('u1', 'C1')") == [(0,)]
    assert cdp(["doctor", "-w", str(shop)]) == 0
    capsys.readouterr()
    assert suppress(shop, "list", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["type"], one["namespace"], one["held_back"]) for one in listed] == [
        ("email", "", 4),
        ("user_id", "web", 1),
        ("external_id", None, 3),
    ]
    assert {one["last_held_at"][:10] for one in listed} == {"2026-03-01"}


def test_what_is_held_back_is_as_if_it_had_never_been_sent(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    with Ledger(Lake(shop).ledger_path) as ledger:
        entries = [suppression.parse(f"email:{ANN}", place="it", region="GB")]
        suppression.add(ledger, entries, by="me", now=NOW)
    run(shop)
    other = make_shop(tmp_path / "other")
    for path in other.glob("inbox/*/*"):
        text = path.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if ANN not in line]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    run(other)
    assert differences(shop, other) == []


def test_an_entry_concerns_later_landings_only_and_none_after_it_is_taken_off(
    tmp_path: Path, capsys: Capture
) -> None:
    shop = make_shop(
        tmp_path / "shop", {"inbox/web/1.jsonl": [call(1, 0, "identify"), call(2, 1, "identify")]}
    )
    run(shop)
    assert suppress(shop, "add", f"email:{ANN}") == 0
    assert "What landed before stays" in capsys.readouterr().err
    add_files(shop, {"inbox/web/2.jsonl": [call(3, 0, "identify"), call(4, 1, "identify")]})
    run(shop, now=LATER)
    assert suppress(shop, "remove", f"email:{ANN}") == 0
    add_files(shop, {"inbox/web/3.jsonl": [call(5, 0, "identify"), call(6, 1, "identify")]})
    run(shop, now=LATER)
    assert sums(shop) == [("web", 2, 0, 2), ("web", 2, 1, 1), ("web", 2, 0, 2)]
    seen = "SELECT event_id FROM contact_history WHERE record_key = 'web:u1' ORDER BY 1"
    assert rows(shop, seen) == [("m1",), ("m5",)]


@pytest.mark.soak
def test_the_same_file_again_is_held_back_again_and_lands_nothing_twice(tmp_path: Path) -> None:
    lines = [call(1, 0, "identify"), call(2, 1, "identify"), call(3, 2)]
    shop = make_shop(tmp_path / "shop", {"inbox/web/1.jsonl": lines})
    suppress(shop, "add", f"email:{ANN}")
    run(shop)
    files = ledger_rows(shop, "SELECT path FROM files")
    add_files(shop, {"inbox/web/2.jsonl": lines})
    run(shop, now=LATER)
    assert sums(shop) == [("web", 3, 1, 2), ("web", 3, 1, 2)]
    assert ledger_rows(shop, "SELECT path FROM files") == files
    suppress(shop, "add", "user_id:u2")
    add_files(shop, {"inbox/web/3.jsonl": lines})
    run(shop, now=LATER)
    assert sums(shop)[2] == ("web", 3, 2, 1)
    assert ledger_rows(shop, "SELECT outcome, count(*) FROM current_outcomes GROUP BY 1") == [
        ("duplicate", 1)
    ]
    assert run(shop, now=LATER).nothing_new


def test_of_an_order_every_line_of_the_file_stays_away(tmp_path: Path) -> None:
    """Only its first line names the customer."""
    orders = [
        ORDER_HEAD,
        f"A1,2026-02-03 12:00,C1,Ann Archer,{ANN},Lamp,1,30.00",
        "A1,2026-02-03 12:00,,,,Bulb,2,2.50",
        "A2,2026-02-04 12:00,C2,Robert Baker,bob.baker@mail.example,Chair,1,80.00",
    ]
    shop = make_shop(tmp_path / "shop", {"inbox/orders/1.csv": orders})
    suppress(shop, "add", f"email:{ANN}")
    run(shop)
    assert sums(shop) == [("orders", 3, 2, 1)]
    assert rows(shop, "SELECT event_id FROM all_events") == [("A2",)]


@pytest.mark.soak
def test_a_piece_that_nobody_could_read_is_looked_into_when_it_is_read_again(tmp_path: Path) -> None:
    orders = [
        ORDER_HEAD.replace(",", ";"),
        f"A1;2026-02-03 12:00;C1;Ann Archer;{ANN};Lamp;1;30.00",
        "A2;2026-02-04 12:00;C2;Robert Baker;bob.baker@mail.example;Chair;1;80.00;more",
        f"A3;2026-02-03 12:00;C1;Ann Archer;{ANN};Lamp,big;1;30.00;more",
    ]
    shop = make_shop(tmp_path / "shop", {"inbox/orders/1.csv": orders})
    suppress(shop, "add", f"email:{ANN}")
    run(shop)
    assert sums(shop) == [("orders", 3, 1, 2)]
    # A header with the further column makes the two readable.
    for path in (shop / "landing/quarantine").rglob("*.parquet"):
        table = pq.read_table(path)
        header = pa.array([f"{one};note" for one in table["context"].to_pylist()])
        pq.write_table(table.set_column(table.schema.get_field_index("context"), "context", header), path)
    run(shop, "replay", quarantined=True, now=LATER)
    fates = "SELECT outcome, reason, count(*) FROM current_outcomes GROUP BY 1, 2 ORDER BY 1"
    assert ledger_rows(shop, fates) == [("ignored", "suppressed", 1), ("standardised", "replayed", 1)]
    assert rows(shop, "SELECT event_id FROM all_events") == [("A2",)]
    assert sums(shop) == [("orders", 3, 1, 2)]


def test_a_landing_that_dies_counts_nothing_twice(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", {"inbox/web/1.jsonl": [call(n, n % 3, "identify") for n in range(9)]})
    suppress(shop, "add", f"email:{ANN}")
    images, _ = take_images(shop, tmp_path / "images", lambda: run(shop, "land"))
    assert len(images) > 5
    for image in images:
        run(image.folder, "land", now=LATER)
        assert sums(image.folder) == [("web", 9, 3, 6)], image
        assert ledger_rows(image.folder, "SELECT held_back FROM suppressions") == [(3,)], image


def test_what_comes_over_http_is_held_back_when_it_lands_also_by_a_sealer_that_goes_on(
    tmp_path: Path,
) -> None:
    """The list is asked for each batch: a collector need not start again."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "cdp.yaml").write_text(COLLECTED, encoding="utf-8")
    settings = settings_of(shop)
    batch = {"batch": [json.loads(call(number, number, "identify")) for number in range(3)]}

    def collect() -> None:
        collecting(shop, lambda client: client.track(batch), settings)

    with Sealer(shop, settings, lambda ledger, name: hold_back(ledger, settings, name)) as sealer:
        for entry in ("", f"email:{ANN}", "user_id@web:u2"):
            if entry:
                assert suppress(shop, "add", entry) == 0
            collect()
            assert [sealed.problems for sealed in sealer.seal(sealer.waiting())] == [{}]
    assert sums(shop) == [("web", 3, 0, 3), ("web", 3, 1, 2), ("web", 3, 2, 1)]
    assert list((shop / WAL).iterdir()) == []
    counts = "SELECT type, held_back FROM suppressions ORDER BY 1"
    assert ledger_rows(shop, counts) == [("email", 2), ("user_id", 1)]


def test_the_value_is_neither_printed_nor_logged_nor_stored(
    tmp_path: Path, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(tmp_path / "shop", {})
    caplog.set_level(logging.DEBUG)
    secret = ("hidden.person@mail.example", "+442079460958", "hidden-42")
    entries = [f"{kind}:{value}" for kind, value in zip(("email", "phone", "handle"), secret, strict=True)]
    (shop / "people.txt").write_text("# by letter\n\n" + "\n".join(entries[1:]) + "\n", encoding="utf-8")
    assert suppress(shop, "add", entries[0], "--file", str(shop / "people.txt"), "--reason", "asked") == 0
    assert suppress(shop, "add", *entries) == 0
    assert suppress(shop, "list") == 0
    assert suppress(shop, "remove", *entries[:2]) == 0
    assert suppress(shop, "remove", entries[0]) == 1
    assert suppress(shop, "add", f"mail:{secret[0]}") == 2
    assert suppress(shop, "add", secret[0]) == 2
    assert suppress(shop, "list", "--removed") == 0
    run(shop, now=LATER)
    (shop / "people.txt").unlink()
    told = capsys.readouterr()
    files = b"".join(path.read_bytes() for path in shop.rglob("*") if path.is_file())
    for value in secret:
        for place in (told.out, told.err, caplog.text, files.decode("latin-1")):
            assert value not in place
    assert "3 identifiers were put on the list." in told.err
    assert "0 identifiers were put on the list; 3 were on it before" in told.err
    assert "2 identifiers were taken off the list" in told.err
    assert "Argument 1 is not on the list" in told.err
    assert told.out.count("asked") == 3 + 3  # the list, and with those that were taken off


def test_the_list_shows_what_may_be_shown(tmp_path: Path, capsys: Capture) -> None:
    shop = make_shop(tmp_path / "shop", {})
    assert suppress(shop, "list") == 0
    assert "Nobody is on the list." in capsys.readouterr().err
    suppress(shop, "add", "user_id:u7", "user_id@web:u8", "--as", "kim", "--reason", "letter of 3 May")
    capsys.readouterr()
    suppress(shop, "list")
    heading, _, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "hash",
        "type",
        "namespace",
        "since",
        "(UTC)",
        "by",
        "held",
        "back",
        "last",
        "(UTC)",
        "why",
    ]
    assert first.split()[1:3] == ["user_id", "every"]
    assert second.split()[1:3] == ["user_id", "web"]
    assert first.endswith("letter of 3 May")
    assert "kim" in first
    prefix = first.split()[0]
    assert len(prefix) == suppression.PREFIX_DIGITS
    assert suppress(shop, "remove", prefix[:6], second.split()[0]) == 0
    assert ledger_rows(shop, "SELECT count(*) FROM suppressions WHERE removed_at IS NULL") == [(0,)]


def test_identifiers_may_come_from_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path / "shop", {})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"user_id:u7\nphone:020 7946 0018\n")))
    assert suppress(shop, "add", "--file", "-") == 0
    assert ledger_rows(shop, "SELECT type FROM suppressions ORDER BY 1") == [("phone",), ("user_id",)]


def test_of_several_identifiers_none_is_added_where_one_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    shop = make_shop(tmp_path / "shop", {})
    (shop / "people.txt").write_text("user_id:u7\nphone:nobody\n", encoding="utf-8")
    assert suppress(shop, "add", "--file", str(shop / "people.txt")) == 2
    assert "Line 2 is no phone" in capsys.readouterr().err
    assert suppress(shop, "add") == 2
    assert "No identifier was given" in capsys.readouterr().err
    assert not Lake(shop).ledger_path.exists()


def test_exports_for_a_purpose_are_written_again_without_whoever_was_put_on_the_list(tmp_path: Path) -> None:
    """Who is then in them: tests/integration/test_warehouse_exports.py."""
    shop = make_shop(tmp_path / "shop", {"inbox/web/1.jsonl": [call(1, 0, "identify")]}, config=ADS)
    run(shop)
    before = exported(shop, "feed")
    assert ANN in before
    suppress(shop, "add", f"email:{ANN}")
    report = run(shop, now=LATER)
    assert [one.export.name for one in report.exports if not one.repeated] == ["ads"]
    assert exported(shop, "feed") == before
    assert run(shop, now=LATER).nothing_new


def exported(shop: Path, name: str) -> str:
    folder = shop / "exports" / name
    return (folder / (folder / "LATEST").read_text().strip() / "customers.csv").read_text(encoding="utf-8")
