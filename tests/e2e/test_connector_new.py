"""`cdp connector new` in a checkout: what it writes passes at once, and nothing is overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("cdp", "connectors", "tests", "docs", "pyproject.toml")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, as far as connectors need it."""
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, copy / part)
    return copy


def ran(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def new(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(checkout, "-m", "cdp", "connector", "new", *arguments)


@pytest.mark.soak
def test_what_it_writes_passes_at_once(checkout: Path) -> None:
    made = new(checkout, "bookings", "--channel", "store")
    assert made.returncode == 0, made.stderr
    assert "connectors/bookings.py" in made.stdout
    assert '    "bookings": "connectors.bookings",\n}\n' in (checkout / "connectors/registry.py").read_text()
    own = ran(
        checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_connectors_bookings.py"
    )
    assert own.returncode == 0, own.stdout
    laws = ("tests/unit/test_connectors_laws.py", "-k", "bookings")
    held = ran(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *laws)
    assert held.returncode == 0, held.stdout
    documented = "tests/docs/test_reference.py::test_every_connector_is_in_the_reference"
    assert ran(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", documented).returncode == 0
    linted = ran(
        checkout, "-m", "ruff", "check", "connectors/bookings.py", "tests/unit/test_connectors_bookings.py"
    )
    assert linted.returncode == 0, linted.stdout
    again = new(checkout, "bookings")
    assert (again.returncode, "There is a connector 'bookings' already" in again.stderr) == (2, True)


@pytest.mark.parametrize("name", ["Bookings", "1st", "a", "class", "../evil", "a-b", "ä"])
def test_what_is_no_name_is_refused(checkout: Path, name: str) -> None:
    refused = new(checkout, "--", name)
    assert (refused.returncode, "is no name of a connector" in refused.stderr) == (2, True), refused.stderr


@pytest.mark.parametrize(
    "name", ["segment", "landing", "collector", "laws"]
)  # the last has a test, no module
def test_nothing_that_is_there_is_overwritten(checkout: Path, name: str) -> None:
    test = checkout / "tests/unit/test_connectors_laws.py"
    before = test.read_bytes()
    refused = new(checkout, name)
    assert (refused.returncode, "already" in refused.stderr) == (2, True), refused.stderr
    assert test.read_bytes() == before


def test_outside_of_a_checkout_it_says_what_is_missing(checkout: Path, tmp_path: Path) -> None:
    for part in ("cdp", "connectors"):
        shutil.copytree(checkout / part, tmp_path / part)
    refused = new(tmp_path, "bookings2")
    assert (refused.returncode, "no checkout of its source" in refused.stderr) == (2, True), refused.stderr
