"""Mastodon entities as its API and streams give them: statuses, notifications, accounts, conversations.

A person is a handle ``user@instance`` of the namespace ``mastodon``; the instance of a local account is
taken from its profile's address. Whether a status is for us, or ours, is decided by ``own: handles``:
it mentions us (``post_mentioned``), we wrote it to somebody (``message_sent``), or neither
(``post_published``). Of several mentioned accounts only the first can be told to be ours; a
notification always is for us.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from connectors import json_items
from connectors.mapping import JOIN, EnvelopeFields, Mapping, PartyRule, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"


class _StreamMessage(msgspec.Struct):
    event: str
    payload: str


_STREAM = msgspec.json.Decoder(_StreamMessage)


def _inside(document: bytes) -> Sequence[json_items.Piece] | None:
    """Return the entity inside a streaming message, where it has one."""
    if b'"payload"' not in document:
        return None
    try:
        message = _STREAM.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return [json_items.Piece(message.payload.encode())] if message.payload.startswith("{") else None


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the entities of a file: single ones, arrays (a timeline), lines, streaming messages."""
    del context
    yield from json_items.chunks(data, _inside if b'"payload"' in data else None)


def _account(name: str, path: str) -> dict[str, str]:
    parts = {"acct": "acct", "link": "url", "display": "display_name"}
    return {f"{name}_{part}": f"{path}.{key}" for part, key in parts.items()}


_FIELDS = {
    "error": "$.error",
    "kind": "$.type",
    "event": "$.event",
    "created": "$.created_at",
    "edited": "$.edited_at",
    "scheduled": "$.scheduled_at",
    "content": "$.content",
    "visibility": "$.visibility",
    "language": "$.language",
    "warning": "$.spoiler_text",
    "parent": "$.in_reply_to_id",
    "own_acct": "$.acct",
    "own_link": "$.url",
    "username": "$.username",
    "display": "$.display_name",
    **_account("by", "$.account"),
    "by_bot": "$.account.bot",
    "to_acct": "$.mentions[0].acct",
    "to_link": "$.mentions[0].url",
    **_account("boosted", "$.reblog.account"),
    "boosted_uri": "$.reblog.uri",
    "boosted_content": "$.reblog.content",
    **_account("talk", "$.accounts[0]"),
    "last_id": "$.last_status.id",
    "last_time": "$.last_status.created_at",
    "last_content": "$.last_status.content",
    "n_content": "$.status.content",
    "n_visibility": "$.status.visibility",
    "n_address": "$.status.url",
    "n_id": "$.status.id",
}

_IS_NOTIFICATION = "kind IS NOT NULL AND by_acct IS NOT NULL"
_IS_STATUS = "kind IS NULL AND visibility IS NOT NULL AND by_acct IS NOT NULL"
_IS_ACCOUNT = "own_acct IS NOT NULL AND username IS NOT NULL"
_IS_TALK = "talk_acct IS NOT NULL"
_IS_BOOST = "boosted_acct IS NOT NULL"

_NOTICES = {
    "status": "post_published",
    "update": "post_published",
    "reblog": "post_shared",
    "quote": "post_shared",
    "favourite": "post_liked",
    "follow": "profile_followed",
    "follow_request": "profile_followed",
}


def _handle(name: str) -> str:
    """The handle with its instance: ``acct`` of a local account has none."""
    acct, link = f"{name}_acct", f"{name}_link"
    host = f"coalesce('@' || split_part({link}, '/', 3), '')"
    return f"CASE WHEN contains({acct}, '@') THEN {acct} ELSE {acct} || {host} END"


def _text(html: str) -> str:
    """The text of a status: no tags, and the five characters that HTML escapes."""
    text = bare = f"regexp_replace(replace(left({html}, 4000), '</p><p>', ' '), '<[^>]*>', '', 'g')"
    escaped = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "''", "&amp;": "&"}
    for entity, character in escaped.items():
        text = f"replace({text}, '{entity}', '{character}')"
    return f"CASE WHEN contains({html}, '&') THEN {text} ELSE {bare} END"


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE
        WHEN {_IS_NOTIFICATION} THEN CASE kind
          WHEN 'mention' THEN CASE n_visibility WHEN 'direct' THEN 'message_received'
            ELSE 'post_mentioned' END
          {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _NOTICES.items())} END
        WHEN {_IS_STATUS} THEN CASE WHEN {_IS_BOOST} THEN 'post_shared||post_published'
          WHEN visibility = 'direct' THEN 'message_received|message_sent|message_received'
          WHEN to_acct IS NULL THEN 'post_published||post_published'
          ELSE 'post_mentioned|message_sent|post_published' END
        WHEN {_IS_TALK} THEN 'message_received'
        WHEN {_IS_ACCOUNT} THEN 'contact_updated' END""",
    occurred_at="coalesce(CASE WHEN own_acct IS NULL THEN created END, last_time)",
    quarantine=f"""CASE WHEN error IS NOT NULL THEN 'error_answer'
        WHEN {_IS_NOTIFICATION} OR {_IS_STATUS} OR {_IS_ACCOUNT} OR {_IS_TALK} THEN NULL
        WHEN event IN ('delete', 'filters_changed') OR scheduled IS NOT NULL OR payload = '{{}}' THEN NULL
        ELSE 'unknown_entity' END""",
    ignore=f"""CASE
        WHEN event IN ('delete', 'filters_changed') THEN 'stream_notice'
        WHEN payload = '{{}}' THEN 'nothing_inside'
        WHEN scheduled IS NOT NULL THEN 'scheduled_status'
        WHEN {_IS_NOTIFICATION} AND kind NOT IN ('mention', {", ".join(f"'{name}'" for name in _NOTICES)})
          THEN 'notice' END""",
    columns={
        "subject": _text("coalesce(boosted_content, content, n_content, last_content)"),
        "reference": "coalesce(parent, boosted_uri, n_id, last_id)",
        "outcome": f"""CASE WHEN {_IS_STATUS} THEN visibility
            WHEN kind = 'follow_request' THEN 'requested' END""",
    },
    parties=(
        PartyRule(
            "handle",
            f"""CASE WHEN by_acct IS NOT NULL THEN {_handle("by")}
                WHEN talk_acct IS NOT NULL THEN {_handle("talk")} ELSE {_handle("own")} END""",
            f"""CASE WHEN {_IS_STATUS} THEN CASE WHEN {_IS_BOOST} THEN {_handle("boosted")}
                WHEN to_acct IS NOT NULL THEN {_handle("to")} END END""",
            namespace="'mastodon'",
            sender_name="coalesce(by_display, talk_display, display)",
            receiver_name="boosted_display",
        ),
    ),
    properties=present(
        url="CASE WHEN own_acct IS NULL THEN coalesce(own_link, n_address) END",
        visibility="coalesce(visibility, n_visibility)",
        language="language",
        edited_at="edited",
        warning="warning",
        bot="CASE by_bot WHEN 'true' THEN true END",
    ),
)

CONNECTOR = Connector(
    name="mastodon",
    channel="social",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=("$.uri", JOIN.join(("$.type", "$.id")), JOIN.join(("$.acct", "$.id")), "$.last_status.uri"),
        type=("$.type", "$.visibility"),
        occurred_at=("$.created_at", "$.last_status.created_at"),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
