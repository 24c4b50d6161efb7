"""How good the clusters are: accuracy by a truth, signs without one, errors worth reading, the model report."""

from __future__ import annotations

MEMORY_LIMIT = "4GB"  # of the database that an evaluation computes in
