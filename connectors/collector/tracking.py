"""The tracking calls of Segment's and RudderStack's clients: paths, write keys, bodies, settings.

Shapes: Segment's HTTP Tracking API and RudderStack's HTTP API; what their clients really send is recorded
in the project's shared samples (sdk_captures).
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import msgspec

from connectors import json_scan

_CALLS: Final = {
    "track": "track", "t": "track", "identify": "identify", "i": "identify", "page": "page", "p": "page",
    "screen": "screen", "s": "screen", "group": "group", "g": "group", "alias": "alias", "a": "alias",
    "batch": "batch", "b": "batch", "import": "batch", "merge": "merge",
}  # fmt: skip
PATHS: Final = {f"/v1/{path}": kind for path, kind in _CALLS.items()} | {"/beacon/v1/batch": "batch"}
"""Path -> kind of call."""
METRICS_PATH: Final = "/v1/m"
"""Figures of Segment's browser client about itself: taken and forgotten."""
BATCH: Final = "batch"
_PIXEL: Final = re.compile(r"/(?:v1/pixel|pixel/v1)/(track|page|identify|screen|group|alias)")
GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent pixel."""
_URL_SAFE: Final = str.maketrans("-_ ", "+/+")
_SETTINGS: Final = re.compile(r"/v1/projects/([^/]{1,200})/settings")


class Body(msgspec.Struct):
    """The outline of a body; the calls of a batch stay as they are."""

    batch: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    writeKey: str | None = None  # noqa: N815 - the wire's own name
    sentAt: object = None  # noqa: N815 - the wire's own name


_BODY: Final = msgspec.json.Decoder(Body)
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_BATCH: Final = re.compile(rb'"batch"\s*:\s*(?=\[)')
_WRITE_KEY: Final = re.compile(rb'"writeKey"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,200})"')
_SENT_AT: Final = re.compile(rb'"sentAt"\s*:\s*"([0-9TZ:+. -]{1,40})"')


@dataclass(frozen=True, slots=True)
class Call:
    """What a body holds: how many events, the longest of them in bytes, and the write key if it names one."""

    events: int
    longest: int
    write_key: str | None
    is_batch: bool


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a batch, verbatim, and when it was sent."""

    payloads: list[bytes]
    sent_at: str | None = None


def _outline(body: bytes) -> Body | None:
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def understand(body: bytes) -> Call | None:
    """Read the outline of a body; None where nobody can read it.

    What is odd inside one call (``NaN``, half an emoji, a control character) is no reason to refuse the others.

    >>> understand(b'{"batch": [{"a": 1}, {}], "writeKey": "k"}')
    Call(events=2, longest=8, write_key='k', is_batch=True)
    >>> understand(b'{"batch": [{"a": 1}, {"a": NaN}]}')
    Call(events=2, longest=10, write_key=None, is_batch=True)
    >>> understand(b"[1]") is None
    True
    """
    found = _outline(body)
    if found is None:
        return None if _is_json(body) else _understand_odd(body)
    if not isinstance(found.batch, list):
        return Call(1, len(body), found.writeKey, is_batch=False)
    longest = max(map(len, found.batch), default=0)
    return Call(len(found.batch), longest, found.writeKey, is_batch=True)


def _is_json(body: bytes) -> bool:
    """Say whether a body is JSON of another shape than calls have."""
    try:
        _RAW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _understand_odd(body: bytes) -> Call | None:
    """Understand a body by its brackets alone: one object, which must close."""
    whole = list(itertools.islice(json_scan.spans(body), 2))
    if len(whole) != 1 or whole[0].problem is not None or body[whole[0].start : whole[0].start + 1] != b"{":
        return None
    named = _WRITE_KEY.search(body)
    key = named[1].decode() if named else None
    spans = _odd_items(body)
    if spans is None:
        return Call(1, len(body), key, is_batch=False)
    lengths = [span.end - span.start for span in spans]
    return Call(len(lengths), max(lengths, default=0), key, is_batch=True)


def _odd_items(body: bytes) -> list[json_scan.Span] | None:
    opened = _BATCH.search(body)
    found = json_scan.items(body, opened.end()) if opened else None
    return None if found is None else list(found)


def calls_of(body: bytes) -> Calls | None:
    """Return the calls of a body that ``understand`` takes for a batch; None where there are none to be found."""
    found = _outline(body)
    if found is not None and isinstance(found.batch, list):
        sent = found.sentAt if isinstance(found.sentAt, str) else None
        return Calls(list(map(bytes, found.batch)), sent)
    spans = _odd_items(body)
    if spans is None:
        return None
    sent_at = _SENT_AT.search(body)
    return Calls(
        [body[span.start : span.end].rstrip() for span in spans], sent_at[1].decode() if sent_at else None
    )


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


def plain(path: str) -> str:
    """Return a path without doubled slashes, and without one at its end: some clients write them.

    >>> plain("//v1/import/")
    '/v1/import'
    """
    return "/" + "/".join(part for part in path.split("/") if part)


def pixel(path: str, query: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Return kind and call of an image's address (in mails, where nothing else can send); None for other paths.

    The call is the parameter ``data`` (base64 of JSON), else the parameters themselves.

    >>> pixel("/v1/pixel/track", {"userId": "u1", "event": "Read"})
    ('track', b'{"userId":"u1","event":"Read"}')
    """
    found = _PIXEL.fullmatch(path)
    if found is None:
        return None
    data = query.get("data")
    if data is None:
        return found[1], msgspec.json.encode(dict(query))
    try:
        return found[1], base64.b64decode(data.translate(_URL_SAFE) + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return found[1], b""


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
