"""Whether customers keep their records from one generation to the next."""

from __future__ import annotations

from typing import Final

from pipelines.checks.model import CheckResult
from pipelines.generations import Generation

NAME: Final = "customers_keep_their_records"
EXPECTED: Final = "few of the records that were known before change customer (identity.changed_alert)"


def ids_stay(generation: Generation, alert: float) -> CheckResult:
    """Compare the share of known records that changed customer with the alert threshold."""
    known, moved = generation.previous_records or 0, generation.moved_records or 0
    share = generation.changed_share
    note = None if share is None else f"{moved:,} of {known:,} records changed customer ({share:.2%})"
    expected = f"at most {alert:.2%} of the records known before change customer"
    return CheckResult(NAME, "warning", share is None or share <= alert, expected, known, moved, note)
