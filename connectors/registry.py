"""The connectors by name: where each lives, imported only when a source uses it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from cdp.errors import UsageError, nearest

if TYPE_CHECKING:
    from cdp.settings import SourceSettings
    from connectors.protocol import Connector

# name -> module; each module has ``connector(settings) -> Connector``.
CONNECTORS: dict[str, str] = {
    "segment": "connectors.segment",
    "rudderstack": "connectors.segment",
    "files": "connectors.files",
    "sendgrid": "connectors.sendgrid",
    "mailgun": "connectors.mailgun",
    "postmark": "connectors.postmark",
    "ses": "connectors.ses",
    "mandrill": "connectors.mandrill",
    "mail": "connectors.mail",
    "twilio": "connectors.twilio",
    "asterisk": "connectors.asterisk",
    "whatsapp": "connectors.whatsapp",
    "instagram": "connectors.instagram",
    "messenger": "connectors.messenger",
    "lead_ads": "connectors.lead_ads",
    "mastodon": "connectors.mastodon",
    "shopify": "connectors.shopify",
    "stripe": "connectors.stripe",
    "stripe_orders": "connectors.stripe",
}


def names() -> frozenset[str]:
    """Return the names of all connectors."""
    return frozenset(CONNECTORS)


def connector_for(settings: SourceSettings) -> Connector:
    """Return the connector of a source; a name that nobody knows raises :class:`UsageError`."""
    module = CONNECTORS.get(settings.connector)
    if module is None:
        close = nearest(settings.connector, CONNECTORS)
        raise UsageError(
            f"There is no connector {settings.connector!r}.",
            hint=f"Did you mean {close!r}?" if close else f"Known: {', '.join(sorted(CONNECTORS))}.",
        )
    connector: Connector = importlib.import_module(module).connector(settings)
    return connector
