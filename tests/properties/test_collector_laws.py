"""Laws of the collector: whatever was acknowledged lands, once, however often and wherever it dies."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from cdp.lake import Lake
from cdp.ledger import Ledger
from connectors import outcomes
from connectors.collector import wal
from connectors.collector.wal import Request, Segment
from connectors.registry import CONNECTORS
from tests.collector_tools import batches, seal, workspace_settings
from tests.conftest import examples
from tests.crash_tools import die_at

if TYPE_CHECKING:
    import pytest

SOURCES = ["app", "forms", "web"]

_calls = st.builds(
    lambda number, event: (
        {"type": "track", "event": event, "userId": "u1"} | ({"messageId": f"m{number}"} if number else {})
    ),
    st.integers(0, 5),
    st.sampled_from(["a", "b"]),
)
_bad = st.sampled_from([{"type": "odd"}, {"x": "x" * 40_000, "messageId": "long"}, {}])


@dataclass(frozen=True)
class Sent:
    """A request, and what it holds."""

    source: str
    tracking: bool
    kind: str
    body: bytes
    payloads: tuple[bytes, ...]

    def at(self, received_us: int) -> Request:
        return Request(received_us, self.source, self.tracking, self.kind, self.body)


def _encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def _single(source: str, call: dict[str, Any]) -> Sent:
    body = _encoded(call)
    return Sent(source, True, "track", body, (body,))


def _batch(source: str, calls: Sequence[dict[str, Any]]) -> Sent:
    return Sent(source, True, "batch", _encoded({"batch": calls}), tuple(map(_encoded, calls)))


def _form(number: int, kind: str) -> Sent:
    body = _encoded({"at": "2026-11-22T10:00:00Z", "email": f"p{number}@c.example"})
    return Sent("forms", False, kind, body, (body,))


_sent = st.one_of(
    st.builds(_single, st.sampled_from(["web", "app"]), _calls),
    st.builds(
        _batch,
        st.sampled_from(["web", "app"]),
        st.lists(st.one_of(_calls, _calls, _bad), min_size=1, max_size=4),
    ),
    st.builds(_form, st.integers(0, 2), st.sampled_from(["", "lead"])),
)
_segments = st.lists(st.lists(_sent, min_size=1, max_size=4), min_size=1, max_size=3)


@contextmanager
def workspace(collected: Sequence[Sequence[Sent]]) -> Iterator[Path]:
    """A workspace with these segments, not yet landed."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), collected)
        yield Path(folder)


def write(root: Path, collected: Sequence[Sequence[Sent]], first: int = 0) -> None:
    moment = 1_795_000_000_000_000
    for number, group in enumerate(collected, first):
        segment = Segment(root / "landing" / "wal" / f"{number:017d}-aa.wal", SOURCES)
        for place, sent in enumerate(group):
            segment.append([sent.at(moment + number * 1_000_000 + place)])
        segment.complete()


def landed(root: Path) -> list[dict[str, Any]]:
    """Return every landed row, of both zones, with its outcome if landing gave one."""
    with Ledger(Lake(root).ledger_path) as ledger:
        fates = {
            (row["file_id"], row["raw_row"]): row["outcome"]
            for row in ledger.rows("SELECT file_id, raw_row, outcome FROM current_outcomes")
        }
        files = ledger.rows("SELECT file_id, path FROM files ORDER BY file_id")
        found = []
        for file in files:
            table = pq.read_table(root / file["path"])
            found += [
                row | {"fate": fates.get((file["file_id"], number))}
                for number, row in enumerate(table.to_pylist())
            ]
        counts = outcomes.counts(ledger)
    assert all(batch.holds for batch in counts)
    return found


def payloads(root: Path) -> Counter[tuple[str, bytes]]:
    """Return what landed, with what landed as repeated parts."""
    found = Counter((row["source"], row["payload"]) for row in landed(root))
    with Ledger(Lake(root).ledger_path) as ledger:
        for repeated in ledger.rows("SELECT f.path, f.source FROM repeated JOIN files AS f USING (file_id)"):
            table = pq.read_table(root / repeated["path"], columns=["payload"])
            found.update((repeated["source"], payload) for payload in table["payload"].to_pylist())
    return found


def sent_payloads(collected: Sequence[Sequence[Sent]]) -> Counter[tuple[str, bytes]]:
    return Counter(
        (sent.source, payload) for group in collected for sent in group for payload in sent.payloads
    )


def standing(root: Path) -> Counter[tuple[str, str, bytes]]:
    """Return what will be standardised or is quarantined: source, id and payload, without duplicates."""
    rows = landed(root)
    return Counter(
        (row["source"], row["event_id"], row["payload"]) for row in rows if row["fate"] != "duplicate"
    )


@examples(7)
@given(_segments)
def test_everything_acknowledged_lands_verbatim_and_is_accounted_for(collected: list[list[Sent]]) -> None:
    with workspace(collected) as root:
        rounds = seal(root)
        assert payloads(root) == sent_payloads(collected)
        assert not list((root / "landing" / "wal").iterdir())
        assert sum(batch.landed for batch in batches(rounds)) == sum(sent_payloads(collected).values())
        with Ledger(Lake(root).ledger_path) as ledger:
            assert ledger.value("SELECT count(*) FROM cursors") == 0


@examples(7)
@given(_segments)
def test_an_id_counts_once_and_events_without_one_all_count(collected: list[list[Sent]]) -> None:
    with workspace(collected) as root:
        seal(root)
        found = standing(root)
        assert set(found.values()) <= {1}
        fit = [
            (sent, payload)
            for group in collected
            for sent in group
            for payload in sent.payloads
            if not (sent.kind == "batch" and len(payload) > 32 << 10)
        ]
        nameless = Counter(
            (sent.source, payload)
            for sent, payload in fit
            if sent.tracking and "messageId" not in json.loads(payload)
        )
        named = {(sent.source, payload) for sent, payload in fit if sent.tracking} - set(nameless)
        delivered = {(sent.source, sent.kind, payload) for sent, payload in fit if not sent.tracking}
        by_payload = Counter((source, payload) for source, _, payload in found.elements())
        for key, times in nameless.items():
            assert by_payload[key] == times
        for key in named:
            assert by_payload[key] == 1
        assert sum(
            by_payload[source, payload] for source, payload in {(s, p) for s, _, p in delivered}
        ) == len(delivered)


@examples(4)
@given(_segments, st.data())
def test_a_crash_of_landing_anywhere_changes_nothing(
    collected: list[list[Sent]], data: st.DataObject
) -> None:
    with workspace(collected) as undisturbed, workspace(collected) as root:
        seal(undisturbed)
        deaths = 0
        while die_at(data.draw(st.integers(1, 24)), lambda: seal(root)) and deaths < 6:
            deaths += 1
        seal(root)
        assert standing(root) == standing(undisturbed)
        assert payloads(root) == payloads(undisturbed)
        assert not list((root / "landing" / "wal").iterdir())


@examples(4)
@given(_segments)
def test_landing_what_a_backup_brought_back_adds_duplicates_only(collected: list[list[Sent]]) -> None:
    with workspace(collected) as root:
        shutil.copytree(root / "landing" / "wal", root / "copy")
        seal(root)
        before = standing(root)
        for path in (root / "copy").iterdir():
            shutil.copy(path, root / "landing" / "wal")
        seal(root)
        assert standing(root) == before


@examples(4)
@given(_segments, st.data())
def test_how_requests_are_spread_over_segments_does_not_matter(
    collected: list[list[Sent]], data: st.DataObject
) -> None:
    """But for the ids that are made of a place: there the payloads and how many there are."""
    flat = [sent for group in collected for sent in group]
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(flat))), max_size=3)))
    other = [
        part for start, end in zip([0, *cuts], [*cuts, len(flat)], strict=True) if (part := flat[start:end])
    ]
    with workspace(collected) as one, workspace(other) as two:
        seal(one)
        seal(two)
        assert Counter((s, p) for s, _, p in standing(one).elements()) == Counter(
            (s, p) for s, _, p in standing(two).elements()
        )


def test_each_envelope_has_the_time_of_its_request(tmp_path: Path) -> None:
    write(
        tmp_path,
        [[_single("web", {"messageId": "1"}), _form(1, "lead")], [_batch("web", [{"messageId": "2"}])]],
    )
    seal(tmp_path)
    found = {row["payload"]: (row["received_at"].timestamp(), row["type"]) for row in landed(tmp_path)}
    moment = 1_795_000_000.0
    assert found == {
        b'{"messageId": "1"}': (moment, "track"),
        _form(1, "lead").body: (moment + 0.000001, "lead"),
        b'{"messageId": "2"}': (moment + 1, None),
    }


def test_events_of_a_source_that_was_removed_wait_for_it(tmp_path: Path) -> None:
    write(tmp_path, [[_single("web", {"messageId": "1"}), _form(1, "")]])
    without = workspace_settings(
        config="version: 1\nworkspace: {name: x}\nsources: {web: {connector: segment}}\n"
    )
    (sealed,) = seal(tmp_path, without)
    assert "There is no source 'forms' any more" in sealed.problems["forms"]
    assert len(landed(tmp_path)) == 1
    seal(tmp_path)
    assert len(landed(tmp_path)) == 2
    assert not list((tmp_path / "landing" / "wal").iterdir())


def test_a_damaged_segment_lands_what_is_left_and_is_kept(tmp_path: Path) -> None:
    write(tmp_path, [[_single("web", {"messageId": str(number)}) for number in range(3)]])
    (path,) = (tmp_path / "landing" / "wal").iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(b'"messageId": "1"')] ^= 1
    path.write_bytes(content)
    (sealed,) = seal(tmp_path)
    assert "damaged: bytes" in sealed.problems[path.name]
    assert [row["payload"] for row in landed(tmp_path)] == [b'{"messageId": "0"}', b'{"messageId": "2"}']
    assert [left.name for left in (tmp_path / "landing" / "wal").iterdir()] == [path.name + wal.DAMAGED]


def test_a_delivery_that_makes_its_connector_fail_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONNECTORS, "broken", "tests.broken_connector")
    sources = "{forms: {connector: broken}, web: {connector: segment}, app: {connector: segment}}"
    config = f"version: 1\nworkspace: {{name: x}}\nsources: {sources}\n"
    bodies = [
        _encoded({"type": "page", "messageId": word}) for word in ("a", "poison 1", "b", "c", "poison 2")
    ]
    posted = [Sent("forms", False, "", body, (body,)) for body in bodies]
    write(tmp_path, [[*posted[:3], _single("web", {"messageId": "w"})], posted[3:]])
    (sealed,) = seal(tmp_path, workspace_settings(config=config))
    assert sealed.problems == {}
    rows = landed(tmp_path)
    assert {row["payload"] for row in rows} == {*bodies, b'{"messageId": "w"}'}
    assert {row["payload"]: row["reason"] for row in rows if "reason" in row} == {
        bodies[1]: "unreadable_payload",
        bodies[4]: "unreadable_payload",
    }
    assert not list((tmp_path / "landing" / "wal").iterdir())
