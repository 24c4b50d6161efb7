"""What the README and the how-tos tell the reader to type on the demo works as it is printed.

The README is run by processes of their own, as a reader would; the how-tos by warm ones (:mod:`tests.docs.warm`).
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.docs.markdown import HOW_TO, NEED_A_COLLECTOR, NEED_A_SERVER, NEED_NO_DEMO, ROOT, Block
from tests.docs.shell import compare, environment, run_page

ON_THE_DEMO = [
    page
    for page in sorted(HOW_TO.glob("*.md"))
    if page.stem not in (*NEED_NO_DEMO, *NEED_A_COLLECTOR, *NEED_A_SERVER)
]
PEOPLE, EVENTS = "80", "900"

pytestmark = pytest.mark.slow


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


def test_the_commands_of_the_readme_work(demo, tmp_path_factory):
    cold = environment(tmp_path_factory.mktemp("programs"))
    assert run_page(ROOT / "README.md", demo, cold) >= 2


@pytest.mark.parametrize("page", ON_THE_DEMO, ids=lambda page: page.stem)
def test_the_commands_of_a_how_to_work_on_the_demo(page, demo, variables):
    assert run_page(page, demo, variables) >= 1


def test_a_line_that_was_not_printed_is_found_out():
    expected = Block("text", "source  landed\nweb …", 1)
    compare(ROOT / "README.md", expected, "source   landed\nweb 5 3\n")
    with pytest.raises(AssertionError, match="not printed"):
        compare(ROOT / "README.md", expected, "web 5 3\nsource   landed\n")
