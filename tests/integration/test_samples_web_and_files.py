"""Real payloads and exports of the shared samples: each becomes outcomes with reasons, none disappears."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.landing_tools import Landing

FILES = {
    "name": "rows",
    "connector": "files",
    "event": {"type": "note_added"},
    "path": "inbox/rows/**/*",
}


def manifest(shared: Path) -> list[dict[str, str]]:
    with (shared / "samples/MANIFEST.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def assert_accounted(landing: Landing) -> None:
    counts = landing.counts()
    assert all(batch.holds and batch.pending == 0 for batch in counts)
    with landing.ledger() as ledger:
        assert (
            ledger.value("SELECT count(*) FROM outcomes WHERE outcome <> 'standardised' AND reason IS NULL")
            == 0
        )


def test_bodies_recorded_from_real_sdks(tmp_path: Path, shared: Path) -> None:
    web = Landing.of(tmp_path)
    bodies = 0
    for path in sorted((shared / "samples/web/sdk_captures").glob("*.ndjson")):
        if path.name.startswith("snowplow"):
            continue
        for number, line in enumerate(path.read_text().splitlines()):
            request = json.loads(line)
            if request.get("body") and request["method"] == "POST":
                web.put(f"{path.stem}-{number}.json", request["body"])
                bodies += 1
    web.run()
    assert bodies > 30
    assert_accounted(web)
    assert web.total("quarantined") == 0
    assert web.total("duplicate") > 0, "clients resend after a refusal or a time-out"
    events = web.events()
    assert len(set(events["event_id"].to_pylist())) == events.num_rows
    assert "web:u-1" in events["record_key"].to_pylist()


def test_payloads_of_the_documentation(tmp_path: Path, shared: Path) -> None:
    web = Landing.of(tmp_path)
    samples = [row for row in manifest(shared) if row["format"] in ("segment_docs", "rudderstack")]
    for row in samples:
        path = shared / "samples" / row["path"]
        web.put(path.name, path.read_bytes())
    web.run()
    assert_accounted(web)
    assert web.total("landed") >= len(samples)
    assert web.total("standardised") > 30


@pytest.mark.parametrize("channel", ["crm", "support", "datasets", "web", "email", "phone"])
def test_exports_of_every_system_as_rows(tmp_path: Path, shared: Path, channel: str) -> None:
    rows = Landing.of(tmp_path, **FILES)
    samples = [
        row
        for row in manifest(shared)
        if row["channel"] == channel and row["kind"] == "export" and "uci_online_retail" not in row["path"]
    ]
    for row in samples:
        target = tmp_path / "inbox/rows" / row["path"].replace("/", "__")
        target.write_bytes((shared / "samples" / row["path"]).read_bytes())
    rows.run()
    assert samples
    assert_accounted(rows)
    with rows.ledger() as ledger:
        assert ledger.value("SELECT count(*) FROM cursors") == len(samples)
    assert rows.total("standardised") > 0
