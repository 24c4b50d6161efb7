"""The part of ``cdp.yaml`` that the collector reads: its limits, and how webhooks are verified."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cdp.settings.base import Duration, Model, SecretName, Texts

Scheme = Literal[
    "none", "hmac", "token", "basic", "sendgrid", "mailgun", "sns", "twilio", "meta", "shopify", "stripe"
]  # fmt: skip


class SignatureSettings(Model):
    """How a source's webhooks are verified, where the service's own way is not known or has a choice."""

    scheme: Scheme | None = Field(
        None,
        description="How deliveries are signed; default: the way of the connector's service. `none` takes unsigned ones.",
    )
    header: str | None = Field(None, description="Header with the signature (scheme hmac, token).")
    algorithm: Literal["sha1", "sha256", "sha512"] = Field("sha256", description="Hash (scheme hmac).")
    encoding: Literal["hex", "base64"] = Field(
        "hex", description="How the signature is written (scheme hmac)."
    )
    prefix: str = Field("", description="What stands before the signature, such as `sha256=` (scheme hmac).")
    timestamp_header: str | None = Field(
        None, description="Header with the time of signing in Unix seconds (scheme hmac)."
    )
    signed: str = Field(
        "{body}", description="What is signed: `{body}`, or with its time `{timestamp}.{body}` (scheme hmac)."
    )
    tolerance: Duration = Field(
        "5m",
        description="How old a signed time may be before the delivery is refused as a replay. Not given: 5m, and "
        "besides as long as the service tries again under its first signature (Mailgun 8h, SNS 1h).",
    )
    verify_token_env: SecretName | None = Field(
        None, description="Environment variable with the token of Meta's handshake."
    )
    certificates: Texts = Field((), description="PEM files of signing certificates (SNS).")
    topics: Texts = Field((), description="Topics (ARN) that may deliver (SNS).")
    fetch_certificates: bool = Field(
        False, description="true: unknown signing certificates are fetched from the service's own host (SNS)."
    )
    confirm_subscriptions: bool = Field(
        False, description="true: the request of one of our `topics` to subscribe us is confirmed (SNS)."
    )


class CollectSettings(Model):
    """The collector (`cdp collect`): what it takes, and where the world reaches it."""

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+(/[^?#]*)?$",
        description="Its address as senders know it, such as https://events.shop.example (Twilio signs it).",
    )
    max_event_bytes: int = Field(32 << 10, ge=1 << 10, le=32 << 20, description="Longest tracking event.")
    max_batch_bytes: int = Field(
        4 << 20, ge=1 << 10, le=64 << 20, description="Longest body of a request, unpacked."
    )
    max_batch_events: int = Field(20_000, ge=1, description="Most events of one batch.")
    request_seconds: float = Field(
        30.0, ge=1, le=3600, description="A client that takes longer over one request is cut off."
    )
    max_waiting_bytes: int = Field(
        64 << 20, ge=1 << 20, description="What may wait for the disk before 429 is answered."
    )
    max_unlanded_bytes: int = Field(
        8 << 30, ge=1 << 20, description="What may wait to be landed before 429 is answered."
    )
    min_free_bytes: int = Field(256 << 20, ge=0, description="Free disk below which 429 is answered.")
    segment_bytes: int = Field(
        32 << 20, ge=1 << 16, description="A write-ahead segment is closed at this length."
    )
    segment_seconds: float = Field(
        5.0, gt=0, le=3600, description="A write-ahead segment is closed at this age, in seconds."
    )
