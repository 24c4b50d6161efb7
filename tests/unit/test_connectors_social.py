"""Social networks: WhatsApp and Instagram webhooks, Mastodon's entities."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.compile import Own
from tests.channel_tools import DATA, became, events, reasons

ACCOUNT = "17841405822304914"
Json = dict[str, Any]


def change(field: str = "messages", **value: Any) -> Json:
    metadata = {"display_phone_number": "442071234567", "phone_number_id": "1"}
    return {"value": {"messaging_product": "whatsapp", "metadata": metadata} | value, "field": field}


def whatsapp(*changes: Json) -> Json:
    return {"object": "whatsapp_business_account", "entry": [{"id": "10", "changes": list(changes)}]}


def text(number: str = "972543217768", id: str = "wamid.1", body: str = "Hello") -> Json:
    return {"from": number, "id": id, "timestamp": "1772445600", "type": "text", "text": {"body": body}}


def contact(number: str = "972543217768", name: str = "Ann") -> Json:
    return {"profile": {"name": name}, "wa_id": number}


def state(word: str, **more: Any) -> Json:
    return {"id": "wamid.2", "status": word, "timestamp": "1772445600", "recipient_id": "972543217768"} | more


def test_a_message_has_the_number_with_its_plus_and_the_profile_name() -> None:
    (event,) = events("whatsapp", whatsapp(change(contacts=[contact()], messages=[text()])))
    assert (event["event_type"], event["subject"], event["direction"]) == (
        "message_received",
        "Hello",
        "inbound",
    )
    assert event["identifiers"] == ["phone :+972543217768"]
    assert event["traits"] == {"full_name": "Ann"}


def test_a_body_of_one_item_is_its_payload_to_the_byte() -> None:
    data = json.dumps(whatsapp(change(contacts=[contact()], messages=[text()])), indent=2).encode()
    assert became("whatsapp", data).raw["payload"].to_pylist() == [data]


def test_a_body_of_several_items_becomes_bodies_of_one_each_with_its_contact() -> None:
    both = change(
        contacts=[contact("972543217768", "Ann"), contact("972549871112", "Bob")],
        messages=[text("972549871112", "b"), text("972543217768", "a")],
        statuses=[state("read")],
    )
    body = whatsapp(both, change("account_update", event="DISABLED_UPDATE"))
    found = became("whatsapp", body)
    payloads = [json.loads(payload) for payload in found.raw["payload"].to_pylist()]
    values = [payload["entry"][0]["changes"][0]["value"] for payload in payloads]
    assert [len(payload["entry"][0]["changes"]) for payload in payloads] == [1, 1, 1, 1]
    ann, bob = both["value"]["contacts"]
    assert [value.get("contacts") for value in values] == [[bob], [ann], [ann], None]
    assert all(value["metadata"] == both["value"]["metadata"] for value in values)
    alone = [became("whatsapp", payload).events.drop_columns(["raw_row"]).to_pylist() for payload in payloads]
    together = found.events.drop_columns(["raw_row"]).to_pylist()
    assert together == [event for part in alone for event in part]
    assert found.reasons() == {"ignored:account_notice": 1}


def test_parts_keep_the_bytes_of_their_numbers_and_texts() -> None:
    raw = '{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{"messages":[{"from":"972543217768","id":"a","timestamp":"1772445600","type":"text","text":{"body":"\\u00e9"},"x":1.50},{"from":"972543217768","id":"b","type":"text","x":1e2}]},"field":"messages"}]}]}'  # fmt: skip  # noqa: E501
    one, two = became("whatsapp", raw).raw["payload"].to_pylist()
    assert b'"\\u00e9"' in one
    assert b'"x":1.50' in one
    assert b'"x":1e2' in two


@pytest.mark.parametrize(
    ("message", "event_type", "subject"),
    [
        ({"type": "image", "image": {"caption": "a lamp"}}, "message_received", "a lamp"),
        ({"type": "button", "button": {"text": "Yes"}}, "message_received", "Yes"),
        (
            {"type": "interactive", "interactive": {"button_reply": {"title": "Track"}}},
            "message_received",
            "Track",
        ),
        ({"type": "interactive", "interactive": {"list_reply": {"title": "Two"}}}, "message_received", "Two"),
        ({"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}}, "message_reacted", "👍"),
        (
            {"type": "location", "location": {"name": "Home", "latitude": 1.5, "longitude": 2}},
            "message_received",
            "Home",
        ),
        (
            {"type": "order", "order": {"product_items": [{"product_retailer_id": "L-1"}]}},
            "message_received",
            None,
        ),
        ({"type": "unsupported", "errors": [{"title": "Unknown"}]}, "message_received", "Unknown"),
        ({"type": "revoke", "revoke": {"original_message_id": "x"}}, "message_deleted", None),
    ],
)
def test_kinds_of_messages(message: Json, event_type: str, subject: str | None) -> None:
    base = {"from": "972543217768", "id": "wamid.1", "timestamp": "1772445600"}
    (event,) = events("whatsapp", whatsapp(change(messages=[base | message])))
    assert (event["event_type"], event.get("subject"), event["outcome"]) == (
        event_type,
        subject,
        message["type"],
    )


def test_the_states_of_a_message_are_events_of_their_own() -> None:
    words = ("sent", "delivered", "read", "played", "failed")
    found = events("whatsapp", whatsapp(*(change(statuses=[state(word)]) for word in words)))
    assert [event["event_type"][8:] for event in found] == ["sent", "delivered", "read", "read", "failed"]
    assert len({event["event_id"] for event in found}) == 5
    assert {event["reference"] for event in found} == {"wamid.2"}


def test_a_group_reports_its_members_one_by_one() -> None:
    group = {"recipient_type": "group", "recipient_id": "group-1"}
    states = [
        state("read", recipient_participant_id=number, **group) for number in ("972543217768", "972549871112")
    ]
    one, two = events("whatsapp", whatsapp(change(statuses=states)))
    assert (one["identifiers"], two["identifiers"]) == (["phone :+972543217768"], ["phone :+972549871112"])
    assert one["event_id"] != two["event_id"]


def test_a_person_who_changes_the_number_keeps_both() -> None:
    system = {"from": "972543217768", "id": "s", "timestamp": "1772445600", "type": "system"}
    system |= {"system": {"type": "user_changed_number", "wa_id": "972549871112"}}
    (event,) = events("whatsapp", whatsapp(change(messages=[system])))
    assert event["event_type"] == "contact_updated"
    assert event["identifiers"] == ["phone :+972543217768", "phone :+972549871112"]


@pytest.mark.parametrize(
    ("call", "event_type"),
    [
        ({"direction": "BUSINESS_INITIATED", "from": "442071234567", "to": "972543217768"}, "call_placed"),
        ({"direction": "USER_INITIATED", "from": "972543217768", "to": "442071234567"}, "call_received"),
        (
            {"direction": "USER_INITIATED", "from": "972543217768", "to": "442071234567", "status": "FAILED"},
            "call_missed",
        ),
    ],
)
def test_calls_count_at_their_end(call: Json, event_type: str) -> None:
    end = {
        "id": "c",
        "event": "terminate",
        "timestamp": "1772445600",
        "status": "COMPLETED",
        "duration": 90,
    } | call
    (event,) = events("whatsapp", whatsapp(change("calls", calls=[end])))
    assert (event["event_type"], event["identifiers"]) == (event_type, ["phone :+972543217768"])
    assert event["duration_seconds"] == 90.0
    assert reasons("whatsapp", whatsapp(change("calls", calls=[end | {"event": "connect"}]))) == {
        "ignored:call_progress": 1
    }


@pytest.mark.parametrize(
    ("value", "state_"), [("stop", "denied"), ("resume", "granted"), ("signup", "granted")]
)
def test_marketing_preferences_are_consent(value: str, state_: str) -> None:
    preference = {
        "wa_id": "972543217768",
        "value": value,
        "category": "marketing_messages",
        "timestamp": 1772445600,
    }
    (event,) = events("whatsapp", whatsapp(change("user_preferences", user_preferences=[preference])))
    assert (event["event_type"], event["consent_purpose"], event["consent_state"]) == (
        "consent_changed",
        "marketing",
        state_,
    )


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (whatsapp(change("message_template_status_update", event="APPROVED")), "ignored:template_notice"),
        (whatsapp(change("phone_number_name_update")), "ignored:account_notice"),
        (whatsapp(change("history", history=[])), "ignored:unsupported_change"),
        (whatsapp(change(statuses=[state("deleted")])), "ignored:status_notice"),
        (whatsapp(change(statuses=[state("something new")])), "quarantined:unknown_event_type"),
        (whatsapp(), "quarantined:no_change_inside"),
        ({"object": "page", "entry": []}, "quarantined:not_a_whatsapp_body"),
        ({"a": 1}, "quarantined:not_a_whatsapp_body"),
    ],
)
def test_other_whatsapp_bodies_have_their_reasons(document: Json, reason: str) -> None:
    assert reasons("whatsapp", document) == {reason: 1}


def test_named_bodies_in_one_object_are_bodies() -> None:
    body = whatsapp(change(contacts=[contact()], messages=[text()]))
    found = became("whatsapp", {"one": body, "two": body, "three": {"other": 1}})
    assert (found.events.num_rows, found.reasons()) == (2, {"quarantined:not_a_whatsapp_body": 1})


def instagram(*messaging: Json, object: str = "instagram", **lists: Any) -> Json:
    entry = (
        {"id": ACCOUNT, "time": 1772445600000} | ({"messaging": list(messaging)} if messaging else {}) | lists
    )
    return {"object": object, "entry": [entry]}


def dm(sender: str = "998", recipient: str = ACCOUNT, **event: Any) -> Json:
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": 1772445600000} | event


@pytest.mark.parametrize(
    ("event", "event_type", "direction"),
    [
        (dm(message={"mid": "m", "text": "Hi"}), "message_received", "inbound"),
        (dm(ACCOUNT, "998", message={"mid": "m", "text": "Hi", "is_echo": True}), "message_sent", "outbound"),
        (dm(message={"mid": "m", "is_deleted": True}), "message_deleted", "inbound"),
        (dm(message={"mid": "m", "attachments": [{"type": "story_mention"}]}), "post_mentioned", "inbound"),
        (dm(reaction={"mid": "m", "action": "react", "emoji": "❤"}), "message_reacted", "inbound"),
        (dm(postback={"mid": "p", "title": "Start"}), "message_received", "inbound"),
        (dm(read={"mid": "m"}), "message_read", "inbound"),
        (dm(delivery={"mids": ["m"], "watermark": 1772445600000}), "message_delivered", "outbound"),
        (dm(referral={"ref": "qr-code"}), "link_clicked", "inbound"),
    ],
)
def test_instagram_events_are_of_the_person_whoever_sent_them(
    event: Json, event_type: str, direction: str
) -> None:
    for own in (Own(), Own(handles=frozenset({ACCOUNT}))):
        (found,) = events("instagram", instagram(event), own=own)
        assert (found["event_type"], found["direction"]) == (event_type, direction)
        assert found["identifiers"] == ["handle instagram:998"]
        assert found["occurred_at"] == "2026-03-02T10:00:00+00:00"


def test_a_message_and_its_deletion_are_two_events() -> None:
    deleted = dm(message={"mid": "m", "is_deleted": True})
    one, two = events("instagram", instagram(dm(message={"mid": "m", "text": "Hi"}), deleted))
    assert (one["event_id"], two["event_id"]) == ("m", "m:true")


def test_instagram_batches_are_bodies_of_one_each() -> None:
    data = (DATA / "instagram/batch.json").read_bytes()
    found = became("instagram", data)
    assert found.raw.num_rows == 12
    payloads = [json.loads(payload) for payload in found.raw["payload"].to_pylist()]
    assert all(len(payload["entry"]) == 1 for payload in payloads)
    alone = [became("instagram", payload) for payload in payloads]
    assert sum(one.events.num_rows for one in alone) == found.events.num_rows == 9
    assert found.reasons() == {
        "ignored:own_comment": 1,
        "ignored:reaction_removed": 1,
        "ignored:unsupported_change": 1,
    }


def test_times_are_milliseconds_or_iso_texts() -> None:
    (event,) = events(
        "instagram", instagram(dm(message={"mid": "m"}) | {"timestamp": "2026-03-02T10:00:00+0000"})
    )
    assert event["occurred_at"] == "2026-03-02T10:00:00+00:00"


def test_a_comment_has_the_author_and_a_page_its_own_namespace() -> None:
    value = {"id": "c", "text": "Nice", "from": {"id": "999", "username": "Bo"}, "media": {"id": "p"}}
    (event,) = events("instagram", instagram(changes=[{"field": "comments", "value": value}]))
    assert (event["event_type"], event["reference"]) == ("comment_posted", "p")
    assert event["identifiers"] == ["handle instagram:999", "handle instagram:bo"]
    (message,) = events("instagram", instagram(dm(message={"mid": "m", "text": "Hi"}), object="page"))
    assert message["identifiers"] == ["handle facebook:998"]


def account(acct: str, host: str = "social.shop.example", name: str = "") -> Json:
    return {
        "id": "1",
        "username": acct.partition("@")[0],
        "acct": acct,
        "display_name": name,
        "url": f"https://{host}/@x",
    }


ADA, SHOP = account("ada@other.example", "other.example", "Ada"), account("shop", name="The shop")


def status(author: Json, *mentions: Json, **more: Any) -> Json:
    return {
        "id": "5", "uri": "https://x/5", "created_at": "2026-03-02T10:00:00.000Z", "visibility": "public",
        "content": "<p>Hi</p>", "reblog": None, "account": author, "mentions": list(mentions),
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("entity", "event_type", "direction"),
    [
        (status(ADA, SHOP), "post_mentioned", "inbound"),
        (status(ADA), "post_published", "inbound"),
        (status(ADA, account("bob@other.example")), "post_published", "inbound"),
        (status(SHOP, ADA), "message_sent", "outbound"),
        (status(ADA, SHOP, visibility="direct"), "message_received", "inbound"),
        (status(SHOP, ADA, visibility="direct"), "message_sent", "outbound"),
        (status(ADA, reblog=status(SHOP)), "post_shared", "inbound"),
        (status(ADA, reblog=status(account("bob@b.example"))), "post_published", "inbound"),
    ],
)
def test_a_status_is_for_us_ours_or_neither(entity: Json, event_type: str, direction: str) -> None:
    (event,) = events("mastodon", entity)
    assert (event["event_type"], event["direction"]) == (event_type, direction)
    assert event["identifiers"] == ["handle mastodon:ada@other.example"]
    assert event.get("traits") == ({"full_name": "Ada"} if direction == "inbound" else None)


def test_our_own_posts_to_nobody_are_no_contact() -> None:
    assert reasons("mastodon", status(SHOP)) == {"ignored:other_direction": 1}


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        ("<p>One</p><p>Two</p>", "One Two"),
        ("<p>a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;</p>", "a <b> & \"c\" 'd'"),
        ('<p><span class="h-card"><a href="https://x/@shop">@shop</a></span> hello</p>', "@shop hello"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_the_text_of_a_status_has_no_tags(content: str, subject: str) -> None:
    (event,) = events("mastodon", status(ADA, SHOP, content=content))
    assert event["subject"] == subject


@pytest.mark.parametrize(
    ("kind", "event_type"),
    [
        ("mention", "post_mentioned"),
        ("status", "post_published"),
        ("reblog", "post_shared"),
        ("favourite", "post_liked"),
        ("follow", "profile_followed"),
        ("follow_request", "profile_followed"),
    ],
)
def test_notifications_are_for_us(kind: str, event_type: str) -> None:
    notice = {"id": "9", "type": kind, "created_at": "2026-03-02T10:00:00Z", "account": ADA}
    (event,) = events(
        "mastodon", notice | {"status": {"id": "5", "visibility": "public", "content": "<p>Hi</p>"}}
    )
    assert (event["event_type"], event["event_id"]) == (event_type, f"{kind}:9")
    assert event["identifiers"] == ["handle mastodon:ada@other.example"]


def test_a_streamed_entity_is_the_entity() -> None:
    inner = json.dumps(status(ADA, SHOP))
    found = became("mastodon", {"stream": ["user"], "event": "update", "payload": inner})
    assert found.raw["payload"].to_pylist() == [inner.encode()]
    assert found.events["event_type"].to_pylist() == ["post_mentioned"]


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        ({"error": "The access token is invalid"}, "quarantined:error_answer"),
        ({}, "ignored:nothing_inside"),
        ({"event": "delete", "payload": "5", "stream": ["public"]}, "ignored:stream_notice"),
        ({"id": "3", "scheduled_at": "2026-03-02T10:00:00Z", "params": {}}, "ignored:scheduled_status"),
        ({"id": "9", "type": "poll", "created_at": "2026-03-02T10:00:00Z", "account": ADA}, "ignored:notice"),
        ({"id": "5", "text": "source"}, "quarantined:unknown_entity"),
    ],
)
def test_other_entities_have_their_reasons(entity: Json, reason: str) -> None:
    assert reasons("mastodon", entity) == {reason: 1}
