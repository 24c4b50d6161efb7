"""What the overview says of a workspace: sources beside their usual ways, drift, runs, releases; and its pages."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp
from pipelines.facts import WorkspaceFacts
from tests.serve_tools import START, Served, lake_with_release, settings_of

if TYPE_CHECKING:
    from pathlib import Path

SOURCES: dict[str, Any] = {
    "web": {"connector": "segment", "path": "inbox/web/*"},
    "calls": {"connector": "asterisk", "path": "inbox/calls/*", "freshness": "12h"},
    "mail": {"connector": "mail", "path": "inbox/mail/*", "enabled": False},
    "late": {"connector": "mail", "path": "inbox/late/*"},
}


def batch(ledger: Ledger, source: str, number: int, at: Any, rows: int, *, held: int = 0) -> None:
    """Enter a landed batch of one file; ``held`` of its envelopes are in quarantine."""
    name = f"{source}{number:06d}"
    ledger.execute(
        "INSERT INTO batches (batch_id, source, origins, run_id, received_at, ingest_date, state, received, "
        "landed, bytes) VALUES (?, ?, 1, 'r', ?, ?, 'landed', ?, ?, 1)",
        (name, source, timestamp(at), f"{at:%Y-%m-%d}", rows, rows),
    )
    ledger.execute(
        "INSERT INTO files (zone, source, ingest_date, sha16, path, batch_id, rows, size) "
        "VALUES ('raw', ?, ?, ?, ?, ?, ?, 1)",
        (source, f"{at:%Y-%m-%d}", name, f"landing/{name}", name, rows),
    )
    for row in range(held):
        ledger.execute(
            "INSERT INTO outcomes (file_id, raw_row, event_id, outcome, reason, run_id) "
            "VALUES ((SELECT max(file_id) FROM files), ?, ?, 'quarantined', 'invalid_json', 'r')",
            (row, f"{name}-{row}"),
        )


def facts_of(lake: Lake) -> WorkspaceFacts:
    found = WorkspaceFacts(lake.root, settings_of(sources=SOURCES), lambda: START)
    found._sample_if_old = lambda: None  # type: ignore[method-assign]  # counts alone, no thread
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A workspace whose web source brings 100 a day, and 10 yesterday; calls are late."""
    lake = Lake(tmp_path / "workspace")
    lake.root.mkdir()
    with Ledger(lake.ledger_path) as ledger, ledger.transaction("test"):
        for back in range(20, -1, -1):
            rows = 10 if back == 1 else 100
            batch(
                ledger, "web", 100 - back, START - timedelta(days=back, hours=1), rows, held=2 * (back == 0)
            )
        for back in (9, 8, 7, 6):
            batch(ledger, "calls", 100 - back, START - timedelta(days=back), 7)
            batch(ledger, "late", 100 - back, START - timedelta(days=back), 7)
    return lake


def test_sources_stand_beside_their_usual_ways(lake: Lake) -> None:
    web, calls, mail, late = facts_of(lake).sources()
    assert (web.state, calls.state, mail.state, late.state) == ("good", "late", "off", "quiet")
    assert (web.landed, web.landed_day, web.usual_day, web.usual_gap) == (2010, 100, 100.0, 86_400.0)
    assert [(one.reason, one.envelopes) for one in web.reasons] == [("invalid_json", 2)]
    assert [one.landed for one in web.days[-3:]] == [100, 10, 100]
    assert web.alerts == ["yesterday brought 10; 100 are usual"]
    assert calls.alerts == ["nothing has landed for longer than its freshness allows"]
    assert mail.alerts == []
    assert late.alerts == ["it has been silent for longer than usual"]


def test_reasons_of_what_was_replayed_are_gone(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger, ledger.transaction("test"):
        ledger.execute(
            "INSERT INTO outcomes (file_id, raw_row, event_id, outcome, run_id) "
            "SELECT file_id, raw_row, event_id, 'ignored', 'r2' FROM outcomes WHERE raw_row = 0",
        )
    (reason,) = facts_of(lake).sources()[0].reasons
    assert reason.envelopes == 1


def test_before_the_first_run_there_are_sources_and_nothing_else(tmp_path: Path) -> None:
    facts = facts_of(Lake(tmp_path))
    assert [one.state for one in facts.sources()] == ["new", "late", "off", "new"]
    assert (list(facts.runs()), list(facts.releases())) == ([], [])


def test_thousands_of_batches_are_counted_at_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with Ledger(lake.ledger_path) as ledger, ledger.transaction("test"):
        for number in range(5_000):
            batch(ledger, "web", number, START - timedelta(minutes=8 * number), 50, held=number % 3 == 0)
    facts = facts_of(lake)
    began = time.process_time()
    found = facts.sources()
    used = time.process_time() - began
    assert found[0].landed == 250_000
    assert used < 0.6
    began = time.process_time()
    facts.sources()
    assert time.process_time() - began < 0.01


@pytest.fixture
def served(tmp_path: Path) -> Any:
    lake = lake_with_release(tmp_path)
    found = Served(lake, sources=SOURCES, serve={"dagster_url": "http://localhost:3000"})
    found.serving.facts = facts_of(lake)
    yield found
    found.close()


def test_the_pages_and_the_api_tell_it(served: Served) -> None:
    client = served.signed_in("read")
    page = client.get("/")
    assert page.status_code == 200
    assert "Records per customer" in page.text
    assert "http://localhost:3000" in page.text
    assert client.get("/quality").status_code == 200
    told = served.with_key("read").get("/api/v1/quality").json()
    assert told["identity"]["customers"] == 2
    assert told["identity"]["records_per_customer"] == 1.5
    assert [one["name"] for one in served.with_key("read").get("/api/v1/sources").json()["sources"]] == list(
        SOURCES
    )


def test_before_the_first_release_the_overview_says_what_to_do(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "workspace")
    served = Served(lake, sources=SOURCES)
    served.serving.facts = facts_of(lake)
    client = served.signed_in("read")
    page = client.get("/")
    assert page.status_code == 200
    assert "cdp run" in page.text
    assert client.get("/quality").status_code == 200
    assert client.get("/customers").status_code == 503
    assert served.with_key("read").get("/api/v1/sources").status_code == 200
    assert served.with_key("read").get("/api/v1/quality").status_code == 503
    served.close()
