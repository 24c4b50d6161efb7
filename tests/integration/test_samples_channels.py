"""All shared samples of the channels, landed as one inbox: every file ends as outcomes with reasons.

The counts are those of the samples as they are; a change here is a change of what people would see.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.landing_tools import Landing

CONNECTORS = {
    "sendgrid_webhooks": "sendgrid",
    "sendgrid_inbound": "mail",
    "mailgun_webhooks": "mailgun",
    "mailgun_inbound": "mailgun",
    "postmark_webhooks": "postmark",
    "postmark_inbound": "postmark",
    "amazon_ses_webhooks": "ses",
    "amazon_ses_inbound": "ses",
    "ses": "ses",
    "mandrill_webhooks": "mandrill",
    "eml_mikel_mail": "mail",
    "mbox": "mail",
    "bounces_sisimai": "mail",
    "reply_texts": "mail",
    "twilio_rest": "twilio",
    "asterisk_cdr": "asterisk",
    "whatsapp": "whatsapp",
    "meta_instagram": "instagram",
    "facebook_lead_ads": "lead_ads",
    "mastodon_docs": "mastodon",
    "mastodon_docs_with_comments": "mastodon",
    "shopify": "shopify",
    "stripe": "stripe",
}

# format -> (envelopes, standardised, duplicate, superseded), and the reasons of the others
EXPECTED: dict[str, tuple[tuple[int, int, int, int], dict[str, int]]] = {
    "sendgrid_webhooks": ((9, 9, 0, 0), {}),
    "mailgun_webhooks": (
        (14, 12, 0, 0),
        {"quarantined:missing_event": 1, "quarantined:unknown_event_type": 1},
    ),
    "mailgun_inbound": ((3, 2, 0, 0), {"quarantined:missing_event": 1}),
    "postmark_webhooks": ((8, 7, 0, 0), {"ignored:suppressed_by_bounce": 1}),
    "postmark_inbound": (
        (5, 2, 0, 0),
        {"quarantined:invalid_json": 1, "quarantined:missing_event": 2},
    ),
    "amazon_ses_webhooks": (
        (10, 7, 0, 0),
        {"ignored:subscription_ended": 1, "ignored:subscription_request": 1, "quarantined:missing_mail": 1},
    ),
    "amazon_ses_inbound": (
        (5, 0, 0, 0),
        {"ignored:content_elsewhere": 1, "quarantined:missing_event": 3, "quarantined:missing_mail": 1},
    ),
    "mandrill_webhooks": (
        (6, 3, 2, 0),
        {"duplicate:landed_before": 2, "quarantined:missing_mail": 1},
    ),
    "ses": ((3, 2, 0, 0), {"quarantined:unknown_message": 1}),
    "sendgrid_inbound": ((4, 3, 0, 0), {"quarantined:not_a_message": 1}),
    "eml_mikel_mail": (
        (69, 53, 3, 13),
        {"duplicate:landed_before": 3, "superseded:newer_revision": 13},
    ),
    "mbox": ((30, 30, 0, 0), {}),
    "bounces_sisimai": ((208, 175, 0, 33), {"superseded:newer_revision": 33}),
    "reply_texts": ((17, 1, 0, 0), {"quarantined:not_a_message": 16}),
    "twilio_rest": (
        (80, 6, 6, 3),
        {
            "duplicate:landed_before": 6,
            "ignored:empty_page": 8,
            "ignored:no_customer_address": 7,
            "ignored:not_sent": 3,
            "ignored:unsupported_resource": 47,
            "superseded:newer_revision": 3,
        },
    ),
    "asterisk_cdr": ((9, 5, 0, 0), {"ignored:internal_call": 4}),
    "whatsapp": (
        (66, 18, 0, 22),
        {
            "ignored:account_notice": 17,
            "ignored:call_progress": 1,
            "ignored:reaction_removed": 2,
            "ignored:system_notice": 1,
            "ignored:template_notice": 5,
            "superseded:newer_revision": 22,
        },
    ),
    "meta_instagram": ((3, 3, 0, 0), {}),
    # Requests that were kept: four leads, of which three have one id; a body of nothing; a body that is null.
    "facebook_lead_ads": (
        (6, 2, 0, 2),
        {"ignored:nothing_inside": 1, "quarantined:not_a_lead": 1, "superseded:newer_revision": 2},
    ),
    "mastodon_docs": (
        (71, 3, 49, 0),
        {
            "duplicate:landed_before": 49,
            "ignored:nothing_inside": 1,
            "ignored:scheduled_status": 1,
            "ignored:stream_notice": 1,
            "quarantined:error_answer": 11,
            "quarantined:unknown_entity": 5,
        },
    ),
    "mastodon_docs_with_comments": (
        (45, 0, 8, 0),
        {
            "duplicate:landed_before": 8,
            "quarantined:invalid_json": 35,
            "quarantined:not_an_object": 1,
            "quarantined:unknown_entity": 1,
        },
    ),
    "shopify": (
        (19, 4, 0, 0),
        {
            "ignored:draft": 1,
            "ignored:no_money_moved": 1,
            "ignored:not_shipped": 1,
            "ignored:told_by_fulfillment": 1,
            "ignored:told_by_order": 1,
            "ignored:unsupported_resource": 10,
        },
    ),
    # A charge, a payment intent and an order are of one payment; an amount has a decimal point, which none has.
    "stripe": (
        (41, 8, 1, 2),
        {
            "duplicate:landed_before": 1,
            "ignored:unsupported_resource": 29,
            "quarantined:bad_amount": 1,
            "superseded:newer_revision": 2,
        },
    ),
}


def sample_files(shared: Path, format_name: str) -> list[Path]:
    with (shared / "samples/MANIFEST.csv").open(encoding="utf-8") as manifest:
        listed = [row["path"] for row in csv.DictReader(manifest) if row["format"] == format_name]
    return [shared / "samples" / path for path in listed]


def landed(tmp_path: Path, format_name: str, files: list[Path]) -> Landing:
    name = format_name[:20]
    landing = Landing.of(tmp_path, name=name, connector=CONNECTORS[format_name], path=f"inbox/{name}/*")
    for number, path in enumerate(files):
        landing.put(f"{number:04d}-{path.name}", path.read_bytes())
    landing.run()
    return landing


def origins(landing: Landing) -> set[str]:
    """Return the SHA-256 of every file that left a row in the landing zone."""
    with landing.ledger() as ledger:
        paths = [row["path"] for row in ledger.rows("SELECT path FROM files")]
    tables = [pq.read_table(landing.lake.path(path), columns=["origin_file_sha"]) for path in paths]
    return {sha for table in tables for sha in table["origin_file_sha"].to_pylist()}


@pytest.mark.parametrize("format_name", CONNECTORS)
def test_every_sample_ends_as_outcomes(tmp_path: Path, shared: Path, format_name: str) -> None:
    files = sample_files(shared, format_name)
    assert files
    landing = landed(tmp_path, format_name, files)
    assert all(batch.holds for batch in landing.counts())
    assert landing.total("pending") == 0
    contents = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.read_bytes().strip()}
    assert origins(landing) == contents, "a file that left no trace"
    counts = tuple(landing.total(name) for name in ("landed", "standardised", "duplicate", "superseded"))
    assert (counts, landing.reasons()) == EXPECTED[format_name]


def test_landing_the_samples_again_changes_nothing(tmp_path: Path, shared: Path) -> None:
    files = sample_files(shared, "twilio_rest")
    landing = landed(tmp_path, "twilio_rest", files)
    before, counts = landing.events(), landing.counts()
    landing.run()
    assert landing.counts() == counts
    assert landing.events() == before
