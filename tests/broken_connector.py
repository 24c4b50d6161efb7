"""A connector with a fault: it raises for some payloads, which none may, and seals others into an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cdp.settings import SourceSettings
from connectors.protocol import Chunk, Connector, SplitContext
from connectors.segment import CONNECTOR


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    if b"poison" in data:
        raise KeyError("a fault of the connector")
    yield from CONNECTOR.split(data, context)


def connector(settings: SourceSettings) -> Connector:
    del settings
    return dataclasses.replace(CONNECTOR, name="broken", split=split)
