"""Landing: what arrives is kept verbatim, counted once, and never doubled."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cdp import durable
from tests.crash_tools import tell_apart
from tests.landing_tools import NOW, Landing, comparable


def call(number: int, **more: object) -> str:
    return json.dumps(
        {"type": "track", "event": "Thing Done", "messageId": f"m{number}", "userId": f"u{number % 3}"}
        | {"timestamp": f"2026-10-01T00:{number % 60:02d}:00Z"}
        | more
    )


@pytest.fixture
def web(tmp_path: Path) -> Landing:
    return Landing.of(tmp_path)


def test_payloads_land_verbatim(web: Landing) -> None:
    lines = [call(1) + " ", '{"type":"track","event":"é","messageId":"m2",  "z":1.0e3}', "{broken"]
    web.put("a.ndjson", "\n".join(lines))
    web.run()
    assert sorted(web.landed_payloads()) == sorted(line.strip().encode() for line in lines)


def test_every_batch_adds_up(web: Landing) -> None:
    web.put(
        "a.ndjson", "\n".join([call(1), call(2), call(2), "{broken", '{"type":"nonsense","messageId":"x"}'])
    )
    web.run()
    (batch,) = web.counts()
    assert batch.holds
    assert (batch.landed, batch.standardised, batch.duplicate, batch.quarantined, batch.pending) == (
        5,
        2,
        1,
        2,
        0,
    )
    assert web.reasons() == {
        "duplicate:landed_before": 1,
        "quarantined:truncated": 1,
        "quarantined:unknown_call_type": 1,
    } or web.reasons().keys() >= {"duplicate:landed_before", "quarantined:unknown_call_type"}


def test_landing_again_does_nothing(web: Landing) -> None:
    web.put("a.ndjson", call(1))
    web.run()
    before = web.events()
    assert web.land().batches == []
    assert web.standardise() == 0
    assert web.events() == before


def test_a_file_that_grew_lands_only_what_is_new(web: Landing) -> None:
    web.put("a.ndjson", call(1))
    web.run()
    web.put("a.ndjson", call(1) + "\n" + call(2))
    web.run()
    assert [batch.landed for batch in web.counts()] == [1, 2]
    assert [batch.duplicate for batch in web.counts()] == [0, 1]
    assert web.events()["event_id"].to_pylist() == ["m1", "m2"]


def test_the_same_bytes_under_another_name_are_counted_and_not_stored_twice(web: Landing) -> None:
    web.put("a.ndjson", call(1) + "\n" + call(2))
    web.run()
    web.put("b.ndjson", call(1) + "\n" + call(2))
    web.run()
    assert web.total("duplicate") == 2
    assert all(batch.holds for batch in web.counts())
    assert len(web.landed_payloads()) == 2


def test_equal_lines_without_an_id_all_count_but_not_twice_over_files(tmp_path: Path) -> None:
    orders = Landing.of(
        tmp_path,
        name="orders",
        connector="files",
        event={
            "type": "order_placed",
            "group_by": "no",
            "time": "at",
            "amount": "n * price",
            "currency": "EUR",
        },
    )
    text = "no,at,n,price\n1,2026-01-01,2,1.50\n1,2026-01-01,2,1.50\n1,2026-01-01,1,0.25\n"
    orders.put("a.csv", text)
    orders.run()
    orders.put("b.csv", text + "2,2026-01-02,1,9\n")
    orders.run()
    events = orders.events().to_pylist()
    assert [(row["event_id"], row["line_count"], str(row["amount"])) for row in events] == [
        ("1", 3, "6.2500"),
        ("2", 1, "9.0000"),
    ]
    assert orders.total("duplicate") == 3


@pytest.mark.parametrize(("policy", "expected"), [("latest", "new"), ("first", "old"), ("quarantine", "old")])
def test_a_revision_is_decided_by_the_sources_policy(tmp_path: Path, policy: str, expected: str) -> None:
    web = Landing.of(tmp_path, on_revision=policy)
    web.put("a.ndjson", call(1, event="old"))
    web.run()
    web.put("b.ndjson", call(1, event="new", timestamp="2026-10-02T00:00:00Z"))
    web.run()
    assert web.events()["subject"].to_pylist() == [expected]
    assert all(batch.holds for batch in web.counts())
    lost = "quarantined" if policy == "quarantine" else "superseded"
    assert web.total(lost) == 1


def test_an_unreadable_file_is_reported_and_the_rest_lands(web: Landing) -> None:
    web.put("a.ndjson", call(1))
    (web.root / "inbox/web/b.ndjson").symlink_to("/proc/self/mem")
    report = web.land()
    assert report.landed == 1
    assert [problem.origin for problem in report.unreadable] == ["inbox/web/b.ndjson"]


def test_an_empty_file_is_a_batch_of_nothing(web: Landing) -> None:
    web.put("empty.ndjson", b"")
    web.run()
    (batch,) = web.counts()
    assert batch.holds
    assert batch.landed == 0


def test_bad_pieces_are_named_and_the_rest_lands(web: Landing) -> None:
    deep = (
        '{"type":"track","messageId":"deep","event":"x","properties":' + "[" * 100_000 + "]" * 100_000 + "}"
    )
    lines = [
        call(1).encode(),
        b'{"type":"track","event":"\xff"}',
        deep.encode(),
        b"",
        b"nonsense",
        b"[1, 2]",
        call(2).encode(),
    ]
    web.put("a.ndjson", b"\n".join(lines))
    web.run()
    (batch,) = web.counts()
    assert batch.holds
    assert {"m1", "m2"} <= set(web.events()["event_id"].to_pylist())
    assert any("not_utf8" in reason for reason in web.reasons())


def test_a_payload_over_the_limit_is_quarantined_whole(web: Landing) -> None:
    large = call(7, blob="x" * (33 << 20))
    web.put("a.ndjson", large + "\n" + call(1))
    web.run()
    assert web.reasons() == {"quarantined:payload_too_large": 1}
    assert large.encode() in web.landed_payloads()


def test_quarantined_pieces_are_replayed_once_they_can_be_read(tmp_path: Path) -> None:
    broken = Landing.of(tmp_path, name="t", connector="segment")
    broken.put(
        "a.ndjson", b"\n".join([call(1).encode(), b'{"type":"track","event":"caf\xe9","messageId":"m9"}'])
    )
    broken.run()
    assert broken.total("quarantined") == 1
    broken.replay()
    assert broken.total("quarantined") == 1, "nothing changed, so nothing is read better"
    (batch,) = broken.counts()
    assert batch.holds


def test_a_row_in_another_encoding_is_replayed_once_the_source_names_it(tmp_path: Path) -> None:
    source = {
        "name": "t",
        "connector": "files",
        "event": {"type": "contact_updated", "id": "id", "time": "at"},
    }
    source |= {"traits": {"given_name": "name"}, "identifiers": {"external_id": "id"}}
    first = Landing.of(tmp_path, **source)
    first.put("a.csv", b"id,at,name\n1,2026-01-01,Ann\n" + "2,2026-01-02,Zoë\n".encode("cp1252"))
    first.run()
    assert first.reasons() == {"quarantined:not_utf8": 1}
    fixed = Landing.of(tmp_path, **source, encoding="cp1252")
    fixed.replay()
    names = {row["event_id"]: row["traits"]["given_name"] for row in fixed.events().to_pylist()}
    assert names == {"1": "Ann", "2": "Zoë"}
    assert (fixed.total("standardised"), fixed.total("quarantined")) == (2, 0)
    assert all(batch.holds for batch in fixed.counts())
    fixed.replay()
    assert fixed.total("standardised") == 2


def test_a_change_of_mapping_standardises_again_without_landing(tmp_path: Path) -> None:
    source = {
        "name": "t",
        "connector": "files",
        "event": {"type": "donation_made", "time": "at", "amount": "gift"},
    }
    first = Landing.of(tmp_path, **source)
    first.put("a.csv", "at,gift,cur\n2026-01-01,ten,EUR\n2026-01-02,20,EUR\n")
    first.run()
    assert first.reasons() == {"quarantined:bad_amount": 1}
    second = Landing.of(
        tmp_path, **{**source, "event": {"type": "donation_made", "time": "at", "currency": "cur"}}
    )
    assert second.standardise() == 1
    assert second.reasons() == {}
    assert second.events()["currency"].to_pylist() == ["EUR", "EUR"]
    assert second.total("standardised") == 2
    assert all(batch.holds for batch in second.counts())


class Crash(BaseException):
    """The process ends here."""


def _crash_at(wanted: int) -> Callable[[str], None]:
    steps = itertools.count()

    def hook(_: str) -> None:
        if next(steps) == wanted:
            raise Crash

    return hook


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_crash_at_any_step_of_landing_loses_and_doubles_nothing(tmp_path: Path, every: bool) -> None:
    """Every step in `make soak`; here every second of those that leave different things on disk."""

    def prepare(name: str) -> Landing:
        web = Landing.of(tmp_path / name)
        web.put("a.ndjson", "\n".join([call(1), call(2), call(2), "{broken"]))
        web.put("b.ndjson", "\n".join([call(2, event="other"), call(3)]))
        return web

    undisturbed = prepare("undisturbed")
    steps: list[str] = []
    with durable.crash_hook(steps.append):
        undisturbed.run()
    expected = comparable(undisturbed.events())
    assert len(steps) > 15
    for crash_at in range(len(steps)) if every else tell_apart(steps)[::2]:
        web = prepare(f"crash{crash_at}")
        with pytest.raises(Crash), durable.crash_hook(_crash_at(crash_at)):
            web.run()
        web.run()
        assert comparable(web.events()) == expected, f"crash before step {crash_at}: {steps[crash_at]}"
        assert all(batch.holds and batch.pending == 0 for batch in web.counts())
        assert web.total("landed") == 6


def test_files_on_disk_are_named_by_their_content(web: Landing) -> None:
    web.put("a.ndjson", call(1))
    web.land(NOW)
    with web.ledger() as ledger:
        (row,) = ledger.rows("SELECT * FROM files")
    assert row["path"] == f"landing/raw/source=web/ingest_date=2026-11-01/{row['sha16']}.parquet"
    assert pq.read_table(web.lake.path(row["path"]))["received_at"][0].as_py() == NOW
