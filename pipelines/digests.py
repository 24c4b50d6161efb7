"""Input digests: what a stage's result depends on, so that equal inputs are not worked through twice."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cdp.errors import CdpError

_CODE_SUFFIXES = {".py", ".sql", ".html", ".json"}


def digest(*parts: object) -> str:
    """Return a hash over plain values and frozen objects that print themselves fully (settings).

    >>> digest(1, "a") == digest(1, "a"), digest(1, "a") == digest("a", 1)
    (True, False)
    """
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def code(*packages: str) -> str:
    """Return a hash over the sources of ``packages``, without importing them: new code is a change, too."""
    found = hashlib.sha256()
    for package in packages:
        for path in sorted(_sources(package)):
            found.update(path.name.encode() + b"\x00" + path.read_bytes())
    return found.hexdigest()[:16]


def _sources(package: str) -> Sequence[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise CdpError(f"The package {package} is not installed.", hint="Install cdp again.")
    if spec.submodule_search_locations is None:
        return [Path(str(spec.origin))]
    return [
        path
        for location in spec.submodule_search_locations
        for path in Path(location).rglob("*")
        if path.suffix in _CODE_SUFFIXES
    ]


def rows_digest(rows: Sequence[Sequence[Any]]) -> str:
    """Return a hash over query rows in their order."""
    found = hashlib.sha256()
    for row in rows:
        found.update(repr(tuple(row)).encode())
    return found.hexdigest()[:32]
