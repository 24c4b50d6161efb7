"""Facebook's and Instagram's lead forms: notices of a lead, and leads with their answers.

A notice (a page's ``leadgen`` webhook) names a lead and says nothing of the person; the lead itself is
fetched from the Graph API, or comes flat from who fetched it. Both are one event under the lead's id. A
notice does not say when it was sent, and so never takes the place of the answers. The lead's id is
an external id of the namespace ``facebook_lead``, for CRM systems keep it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors import json_items, lead_documents
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping, present
from connectors.meta_items import by_lists
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_BODY_PIECES = by_lists(("changes", "messaging", "standby"))
_MAX_DEPTH = 4  # a request inside a request inside ... is nobody's format


def _pieces(document: bytes, depth: int = 0) -> Sequence[json_items.Piece] | None:
    """Divide a webhook's body or a page of the Graph API; take the body out of a request that was kept."""
    if b'"entry"' in document and (found := _BODY_PIECES(document)) is not None:
        return found
    members = json_items.members(document) or {}
    if (data := members.get("data", b""))[:1] == b"[":
        items = json_items.elements(data)
        return [json_items.Piece(item) for item in items] if items else None
    body = lead_documents.kept_body(members) if depth < _MAX_DEPTH else None
    if body is None:
        return None
    return [
        piece
        for inner in json_items.documents(body)
        for piece in (([inner] if inner.reason else _pieces(inner.payload, depth + 1)) or [inner])
    ]


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the notices of webhook bodies, the leads of pages and single ones."""
    del context
    yield from json_items.chunks(data, _pieces, inside=b"data")


MAPPING = Mapping(
    version=1,
    fields={
        "kind": "$.kind",
        "lead": "$.lead_id",
        "created": "$.created_time",
        "is_test": "$.is_test",
        "form": "$.form_id",
        "form_name": "$.form_name",
        "page": "$.page_id",
        "ad": "$.ad_id",
        "ad_name": "$.ad_name",
        "adset": "$.adset_name",
        "campaign": "$.campaign_id",
        "campaign_name": "$.campaign_name",
        "network": "$.platform",
        "organic": "$.is_organic",
        "item": "$.retailer_item_id",
        "disclaimers": "$.disclaimers",
        "answers": "$.answers",
        **{name: f"$.person.{name}" for name in lead_documents.PERSON},
    },
    event_type="CASE WHEN kind IN ('lead', 'notice') THEN 'lead_submitted' END",
    occurred_at="created",
    quarantine="CASE WHEN kind = 'unknown' THEN 'not_a_lead' END",
    ignore="""CASE WHEN kind = 'other' THEN 'unsupported_change'
        WHEN is_test = 'true' THEN 'test_lead' END""",
    columns={
        "subject": "coalesce(form_name, ad_name)",
        "reference": "form",
        "campaign": "coalesce(campaign_name, campaign, ad_name, ad)",
        "product": "item",
        "outcome": "CASE kind WHEN 'notice' THEN 'notified' END",
    },
    identifiers=(
        IdentifierRule("external_id", "lead", "'facebook_lead'"),
        IdentifierRule("email", "email"),
        IdentifierRule("email", "work_email"),
        IdentifierRule("phone", "phone"),
        IdentifierRule("phone", "work_phone"),
    ),
    traits={
        "full_name": "full_name",
        "given_name": "given_name",
        "surname": "surname",
        "gender": "gender",
        "birth_date": "birth_date",
        "email": "coalesce(email, work_email)",
        "phone": "coalesce(phone, work_phone)",
        "street": "street",
        "city": "city",
        "region": "region",
        "postcode": "postcode",
        "country": "country",
        "company": "company",
    },
    properties=present(
        answers="answers::JSON",
        disclaimers="disclaimers::JSON",
        page="page",
        ad="ad",
        adset="adset",
        network="network",
        organic="organic",
    ),
)

CONNECTOR = Connector(
    name="lead_ads",
    channel="social",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=("$.lead_id",),
        type=("$.kind",),
        occurred_at=("$.created_time",),
        sent_at=("$.sent_at",),
    ),
    mapping=MAPPING,
    decode=lead_documents.documents,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
