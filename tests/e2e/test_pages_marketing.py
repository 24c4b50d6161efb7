"""The pages of marketing in a browser: what they tell is in the release, they lead on, and everybody can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages_tools import assert_accessible

if TYPE_CHECKING:
    from tests.pages_tools import Pages

SECTIONS = {
    "/marketing": "Marketing",
    "/marketing/rfm": "Recency, frequency, money",
    "/marketing/lifecycle": "Lifecycle",
    "/marketing/campaigns": "Campaigns",
    "/marketing/channels": "Channels",
    "/marketing/escalations": "Escalations",
    "/marketing/profitability": "Profitability",
}


@pytest.mark.parametrize("path", SECTIONS)
def test_each_page_is_accessible_small_and_asks_nobody_else(pages: Pages, path: str) -> None:
    page = pages.open(path)
    assert page.locator("h1").all_inner_texts() == [SECTIONS[path]]
    assert page.locator("nav[aria-label=Marketing] [aria-current=page]").get_attribute("href") == path
    assert_accessible(page)
    pages.assert_offline(page)
    pages.assert_sound()


def test_the_segments_add_up_and_lead_to_their_customers(pages: Pages) -> None:
    page = pages.open("/marketing/rfm")
    links = page.locator("#segments tbody th a")
    assert links.first.get_attribute("href") == "/customers?rfm_segment=champions"
    numbers = page.locator("#segments tbody tr td:nth-child(3)").all_inner_texts()
    with pages.site.serving.releases.reading() as reader, reader.connection() as connection:
        (buyers,) = connection.execute("SELECT count(rfm_segment) FROM customers").fetchone()  # type: ignore[misc]
    assert sum(int(number.replace(",", "")) for number in numbers) == buyers > 0


def test_campaigns_are_sorted_by_a_column_and_filtered_by_channel_without_a_script(pages: Pages) -> None:
    page = pages.open("/marketing/campaigns")
    page.get_by_role("link", name="Clicked").click()
    assert page.locator("[aria-sort=descending]").inner_text().startswith("Clicked")
    clicks = [
        int(text.split()[0].replace(",", ""))
        for text in page.locator("#campaigns tbody tr td:nth-child(6)").all_inner_texts()
    ]
    assert clicks == sorted(clicks, reverse=True)
    assert len(clicks) > 1
    page.get_by_label("Channel").select_option("email")
    page.get_by_role("button", name="Show").click()
    assert set(page.locator("#campaigns tbody td:nth-child(2)").all_inner_texts()) == {"E-mail"}
    assert page.locator("[aria-sort=descending]").inner_text().startswith("Clicked")


def test_charts_have_the_same_numbers_as_a_table(pages: Pages) -> None:
    page = pages.open("/marketing/lifecycle")
    page.locator("#standing-chart summary").click()
    cells = page.locator("#standing-chart tbody tr").last.locator("td").all_inner_texts()
    assert len(cells) == 5
    assert sum(int(cell.replace(",", "")) for cell in cells) > 0
    painted = page.evaluate(
        "Chart.getChart(document.querySelector('#standing-chart canvas')).data.datasets.length"
    )
    assert painted == 5


def test_without_costs_the_page_says_how_to_give_them(pages: Pages) -> None:
    page = pages.open("/marketing/profitability")
    assert "No costs are configured" in page.locator("main").inner_text()
    assert "call_minute" in page.locator("pre").inner_text()


def test_who_is_not_signed_in_is_led_to_the_door(pages: Pages) -> None:
    context = pages.browser.new_context()
    page = context.new_page()
    page.goto(f"{pages.site.address}/marketing/rfm")
    assert page.get_by_label("API key").is_visible()
    assert "/marketing/rfm" not in page.locator("main").inner_text()
