"""Pictures of every page, light and dark, and the page of docs/ that shows them.

``python -m tests.docs.screenshots [--demo DIR] [NAME]...`` opens each page of tests/docs/shots.py in the machine's
Chromium, and writes docs/screenshots/NAME-light.png and NAME-dark.png: most on a copy of the workspace that
`make demo` leaves (``--demo``, else demo/), those of one customer on the shop of tests/pages_world.py. Without names
it also writes docs/pages.md. Somebody looks at the pictures before they are committed; a test holds docs/pages.md
equal to the list and finds both pictures of each page.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.docs.shots import SEGMENTS, SHOTS, Shot
from tests.pages_tools import SCHEMES, Pages, Site, browsing, make_workspace, serve

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
FOLDER: Final = DOCS / "screenshots"
MOST_BYTES: Final = 200_000
_WIDTH, _HEIGHT = 1280, 860
_HEAD: Final = """# The pages

<!-- Made by `python -m tests.docs.screenshots` from its list; a test keeps the two equal. -->

What `cdp serve` shows, on made-up shops: mostly on the one of `make demo`. Every page follows the light or dark setting
of your system; the button at the lower left chooses another. Nothing on them comes from outside your machine.
"""


@contextlib.contextmanager
def _shop() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder, serve(make_workspace(Path(folder) / "shop").root) as site:
        yield site


@contextlib.contextmanager
def _demo(given: Path) -> Iterator[Site]:
    """Serve a copy of a demo workspace that has segments, so that the pages have something to show."""
    if not (given / "cdp.yaml").is_file():
        raise SystemExit(f"{given} is no workspace: run `make demo`, or say --demo DIR.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "demo"
        shutil.copytree(given, copy)
        for number, segment in enumerate(SEGMENTS):
            file = Path(folder) / f"segment-{number}.json"
            file.write_text(json.dumps(segment), encoding="utf-8")
            _run("segment", "save", str(file), "-w", str(copy))
        _run("publish", "-w", str(copy))
        with serve(copy, now=None) as site:
            yield site


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cdp", *arguments], check=True, stdout=subprocess.DEVNULL)


def main(names: Sequence[str], demo: Path) -> None:
    """Take the pictures of some pages, or of all."""
    wanted = [shot for shot in SHOTS if not names or shot.name in names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for of_demo, serving in ((False, _shop()), (True, _demo(demo))):
        shots = [shot for shot in wanted if shot.demo is of_demo]
        if shots:
            with serving as site, browsing(site) as pages:
                _take_all(pages, shots)
    if not names:
        (DOCS / "pages.md").write_text(document(), encoding="utf-8")


def _take_all(pages: Pages, shots: Sequence[Shot]) -> None:
    for shot in shots:
        for scheme in SCHEMES:
            _take(pages, shot, scheme)
    pages.assert_sound()


def _take(pages: Pages, shot: Shot, scheme: str) -> None:
    page = pages.open(shot.path, scopes=shot.scopes, scheme=scheme, width=_WIDTH, height=_HEIGHT)
    page.wait_for_load_state("networkidle")
    if shot.prepare is not None:
        shot.prepare(page)
    page.mouse.move(0, 0)
    path = FOLDER / f"{shot.name}-{scheme}.png"
    page.screenshot(path=path)
    page.context.close()
    size = path.stat().st_size
    sys.stderr.write(f"{path.name}: {size:,} bytes\n")
    assert size < MOST_BYTES, f"{path.name} is too large"


def document() -> str:
    """Return docs/pages.md."""
    parts = [_HEAD]
    for shot in SHOTS:
        light, dark = (f"screenshots/{shot.name}-{scheme}.png" for scheme in SCHEMES)
        parts.append(f"\n## {shot.title}\n\n{shot.about} [Dark]({dark}).\n\n![{shot.title}]({light})\n")
    return "".join(parts)


if __name__ == "__main__":
    reader = argparse.ArgumentParser()
    reader.add_argument("--demo", type=Path, default=DOCS.parent / "demo")
    reader.add_argument("names", nargs="*", choices=[[], *(shot.name for shot in SHOTS)])
    given = reader.parse_args()
    main(given.names, given.demo)
