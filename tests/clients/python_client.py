"""Sends calls through a client for Python, whose module is the argument.

{url, key, options, calls} come on standard input; ids of messages and failures go to standard output.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from datetime import datetime
from typing import Any

_CAPITAL = re.compile(r"(?=[A-Z])")


def _revived(found: dict[str, Any]) -> Any:
    """Return a time for ``{"$date": "2026-..."}``, anything else as it is."""
    return datetime.fromisoformat(found["$date"]) if "$date" in found else found


def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def play(module: str) -> None:
    """Send what is asked for."""
    asked = json.load(sys.stdin, object_hook=_revived)
    failures: list[str] = []
    client = importlib.import_module(module).Client(
        asked["key"],
        host=asked["url"],
        on_error=lambda error, _: failures.append(str(error)),
        **asked["options"],
    )
    ids = []
    for call in asked["calls"]:
        message = {_snake(name): value for name, value in call.items() if name != "call"}
        ids.append(getattr(client, call["call"])(**message)[1]["messageId"])
    client.flush()
    client.join()
    json.dump({"ids": ids, "failures": failures}, sys.stdout)


if __name__ == "__main__":
    play(sys.argv[1])
