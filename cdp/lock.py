"""Advisory locks that the kernel frees when their holder dies: of a workspace's writer, and of landing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cdp.errors import LockedError

LOCK_FILE = ".lock"
LANDING_LOCK_FILE = ".landing.lock"
COLLECTOR_LOCK_FILE = ".collector.lock"
READERS_LOCK_FILE = ".readers.lock"
_POLL_SECONDS = 0.2


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    try:
        held = json.loads(handle.read() or "{}")
    except ValueError:
        held = {}
    return f"process {held.get('pid', '?')}, run {held.get('run_id', '?')}"


@contextlib.contextmanager
def writer_lock(workspace: Path, *, run_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the workspace's writer lock, waiting up to ``wait_seconds`` for it.

    Raises :class:`LockedError`, naming the holder, when the time is over. The lock belongs to the
    open file: a holder that is killed frees it, whatever its file still says.
    """
    path = workspace / LOCK_FILE
    deadline = time.monotonic() + wait_seconds
    with path.open("a+", encoding="utf-8") as handle:
        while not _try(handle):
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"The workspace {workspace} is in use by {_holder(handle)}.",
                    hint="Wait for that run to end, or call again with --wait SECONDS.",
                )
            time.sleep(_POLL_SECONDS)
        handle.seek(0)
        handle.truncate()
        json.dump({"pid": os.getpid(), "run_id": run_id}, handle)
        handle.flush()
        try:
            yield
        finally:
            handle.seek(0)
            handle.truncate()


@contextlib.contextmanager
def landing_lock(workspace: Path) -> Iterator[None]:
    """Hold the lock of landing for the time of one batch, from its intent to its commit.

    A run and the collector land beside each other, batch by batch. Whoever holds this lock knows that a
    file in ``landing/`` which the ledger does not list belongs to nobody alive.
    """
    with (workspace / LANDING_LOCK_FILE).open("a+", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def collector_lock(workspace: Path) -> Iterator[bool]:
    """Try to be the one collector of a workspace: yield whether this process is it."""
    with (workspace / COLLECTOR_LOCK_FILE).open("a+", encoding="utf-8") as handle:
        yield _try(handle)


@contextlib.contextmanager
def reading(workspace: Path) -> Iterator[None]:
    """Read files for long: what a pack takes the place of meanwhile stays until this is over."""
    try:
        handle = (workspace / READERS_LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield  # a workspace in which this user changes nothing
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def nobody_reading(workspace: Path) -> Iterator[bool]:
    """Yield whether nobody reads for long right now; if so, whoever begins to waits until this is over."""
    with (workspace / READERS_LOCK_FILE).open("a+", encoding="utf-8") as handle:
        yield _try(handle)


def _try(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
