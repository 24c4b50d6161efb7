"""Links and file names in the documentation lead somewhere."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT, anchors, links, pages, prose

_PAGES = pages()
# Things that are named like files of the project: docs/x.md, cdp/events.py, scripts/setup.
_NAMED = re.compile(
    r"`((?:cdp|connectors|identity|warehouse|pipelines|docs|tests|scripts|benchmarks|\.ci)/[\w./-]+|[\w-]+\.(?:lock|toml))`"
)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_heading(page):
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), f"{target}: neither a file nor https"
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target}: there is no such file"
        assert not anchor or anchor in anchors(file), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page):
    missing = [name for name in _NAMED.findall(prose(page)) if not list(ROOT.glob(name.rstrip("/")))]
    assert not missing


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = (target.partition("#")[0] for target in links(page) if not re.match(r"[a-z]+:", target))
        files = ((page.parent / name).resolve() for name in targets if name.endswith(".md"))
        waiting += [file for file in files if file.is_file()]
    assert not [str(page.relative_to(ROOT)) for page in _PAGES if page not in reached]
