"""The process that lands segments beside the server: until nobody holds its standard input any more."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Final

from connectors.collector.seal import Sealed, Sealer

LOOK_SECONDS: Final = 0.25


def serve(sealer: Sealer, say: Callable[[str], None], end: threading.Event) -> None:
    """Land what is complete, again and again; once ``end`` is set, until nothing is left.

    A segment that cannot land is left alone from then on: the next start tries it again.
    """
    stuck: set[str] = set()
    while True:
        ending = end.is_set()
        waiting = [path for path in sealer.waiting() if path.name not in stuck]
        for sealed in sealer.seal(waiting):
            say(told(sealed))
        stuck |= {path.name for path in waiting if path.exists()}
        if ending and not waiting:
            return
        if not waiting:
            end.wait(LOOK_SECONDS)


def told(sealed: Sealed) -> str:
    """Return what was landed as a line of JSON; no data of customers are in it."""
    sources = {
        name: {
            "landed": batch.landed,
            "duplicates": batch.duplicates,
            "quarantined": batch.quarantined,
            "suppressed": batch.suppressed,
        }
        for name, batch in sealed.batches.items()
    }
    return json.dumps({"segments": sealed.segments, "sources": sources, "problems": sealed.problems})


def end_of_input() -> threading.Event:
    """Return an event that is set when standard input is closed, be it by the death of who held it."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended
