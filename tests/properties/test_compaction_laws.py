"""Laws of compaction: at any point of any sequence of landings and runs it changes nothing but files."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines import compaction, runner
from tests.conftest import examples
from tests.crash_tools import die_at
from tests.landing_tools import NOW, Landing
from tests.pipelines_tools import (
    ORDER_HEAD,
    add_files,
    call,
    differences,
    ledger_rows,
    make_shop,
    run,
    settings_of,
)

few = examples(1)

Step = tuple[str, Any]
TWO_FILES = 20_000
"""A limit of packs, in bytes, that two or three files of these tests reach."""

_calls = st.builds(
    lambda number, event, user: json.dumps(
        {
            "type": "track",
            "event": event,
            "messageId": f"m{number}",
            "userId": user,
            "timestamp": "2026-10-01",
        }
    ),
    st.integers(0, 9),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["u1", "u2", ""]),
)
_bad = st.sampled_from(['{"type":"track"', "nonsense", '{"type":"odd","messageId":"x"}'])
_lines = st.lists(st.one_of(_calls, _calls, _calls, _bad), min_size=1, max_size=5)
_land = st.tuples(st.just("land"), _lines)
_steps = st.lists(
    st.one_of(
        _land,
        _land,
        _land,
        st.tuples(st.just("standardise"), st.none()),
        st.tuples(st.just("replay"), st.none()),
        st.tuples(st.just("zone"), st.sampled_from(["UTC", "Asia/Tokyo", "America/Lima"])),
        st.tuples(st.just("die"), st.integers(1, 12)),
        st.tuples(st.just("compact"), st.none()),
        st.tuples(st.just("compact"), st.just(TWO_FILES)),
    ),
    min_size=4,
    max_size=14,
)


def play(web: Landing, steps: list[Step], *, compacting: bool) -> None:
    """Do the steps, and standardise what is left; ``die``: a standardising that is killed at a durable step."""
    for number, (step, value) in enumerate([*steps, ("standardise", None)]):
        if step == "land":
            web.put(f"{number:03}.ndjson", "\n".join(value))
            web.land(NOW + timedelta(minutes=number))
        elif step == "standardise":
            web.standardise()
        elif step == "replay":
            web.replay()
        elif step == "zone":
            web.source = web.source.model_copy(update={"timezone": value})
        elif step == "die":
            die_at(value, web.standardise)
        elif compacting:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compaction, "PACK_BYTES", value or compaction.PACK_BYTES)
                web.compact()


def told(web: Landing) -> dict[str, Any]:
    """Return all that a workspace says, with the places of its envelopes."""
    with web.ledger() as ledger:
        outcomes = [tuple(row) for row in ledger.rows("SELECT * FROM outcomes ORDER BY outcome_id")]
        revisions = [tuple(row) for row in ledger.rows("SELECT * FROM revisions ORDER BY 1, 2, 3, 4")]
        events = [
            tuple(row)
            for row in ledger.rows(
                "SELECT file_id, mapping_hash, envelopes, events, current FROM event_files"
            )
        ]
    return {
        "events": web.events().to_pylist(),
        "counts": web.counts(),
        "payloads": web.landed_payloads(),
        "outcomes": outcomes,
        "revisions": revisions,
        "event files": sorted(events),
    }


def one(number: int, event: str = "a") -> str:
    made = {
        "type": "track",
        "event": event,
        "messageId": f"m{number}",
        "userId": "u1",
        "timestamp": "2026-10-01",
    }
    return json.dumps(made)


COMPACT: Step = ("compact", None)
STANDARDISE: Step = ("standardise", None)
# Versions of ids in packs, and in packs that went into packs, each after the first file of its pack.
REVISED: list[Step] = [
    ("land", [one(1), one(2), "nonsense"]),
    ("land", [one(3), one(4)]),
    STANDARDISE,
    COMPACT,
    ("land", [one(5), one(4, "b"), '{"type":"track"']),
    COMPACT,
    ("land", [one(6), one(5), one(5, "b"), one(3, "b")]),
    STANDARDISE,
    COMPACT,
    ("zone", "Asia/Tokyo"),
    ("replay", None),
]
# Packs of two files that become one.
PACKS: list[Step] = [
    *(("land", [one(number), one(number + 10)]) for number in range(6)),
    STANDARDISE,
    ("compact", TWO_FILES),
    COMPACT,
    ("land", [one(number + 10, "b") for number in range(6)]),
    ("zone", "Asia/Tokyo"),
]
# A standardising that dies when it has made one file of a pack again.
HALF_DONE: list[Step] = [
    *(("land", [one(number)]) for number in range(4)),
    STANDARDISE,
    COMPACT,
    ("zone", "Asia/Tokyo"),
    ("die", 6),
    COMPACT,
    ("die", 6),
]


@pytest.mark.soak
@given(steps=_steps, policy=st.sampled_from(["latest", "first", "quarantine"]))
@example(steps=REVISED, policy="latest")
@example(steps=REVISED, policy="first")
@example(steps=PACKS, policy="latest")
@example(steps=HALF_DONE, policy="latest")
@few
def test_compaction_at_any_point_changes_no_event_and_no_account(steps: list[Step], policy: str) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        packed, plain = (Landing.of(Path(folder), on_revision=policy) for folder in (one, other))
        play(packed, [*steps, ("compact", None)], compacting=True)
        play(plain, [*steps, ("compact", None)], compacting=False)
        expected = told(plain)
        for name, found in told(packed).items():
            assert found == expected[name], name
        assert all(batch.holds and batch.pending == 0 for batch in packed.counts())
        packed.compact()
        with packed.ledger() as ledger:
            alone = "SELECT zone, count(DISTINCT path) AS n FROM stored_files GROUP BY zone, ingest_date"
            assert {row["n"] for row in ledger.rows(alone)} <= {1}


_orders = st.builds(
    lambda number, customer, product: (
        f"A{number},2026-02-{number + 1:02d} 12:00,C{customer},Ann {customer},p{customer}@mail.example,{product},1,3.00"
    ),
    st.integers(0, 5),
    st.integers(1, 3),
    st.sampled_from(["Lamp", "Bulb", ""]),
)
_web = st.builds(call, st.integers(0, 9), st.integers(0, 2), st.sampled_from(["track", "identify", "dance"]))
_shop_steps = st.lists(
    st.one_of(
        st.tuples(st.just("web"), st.lists(_web, min_size=1, max_size=4)),
        st.tuples(st.just("orders"), st.lists(_orders, min_size=1, max_size=4)),
        st.tuples(st.just("run"), st.none()),
        st.tuples(st.just("full"), st.none()),
        st.tuples(st.just("compact"), st.none()),
    ),
    min_size=5,
    max_size=9,
)


def trade(shop: Path, steps: list[Step], *, compacting: bool) -> None:
    for number, (step, value) in enumerate([*steps, ("run", None)]):
        now = NOW + timedelta(hours=2 * number)  # longer than what was retired stays
        if step == "web":
            add_files(shop, {f"inbox/web/{number}.jsonl": value})
            run(shop, "land", now=now)
        elif step == "orders":
            add_files(shop, {f"inbox/orders/{number}.csv": [ORDER_HEAD, *value]})
            run(shop, "land", now=now)
        elif step in ("run", "full"):
            run(shop, now=now, full=step == "full")
        elif compacting:
            runner.compact(shop, settings_of(shop), now=now)


@given(steps=_shop_steps)
@examples(1)
def test_compaction_at_any_point_changes_no_table_of_the_release(steps: list[Step]) -> None:
    if not any(step in ("web", "orders") for step, _ in steps):
        return
    with tempfile.TemporaryDirectory() as folder:
        packed, plain = (make_shop(Path(folder) / name, {}) for name in ("packed", "plain"))
        trade(packed, [*steps, ("compact", None)], compacting=True)
        trade(plain, [*steps, ("compact", None)], compacting=False)
        digests = "SELECT input_digest FROM generations ORDER BY generation"
        assert ledger_rows(packed, digests) == ledger_rows(plain, digests)
        if not ledger_rows(plain, "SELECT 1 FROM releases"):
            return
        assert differences(packed, plain) == []
        later = NOW + timedelta(days=2)
        run(packed, now=later)
        runner.compact(packed, settings_of(packed), now=later)
        assert run(packed, now=later).nothing_new
