"""Webhooks of the Messenger platform: Instagram (and Messenger) messages, and comments on posts.

The person's scoped id is a handle of the namespace ``instagram`` (``facebook`` for pages), and so is
the user name, where Meta gives one. Messages that another app handles (``standby``) count like any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items, meta_changes
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, Mapping, PartyRule
from connectors.meta_items import by_lists
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_PIECES = by_lists(("messaging", "standby", "changes"))


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield a body per message, reaction, read, comment and other change."""
    del context
    yield from json_items.chunks(data, _PIECES)


_E = meta_changes.ENTRY
_M, _S, _C = f"{_E}.messaging[0]", f"{_E}.standby[0]", meta_changes.VALUE

# What a message event may hold; it stands in one of three places of the body.
_EVENT = {
    "sender": "sender.id",
    "username": "sender.username",
    "recipient": "recipient.id",
    "sent": "timestamp",
    "mid": "message.mid",
    "text": "message.text",
    "echo": "message.is_echo",
    "deleted": "message.is_deleted",
    "attachment": "message.attachments[0].type",
    "reply_to": "message.reply_to.mid",
    "reaction": "reaction.action",
    "emoji": "reaction.emoji",
    "reacted_to": "reaction.mid",
    "postback": "postback.title",
    "read_mid": "read.mid",
    "watermark": "read.watermark",
    "delivered": "delivery.watermark",
    "referral": "referral.ref",
    "ad": "message.referral.ad_id",
}

_FIELDS = {
    "object": "$.object",
    "entry_id": f"{_E}.id",
    "entry_time": f"{_E}.time",
    **{f"m_{name}": f"{_M}.{path}" for name, path in _EVENT.items()},
    **{f"s_{name}": f"{_S}.{path}" for name, path in _EVENT.items()},
    **{f"c_{name}": f"{_C}.{path}" for name, path in _EVENT.items()},
    **meta_changes.FIELDS,
    "author_name": f"{_C}.from.username",
}


def _x(name: str) -> str:
    return f"coalesce(m_{name}, s_{name}, c_{name})"


_IS_OURS = f"({_x('echo')} = 'true' OR {_x('sender')} = entry_id)"
_NAMESPACE = "CASE object WHEN 'page' THEN 'facebook' ELSE 'instagram' END"
# A delivery is reported by the person's side, but it is our message that arrives.
_DELIVERED = f"{_x('delivered')} IS NOT NULL"
_IS_MESSAGE = f"{_x('sender')} IS NOT NULL"

_MESSAGE_TYPE = f"""CASE
    WHEN {_x("deleted")} = 'true' THEN 'message_deleted'
    WHEN {_x("attachment")} = 'story_mention' THEN 'post_mentioned'
    WHEN {_x("mid")} IS NOT NULL THEN 'message_received|message_sent|message_received'
    WHEN {_x("reaction")} IS NOT NULL THEN 'message_reacted'
    WHEN {_x("postback")} IS NOT NULL THEN 'message_received'
    WHEN coalesce({_x("read_mid")}, {_x("watermark")}) IS NOT NULL THEN 'message_read'
    WHEN {_DELIVERED} THEN 'message_delivered'
    WHEN {_x("referral")} IS NOT NULL THEN 'link_clicked' END"""


def _joined(place: str, *parts: str) -> str:
    return JOIN.join(f"{place}.{part}" for part in parts)


def _ids(place: str) -> tuple[str, ...]:
    """A deletion names the message that it deletes; reads and reactions have no id of their own."""
    return (
        _joined(place, "message.mid", "message.is_deleted"),
        f"{place}.message.mid",
        _joined(place, "reaction.mid", "sender.id", "reaction.action", "timestamp"),
        _joined(place, "read.mid", "sender.id", "timestamp"),
        f"{place}.postback.mid",
    )


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=f"CASE WHEN {_IS_MESSAGE} THEN {_MESSAGE_TYPE} ELSE {meta_changes.TYPE} END",
    occurred_at=f"coalesce({_x('sent')}, created, entry_time)",
    quarantine="""CASE WHEN coalesce(object NOT IN ('instagram', 'page'), true)
        THEN 'not_an_instagram_body' END""",
    ignore=f"""CASE
        WHEN {_x("reaction")} = 'unreact' THEN 'reaction_removed'
        WHEN author = entry_id THEN 'own_comment'
        WHEN {_IS_MESSAGE} THEN CASE WHEN {_MESSAGE_TYPE} IS NULL THEN 'unsupported_event' END
        WHEN field IS NULL THEN 'nothing_inside'
        WHEN {meta_changes.TYPE} IS NULL THEN 'unsupported_change' END""",
    columns={
        "subject": f"""coalesce({_x("text")}, {_x("postback")}, {_x("emoji")}, {meta_changes.SUBJECT},
            {_x("referral")})""",
        "reference": f"""coalesce({_x("reply_to")}, {_x("reacted_to")}, {_x("read_mid")},
            {meta_changes.REFERENCE})""",
        "campaign": _x("ad"),
        "outcome": f"""coalesce({_x("attachment")},
            CASE WHEN {_x("postback")} IS NOT NULL THEN 'postback' END)""",
    },
    identifiers=(
        IdentifierRule("handle", "author", _NAMESPACE),
        IdentifierRule("handle", "author_name", _NAMESPACE),
        IdentifierRule("handle", f"CASE WHEN {_IS_OURS} IS NOT true THEN {_x('username')} END", _NAMESPACE),
    ),
    parties=(
        PartyRule(
            "handle",
            f"CASE WHEN {_DELIVERED} THEN {_x('recipient')} ELSE {_x('sender')} END",
            f"CASE WHEN {_DELIVERED} THEN {_x('sender')} ELSE {_x('recipient')} END",
            f"CASE WHEN {_IS_OURS} OR {_DELIVERED} THEN 'outbound' WHEN {_IS_MESSAGE} THEN 'inbound' END",
            _NAMESPACE,
        ),
    ),
    traits={"full_name": "author_full"},
)

CONNECTOR = Connector(
    name="instagram",
    channel="social",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=(*(path for place in (_M, _S, _C) for path in _ids(place)), f"{_C}.id"),
        type=("$.object",),
        occurred_at=(f"{_M}.timestamp", f"{_S}.timestamp", f"{_E}.time"),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
