"""The map of the identity package names its files, all of them and no others."""

from __future__ import annotations

import re

import identity
from tests.docs.markdown import ROOT

FOLDER = ROOT / "identity"


def test_every_file_of_identity_is_on_the_map():
    named = re.findall(r"^    ([a-z_]+)(/?) +\S", identity.__doc__ or "", re.MULTILINE)
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert {name for name, folder in named if not folder} ^ files == set()
    assert len(named) == len(set(named))
    assert {name for name, folder in named if folder} ^ folders == set()


def test_every_file_of_kernels_is_on_the_map():
    lines = re.search(r"^    kernels/ +(.+(?:\n {21}.+)*)$", identity.__doc__ or "", re.MULTILINE)
    assert lines
    files = {path.stem for path in (FOLDER / "kernels").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"\w+", lines[1])) ^ files == set()
