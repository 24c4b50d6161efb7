"""Runs the commands of a page as a reader would type them, and compares what they print.

``sh`` blocks are run in order, in one folder, each by ``bash -e``; ``sh skip`` blocks are not (they make the
environment, or never end). A ``text`` block right behind a command is what it prints: each of its lines must
come in the output, in their order; runs of blanks count as one, ``…`` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.docs.markdown import ROOT, Block, blocks

SECONDS = 120
WARM = Path(__file__).with_name("warm.py")


def environment(folder: Path, warm: Path | None = None) -> dict[str, str]:
    """Return an environment in which `cdp` is this checkout's, whatever is installed.

    With ``warm``, the socket of :mod:`tests.docs.warm`, a call is a fork of a process that has the heavy
    libraries already; without, it is a process of its own.
    """
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    python = f'"{sys.executable}"'
    calls = {
        "cdp": f"{python} -m cdp" if warm is None else f'{python} -I -S "{WARM}" call "{warm}"',
        "python": python,
    }
    for name, call in calls.items():
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    quiet = {"DAGSTER_DISABLE_TELEMETRY": "1", "GX_ANALYTICS_ENABLED": "false"}
    return {**kept, **quiet, "PYTHONPATH": str(ROOT), "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"}


def run_page(
    page: Path, folder: Path, variables: dict[str, str], reach: Callable[[Block], None] | None = None
) -> int:
    """Run a page's commands in ``folder``; return how many blocks were run. Raises AssertionError.

    ``reach`` is called with each block when it is reached, also with those that are not run.
    """
    done, output, before = 0, "", ""
    for block in blocks(page):
        if reach is not None:
            reach(block)
        if block.info == "sh":
            output = _run(page, block, folder, variables)
            done += 1
        elif block.info == "text" and block.adjacent and before == "sh":
            compare(page, block, output)
        before = block.info
    return done


def _run(page: Path, block: Block, folder: Path, variables: dict[str, str]) -> str:
    finished = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block.text],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    where = f"{page.relative_to(ROOT)}, line {block.line}"
    assert finished.returncode == 0, (
        f"{where}: exit status {finished.returncode}\n{block.text}\n{finished.stdout}"
    )
    return finished.stdout


def compare(page: Path, block: Block, output: str) -> None:
    """Hold the lines of a ``text`` block against what was printed. Raises AssertionError."""
    printed = [_plain(line) for line in output.splitlines()]
    at = 0
    for line in filter(None, map(_plain, block.text.splitlines())):
        if line == "…":
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        place = next((n for n in range(at, len(printed)) if pattern.fullmatch(printed[n])), None)
        assert place is not None, (
            f"{page.relative_to(ROOT)}, line {block.line}: this line was not printed (or earlier):\n"
            f"  {line}\nPrinted was:\n{output}"
        )
        at = place + 1


def _plain(line: str) -> str:
    return " ".join(line.split())
