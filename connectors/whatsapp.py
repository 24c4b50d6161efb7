"""WhatsApp Cloud API webhooks: messages, message states, calls, marketing preferences.

Numbers come without ``+``; they are identifiers of type phone. Meta's business-scoped user id
(``user_id``) is an external id of the namespace ``whatsapp``. Account, template and quality notices
are ignored as ``account_notice`` or ``template_notice``, the steps of a call before its end as
``call_progress``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from connectors import json_items
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, Mapping, present
from connectors.meta_items import Item, Object, listed, split_body, without
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_LISTS = ("messages", "message_echoes", "statuses", "calls", "user_preferences")


class _Value(msgspec.Struct):
    messages: list[msgspec.Raw] = []
    message_echoes: list[msgspec.Raw] = []
    statuses: list[msgspec.Raw] = []
    calls: list[msgspec.Raw] = []
    user_preferences: list[msgspec.Raw] = []


class _Change(msgspec.Struct):
    value: _Value


class _Entry(msgspec.Struct):
    changes: list[_Change]


class _Body(msgspec.Struct):
    entry: list[_Entry]


class _Party(msgspec.Struct):
    """Whom an item or a contact is about."""

    sender: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    recipient_id: str | None = None
    recipient_participant_id: str | None = None
    wa_id: str | None = None
    user_id: str | None = None
    from_user_id: str | None = None
    recipient_user_id: str | None = None

    def ids(self) -> set[str]:
        return {value for value in msgspec.structs.astuple(self) if value}


_BODY = msgspec.json.Decoder(_Body)
_PARTY = msgspec.json.Decoder(_Party)


def _is_single(document: bytes) -> bool:
    """Whether a body surely holds one item at most: the quick way for nearly all of them."""
    try:
        changes = [change for entry in _BODY.decode(document).entry for change in entry.changes]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    if len(changes) != 1:
        return False
    return sum(len(items) for items in msgspec.structs.astuple(changes[0].value)) <= 1


def _party(item: bytes) -> set[str]:
    try:
        return _PARTY.decode(item).ids()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()


def _contact(value: Object, item: bytes) -> Object:
    """Return the ``contacts`` member with the contact that an item is about."""
    contacts = json_items.elements(value.get("contacts", b"[]")) or []
    found = contacts if len(contacts) == 1 else [c for c in contacts if _party(c) & _party(item)]
    return {"contacts": b"[" + b",".join(found) + b"]"} if found else {}


def _items(entry: Object) -> Sequence[Item]:
    found = []
    for raw in json_items.elements(entry.get("changes", b"[]")) or ():
        change = json_items.members(raw) or {}
        value = json_items.members(change.get("value", b"{}")) or {}
        rest = without(value, (*_LISTS, "contacts"))
        changes = []
        for name, item in listed(value, _LISTS):
            single = rest | _contact(value, item) | {name: b"[" + item + b"]"}
            whole = change | {"value": json_items.compose(single.items())}
            changes.append(json_items.compose(whole.items()))
        found += [Item(entry | {"changes": b"[" + text + b"]"}) for text in changes or [raw]]
    return found


def _pieces(document: bytes) -> Sequence[json_items.Piece] | None:
    return None if _is_single(document) else split_body(document, _items)


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield a body per message, state, call and notice."""
    del context
    yield from json_items.chunks(data, _pieces)


_CHANGE = "$.entry[0].changes[0]"
_V = f"{_CHANGE}.value"
_M, _S, _C, _E = f"{_V}.messages[0]", f"{_V}.statuses[0]", f"{_V}.calls[0]", f"{_V}.message_echoes[0]"
_P = f"{_V}.user_preferences[0]"

_FIELDS = {
    "object": "$.object",
    "field": f"{_CHANGE}.field",
    "contact_name": f"{_V}.contacts[0].profile.name",
    "contact_wa": f"{_V}.contacts[0].wa_id",
    "contact_user": f"{_V}.contacts[0].user_id",
    "m_type": f"{_M}.type",
    "m_from": f"{_M}.from",
    "m_time": f"{_M}.timestamp",
    "m_text": f"{_M}.text.body",
    "m_image": f"{_M}.image.caption",
    "m_video": f"{_M}.video.caption",
    "m_document": f"{_M}.document.caption",
    "m_button": f"{_M}.button.text",
    "m_reply": f"{_M}.interactive.button_reply.title",
    "m_list": f"{_M}.interactive.list_reply.title",
    "m_permission": f"{_M}.interactive.call_permission_reply.response",
    "m_emoji": f"{_M}.reaction.emoji",
    "m_place": f"{_M}.location.name",
    "m_latitude": f"{_M}.location.latitude",
    "m_longitude": f"{_M}.location.longitude",
    "m_product": f"{_M}.order.product_items[0].product_retailer_id",
    "m_new_wa": f"{_M}.system.wa_id",
    "m_reply_to": f"{_M}.context.id",
    "m_reacted_to": f"{_M}.reaction.message_id",
    "m_original": f"{_M}.revoke.original_message_id",
    "m_edited": f"{_M}.edit.original_message_id",
    "m_edit_text": f"{_M}.edit.message.text.body",
    "m_error": f"{_M}.errors[0].title",
    "m_ad": f"{_M}.referral.source_id",
    "e_to": f"{_E}.to",
    "e_type": f"{_E}.type",
    "e_time": f"{_E}.timestamp",
    "e_text": f"{_E}.text.body",
    "s_id": f"{_S}.id",
    "s_type": f"{_S}.type",
    "s_status": f"{_S}.status",
    "s_time": f"{_S}.timestamp",
    "s_recipient": f"{_S}.recipient_id",
    "s_participant": f"{_S}.recipient_participant_id",
    "s_kind": f"{_S}.recipient_type",
    "s_error": f"{_S}.errors[0].title",
    "s_category": f"{_S}.pricing.category",
    "c_id": f"{_C}.id",
    "c_event": f"{_C}.event",
    "c_direction": f"{_C}.direction",
    "c_status": f"{_C}.status",
    "c_from": f"{_C}.from",
    "c_to": f"{_C}.to",
    "c_start": f"{_C}.start_time",
    "c_duration": f"{_C}.duration",
    "p_value": f"{_P}.value",
    "p_wa": f"{_P}.wa_id",
    "p_time": f"{_P}.timestamp",
}

_STATES = {
    "sent": "message_sent",
    "delivered": "message_delivered",
    "read": "message_read",
    "played": "message_read",
    "failed": "message_failed",
}

_TYPE = f"""CASE
    WHEN m_type IS NOT NULL THEN CASE m_type WHEN 'reaction' THEN 'message_reacted'
      WHEN 'revoke' THEN 'message_deleted' WHEN 'system' THEN 'contact_updated'
      ELSE CASE WHEN m_permission IS NULL THEN 'message_received' ELSE 'consent_changed' END END
    WHEN s_status IS NOT NULL THEN CASE lower(s_status)
      {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _STATES.items())} ELSE s_status END
    WHEN c_event IS NOT NULL THEN CASE WHEN c_direction = 'BUSINESS_INITIATED' THEN 'call_placed'
      WHEN c_status = 'COMPLETED' THEN 'call_received' ELSE 'call_missed' END
    WHEN p_value IS NOT NULL THEN 'consent_changed'
    WHEN e_type IS NOT NULL THEN 'message_sent'
    ELSE 'unknown' END"""

# The customer's number; of a group's message state, the participant's.
_PHONE = """coalesce(m_from, CASE s_kind WHEN 'group' THEN s_participant ELSE s_recipient END,
    CASE c_direction WHEN 'BUSINESS_INITIATED' THEN c_to ELSE c_from END, p_wa, e_to)"""
# The contact of a body is the customer's unless its number says otherwise.
_IS_CONTACT = f"contact_wa IS NULL OR contact_wa = {_PHONE}"


def _international(number: str) -> str:
    return f"'+' || ltrim({number}, '+')"


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_TYPE,
    occurred_at="coalesce(m_time, s_time, c_start, p_time, e_time)",
    quarantine="""CASE WHEN object IS DISTINCT FROM 'whatsapp_business_account' THEN 'not_a_whatsapp_body'
        WHEN field IS NULL THEN 'no_change_inside' END""",
    ignore="""CASE
        WHEN m_type = 'reaction' AND m_emoji IS NULL THEN 'reaction_removed'
        WHEN m_type = 'system' AND m_new_wa IS NULL THEN 'system_notice'
        WHEN s_type = 'call' OR c_event <> 'terminate' THEN 'call_progress'
        WHEN s_status IN ('deleted', 'warning') THEN 'status_notice'
        WHEN coalesce(m_type, s_status, c_event, p_value, e_type) IS NULL THEN CASE
          WHEN field LIKE '%template%' THEN 'template_notice'
          WHEN field LIKE 'account%' OR field LIKE 'phone_number%' OR field LIKE 'business%'
            OR field = 'security' THEN 'account_notice'
          ELSE 'unsupported_change' END END""",
    columns={
        "subject": """coalesce(m_text, m_image, m_video, m_document, m_button, m_reply, m_list,
            m_emoji, m_place, m_edit_text, m_error, e_text, s_error)""",
        "reference": "coalesce(m_reply_to, m_reacted_to, m_original, m_edited, s_id, c_id)",
        "campaign": "m_ad",
        "product": "m_product",
        "duration_seconds": "c_duration",
        "outcome": """coalesce(CASE WHEN m_type NOT IN ('text', 'system') THEN m_type END,
            CASE WHEN s_status IN ('played', 'failed') THEN s_status END, lower(c_status))""",
        "latitude": "m_latitude",
        "longitude": "m_longitude",
        "consent_purpose": """CASE WHEN p_value IS NOT NULL THEN 'marketing'
            WHEN m_permission IS NOT NULL THEN 'calls' END""",
        "consent_channel": "CASE WHEN coalesce(p_value, m_permission) IS NOT NULL THEN 'social' END",
        "consent_state": """CASE WHEN p_value = 'stop' OR m_permission = 'reject' THEN 'denied'
            WHEN p_value IN ('resume', 'signup') OR m_permission = 'accept' THEN 'granted' END""",
    },
    identifiers=(
        IdentifierRule(
            "external_id",
            f"CASE WHEN {_IS_CONTACT} THEN contact_user END",
            "'whatsapp'",
        ),
        IdentifierRule("phone", _international(_PHONE)),
        IdentifierRule("phone", _international("m_new_wa")),
    ),
    traits={"full_name": f"CASE WHEN {_IS_CONTACT} THEN contact_name END"},
    properties=present(category="s_category"),
)

CONNECTOR = Connector(
    name="whatsapp",
    channel="social",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        # A message's states share its id; a group's members report theirs one by one.
        event_id=(
            JOIN.join((f"{_S}.id", f"{_S}.status", f"{_S}.recipient_participant_id")),
            JOIN.join((f"{_S}.id", f"{_S}.status", f"{_S}.recipient_id")),
            JOIN.join((f"{_S}.id", f"{_S}.status")),
            f"{_M}.id",
            f"{_E}.id",
            JOIN.join((f"{_C}.id", f"{_C}.event")),
        ),
        type=(f"{_CHANGE}.field",),
        occurred_at=(f"{_M}.timestamp", f"{_S}.timestamp", f"{_C}.timestamp", f"{_P}.timestamp"),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
