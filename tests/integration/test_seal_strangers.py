"""What a collector has taken of a source that is no more in the settings: it waits, and stops nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cdp.cli.main import run as cdp
from cdp.errors import RunFailedError
from connectors.collector.wal import Request, Segment, recover
from pipelines.doctor import examine
from tests.pipelines_tools import CONFIG, NOW, add_files, call, ledger_rows, make_shop, rows, run

RENAMED = CONFIG.replace("  web:", "  site:").replace("inbox/web/*", "inbox/site/*")


def collected(shop: Path, *sources: str) -> None:
    """Write a segment with one call of each source."""
    moment = time.time_ns() // 1000
    path = shop / "landing" / "wal" / f"{moment:017d}-aa.wal"
    segment = Segment(path, sources)
    segment.append(
        [
            Request(moment, source, True, "track", call(60 + place, 0).encode())
            for place, source in enumerate(sources)
        ]
    )
    segment.close()
    recover(path.parent)


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """A shop whose web source has another name now, with a segment of both names, and new files."""
    shop = make_shop(tmp_path / "shop")
    run(shop)
    (shop / "cdp.yaml").write_text(RENAMED, encoding="utf-8")
    collected(shop, "site", "web")
    add_files(shop, {"inbox/site/9.jsonl": [call(70, 1)]})
    return shop


@pytest.mark.parametrize("engine", ["plain", pytest.param("dagster", marks=pytest.mark.soak)])
def test_all_other_sources_land_and_the_run_says_what_waits(renamed: Path, engine: str) -> None:
    with pytest.raises(RunFailedError, match="There is no source 'web' any more") as caught:
        run(renamed, engine=engine, now=NOW)
    assert "'site'" not in str(caught.value)
    assert rows(
        renamed, "SELECT event_id FROM contact_history WHERE event_id IN ('m60', 'm70') ORDER BY 1"
    ) == [
        ("m60",),
        ("m70",),
    ]
    assert ledger_rows(renamed, "SELECT status FROM runs ORDER BY rowid DESC LIMIT 1") == [("failed",)]


@pytest.mark.soak
def test_every_run_says_so_until_the_source_is_back_and_nothing_is_lost(
    renamed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [cdp(["run", "-w", str(renamed)]) for _ in range(2)] == [1, 1]
    assert "no source 'web'" in capsys.readouterr().err
    both = RENAMED.replace("  site:", '  web: {connector: segment, path: "inbox/web/*"}\n  site:')
    (renamed / "cdp.yaml").write_text(both, encoding="utf-8")
    assert cdp(["run", "-w", str(renamed)]) == 0
    assert rows(renamed, "SELECT count(*) FROM contact_history WHERE event_id = 'm61'") == [(1,)]
    assert list((renamed / "landing" / "wal").glob("*.wal")) == []


def test_the_doctor_names_the_source_and_says_what_helps(renamed: Path) -> None:
    def finding() -> tuple[str, str, str]:
        (found,) = [found for found in examine(renamed) if found.about == "segments"]
        return found.state, found.text, found.advice

    state, text, advice = finding()
    assert (state, "'web' (1 requests in 1 segments)" in text, "'site'" in text) == ("wrong", True, False)
    assert "Put each back" in advice
    (renamed / "cdp.yaml").write_text(CONFIG, encoding="utf-8")
    assert "'site'" in finding()[1]
    kept = RENAMED.replace(
        "  site:", '  web: {connector: segment, path: "inbox/web/*", enabled: false}\n  site:'
    )
    (renamed / "cdp.yaml").write_text(kept, encoding="utf-8")
    assert finding()[0] == "note"


@pytest.mark.soak
def test_a_disabled_source_lands_what_was_collected(renamed: Path) -> None:
    kept = RENAMED.replace(
        "  site:", '  web: {connector: segment, path: "inbox/web/*", enabled: false}\n  site:'
    )
    (renamed / "cdp.yaml").write_text(kept, encoding="utf-8")
    run(renamed)
    assert list((renamed / "landing" / "wal").glob("*.wal")) == []
    assert rows(renamed, "SELECT count(*) FROM contact_history WHERE event_id = 'm61'") == [(0,)]
