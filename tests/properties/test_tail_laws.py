"""Laws of following a source: every event is shown once and in order, wherever landing and looks fall."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.seal import Sealer
from tests.collector_tools import Client, collecting, seal, workspace_settings
from tests.conftest import examples
from tests.tail_tools import event, looking, make_collected, names

if TYPE_CHECKING:
    import pytest


def land(root: Path) -> None:
    """Land what is complete, beside a collector."""
    with Sealer(root, workspace_settings()) as sealer:
        list(sealer.seal(sealer.waiting()))


steps = st.lists(st.sampled_from(["take", "seal", "look", "rotate"]), min_size=1, max_size=14)


@examples(6)
@given(steps)
def test_whatever_happens_in_whatever_order_every_event_is_shown_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str]
) -> None:
    root = make_collected(tmp_path_factory.mktemp("order"))
    shown: list[int] = []
    count = 0
    with looking(root) as tail:
        tail.last(0)

        async def work(client: Client) -> None:
            nonlocal count
            for step in rest:
                if step == "rotate":
                    return
                if step == "take":
                    count += 1
                    assert (await client.track(event(count), "/v1/track")).status == 200
                elif step == "look":
                    shown.extend(names(tail.new().entries))
                elif step == "seal":
                    await asyncio.to_thread(land, root)

        rest = iter([*plan, "rotate", "seal"])
        ticks = iter(range(10_000))
        for _ in range(plan.count("rotate") + 1):
            collecting(root, work, clock=lambda: 1_795_000_000.0 + next(ticks))
        shown.extend(names(tail.new().entries))
        seal(root)
        shown.extend(names(tail.new().entries))
    assert shown == list(range(1, count + 1))
