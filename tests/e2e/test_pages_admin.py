"""Pages of who administers, and of what goes wrong, in a browser: keys, the audit log, signing in, errors."""

from __future__ import annotations

import re

import pytest

from tests.pages_tools import Pages, assert_accessible

pytestmark = pytest.mark.slow


def test_a_key_is_made_shown_once_used_and_revoked(pages: Pages) -> None:
    page = pages.open("/keys")
    page.get_by_label("Name: who or what will use it").fill("Reporting robot")
    page.get_by_label("segments:").check()
    page.get_by_role("button", name="Make the key").click()
    key = page.get_by_label("Key", exact=True).input_value()
    assert re.fullmatch(r"cdp_[0-9a-f]{12}_[\w-]{43}", key)
    assert_accessible(page)
    key_id = key.split("_")[1]

    other = pages.browser.new_context().new_page()
    other.goto(f"{pages.site.address}/customers")
    assert "/sign-in?next=" in other.url
    other.get_by_label("API key").fill(key)
    other.get_by_role("button", name="Sign in").click()
    assert other.url == f"{pages.site.address}/customers"

    page.goto(f"{pages.site.address}/keys")
    assert key not in page.content()
    page.get_by_role("button", name="Revoke Reporting robot").click()
    row = page.get_by_role("row").filter(has_text=key_id)
    assert "revoked" in row.inner_text()
    other.goto(f"{pages.site.address}/customers")
    assert "/sign-in" in other.url
    pages.assert_offline(page)
    pages.assert_sound()


def test_the_audit_log_says_who_did_what(pages: Pages) -> None:
    page = pages.open("/keys")
    page.get_by_label("Name: who or what will use it").fill("Seen in the log")
    page.get_by_role("button", name="Make the key").click()
    page.goto(f"{pages.site.address}/audit")
    page.get_by_label("What", exact=True).select_option("key.*")
    page.get_by_role("button", name="Show").click()
    assert "Key create" in page.get_by_role("table").inner_text()
    assert_accessible(page)
    page.get_by_label("Of whom or what (id)").fill("nothing of this name")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_text("Nothing of this kind").is_visible()
    assert_accessible(page)
    pages.assert_offline(page)
    pages.assert_sound()


def test_errors_and_the_way_in_are_pages_like_the_others(pages: Pages) -> None:
    for path, said in (("/nothing", "Not Found"), ("/audit?before=0", "Unprocessable")):
        page = pages.open(path)
        assert page.get_by_role("heading", level=1).inner_text().startswith(said)
        assert_accessible(page)
    page = pages.open("/keys", scopes=("read",))
    assert page.get_by_role("heading", level=1).inner_text() == "Forbidden"
    door = pages.browser.new_context().new_page()
    door.goto(f"{pages.site.address}/sign-in")
    door.get_by_label("API key").fill("cdp_wrong_key")
    door.get_by_role("button", name="Sign in").click()
    assert door.get_by_role("alert").is_visible()
    assert_accessible(door)
    pages.assert_sound()
