"""Events that a collector takes, and looks at them as `cdp tail` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import Settings
from pipelines.tail import Tail
from pipelines.tail_entries import Entry
from tests.collector_tools import CONFIG, Client, collecting, workspace_settings


def make_collected(root: Path) -> Path:
    """Make a workspace as a collector leaves it that has taken nothing yet."""
    (root / "cdp.yaml").write_text(CONFIG)
    Ledger(Lake(root).ledger_path).close()
    return root


def event(number: int, **more: Any) -> dict[str, Any]:
    """Return a tracking call; every other one has no id of its own."""
    own = {"messageId": f"m{number}"} if number % 2 else {}
    return {"type": "track", "event": f"Seen {number}", "userId": "u1"} | own | more


def names(entries: list[Entry]) -> list[int]:
    """Return the numbers of events in the order in which they are shown."""
    return [int(str(entry.subject).removeprefix("Seen ")) for entry in entries]


@contextmanager
def looking(
    root: Path, source: str = "web", chosen: Settings | None = None, **options: Any
) -> Iterator[Tail]:
    with Tail(root, chosen or workspace_settings(), source, **options) as tail:
        yield tail


def take(root: Path, *numbers: int, then: Callable[[], Any] | None = None, **more: Any) -> Any:
    """Have a collector take events one by one; call ``then`` while its segment is still open."""

    async def work(client: Client) -> Any:
        for number in numbers:
            assert (await client.track(event(number, **more), "/v1/track")).status == 200
        return then() if then else None

    ticks = iter(range(10_000))
    return collecting(root, work, clock=lambda: 1_795_000_000.0 + numbers[0] * 10 + next(ticks) / 1_000)
