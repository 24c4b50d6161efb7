"""The real collector, killed under load: what it acknowledged lands, once."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.collector_process import Clients, Running, event, post, standing_ids, start, workspace
from tests.pipelines_tools import cdp, finish

pytestmark = pytest.mark.serial

KILLS = 3


def kill_under_load(root: Path, name: str, dice: random.Random) -> Clients:
    """Start a collector, have it killed under load; return what the clients know."""
    running = start(root)
    clients = Clients(running.port)
    clients.start(name)
    time.sleep(dice.uniform(0.1, 1.8))
    running.kill(sealer=dice.random() < 0.5)
    clients.stop()
    return clients


def check(root: Path, clients: list[Clients]) -> None:
    """Land what is left, and compare it with what was acknowledged."""
    last: Running = start(root)
    last.stop()
    found = Counter(standing_ids(root))
    acknowledged = set().union(*(one.acknowledged for one in clients))
    maybe = set().union(*(one.unanswered for one in clients))
    assert set(found.values()) <= {1}
    assert acknowledged <= set(found)
    assert set(found) <= acknowledged | maybe
    assert acknowledged
    assert not list((root / "landing" / "wal").iterdir())


def test_a_collector_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Here three kills; `make soak` has fifty."""
    root, dice = workspace(tmp_path / "shop"), random.Random(20261122)
    check(root, [kill_under_load(root, f"k{number}", dice) for number in range(KILLS)])


def test_a_run_lands_what_a_dead_collector_left(tmp_path: Path) -> None:
    root = workspace(tmp_path / "shop")
    running = start(root)
    assert post(running.port, "/v1/track", b'{"messageId": "m1", "event": "Left", "userId": "u1"}') == 200
    running.kill(sealer=True)
    status, out, err = finish(cdp("land", "-w", str(root)))
    assert status == 0, out + err
    assert list(standing_ids(root)) == ["m1"]


def test_two_collectors_do_not_work_on_one_workspace(tmp_path: Path) -> None:
    root = workspace(tmp_path / "shop")
    running = start(root)
    status, _, err = finish(
        cdp("collect", "-w", str(root), "--port", "0", environment={"CDP_WEB_KEY": "k" * 20})
    )
    assert (status, "A collector works on" in err) == (1, True)
    assert "1 events taken" not in running.stop()


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    running = start(workspace(tmp_path / "one"))
    other = workspace(tmp_path / "two")
    taken = cdp(
        "collect", "-w", str(other), "--port", str(running.port), environment={"CDP_WEB_KEY": "k" * 20}
    )
    status, _, err = finish(taken)
    assert (status, f"port {running.port}: Address already in use" in err) == (2, True), err
    running.stop()


def test_what_is_sent_again_after_a_restart_is_a_duplicate(tmp_path: Path) -> None:
    import json

    root, body = workspace(tmp_path / "shop"), json.dumps({"batch": [event("m1"), event("m2")]}).encode()
    for _ in range(2):
        running = start(root)
        assert post(running.port, "/v1/batch", body) == 200
        assert "1 events" not in running.stop()
    assert sorted(standing_ids(root)) == ["m1", "m2"]
