"""The last events of a source, landed or still waiting, and those that come: none missed, none twice, none named."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp import suppression
from cdp.cli import tail_lines
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from cdp.settings import Settings
from connectors.collector import wal
from connectors.collector.seal import Sealer
from pipelines import segments
from pipelines.tail_entries import Entry
from tests.collector_tools import SECRET, Client, collecting, seal, workspace_settings
from tests.landing_tools import NOW, Landing
from tests.tail_tools import event, looking, make_collected, names, take


def outcomes(entries: list[Entry]) -> list[str]:
    return [entry.outcome for entry in entries]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace that a collector has been started on."""
    return make_collected(tmp_path)


def test_there_is_nothing_before_anything_has_come(tmp_path: Path, shop: Path) -> None:
    with looking(tmp_path / "empty") as tail:
        assert tail.last(5) == []
        assert tail.new().entries == []
        assert not (tmp_path / "empty").exists()
    with looking(shop) as tail:
        assert tail.last(5) == []


def test_what_a_collector_has_taken_is_there_at_once_and_waits(shop: Path) -> None:
    def look() -> tuple[list[Entry], list[Entry]]:
        with looking(shop) as tail:
            return tail.last(2), tail.last(0)

    shown, none = take(shop, 1, 2, 3, then=look)
    assert names(shown) == [2, 3]
    assert outcomes(shown) == ["waiting", "waiting"]
    assert none == []
    with looking(shop) as tail:  # the segment is complete
        assert names(tail.last(9)) == [1, 2, 3]


def test_landed_events_say_what_became_of_them(tmp_path: Path) -> None:
    web = Landing.of(tmp_path)
    calls = [json.dumps(event(n, messageId=f"m{n}")) for n in (1, 2, 2, 3)]
    web.put("1.jsonl", "\n".join([*calls, json.dumps(event(4, type="dance")), '{"type": "track']))
    web.land()
    chosen = Settings.model_validate(
        {"workspace": {"name": "t"}, "sources": {"web": {"connector": "segment"}}}
    )
    with looking(tmp_path, chosen=chosen) as tail:
        assert outcomes(tail.last(20)) == [
            "quarantined",
            "pending",
            "pending",
            "duplicate",
            "pending",
            "pending",
        ]
    web.standardise()
    with looking(tmp_path, chosen=chosen) as tail:
        shown = tail.last(20)
    assert [(one.outcome, one.reason) for one in shown] == [
        ("quarantined", "truncated"),
        ("standardised", None),
        ("standardised", None),
        ("duplicate", "landed_before"),
        ("standardised", None),
        ("quarantined", "unknown_call_type"),
    ]


def test_the_newest_of_many_files_come_in_order(tmp_path: Path) -> None:
    web = Landing.of(tmp_path)
    for day in range(6):
        web.put(f"{day}.jsonl", "\n".join(json.dumps(event(10 * day + n)) for n in range(3)))
        web.land(NOW + timedelta(days=day))
    chosen = Settings.model_validate(
        {"workspace": {"name": "t"}, "sources": {"web": {"connector": "segment"}}}
    )
    with looking(tmp_path, chosen=chosen) as tail:
        assert names(tail.last(5)) == [41, 42, 50, 51, 52]
        assert len(tail.last(100)) == 18
        assert tail.new().entries == []
    with looking(tmp_path, chosen=chosen) as tail:
        assert tail.last(0) == []
        assert tail.new().entries == []


def test_lines_of_an_order_are_shown_one_by_one(tmp_path: Path) -> None:
    about = {
        "connector": "files",
        "event": {
            "type": "order_placed",
            "group_by": "no",
            "amount": "price",
            "currency": "GBP",
            "product": "what",
        },
        "identifiers": {"email": "email"},
    }
    orders = Landing.of(tmp_path, name="orders", **about)
    orders.put("1.csv", "no,email,what,price\n1,ann@mail.example,Lamp,3\n1,ann@mail.example,Bulb,1\n")
    orders.land()
    chosen = Settings.model_validate({"workspace": {"name": "t"}, "sources": {"orders": about}})
    with looking(tmp_path, "orders", chosen) as tail:
        shown = tail.last(5)
    assert [(one.event_type, one.product) for one in shown] == [
        ("order_placed", "Lamp"),
        ("order_placed", "Bulb"),
    ]
    assert shown[0].identifiers == (("email", "", "ann@mail.example"),)


def test_what_comes_is_shown_once_whether_it_is_met_waiting_or_landed(shop: Path) -> None:
    take(shop, 1, 2)
    with looking(shop) as tail:
        assert names(tail.last(1)) == [2]
        assert tail.new().entries == []
        seal(shop)  # what was seen lands
        assert tail.new().entries == []
        take(shop, 3, 4)
        seal(shop)  # what nobody saw has landed already
        assert names(tail.new().entries) == [3, 4]
        assert names(take(shop, 5, 6, then=lambda: tail.new().entries)) == [5, 6]
        take(shop, 7)
        seal(shop)
        assert names(tail.new().entries) == [7]
        assert tail.new().entries == []


def test_a_segment_seen_in_part_is_gone_on_with_where_it_landed(shop: Path) -> None:
    with looking(shop) as tail:
        tail.last(5)

        async def work(client: Client) -> list[list[int]]:
            shown = []
            for number in range(1, 8):
                assert (await client.track(event(number), "/v1/track")).status == 200
                if number in (2, 3, 5):
                    shown.append(names(tail.new().entries))
            return shown

        assert collecting(shop, work) == [[1, 2], [3], [4, 5]]
        seal(shop)
        assert names(tail.new().entries) == [6, 7]


def test_events_of_a_batch_and_of_other_sources_are_told_apart(shop: Path) -> None:
    async def work(client: Client) -> None:
        await client.track({"batch": [event(1), event(2), event(9, text="x" * 40_000)]})
        await client.track({"batch": [event(3)]}, key="app-write-key-0001")
        signed = ("authorization", "Basic " + base64.b64encode(SECRET.encode()).decode())
        form = b'{"at": "2026-11-01", "email": "ann@mail.example"}'
        assert (await client("/hooks/forms", form, signed)).status == 200

    collecting(shop, work)
    with looking(shop) as web, looking(shop, "app") as app, looking(shop, "forms") as forms:
        shown = web.last(5)
        assert names([one for one in shown if one.subject]) == [1, 2]
        assert [one.reason for one in shown if one.outcome == "quarantined"] == ["event_too_large"]
        assert names(app.last(5)) == [3]
        (form,) = forms.last(5)
        assert form.event_type == "form_submitted"
        seal(shop)
        assert [tail.new().entries for tail in (web, app, forms)] == [[], [], []]


def test_more_than_can_be_shown_is_counted(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.tail.MOST_AT_ONCE", 3)
    with looking(shop) as tail:
        tail.last(0)
        take(shop, *range(1, 9))
        news = tail.new()
        assert (names(news.entries), news.left_out) == ([6, 7, 8], 5)
        seal(shop)
        assert (tail.new().entries, tail.new().left_out) == ([], 0)
        take(shop, *range(11, 19))
        seal(shop)
        news = tail.new()
        assert (names(news.entries), news.left_out) == ([16, 17, 18], 5)


def test_an_old_backlog_is_not_news_when_it_lands(shop: Path) -> None:
    take(shop, 1, 2)
    take(shop, 3)
    with looking(shop) as tail:
        assert names(tail.last(1)) == [3]
        seal(shop)
        assert tail.new().entries == []


def test_what_is_begun_to_be_written_is_not_shown_and_not_lost(shop: Path) -> None:
    folder = shop / WAL
    request = wal.Request(1_795_000_000_000_000, "web", True, "track", json.dumps(event(1)).encode())
    segment = wal.Segment(folder / f"1{wal.SUFFIX}", ["web"])
    segment.append([request])
    with looking(shop) as tail:
        assert names(tail.last(5)) == [1]
        whole = (folder / f"1{wal.SUFFIX}{wal.OPEN}").read_bytes()
        segment.append(
            [wal.Request(1_795_000_000_000_001, "web", True, "track", json.dumps(event(2)).encode())]
        )
        both = (folder / f"1{wal.SUFFIX}{wal.OPEN}").read_bytes()
        shown: list[int] = []
        for end in range(len(whole) + 1, len(both) + 1):
            (folder / f"1{wal.SUFFIX}{wal.OPEN}").write_bytes(both[:end])
            shown += names(tail.new().entries)
        assert shown == [2]
    segment.complete()


def test_a_look_writes_nothing_and_needs_no_lock(shop: Path) -> None:
    take(shop, 1, 2)

    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in shop.rglob("*") if "ledger" not in path.name}

    before = files()
    with Sealer(shop, workspace_settings()), looking(shop) as tail:
        tail.last(5)
        tail.new()
    assert files() == before


def test_who_is_on_the_suppression_list_is_not_shown_at_all(shop: Path) -> None:
    with Ledger(Lake(shop).ledger_path) as ledger:
        entry = suppression.parse("email:ann@mail.example", place="here", region=None)
        suppression.add(ledger, [entry], by="me", now=NOW)
    take(shop, 1, traits={"email": "ann@mail.example"}, properties={"email": "ann@mail.example"})
    take(shop, 2)
    with looking(shop, payloads=True) as tail:
        held, other = tail.last(5)
    assert (held.outcome, held.subject, held.identifiers, held.payload) == ("suppressed", None, (), None)
    assert "ann@" not in json.dumps(tail_lines.as_json(held, masked=False))
    assert other.outcome == "waiting"


def test_a_segment_that_lands_between_two_steps_of_a_look_is_shown_once(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = segments.landed

    def landing_meanwhile(*arguments: Any) -> Any:
        found = real(*arguments)
        seal(shop)
        return found

    with looking(shop) as tail:
        tail.last(0)
        take(shop, 1, 2)
        monkeypatch.setattr(segments, "landed", landing_meanwhile)
        assert names(tail.new().entries) == [1, 2]
        monkeypatch.undo()
        assert tail.new().entries == []


def entry(**more: Any) -> Entry:
    about: dict[str, Any] = {
        "received_at": datetime(2026, 3, 1, 8, 0, 0, 123_000, tzinfo=UTC),
        "occurred_at": None,
        "event_id": "m1",
        "channel": "web",
        "type": "track",
        "outcome": "pending",
        "event_type": "event_tracked",
        "events": 1,
    }
    return Entry(**about | more)


def test_a_line_says_who_without_saying_who() -> None:
    identifiers = (
        ("email", "", "ann.archer@mail.example"),
        ("phone", "", "+447911123456"),
        ("user_id", "web", "u7"),
    )
    one = entry(subject="Signed In", identifiers=identifiers, traits={"full_name": "Ann Archer"})
    assert tail_lines.cells(one, masked=True) == (
        "2026-03-01 08:00:00",
        "event_tracked",
        "pending",
        "Signed In",
        "A. A.  email a***@m***.example  phone ***56  user_id u7",
    )
    assert tail_lines.cells(one, masked=False)[-1] == (
        "Ann Archer  email ann.archer@mail.example  phone +447911123456  user_id u7"
    )


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        (
            {
                "event_type": "page_viewed",
                "subject": "Ann's page",
                "page": "/lamps/red?mail=ann@mail.example",
            },
            "/lamps/red",
        ),
        ({"event_type": "page_viewed", "subject": "Ann's page"}, "(10 characters)"),
        ({"event_type": "screen_viewed", "subject": "Home"}, "Home"),
        ({"channel": "email", "subject": "Dear Ann", "campaign": "spring"}, "(8 characters) · spring"),
        ({"channel": "orders", "product": "Lamp", "reference": "A1"}, "Lamp · A1"),
        ({"channel": "orders", "product": "Lamp", "reference": "ann@mail.example"}, "Lamp"),
        ({"subject": "Mail to ann@mail.example"}, "Mail to a***@m***.example"),
        ({"subject": "Hello Archer", "traits": {"surname": "Archer"}}, "Hello ***"),
        ({"subject": "x" * 500}, "(40 characters)"),
    ],
)
def test_what_people_wrote_is_left_out_and_names_of_events_stay(more: dict[str, Any], shown: str) -> None:
    found = tail_lines.name(entry(**more), masked=True)
    assert found == shown or re.fullmatch(r"x{4}…|\(\d+ characters\)", found)


def test_data_cannot_command_the_terminal() -> None:
    one = entry(
        subject="\x1b[31mred\nnext",
        type="a\x07b",
        event_type=None,
        identifiers=(("handle", "", "\u202eevil"),),
    )
    for masked in (True, False):
        assert all(cell.isprintable() for cell in tail_lines.cells(one, masked=masked))
        assert json.dumps(tail_lines.as_json(one, masked=masked)).isprintable()


def test_lines_keep_their_columns_and_fit_the_terminal() -> None:
    first = [tail_lines.cells(entry(subject="Short"), masked=True)]
    lines = tail_lines.Lines(first, 60)
    later = lines.line(
        tail_lines.cells(entry(subject="A much longer name of an event than before"), masked=True)
    )
    assert lines.heading().index("outcome") == later.index("pending")
    assert len(later) == 60
    assert later.endswith("…")


def test_a_payload_that_is_no_json_is_shown_by_its_length() -> None:
    shown = tail_lines.as_json(entry(payload=b'{"name": "Ann'), masked=True)
    assert shown["payload"] == "(13 characters)"
    assert tail_lines.as_json(entry(payload=b'{"name": "Ann'), masked=False)["payload"] == '{"name": "Ann'
