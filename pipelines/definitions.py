"""The entry point of `dg dev`, `dg check defs` and `dg launch`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of the workspace in use (see :mod:`pipelines.workspace`)."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
