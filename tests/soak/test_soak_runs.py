"""The long campaign: fifty kills at random moments, every crash image of every scenario. `make soak` runs it."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.crash_tools import problems, take_images
from tests.pipelines_tools import FILES, NOW, add_files, call, cdp, finish, fit, make_shop, run

pytestmark = [pytest.mark.soak, pytest.mark.serial]

KILLS = 50
MORE = {"inbox/web/3.jsonl": [call(30, 0), call(31, 2), call(2, 2, timestamp="2026-02-25T10:00:00Z")]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return a workspace after an undisturbed `cdp run`, and how long that took."""
    workspace = make_shop(tmp_path_factory.mktemp("soak") / "undisturbed")
    began = time.monotonic()
    status, _, err = finish(cdp("run", "-w", str(workspace)), timeout=600)
    assert status == 0, err
    return workspace, time.monotonic() - began


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_leaves_no_trace(tmp_path: Path, undisturbed: tuple[Path, float], number: int) -> None:
    """Kill one to three runs of the same workspace, then let one end."""
    expected, lasted = undisturbed
    dice = random.Random(number)
    workspace = make_shop(tmp_path / "shop")
    for _ in range(dice.randint(1, 3)):
        process = cdp("run", "-w", str(workspace))
        time.sleep(dice.uniform(0.05, 1.0) * lasted)
        process.kill()
        process.communicate()
    status, _, err = finish(cdp("run", "-w", str(workspace)), timeout=600)
    assert status == 0, err
    assert list(problems(workspace, expected)) == []


@pytest.mark.parametrize("scenario", ["first", "increment", "mapping", "full"])
def test_every_image_of_every_scenario_recovers(tmp_path: Path, scenario: str) -> None:
    workspace = make_shop(tmp_path / "shop")
    if scenario != "first":
        run(workspace)
    if scenario == "increment":
        add_files(workspace, MORE)
    elif scenario == "mapping":
        path = workspace / "cdp.yaml"
        path.write_text(path.read_text().replace("product: product", "product: order_no"))
    later = NOW + timedelta(days=1)
    images, _ = take_images(
        workspace, tmp_path / "images", lambda: run(workspace, now=later, full=scenario == "full")
    )
    wrong = {}
    for image in images:
        run(image.folder, now=later + timedelta(days=1))
        if found := list(problems(image.folder, workspace)):
            wrong[str(image)] = found
    assert wrong == {}


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_grouping_of_input_files_gives_the_same(
    tmp_path: Path, undisturbed: tuple[Path, float], seed: int
) -> None:
    dice = random.Random(seed)
    names = list(FILES)
    dice.shuffle(names)
    workspace = make_shop(tmp_path / "shop", files={})
    while names:
        some = [names.pop() for _ in range(dice.randint(1, len(names)))]
        add_files(workspace, {name: FILES[name] for name in some})
        run(workspace, now=NOW + timedelta(hours=len(names)))
    fit(workspace, use=True)  # one that was made from the first files knew less
    run(workspace, now=NOW + timedelta(days=1))
    assert list(problems(workspace, undisturbed[0])) == []
