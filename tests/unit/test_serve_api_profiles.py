"""The API of profiles: look-ups, redirects, history, evidence, tags, masking, and what the audit log keeps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cdp.lake import Lake
from tests.serve_tools import EMAIL, NAME, PHONE, Served
from tests.warehouse_tools import edge, event, identifier, order, publish_into, table, value, world
from warehouse.api import profiles
from warehouse.inputs import REDIRECTS
from warehouse.profile_index import FILE
from warehouse.serve.keys import Limits

URL = "/api/v1/profiles"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("profiles")
    events = [event(f"e{n}", "web:1", at=n // 2, channel="web") for n in range(9)]
    events += [order("o1", "25.00", "shop:1", at=20), event("m1", "web:1", at=30, channel="email", direction="inbound",
               event_type="email_opened", properties='{"subject": "News"}')]  # fmt: skip
    inputs = world(
        folder / "in",
        [events],
        {"web:1": "C1", "shop:1": "C1", "web:2": "C2", "web:3": "C3"},
        identifiers=[
            identifier("web:1", "email", EMAIL),
            identifier("shop:1", "email", EMAIL),
            identifier("shop:1", "phone", PHONE),
            identifier("web:2", "user_id", "17", namespace="web"),
            identifier("web:3", "user_id", "17", namespace="crm"),
        ],
        values=[
            value("web:1", "email", EMAIL),
            value("web:1", "full_name", NAME),
            value("web:2", "city", "York"),
        ],
        evidence=[edge("web:1", "shop:1", 9.5, kind="deterministic"), edge("web:1", "web:2", -2.0)],
        redirects=table(REDIRECTS, [{"previous_customer_id": "C9", "customer_id": "C1"}]),
    )
    lake = Lake(folder / "workspace")
    publish_into(lake, inputs)
    return lake


@pytest.fixture(scope="module", params=["index", "tables"])
def opened(lake: Lake, request: pytest.FixtureRequest) -> Iterator[Served]:
    """With the release's index, and as a release answers that has none."""
    one = Served(lake)
    reader = one.serving.releases.pin()
    assert (reader.release.folder / FILE).is_file()
    if request.param == "tables":
        reader.__dict__["profiles"] = None
    yield one
    one.serving.releases.unpin(reader)
    one.close()


@pytest.fixture
def served(opened: Served) -> Served:
    opened.serving.store.execute("DELETE FROM audit")
    return opened


def audited(served: Served) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in served.serving.store.rows("SELECT action, subject, rows FROM audit ORDER BY audit_id")
    ]


@pytest.mark.parametrize(
    ("body", "customer_id", "matched_by"),
    [
        ({"type": "email", "value": " Jane.Doe@Mail.Example "}, "C1", "identifier"),
        ({"type": "phone", "value": PHONE}, "C1", "identifier"),
        ({"type": "user_id", "value": "17", "namespace": "crm"}, "C3", "identifier"),
        ({"identifier": EMAIL}, "C1", "identifier"),
        ({"identifier": "c1"}, "C1", "customer_id"),
        ({"identifier": "C9"}, "C1", "retired_id"),
        ({"identifier": "shop:1"}, "C1", "record_key"),
        ({"identifier": f"email:{EMAIL}"}, "C1", "identifier"),
    ],
)
def test_a_profile_is_found_by_any_identifier(
    served: Served, body: dict[str, str], customer_id: str, matched_by: str
) -> None:
    answer = served.with_key("read-pii").post(f"{URL}/lookup", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["profile"]["customer_id"], found["matched_by"]) == (customer_id, matched_by)
    assert (found["candidates"], found["more"]) == ([], False)
    assert audited(served) == [("profile.read", customer_id, None)]


def test_several_customers_of_an_identifier_are_candidates(served: Served) -> None:
    found = served.with_key("read-pii").post(f"{URL}/lookup", json={"type": "user_id", "value": "17"}).json()
    assert found["profile"] is None
    assert [(one["customer_id"], one["city"]) for one in found["candidates"]] == [
        ("C2", "York"),
        ("C3", None),
    ]
    assert audited(served) == [("profile.read", "C2", None), ("profile.read", "C3", None)]


def test_a_namespace_of_what_has_none_is_refused(served: Served) -> None:
    body = {"type": "email", "value": EMAIL, "namespace": "crm"}
    answer = served.with_key("read").post(f"{URL}/lookup", json=body)
    assert (answer.status_code, "no namespace" in answer.text) == (422, True)


def test_a_look_up_that_may_take_long_keeps_no_other_request_waiting(served: Served) -> None:
    with served.serving.releases.reading() as reader:
        ran = asyncio.run(profiles.ask(reader, lambda _: threading.get_ident(), long=True))
    assert ran != threading.get_ident()


def test_nobody_found_is_404_and_is_kept_without_what_was_asked(served: Served) -> None:
    answer = served.with_key("read").post(
        f"{URL}/lookup", json={"type": "email", "value": "nobody@mail.example"}
    )
    assert answer.status_code == 404
    assert "nobody" not in answer.text
    assert audited(served) == [("profile.lookup", None, 0)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "email"},
        {"type": "shoe_size", "value": "1"},
        {"identifier": ""},
        {"identifier": "x", "more": 1},
    ],
)
def test_a_look_up_that_says_nothing_is_refused(served: Served, body: dict[str, Any]) -> None:
    assert served.with_key("read").post(f"{URL}/lookup", json=body).status_code == 422


def test_a_retired_id_redirects_or_is_followed(served: Served) -> None:
    client = served.with_key("read")
    answer = client.get(f"{URL}/C9/history?limit=3")
    assert (answer.status_code, answer.headers["location"]) == (308, f"{URL}/C1/history?limit=3")
    assert client.get(f"{URL}/C9").headers["location"] == f"{URL}/C1"
    followed = client.get(f"{URL}/C9?follow=true").json()
    assert (followed["profile"]["customer_id"], followed["redirected_from"]) == ("C1", "C9")
    assert client.get(f"{URL}/C8").status_code == 404
    assert client.get(f"{URL}/jane@mail.example").status_code == 422


def test_personal_data_come_masked_without_the_scope(served: Served) -> None:
    client = served.with_key("read")
    texts = [
        client.post(f"{URL}/lookup", json={"identifier": EMAIL}).text,
        client.get(f"{URL}/C1?include=evidence").text,
        client.get(f"{URL}/C1/history").text,
        client.get(f"{URL}/C1/evidence").text,
    ]
    for text in texts:
        assert not any(secret in text for secret in (EMAIL, PHONE, NAME, '"web:1"', '"shop:1"'))
    assert served.with_key("read-pii").get(f"{URL}/C1").json()["profile"]["customer"]["email"] == EMAIL


def test_a_history_comes_whole_in_pages_of_any_size(served: Served) -> None:
    client = served.with_key("read-pii")
    whole = client.get(f"{URL}/C1/history").json()
    assert whole["next"] is None
    times = [one["occurred_at"] for one in whole["events"]]
    assert times == sorted(times, reverse=True)
    assert len(whole["events"]) == 11
    for size in (1, 3, 10, 11):
        read, cursor = [], ""
        while True:
            page = client.get(f"{URL}/C1/history?limit={size}{cursor}").json()
            read += page["events"]
            if page["next"] is None:
                break
            assert len(page["events"]) == size
            cursor = f"&cursor={page['next']}"
        assert read == whole["events"]


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("channel=email", ["m1"]),
        ("event_type=order_placed", ["o1"]),
        ("source=shop", ["o1"]),
        ("direction=inbound", ["m1"]),
        ("from=2025-01-21T00:00:00Z&to=2025-01-31T00:00:00Z", ["o1"]),
        ("from=2025-01-31T01:00:00%2B01:00", ["m1"]),
        ("channel=email&source=shop", []),
    ],
)
def test_a_history_is_filtered(served: Served, query: str, events: list[str]) -> None:
    found = served.with_key("read-pii").get(f"{URL}/C1/history?{query}").json()
    assert [one["event_id"] for one in found["events"]] == events


def test_an_event_has_money_as_text_and_properties_as_json(served: Served) -> None:
    opened, placed = served.with_key("read-pii").get(f"{URL}/C1/history?limit=2").json()["events"]
    assert (opened["properties"], opened["record_key"]) == ({"subject": "News"}, "web:1")
    assert (placed["amount"], placed["currency"], placed["properties"]) == ("25.0000", "GBP", None)


def test_evidence_names_the_weakest_link_and_what_was_held_back(served: Served) -> None:
    found = served.with_key("read-pii").get(f"{URL}/C1/evidence").json()
    assert [record["record_key"] for record in found["records"]] == ["shop:1", "web:1"]
    why = found["evidence"]
    assert (why["edge_count"], why["kinds"], why["weakest"]["match_weight"]) == (1, {"deterministic": 1}, 9.5)
    assert [(one["other_customer_id"], one["match_weight"]) for one in why["held_back"]] == [("C2", -2.0)]


def test_an_answer_that_is_known_is_not_sent_again_yet_kept(served: Served) -> None:
    seeing, masked = served.with_key("read-pii"), served.with_key("read")
    for path in ("", "/history", "/evidence"):
        tag = seeing.get(f"{URL}/C1{path}").headers["etag"]
        again = seeing.get(f"{URL}/C1{path}", headers={"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in again.headers["vary"]
        assert masked.get(f"{URL}/C1{path}", headers={"if-none-match": tag}).status_code == 200
    assert [row[0] for row in audited(served)] == ["profile.read"] * 9


def test_rows_of_a_history_count(served: Served) -> None:
    client = served.client()
    key = served.key("read", limits=Limits(rows_per_day=15))
    client.headers["authorization"] = f"Bearer {key}"
    assert client.get(f"{URL}/C1/history").status_code == 200
    refused = client.get(f"{URL}/C1/history")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
