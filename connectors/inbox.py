"""Input files of a source: which are new or have grown since they were last landed.

A file is known by its path below the workspace and a cursor of size and modification time. Files
are only ever read here. Hidden ones, and those still being written under a temporary name, wait.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TEMPORARY = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")


@dataclass(frozen=True)
class InboxFile:
    """An input file: ``origin`` as the ledger knows it, ``cursor`` as it stands now."""

    origin: str
    path: Path
    cursor: str
    size: int


@dataclass(frozen=True)
class Unreadable:
    """A file that is there but cannot be read; it is tried again with every run."""

    origin: str
    problem: str


def _matches(workspace: Path, pattern: str) -> Iterator[Path]:
    base = Path(pattern)
    if base.is_absolute():
        yield from Path(base.anchor).glob(str(base.relative_to(base.anchor)))
    else:
        yield from workspace.glob(pattern)


def _origin(workspace: Path, path: Path) -> str:
    return path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else path.as_posix()


def files(workspace: Path, patterns: Sequence[str], cursors: Mapping[str, str]) -> list[InboxFile]:
    """Return the files that match ``patterns`` and are not at their known cursor, by path."""
    found: dict[str, InboxFile] = {}
    for pattern in patterns:
        for path in _matches(workspace, pattern):
            if path.name.startswith(".") or path.name.endswith(TEMPORARY) or not path.is_file():
                continue
            status = path.stat()
            origin = _origin(workspace, path)
            cursor = f"{status.st_size}:{status.st_mtime_ns}"
            if cursors.get(origin) != cursor:
                found[origin] = InboxFile(origin, path, cursor, status.st_size)
    return [found[origin] for origin in sorted(found)]


def read(item: InboxFile) -> bytes | Unreadable:
    """Return the file's bytes, or why it cannot be read."""
    try:
        return item.path.read_bytes()
    except OSError as error:
        return Unreadable(item.origin, f"{type(error).__name__}: {error.strerror}")


def sha(data: bytes | mmap.mmap) -> str:
    """Return the SHA-256 of an item's bytes (``origin_file_sha`` of its envelopes)."""
    return hashlib.sha256(data).hexdigest()
