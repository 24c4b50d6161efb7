"""Laws of landing and standardising, over random files, orders and runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.landing_tools import NOW, Landing, comparable

# Every example is a whole workspace on disk.
few = settings(max_examples=max(5, settings.default.max_examples // 8), deadline=None)

# Few ids, names and times, so that duplicates and revisions are common.
_calls = st.builds(
    lambda number, event, minute, user: json.dumps(
        {"type": "track", "event": event, "messageId": f"m{number}", "userId": user, "timestamp": minute}
    ),
    st.integers(0, 6),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"]),
    st.sampled_from(["u1", "u2", ""]),
)
_without_id = st.builds(
    lambda n: json.dumps({"type": "page", "userId": f"u{n}", "timestamp": "2026-10-01"}), st.integers(0, 2)
)
_bad = st.sampled_from(['{"type":"track"', "nonsense", '{"type":"odd"}', '{"type":"track","messageId":"x"}'])
_files = st.lists(st.lists(st.one_of(_calls, _calls, _without_id, _bad), max_size=6), min_size=1, max_size=4)


@contextmanager
def workspace(policy: str = "latest") -> Iterator[Landing]:
    with tempfile.TemporaryDirectory() as folder:
        yield Landing.of(Path(folder), on_revision=policy)


def put(web: Landing, files: list[list[str]], names: list[int]) -> None:
    for name, lines in zip(names, files, strict=True):
        web.put(f"{name:03}.ndjson", "\n".join(lines))


@given(files=_files, policy=st.sampled_from(["latest", "first", "quarantine"]))
@few
def test_everything_is_accounted_for_once(files: list[list[str]], policy: str) -> None:
    with workspace(policy) as web:
        put(web, files, list(range(len(files))))
        web.run()
        assert all(batch.holds and batch.pending == 0 for batch in web.counts())
        kept = b"\n".join(web.landed_payloads()).decode()
        assert all(line in kept for lines in files for line in lines)
        assert web.total("standardised") == web.events().num_rows
        event_ids = web.events()["event_id"].to_pylist()
        assert len(event_ids) == len(set(event_ids))


@given(files=_files, data=st.data(), policy=st.sampled_from(["latest", "first", "quarantine"]))
@few
def test_the_order_of_files_does_not_matter(files: list[list[str]], data: st.DataObject, policy: str) -> None:
    order = data.draw(st.permutations(range(len(files))))
    with workspace(policy) as left, workspace(policy) as right:
        put(left, files, list(range(len(files))))
        put(right, files, list(order))
        left.run()
        right.run()
        assert comparable(left.events()) == comparable(right.events())
        for name in ("standardised", "duplicate", "superseded", "quarantined"):
            assert left.total(name) == right.total(name)


@given(files=_files)
@few
def test_landing_day_by_day_equals_landing_at_once(files: list[list[str]]) -> None:
    with workspace() as at_once, workspace() as daily:
        put(at_once, files, list(range(len(files))))
        at_once.run()
        for number, lines in enumerate(files):
            put(daily, [lines], [number])
            daily.run(NOW)
        assert comparable(daily.events()) == comparable(at_once.events())
        assert daily.total("landed") == at_once.total("landed")


@given(files=_files)
@few
def test_the_same_files_again_change_nothing(files: list[list[str]]) -> None:
    with workspace() as web:
        put(web, files, list(range(len(files))))
        web.run()
        before = web.events()
        put(web, files, [number + 100 for number in range(len(files))])
        web.run()
        web.replay()
        assert comparable(web.events()) == comparable(before)
        assert all(batch.holds for batch in web.counts())
