"""Facebook pages: Messenger's webhooks and changes of a page; lead forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import lead_documents
from connectors.compile import Own
from tests.channel_tools import DATA, became, events, reasons
from tests.landing_tools import Landing

PAGE, ANN = "104000000000001", "24000000000000001"
HANDLE = f"handle facebook:{ANN}"
TIME = "2026-03-02T10:00:00+00:00"
Json = dict[str, Any]


def page(*messaging: Json, **lists: Any) -> Json:
    entry = (
        {"id": PAGE, "time": 1772445601000} | ({"messaging": list(messaging)} if messaging else {}) | lists
    )
    return {"object": "page", "entry": [entry]}


def dm(sender: str = ANN, recipient: str = PAGE, **event: Any) -> Json:
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": 1772445600000} | event


def change(field: str = "feed", **value: Any) -> Json:
    return page(changes=[{"field": field, "value": value}])


@pytest.mark.parametrize(
    ("event", "event_type", "direction"),
    [
        (dm(message={"mid": "m", "text": "Hi"}), "message_received", "inbound"),
        (dm(PAGE, ANN, message={"mid": "m", "text": "Hi", "is_echo": True}), "message_sent", "outbound"),
        (dm(PAGE, ANN, message={"mid": "m", "text": "Hi"}), "message_sent", "outbound"),
        (dm(message={"mid": "m", "is_deleted": True}), "message_deleted", "inbound"),
        (dm(message_edit={"mid": "m", "text": "Ho", "num_edit": 1}), "message_received", "inbound"),
        (dm(reaction={"mid": "m", "action": "react", "emoji": "❤"}), "message_reacted", "inbound"),
        (dm(postback={"mid": "p", "title": "Start", "payload": "GO"}), "message_received", "inbound"),
        (dm(postback={"payload": "GO"}), "message_received", "inbound"),
        (dm(read={"watermark": 1772445590000}), "message_read", "inbound"),
        (dm(delivery={"mids": ["m"], "watermark": 1772445590000}), "message_delivered", "outbound"),
        (dm(referral={"ref": "qr", "source": "SHORTLINK"}), "link_clicked", "inbound"),
        (dm(referral={"ad_id": "6", "source": "ADS"}), "ad_clicked", "inbound"),
        (dm(optin={"ref": "checkout"}), "consent_changed", "inbound"),
        (dm(account_linking={"status": "linked", "authorization_code": "x"}), "signed_in", "inbound"),
        (dm(account_linking={"status": "unlinked"}), "signed_out", "inbound"),
        (dm(messaging_feedback={"feedback_screens": [{"screen_id": 0}]}), "survey_answered", "inbound"),
    ],
)
def test_what_happens_in_a_conversation_is_the_persons_whoever_sent_it(
    event: Json, event_type: str, direction: str
) -> None:
    bodies = (page(event), page(standby=[event]), page(changes=[{"field": "messages", "value": event}]))
    for own in (Own(), Own(handles=frozenset({PAGE}))):
        told = events("messenger", "\n".join(map(json.dumps, bodies)), own=own)
        assert len(told) == len(bodies)
        for found in told:
            assert (found["event_type"], found["direction"]) == (event_type, direction)
            assert (found["identifiers"], found["occurred_at"]) == ([HANDLE], TIME)
            assert found["channel"] == "social"


def test_a_delivery_without_a_time_happened_at_its_watermark() -> None:
    (event,) = events("messenger", page(dm(delivery={"watermark": 1772445590000}) | {"timestamp": None}))
    assert event["occurred_at"] == "2026-03-02T09:59:50+00:00"


NEWS = {"type": "notification_messages", "notification_messages_token": "1"}


@pytest.mark.parametrize(
    ("optin", "purpose", "state"),
    [
        (NEWS, "marketing", "granted"),
        (NEWS | {"notification_messages_status": "STOP_NOTIFICATIONS"}, "marketing", "denied"),
        (NEWS | {"notification_messages_status": "RESUME_NOTIFICATIONS"}, "marketing", "granted"),
        ({"type": "one_time_notif_req", "payload": "x"}, "one_time_notification", "granted"),
        ({"ref": "plugin"}, "messages", "granted"),
    ],
)
def test_opting_in_and_stopping_is_consent(optin: Json, purpose: str, state: str) -> None:
    (event,) = events("messenger", page(dm(optin=optin)))
    assert (event["consent_purpose"], event["consent_channel"], event["consent_state"]) == (
        purpose,
        "social",
        state,
    )


def test_a_visitor_of_our_pages_is_known_by_the_plugin_until_the_first_message() -> None:
    optin = {"recipient": {"id": PAGE}, "timestamp": 1772445600000, "optin": {"user_ref": "v1", "ref": "r"}}
    prior = {"source": "checkbox_plugin", "identifier": "v1"}
    one, two = events("messenger", page(optin, dm(message={"mid": "m", "text": "Hi"}, prior_message=prior)))
    assert one["identifiers"] == ["anonymous_id messenger:v1"]
    assert two["identifiers"] == ["anonymous_id messenger:v1", HANDLE]


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("Ann@Post.example", "email :ann@post.example"),
        ("+442079460018", "phone :+442079460018"),
        ("Yes", None),
    ],
)
def test_an_address_that_was_shared_by_a_quick_reply_is_the_persons(
    text: str, identifier: str | None
) -> None:
    (event,) = events(
        "messenger", page(dm(message={"mid": "m", "text": text, "quick_reply": {"payload": text}}))
    )
    assert event["identifiers"] == [*([identifier] if identifier else []), HANDLE]
    (typed,) = events("messenger", page(dm(message={"mid": "m", "text": text})))
    assert typed["identifiers"] == [HANDLE]


def test_an_advertisement_and_a_postback_say_where_the_person_came_from() -> None:
    context = {"ad_title": "Lamps", "product_id": "L-7"}
    (event,) = events(
        "messenger",
        page(dm(referral={"ref": "r", "ad_id": "6", "source": "ADS", "ads_context_data": context})),
    )
    assert (event["subject"], event["campaign"], event["product"]) == ("Lamps", "6", "L-7")
    (event,) = events(
        "messenger",
        page(dm(postback={"title": "Go", "payload": "P", "referral": {"ref": "r", "ad_id": "7"}})),
    )
    assert (event["subject"], event["campaign"], event["outcome"]) == ("Go", "7", "postback")
    assert event["properties"] == {"payload": "P", "ref": "r"}


def test_a_read_a_delivery_and_a_message_of_one_moment_are_three_events() -> None:
    at = 1772445590000
    body = page(
        dm(read={"watermark": at}),
        dm(delivery={"watermark": at}),
        dm(delivery={"watermark": at, "mids": ["m"]}),
        dm(message={"mid": "m"}),
        dm(message_edit={"mid": "m", "text": "x", "num_edit": 1}),
        dm(message_edit={"mid": "m", "text": "y", "num_edit": 2}),
    )
    assert len({event["event_id"] for event in events("messenger", body)}) == 6


def test_an_event_that_meta_sends_again_in_another_batch_keeps_its_id() -> None:
    whole = became("messenger", (DATA / "messenger/batch.json").read_bytes())
    payloads = [json.dumps(json.loads(payload)) for payload in whole.raw["payload"].to_pylist()]
    alone = became("messenger", "\n".join(payloads))
    assert alone.raw["event_id"].to_pylist() == whole.raw["event_id"].to_pylist()
    assert alone.raw.num_rows == 27


@pytest.mark.parametrize(
    ("body", "event_type", "identifiers"),
    [
        (
            change(item="comment", verb="add", comment_id="c", **{"from": {"id": ANN}}),
            "comment_posted",
            [HANDLE],
        ),
        (change(item="reaction", verb="add", post_id="p", **{"from": {"id": ANN}}), "post_liked", [HANDLE]),
        (change("mention", post_id="p", **{"from": {"id": ANN}}), "post_mentioned", [HANDLE]),
        (change("ratings", item="rating", verb="add", reviewer_id=ANN), "review_posted", [HANDLE]),
        (change("leadgen", leadgen_id="9", form_id="8"), "lead_submitted", ["external_id facebook_lead:9"]),
    ],
)
def test_changes_of_the_page(body: Json, event_type: str, identifiers: list[str]) -> None:
    (event,) = events("messenger", body)
    assert (event["event_type"], event["identifiers"]) == (event_type, identifiers)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (page(dm(pass_thread_control={"new_owner_app_id": "1"})), "ignored:thread_control"),
        (page(dm(take_thread_control={"previous_owner_app_id": "1"})), "ignored:thread_control"),
        (page(dm(request_thread_control={"requested_owner_app_id": "1"})), "ignored:thread_control"),
        (page(dm(app_roles={"123": ["primary_receiver"]})), "ignored:thread_control"),
        (
            page({"recipient": {"id": PAGE}, "policy_enforcement": {"action": "block"}}),
            "ignored:account_notice",
        ),
        (page(dm(game_play={"game_id": "1"})), "ignored:unsupported_event"),
        (page(dm(reaction={"mid": "m", "action": "unreact"})), "ignored:reaction_removed"),
        (change(item="comment", verb="add", comment_id="c", **{"from": {"id": PAGE}}), "ignored:own_comment"),
        (change(item="comment", verb="remove", comment_id="c"), "ignored:unsupported_change"),
        (page(), "ignored:nothing_inside"),
        ({"object": "instagram", "entry": []}, "quarantined:not_a_page_body"),
        ({"a": 1}, "quarantined:not_a_page_body"),
    ],
)
def test_other_bodies_have_their_reasons(body: Json, reason: str) -> None:
    assert reasons("messenger", body) == {reason: 1}


def question(name: str, *values: Any) -> Json:
    return {"name": name, "values": list(values)}


def lead(*field_data: Json, id: str = "9", **more: Any) -> Json:
    return {"id": id, "created_time": "2026-03-02T10:00:00+0000", "field_data": list(field_data)} | more


NOTICE = change("leadgen", leadgen_id="9", form_id="8", ad_id="7", created_time=1772445600)
ANSWERED = lead(question("email", "ann@post.example"), question("full_name", "Ann Lee"), form_id="8")


def test_a_notice_knows_the_lead_and_nothing_of_the_person() -> None:
    (event,) = events("lead_ads", NOTICE)
    assert (event["event_type"], event["event_id"], event["outcome"]) == ("lead_submitted", "9", "notified")
    assert (event["identifiers"], event["reference"]) == (["external_id facebook_lead:9"], "8")
    assert (event["occurred_at"], "traits" in event) == (TIME, False)


def test_a_lead_has_what_was_answered() -> None:
    answers = [
        question("work_email", "Ann@Works.example"),
        question("phone_number_(eg.44xxx)", "p:+442079460018"),
        question("first_name", "Ann"),
        question("date_of_birth", "02/28/1990"),
        question("which_lamps?", "brass", "glass"),
        question("national_id_dni", "12345678"),
        question("empty"),
    ]
    consent = [{"checkbox_key": "news", "is_checked": "1"}, {"checkbox_key": "more", "is_checked": ""}]
    (event,) = events("lead_ads", lead(*answers, custom_disclaimer_responses=consent, campaign_name="Spring"))
    assert event["identifiers"] == [
        "external_id facebook_lead:9",
        "email :ann@works.example",
        "phone :+442079460018",
    ]
    assert (event["traits"]["given_name"], event["traits"]["birth_date"]) == ("Ann", "1990-02-28")
    assert event["properties"]["answers"] == {"which_lamps?": "brass, glass"}
    assert event["properties"]["disclaimers"] == {"news": True, "more": False}
    assert "12345678" not in json.dumps(event)
    assert event["campaign"] == "Spring"


@pytest.mark.parametrize("bodies", [(NOTICE, ANSWERED), (ANSWERED, NOTICE)])
def test_the_answers_stand_whenever_the_notice_arrives(tmp_path: Path, bodies: tuple[Json, Json]) -> None:
    landing = Landing.of(tmp_path, name="leads", connector="lead_ads", path="inbox/leads/*")
    for number, body in enumerate(bodies):
        landing.put(f"{number}.json", json.dumps(body))
        landing.run()
    (event,) = landing.events().to_pylist()
    assert event["traits"]["full_name"] == "Ann Lee"
    assert landing.total("superseded") == 1


def test_a_flat_lead_is_a_lead() -> None:
    flat = {"facebook_lead_id": ["9"], "created_time": ["02/28/2026 10:20"], "first_name": ["Ann"], "x?": [5]}
    (event,) = events("lead_ads", flat)
    assert (event["event_id"], event["occurred_at"]) == ("9", "2026-02-28T10:20:00+00:00")
    assert (event["traits"], event["properties"]) == ({"given_name": "Ann"}, {"answers": {"x?": "5"}})


def test_bodies_pages_and_kept_requests_are_divided_into_verbatim_leads() -> None:
    one, two = json.dumps(lead(id="1")), json.dumps(lead(id="2"), indent=1)
    found = became("lead_ads", f'{{"data": [{one}, {two}], "paging": {{}}}}')
    assert found.raw["payload"].to_pylist() == [one.encode(), two.encode()]
    for kept in (
        {"body": one},
        {"request": {"body": one}},
        {"input": {"request": {"body": one, "method": "POST"}}},
    ):
        assert became("lead_ads", kept).raw["payload"].to_pylist() == [one.encode()]
    both = page(changes=[NOTICE["entry"][0]["changes"][0], {"field": "feed", "value": {"item": "post"}}])
    assert reasons("lead_ads", {"body": json.dumps(both)}) == {"ignored:unsupported_change": 1}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (lead(question("email", "<test lead: dummy data for email>")), "ignored:test_lead"),
        (change("leadgen", leadgen_id="444444444444", form_id="444444444444"), "ignored:test_lead"),
        (change("feed", item="post"), "ignored:unsupported_change"),
        (page(dm(message={"mid": "m"})), "ignored:unsupported_change"),
        ({}, "ignored:nothing_inside"),
        ({"data": []}, "quarantined:not_a_lead"),
        ({"body": "text", "x": 1}, "quarantined:not_a_lead"),
        ({"body": "{}"}, "ignored:nothing_inside"),
        ({"name": "Ann"}, "quarantined:not_a_lead"),
        ("null", "quarantined:invalid_json"),
        ('{"id": "9", "field_data": [', "quarantined:truncated"),
    ],
)
def test_what_is_no_lead_has_its_reason(document: Json | str, reason: str) -> None:
    assert reasons("lead_ads", document) == {reason: 1}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["entry", "changes", "value", "field", "field_data", "name", "values", "body", "request", "email", "id",
             "leadgen_id", "created_time", "custom_disclaimer_responses"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(value=st.dictionaries(st.sampled_from(["entry", "field_data", "email", "body", "input", "id"]), _json))
def test_any_object_becomes_a_document(value: Json) -> None:
    assert lead_documents.document(value)["kind"] in ("lead", "notice", "other", "unknown")


@given(payload=st.binary(max_size=100))
def test_any_bytes_become_documents_or_a_reason(payload: bytes) -> None:
    for data in (payload, b'{"field_data":[' + payload, b'{"entry":' + payload + b"}"):
        try:
            lead_documents.documents(data)
        except ValueError as error:
            assert error.args == ("invalid_json",)  # noqa: PT017 - most bytes are documents of nothing
