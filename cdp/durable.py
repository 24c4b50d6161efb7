"""The only primitives that change durable files: write, fsync, rename, fsync the folder.

Every step announces itself to a hook first, so that a test can end the process between any two
of them; in production there is no hook and the call costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"

_hook: Callable[[str], None] | None = None


@contextlib.contextmanager
def crash_hook(hook: Callable[[str], None]) -> Iterator[None]:
    """Call ``hook(step_name)`` before every durable step inside the block (for crash tests)."""
    global _hook  # noqa: PLW0603 - one process, one hook: it must reach every writer
    previous, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = previous


def step(name: str) -> None:
    """Announce a durable step; a crash test may never return from here."""
    if _hook is not None:
        _hook(name)


def fsync_directory(directory: Path) -> None:
    """Make the entries of ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create ``directory`` with its parents, durably."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    fsync_directory(directory.parent)


def _fsync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


@contextlib.contextmanager
def atomic_file(final: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``final``; on success it takes its place in one step.

    After the block the data are on disk before the name is, and the name is on disk before this
    returns. On an error the temporary file is removed and ``final`` is as it was.
    """
    make_directory(final.parent)
    temporary = final.with_name(final.name + TEMPORARY_SUFFIX)
    step(f"write {final.name}")
    try:
        yield temporary
        _fsync_file(temporary)
        step(f"rename {final.name}")
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(final.parent)
    step(f"renamed {final.name}")


def write_bytes(final: Path, data: bytes) -> None:
    """Write ``data`` to ``final`` atomically and durably."""
    with atomic_file(final) as temporary:
        temporary.write_bytes(data)


def create_bytes(final: Path, data: bytes) -> None:
    """Write ``data`` to ``final`` atomically and durably, unless it is there: then raises FileExistsError.

    Of two who create the same file at the same moment one succeeds.
    """
    make_directory(final.parent)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY_SUFFIX}")
    step(f"write {final.name}")
    try:
        temporary.write_bytes(data)
        _fsync_file(temporary)
        step(f"link {final.name}")
        os.link(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(final.parent)
    step(f"linked {final.name}")


@contextlib.contextmanager
def atomic_directory(final: Path) -> Iterator[Path]:
    """Like :func:`atomic_file`, for a folder of files that must appear whole or not at all."""
    make_directory(final.parent)
    temporary = final.with_name(final.name + TEMPORARY_SUFFIX)
    remove(temporary)
    temporary.mkdir()
    step(f"write {final.name}/")
    try:
        yield temporary
        for path in temporary.rglob("*"):
            fsync_directory(path) if path.is_dir() else _fsync_file(path)
        fsync_directory(temporary)
        step(f"rename {final.name}/")
        remove(final)
        temporary.rename(final)
    except BaseException:
        remove(temporary)
        raise
    fsync_directory(final.parent)
    step(f"renamed {final.name}/")


def remove(path: Path) -> None:
    """Remove a file or a whole folder; nothing there is fine."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
