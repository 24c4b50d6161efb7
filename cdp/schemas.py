"""Arrow schemas of every table that crosses a stage boundary.

A schema is a contract: columns are only ever added. Each column of a standardised event says how
personal it is (``direct``, ``quasi`` or ``none``) in its field metadata under ``pii``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

RAW_SCHEMA_VERSION = 1
EVENTS_SCHEMA_VERSION = 1

Pii = Literal["direct", "quasi", "none"]

TIMESTAMP = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 4)

# One source item after splitting. ``fingerprint`` (first half of the payload's SHA-256) and
# ``event_hash`` (64 bits of the id) let a duplicate be found without reading any payload.
RAW = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("type", pa.string()),
        pa.field("occurred_at", TIMESTAMP),
        pa.field("sent_at", TIMESTAMP),
        pa.field("received_at", TIMESTAMP, nullable=False),
        pa.field("batch_id", pa.string(), nullable=False),
        pa.field("origin_file_sha", pa.string(), nullable=False),
        pa.field("origin_row", pa.int64(), nullable=False),
        pa.field("connector_version", pa.string(), nullable=False),
        pa.field("schema_version", pa.int16(), nullable=False),
        pa.field("content_type", pa.string(), nullable=False),
        pa.field("event_hash", pa.uint64(), nullable=False),
        pa.field("fingerprint", pa.binary(16), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
    ]
)

# What a connector could not read: the same row, with the reason.
# ``context`` is what a replay needs besides the piece (the header line of its file).
QUARANTINE = pa.schema(
    [
        *RAW,
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("context", pa.string()),
    ]
)

RAW_DICTIONARY_COLUMNS = (
    "source",
    "channel",
    "type",
    "batch_id",
    "origin_file_sha",
    "connector_version",
    "content_type",
    "reason",
    "context",
)

IDENTIFIER = pa.struct([("type", pa.string()), ("namespace", pa.string()), ("value", pa.string())])

# Traits of a person, in the order in which a profile shows them; value = how personal it is.
TRAITS: Mapping[str, Pii] = {
    "full_name": "direct",
    "given_name": "direct",
    "surname": "direct",
    "title": "quasi",
    "gender": "quasi",
    "birth_date": "direct",
    "email": "direct",
    "phone": "direct",
    "street": "direct",
    "city": "quasi",
    "region": "quasi",
    "postcode": "quasi",
    "country": "none",
    "company": "quasi",
    "language": "none",
}


def _field(name: str, kind: pa.DataType, pii: Pii, about: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"pii": pii, "comment": about})


# One row per event of one source. ``file_id`` and ``raw_row`` lead back to the raw envelope.
# Rows of one (source, event_id) from different files are partial folds of one grouped event
# (``line_count`` envelopes each); the release adds them up.
EVENTS = pa.schema(
    [
        _field("source", pa.string(), "none", "source of the event", nullable=False),
        _field("event_id", pa.string(), "none", "id within the source", nullable=False),
        _field("file_id", pa.int64(), "none", "raw file of the envelope (ledger)", nullable=False),
        _field(
            "raw_row", pa.int64(), "none", "position of the envelope in that file, from 0", nullable=False
        ),
        _field("line_count", pa.int32(), "none", "envelopes folded into this event", nullable=False),
        _field("record_key", pa.string(), "direct", "source:key of the person's record; NULL = unattributed"),
        _field("channel", pa.string(), "none", "web, email, phone, sms, social, ...", nullable=False),
        _field("event_type", pa.string(), "none", "one of the vocabulary, past tense", nullable=False),
        _field("direction", pa.string(), "none", "inbound, outbound or NULL"),
        _field("occurred_at", TIMESTAMP, "none", "when it happened, UTC", nullable=False),
        _field("occurred_text", pa.string(), "none", "the time as the source wrote it"),
        _field(
            "time_flag", pa.string(), "none", "missing, unreadable, future, before_1990, ambiguous or NULL"
        ),
        _field("received_at", TIMESTAMP, "none", "when its batch landed", nullable=False),
        _field("identifiers", pa.list_(IDENTIFIER), "direct", "normalised identifiers of the person"),
        _field(
            "traits", pa.struct([(name, pa.string()) for name in TRAITS]), "direct", "traits of the person"
        ),
        _field("properties", pa.string(), "quasi", "properties of the event, JSON"),
        _field("subject", pa.string(), "quasi", "what a person reads in the history: page, subject, text"),
        _field("reference", pa.string(), "none", "order, ticket, call or thread that it belongs to"),
        _field("campaign", pa.string(), "none", "campaign name or id"),
        _field("product", pa.string(), "none", "product name or code"),
        _field("amount", MONEY, "none", "money, in ``currency``"),
        _field("currency", pa.string(), "none", "ISO 4217 code"),
        _field("duration_seconds", pa.float64(), "none", "length of a call, seconds"),
        _field("agent", pa.string(), "quasi", "who served the customer"),
        _field("department", pa.string(), "none", "team or queue"),
        _field(
            "outcome",
            pa.string(),
            "none",
            "answered, busy, bounced, ... as the source says; bot, machine: nobody did it",
        ),
        _field("escalation_level", pa.int32(), "none", "0 = not escalated"),
        _field("self_service", pa.bool_(), "none", "solved without an agent"),
        _field("latitude", pa.float64(), "quasi", "degrees, WGS 84"),
        _field("longitude", pa.float64(), "quasi", "degrees, WGS 84"),
        _field("consent_purpose", pa.string(), "none", "purpose whose consent changes"),
        _field("consent_channel", pa.string(), "none", "channel whose consent changes; NULL = all"),
        _field("consent_state", pa.string(), "none", "granted or denied"),
        _field("brand", pa.string(), "none", "brand of the source"),
    ]
)

# The fate of each envelope that did not become (part of) an event, as a stage hands it on.
OUTCOMES = pa.schema(
    [
        pa.field("raw_row", pa.int64(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
    ]
)

# Identity: one row per record, identifiers and trait values in long form.
RECORD_IDENTIFIERS = pa.schema(
    [
        ("record_key", pa.string()),
        ("source", pa.string()),
        ("type", pa.string()),
        ("namespace", pa.string()),
        ("value", pa.string()),
        ("first_seen_at", TIMESTAMP),
        ("last_seen_at", TIMESTAMP),
    ]
)
RECORD_VALUES = pa.schema(
    [
        ("record_key", pa.string()),
        ("source", pa.string()),
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("observed_at", TIMESTAMP),
    ]
)
CLUSTERS = pa.schema(
    [("record_key", pa.string()), ("cluster_id", pa.string()), ("match_probability", pa.float64())]
)
# Edges between records: the weights of ``levels`` sum to ``match_weight``, in bits.
EVIDENCE = pa.schema(
    [
        ("left_record", pa.string()),
        ("right_record", pa.string()),
        ("kind", pa.string()),
        ("match_weight", pa.float64()),
        ("match_probability", pa.float64()),
        ("reason", pa.string()),
        (
            "levels",
            pa.list_(
                pa.struct([("comparison", pa.string()), ("level", pa.string()), ("weight", pa.float64())])
            ),
        ),
    ]
)
# ``what`` is identifier, record or cluster; ``value`` names it: a record or cluster by its record key.
HELD_BACK = pa.schema(
    [
        ("what", pa.string()),
        ("type", pa.string()),
        ("namespace", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("records", pa.int64()),
    ]
)
ID_MAP = pa.schema([("record_key", pa.string()), ("customer_id", pa.string())])
