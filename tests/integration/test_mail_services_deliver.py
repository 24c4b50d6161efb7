"""Deliveries of the mail services, from the request to the landing zone: genuine ones once, forged ones never."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import collector_tools
from tests.collector_tools import Client, Response, batches, collecting, seal, workspace_settings
from tests.mailgun_tools import SECRET, signature
from tests.sns_tools import NOW, TOPIC, body, message, pem

CONFIG = f"""
version: 1
workspace: {{name: shop}}
sources:
  grid: {{connector: sendgrid, secret_env: CDP_GRID_KEY}}
  gun: {{connector: mailgun, secret_env: CDP_GUN_KEY}}
  mark: {{connector: postmark, secret_env: CDP_MARK_SECRET}}
  ses: {{connector: ses, signature: {{certificates: sns.pem, topics: "{TOPIC}"}}}}
"""
KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
AT = int(NOW.timestamp())

Headers = tuple[tuple[str, str], ...]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    given = {
        "CDP_GRID_KEY": base64.b64encode(der).decode(),
        "CDP_GUN_KEY": SECRET,
        "CDP_MARK_SECRET": "postmark:secret",
    }
    for name, value in given.items():
        monkeypatch.setitem(collector_tools.ENVIRONMENT, name, value)
    (tmp_path / "sns.pem").write_bytes(pem())


def sendgrid(data: bytes) -> Headers:
    digest = hashlib.sha256(str(AT).encode() + data).digest()
    signed = base64.b64encode(KEY.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))).decode()
    name = "x-twilio-email-event-webhook"
    return ((f"{name}-signature", signed), (f"{name}-timestamp", str(AT)))


def deliveries() -> dict[str, tuple[bytes, Headers]]:
    grid = json.dumps(
        [
            {"event": "open", "email": "ann@c.example", "sg_event_id": f"e{n}", "timestamp": AT}
            for n in range(3)
        ]
    ).encode()
    gun = {"event": "opened", "id": "e1", "timestamp": AT + 0.5, "recipient": "ann@c.example"}
    mark = {
        "RecordType": "Delivery",
        "MessageID": "m1",
        "Recipient": "ann@c.example",
        "DeliveredAt": "2026-03-02",
    }
    ses = {"eventType": "Send", "mail": {"messageId": "m1", "destination": ["ann@c.example"]}, "send": {}}
    signed = signature("from-the-request-to-the-landing-zone", AT)
    token = base64.b64encode(b"postmark:secret").decode()
    return {
        "grid": (grid, sendgrid(grid)),
        "gun": (json.dumps({"signature": signed, "event-data": gun}).encode(), ()),
        "mark": (json.dumps(mark).encode(), (("authorization", f"Basic {token}"),)),
        "ses": (body(message(Message=json.dumps(ses))), ()),
    }


@pytest.mark.usefixtures("secrets")
def test_genuine_deliveries_land_once_however_often_they_come_and_forged_ones_never(tmp_path: Path) -> None:
    async def work(client: Client) -> dict[str, list[Response]]:
        found: dict[str, list[Response]] = {}
        for source, (data, headers) in deliveries().items():
            path, forged = f"/hooks/{source}", data.replace(b"ann@c.example", b"eve@g.example")
            unsigned = tuple((name, "x") for name, _ in headers)
            found[source] = [
                await client(path, data, *headers),
                await client(path, data, *headers),
                await client(path, forged, *(unsigned if source == "mark" else headers)),
                await client(path, b"{}", *unsigned),
            ]
        return found

    settings = workspace_settings(config=CONFIG)
    answers = collecting(tmp_path, work, settings, clock=lambda: AT + 1.0)
    statuses = {source: [answer.status for answer in given] for source, given in answers.items()}
    assert statuses == {
        "grid": [200, 200, 403, 403],
        "gun": [200, 200, 403, 401],
        "mark": [200, 200, 401, 401],
        "ses": [200, 200, 403, 403],
    }
    landed = batches(seal(tmp_path, settings))
    assert (sum(batch.landed for batch in landed), sum(batch.duplicates for batch in landed)) == (12, 6)
    assert sum(batch.quarantined for batch in landed) == 0
    rows = [
        row for path in tmp_path.glob("landing/raw/**/*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    assert {row["source"]: row["type"] for row in rows} == {
        "grid": "open",
        "gun": "opened",
        "mark": "Delivery",
        "ses": "Send",
    }
    assert not any(b"eve@" in row["payload"] for row in rows)
    assert {row["received_at"] for row in rows} == {datetime.fromtimestamp(AT + 1, UTC)}
