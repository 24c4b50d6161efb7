"""Notifications of Amazon SES as JSON documents, one for each recipient: what ``connectors.ses`` maps to events.

An SNS message, the record of a function and an event of EventBridge are taken off; what is inside is the
same. A message that SES received gives the documents of ``connectors.mail_message``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from connectors.mail_message import documents as message_documents
from connectors.mail_posted import Posted, posted_documents, wrapped

Object = dict[str, Any]

# kind -> the member with what is particular to it, and that member's list of recipients
_DETAILS = {
    "Send": ("send", None),
    "Delivery": ("delivery", "recipients"),
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Reject": ("reject", None),
    "Rendering Failure": ("failure", None),
    "Open": ("open", None),
    "Click": ("click", None),
    "Subscription": ("subscription", None),
}
_BY_ONE_PERSON = ("Open", "Click", "Subscription")
_SET_UP = "AMAZON_SES_SETUP_NOTIFICATION"
_MAX_RECIPIENTS = 1_000


def documents(payload: bytes) -> list[bytes]:
    """Return the JSON documents of a notification: one for each recipient, or those of a message."""
    body = _loaded(payload)
    if body is None:
        raise ValueError("invalid_json")
    record = next((body[name] for name in ("Sns", "ses", "detail") if isinstance(body.get(name), dict)), body)
    sns = {name: record[name] for name in ("MessageId", "Timestamp", "TopicArn", "Type") if name in record}
    if "TopicArn" not in record and "Message" not in record:
        return _of_event(record, {})
    if record.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        return [_dump({"kind": record["Type"], "sns": sns})]
    text = record.get("Message")
    event = _loaded(text.encode("utf-8", "replace")) if isinstance(text, str) else None
    if event is None:
        return [_dump({"kind": "Text", "text": text if isinstance(text, str) else None, "sns": sns})]
    return _of_event(event, sns)


def _loaded(text: bytes) -> Object | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _dump(document: Object) -> bytes:
    return orjson.dumps(document)


def _of_event(event: Object, sns: Object) -> list[bytes]:
    kind, mail = event.get("eventType") or event.get("notificationType"), _object(event, "mail")
    if "receipt" in event or kind == "Received":
        return _received(event, mail, sns)
    if any("s3" in one for one in [event, *_listed(event.get("Records"))] if isinstance(one, dict)):
        return [_dump({"kind": "Received", "sns": sns})]  # a bucket tells that a message was put into it
    member, listed = _DETAILS.get(kind if isinstance(kind, str) else "", ("", None))
    detail = _object(event, member)
    common = {
        "kind": kind,
        "has_mail": bool(mail),
        "mail": _brief(mail),
        "detail": {name: value for name, value in detail.items() if name != listed},
        "sns": sns,
    }
    if kind == "Subscription":
        particular: list[Object] = [{"recipient": _only(mail), "change": one} for one in _changes(detail)]
    elif kind in _BY_ONE_PERSON:
        particular = [{"recipient": _only(mail)}]
    else:
        recipients = _recipients(detail, listed) or _destination(mail)
        particular = [{"recipient": one} for one in recipients[:_MAX_RECIPIENTS]]
    return [_dump(common | one) for one in particular or [{}]]


def _object(parent: Object, name: str) -> Object:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _brief(mail: Object) -> Object:
    """Return the mail object without its header fields but those that SES thinks common."""
    return {name: value for name, value in mail.items() if name != "headers"}


def _recipients(detail: Object, listed: str | None) -> list[Object]:
    found = detail.get(listed) if listed else None
    items = found if isinstance(found, list) else []
    objects = [{"emailAddress": item} if isinstance(item, str) else item for item in items]
    return [item for item in objects if isinstance(item, dict)]


def _destination(mail: Object) -> list[Object]:
    return _recipients(mail, "destination")


def _only(mail: Object) -> Object | None:
    found = _destination(mail)
    return found[0] if len(found) == 1 else None


def _changes(subscription: Object) -> list[Object]:
    """Return what a recipient changed: all mail, or topics, each with ``topic`` and ``granted``."""
    new, old = (
        _preferences(subscription.get(name)) for name in ("newTopicPreferences", "oldTopicPreferences")
    )
    if new.pop(None, False) is True:
        return [{"topic": None, "granted": False}]
    found = [{"topic": None, "granted": True}] if old.pop(None, False) is True else []
    changed = [topic for topic, granted in new.items() if old.get(topic) is not granted]
    return found + [{"topic": topic, "granted": new[topic]} for topic in changed]


def _preferences(given: Any) -> dict[str | None, bool]:
    """Return whether each topic is wanted; under None, whether nothing is."""
    if not isinstance(given, dict):
        return {}
    topics = given.get("topicSubscriptionStatus")
    found: dict[str | None, bool] = {None: given.get("unsubscribeAll") is True}
    for one in topics if isinstance(topics, list) else []:
        if isinstance(one, dict) and isinstance(one.get("topicName"), str):
            found[one["topicName"]] = one.get("subscriptionStatus") == "OptIn"
    return found


def _received(event: Object, mail: Object, sns: Object) -> list[bytes]:
    receipt, common = _object(event, "receipt"), _object(mail, "commonHeaders")
    message_id = mail.get("messageId") if isinstance(mail.get("messageId"), str) else None
    if message_id == _SET_UP:
        return [_dump({"kind": "SetUp", "sns": sns})]
    verdicts = {name: _object(receipt, f"{name}Verdict").get("status") for name in ("spam", "virus")}
    properties = {name: True for name, status in verdicts.items() if status == "FAIL"}
    content = _content(event.get("content"), receipt)
    if content is not None:
        return wrapped(message_documents(content), message_id, properties)
    headers = [
        (one["name"], one["value"])
        for one in _listed(mail.get("headers"))
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("value"), str)
    ]
    if not headers and not common.get("from"):
        return [_dump({"kind": "Received", "mail": _brief(mail), "has_mail": bool(mail), "sns": sns})]
    posted = Posted(
        headers=headers,
        sender=_first(common.get("from")),
        recipients=tuple(one for one in _listed(common.get("to")) if isinstance(one, str)),
        subject=common.get("subject") if isinstance(common.get("subject"), str) else None,
        date=common.get("date") if isinstance(common.get("date"), str) else None,
        id=message_id,
        properties=properties,
    )
    return posted_documents(posted)


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []


def _first(values: Any) -> str | None:
    return next((one for one in _listed(values)[:1] if isinstance(one, str)), None)


def _content(content: Any, receipt: Object) -> bytes | None:
    """Return the MIME text of a message; its encoding is that of the receipt's action, else looks decide."""
    if not isinstance(content, str) or not content.strip():
        return None
    encoding = _object(receipt, "action").get("encoding")
    if encoding == "BASE64" or (encoding is None and ":" not in content):
        try:
            return base64.b64decode("".join(content.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("invalid_base64") from error
    return content.encode("utf-8", "replace")
