"""One export on demand, outside of a run: what the server calls for whoever presses the button.

It runs as a process of its own, `cdp export`: a release that the server has open cannot be opened in the
same process with other limits, and what an export needs of memory is not the server's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from cdp.errors import LockedError, NotFoundError, RunFailedError, UsageError
from warehouse.audiences.desk import Outcome

WAIT_SECONDS: Final = 10
_ERRORS: Final = {one.__name__: one for one in (LockedError, NotFoundError, UsageError)}


def run_export(workspace: Path, name: str, caller: str) -> Outcome:
    """Write or deliver the export ``name`` of cdp.yaml as it is now; ``caller`` stands in the share log.

    Raises :class:`cdp.errors.LockedError` where another run holds the workspace for longer than some seconds,
    and what else `cdp export` says.
    """
    command = [sys.executable, "-m", "cdp", "-w", str(workspace), "export", "--json", f"--caller={caller}"]
    command += [f"--wait={WAIT_SECONDS}", "--", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise RunFailedError(f"The export {name!r} failed.", hint="`cdp export` says why.") from None
    if "error" in told:
        kind = _ERRORS.get(told["error"], RunFailedError)
        raise kind(str(told["message"]), hint=told["hint"])
    return Outcome(**told)
