"""The long campaign of the collector: fifty kills under load. `make soak` runs it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.collector_process import workspace
from tests.e2e.test_collector_kill import check, kill_under_load

pytestmark = [pytest.mark.soak, pytest.mark.serial]

KILLS, WORKSPACES = 10, 5


@pytest.mark.parametrize("seed", range(WORKSPACES))
def test_ten_kills_of_one_workspace_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    root, dice = workspace(tmp_path / "shop"), random.Random(seed)
    check(root, [kill_under_load(root, f"k{number}", dice) for number in range(KILLS)])
