"""The real process, killed at random moments; two runs at once; a holder that is dead."""

from __future__ import annotations

import json
import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.crash_tools import problems
from tests.pipelines_tools import cdp, finish, ledger_rows, make_shop, run

pytestmark = pytest.mark.serial

KILLS = 1


def kill_after(workspace: Path, seconds: float) -> bool:
    """Start `cdp run`, kill it after some seconds; return whether it was still at work."""
    process = cdp("run", "-w", str(workspace))
    time.sleep(seconds)
    at_work = process.poll() is None
    process.kill()
    process.communicate()
    return at_work


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing_that_the_next_does_not_mend(tmp_path: Path) -> None:
    """Here one kill; `make soak` has fifty."""
    undisturbed = make_shop(tmp_path / "undisturbed")
    began = time.monotonic()
    status, out, err = finish(cdp("run", "-w", str(undisturbed)))
    lasted = time.monotonic() - began
    assert (status, "21" in out) == (0, True), err
    dice = random.Random(20261122)
    for number in range(KILLS):
        workspace = make_shop(tmp_path / str(number))
        kill_after(workspace, dice.uniform(0.2, 0.95) * lasted)
        run(workspace, now=datetime.now(UTC))
        assert list(problems(workspace, undisturbed)) == [], number


def wait_for(path: Path, process: object) -> None:
    """Wait until a run has written its line into the lock file."""
    deadline = time.monotonic() + 60
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline, process
        time.sleep(0.01)


def hold(workspace: Path):
    """Start a run and stop it in its tracks while it holds the workspace."""
    holder = cdp("run", "-w", str(workspace))
    wait_for(workspace / ".lock", holder)
    holder.send_signal(signal.SIGSTOP)
    return holder


def test_a_second_run_names_the_holder_or_waits_for_it(tmp_path: Path) -> None:
    workspace = make_shop(tmp_path / "shop")
    holder = hold(workspace)
    held = json.loads((workspace / ".lock").read_text())
    status, _, err = finish(cdp("run", "-w", str(workspace)))
    assert status == 1
    assert f"process {held['pid']}, run {held['run_id']}" in err
    assert "--wait" in err
    waiting = cdp("run", "-w", str(workspace), "--wait", "100")
    holder.send_signal(signal.SIGCONT)
    assert finish(holder)[0] == 0
    status, out, err = finish(waiting)
    assert (status, "Nothing new" in out) == (0, True), err
    assert [row[0] for row in ledger_rows(workspace, "SELECT status FROM runs")] == ["succeeded", "succeeded"]


def test_a_holder_that_is_killed_blocks_nobody(tmp_path: Path) -> None:
    workspace = make_shop(tmp_path / "shop")
    holder = hold(workspace)
    holder.kill()
    holder.communicate()
    assert (workspace / ".lock").read_text() != ""
    assert run(workspace).succeeded
    statuses = [row[0] for row in ledger_rows(workspace, "SELECT status FROM runs ORDER BY rowid")]
    assert statuses[-1] == "succeeded"
    assert set(statuses[:-1]) <= {"abandoned"}
