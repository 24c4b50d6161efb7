"""The big release of the benchmarks, made small: it is really built, and the server finds its people."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serving_data import make
from benchmarks.serving_load import length_of, request
from warehouse.profile_index import FILE, ProfileIndex
from warehouse.profile_lookup import FromIndex, by_identifier


def test_a_small_one_has_what_the_big_one_has(tmp_path: Path) -> None:
    release = make(tmp_path / "small", 150, 3_000, memory_limit="800MB")
    rows = release.manifest["rows"]
    assert rows["customers"] == 150
    assert 2_700 < rows["record_events"] + rows["unattributed"] < 3_300
    assert all(
        rows[name] for name in ("customer_redirects", "match_evidence", "held_back_evidence", "quality")
    )
    with release.open() as connection:
        channels = connection.execute("SELECT DISTINCT channel FROM contact_history ORDER BY 1").fetchall()
        ((email, holders),) = connection.execute(
            "SELECT value, count(DISTINCT customer_id) FROM customer_identifiers WHERE type = 'email' "
            "GROUP BY value ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()
    assert [row[0] for row in channels] == ["crm", "email", "orders", "phone", "social", "support", "web"]
    index = ProfileIndex(release.folder / FILE)
    assert len(index) == 150
    assert len(by_identifier(FromIndex(index), "email", email).documents) == holders == 2


def test_requests_and_answers_are_measured_whole() -> None:
    text = request("POST", "/x", "a: b\r\n", "{}")
    assert text.endswith("content-length: 2\r\n\r\n{}")
    assert length_of(b"HTTP/1.1 200 OK\r\nConte") is None
    assert length_of(b"HTTP/1.1 304 Not Modified\r\n\r\n") == 29
