"""Rules that no linter knows: size of files, breadth of exceptions, what no tracked file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cdp", "connectors", "identity", "warehouse", "pipelines")
MOST_LINES = 500
CODE = {".py", ".sql", ".sh", ".html", ".js", ".css"}
VENDORED = "static/vendor/"


def tracked() -> list[Path]:
    """Return the files of the repository that are there and hold text."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("this is no git checkout")
    paths = [ROOT / name for name in run.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield name and syntax tree of every module of the packages."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_no_file_of_code_is_longer_than_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix in CODE and VENDORED not in str(path)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_what_catches_every_exception_raises_it_again() -> None:
    broad = []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and not _raises_again(node):
                caught = "everything" if node.type is None else ast.unparse(node.type)
                if re.search(r"\b(everything|Exception|BaseException)\b", caught):
                    broad.append(f"{name}:{node.lineno} catches {caught}")
    assert broad == []


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_tracked_file_names_a_package_registry() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted", "npm" + "js", "jsdeli" + "vr", "un" + "pkg"]
    assert occurrences("|".join(map(re.escape, hosts))) == []


def test_no_tracked_file_holds_a_path_of_one_machine() -> None:
    roots = ["home", "root", "Users", "work"]
    inside = r"(?<![\w.<>{}\])~*:-])/(?:" + "|".join(roots) + r")/\w"
    assert occurrences(inside) == []
    temporary = r"(?<![\w.])/t" + r"mp/\w+"
    assert occurrences(temporary, under=PACKAGES) == []


def occurrences(pattern: str, under: tuple[str, ...] = ()) -> list[str]:
    """Return file and line of each match, but for sample data, which are verbatim."""
    wanted = re.compile(pattern)
    found = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if "/samples/" in name or "/data/" in name or (under and not name.startswith(under)):
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [
            f"{name}:{n}: {match[0]}" for n, line in enumerate(lines, 1) if (match := wanted.search(line))
        ]
    return found


def test_dagster_sends_no_telemetry() -> None:
    instance = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert instance["telemetry"] == {"enabled": False}


def test_every_package_and_module_says_what_it_is_for() -> None:
    silent = [name for name, tree in modules() if not ast.get_docstring(tree) and tree.body]
    assert silent == []
