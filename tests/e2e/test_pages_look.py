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
