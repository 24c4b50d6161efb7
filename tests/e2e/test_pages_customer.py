"""One customer's page in a browser: read it, filter it by keyboard, say who is one person, light and dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdp import judgements
from cdp.ledger import Ledger
from tests.pages_tools import Pages, assert_accessible, browsing, expect_count, make_workspace, serve
from tests.pages_world import ADA, BUSY, HOSTILE, RETIRED, TWIN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A shop of this file's own: judgements are written."""
    lake = make_workspace(tmp_path_factory.mktemp("own"))
    with serve(lake.root) as site, browsing(site) as found:
        yield found
        found.assert_sound()


def test_a_reader_sees_who_it_is_and_where_each_value_came_from(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}")
    assert page.get_by_role("heading", level=1).inner_text() == "Ada Okafor"
    who = page.locator("#who")
    origin = who.locator("details", has_text="ada.okafor@mail.example")
    origin.locator("summary").click()
    assert "From mail" in origin.inner_text()
    assert "Chosen because" in origin.inner_text()
    consent = page.locator("#consent")
    assert "Granted" in consent.get_by_role("row", name="Marketing by e-mail").inner_text()
    assert "Denied" in consent.get_by_role("row", name="Marketing by phone").inner_text()
    assert "Escalated to level 2" in page.locator("#tickets").inner_text()
    assert "Clicked" in page.locator("#campaigns").inner_text()


def test_the_page_tells_why_the_records_are_one_person(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}")
    why = page.locator("#why")
    assert "7 records of 6 sources are taken for one person" in why.inner_text()
    assert (
        "Without this full name they are two people. 6 records on one side, 1 on the other."
        in why.inner_text()
    )
    assert why.get_by_role("img", name="The records and the evidence that joins them").is_visible()
    evidence = why.locator("li", has_text="Same surname, same postcode").first
    evidence.get_by_text("How this weighs").click()
    assert evidence.get_by_role("row", name="surname: same").is_visible()
    apart = why.locator(".apart")
    assert apart.get_by_role("link", name=TWIN).is_visible()
    assert "Somebody decided that they are two people." in apart.inner_text()
    assert "Unnamed records share it with several customers" in why.inner_text()


def test_the_history_is_filtered_and_paged_with_the_keyboard_alone(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}")
    history = page.locator("#history-body")
    assert history.locator(".event").count() == 25
    page.get_by_role("button", name="Show earlier contacts").focus()
    page.keyboard.press("Enter")
    expect_count(page.locator("#history-body .event"), 50)
    page.get_by_label("Channel", exact=True).focus()
    page.keyboard.type("Social")
    page.keyboard.press("Tab")
    expect_count(page.locator("#history-body .event"), 2)
    assert "Any news of my parcel?" in history.inner_text()
    first = history.locator(".event summary").first
    first.focus()
    page.keyboard.press("Enter")
    assert "Source" in history.locator(".event details[open]").inner_text()
    page.get_by_label("Subject contains").fill("parcel")
    page.keyboard.press("Enter")
    expect_count(page.locator("#history-body .event"), 1)
    assert "parcel" not in page.url


def test_what_a_machine_did_is_marked_and_can_be_hidden(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}")
    assert page.get_by_text("by a machine").first.is_visible()
    page.get_by_label("Hide machines").check()
    expect_count(page.locator("#history-body .event-bot"), 0)


def test_a_long_history_stays_small(own: Pages) -> None:
    page = own.open(f"/customers/{BUSY}")
    assert page.locator("#history-body .event").count() == 25
    assert own.assert_offline(page) > 50_000


def test_a_retired_id_leads_to_its_successor_and_says_so(own: Pages) -> None:
    page = own.open(f"/customers/{RETIRED}")
    assert page.url.split("?")[0].endswith(f"/customers/{ADA}")
    assert f"{RETIRED} has become part of this customer" in page.get_by_role("status").first.inner_text()


def test_nothing_personal_is_shown_to_who_may_not_see_it(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}", scopes=("read",))
    text = page.content()
    for personal in (
        "Ada Okafor",
        "ada.okafor",
        "7700900142",
        "14 Quay Street",
        "1988-04-17",
        "5f2c",
        "Sisters",
        "parcel",
    ):
        assert personal not in text, personal
    assert page.get_by_text("Personal data masked").is_visible()
    assert page.get_by_label("Subject contains").count() == 0
    assert page.get_by_role("link", name="Join or split").count() == 0
    assert_accessible(page, ("light",))


def test_a_record_is_split_off_after_confirmation_and_taken_back(own: Pages) -> None:
    page = own.open(f"/customers/{ADA}")
    page.get_by_role("link", name="Join or split").click()
    page.get_by_label("social").check()
    page.locator("#split-note").fill("Another Ada")
    page.locator("#split").get_by_role("button", name="Show what it does").click()
    assert "6 records stay with C00000001" in page.locator("#what").inner_text()
    assert_accessible(page)
    before = _judgements(own)
    page.get_by_role("button", name="Yes, split it off").click()
    notice = page.get_by_role("status").first
    assert "The next run applies it" in notice.inner_text()
    assert page.evaluate("one => one.getBoundingClientRect().top >= 0", notice.element_handle())
    made = _judgements(own)[len(before) :]
    assert {one.kind for one in made} == {"cannot_link"}
    assert len(made) == 6
    assert all("social:@ada.okafor" in one.pair for one in made)
    decided = page.locator("#why li", has_text="Another Ada")
    assert "applies at the next run" in decided.inner_text()
    decided.get_by_role("button", name="Take back").click()
    assert "It has not been applied yet" in page.locator("#what").inner_text()
    assert_accessible(page)
    assert _judgements(own)[len(before) :] == made
    page.get_by_role("button", name="Yes, take it back").click()
    notice = page.get_by_role("status").first
    assert "Taken back" in notice.inner_text()
    assert page.evaluate("one => one.getBoundingClientRect().top >= 0", notice.element_handle())
    taken = _judgements(own)[len(before) :]
    assert [(one.judgement_id, one.kind) for one in taken] == [(one.judgement_id, one.kind) for one in made]
    assert all(one.withdrawn_at and one.withdrawn_by for one in taken)
    decided = page.locator("#why li", has_text="Another Ada")
    assert "Taken back by" in decided.inner_text()
    assert decided.get_by_role("button", name="Take back").count() == 0
    assert _audited(own, ADA) >= {"profile.read", "identity.split", "identity.undo"}


def test_two_customers_are_joined_after_confirmation(own: Pages) -> None:
    page = own.open(f"/customers/{BUSY}/identity")
    page.get_by_label("The other customer").fill("bruno@nowhere.example")
    page.locator("#join").get_by_role("button", name="Show what it does").click()
    assert "There is no customer" in page.get_by_role("alert").inner_text()
    page.get_by_label("The other customer").fill("ada.okafor@mail.example")
    page.locator("#join").get_by_role("button", name="Show what it does").click()
    assert "one customer with 8 records" in page.locator("#what").inner_text()
    assert "bruno" not in page.url
    page.get_by_role("button", name="Yes, one person").click()
    assert _judgements(own)[-1].kind == "must_link"
    assert set(_judgements(own)[-1].pair) == {"web:u-3000", "calls:+447700900142"}
    assert "identity.link" in _audited(own, BUSY)
    assert "identity.link" in _audited(own, ADA)


def test_what_sources_say_is_text_and_nothing_else(own: Pages) -> None:
    page = own.open(f"/customers/{TWIN}")
    assert page.locator("#history-body").get_by_text(HOSTILE).first.is_visible()
    page.get_by_label("Subject contains").fill("<script>")
    page.keyboard.press("Enter")
    expect_count(page.locator("#history-body .event"), 1)
    page.locator("#history-body .event summary").click()
    assert HOSTILE in page.locator("#history-body .event-more").inner_text()
    assert "broken" not in page.title()


@pytest.mark.parametrize("path", [f"/customers/{ADA}", f"/customers/{ADA}/identity", f"/customers/{TWIN}"])
def test_the_pages_are_accessible_small_and_ask_nobody_else(own: Pages, path: str) -> None:
    page = own.open(path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert_accessible(page)
    own.assert_offline(page)


def _judgements(own: Pages) -> list[judgements.Judgement]:
    with Ledger(own.site.lake.ledger_path, read_only=True) as ledger:
        return judgements.read(ledger)


def _audited(own: Pages, subject: str) -> set[str]:
    rows = own.site.serving.store.rows("SELECT action FROM audit WHERE subject = ?", (subject,))
    return {row["action"] for row in rows}
