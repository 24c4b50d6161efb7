"""The page of analysts in a browser: a query is written, answered, taken away; the dictionary helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages_tools import Pages, assert_accessible

pytestmark = pytest.mark.slow


def test_the_page_is_accessible_small_and_asks_nobody_else(pages: Pages) -> None:
    page = pages.open("/sql")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("heading", name="Answer").wait_for()
    assert_accessible(page)
    pages.assert_offline(page)
    pages.assert_sound()


def test_a_query_is_written_from_the_dictionary_and_run_by_keyboard(pages: Pages) -> None:
    page = pages.open("/sql")
    editor = page.get_by_label("SQL query")
    editor.fill("SELECT channel, count(*) AS n FROM ")
    editor.focus()
    page.get_by_label("Find a table or a column").fill("contact_history occurred_at")
    page.get_by_text("1 columns").wait_for()
    editor.press("End")
    page.get_by_role("button", name="occurred_at").click()
    assert editor.input_value().endswith("FROM occurred_at")
    editor.fill("SELECT channel, count(*) AS n FROM contact_history GROUP BY ALL ORDER BY ALL")
    editor.press("Control+Enter")
    table = page.get_by_role("region", name="Rows of the answer")
    table.wait_for()
    assert table.get_by_role("columnheader").all_inner_texts() == ["channel", "n"]
    assert table.get_by_role("row").count() > 3
    page.get_by_role("button", name="SELECT channel, count(*)").wait_for()


def test_a_mistake_is_said_in_words_and_the_page_stays(pages: Pages) -> None:
    page = pages.open("/sql")
    page.get_by_label("SQL query").fill("SELECT emial FROM customers")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("alert").wait_for()
    assert "emial" in page.get_by_role("alert").inner_text()
    assert_accessible(page)


def test_an_answer_is_taken_away_as_a_file(pages: Pages) -> None:
    page = pages.open("/sql")
    page.get_by_label("SQL query").fill("SELECT customer_id FROM customers ORDER BY ALL LIMIT 2")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "customer_id"
    assert len(lines) == 3
    assert started.value.suggested_filename.endswith(".csv")


def test_without_read_pii_the_page_says_how_to_have_a_masked_copy(pages: Pages) -> None:
    page = pages.open("/sql", scopes=("read",))
    page.get_by_text("this release has no masked copy").wait_for()
    for name in ("Run", "Download CSV", "Download Parquet"):
        assert page.get_by_role("button", name=name).is_disabled()
    assert_accessible(page)
