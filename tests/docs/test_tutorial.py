"""What the tutorial tells the reader to type works as it is printed."""

from __future__ import annotations

import pytest

from tests.docs.markdown import ROOT
from tests.docs.shell import run_page

pytestmark = pytest.mark.slow


@pytest.mark.soak
def test_the_tutorial_works_from_beginning_to_end(tmp_path, variables):
    assert run_page(ROOT / "docs" / "tutorial.md", tmp_path, variables) >= 8
