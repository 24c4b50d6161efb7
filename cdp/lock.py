"""One writer per workspace: an advisory lock that the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cdp.errors import LockedError

LOCK_FILE = ".lock"
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
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockedError(
                        f"The workspace {workspace} is in use by {_holder(handle)}.",
                        hint="Wait for that run to end, or call again with --wait SECONDS.",
                    ) from None
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
