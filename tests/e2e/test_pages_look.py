"""The frame of all pages: signed out and signed in, light and dark, by keyboard, with nothing from elsewhere."""

from __future__ import annotations

import pytest

from tests.pages_tools import Pages, assert_accessible

pytestmark = pytest.mark.slow


def test_the_sign_in_page_is_accessible_and_small(pages: Pages) -> None:
    page = pages.open("/sign-in")
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in to Harbour Books"
    assert_accessible(page)
    assert pages.assert_offline(page) > 10_000


def test_somebody_signs_in_with_a_key_and_out_again(pages: Pages) -> None:
    page = pages.open("/sign-in")
    page.context.clear_cookies()
    page.get_by_label("API key").fill(pages.site.key("read", name="reader"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out reader").wait_for()
    page.get_by_role("button", name="Sign out reader").click()
    page.get_by_label("API key").wait_for()


def test_without_scripts_the_colours_follow_the_system(pages: Pages) -> None:
    colour = "() => getComputedStyle(document.body).backgroundColor"
    for path in ("/sign-in", "/marketing"):
        scripted = pages.open(path, scheme="dark")
        context = pages.browser.new_context(java_script_enabled=False, color_scheme="dark")
        context.add_cookies(scripted.context.cookies())  # type: ignore[arg-type]
        plain = context.new_page()
        plain.goto(f"{pages.site.address}{path}")
        assert plain.evaluate(colour) == scripted.evaluate(colour)
        context.close()


def test_a_narrow_screen_folds_the_menu(pages: Pages) -> None:
    page = pages.open("/quality", width=400)
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Customers")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    assert_accessible(page)
    link.click()
    page.wait_for_url("**/customers")
