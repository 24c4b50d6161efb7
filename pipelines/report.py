"""What a run did, for the summary at its end, for the ledger and for Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.landing import LandingReport
    from pipelines.stages.customers import CustomersReport
    from pipelines.stages.publish import PublishReport
    from pipelines.stages.resolve import ResolveReport
    from pipelines.stages.standardise import StandardiseReport
    from warehouse.audiences.delivery import DeliveryReport
    from warehouse.exports import ExportReport


@dataclass(frozen=True)
class StageTime:
    """How long a stage took, in seconds on the clock and of all CPUs."""

    stage: str
    source: str | None
    seconds: float
    cpu_seconds: float


@dataclass
class RunReport:
    """What the stages of one run did; a stage that had no part in it is absent (None)."""

    run_id: str
    nothing_new: bool = False
    landed: dict[str, LandingReport] = field(default_factory=dict)
    standardised: dict[str, StandardiseReport] = field(default_factory=dict)
    identity: ResolveReport | None = None
    customers: CustomersReport | None = None
    release: PublishReport | None = None
    exports: list[ExportReport] = field(default_factory=list)
    deliveries: list[DeliveryReport] = field(default_factory=list)
    times: list[StageTime] = field(default_factory=list)
    log: Path | None = None
    errors: dict[tuple[str, str | None], BaseException] = field(default_factory=dict)

    @property
    def error(self) -> BaseException | None:
        """The first error that stands (a stage that was tried again with success has none)."""
        return next(iter(self.errors.values()), None)

    @property
    def succeeded(self) -> bool:
        """Say whether no error stands."""
        return not self.errors

    @property
    def unreadable(self) -> int:
        """Input files that could not be read and wait for the next run."""
        return sum(len(report.unreadable) for report in self.landed.values())

    def summary(self) -> Mapping[str, int | str | bool]:
        """Return the counts that the ledger keeps of a run: no personal data."""
        found: dict[str, int | str | bool] = {
            "nothing_new": self.nothing_new,
            "landed": sum(report.landed for report in self.landed.values()),
            "events": sum(report.events for report in self.standardised.values()),
            "unreadable": self.unreadable,
        }
        if self.identity is not None:
            found |= {"records": self.identity.records, "customers": self.identity.customers}
        if self.release is not None:
            found["release"] = self.release.version
        return found
