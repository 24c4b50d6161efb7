"""The command line: lazy, clear about mistakes, with the exit statuses of the contract."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cdp.cli import main as cli_main
from cdp.cli.main import COMMANDS, Context, cli, run
from cdp.errors import CdpError, ConfigError, LockedError


def cdp(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    root = Path(__file__).parents[2]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "HOME": str(cwd or root), **environment}
    return subprocess.run(
        [sys.executable, "-m", "cdp", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        check=False,
    )


def modules_loaded_by(arguments: Sequence[str]) -> set[str]:
    call = f"from cdp.cli.main import run; run({list(arguments)!r})"
    code = f"import sys; {call}; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_no_command_and_nothing_heavy() -> None:
    loaded = modules_loaded_by(["--help"])
    assert not loaded & {module for module, _ in COMMANDS.values()}
    third_party = {name.split(".")[0] for name in loaded} & {
        "pyarrow", "numpy", "pandas", "polars", "duckdb", "dagster", "great_expectations", "pydantic", "yaml",
        "rich", "sqlglot", "phonenumbers", "msgspec", "orjson", "connectors", "identity", "warehouse",
        "pipelines",
    }  # fmt: skip
    assert third_party == set()
    assert len(loaded) < 350


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_that_is_listed_exists_and_explains_itself(name: str) -> None:
    module, about = COMMANDS[name]
    assert isinstance(importlib.import_module(module).command, click.Command)
    assert about.endswith(".")
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "--workspace" in result.output


def test_commands_and_their_modules_are_the_same_set() -> None:
    folder = Path(cli_main.__file__).parent
    with_command = {
        f"cdp.cli.{path.stem}"
        for path in folder.glob("*.py")
        if "\ndef command(" in path.read_text(encoding="utf-8")
    }
    assert with_command == {module for module, _ in COMMANDS.values()}


def test_an_unknown_command_is_answered_with_the_nearest_and_status_2() -> None:
    done = cdp("inti")
    assert done.returncode == 2
    assert "There is no command 'inti'. Did you mean 'init'?" in done.stderr
    assert done.stdout == ""


def test_an_error_is_a_message_and_a_hint_without_traceback(tmp_path: Path) -> None:
    done = cdp("config", "check", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no cdp.yaml in .")
    assert "  Go to a workspace" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("arguments", "environment"), [(["--debug"], {}), ([], {"CDP_DEBUG": "1"})])
def test_debug_shows_the_traceback(tmp_path: Path, arguments: list[str], environment: dict[str, str]) -> None:
    done = cdp("config", "check", *arguments, cwd=tmp_path, **environment)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "ConfigError" in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CdpError("it failed"), 1),
        (LockedError("held by pid 1"), 1),
        (ConfigError("line 1: wrong"), 2),
        (click.BadParameter("wrong"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_statuses(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command("config")
    def failing() -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("cdp.cli.config"), "command", failing)
    assert run(["config"]) == status
    assert "Error" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["before", "after", "variable", "folder"])
def test_the_workspace_is_named_in_four_ways(tmp_path: Path, place: str) -> None:
    made = tmp_path / "shop"
    assert cdp("init", str(made)).returncode == 0
    done = {
        "before": lambda: cdp("-w", str(made), "config", "check", cwd=tmp_path),
        "after": lambda: cdp("config", "check", "-w", str(made), cwd=tmp_path),
        "variable": lambda: cdp("config", "check", cwd=tmp_path, CDP_WORKSPACE=str(made)),
        "folder": lambda: cdp("config", "check", cwd=made),
    }[place]()
    assert done.returncode == 0, done.stderr
    assert "no mistakes" in done.stdout
    assert "web: segment, inbox/web/**/*" in done.stdout


def test_the_option_nearest_to_the_command_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_WORKSPACE", "/from/the/variable")
    assert Context().workspace == Path("/from/the/variable")
    seen: list[Path] = []

    @click.command("config")
    @click.pass_obj
    def looking(context: Context) -> None:
        seen.append(context.workspace)

    monkeypatch.setattr(importlib.import_module("cdp.cli.config"), "command", looking)
    assert run(["-w", "a", "config", "-w", "b"]) == 0
    assert run(["-w", "a", "config"]) == 0
    assert seen == [Path("b"), Path("a")]


def test_init_makes_a_workspace_that_is_valid_and_prints_its_key_once(tmp_path: Path) -> None:
    first, second = cdp("init", str(tmp_path / "a")), cdp("init", str(tmp_path / "b"))
    assert first.returncode == second.returncode == 0
    key = first.stdout.split("CDP_WEB_KEY=")[1].split()[0]
    assert len(key) == 32
    assert key not in second.stdout
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"cdp.yaml", ".gitignore"}
    assert not any(key in path.read_text(encoding="utf-8") for path in files)
    assert cdp("config", "check", "-w", str(tmp_path / "a")).returncode == 0


def test_init_takes_a_write_key(tmp_path: Path) -> None:
    done = cdp("init", str(tmp_path / "a"), "--write-key", "a-key-of-my-own-0123")
    assert "CDP_WEB_KEY=a-key-of-my-own-0123\n" in done.stdout


def test_init_demo_makes_the_same_valid_workspace_every_time(tmp_path: Path) -> None:
    for name in "ab":
        done = cdp("init", str(tmp_path / name), "--demo", "--people", "60", "--events", "1200")
        assert done.returncode == 0, done.stderr
    a, b = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in "ab"
    )
    assert a == b
    assert Path("truth.parquet") in a
    checked = cdp("config", "check", "-w", str(tmp_path / "a"))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("prepare", "arguments", "says"),
    [
        ("file", [], "is not empty"),
        ("workspace", [], "is a workspace already"),
        ("plain", [], "is a file"),
        ("nothing", ["--write-key", "short"], "too short"),
        ("nothing", ["--demo", "--write-key", "a-key-of-my-own-0123"], "no write key"),
        ("nothing", ["--people", "5"], "go with --demo"),
    ],
)
def test_init_refuses_what_it_would_spoil(
    tmp_path: Path, prepare: str, arguments: list[str], says: str
) -> None:
    folder = tmp_path / "shop"
    if prepare == "plain":
        folder.write_text("x")
    elif prepare != "nothing":
        folder.mkdir()
        (folder / ("cdp.yaml" if prepare == "workspace" else "notes.txt")).write_text("x")
    before = sorted(tmp_path.rglob("*"))
    done = cdp("init", str(folder), *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_config_schema_prints_the_committed_files() -> None:
    reference = Path(__file__).parents[2] / "docs" / "reference"
    assert cdp("config", "schema").stdout == (reference / "cdp.schema.json").read_text(encoding="utf-8")
    assert cdp("config", "schema", "--page").stdout == (reference / "config.md").read_text(encoding="utf-8")


def test_a_reader_that_goes_away_is_no_error() -> None:
    root = Path(__file__).parents[2]
    pipe = f"{sys.executable} -m cdp config schema | head -c 10"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, cwd=root, check=False)
    assert (len(done.stdout), done.stderr) == (10, "")
