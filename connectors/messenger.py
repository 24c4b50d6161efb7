"""Webhooks of a Facebook page: Messenger's messages and what people do with them, and changes of the page.

The person's page-scoped id is a handle of the namespace ``facebook``. A page has one address for all
its webhooks, so comments, reactions, reviews and leads come in here, too. Handovers between apps are
ignored as ``thread_control``. Messages that another app handles (``standby``) count like any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items, meta_changes
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, Mapping, PartyRule, present
from connectors.meta_items import by_lists
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_PIECES = by_lists(("messaging", "standby", "changes"))


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield a body per message, state, postback, opt-in, referral, handover and change."""
    del context
    yield from json_items.chunks(data, _PIECES)


_E, _C = meta_changes.ENTRY, meta_changes.VALUE
# Where an event of a conversation may stand; Meta's own tests put it among the changes.
_PLACES = {"m": f"{_E}.messaging[0]", "s": f"{_E}.standby[0]", "c": _C}

_EVENT = {
    "sender": "sender.id",
    "user_ref": "sender.user_ref",
    "recipient": "recipient.id",
    "sent": "timestamp",
    "mid": "message.mid",
    "text": "message.text",
    "echo": "message.is_echo",
    "app": "message.app_id",
    "deleted": "message.is_deleted",
    "attachment": "message.attachments[0].type",
    "reply_to": "message.reply_to.mid",
    "quick_reply": "message.quick_reply",
    "product": "message.referral.product.id",
    "message_ad": "message.referral.ad_id",
    "edited": "message_edit.mid",
    "edited_text": "message_edit.text",
    "reaction": "reaction.action",
    "emoji": "reaction.emoji",
    "reacted_to": "reaction.mid",
    "postback": "postback",
    "postback_title": "postback.title",
    "postback_ref": "postback.referral.ref",
    "postback_ad": "postback.referral.ad_id",
    "read": "read.watermark",
    "delivered": "delivery.watermark",
    "delivered_mid": "delivery.mids[0]",
    "optin": "optin",
    "optin_type": "optin.type",
    "optin_ref": "optin.ref",
    "optin_user": "optin.user_ref",
    "optin_status": "optin.notification_messages_status",
    "optin_title": "optin.title",
    "referral": "referral.ref",
    "referral_source": "referral.source",
    "referral_ad": "referral.ad_id",
    "referral_title": "referral.ads_context_data.ad_title",
    "referral_product": "referral.ads_context_data.product_id",
    "linked": "account_linking.status",
    "feedback": "messaging_feedback.feedback_screens",
    "prior": "prior_message.identifier",
    "passed": "pass_thread_control.new_owner_app_id",
    "taken": "take_thread_control.previous_owner_app_id",
    "requested": "request_thread_control.requested_owner_app_id",
    "roles": "app_roles",
    "policy": "policy_enforcement.action",
}


def _x(name: str) -> str:
    return f"coalesce({', '.join(f'{place}_{name}' for place in _PLACES)})"


_IS_EVENT = f"coalesce({_x('sender')}, {_x('user_ref')}, {_x('recipient')}) IS NOT NULL"
_IS_OURS = f"({_x('echo')} = 'true' OR {_x('sender')} = entry_id)"
_QUICK_REPLY = f"json_extract_string({_x('quick_reply')}, '$.payload')"
_POSTBACK = f"json_extract_string({_x('postback')}, '$.payload')"
_REFERRAL = f"coalesce({_x('referral')}, {_x('referral_source')})"
_DELIVERED = f"{_x('delivered')} IS NOT NULL"
_STOPS = f"{_x('optin_status')} = 'STOP_NOTIFICATIONS'"
_THREAD = f"coalesce({_x('passed')}, {_x('taken')}, {_x('requested')}, {_x('roles')})"
# A quick reply that asks for the person's address or number answers with it, in the text and the payload.
_SHARED = f"CASE WHEN {_IS_OURS} IS NOT true AND {_QUICK_REPLY} = {_x('text')} THEN {_x('text')} END"

_EVENT_TYPE = f"""CASE
    WHEN {_x("deleted")} = 'true' THEN 'message_deleted'
    WHEN {_x("mid")} IS NOT NULL THEN 'message_received|message_sent|message_received'
    WHEN {_x("edited")} IS NOT NULL THEN 'message_received|message_sent|message_received'
    WHEN {_x("reaction")} IS NOT NULL THEN 'message_reacted'
    WHEN {_x("postback")} IS NOT NULL THEN 'message_received'
    WHEN {_x("read")} IS NOT NULL THEN 'message_read'
    WHEN {_DELIVERED} THEN 'message_delivered'
    WHEN {_x("optin")} IS NOT NULL THEN 'consent_changed'
    WHEN {_REFERRAL} IS NOT NULL THEN
      CASE {_x("referral_source")} WHEN 'ADS' THEN 'ad_clicked' ELSE 'link_clicked' END
    WHEN {_x("linked")} = 'linked' THEN 'signed_in'
    WHEN {_x("linked")} = 'unlinked' THEN 'signed_out'
    WHEN {_x("feedback")} IS NOT NULL THEN 'survey_answered' END"""

_CHANGE_TYPE = (
    f"CASE WHEN field = 'ratings' AND verb = 'add' THEN 'review_posted' ELSE {meta_changes.TYPE} END"
)


def _ids(place: str) -> tuple[str, ...]:
    """Return the ids of what happens in a conversation; what has none of its own is known by who and when."""
    parts = (
        ("message.mid", "message.is_deleted"),
        ("message.mid",),
        ("message_edit.mid", "message_edit.num_edit"),
        ("reaction.mid", "sender.id", "reaction.action", "timestamp"),
        ("postback.mid",),
        ("sender.id", "timestamp", "postback.payload"),
        ("sender.id", "read.watermark"),
        ("delivery.mids[0]", "delivery.watermark"),
        ("delivery.watermark", "sender.id"),
        ("sender.id", "timestamp", "optin.type"),
        ("sender.id", "timestamp", "optin.ref"),
        ("optin.user_ref", "timestamp"),
        ("sender.id", "timestamp", "referral.source"),
        ("sender.id", "timestamp", "account_linking.status"),
    )
    return tuple(JOIN.join(f"{place}.{part}" for part in together) for together in parts)


_CHANGE_IDS = (
    f"{_C}.leadgen_id",
    f"{_C}.comment_id",
    JOIN.join(f"{_C}.{part}" for part in ("post_id", "from.id", "item", "verb", "created_time")),
    JOIN.join(f"{_C}.{part}" for part in ("open_graph_story_id", "item", "verb")),
)

MAPPING = Mapping(
    version=1,
    fields={
        "object": "$.object",
        "entry_id": f"{_E}.id",
        "entry_time": f"{_E}.time",
        **{f"{name}_{key}": f"{at}.{path}" for name, at in _PLACES.items() for key, path in _EVENT.items()},
        **meta_changes.FIELDS,
        "lead": f"{_C}.leadgen_id",
        "form": f"{_C}.form_id",
        "lead_ad": f"{_C}.ad_id",
        "reviewer": f"{_C}.reviewer_id",
        "reviewer_name": f"{_C}.reviewer_name",
        "review": f"{_C}.review_text",
        "recommends": f"{_C}.recommendation_type",
        "rating": f"{_C}.rating",
        "story": f"{_C}.open_graph_story_id",
        "reaction_type": f"{_C}.reaction_type",
    },
    event_type=f"CASE WHEN {_IS_EVENT} THEN {_EVENT_TYPE} ELSE {_CHANGE_TYPE} END",
    occurred_at=f"coalesce({_x('sent')}, created, {_x('delivered')}, entry_time)",
    quarantine="CASE WHEN object IS DISTINCT FROM 'page' THEN 'not_a_page_body' END",
    ignore=f"""CASE
        WHEN {_x("reaction")} = 'unreact' THEN 'reaction_removed'
        WHEN author = entry_id OR reviewer = entry_id THEN 'own_comment'
        WHEN {_IS_EVENT} THEN CASE WHEN {_EVENT_TYPE} IS NOT NULL THEN NULL
          WHEN {_THREAD} IS NOT NULL THEN 'thread_control'
          WHEN {_x("policy")} IS NOT NULL THEN 'account_notice' ELSE 'unsupported_event' END
        WHEN field IS NULL THEN 'nothing_inside'
        WHEN {_CHANGE_TYPE} IS NULL THEN 'unsupported_change' END""",
    columns={
        "subject": f"""coalesce({_x("text")}, {_x("edited_text")}, {_x("postback_title")}, {_x("emoji")},
            {_x("optin_title")}, {_x("referral_title")}, {_REFERRAL}, {meta_changes.SUBJECT}, review)""",
        "reference": f"""coalesce({_x("reply_to")}, {_x("reacted_to")}, {_x("edited")}, {_x("delivered_mid")},
            {meta_changes.REFERENCE}, form, story)""",
        "campaign": f"""coalesce({_x("referral_ad")}, {_x("message_ad")}, {_x("postback_ad")}, lead_ad)""",
        "product": f"coalesce({_x('product')}, {_x('referral_product')})",
        "outcome": f"""coalesce({_x("attachment")}, CASE WHEN {_x("postback")} IS NOT NULL THEN 'postback'
            WHEN {_x("edited")} IS NOT NULL THEN 'edited' WHEN lead IS NOT NULL THEN 'notified' END,
            lower(reaction_type), lower(recommends), rating)""",
        "consent_purpose": f"""CASE WHEN {_x("optin")} IS NOT NULL THEN CASE {_x("optin_type")}
            WHEN 'notification_messages' THEN 'marketing'
            WHEN 'one_time_notif_req' THEN 'one_time_notification' ELSE 'messages' END END""",
        "consent_channel": f"CASE WHEN {_x('optin')} IS NOT NULL THEN 'social' END",
        "consent_state": f"""CASE WHEN {_x("optin")} IS NOT NULL THEN
            CASE WHEN {_STOPS} THEN 'denied' ELSE 'granted' END END""",
    },
    identifiers=(
        IdentifierRule("handle", "coalesce(author, reviewer)", "'facebook'"),
        # What a plugin on our pages calls the visitor until the first message tells who it is.
        IdentifierRule("anonymous_id", f"coalesce({_x('optin_user')}, {_x('user_ref')}, {_x('prior')})"),
        IdentifierRule("external_id", "lead", "'facebook_lead'"),
        IdentifierRule("email", f"CASE WHEN contains({_SHARED}, '@') THEN {_SHARED} END"),
        IdentifierRule("phone", f"CASE WHEN starts_with({_SHARED}, '+') THEN {_SHARED} END"),
    ),
    parties=(
        # A delivery is reported by the person's side, but it is our message that arrives.
        PartyRule(
            "handle",
            f"CASE WHEN {_DELIVERED} THEN {_x('recipient')} ELSE {_x('sender')} END",
            f"CASE WHEN {_DELIVERED} THEN {_x('sender')} ELSE {_x('recipient')} END",
            f"CASE WHEN {_IS_OURS} OR {_DELIVERED} THEN 'outbound' WHEN {_IS_EVENT} THEN 'inbound' END",
            "'facebook'",
        ),
    ),
    traits={"full_name": "coalesce(author_full, reviewer_name)"},
    properties=present(
        payload=f"coalesce({_POSTBACK}, {_QUICK_REPLY})",
        ref=f"coalesce({_x('referral')}, {_x('postback_ref')}, {_x('optin_ref')})",
        source=_x("referral_source"),
        app=_x("app"),
        feedback=_x("feedback"),
    ),
)

CONNECTOR = Connector(
    name="messenger",
    channel="social",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=(*(path for place in _PLACES.values() for path in _ids(place)), *_CHANGE_IDS),
        type=(f"{_E}.changes[0].field", "$.object"),
        occurred_at=(*(f"{place}.timestamp" for place in _PLACES.values()), f"{_C}.created_time"),
        sent_at=(f"{_E}.time",),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
