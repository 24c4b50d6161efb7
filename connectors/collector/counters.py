"""What has been answered, counted: for the live view and for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.collector.commit import Committer

NOBODY = "-"
"""The source of a request that named none that we know."""


@dataclass
class SourceCounts:
    """Of one source: requests and events taken, their bytes, and requests refused by reason."""

    requests: int = 0
    events: int = 0
    bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Counters:
    """Counts by source since the start; changed on the event loop only."""

    def __init__(self) -> None:
        self.sources: dict[str, SourceCounts] = {}

    def of(self, source: str) -> SourceCounts:
        """Return the counts of a source."""
        found = self.sources.get(source)
        if found is None:
            found = self.sources[source] = SourceCounts()
        return found

    def took(self, source: str, events: int, size: int) -> None:
        """Count a request that is durable."""
        counts = self.of(source)
        counts.requests += 1
        counts.events += events
        counts.bytes += size

    def refuse(self, source: str, reason: str) -> None:
        """Count a request that was refused."""
        self.of(source).refused[reason] += 1


def prometheus(counters: Counters, committer: Committer | None, connections: int, unlanded: int) -> bytes:
    """Return the figures in Prometheus' text format (version 0.0.4)."""
    lines: list[str] = []
    for name, about, values in _families(counters, committer, connections, unlanded):
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {value}" for labels, value in values]
    return ("\n".join(lines) + "\n").encode()


Values = list[tuple[Mapping[str, str], float]]


def _families(
    counters: Counters, committer: Committer | None, connections: int, unlanded: int
) -> Iterator[tuple[str, str, Values]]:
    by_source = sorted(counters.sources.items())
    for name in ("requests", "events", "bytes"):
        about = {"bytes": "Bytes of bodies, unpacked"}.get(
            name, f"{name.capitalize()} that were made durable"
        )
        values: Values = [({"source": source}, getattr(counts, name)) for source, counts in by_source]
        yield f"cdp_collect_{name}_total", f"{about}.", values
    refused: Values = [
        ({"source": source, "reason": reason}, count)
        for source, counts in by_source
        for reason, count in sorted(counts.refused.items())
    ]
    yield "cdp_collect_refused_total", "Requests that were refused.", refused
    about = "Bytes that are durable and wait to be landed; growing without end, landing is stuck."
    yield "cdp_collect_unlanded_bytes", about, [({}, unlanded)]
    yield "cdp_collect_connections", "Open connections.", [({}, connections)]
    if committer is None:
        return
    totals = committer.totals
    yield "cdp_collect_syncs_total", "Groups of requests written and synced.", [({}, totals.syncs)]
    yield "cdp_collect_sync_failures_total", "Groups that could not be made durable.", [({}, totals.failures)]
    yield "cdp_collect_waiting_bytes", "Bytes that wait for the disk.", [({}, committer.waiting_bytes)]
    yield "cdp_collect_healthy", "1 where the last write reached the disk.", [({}, int(committer.healthy))]
    yield "cdp_collect_has_room", "1 where there is room for more.", [({}, int(not committer.no_room))]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""
