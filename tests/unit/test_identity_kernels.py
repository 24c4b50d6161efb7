"""Kernel files that use those of another file must change when that changes: numba's cache does not look there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import identity.kernels

FOLDER = Path(identity.kernels.__file__).parent
USERS = sorted(p.name for p in FOLDER.glob("*.py") if "from identity.kernels.strings import" in p.read_text())


@pytest.mark.parametrize("name", USERS)
def test_files_that_use_strings_carry_its_stamp(name):
    stamp = hashlib.sha256((FOLDER / "strings.py").read_bytes()).hexdigest()[:16]
    assert f'STRINGS = "{stamp}"' in (FOLDER / name).read_text(), f"set STRINGS to {stamp!r} in {name}"


def test_there_are_files_that_use_strings():
    assert {"levels.py", "names.py", "places.py"} <= set(USERS)
