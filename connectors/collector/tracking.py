"""The tracking calls of Segment's and RudderStack's clients: paths, write keys, bodies, settings.

Shapes: Segment's HTTP Tracking API and RudderStack's HTTP API; what their clients really send is recorded
in the project's shared samples (sdk_captures).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import msgspec

_CALLS: Final = {
    "track": "track", "t": "track", "identify": "identify", "i": "identify", "page": "page", "p": "page",
    "screen": "screen", "s": "screen", "group": "group", "g": "group", "alias": "alias", "a": "alias",
    "batch": "batch", "b": "batch", "import": "batch",
}  # fmt: skip
PATHS: Final = {f"/v1/{path}": kind for path, kind in _CALLS.items()} | {"/beacon/v1/batch": "batch"}
"""Path -> kind of call."""
METRICS_PATH: Final = "/v1/m"
"""Figures of Segment's browser client about itself: taken and forgotten."""
BATCH: Final = "batch"
_SETTINGS: Final = re.compile(r"/v1/projects/([^/]{1,200})/settings")


class Body(msgspec.Struct):
    """The outline of a body; the calls of a batch stay as they are."""

    batch: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    writeKey: str | None = None  # noqa: N815 - the wire's own name
    sentAt: object = None  # noqa: N815 - the wire's own name


_BODY: Final = msgspec.json.Decoder(Body)


@dataclass(frozen=True, slots=True)
class Call:
    """What a body holds: how many events, the longest of them in bytes, and the write key if it names one."""

    events: int
    longest: int
    write_key: str | None
    is_batch: bool


def outline(body: bytes) -> Body | None:
    """Return the outline of a body; None where it is no JSON object, or its batch no list."""
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def understand(body: bytes) -> Call | None:
    """Read the outline of a body; None where nobody can read it.

    >>> understand(b'{"batch": [{"a": 1}, {}], "writeKey": "k"}')
    Call(events=2, longest=8, write_key='k', is_batch=True)
    >>> understand(b"[1]") is None
    True
    """
    found = outline(body)
    if found is None:
        return None
    if not isinstance(found.batch, list):
        return Call(1, len(body), found.writeKey, is_batch=False)
    longest = max(map(len, found.batch), default=0)
    return Call(len(found.batch), longest, found.writeKey, is_batch=True)


def basic_user(value: bytes) -> str | None:
    """Return the user name of a Basic authorization, which is the write key; None where there is none.

    >>> basic_user(b"Basic a2V5Og==")
    'key'
    """
    scheme, _, encoded = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text.partition(":")[0]


def query_key(query: bytes) -> str | None:
    """Return the write key that a query names.

    >>> query_key(b"v=3&writeKey=abc")
    'abc'
    """
    if b"rite" not in query:
        return None
    try:
        found = parse_qs(query.decode(), max_num_fields=50)
    except ValueError:
        return None
    return next((found[name][0] for name in ("writeKey", "writekey") if name in found), None)


def settings_key(path: str) -> str | None:
    """Return the write key of a request for a browser client's settings, else None."""
    found = _SETTINGS.fullmatch(path)
    return found[1] if found else None


def settings(write_key: str, base: str) -> bytes:
    """Return the settings that Segment's browser client asks for; ``base`` is our address (scheme://host)."""
    scheme, _, host = base.partition("://")
    ours = {"apiKey": write_key, "apiHost": f"{host.rstrip('/')}/v1", "protocol": scheme}
    found = {
        "integrations": {
            "Segment.io": ours | {"versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]}}
        },
        "plan": {"track": {"__default": {"enabled": True}}, "identify": {"__default": {"enabled": True}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "remotePlugins": [],
    }
    return msgspec.json.encode(found)


def source_config(write_key: str, source: str) -> bytes:
    """Return the configuration that RudderStack's clients ask for: the source is on, and has no destinations."""
    found = {
        "source": {
            "id": source,
            "name": source,
            "writeKey": write_key,
            "enabled": True,
            "workspaceId": "cdp",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "isHosted": False,
    }
    return msgspec.json.encode(found)
