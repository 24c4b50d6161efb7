"""Who may import whom; and that starting the command line stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cdp.cli.main import COMMANDS
from connectors.registry import CONNECTORS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "dagster",
    "great_expectations",
    "pyarrow",
    "pandas",
    "numpy",
    "polars",
    "duckdb",
    "sqlglot",
    "rapidfuzz",
)


def test_the_import_contracts_of_pyproject_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def imported_by(module: str) -> set[str]:
    """Return what a module imports directly, anywhere in it."""
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.exists():
        path = ROOT / module.replace(".", "/") / "__init__.py"
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("module", sorted(set(CONNECTORS.values())))
def test_connectors_do_not_import_each_other(module: str) -> None:
    assert imported_by(module) & (set(CONNECTORS.values()) - {module}) == set()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_imports_nothing_heavy_before_it_runs(name: str) -> None:
    code = f"import sys, {COMMANDS[name][0]}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(set(run.stdout.split()) & set(HEAVY)) == []
