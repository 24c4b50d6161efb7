"""What is asked of the collector itself, and what clients ask for before they send."""

from __future__ import annotations

from typing import Final

from connectors.collector import tracking
from connectors.collector.commit import Committer
from connectors.collector.counters import Counters, prometheus
from connectors.collector.endpoints import Endpoints
from connectors.collector.responses import RefusedError, Scope, write_keys
from connectors.collector.webhooks import JSON_TYPE, Answer

OK: Final = Answer(200)
_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


def readiness(committer: Committer | None) -> Answer:
    """Answer whether events would be taken now."""
    problem = "not_started"
    if committer is not None:
        problem = committer.no_room if committer.healthy else "disk_failed"
    if problem:
        raise RefusedError(503, problem, (b"retry-after", b"1"))
    return OK


def metrics(counters: Counters, committer: Committer | None, connections: int, unlanded: int) -> Answer:
    """Answer with the figures for Prometheus."""
    return Answer(200, prometheus(counters, committer, connections, unlanded), (_TEXT,))


def client_settings(scope: Scope, endpoints: Endpoints, base: str) -> Answer:
    """Answer with the settings that browser clients of Segment and RudderStack fetch; 404 for anything else."""
    key = tracking.settings_key(scope["path"])
    if key is not None and key in endpoints.keys:
        return Answer(200, tracking.settings(key, base), (JSON_TYPE,))
    if scope["path"].rstrip("/") != "/sourceConfig":
        raise RefusedError(404, "not_found")
    key = next((key for key in write_keys(scope) if key in endpoints.keys), None)
    if key is None:
        raise RefusedError(401, "unknown_write_key")
    return Answer(200, tracking.source_config(key, endpoints.keys[key]), (JSON_TYPE,))
