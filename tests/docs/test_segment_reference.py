"""The reference of segments is what the code knows."""

from __future__ import annotations

from tests.docs.segment_reference import PAGE, SCHEMA, page, schema_text


def test_the_page_is_made_from_the_fields_and_operators():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it again: python -m tests.docs.segment_reference"
    )


def test_the_published_schema_is_the_one_of_the_code():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "python -m tests.docs.segment_reference"
