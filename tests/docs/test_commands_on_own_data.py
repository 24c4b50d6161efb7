"""How-tos that bring their own files, or that any workspace serves, work as they are printed."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import thinned
from tests.docs.markdown import HOW_TO, NEED_NO_DEMO
from tests.docs.shell import environment, run_page
from tests.pipelines_tools import copy, make_shop, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A workspace of two sources, after a run. Nobody changes it."""
    workspace = make_shop(tmp_path_factory.mktemp("small") / "shop")
    run(workspace)
    return workspace


@pytest.mark.parametrize("name", thinned(NEED_NO_DEMO, "land-files".__eq__))
def test_the_commands_of_a_how_to_work(name, small, tmp_path, variables):
    copy(small, tmp_path / "demo")
    assert run_page(HOW_TO / f"{name}.md", tmp_path, variables) >= 1


@pytest.mark.parametrize(
    "typed",
    ["cdp sql 'SELECT 1 AS one' -w demo", "cdp sql nonsense -w demo", "cdp nonsense", "cdp -w gone doctor"],
)
def test_a_warm_process_prints_and_ends_as_one_of_its_own(typed, small, tmp_path, variables):
    copy(small, tmp_path / "demo")
    cold = environment(tmp_path)
    one, other = (
        subprocess.run(["bash", "-c", typed], cwd=tmp_path, env=env, capture_output=True, check=False)
        for env in (variables, cold)
    )
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
    assert one.stdout + one.stderr
