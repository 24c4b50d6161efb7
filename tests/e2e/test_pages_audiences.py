"""Audiences in a browser: a newcomer builds a segment, and takes it as CSV and as a Meta audience."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from cdp.ledger import Ledger
from cdp.settings import ExportSettings
from tests.pages_tools import Pages, assert_accessible
from warehouse.audiences import download, normalise, shares
from warehouse.audiences.download import Wish
from warehouse.audiences.selection import Audience


def build(page: Page, name: str) -> None:
    """A segment of everybody in one country."""
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    first = page.get_by_role("group", name="Condition 1")
    first.get_by_label("What to look at").select_option("country")
    first.get_by_label("How Country is compared").select_option("is")
    first.get_by_label("Value of Country").select_option("GB")
    page.get_by_role("button", name="Save segment").click()
    expect(page).to_have_url(re.compile(r"/segments/[a-z-]+"))


def take(page: Page, form: str) -> list[list[str]]:
    page.get_by_role("radio", name=re.compile(form)).check()
    with page.expect_download() as found:
        page.get_by_role("button", name=f"Download {form}").click()
    text = Path(found.value.path()).read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text)))


def may_leave(pages: Pages, segment: str | None, form: str = "csv") -> int:
    wish = Wish(Audience("marketing", segment=segment), "csv" if form == "csv" else "meta")
    serving = pages.site.serving
    with serving.releases.reading() as reader, reader.connection() as connection:
        return download.look(serving.lake, connection, wish).leaving


def test_a_newcomer_builds_a_segment_and_takes_it_as_csv_and_as_a_meta_audience(pages: Pages):
    page = pages.open("/segments")
    page.get_by_role("link", name=re.compile("New segment|Build the first one")).first.click()
    build(page, "British readers")
    page.get_by_role("link", name="Audiences", exact=True).click()
    assert_accessible(page)
    page.get_by_role("link", name="Download an audience").click()
    page.get_by_label("Segment").select_option(label="British readers")
    wanted = may_leave(pages, "british-readers")
    assert wanted > 0
    expect(page.locator("#leaving-count")).to_have_text(f"{wanted:,}")
    assert_accessible(page)
    rows = take(page, "CSV")
    header = rows[0]
    assert len(rows) == wanted + 1
    page.get_by_label("Channel of their consent").select_option(label="E-mail")
    page.get_by_label("Channel of their consent").select_option(index=0)
    hashed = take(page, "Meta audience")
    assert hashed[0][:4] == ["email", "email", "email", "phone"]
    assert len(hashed) == may_leave(pages, "british-readers", "meta") + 1
    mails = {row[header.index("email")] for row in rows[1:] if row[header.index("email")]}
    told = {cell for row in hashed[1:] for cell in row[:3]}
    assert {normalise.sha256(mail) for mail in mails} <= told
    pages.assert_offline(page)
    with Ledger(pages.site.lake.ledger_path) as ledger:
        log = [(one.kind, one.rows, one.segment) for one in shares.read(ledger, "british-readers")]
    assert log == [
        ("download meta", len(hashed) - 1, "british-readers"),
        ("download csv", wanted, "british-readers"),
    ]
    page.goto(f"{pages.site.address}/audiences")
    expect(page.get_by_role("cell", name=re.compile("download meta"))).to_be_visible()
    assert_accessible(page)
    pages.assert_offline(page)


def test_the_count_follows_the_form_without_a_new_page(pages: Pages):
    page = pages.open("/audiences/new")
    everybody = int(page.locator("#leaving-count").inner_text().replace(",", ""))
    page.get_by_label("Purpose").select_option(value="internal")
    members = page.locator("#outlook tr td").first
    expect(page.locator("#leaving-count")).not_to_have_text(f"{everybody:,}")
    expect(page.locator("#leaving-count")).to_have_text(members.inner_text())
    assert page.url.endswith("/audiences/new")
    page.get_by_role("radio", name=re.compile("Meta")).check()
    expect(page.locator("#outlook").get_by_role("alert")).to_contain_text("needs a purpose")


def test_exports_are_listed_with_when_they_go(pages: Pages):
    serving = pages.site.serving
    before = serving.settings
    given = {
        "ads": {"format": "meta", "purpose": "marketing", "channel": "email", "schedule": "0 6 * * 1"},
        "crm": {
            "purpose": "marketing",
            "schedule": "manual",
            "destination": {"url": "https://crm.example/in"},
        },
    }
    exports = {name: ExportSettings.model_validate(one) for name, one in given.items()}
    serving.settings = before.model_copy(update={"exports": exports})
    try:
        page = pages.open("/audiences", width=390)
        expect(page.get_by_role("row", name=re.compile("^ads"))).to_contain_text("Meta Custom Audiences")
        expect(page.get_by_role("row", name=re.compile("^crm"))).to_contain_text("by hand")
        assert_accessible(page)
    finally:
        serving.settings = before
