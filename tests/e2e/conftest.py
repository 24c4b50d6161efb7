"""The served shop and a browser on it: see tests/pages_tools.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pages_tools import Pages, Site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the shop of tests/pages_world.py."""
    from tests.pages_tools import make_workspace, serve

    lake = make_workspace(tmp_path_factory.mktemp("shop"))
    with serve(lake.root) as served:
        yield served


@pytest.fixture(scope="module")
def pages(site: Site) -> Iterator[Pages]:
    """Run a browser on the shop. Of the module: while it runs, this thread has an event loop."""
    from tests.pages_tools import browsing

    with browsing(site) as found:
        yield found
        found.assert_sound()
