"""The short names of the fields: what a marketer reads in the builder and in a rule that is said in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LABELS: Final[Mapping[str, str]] = {
    # customers
    "customer_id": "Customer number",
    "is_anonymous": "Anonymous",
    "full_name": "Full name",
    "given_name": "Given name",
    "surname": "Family name",
    "title": "Form of address",
    "gender": "Gender",
    "birth_date": "Date of birth",
    "email": "E-mail address",
    "phone": "Telephone number",
    "street": "Street and house number",
    "city": "Town",
    "region": "Region",
    "postcode": "Postcode",
    "country": "Country",
    "latitude": "Last position, latitude",
    "longitude": "Last position, longitude",
    "company": "Company",
    "language": "Language",
    "first_seen_at": "First seen",
    "last_seen_at": "Last seen",
    "source_count": "Number of sources",
    "sources": "Sources",
    "record_count": "Number of records",
    "event_count": "Number of events",
    "channels": "Channels",
    "identifier_types": "Kinds of identifiers",
    "match_probability": "Match probability",
    "currency": "Currency",
    "order_count": "Number of orders",
    "revenue": "Revenue",
    "refund_count": "Number of refunds",
    "refunded": "Money refunded",
    "net_revenue": "Net revenue",
    "average_order": "Average order",
    "first_order_at": "First order",
    "last_order_at": "Last order",
    "donation_count": "Number of donations",
    "donated": "Money donated",
    "ticket_count": "Number of tickets",
    "open_tickets": "Open tickets",
    "escalations": "Escalations",
    "last_inbound_at": "Last wrote, called or came to us",
    "last_outbound_at": "Last contacted by us",
    "last_engaged_at": "Last active",
    "consent_marketing_email": "Consent to marketing by e-mail",
    "consent_marketing_sms": "Consent to marketing by text message",
    "consent_marketing_phone": "Consent to marketing by telephone",
    "consent_marketing_post": "Consent to marketing by post",
    "consent_marketing_social": "Consent to marketing on social networks",
    "consent_analytics": "Consent to analytics",
    "consent_personalisation": "Consent to personalisation",
    "rfm_recency": "RFM recency score",
    "rfm_frequency": "RFM frequency score",
    "rfm_monetary": "RFM money score",
    "rfm_segment": "RFM segment",
    "lifecycle_stage": "Lifecycle stage",
    "lifecycle_since": "In the lifecycle stage since",
    "cost_to_serve": "Cost to serve",
    "gross_margin": "Gross margin",
    "profit": "Profit",
    "profit_decile": "Profit decile",
    # details of events; a name that both have means the same in both
    "channel": "Channel",
    "direction": "Direction",
    "source": "Source",
    "campaign": "Campaign",
    "product": "Product",
    "outcome": "Outcome",
    "brand": "Brand",
    "amount": "Amount",
}


def label(name: str) -> str:
    """Return what a field is called; one that a later version of the contract added goes by its name.

    >>> label("lifecycle_stage"), label("shoe_size")
    ('Lifecycle stage', 'Shoe size')
    """
    words = LABELS.get(name) or name.replace("_", " ")
    return words[:1].upper() + words[1:]
