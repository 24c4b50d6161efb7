"""docs/pages.md shows every page that is registered, and both pictures of each are there and small."""

from __future__ import annotations

from tests.docs.screenshots import DOCS, FOLDER, MOST_BYTES, document
from tests.docs.shots import SHOTS
from tests.pages_tools import SCHEMES

_PNG = b"\x89PNG\r\n\x1a\n"


def test_the_page_of_pictures_is_what_the_list_says() -> None:
    assert (DOCS / "pages.md").read_text(encoding="utf-8") == document()


def test_there_are_two_small_pictures_of_every_page_and_no_others() -> None:
    wanted = {f"{shot.name}-{scheme}.png" for shot in SHOTS for scheme in SCHEMES}
    found = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert found.keys() == wanted
    assert all(data.startswith(_PNG) and len(data) < MOST_BYTES for data in found.values())


def test_the_names_of_the_pictures_are_told_apart() -> None:
    assert len({shot.name for shot in SHOTS}) == len(SHOTS)
