"""Finding customers in a browser, with keys and without scripts; the overview and the page about quality."""

from __future__ import annotations

import pytest

from tests.pages_tools import Pages, assert_accessible
from tests.pages_world import ADA

pytestmark = pytest.mark.slow


def test_typing_finds_somebody_and_the_arrow_keys_open_the_page(pages: Pages) -> None:
    page = pages.open("/customers")
    page.get_by_role("searchbox", name="Search customers").press_sequentially("okafro ada", delay=20)
    page.get_by_text("found, the best first").wait_for()
    first = page.locator("#customer-rows a.stretch").first
    assert first.get_attribute("href") == f"/customers/{ADA}"
    assert "okafro" not in page.url
    assert_accessible(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{ADA}")
    assert not [one.url for one in pages.asked[page] if "okafro" in one.url]


def test_a_slow_click_on_somebody_who_was_found_opens_their_page(pages: Pages) -> None:
    page = pages.open("/customers")
    page.get_by_role("searchbox").press_sequentially("okafor ada", delay=20)
    page.get_by_text("found, the best first").wait_for()
    page.wait_for_load_state("networkidle")
    asked = len(pages.asked[page])
    box = page.locator("#customer-rows a.stretch").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.wait_for_timeout(400)
    assert len(pages.asked[page]) == asked, "leaving the box searched again"
    page.mouse.up()
    page.wait_for_url(f"**/customers/{ADA}")


def test_who_comes_back_from_a_customer_finds_the_search(pages: Pages) -> None:
    page = pages.open("/customers")
    page.get_by_role("searchbox").press_sequentially("okafor ada", delay=20)
    page.get_by_text("found, the best first").wait_for()
    page.locator("#customer-rows a.stretch").first.click()
    page.wait_for_url(f"**/customers/{ADA}")
    page.go_back()
    page.get_by_text("found, the best first").wait_for()
    assert page.get_by_role("searchbox").input_value() == "okafor ada"
    page.goto(f"{pages.site.address}/customers")
    assert page.get_by_role("searchbox").input_value() == ""


def test_filters_narrow_the_list_and_stand_in_the_address(pages: Pages) -> None:
    page = pages.open("/customers")
    before = page.locator(".result-line").inner_text()
    page.get_by_text("Filters").click()
    page.get_by_label("Channel").select_option("phone")
    page.wait_for_url("**/customers?channel=phone")
    page.wait_for_function(
        "before => document.querySelector('.result-line').innerText !== before", arg=before
    )
    page.reload()
    assert page.get_by_label("Channel").input_value() == "phone"
    assert_accessible(page)
    pages.assert_offline(page)
    page.get_by_role("link", name="Save as a segment").click()
    page.wait_for_url("**/segments/new?rule=*")
    assert page.get_by_role("heading", level=1).inner_text()
    assert "phone" in page.content().lower()


def test_it_works_without_scripts(pages: Pages) -> None:
    page = pages.open("/customers")
    context = pages.browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(f"{pages.site.address}/customers")
    plain.get_by_role("searchbox").fill("bruno castel")
    plain.get_by_role("button", name="Search").click()
    assert "Bruno Castell" in plain.locator("#customer-rows").inner_text()
    assert plain.url == f"{pages.site.address}/customers"


def test_who_may_not_read_names_is_shown_none(pages: Pages) -> None:
    page = pages.open("/customers", scopes=("read",))
    assert "Okafor" not in page.content()
    page.get_by_role("searchbox").fill("ada okafor")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("Nobody was found").wait_for()
    page.get_by_role("searchbox").fill("ada.okafor@mail.example")
    page.get_by_role("button", name="Search").click()
    page.locator(f"a[href='/customers/{ADA}']").wait_for()
    assert "Okafor" not in page.locator("#results").inner_text()


@pytest.mark.parametrize("path", ["/", "/quality"])
def test_the_overview_and_quality_are_accessible_and_small(pages: Pages, path: str) -> None:
    page = pages.open(path)
    assert page.locator("h1").count() == 1
    assert_accessible(page)
    pages.assert_offline(page)
