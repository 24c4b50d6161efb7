"""What a check is, and what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
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

    ``rows`` were looked at and ``failed`` of them did not meet it; ``note`` says what no count can.
    ``failing`` are positions in the table that was checked; only row checks give them.
    """

    check_name: str
    severity: Severity
    passed: bool
    expected: str
    rows: int = 0
    failed: int = 0
    note: str | None = None
    source: str | None = None
    failing: tuple[int, ...] = ()

    @property
    def blocks(self) -> bool:
        """Say whether nothing that comes after may go on."""
        return self.severity == "structure" and not self.passed

    @property
    def observed(self) -> str:
        """Say in a few words what was found."""
        counted = f"{self.failed} of {self.rows} fail" if self.failed else f"{self.rows} rows"
        return self.note or counted


def merge(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Add up the results of one check over several tables of one source."""
    merged: dict[tuple[str | None, str], CheckResult] = {}
    for result in results:
        key = (result.source, result.check_name)
        known = merged.get(key)
        merged[key] = (
            dataclasses.replace(
                result,
                passed=known.passed and result.passed,
                rows=known.rows + result.rows,
                failed=known.failed + result.failed,
                note=known.note or result.note,
                failing=(),
            )
            if known
            else dataclasses.replace(result, failing=())
        )
    return list(merged.values())
