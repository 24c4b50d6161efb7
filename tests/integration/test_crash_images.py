"""A run that dies at any moment, and the next one: together equal to a run that nobody disturbed."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from cdp import durable
from tests.crash_tools import Image, die_at, problems, take_images, telling
from tests.pipelines_tools import (
    FILES,
    NOW,
    PEOPLE,
    add_files,
    call,
    differences,
    fit,
    ledger_rows,
    make_shop,
    run,
)

LATER = NOW + timedelta(days=1)
STAGES = (
    "batch intent",
    "batch landed",
    "events",
    "revisions",
    "identity",
    "profiles",
    "publish release",
    "export",
)
PLACES = ("landing", "events", "identity", "model", "profiles", "release", "CURRENT", "export", "LATEST")
MORE = {
    "inbox/web/3.jsonl": [call(30, 0), call(31, 2, "identify", traits={"email": PEOPLE[1][2]})],
    "inbox/orders/3.csv": [
        "order_no,order_time,customer_no,name,email,product,quantity,unit_price",
        "A2,2026-02-04 12:00,C2,Robert Baker,bob.baker@mail.example,Cushion,2,20.00",
    ],
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after a run that nobody disturbed; nobody changes it."""
    workspace = make_shop(tmp_path_factory.mktemp("undisturbed") / "shop")
    run(workspace)
    return workspace


def recover(folder: Path) -> None:
    """Run again, a day later, as whoever finds the run dead."""
    run(folder, now=LATER)


def recovered_badly(images: Iterable[Image], workspace: Path) -> dict[str, list[str]]:
    """Recover each image; return what is then wrong with it, held against the undisturbed workspace."""
    wrong = {}
    for image in images:
        recover(image.folder)
        if found := list(problems(image.folder, workspace)):
            wrong[str(image)] = found
    return wrong


def test_a_first_run_may_die_before_and_after_every_kind_of_durable_step(tmp_path: Path) -> None:
    """Here every fourth of the images of different kinds is recovered; every single one is by `make soak`."""
    workspace = make_shop(tmp_path / "shop")
    images, steps = take_images(workspace, tmp_path / "images", lambda: run(workspace))
    assert steps > 60
    assert len(images) > 30
    chosen = telling(images)
    committed = {image.step for image in chosen}
    assert {stage for stage in STAGES if f"ledger {stage} committed" not in committed} == set()
    assert len([image for image in chosen if image.step.startswith("renamed")]) == len(PLACES)
    assert recovered_badly(chosen[::4], workspace) == {}


@pytest.mark.soak
def test_an_increment_may_die_at_any_durable_step(tmp_path: Path) -> None:
    """Here every thirty-second image is recovered; every single one is by `make soak`."""
    workspace = make_shop(tmp_path / "shop")
    run(workspace)
    add_files(workspace, MORE)
    images, _ = take_images(workspace, tmp_path / "images", lambda: run(workspace, now=LATER))
    assert recovered_badly(images[2::32], workspace) == {}


@pytest.mark.soak
def test_a_replay_after_a_change_of_mapping_may_die_at_any_durable_step(tmp_path: Path) -> None:
    """Here every eighteenth image is recovered; every single one is by `make soak`."""
    workspace = make_shop(tmp_path / "shop")
    run(workspace)
    config = (workspace / "cdp.yaml").read_text(encoding="utf-8")
    repaired = config.replace('"quantity * unit_price"', "unit_price").replace(
        "product: product", "product: order_no"
    )
    (workspace / "cdp.yaml").write_text(repaired, encoding="utf-8")
    images, _ = take_images(workspace, tmp_path / "images", lambda: run(workspace, now=LATER))
    assert recovered_badly(images[1::18], workspace) == {}


def test_a_run_may_die_again_and_again(tmp_path: Path, undisturbed: Path) -> None:
    """Each run gets a little further than the one before."""
    workspace = make_shop(tmp_path / "shop")
    deaths = 0
    while die_at(16, partial(run, workspace, now=NOW + timedelta(hours=deaths))):
        deaths += 1
        assert deaths < 40
    assert deaths > 3
    assert list(problems(workspace, undisturbed)) == []


@pytest.mark.parametrize("where", ["write", "rename", "ledger identity"])
def test_a_full_disk_fails_the_run_and_the_next_one_goes_on(
    tmp_path: Path, undisturbed: Path, where: str
) -> None:
    workspace = make_shop(tmp_path / "shop")

    def full(step: str) -> None:
        if step.startswith(where) and "run" not in step:
            raise OSError(errno.ENOSPC, "No space left on device")

    with durable.crash_hook(full), pytest.raises(OSError, match="No space left"):
        run(workspace)
    assert ledger_rows(workspace, "SELECT status FROM runs") == [("failed",)]
    assert not list(workspace.rglob(f"*{durable.TEMPORARY_SUFFIX}"))
    run(workspace, now=LATER)
    assert list(problems(workspace, undisturbed)) == []


@pytest.mark.soak
def test_the_order_in_which_files_land_does_not_matter(tmp_path: Path, undisturbed: Path) -> None:
    """Here the files come last first, each in a run of its own; `make soak` tries many orders and groups."""
    workspace = make_shop(tmp_path / "shop", files={})
    for name in reversed(FILES):
        add_files(workspace, {name: FILES[name]})
        run(workspace)
    # Customers depend on the records and the model; one that was made from the first file knew less.
    fit(workspace, use=True)
    run(workspace, now=LATER)
    assert differences(workspace, undisturbed) == []
