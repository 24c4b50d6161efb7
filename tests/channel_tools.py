"""The channels' committed payloads, and what they become, as golden files.

After a change that is meant to change events, write the golden files again, and read the difference
before committing it:

    python -m tests.channel_tools
    git diff tests/golden/channels
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cdp.settings.model import SourceSettings
from connectors.compile import Own, SourceContext
from connectors.protocol import Connector
from connectors.registry import connector_for
from connectors.testing import Stood, stand

CHANNELS = (
    "sendgrid",
    "mail",
    "mailgun",
    "postmark",
    "ses",
    "mandrill",
    "twilio",
    "asterisk",
    "whatsapp",
    "instagram",
    "messenger",
    "lead_ads",
    "mastodon",
    "shopify",
    "stripe",
)
DATA = Path(__file__).parent / "data" / "channels"
GOLDEN = Path(__file__).parent / "golden" / "channels"

OWN = Own(
    phones=frozenset({"+442071234567", "+13051913580"}),
    domains=frozenset({"shop.example"}),
    handles=frozenset({"shop@social.shop.example", "17841405822304914"}),
)
# What says nothing about the event, or only where this run has put it.
_LEFT_OUT = {"source", "file_id", "raw_row", "received_at", "line_count"}


def connector(name: str) -> Connector:
    return connector_for(SourceSettings(connector=name, name=name))


def payload_files() -> list[Path]:
    return sorted(path for name in CHANNELS for path in (DATA / name).iterdir())


def largest_payloads(number: int) -> list[Path]:
    """Return so many payloads of each channel, those with most in them."""
    folders = [sorted((DATA / name).iterdir(), key=lambda path: path.stat().st_size) for name in CHANNELS]
    return [path for folder in folders for path in folder[-number:]]


def context(name: str) -> SourceContext:
    return SourceContext(name, name, "Europe/London", "GB", own=OWN)


def stood(path: Path) -> Stood:
    """Return what becomes of a committed payload in a workspace that has addresses of its own."""
    name = path.parent.name
    return stand(connector(name), path.read_bytes(), context(name), origin=path.name)


def events(name: str, data: bytes | str | object, own: Own = OWN) -> list[dict[str, Any]]:
    """Return the events of an item; what is no bytes and no text is written as JSON."""
    return [_event(row) for row in became(name, data, own).events.to_pylist()]


def reasons(name: str, data: bytes | str | object, own: Own = OWN) -> dict[str, int]:
    """Return why envelopes of an item are no events, by ``outcome:reason``."""
    return became(name, data, own).reasons()


def became(name: str, data: bytes | str | object, own: Own = OWN) -> Stood:
    """Return what becomes of an item in a workspace with these addresses of its own."""
    whole = (
        data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    )
    return stand(connector(name), whole, SourceContext(name, name, "Europe/London", "GB", own=own))


def golden_path(path: Path) -> Path:
    return GOLDEN / path.parent.name / f"{path.name}.json"


def golden(path: Path) -> str:
    """Return the golden file of a payload: its events, and its envelopes that are none."""
    found = stood(path)
    kept = [{"origin_row": row, "reason": reason} for row, reason in _rejected(found)]
    kept += [
        {"event_id": row["event_id"], "outcome": row["outcome"], "reason": row["reason"]}
        for row in found.batch.outcomes.to_pylist()
    ]
    content = {"events": [_event(row) for row in found.events.to_pylist()], "no_events": kept}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _rejected(found: Stood) -> list[tuple[int, str]]:
    rows, reasons = found.quarantine["origin_row"].to_pylist(), found.quarantine["reason"].to_pylist()
    return list(zip(rows, reasons, strict=True))


def _event(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if value is not None and name not in _LEFT_OUT}
    event = {
        name: _text(value) if isinstance(value, (datetime, Decimal)) else value
        for name, value in kept.items()
    }
    event["identifiers"] = [f"{i['type']} {i['namespace']}:{i['value']}" for i in row["identifiers"]]
    if row["traits"] is not None:
        event["traits"] = {name: value for name, value in row["traits"].items() if value is not None}
    if row["properties"] is not None:
        event["properties"] = json.loads(row["properties"])
    return event


def _text(value: datetime | Decimal) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def main() -> None:
    for path in payload_files():
        target = golden_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(golden(path), encoding="utf-8")
        print(target.relative_to(GOLDEN.parent))  # noqa: T201 - a command


if __name__ == "__main__":
    main()
