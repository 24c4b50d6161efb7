"""What every connector must hold to: laws that a test runs over a connector and sample items.

``stand`` takes an item all the way from bytes to events without a workspace. The ``check_*`` functions
are the laws; each raises ``AssertionError`` with what broke it. A connector's test module parametrises
over its own items, and over arbitrary bytes:

    @pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
    def test_conformance(law):
        law(CONNECTOR, item)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cdp.duck import connect
from cdp.events import CHANNELS, DIRECTIONS, EVENT_TYPES
from cdp.identifiers import normalise
from cdp.schemas import EVENTS, QUARANTINE, RAW
from connectors.compile import SourceContext
from connectors.envelopes import EnvelopeContext, seal
from connectors.protocol import Chunk, Connector, SplitContext
from connectors.reading import Gathered, Item
from connectors.standardise import StandardisedBatch, standardise

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REASON = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Stood:
    """What became of an item: its raw rows, its rejected pieces, events and outcomes."""

    raw: pa.Table
    quarantine: pa.Table
    batch: StandardisedBatch

    @property
    def events(self) -> pa.Table:
        """The standardised events (``cdp.schemas.EVENTS``)."""
        return self.batch.events

    @property
    def pieces(self) -> int:
        """How many envelopes the item had."""
        return int(self.raw.num_rows + self.quarantine.num_rows)

    def reasons(self) -> dict[str, int]:
        """Return how many envelopes are no event, by ``outcome:reason``."""
        found = [f"{row['outcome']}:{row['reason']}" for row in self.batch.outcomes.to_pylist()]
        found += [f"quarantined:{reason}" for reason in self.quarantine["reason"].to_pylist()]
        return {reason: found.count(reason) for reason in sorted(set(found))}


def split(connector: Connector, data: bytes, origin: str = "item") -> list[Chunk]:
    """Return the chunks of an item."""
    return list(connector.split(data, SplitContext(origin)))


def stand(
    connector: Connector, data: bytes, context: SourceContext | None = None, *, origin: str = "item", now: datetime = NOW
) -> Stood:
    """Return what becomes of an item, from its bytes to its events."""
    context = context or SourceContext(connector.name, connector.name, region="GB")
    item, gathered = Item(hashlib.sha256(data).hexdigest()), Gathered()
    for chunk in split(connector, data, origin):
        gathered.add(chunk, item)
    if not gathered:
        raw, quarantine = RAW.empty_table(), QUARANTINE.empty_table()
    else:
        envelope = EnvelopeContext(context.source, "b1", now, context.timezone, context.region)
        with connect() as connection:
            raw, quarantine = seal(connection, connector, gathered, envelope)
    return Stood(raw, quarantine, standardise(raw, connector, context, file_id=1))
