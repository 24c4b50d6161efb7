"""Messages that a mail service received for us and posts in parts: header fields, texts, recipients.

They are put together to a message again, so that one reader (``connectors.mail_message``) knows what is
a reply, a bounce or an automatic answer; its documents come back under ``mail_mapping.INBOUND``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.mail_mapping import INBOUND
from connectors.mail_message import documents

TEXT_BYTES = 64 * 1024  # of a text only the beginning is read

_NAME = re.compile(r"[!-9;-~]{1,100}")
_BREAKS = re.compile(r"[\r\n\x00]+")
_OF_THE_BODY = ("content-type", "content-transfer-encoding", "content-disposition", "mime-version")


@dataclass(frozen=True)
class Posted:
    """A message in parts; ``headers`` are its own, the other members stand in where they lack one."""

    headers: Iterable[tuple[str, str]] = ()
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    subject: str | None = None
    date: str | None = None
    text: str | None = None
    html: str | None = None
    id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)


def posted_documents(message: Posted) -> list[bytes]:
    """Return the documents of a message that was posted in parts; ``ValueError`` where it is none.

    >>> posted_documents(Posted(sender="Ann <ann@c.example>", subject="Hello", text="How are you?"))[0]
    b'{"inbound_message":{"subject":"Hello","from":"ann@c.example","from_name":"Ann","kind":"sender",\
"properties":{"preview":"How are you?"}}}'
    """
    return wrapped(documents(_composed(message)), message.id, message.properties)


def wrapped(found: list[bytes], message_id: str | None, properties: dict[str, Any]) -> list[bytes]:
    """Return the documents of a message under ``INBOUND``, with what only the service knows of it."""
    return [orjson.dumps({INBOUND: _completed(orjson.loads(one), message_id, properties)}) for one in found]


def _completed(
    document: dict[str, Any], message_id: str | None, properties: dict[str, Any]
) -> dict[str, Any]:
    if message_id and "message_id" not in document:
        document["message_id"] = message_id
    document["properties"] |= {name: value for name, value in properties.items() if value}
    return document


def _composed(message: Posted) -> bytes:
    headers = [(name, value) for name, value in message.headers if name.lower() not in _OF_THE_BODY]
    given = {name.lower() for name, value in headers if value.strip()}
    stand_ins = {
        "From": message.sender,
        "To": ", ".join(message.recipients),
        "Subject": message.subject,
        "Date": message.date,
    }
    headers += [(name, value) for name, value in stand_ins.items() if value and name.lower() not in given]
    plain = bool(message.text and message.text.strip())
    headers.append(("Content-Type", f"text/{'plain' if plain else 'html'}; charset=utf-8"))
    lines = [f"{name}: {_BREAKS.sub(' ', value)}" for name, value in headers if _NAME.fullmatch(name)]
    text = (message.text if plain else message.html) or ""
    return "\r\n".join([*lines, "", text[:TEXT_BYTES]]).encode("utf-8", "replace")
