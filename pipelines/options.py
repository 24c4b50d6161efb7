"""What a run is asked to do beyond the new: do all again, or read the quarantine again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunOptions:
    """``full``: standardise, resolve and publish everything again; ``quarantined``: read quarantine again."""

    full: bool = False
    quarantined: bool = False
