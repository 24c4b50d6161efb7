"""Which workspace Dagster works on when nobody names one on a command line."""

from __future__ import annotations

import os
from pathlib import Path

from cdp.lake import CONFIG_FILE

ENVIRONMENT = "CDP_WORKSPACE"
DAGSTER_FOLDER = ".dagster"
RATES = "rates.csv"
"""Exchange rates (date, currency, rate): units of the workspace's currency for one of another, from a date on."""


def folder() -> Path:
    """Return the folder of ``CDP_WORKSPACE``, else ``demo`` where it is a workspace, else the current one."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).resolve()
    demo = Path.cwd() / "demo"
    return demo if (demo / CONFIG_FILE).is_file() else Path.cwd()


def dagster_folder(workspace: Path) -> Path:
    """Return where a workspace keeps Dagster's own record of runs; it can be deleted at any time."""
    return workspace / DAGSTER_FOLDER
