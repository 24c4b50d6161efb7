"""What the project depends on: needed, locked, hashed, and from no named host."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PACKAGES = ("cdp", "connectors", "identity", "warehouse", "pipelines")
IMPORTED_BY_OTHERS = {
    "pytz": "DuckDB imports it to hand out TIMESTAMPTZ",
    "httptools": "uvicorn's protocol that ours extends is built on it",
    "uvloop": "uvicorn runs on it where it is asked to",
    "python-multipart": "FastAPI reads forms with it",
}
EXTRAS = PROJECT["optional-dependencies"].values()
ALL = [Requirement(text) for texts in [PROJECT["dependencies"], *EXTRAS] for text in texts]


def locked(name: str) -> list[str]:
    """Return the versions of a package in the lock (several where they depend on the Python)."""
    return re.findall(rf"^{re.escape(canonicalize_name(name))}==(\S+)", LOCK, re.MULTILINE)


@pytest.mark.parametrize("requirement", [r for r in ALL if r.name != "cdp"], ids=lambda r: r.name)
def test_the_lock_holds_a_version_that_satisfies_the_project(requirement: Requirement) -> None:
    versions = locked(requirement.name)
    assert versions, f"{requirement.name} is not in requirements.lock: make lock"
    assert all(requirement.specifier.contains(version) for version in versions)


def test_every_locked_package_has_hashes_and_there_is_no_host_in_the_lock() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.strip())
    assert len(entries) > 100
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_every_dependency_is_imported_by_the_code(text: str) -> None:
    name = canonicalize_name(Requirement(text).name)
    if name in IMPORTED_BY_OTHERS:
        return
    modules = [m for m, owners in packages_distributions().items() if name in map(canonicalize_name, owners)]
    wanted = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(map(re.escape, modules))})\b", re.MULTILINE)
    sources = (
        path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )
    assert modules, f"{name} is not installed: make setup"
    assert any(wanted.search(source) for source in sources)


def test_every_package_is_shipped_with_its_files() -> None:
    from setuptools import find_namespace_packages

    found = {
        name for package in PACKAGES for name in find_namespace_packages(str(ROOT), include=[f"{package}*"])
    }
    with_code = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {
        name for name in with_code if not (ROOT / name.replace(".", "/") / "__init__.py").exists()
    } == set()
    assert with_code <= found
