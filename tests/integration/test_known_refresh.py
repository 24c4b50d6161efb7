"""What a lander knows from batch to batch: the same as listing all landed files each time, without doing so."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from cdp import durable
from cdp.duck import connect
from cdp.ledger import Ledger
from connectors.batch import Lander
from connectors.collector.seal import Sealer
from connectors.collector.wal import Request, Segment, recover
from connectors.duplicates import Known, landed_files
from connectors.registry import connector_for
from tests.landing_tools import Landing


class Crash(BaseException):
    """The process dies here."""


def event(number: int) -> bytes:
    call = {"type": "track", "event": "Seen", "messageId": f"m{number}", "anonymousId": "d1"}
    return json.dumps(call | {"timestamp": "2026-10-01T10:00:00Z"}).encode()


class Traffic:
    """Batches of a workspace's one source, of two collectors that keep what they know, and of runs."""

    def __init__(self, landing: Landing, stack: ExitStack) -> None:
        self.landing, self.moment = landing, 1_795_000_000_000_000
        self.sealers = [stack.enter_context(Sealer(landing.root, landing.settings)) for _ in range(2)]

    def collect(self, place: int, *numbers: int) -> None:
        self.moment += 1
        folder = self.landing.root / "landing" / "wal"
        segment = Segment(folder / f"{self.moment:017d}-aa.wal", ["web"])
        segment.append([Request(self.moment, "web", True, "track", event(number)) for number in numbers])
        segment.close()
        recover(folder)
        sealer = self.sealers[place]
        assert [sealed.problems for sealed in sealer.seal(sealer.waiting())] == [{}]

    def fail(self, place: int, *numbers: int) -> None:
        """Have a batch written and not committed, by a collector that then goes on."""

        def stop(step: str) -> None:
            if "batch landed" in step:
                raise Crash

        with durable.crash_hook(stop), pytest.raises(Crash):
            self.collect(place, *numbers)

    def file(self, number: int) -> None:
        self.landing.put(f"{number}-{self.moment}.jsonl", event(number))
        self.moment += 1
        self.landing.land()


def lander_of(sealer: Sealer, landing: Landing) -> Lander:
    return sealer._lander(landing.source)


def check_known(lander: Lander, landing: Landing) -> None:
    """Hold what a lander knows after a refresh against what is known from nothing."""
    lander.refresh()
    with landing.ledger() as ledger, connect() as connection:
        fresh = Known(landing.lake, landed_files(ledger, "web"), connection)
    assert lander.known._files == fresh._files
    assert list(lander.known._hashes) == list(fresh._hashes)
    for path, hashes in fresh._hashes.items():
        assert lander.known._hashes[path].to_pylist() == hashes.to_pylist(), path


@pytest.mark.parametrize("seed", range(4))
def test_refreshing_gives_what_listing_everything_gives(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    landing = Landing.of(tmp_path, path="inbox/web/*")
    with ExitStack() as stack:
        traffic = Traffic(landing, stack)
        steps: list[Callable[[], object]] = [
            lambda: traffic.collect(0, *chance.choices(range(40), k=3)),
            lambda: traffic.collect(1, *chance.choices(range(40), k=2)),
            lambda: traffic.fail(chance.randrange(2), *chance.choices(range(40), k=2)),
            lambda: traffic.file(chance.randrange(40)),
            landing.compact,
        ]
        for _ in range(25):
            chance.choices(steps, weights=[4, 4, 1, 3, 1])[0]()
            sealer = chance.choice(traffic.sealers)
            check_known(lander_of(sealer, landing), landing)
        landing.compact()
        for sealer in traffic.sealers:
            check_known(lander_of(sealer, landing), landing)


def test_a_file_that_cannot_be_read_is_not_taken_for_known(tmp_path: Path) -> None:
    landing = Landing.of(tmp_path, path="inbox/web/*")
    with landing.ledger() as ledger, connect() as connection:
        lander = Lander(landing.source, connector_for(landing.source), landing.lake, ledger, connection)
        for number in range(2):
            landing.put(f"{number}.jsonl", event(number))
            landing.land()
            path = landing.lake.path(landed_files(ledger, "web")[-1].path)
            aside = path.rename(path.with_suffix(".aside"))
            for _ in range(2):
                with pytest.raises(FileNotFoundError):
                    lander.refresh()
            aside.rename(path)
            check_known(lander, landing)


def steps_of(ledger: Ledger, act: Callable[[], None]) -> int:
    """Return how many steps SQLite's machine takes for something."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    ledger._connection.set_progress_handler(count, 1)
    act()
    ledger._connection.set_progress_handler(None, 1)
    return steps


def test_the_cost_of_refreshing_does_not_grow_with_what_has_landed(tmp_path: Path) -> None:
    landing = Landing.of(tmp_path)
    with ExitStack() as stack:
        traffic = Traffic(landing, stack)
        costs = []
        for number in range(1, 41):
            traffic.collect(0, number)
            if number % 20 == 0:
                lander = lander_of(traffic.sealers[0], landing)
                lander.refresh()
                costs.append(steps_of(lander.ledger, lander.refresh))
    assert costs[0] > 0
    assert costs[1] <= costs[0] + 5
