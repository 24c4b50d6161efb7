"""Segments in a browser: a newcomer builds one, sees its size, saves it, edits it; with the keyboard; for all eyes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.pages_tools import Pages, assert_accessible
from warehouse.segments import evaluate
from warehouse.segments.parse import parse


def build(page: Page) -> None:
    """Two conditions and one on behaviour."""
    page.get_by_role("textbox", name="Name", exact=True).fill("Busy readers")
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    first = page.get_by_role("group", name="Condition 1")
    first.get_by_label("What to look at").select_option("country")
    first.get_by_label("How Country is compared").select_option("is")
    first.get_by_label("Value of Country").select_option("GB")
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("What to look at").select_option("channels")
    second.get_by_label(re.compile("How Channels")).select_option("includes")
    second.get_by_label(re.compile("Value of Channels")).select_option("web")
    page.get_by_role("button", name="+ Behaviour", exact=True).click()
    third = page.get_by_role("group", name="Condition 3")
    third.get_by_label("What they did").select_option("page_viewed")
    third.get_by_label("How many times").fill("2")
    third.get_by_label("How many days").fill("365")


RULE = {
    "all": [
        {"field": "country", "op": "is", "value": "GB"},
        {"field": "channels", "op": "includes", "value": "web"},
        {"did": "page_viewed", "at_least": 2, "within_days": 365},
    ]
}


def expected(pages: Pages, rule: object) -> int:
    with pages.site.serving.releases.reading() as reader, reader.connection() as connection:
        return evaluate.count(connection, parse(rule, evaluate.fields_of(connection)))


def test_a_newcomer_builds_a_segment_sees_its_size_and_saves_it(pages: Pages):
    page = pages.open("/segments")
    page.get_by_role("link", name=re.compile("New segment|Build the first one")).first.click()
    build(page)
    wanted = expected(pages, RULE)
    assert wanted > 0
    expect(page.locator("#size-now")).to_have_text(f"{wanted:,}")
    expect(page.get_by_text("Did: page viewed, at least 2 times, within the last 365 days")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Save segment").click()
    expect(page).to_have_url(re.compile(r"/segments/busy-readers"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Busy readers")
    expect(page.locator(".tile", has_text="By today's rule").locator(".tile-value")).to_have_text(
        f"{wanted:,}"
    )
    assert_accessible(page)
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("group", name="Condition 3").get_by_label("How many times")).to_have_value("2")
    expect(page.locator("#size-now")).to_have_text(f"{wanted:,}")
    page.get_by_role("group", name="Condition 1").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("group", name="Condition 3")).to_have_count(0)
    wanted = expected(pages, {"all": RULE["all"][1:]})
    expect(page.locator("#size-now")).to_have_text(f"{wanted:,}")
    page.get_by_role("button", name="Save segment").click()
    expect(page.get_by_text("No longer: Country is GB")).to_be_visible()
    pages.assert_offline(page)
    page.goto(f"{pages.site.address}/segments")
    expect(page.get_by_role("link", name="Busy readers")).to_be_visible()
    assert_accessible(page)
    pages.assert_offline(page)
    pages.assert_sound()


def test_the_builder_is_used_with_the_keyboard_alone(pages: Pages):
    page = pages.open("/segments/new")
    page.get_by_role("textbox", name="Name", exact=True).focus()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")  # changes nothing
    page.get_by_role("button", name="+ Group").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="+ Behaviour to group 1")).to_be_visible()
    page.get_by_role("button", name="+ Behaviour to group 1").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("What they did", exact=True)).to_be_focused()
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("By keyboard")
    pages.assert_sound()


def test_what_is_missing_is_said_and_nothing_is_lost(pages: Pages):
    page = pages.open("/segments/new")
    page.get_by_role("textbox", name="Name", exact=True).fill("Half done")
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    page.get_by_label("What to look at").select_option("revenue")
    page.get_by_label("Value of").fill("plenty")
    expect(page.get_by_text("Expected a number, with at most 4 decimals.")).to_be_visible()
    page.get_by_role("button", name="Save segment").click()
    expect(page.get_by_role("alert")).to_contain_text("look at the marked conditions")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Half done")
    expect(page.get_by_label("Value of")).to_have_value("plenty")
    assert_accessible(page)


def test_who_may_only_read_sees_segments_masked_and_changes_none(pages: Pages):
    page = pages.open("/segments", scopes=("read",))
    expect(page.get_by_role("link", name="New segment")).to_have_count(0)
    assert page.goto(f"{pages.site.address}/segments/new").status == 403  # type: ignore[union-attr]


@pytest.mark.parametrize("width", [390, 1360])
def test_the_builder_fits_small_and_large_screens(pages: Pages, width):
    page = pages.open("/segments/new", width=width)
    build(page)
    expect(page.locator("#size-now")).to_be_visible()
    wide = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.tagName + '.' + e.className + '#' + e.id).slice(0, 9)"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), wide


def test_a_session_that_ends_takes_no_rule_with_it(pages: Pages):
    page = pages.open("/segments/new")
    page.get_by_role("textbox", name="Name", exact=True).fill("Kept")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    expect(page.get_by_role("link", name="Sign in in another tab")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Kept")
    assert page.url.endswith("/segments/new")
    again: list[Any] = [{**one, "value": pages.site.session()} for one in cookies]
    page.context.add_cookies(again)
    page.evaluate("() => { window.dispatchEvent(new Event('focus')); }")
    expect(page.get_by_text("You are signed in")).to_be_visible()
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    expect(page.get_by_role("group", name="Condition 1")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Kept")
