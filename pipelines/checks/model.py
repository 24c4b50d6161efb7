"""What a check is, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["structure", "row", "warning"]
"""structure: the table cannot be used, the stage stops; row: the failing rows are quarantined;
warning: reported, nothing else happens."""


@dataclass(frozen=True)
class Expectation:
    """One expectation on a column of the events: a Great Expectations type and its arguments.

    ``needs`` are the columns that it reads. An expectation on a column without any value holds
    and is not run, unless ``on_empty`` says that emptiness is what it looks for.
    """

    name: str
    severity: Severity
    type: str
    needs: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    on_empty: bool = False
    expected: str = ""


@dataclass(frozen=True)
class CheckResult:
    """What one check found in one source (None: in the whole workspace).

    ``failing`` are positions in the table that was checked; only row checks give them.
    """

    check_name: str
    severity: Severity
    passed: bool
    observed: str
    expected: str
    source: str | None = None
    failing: Sequence[int] = ()

    @property
    def blocks(self) -> bool:
        return self.severity == "structure" and not self.passed
