"""What the README and the tutorial tell the reader to type works as it is printed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.docs.markdown import ROOT, Block
from tests.docs.shell import compare, environment, run_page

HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PEOPLE, EVENTS = "80", "900"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory, variables):
    """A folder with the workspace `demo`, as `make demo` leaves it, with fewer people."""
    folder = tmp_path_factory.mktemp("checkout")
    for command in (
        ["cdp", "init", "demo", "--demo", "--people", PEOPLE, "--events", EVENTS],
        ["cdp", "run", "-w", "demo"],
    ):
        program = shutil.which(command[0], path=variables["PATH"])
        subprocess.run([program, *command[1:]], cwd=folder, env=variables, check=True, capture_output=True)
    return folder


def test_the_commands_of_the_readme_work(demo, variables):
    assert run_page(ROOT / "README.md", demo, variables) >= 2


def test_the_tutorial_works_from_beginning_to_end(tmp_path, variables):
    assert run_page(ROOT / "docs" / "tutorial.md", tmp_path, variables) >= 8


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_the_commands_of_a_how_to_work_on_the_demo(page, demo, variables):
    assert run_page(page, demo, variables) >= 1


def test_a_line_that_was_not_printed_is_found_out():
    expected = Block("text", "source  landed\nweb …", 1)
    compare(ROOT / "README.md", expected, "source   landed\nweb 5 3\n")
    with pytest.raises(AssertionError, match="not printed"):
        compare(ROOT / "README.md", expected, "web 5 3\nsource   landed\n")
