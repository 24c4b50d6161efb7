"""What the page of one customer is made of: pages of the history, the weakest link, the drawing, judgements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cdp import judgements
from cdp.errors import NotFoundError, UsageError
from cdp.judgements import Decision
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.warehouse_tools import NOW, Row, built, day, edge, event, identifier, order, world
from warehouse import masking
from warehouse.portrait import facts, graph, history, judging, service, why
from warehouse.portrait.history import Cursor, Filters, Page
from warehouse.portrait.seen import Seen
from warehouse.portrait.why import Link

ZONE = ZoneInfo("Europe/London")
WORLD = {"web:1": "C1", "web:2": "C1", "crm:1": "C1", "web:9": "C2", "empty:1": "C3"}


def _events() -> list[Row]:
    rows = [event(f"same-{n}", "web:1", at=5, subject=f"Page {n}") for n in range(23)]
    rows += [event(f"v{n}", f"web:{1 + n % 2}", at=10 + n / 7, subject="Über Größe 50%") for n in range(40)]
    rows.append(
        event(
            "bot", "web:1", at=60, channel="email", event_type="email_opened", outcome="machine", campaign="x"
        )
    )
    rows += [event(f"other-{n}", "web:9", at=20) for n in range(5)]
    rows += [
        event(
            "t1",
            "crm:1",
            at=30,
            channel="support",
            event_type="ticket_opened",
            reference="T1",
            subject="Broken",
        ),
        event(
            "t2",
            "crm:1",
            at=31,
            channel="support",
            event_type="ticket_escalated",
            reference="T1",
            escalation_level=2,
        ),
        event("t3", "crm:1", at=32, channel="support", event_type="ticket_solved", reference="T1"),
        event(
            "t4",
            "crm:1",
            at=33,
            channel="support",
            event_type="ticket_opened",
            reference="T2",
            subject="Again",
        ),
        order("o1", "10.00", "crm:1", at=40),
    ]
    return rows


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("portrait")
    evidence = [edge("web:1", "web:2", 9.0), edge("crm:1", "web:1", 4.0), edge("crm:1", "web:2", 2.0)]
    inputs = world(
        folder / "made",
        [_events()],
        WORLD,
        identifiers=[identifier("web:1", "email", "jane@mail.example")],
        evidence=evidence,
    )
    with built(inputs, folder / "release") as connection:
        yield Seen(connection, personal=True, tokens=masking.PASSING)


def _masked(seen: Seen) -> Seen:
    return Seen(seen.connection, personal=False, tokens=seen.tokens)


def _walk(seen: Seen, filters: Filters, size: int) -> list[Row]:
    """All pages of C1's history, one after the other."""
    numbers = history.record_numbers(seen, "C1")
    found: list[Row] = []
    after: Cursor | None = None
    for _ in range(200):
        page = history.page(seen, numbers, filters, ZONE, after=after, size=size)
        found += _rows(page)
        if page.after is None:
            return found
        after = Cursor.parse(str(page.after))
    raise AssertionError("the pages never end")


def _rows(page: Page) -> list[Row]:
    return [row for _, rows in page.days for row in rows]


@pytest.mark.parametrize("size", [1, 2, 5, 22, 23, 24, 200])
def test_pages_of_any_size_show_every_event_once_and_in_order(seen: Seen, size: int) -> None:
    walked = [row["event_id"] for row in _walk(seen, Filters(), size)]
    whole = seen.raw(
        "SELECT event_id FROM contact_history WHERE customer_id = 'C1' ORDER BY occurred_at DESC, source, event_id"
    )
    assert walked == [row["event_id"] for row in whole]
    assert len(walked) == 69


def test_a_cursor_tells_nothing_but_a_time_and_a_number(seen: Seen) -> None:
    page = history.page(_masked(seen), history.record_numbers(seen, "C1"), Filters(), ZONE, size=60)
    assert str(page.after) == f"{int(day(5).timestamp())}000000.14"


@pytest.mark.parametrize("text", ["", "x", "1", "1.", "a.b", "9" * 40 + ".1", "1.5.2", "1' OR 1=1"])
def test_a_damaged_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="unreadable"):
        Cursor.parse(text)


def test_filters_keep_what_they_say(seen: Seen) -> None:
    def ids(**given: object) -> set[str]:
        return {row["event_id"] for row in _walk(seen, Filters(**given), 50)}  # type: ignore[arg-type]

    assert ids(channel="support") == {"t1", "t2", "t3", "t4"}
    assert ids(event_type="order_placed") == {"o1"}
    assert ids(text="uber GROSSE 50%") == set()
    assert len(ids(text="über größe 50%")) == 40
    assert ids(text="50_") == set()
    assert "bot" in ids()
    assert "bot" not in ids(hide_bots=True)
    assert ids(since=date(2025, 2, 10)) == {"o1", "bot"}
    assert ids(since=date(2025, 1, 31), until=date(2025, 1, 31)) == {"t1"}


@pytest.mark.parametrize("given", [{"channel": "'; DROP"}, {"event_type": "nothing"}, {"direction": "up"}])
def test_unknown_filters_are_refused(seen: Seen, given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="There is no"):
        _walk(seen, Filters(**given), 5)  # type: ignore[arg-type]


def test_who_may_not_see_subjects_cannot_search_in_them(seen: Seen) -> None:
    with pytest.raises(UsageError, match="cannot search"):
        _walk(_masked(seen), Filters(text="a"), 5)


def test_the_chart_counts_what_people_did_by_month(seen: Seen) -> None:
    chart = history.months(seen, history.record_numbers(seen, "C1"), Filters(), ZONE)
    assert chart is not None
    assert chart["labels"] == ["Jan 2025", "Feb 2025"]
    assert {one["name"]: one["values"] for one in chart["series"]} == {
        "web": [63, 0],
        "support": [1, 3],
        "orders": [0, 1],
    }


def test_a_customer_without_events_has_an_empty_history(seen: Seen) -> None:
    numbers = history.record_numbers(seen, "C3")
    assert history.page(seen, numbers, Filters(), ZONE) == Page([], None)
    assert history.months(seen, numbers, Filters(), ZONE) is None
    assert history.choices(seen, []).channels == []
    assert service.tickets(seen, []) == []


def test_tickets_are_those_of_the_release(seen: Seen) -> None:
    found = service.tickets(seen, history.record_numbers(seen, "C1"))
    told = {(one["reference"], one["closed"], one["escalated"], one["escalation_level"]) for one in found}
    assert told == {("T1", True, True, 2), ("T2", False, False, None)}
    assert found[0]["reference"] == "T2", "open ones first"
    table = seen.raw(
        "SELECT reference, state = 'closed', escalated, escalation_level FROM tickets WHERE customer_id = 'C1'"
    )
    assert {tuple(row.values()) for row in table} == told


def test_the_weakest_link_splits_the_records_where_it_says(seen: Seen) -> None:
    found = why.why(seen, "C1", 3)
    assert found.weakest is not None
    assert {found.weakest.link.left, found.weakest.link.right} == {"crm:1", "web:1"}
    assert (found.weakest.left, found.weakest.right) == (["web:1", "web:2"], ["crm:1"])
    assert found.weakest.also is not None, "crm:1 and web:2 have evidence of their own"
    assert "still hang together" in found.weakest.verdict


def _link(left: str, right: str, weight: float | None) -> Link:
    return Link(left, right, "probabilistic" if weight else "judgement", weight, None, None)


def _components(keys: Sequence[str], links: Sequence[Link]) -> int:
    groups = {key: {key} for key in keys}
    for link in links:
        joined = groups[link.left] | groups[link.right]
        for key in joined:
            groups[key] = joined
    return len({id(group) for group in groups.values()})


@pytest.mark.parametrize("weights", list(itertools.permutations((9.0, 5.0, 3.0, 1.0))))
def test_without_the_weakest_link_alone_the_records_fall_apart(weights: tuple[float, ...]) -> None:
    """A path of four links: the lightest one is the weakest, and nothing else joins its sides."""
    keys = [f"s:{n}" for n in range(5)]
    links = [
        _link(one, other, weight)
        for (one, other), weight in zip(itertools.pairwise(keys), weights, strict=True)
    ]
    links.sort(key=lambda link: -(link.weight or 0))
    rows = [{"left_record": one.left, "right_record": one.right, "kind": one.kind, "match_weight": one.weight,
             "match_probability": None, "reason": None, "levels": None} for one in links]  # fmt: skip
    found = why.weakest(links, rows)
    assert found is not None
    assert found.link.weight == 1.0
    assert found.also is None
    assert _components(keys, [link for link in links if link is not found.link]) == 2
    assert len(found.right) <= len(found.left)
    assert sorted([*found.left, *found.right]) == keys


def test_records_do_not_cover_each_other_in_the_drawing() -> None:
    records = [why.Record(f"web:{n}", "web", n, None, None, None, 1, (), ()) for n in range(24)]
    links = [_link("web:0", f"web:{n}", 20.0 - n / 2) for n in range(1, 24)]
    drawn = graph.drawing(records, links, links[-1], ["web:23"])
    assert drawn is not None
    places = [(node.x, node.y) for node in drawn.nodes]
    assert all(0 < x < drawn.width and 0 < y < drawn.height for x, y in places)
    for (x1, y1), (x2, y2) in itertools.combinations(places, 2):
        assert abs(x1 - x2) >= 90 or abs(y1 - y2) >= 30, ((x1, y1), (x2, y2))
    assert graph.drawing(records[:1], [], None, ()) is None


def test_consent_says_who_said_it(seen: Seen) -> None:
    row = facts.customer(seen, "C1")
    assert row is not None
    assert {one.state for one in facts.consents(seen, row)} == {"unknown"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    Ledger(lake.ledger_path).close()
    return lake


def test_a_record_is_kept_apart_from_each_of_the_others(lake: Lake, seen: Seen) -> None:
    proposal = judging.propose_split(lake, seen, "C1", "crm:1", "  a   note ")
    assert [(one.one, one.other, one.kind, one.note) for one in proposal.decisions] == [
        ("crm:1", "web:1", "cannot_link", "a note"),
        ("crm:1", "web:2", "cannot_link", "a note"),
    ]
    judging.decide(lake, proposal, by="ann", now=NOW)
    (told,) = judging.told(lake, seen, "C1")
    assert (told.left, told.rights, told.pending, told.own) == ("crm:1", ("web:1", "web:2"), True, True)


def test_what_was_said_at_once_is_taken_back_at_once_and_nothing_is_said_instead(
    lake: Lake, seen: Seen
) -> None:
    with Ledger(lake.ledger_path) as ledger:
        judgements.append(ledger, [Decision("crm:1", "web:2", "must_link")], by="bob", now=NOW)
    for _ in range(2):  # two splits with the same words are two acts
        split = judging.propose_split(lake, seen, "C1", "crm:1", "")
        judging.decide(lake, split, by="ann", now=NOW)
    assert [len(one.judgement_ids) for one in judging.told(lake, seen, "C1")] == [2]
    with Ledger(lake.ledger_path) as ledger:
        before = judgements.read(ledger)
    numbers = [one.judgement_id for one in before]
    assert [one.act for one in before] == [numbers[0], *[numbers[1]] * 2, *[numbers[3]] * 2]
    taking = judging.propose_undo(lake, seen, "C1", numbers[3:4])
    assert list(taking.judgement_ids) == numbers[3:]
    assert [one.judgement_id for one in taking.again] == numbers[1:3]
    judging.undo(lake, taking, by="cleo", now=NOW)
    with Ledger(lake.ledger_path) as ledger:
        after = judgements.read(ledger)
    assert [(one.judgement_id, one.kind) for one in after] == [(one.judgement_id, one.kind) for one in before]
    assert [one.withdrawn_by for one in after] == [None, None, None, "cleo", "cleo"]
    assert judgements.standing(after) == [*judgements.standing(before[:3]), "withdrawn", "withdrawn"]
    shown = judging.told(lake, seen, "C1")
    assert [(one.withdrawn_by, len(one.judgement_ids)) for one in shown] == [("cleo", 2), (None, 2)]
    for gone in (numbers[3], numbers[0]):  # one that was taken back, one that is replaced
        with pytest.raises(NotFoundError, match="not stand"):
            judging.propose_undo(lake, seen, "C1", [gone])
    with pytest.raises(NotFoundError):
        judging.undo(lake, taking, by="dan", now=NOW)


def test_taking_back_says_whose_records_it_is_about(lake: Lake, seen: Seen) -> None:
    with Ledger(lake.ledger_path) as ledger:
        (made,) = judgements.append(ledger, [Decision("crm:1", "web:9", "cannot_link")], by="bob", now=NOW)
    for customer_id in ("C1", "C2"):
        taking = judging.propose_undo(lake, seen, customer_id, [made.judgement_id])
        assert taking.customer_ids == ("C1", "C2")
        assert [(one.kind, one.pending, one.own) for one in taking.acts] == [("cannot_link", False, False)]


def test_joining_replaces_a_decision_that_says_the_opposite(lake: Lake, seen: Seen) -> None:
    with Ledger(lake.ledger_path) as ledger:
        judgements.append(ledger, [Decision("crm:1", "web:9", "cannot_link")], by="bob", now=NOW)
    proposal = judging.propose_join(lake, seen, "C1", "C2", "")
    assert [one.decided_by for one in proposal.against] == ["bob"]
    judging.decide(lake, proposal, by="ann", now=datetime(2026, 3, 2, tzinfo=UTC))
    pending = {(one.kind, one.pending, one.other_customer_id) for one in judging.told(lake, seen, "C1")}
    assert ("must_link", True, "C2") in pending


def test_what_makes_no_sense_is_refused(lake: Lake, seen: Seen) -> None:
    with pytest.raises(NotFoundError):
        judging.propose_split(lake, seen, "C1", "web:9", "")
    with pytest.raises(UsageError, match="only record"):
        judging.propose_split(lake, seen, "C2", "web:9", "")
    with pytest.raises(UsageError, match="already"):
        judging.propose_join(lake, seen, "C1", "C1", "")
    with pytest.raises(NotFoundError):
        judging.propose_join(lake, seen, "C1", "C404", "")
    with pytest.raises(UsageError, match="characters"):
        judging.propose_join(lake, seen, "C1", "C2", "x" * 501)
    with pytest.raises(NotFoundError, match="not stand"):
        judging.propose_undo(lake, seen, "C1", [7])


def test_somebody_elses_judgement_cannot_be_taken_back_from_here(lake: Lake, seen: Seen) -> None:
    with Ledger(lake.ledger_path) as ledger:
        (made,) = judgements.append(ledger, [Decision("x:1", "x:2", "must_link")], by="bob", now=NOW)
    with pytest.raises(NotFoundError):
        judging.propose_undo(lake, seen, "C1", [made.judgement_id])


def test_records_are_named_by_tokens_to_who_sees_nothing_personal(lake: Lake, seen: Seen) -> None:
    masked = _masked(seen)
    shown = why.why(masked, "C1", 3).records
    assert "crm:1" not in {one.key for one in shown}
    token = next(one.key for one in shown if one.source == "crm")
    assert {one.one for one in judging.propose_split(lake, masked, "C1", token, "").decisions} == {"crm:1"}
