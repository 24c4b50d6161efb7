"""Every connector of the registry, held to the laws of ``connectors.testing``."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.settings.model import Settings
from connectors.protocol import Connector
from connectors.registry import connector_for, names
from connectors.testing import (
    LAWS,
    SAFETY_LAWS,
    Trial,
    a_cut_loses_only_the_tail,
    mapping_is_sound,
)
from tests.channel_tools import CHANNELS, payload_files
from tests.conftest import thinned

EXAMPLES = max(2, settings().max_examples // 20)  # each takes a tenth of a second; `make soak` tries more

CALLS = [
    {
        "type": "identify",
        "messageId": "m1",
        "userId": "u1",
        "traits": {"email": "A@b.example", "name": "Ann"},
    },
    {"type": "track", "messageId": "m2", "anonymousId": "a1", "event": "Order Completed"},
    {"type": "page", "messageId": "m3", "anonymousId": "a1", "originalTimestamp": "2026-03-02T10:00:00Z"},
    {"type": "nonsense", "messageId": "m4"},
]
LINES = b"no,who,mail,total\n1,17,a@b.example,3.50\n2,18,not mail,1\n3,,,x\n\n4,5\n"
FILES = {
    "connector": "files",
    "event": {"type": "order_placed", "id": "no", "amount": "total", "currency": "EUR"},
    "identifiers": {"external_id": "who", "email": "mail"},
}


def _web() -> dict[str, bytes]:
    return {
        "lines": "\n".join(map(json.dumps, CALLS)).encode(),
        "batch": json.dumps({"batch": CALLS, "sentAt": "2026-03-02T10:00:01Z"}).encode(),
    }


def _channel(name: str) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in payload_files() if path.parent.name == name}
    if name == "whatsapp":
        bodies = [body for data in found.values() for body in json.loads(data).values()]
        found["lines"] = "\n".join(map(json.dumps, bodies)).encode()
        found["entries"] = json.dumps(
            {**bodies[0], "entry": [e for b in bodies for e in b["entry"]]}
        ).encode()
    return found


@functools.cache
def items(name: str) -> dict[str, bytes]:
    """Return the items of a connector's own format."""
    if name == "files":
        return {"lines.csv": LINES}
    name = "stripe" if name == "stripe_orders" else name
    return _channel(name) if name in CHANNELS else _web()


@functools.cache
def connector(name: str) -> Connector:
    source = FILES if name == "files" else {"connector": name}
    whole = Settings.model_validate({"workspace": {"name": "test"}, "sources": {name: source}})
    return connector_for(whole.sources[name])


@functools.cache
def trial(name: str, item: str) -> Trial:
    return Trial(connector(name), items(name)[item])


NAMES = sorted(names())
# Bodies by name in one object are no wire format, and a length that reaches beyond the end of a cut mbox
# is taken for a wrong one, so that wrong ones in the middle swallow nothing.
UNCUT = {("whatsapp", path.name) for path in payload_files()} | {("mail", "folder.mbox")}
ITEMS = [(name, item) for name in NAMES for item in items(name)]
TRIALS = [
    (name, item, law)
    for name, item in ITEMS
    for law in LAWS
    if law is not a_cut_loses_only_the_tail or (name, item) not in UNCUT
]


def is_among_the_largest(case: tuple[str, str, Callable[[Trial], None]]) -> bool:
    """Whether an item is one of the two of its connector with most in them: they tell enough for `make test`."""
    name, item, _ = case
    return item in sorted(items(name), key=lambda one: len(items(name)[one]))[-2:]


@pytest.mark.parametrize(
    ("name", "item", "law"),
    thinned(TRIALS, is_among_the_largest),
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_connector_holds_every_law(name: str, item: str, law: Callable[[Trial], None]) -> None:
    law(trial(name, item))


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_reads_what_it_declares(name: str) -> None:
    mapping_is_sound(connector(name).mapping)


def test_every_channel_has_items() -> None:
    assert set(CHANNELS) <= set(NAMES)
    assert all(items(name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=EXAMPLES)
@given(data=st.binary(max_size=400))
def test_any_bytes_become_outcomes(name: str, data: bytes) -> None:
    given_bytes = Trial(connector(name), data)
    for law in SAFETY_LAWS:
        law(given_bytes)


HURTS = [
    b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\x00", b"\xff", b"\n", b"\r\n", b"<", b"=?", b"\\u0000",
    b"\\ud800", b"null", b"1e999", b"-1", b"true", b'""', b"{}", b"[]",
    b'{"a":' * 60, b"[" * 60, b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"=?utf-8?b?////?=", b"Content-Type: multipart/mixed; boundary=x\n", b"From a@b 2026\n",
]  # fmt: skip
HURT = st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(HURTS) | st.binary(max_size=4))


def _hurt(data: bytes, hurts: list[tuple[float, int, bytes]]) -> bytes:
    for where, gone, put in hurts:
        at = int(where * len(data))
        data = data[:at] + put + data[at + gone :]
    return data


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_items_become_outcomes(name: str, data: st.DataObject) -> None:
    whole = items(name)[data.draw(st.sampled_from(sorted(items(name))))][:20_000]
    damaged = _hurt(whole, data.draw(st.lists(HURT, min_size=1, max_size=4)))
    given_bytes = Trial(connector(name), damaged)
    for law in SAFETY_LAWS:
        law(given_bytes)
