"""Clients that write otherwise than most: what they send is taken, and what is odd in it costs nothing else."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from cdp.lake import Lake
from cdp.ledger import Ledger
from connectors.collector import tracking
from connectors.collector.bodies import UnreadableError, unpacked
from tests.collector_tools import EVENT, KEY, answered, basic, requests, seal


@pytest.mark.parametrize(
    "odd",
    [
        b'{"messageId": "odd", "a": NaN}',
        b'{"messageId": "odd", "a": "\\ud83d"}',
        b'{"messageId": "odd", "a": "\x01"}',
        b'{"messageId": "odd", "a": "\xff"}',
        b'{"messageId": "odd", "a": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"messageId": "odd", "a": 1,}',
    ],
    ids=["NaN", "half an emoji", "a control character", "no UTF-8", "deep", "a comma too many"],
)
def test_what_is_odd_in_one_event_does_not_cost_its_neighbours(tmp_path: Path, odd: bytes) -> None:
    good = json.dumps(EVENT).encode()
    body = (
        b'{"batch": ['
        + good
        + b", "
        + odd
        + b'], "sentAt": "2026-11-22T10:00:00Z", "writeKey": "%s"}' % KEY.encode()
    )
    assert answered(tmp_path, "/v1/batch", body).status == 200
    (kept,) = requests(tmp_path)
    calls = tracking.calls_of(kept.body)
    assert calls is not None
    assert (calls.payloads, calls.sent_at) == ([good, odd], "2026-11-22T10:00:00Z")
    seal(tmp_path)
    with Ledger(Lake(tmp_path).ledger_path) as ledger:
        assert ledger.value("SELECT sum(landed) FROM batches") == 2


@pytest.mark.parametrize("path", ["/v1/import/", "//v1/batch", "/v1//track/"])
def test_slashes_that_clients_write_too_many_do_not_count(tmp_path: Path, path: str) -> None:
    assert answered(tmp_path, path, json.dumps(EVENT).encode(), basic()).status == 200


@pytest.mark.parametrize(
    "packed", [zlib.compress, lambda body: b"\xef\xbb\xbf" + body], ids=["deflate", "BOM"]
)
def test_other_ways_to_write_a_body_are_read(tmp_path: Path, packed: Any) -> None:
    body = json.dumps(EVENT).encode()
    assert answered(tmp_path, "/v1/track", packed(body), basic()).status == 200
    assert requests(tmp_path)[0].body == body


def test_members_without_end_are_refused_at_once() -> None:
    with pytest.raises(UnreadableError, match="too_many_gzip_members"):
        unpacked(gzip.compress(b"", mtime=0) * 100_000, 4 << 20)


def test_an_authorization_that_is_of_something_else_leaves_the_key_of_the_body(tmp_path: Path) -> None:
    body = json.dumps(EVENT | {"writeKey": KEY}).encode()
    assert answered(tmp_path, "/v1/track", body, basic("proxy:password")).status == 200


@pytest.mark.parametrize("path", ["/v1/pixel/track", "/pixel/v1/track"])
def test_an_image_in_a_mail_can_send(tmp_path: Path, path: str) -> None:
    data = base64.urlsafe_b64encode(json.dumps(EVENT | {"writeKey": KEY}).encode()).decode().rstrip("=")
    seen = answered(tmp_path, path, b"", method="GET", query=f"data={data}")
    assert (seen.status, seen.body[:6], seen.headers["content-type"]) == (200, b"GIF89a", "image/gif")
    assert [(one.kind, json.loads(one.body)["event"]) for one in requests(tmp_path)] == [
        ("track", "Signed Up")
    ]


def test_an_image_is_shown_to_strangers_and_nothing_kept(tmp_path: Path) -> None:
    for query in ("data=!!!", "data=e30", "userId=u1", ""):
        assert answered(tmp_path, "/v1/pixel/page", b"", method="GET", query=query).body[:3] == b"GIF"
    assert requests(tmp_path) == []
