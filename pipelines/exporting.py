"""One export on demand, outside of a run: what the server calls for whoever presses the button."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.errors import CdpError
from cdp.runs import new_run_id
from pipelines.session import open_session
from pipelines.stages.export import configured, export_one

if TYPE_CHECKING:
    from warehouse.audiences.delivery import DeliveryReport
    from warehouse.exports import ExportReport

WAIT_SECONDS = 10.0


def run_export(workspace: Path, name: str, caller: str) -> ExportReport | DeliveryReport:
    """Write or deliver the export ``name`` of cdp.yaml as it is now; ``caller`` stands in the run's record.

    Raises :class:`cdp.errors.LockedError` where another run holds the workspace for longer than some seconds.
    """
    from cdp.settings import load
    from connectors.registry import names
    from warehouse.exports import choose

    settings = load(workspace, names())
    now = datetime.now(UTC)
    with open_session(
        workspace,
        settings,
        f"export {name} for {caller}",
        run_id=new_run_id(now, secrets.token_hex(2)),
        now=now,
        wait_seconds=WAIT_SECONDS,
    ) as session:
        try:
            return export_one(session, choose(name, configured(settings)), caller=caller)
        except CdpError as error:
            session.report.errors["export", name] = error
            raise
