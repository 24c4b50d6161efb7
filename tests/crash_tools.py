"""Crash images: what a process that is killed at a durable step leaves on disk."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp import durable
from cdp.lake import Lake
from tests.pipelines_tools import differences, ledger_rows, rows, run

NOT_STATE = ("logs", ".dagster", ".lock", ".landing.lock", ".collector.lock", ".readers.lock")


@dataclass(frozen=True)
class Image:
    """A copy of a workspace, taken just before a durable step (or after the last)."""

    number: int
    step: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.number}: {self.step}"


class Killed(BaseException):
    """The process is dead: no durable step happens any more."""


def tell_apart(steps: Sequence[str]) -> list[int]:
    """Return the places of the steps before which a crash leaves something else than before the step before.

    Nothing reaches the disk from a rename or a commit to the beginning of a transaction, and from there to
    its commit.

    >>> tell_apart(["rename a", "renamed a", "ledger a", "ledger a commit", "ledger a committed", "write b"])
    [0, 1, 4, 5]
    """
    places = []
    for place, step in enumerate(steps):
        before = steps[place - 1] if place else ""
        inside = step.startswith("ledger ") and not step.endswith(" committed")
        if not inside or not (before.startswith(("renamed ", "ledger ")) or not before):
            places.append(place)
    return places


def die_at(number: int, work: Callable[[], object]) -> bool:
    """Do ``work`` until its ``number``-th durable step; return whether it came that far."""
    steps = 0

    def on_step(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps >= number:
            raise Killed(name)

    with durable.crash_hook(on_step), contextlib.suppress(Killed):
        work()
    return steps >= number


def take_images(workspace: Path, into: Path, work: Callable[[], object]) -> tuple[list[Image], int]:
    """Do ``work`` on ``workspace``, copying it before every durable step and once at the end.

    Returns the images that differ from the one before, and the number of steps: where a step has not
    reached the disk yet, a crash before and after it leaves the same.
    """
    images: list[Image] = []
    seen: set[str] = set()
    steps: list[str] = []

    def on_step(name: str) -> None:
        steps.append(name)
        state = fingerprint(workspace)
        if state not in seen:
            seen.add(state)
            folder = into / f"{len(steps):03d}"
            shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns(*NOT_STATE))
            images.append(Image(len(steps), name, folder))

    with durable.crash_hook(on_step):
        work()
    on_step("the end")
    return images, len(steps) - 1


def kind(step: str) -> str:
    """Return a step's name without what differs from file to file and from run to run.

    >>> kind("renamed 000001-62a066a3-profiles-a07a6229/"), kind("rename 1bbe685291c6e928.parquet")
    ('renamed #-#-profiles-#/', 'rename #.parquet')
    """
    return re.sub(r"[0-9a-f]{6,}|\d+", "#", step)


def telling(images: Iterable[Image]) -> list[Image]:
    """Return one image of each kind that leaves another trouble behind.

    After every kind of commit; before every kind of commit, with the files in place that no ledger lists
    yet; and with one file and one folder half written. Left out are further files of the same kind,
    other temporary files, and steps before which nothing was written since the last commit.
    """
    chosen: dict[str, Image] = {}
    for image in images:
        name = kind(image.step)
        if name.startswith("rename "):
            name = f"rename a {'folder' if name.endswith('/') else 'file'}"
        if name.endswith(" committed") or name.startswith("rename"):
            chosen.setdefault(name, image)
    return list(chosen.values())


def fingerprint(workspace: Path) -> str:
    """Return a hash over all files that make the state of a workspace."""
    found = hashlib.sha256()
    for path in sorted(workspace.rglob("*")):
        name = path.relative_to(workspace).as_posix()
        if not name.startswith(NOT_STATE) and not name.endswith("-shm"):
            found.update(name.encode() + b"\x00")
            if path.is_file():
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def problems(workspace: Path, undisturbed: Path) -> Iterator[str]:
    """Yield what is wrong with a workspace that was recovered, held against one that nobody disturbed."""
    yield from differences(workspace, undisturbed)
    if not run(workspace).nothing_new:
        yield "a further run finds something to do"
    lake = Lake(workspace)
    listed = {row[0] for row in ledger_rows(workspace, "SELECT path FROM stored_files")}
    listed |= {row[0] for row in ledger_rows(workspace, "SELECT path FROM stored_events WHERE current")}
    listed |= {row[0] for row in ledger_rows(workspace, "SELECT path FROM retired")}
    stored = {
        path.relative_to(workspace).as_posix()
        for zone in ("landing", "events")
        for path in lake.path(zone).rglob("*")
        if path.is_file()
    }
    if stored != listed:
        yield f"{len(stored ^ listed)} files are listed and not there, or there and not listed"
    if leftovers := [path.name for path in workspace.rglob(f"*{durable.TEMPORARY_SUFFIX}")]:
        yield f"left behind: {leftovers}"
    if ledger_rows(workspace, "SELECT 1 FROM batches WHERE state = 'intent'"):
        yield "a batch is still only intended"
    released = rows(workspace, "SELECT record_key, customer_id FROM customer_records ORDER BY 1")
    if released != ledger_rows(workspace, "SELECT record_key, customer_id FROM id_map ORDER BY 1"):
        yield "the ledger's id map and the release's differ"
    pointer = (lake.exports / "feed" / "LATEST").read_text(encoding="utf-8").strip()
    current = (lake.releases / "CURRENT").read_text(encoding="utf-8").strip()
    if current not in pointer or not (lake.exports / "feed" / pointer / "manifest.json").is_file():
        yield f"LATEST says {pointer}, CURRENT says {current}"
