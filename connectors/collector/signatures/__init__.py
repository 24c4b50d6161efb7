"""The schemes by which services sign their webhooks: a module each, imported only when a source uses it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdp.settings import SourceSettings
    from connectors.collector.webhooks import Scheme

_HERE = "connectors.collector.signatures"

# Connector -> the scheme by which its service signs.
OWN_SCHEMES: dict[str, str] = {
    "sendgrid": "sendgrid",
    "mailgun": "mailgun",
    "postmark": "basic",
    "ses": "sns",
    "twilio": "twilio",
    "whatsapp": "meta",
    "instagram": "meta",
    "messenger": "meta",
    "lead_ads": "meta",
    "shopify": "shopify",
    "stripe": "stripe",
    "stripe_orders": "stripe",
}


def scheme_for(source: SourceSettings) -> Scheme | None:
    """Return the scheme of a source's webhooks: the one that it names, else its connector's, else None."""
    name = source.signature.scheme or OWN_SCHEMES.get(source.connector)
    if name is None:
        return None
    scheme: Scheme = importlib.import_module(f"{_HERE}.{name}").SCHEME
    return scheme
