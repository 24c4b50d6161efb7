"""Amazon SNS: RSA (PKCS #1 v1.5) with SHA-1 or SHA-256 over the members of a message, as SES delivers through it.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: signed are, in this
order and each as a line with its name and a line with its value, ``Message``, ``MessageId``, ``Subject`` (if
there is one), ``Timestamp``, ``TopicArn``, ``Type`` of a notification, and of a confirmation ``Message``,
``MessageId``, ``SubscribeURL``, ``Timestamp``, ``Token``, ``TopicArn``, ``Type``. ``SignatureVersion`` 1 is
SHA-1, 2 is SHA-256.

**Certificates** are those of ``certificates:`` (PEM files); nothing is fetched. With ``fetch_certificates:
true`` one that is not among them comes from the address in the message, which must be one of
``sns.<region>.amazonaws.com`` (or ``.com.cn``), and is kept while the collector runs.

**Topics.** Amazon signs for everybody: who has any topic can have any text signed. Name yours in ``topics:``;
subscriptions are confirmed (``confirm_subscriptions: true``) for those alone.

**Age.** ``Timestamp`` is when a message was published, and it is part of what was signed, so a delivery that is
tried again has the old one. SNS tries for an hour at most: that hour is allowed on top of ``tolerance:``, unless
the source gives one of its own. What is replayed meanwhile is the same to the byte and so a duplicate.

A raw delivery (without the message around it) has no signature; take ``scheme: basic`` for it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connectors.collector.pinned import UnreachableError, fetch
from connectors.collector.signing import from_base64, one_reading, refused_for_age, tolerated
from connectors.collector.webhooks import Answer, Delivery, Keys, Scheme

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from cdp.settings.collecting import SignatureSettings

TRIED_FOR: Final = 3600.0

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_HOST = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem", re.ASCII)
_CONFIRM = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[A-Za-z0-9._~:%&=+/-]{1,2000}", re.ASCII)


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a message that Amazon signed, for one of our topics, lately; else why it is refused.

    Reasons: ``malformed_message``, ``unknown_message_type``, ``missing_signature``,
    ``unknown_signature_version``, ``wrong_topic``, ``bad_certificate_url``, ``bad_timestamp``,
    ``stale_timestamp``, ``future_timestamp``, ``no_certificate`` (none is configured, or none could be
    fetched), ``expired_certificate``, ``bad_signature``.
    """
    message = read_message(delivery.body)
    return message if isinstance(message, str) else _verify(message, delivery.received, keys)


def _verify(message: dict[str, str], received: float, keys: Keys) -> str | None:
    unfit = _unfit(message, keys.settings)
    if unfit is not None:
        return unfit
    published, signature = _published(message["Timestamp"]), from_base64(message["Signature"])
    if published is None or signature is None:
        return "bad_timestamp" if published is None else "bad_signature"
    return refused_for_age(published, received, tolerated(keys.settings, TRIED_FOR)) or _refused_by_all(
        message, signature, received, keys
    )


def _unfit(message: dict[str, str], settings: SignatureSettings) -> str | None:
    """Return why a message is refused before anybody asks who signed it."""
    if "Signature" not in message:
        return "missing_signature"
    if message.get("SignatureVersion") not in ("1", "2"):
        return "unknown_signature_version"
    if settings.topics and message["TopicArn"] not in settings.topics:
        return "wrong_topic"
    pinned = _CERTIFICATE.fullmatch(message.get("SigningCertURL", ""))
    return None if pinned is not None else "bad_certificate_url"


def _refused_by_all(message: dict[str, str], signature: bytes, received: float, keys: Keys) -> str | None:
    """Return why none of the certificates vouches for a message, or None."""
    text, sha1 = canonical(message), message["SignatureVersion"] == "1"
    reason = "no_certificate"
    for certificate in _certificates(keys, message["SigningCertURL"]):
        if not _signed(certificate, signature, text, sha1=sha1):
            reason = "bad_signature" if reason == "no_certificate" else reason
        elif _is_valid(certificate, received):
            return None
        else:
            reason = "expired_certificate"
    return reason


def read_message(body: bytes) -> dict[str, str] | str:
    """Return the texts of a message, all that are signed among them; or why it is none."""
    document = one_reading(body)
    if not isinstance(document, dict):
        return "malformed_message"
    found = {name: value for name, value in document.items() if isinstance(value, str)}
    signed = _SIGNED.get(found.get("Type", ""))
    if signed is None:
        return "unknown_message_type"
    if any(name not in found for name in signed if name != "Subject"):
        return "malformed_message"
    if document.get("Subject") is not None and "Subject" not in found:
        return "malformed_message"
    return found if _is_text(found.values()) else "malformed_message"


def _is_text(values: Iterable[str]) -> bool:
    return not any("\ud800" <= character <= "\udfff" for value in values for character in value)


def canonical(message: dict[str, str]) -> bytes:
    r"""Return what is signed of a message.

    >>> canonical({"Type": "Notification", "Message": "Hi", "MessageId": "1", "Timestamp": "t", "TopicArn": "a"})
    b'Message\nHi\nMessageId\n1\nTimestamp\nt\nTopicArn\na\nType\nNotification\n'
    """
    names = [name for name in _SIGNED[message["Type"]] if name in message]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


def _published(text: str) -> float | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _signed(certificate: Certificate, signature: bytes, text: bytes, *, sha1: bool) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    algorithm = hashes.SHA1() if sha1 else hashes.SHA256()  # noqa: S303 - what version 1 of SNS signs with
    try:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(signature, text, PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _is_valid(certificate: Certificate, received: float) -> bool:
    now = datetime.fromtimestamp(received, UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _certificates(keys: Keys, url: str) -> Iterator[Certificate]:
    for name in keys.settings.certificates:
        yield from _FILES.read(keys.folder / name)
    if keys.settings.fetch_certificates:
        yield from _FETCHED.read(url)


def parsed(pem: bytes) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM text; none where it cannot be read."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return tuple(load_pem_x509_certificates(pem))
    except (ValueError, UnsupportedAlgorithm):
        return ()


class CertificateFiles:
    """Certificates of files, read again when a file has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], tuple[Certificate, ...]]] = {}

    def read(self, path: Path) -> tuple[Certificate, ...]:
        """Return the certificates of a file; none where there is no such file."""
        try:
            found = path.stat()
            state = (found.st_mtime_ns, found.st_size)
            known = self._known.get(path)
            if known is None or known[0] != state:
                known = self._known[path] = (state, parsed(path.read_bytes()))
        except OSError:
            return ()
        return known[1]


class FetchedCertificates:
    """Certificates of addresses, fetched once each; bounded in number, and in how often we try."""

    MOST = 32
    PAUSE = 10.0

    def __init__(self) -> None:
        self._known: dict[str, tuple[Certificate, ...]] = {}
        self._not_before = 0.0
        self._lock = threading.Lock()

    def read(self, url: str) -> tuple[Certificate, ...]:
        """Return the certificates at an address that the caller has checked; none where they cannot be had.

        After a failure nothing is fetched for a while: a stranger can make up addresses as long as he likes.
        """
        with self._lock:
            known = self._known.get(url)
            if known is not None or len(self._known) >= self.MOST or time.monotonic() < self._not_before:
                return known or ()
            try:
                found = parsed(fetch(url))
            except UnreachableError:
                found = ()
            if found:
                self._known[url] = found
            else:
                self._not_before = time.monotonic() + self.PAUSE
            return found


_FILES: Final = CertificateFiles()
_FETCHED: Final = FetchedCertificates()


def greet(delivery: Delivery, keys: Keys) -> Answer | None:
    """Confirm a genuine request to subscribe us to one of our topics, where ``cdp.yaml`` allows it.

    None for all else: without leave a request lands, and is ignored as ``subscription_request``.
    """
    settings = keys.settings
    if not settings.confirm_subscriptions or b"SubscriptionConfirmation" not in delivery.body:
        return None
    message = read_message(delivery.body)
    if isinstance(message, str) or message["Type"] != "SubscriptionConfirmation":
        return None
    if not _may_confirm(message, settings) or _verify(message, delivery.received, keys) is not None:
        return None
    try:
        fetch(message["SubscribeURL"])
    except UnreachableError:
        return Answer(503, b'{"error":"not_confirmed"}')
    return Answer(200)


def _may_confirm(message: dict[str, str], settings: SignatureSettings) -> bool:
    return message["TopicArn"] in settings.topics and _CONFIRM.fullmatch(message["SubscribeURL"]) is not None


SCHEME = Scheme("sns", verify, greet, needs_secret=False)
