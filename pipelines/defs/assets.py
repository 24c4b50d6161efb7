"""Dagster loads this folder; see :mod:`pipelines.graph`."""

from __future__ import annotations

import dagster as dg

from pipelines import graph


@dg.definitions
def assets() -> dg.Definitions:
    """Return this part of the graph."""
    return graph.asset_definitions()
