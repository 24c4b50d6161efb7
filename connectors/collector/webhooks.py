"""What a webhook's signature scheme is: who verifies a delivery, and what is answered to it.

A scheme is a module of :mod:`connectors.collector.signatures` with a constant ``SCHEME``. Signatures
are over the bytes as they came, so a :class:`Delivery` holds them before anything is unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cdp.settings.collecting import SignatureSettings

JSON_TYPE = (b"content-type", b"application/json")
OK_BODY = b'{"success":true}'


@dataclass(frozen=True)
class Answer:
    """Status, body and headers of a response."""

    status: int
    body: bytes = OK_BODY
    headers: tuple[tuple[bytes, bytes], ...] = (JSON_TYPE,)


@dataclass(frozen=True)
class Delivery:
    """A webhook request, unchanged.

    ``url`` is the address as the sender knows it (``collect.public_url``, path and query), ``query`` its
    parameters (the first of each name), ``headers`` have lower-case names, ``received`` is in Unix seconds.
    """

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received: float


@dataclass(frozen=True)
class Keys:
    """What a scheme verifies with.

    ``secrets`` are the values of the source's ``secret_env``, any of which may have signed (a key being
    changed has two); ``verify_token`` is what a handshake must name; ``folder`` is the workspace, below
    which relative paths of certificates are.
    """

    secrets: tuple[str, ...] = ()
    settings: SignatureSettings = field(default_factory=SignatureSettings)
    verify_token: str | None = None
    folder: Path = Path()


def _no_kind(delivery: Delivery) -> str:
    del delivery
    return ""


def _no_greeting(delivery: Delivery, keys: Keys) -> Answer | None:
    del delivery, keys
    return None


@dataclass(frozen=True)
class Scheme:
    """How deliveries of one service are verified and answered.

    - ``verify`` returns None for a genuine delivery, else why it is refused, in a word
      (``missing_signature``, ``bad_signature``, ``stale_timestamp`` ...). It compares in constant time,
      never raises for what a stranger may send, and does no I/O but reading configured files.
    - ``greet`` answers a handshake, which is no event (Meta's ``hub.challenge``); None for all else. It is asked
      before ``verify``, and verifies for itself.
    - ``kind`` says what the delivery is about where only a header tells (Shopify's topic): up to 200
      characters that become the ``type`` of its envelopes where their payload has none.
    - ``needs_secret``: False where certificates or nothing of ours verify.
    """

    name: str
    verify: Callable[[Delivery, Keys], str | None]
    greet: Callable[[Delivery, Keys], Answer | None] = _no_greeting
    kind: Callable[[Delivery], str] = _no_kind
    answer: Answer = field(default_factory=lambda: Answer(200))
    needs_secret: bool = True
