"""Small parts of a run: its log, its progress, its digests, its processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdp.errors import CdpError
from cdp.masking import mask
from pipelines import digests, runlog, workspace
from pipelines.instance import is_alive, this_process
from pipelines.job import run_key
from pipelines.progress import Bars, Lines, Silent, for_stream

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_log_keeps_nobody_s_data(tmp_path: Path) -> None:
    with runlog.RunLog(tmp_path, "r1") as log:
        log.write("land", {"source": "web", "landed": 3})
        try:
            int("jane@mail.example")
        except ValueError as error:
            log.failure("standardise", error)
        log.failure("resolve", CdpError("The events file is missing."))
    text = (tmp_path / "r1.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert "jane" not in text
    assert [line["event"] for line in lines] == ["land", "failed", "failed"]
    assert lines[1]["error"] == "ValueError"
    assert lines[1]["place"].startswith("test_pipelines_parts.py:")
    assert lines[2]["message"] == "The events file is missing."


def test_logs_are_forgotten_after_thirty_days(tmp_path: Path) -> None:
    for age in (1, 29, 31, 400):
        path = tmp_path / f"{age}.jsonl"
        path.write_text("{}\n")
        moment = (NOW - timedelta(days=age)).timestamp()
        os.utime(path, (moment, moment))
    assert runlog.forget(tmp_path, now=NOW) == 2
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["1", "29"]


def test_progress_suits_the_stream() -> None:
    stream = io.StringIO()
    with for_stream(stream) as progress, progress.step("Land web", 10) as advance:
        advance(10)
    assert isinstance(progress, Lines)
    assert stream.getvalue() == "Land web\n"
    with for_stream(stream, quiet=True) as quiet:
        assert isinstance(quiet, Silent)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with for_stream(terminal) as bars, bars.step("Land web", 10) as advance:
        advance(10)
    assert isinstance(bars, Bars)
    assert "Land web" in terminal.getvalue()


def test_the_digest_of_code_follows_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "made_up_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "query.sql").write_text("SELECT 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    digests.code.cache_clear()
    before = digests.code("made_up_package")
    assert digests.code("made_up_package") == before
    (package / "query.sql").write_text("SELECT 2")
    digests.code.cache_clear()
    assert digests.code("made_up_package") != before
    with pytest.raises(CdpError, match="not installed"):
        digests.code("no_such_package_anywhere")


def test_rows_of_a_query_have_a_digest_in_their_order() -> None:
    assert digests.rows_digest([(1, "a"), (2, "b")]) != digests.rows_digest([(2, "b"), (1, "a")])
    assert digests.rows_digest([]) == digests.rows_digest([])


def test_a_process_is_known_even_if_its_number_comes_again() -> None:
    assert is_alive(this_process())
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()
    assert is_alive(f"{other.pid}@{stat[19]}")
    assert not is_alive(f"{other.pid}@{int(stat[19]) + 1}")
    other.communicate(b"\n")
    assert not is_alive(f"{other.pid}@{stat[19]}")


def test_values_are_masked_in_their_shape() -> None:
    assert mask('{"email":"jane@mail.example","n":12}') == '{"e••••":"j•••@m•••.e••••••","n":1•}'
    assert mask(None) is None


def test_the_workspace_is_named_or_the_demo_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert workspace.folder() == tmp_path
    (tmp_path / "demo").mkdir()
    assert workspace.folder() == tmp_path
    (tmp_path / "demo" / "cdp.yaml").write_text("version: 1")
    assert workspace.folder() == tmp_path / "demo"
    monkeypatch.setenv("CDP_WORKSPACE", str(tmp_path / "other"))
    assert workspace.folder() == tmp_path / "other"


def test_the_sensor_s_key_changes_with_a_file_and_stays_short() -> None:
    from connectors.inbox import InboxFile

    many = [InboxFile(f"inbox/{n}.csv", Path(f"inbox/{n}.csv"), f"{n}:1", n) for n in range(20_000)]
    changed = [*many[:-1], InboxFile(many[-1].origin, many[-1].path, "7:2", 7)]
    assert run_key(many) == run_key(many[::-1])
    assert run_key(many) != run_key(changed)
    assert len(run_key(many)) < 40
