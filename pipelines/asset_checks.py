"""Checks of whole tables as Dagster asset checks; what they ask is in :mod:`pipelines.checks.tables`."""

# No postponed annotations here: Dagster reads the type of ``context`` as it stands.
from collections.abc import Iterator

import dagster as dg

from pipelines.assets import SESSION
from pipelines.checks import stability
from pipelines.checks.tables import IDENTITY_CHECKS
from pipelines.session import Session
from pipelines.stages import check

_IDENTITY = dg.AssetKey("identity")


def table_checks() -> dg.AssetChecksDefinition:
    """Return the checks of identity; a structural one that fails stops what comes after."""

    @dg.multi_asset_check(
        name="identity_checks",
        specs=[
            dg.AssetCheckSpec(
                one.name, asset=_IDENTITY, description=one.expected, blocking=one.severity == "structure"
            )
            for one in IDENTITY_CHECKS
        ]
        + [
            dg.AssetCheckSpec(stability.NAME, asset=_IDENTITY, description=stability.EXPECTED, blocking=False)
        ],
        required_resource_keys={SESSION},
    )
    def identity_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        session: Session = context.resources.session()
        for result in check.identity(session):
            severe = result.severity == "structure"
            yield dg.AssetCheckResult(
                asset_key=_IDENTITY,
                check_name=result.check_name,
                passed=result.passed,
                severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
                description=result.observed,
                metadata={"rows": result.rows, "violations": result.failed, "expected": result.expected},
            )

    return identity_checks
