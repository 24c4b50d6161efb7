"""Audiences over HTTP while everything fails and dies: the destination ends with the wanted audience."""

from __future__ import annotations

import random
import shutil

import pytest

from cdp import durable, suppression
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.crash_tools import tell_apart
from tests.delivery_tools import NAMES, PEOPLE, Crash, names_at, people, run, suppress, to
from tests.receiver_tools import Reply, receiving
from tests.warehouse_tools import publish_into
from warehouse.audiences.delivery import outbox_of
from warehouse.release import current


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 60))]
)
def test_however_it_fails_and_dies_the_destination_ends_with_the_wanted_audience(tmp_path, seed):
    """Each run meets random faults, and dies at a random durable step or send, over several releases."""
    chance = random.Random(seed)
    lake = Lake(tmp_path / "workspace")
    calm = [False]

    def fault(_server, _request):
        if calm[0] or chance.random() < 0.5:
            return None
        status = chance.choice([None, 429, 500, 503, 413])
        return Reply(status, applied=status != 413 and chance.random() < 0.5)

    def run_and_die():
        left = [chance.randrange(1, 30)]

        def hook(_name):
            left[0] -= 1
            if left[0] < 0:
                raise Crash

        try:
            with durable.crash_hook(hook):
                return run(lake, wanted)
        except Crash:
            return None

    with receiving(fault) as server:
        wanted = to(server, attempts=2, batch_rows=3)
        denied: set[str] = set()
        for number in range(3):
            names = {key: f"Person {chance.randrange(3)}" for key in NAMES if chance.random() < 0.8}
            denied |= {key for key in PEOPLE if chance.random() < 0.2}
            kept = {key: PEOPLE[key] for key in names} or {"crm:1": "C1"}
            publish_into(lake, people(tmp_path / f"{number}", names, kept, denied=sorted(denied & set(kept))))
            for _ in range(chance.randrange(1, 6)):
                run_and_die()
            if chance.random() < 0.5:
                suppress(lake, f"email:{chance.randrange(1, 8)}@mail.example")
        calm[0] = True
        with Ledger(lake.ledger_path) as ledger, ledger.transaction("again"):
            outbox_of(ledger, wanted).forget_rejections()
        report = run(lake, wanted)
        assert report.complete
        listed = suppressed_customers(lake)
        expected = {
            PEOPLE[key]: names.get(key) for key in kept if key not in denied and PEOPLE[key] not in listed
        }
        assert names_at(server) == expected
        assert report.rows == len(expected)


def suppressed_customers(lake):
    from warehouse.suppression import customers

    with Ledger(lake.ledger_path) as ledger, current(lake).open() as connection:
        return set(customers(connection, suppression.load(ledger))["customer_id"].to_pylist())


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_crash_at_any_step_ends_equal(tmp_path, every):
    """Every step in `make soak`; here those that leave different things on disk."""
    template = Lake(tmp_path / "template")
    publish_into(
        template, people(tmp_path / "a", {"crm:1": "A", "crm:2": "B"}, {"crm:1": "C1", "crm:2": "C2"})
    )
    steps: list[str] = []
    with receiving() as server, durable.crash_hook(steps.append):
        lake = Lake(shutil.copytree(template.root, tmp_path / "counted"))
        run(lake, to(server, batch_rows=1))
    assert {"send batch", "sent batch", "ledger delivery accepted commit"} <= set(steps)
    for place in range(len(steps)) if every else tell_apart(steps):
        lake = Lake(shutil.copytree(template.root, tmp_path / f"{place}"))
        left = [place]

        def hook(_name, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Crash

        with receiving() as server:
            wanted = to(server, batch_rows=1)
            with pytest.raises(Crash), durable.crash_hook(hook):
                run(lake, wanted)
            assert run(lake, wanted).complete
            assert names_at(server) == {"C1": "A", "C2": "B"}, steps[place]
            assert len(server.seen) == 2, steps[place]
