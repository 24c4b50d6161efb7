"""How a source does: counts per period, lateness and fields of samples, freshness, what waits."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import Settings
from connectors import outcomes
from pipelines import payload_fields, samples
from pipelines.health import SourceHealth, health
from pipelines.volumes import Volume, volumes
from tests.collector_tools import Client, collecting, seal, workspace_settings
from tests.landing_tools import NOW, Landing

DAY = timedelta(days=1)


def call(number: int, *, late: float = 60.0, now: datetime = NOW, **more: Any) -> str:
    """Return a tracking call that happened ``late`` seconds before ``now``."""
    happened = (now - timedelta(seconds=late)).isoformat()
    content = {
        "type": "track",
        "event": "Seen",
        "messageId": f"m{number}",
        "userId": "u1",
        "timestamp": happened,
    }
    return json.dumps(content | more)


def put(landing: Landing, name: str, *calls: str, now: datetime = NOW) -> None:
    landing.put(name, "\n".join(calls))
    landing.land(now)


def look(landing: Landing, *, now: datetime = NOW, **source: Any) -> SourceHealth:
    about = {
        "connector": "segment",
        **landing.settings_of(landing.source.model_dump(exclude_unset=True)),
        **source,
    }
    settings = Settings.model_validate(
        {"workspace": {"name": "test"}, "sources": {landing.source.name: about}}
    )
    (found,) = health(landing.root, settings, [landing.source.name], now=now).sources
    return found


@pytest.fixture
def web(tmp_path: Path) -> Landing:
    return Landing.of(tmp_path)


def test_before_anything_has_landed_nothing_is_known_and_nothing_is_made(tmp_path: Path) -> None:
    settings = workspace_settings()
    found = health(tmp_path, settings, ["web", "forms"], now=NOW)
    assert [one.volumes.total for one in found.sources] == [Volume(), Volume()]
    assert found.backlog.segments == 0
    assert found.sources[0].freshness.stale is None
    assert list(tmp_path.iterdir()) == []


def test_every_envelope_is_counted_in_its_periods_by_its_newest_outcome(web: Landing) -> None:
    put(web, "old.jsonl", call(1), call(2), '{"type": "track", "messageId": "cut', now=NOW - 9 * DAY)
    put(web, "week.jsonl", call(2), call(3), call(3, event="Changed"), now=NOW - 3 * DAY)
    put(web, "new.jsonl", call(4, type="dance"), now=NOW)
    pending = look(web).volumes
    assert (pending.day, pending.week.landed, pending.total.landed) == (
        Volume(landed=1, pending=1, files=1, batches=1), 4, 7,
    )  # fmt: skip
    web.standardise()
    done = look(web).volumes
    assert done.day == Volume(landed=1, quarantined=1, files=1, batches=1)
    assert (done.week.duplicate, done.week.superseded) == (1, 1)
    assert done.total == Volume(7, 3, 1, 1, 0, 2, 0, 0, 3, 3)
    assert done.last_landed_at == NOW.isoformat(timespec="microseconds")


def test_the_sums_are_those_of_the_batches(web: Landing) -> None:
    for number in range(4):
        put(web, f"{number}.jsonl", *(call(n % 5) for n in range(number + 3)), "{", now=NOW - number * DAY)
    put(web, "again.jsonl", *(call(n % 5) for n in range(3)), now=NOW)
    web.standardise()
    web.land(NOW + DAY)
    with web.ledger() as ledger:
        total = volumes(ledger)["web"].total
        counts = outcomes.counts(ledger)
    for name in ("landed", "standardised", "duplicate", "superseded", "ignored", "quarantined", "pending"):
        assert getattr(total, name) == sum(getattr(batch, name) for batch in counts), name
    assert total.duplicate > 3


def test_lateness_is_from_when_it_happened_to_when_it_was_received(web: Landing) -> None:
    put(
        web,
        "1.jsonl",
        *(call(n, late=n) for n in range(1, 102)),
        call(200, late=-30),
        call(201, timestamp=None),
    )
    late = look(web).lateness
    assert late is not None
    assert late.median_seconds == pytest.approx(50.5)
    assert late.p95_seconds == pytest.approx(95.95)
    assert (late.rows, late.without_time, late.ahead, late.whole) == (103, 1, 1, True)


def test_lateness_is_of_the_last_days_and_of_the_newest_files_where_nothing_came_since(web: Landing) -> None:
    then = NOW - 20 * DAY
    put(web, "1.jsonl", call(1, late=10, now=then), now=then)
    old = look(web).lateness
    assert old is not None
    assert (old.median_seconds, old.since) == (10, None)
    put(web, "2.jsonl", call(2, late=70))
    new = look(web).lateness
    assert new is not None
    assert (new.median_seconds, new.since) == (70, NOW - 7 * DAY)


def test_what_is_sampled_is_bounded_and_spread(web: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.lateness.MOST_ROWS", 100)
    monkeypatch.setattr("pipelines.lateness.MOST_FILES", 4)
    for number in range(9):
        put(web, f"{number}.jsonl", *(call(1_000 * number + n, late=n) for n in range(200)))
    late = look(web).lateness
    assert late is not None
    assert (late.rows, late.whole) == (100, False)
    assert late.median_seconds == pytest.approx(100, abs=10)  # all over a file, not its beginning


def test_a_field_is_new_where_all_before_is_known_and_had_it_not(web: Landing) -> None:
    put(web, "1.jsonl", *(call(n, properties={"size": 1}) for n in range(5)), now=NOW - DAY)
    first = look(web).fields
    assert first is not None
    assert (first.before, first.new, first.known) == (0, (), 6)
    put(
        web,
        "2.jsonl",
        *(call(10 + n, properties={"size": 1}) for n in range(5)),
        call(20, properties={"color": "red"}),
    )
    second = look(web).fields
    assert second is not None
    assert [(one.path, round(one.share, 2)) for one in second.new] == [("properties.color", 0.17)]
    assert second.vanished == ()


def test_a_field_has_vanished_where_chance_would_hardly_leave_it_out(web: Landing) -> None:
    rare = [call(n, properties={"size": 1} | ({"gift": True} if n % 10 == 0 else {})) for n in range(40)]
    put(web, "1.jsonl", *rare, now=NOW - DAY)
    put(web, "2.jsonl", *(call(100 + n, properties={}) for n in range(8)))
    found = look(web).fields
    assert found is not None
    assert [one.path for one in found.vanished] == ["properties.size"]
    put(web, "3.jsonl", *(call(200 + n, properties={}) for n in range(400)))
    later = look(web).fields
    assert later is not None
    assert [one.path for one in later.vanished] == ["properties.gift", "properties.size"]


def test_of_samples_a_rare_field_is_not_called_new(web: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_fields, "MOST_ROWS", 20)
    put(web, "1.jsonl", *(call(n, **({"rare": 1} if n == 3 else {})) for n in range(200)), now=NOW - DAY)
    put(web, "2.jsonl", *(call(1_000 + n, common=1, **({"rare": 1} if n == 0 else {})) for n in range(20)))
    found = look(web).fields
    assert found is not None
    assert [one.path for one in found.new] == ["common"]


def test_no_value_and_no_key_that_is_data_gets_out(web: Landing) -> None:
    seen = {f"person{n}@mail.example": {"name": "Ann Archer"} for n in range(30)}
    put(web, "1.jsonl", call(1, properties={"plain": 1}), now=NOW - DAY)
    put(web, "2.jsonl", call(2, properties={"seen": seen}), '{"ann@mail.example": "cut')
    found = look(web)
    assert found.fields is not None
    assert [one.path for one in found.fields.new] == ["properties.seen.*.name"]
    assert "ann" not in repr(found).lower()


def test_payloads_that_are_no_json_have_the_fields_that_their_connector_reads(tmp_path: Path) -> None:
    mail = Landing.of(tmp_path, name="mail", connector="mail")
    mail.put("1.eml", "From: Ann <ann@mail.example>\nTo: us@shop.example\nSubject: Hello\n\nHi\n")
    mail.land()
    found = look(mail).fields
    assert found is not None
    assert found.known > 3


def test_a_payload_that_is_too_deep_or_too_long_harms_nothing(web: Landing) -> None:
    deep = '{"type":"track","messageId":"deep","event":"x","p":' + '{"a":' * 90 + "1" + "}" * 90 + "}"
    long = call(1, text="x" * (payload_fields.LONGEST + 1))
    put(web, "1.jsonl", deep, long, call(2))
    found = look(web).fields
    assert found is not None
    assert found.lately == 2


def test_the_newest_batch_is_fresh_or_late(web: Landing) -> None:
    never = look(web, freshness="1h").freshness
    assert (never.age_seconds, never.limit_seconds, never.stale) == (None, 3600, True)
    put(web, "1.jsonl", call(1))
    assert look(web, freshness="1h", now=NOW + timedelta(minutes=59)).freshness.stale is False
    assert look(web, freshness="1h", now=NOW + timedelta(minutes=61)).freshness.stale is True
    assert look(web, now=NOW + 90 * DAY).freshness.stale is None


def test_a_file_that_is_gone_or_broken_leaves_the_counts(web: Landing) -> None:
    put(web, "1.jsonl", call(1))
    (path,) = (web.root / "landing/raw").rglob("*.parquet")
    path.write_bytes(b"no parquet")
    broken = look(web)
    assert (broken.volumes.total.landed, broken.lateness, broken.fields) == (1, None, None)
    path.unlink()
    assert look(web).volumes.total.landed == 1


def test_what_waits_is_counted_by_source_until_it_has_landed(tmp_path: Path) -> None:
    settings = workspace_settings()

    async def work(client: Client) -> None:
        for number in range(3):
            assert (await client.track(json.loads(call(number)), "/v1/track")).status == 200
        assert (await client.track({"batch": [json.loads(call(9))]}, key="app-write-key-0001")).status == 200
        live = health(tmp_path, settings, ["web", "app", "forms"], now=NOW)  # the segment is open
        assert [one.waiting.requests for one in live.sources] == [3, 1, 0]
        assert live.backlog.segments == 1

    collecting(tmp_path, work)
    closed = health(tmp_path, settings, ["web"], now=NOW)
    assert closed.sources[0].waiting.requests == 3
    assert closed.backlog.bytes > closed.sources[0].waiting.bytes > 300
    seal(tmp_path)
    landed = health(tmp_path, settings, ["web", "app"], now=NOW)
    assert landed.backlog.segments == 0
    assert [one.waiting.requests for one in landed.sources] == [0, 0]
    assert [one.volumes.total.landed for one in landed.sources] == [3, 1]


def test_a_segment_that_is_cut_or_damaged_counts_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for number in range(3):
            await client.track(json.loads(call(number)), "/v1/track")

    collecting(tmp_path, work)
    (segment,) = (tmp_path / "landing/wal").glob("*.wal")
    segment.write_bytes(segment.read_bytes()[:-5])
    (tmp_path / "landing/wal/1.wal").write_bytes(b"\x00" * 100)
    (tmp_path / "landing/wal/0.wal.damaged").write_bytes(b"")
    found = health(tmp_path, workspace_settings(), ["web"], now=NOW)
    assert found.sources[0].waiting.requests == 2
    assert (found.backlog.segments, found.backlog.damaged) == (2, 1)


def test_of_a_huge_backlog_a_part_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: Client) -> None:
        await client.track(json.loads(call(1)), "/v1/track")

    for _ in range(3):
        collecting(tmp_path, work)
    monkeypatch.setattr("pipelines.segments.READ_BYTES", 400)
    found = health(tmp_path, workspace_settings(), ["web"], now=NOW)
    assert (found.backlog.segments, found.backlog.whole, found.sources[0].waiting.requests) == (3, False, 1)


def test_samples_come_from_where_rows_are_now(web: Landing) -> None:
    put(web, "1.jsonl", *(call(n) for n in range(3)))
    put(web, "2.jsonl", *(call(10 + n) for n in range(2)), now=NOW + DAY)
    lake = Lake(web.root)
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        assert samples.newest(ledger, "web") == NOW + DAY
        ids = samples.file_ids(ledger, "web")
        assert samples.file_ids(ledger, "web", before=NOW + DAY) == ids[:1]
        assert [piece.rows for piece in samples.pieces(lake, ledger, ids)] == [3, 2]
