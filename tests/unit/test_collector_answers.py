"""What the collector answers, and what it has then kept."""

from __future__ import annotations

import asyncio
import base64
import errno
import gzip
import json
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from cdp.errors import UsageError
from connectors.collector import tracking
from connectors.collector.bodies import Budget, BusyError, TooLargeError, read, unpacked
from connectors.collector.endpoints import endpoints
from tests.collector_tools import (
    ENVIRONMENT,
    EVENT,
    KEY,
    NOW,
    SECRET,
    Client,
    Response,
    answered,
    basic,
    collecting,
    failing,
    requests,
    segments,
    workspace_settings,
)


def signed(secret: str = SECRET) -> tuple[str, str]:
    """Return the header by which a delivery to `forms` is verified."""
    return "authorization", "Basic " + base64.b64encode(secret.encode()).decode()


def test_every_path_of_the_clients_takes_its_call(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Response]:
        return [await client.track(EVENT | {"messageId": path}, path) for path in tracking.PATHS]

    answers = collecting(tmp_path, work)
    assert {(answer.status, answer.body) for answer in answers} == {(200, b'{"success":true}')}
    kept = requests(tmp_path)
    assert [(one.source, one.tracking, one.received_us) for one in kept] == [
        ("web", True, int(NOW * 1e6))
    ] * len(kept)
    kinds = {json.loads(one.body)["messageId"]: one.kind for one in kept}
    assert kinds == {path: "" if kind == "batch" else kind for path, kind in tracking.PATHS.items()}


def test_a_batch_is_kept_as_it_came(tmp_path: Path) -> None:
    body = json.dumps({"batch": [EVENT, EVENT], "sentAt": "2026-11-22T10:00:00Z", "writeKey": KEY}).encode()
    assert answered(tmp_path, "/v1/batch", body).status == 200
    assert [(one.kind, one.body) for one in requests(tmp_path)] == [("batch", body)]


@pytest.mark.parametrize(
    "headers",
    [
        [("content-encoding", "gzip"), ("content-type", "application/json")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "text/plain")],
        [],
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_body_is_read_by_what_it_is(tmp_path: Path, headers: list[tuple[str, str]], packed: bool) -> None:
    body = json.dumps(EVENT).encode()
    sent = gzip.compress(body) if packed else body
    assert answered(tmp_path, "/v1/track", sent, basic(), *headers).status == 200
    assert requests(tmp_path)[0].body == body


def test_a_body_may_come_in_pieces_and_in_several_gzip_members(tmp_path: Path) -> None:
    body = json.dumps(EVENT).encode()
    packed = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert answered(tmp_path, "/v1/track", [packed[:5], packed[5:30], packed[30:]], basic()).status == 200
    assert requests(tmp_path)[0].body == body


@pytest.mark.parametrize(
    ("query", "body", "headers"),
    [
        ("", {}, [basic()]),
        ("", {"writeKey": KEY}, []),
        (f"writeKey={KEY}", {}, []),
        (f"v=3&writekey={KEY}&x=%ff", {}, []),
        ("", {"writeKey": KEY}, [("authorization", "Basic !!!")]),
        ("", {"writeKey": KEY}, [("authorization", "Bearer x")]),
    ],
)
def test_the_write_key_is_found_where_clients_put_it(
    tmp_path: Path, query: str, body: dict[str, str], headers: list[tuple[str, str]]
) -> None:
    sent = json.dumps(EVENT | body).encode()
    assert answered(tmp_path, "/beacon/v1/batch", sent, *headers, query=query).status == 200
    assert [one.source for one in requests(tmp_path)] == ["web"]


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("/v1/track", b"", 400, "invalid_json"),
        ("/v1/track", b"nonsense", 400, "invalid_json"),
        ("/v1/track", b"[1]", 400, "invalid_json"),
        ("/v1/track", b'"text"', 400, "invalid_json"),
        ("/v1/batch", b'{"batch": {}}', 400, "invalid_json"),
        ("/v1/batch", b'{"batch": [{}', 400, "invalid_json"),
        ("/v1/track", b'{"a": "\xff\xfe"}{', 400, "invalid_json"),
        ("/v1/track", b"[" * 100_000, 400, "invalid_json"),
        ("/v1/track", b'{"a":' * 100_000, 400, "invalid_json"),
        ("/v1/track", gzip.compress(b"{}", mtime=0)[:-9], 400, "truncated_gzip"),
        ("/v1/track", b"\x1f\x8b" + b"nonsense", 400, "invalid_gzip"),
        ("/v1/track", json.dumps({"a": "x" * 40_000}).encode(), 413, "event_too_large"),
        ("/v1/batch", b" " * (5 << 20), 413, "body_too_large"),
        ("/v1/batch", gzip.compress(b" " * (20 << 20), mtime=0), 413, "body_too_large"),
        ("/v1/batch", b'{"batch":[' + b"{}," * 100_000 + b"{}]}", 413, "too_many_events"),
        ("/v1/nothing", b"{}", 404, "not_found"),
        ("/", b"{}", 404, "not_found"),
        ("/hooks/nobody", b"{}", 404, "unknown_source"),
        ("/hooks/../web", b"{}", 404, "unknown_source"),
        ("/hooks/web", b"{}", 404, "unknown_source"),
        ("/hooks/", b"{}", 404, "not_found"),
        ("/hooks/forms\x00", b"{}", 404, "unknown_source"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_taken_is_refused_with_a_reason(
    tmp_path: Path, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = answered(tmp_path, path, body, basic())
    told = dict.fromkeys(("error", "code", "message"), reason)
    assert (answer.status, answer.json) == (status, {"success": False, **told})
    assert requests(tmp_path) == []


@pytest.mark.parametrize("headers", [[], [basic("another")], [("authorization", "Basic /w==")]])
def test_a_stranger_is_refused(tmp_path: Path, headers: list[tuple[str, str]]) -> None:
    assert answered(tmp_path, "/v1/track", b"{}", *headers).status == 401
    assert requests(tmp_path) == []


def test_an_empty_batch_is_fine_and_nothing_to_keep(tmp_path: Path) -> None:
    assert answered(tmp_path, "/v1/batch", b'{"batch": []}', basic()).status == 200
    assert requests(tmp_path) == []


def test_of_a_batch_no_event_is_too_long_to_be_answered(tmp_path: Path) -> None:
    """The others must not go with it: it lands in quarantine."""
    body = json.dumps({"batch": [EVENT, EVENT | {"x": "x" * 40_000}]}).encode()
    assert answered(tmp_path, "/v1/batch", body, basic()).status == 200


def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    assert answered(tmp_path, "/v1/track", b'{"a":', basic(), gone=True).status == 0
    assert requests(tmp_path) == []


def test_a_page_of_another_origin_may_send(tmp_path: Path) -> None:
    origin = ("origin", "https://shop.example")
    asked = [origin, ("access-control-request-headers", "authorization,content-type,anonymousid")]
    preflight = answered(tmp_path, "/v1/track", b"", *asked, method="OPTIONS")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type,anonymousid"
    answer = answered(tmp_path, "/v1/track", b"{}", origin, basic())
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-expose-headers"] == "retry-after"
    refused = answered(tmp_path, "/v1/track", b"{}", origin)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "https://shop.example")


def test_the_settings_of_segments_browser_client_lead_here(tmp_path: Path) -> None:
    answer = answered(
        tmp_path, f"/v1/projects/{KEY}/settings", b"", ("host", "events.shop.example"), method="GET"
    )
    ours = answer.json["integrations"]["Segment.io"]
    assert (ours["apiKey"], ours["apiHost"], ours["protocol"]) == (KEY, "events.shop.example/v1", "http")
    public = workspace_settings("collect: {public_url: 'https://e.example/in/'}\n")
    answer = answered(tmp_path, f"/v1/projects/{KEY}/settings", b"", method="GET", settings=public)
    ours = answer.json["integrations"]["Segment.io"]
    assert (ours["apiHost"], ours["protocol"]) == ("e.example/in/v1", "https")
    assert answered(tmp_path, "/v1/projects/other/settings", b"", method="GET").status == 404


def test_the_configuration_of_rudderstacks_clients_has_the_source_on(tmp_path: Path) -> None:
    for headers, query in (([basic()], ""), ([], f"writeKey={KEY}")):
        answer = answered(tmp_path, "/sourceConfig/", b"", *headers, method="GET", query=query)
        assert answer.json["source"]["enabled"] is True
        assert answer.json["source"]["destinations"] == []
    assert answered(tmp_path, "/sourceConfig", b"", method="GET").status == 401


def test_a_browser_clients_figures_about_itself_are_taken_and_forgotten(tmp_path: Path) -> None:
    assert answered(tmp_path, "/v1/m", b'{"series": []}').status == 200
    assert requests(tmp_path) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_another_method_is_refused(tmp_path: Path, method: str) -> None:
    assert answered(tmp_path, "/v1/track", b"{}", basic(), method=method).status == 405


def test_a_delivery_is_verified_then_kept(tmp_path: Path) -> None:
    body = b'{"email": "ann@c.example", "at": "2026-11-22T10:00:00Z"}'
    assert answered(tmp_path, "/hooks/forms", body, signed()).status == 200
    kept = requests(tmp_path)
    assert [(one.source, one.tracking, one.kind, one.body) for one in kept] == [("forms", False, "", body)]
    assert answered(tmp_path, "/hooks/forms", gzip.compress(body), signed()).status == 200
    assert answered(tmp_path, "/hooks/forms", body, signed("forms:guess")).status == 403
    stranger = answered(tmp_path, "/hooks/forms", body)
    assert (stranger.status, stranger.headers["www-authenticate"]) == (401, 'Basic realm="cdp"')
    assert answered(tmp_path, "/hooks/forms", body, signed(), method="PUT").status == 405
    assert answered(tmp_path, "/hooks/forms", gzip.compress(b"1" * (9 << 20)), signed()).status == 413
    assert [one.body for one in requests(tmp_path)] == [body, body]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("step", ["sync segment", "write "])
def test_what_does_not_reach_the_disk_is_never_acknowledged(tmp_path: Path, step: str, number: int) -> None:
    async def work(client: Client) -> list[Response]:
        with failing(step, OSError(number, "broken")):
            during = [
                await client.track(EVENT),
                await client("/readyz", method="GET"),
                await client.track(EVENT),
            ]
        return [*during, await client.track(EVENT), await client("/readyz", method="GET")]

    answers = collecting(tmp_path, work)
    assert [answer.status for answer in answers] == [503, 503, 503, 200, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].json["error"] == "not_durable"
    assert len(requests(tmp_path)) == 1


def test_a_disk_that_is_well_again_is_found_out_without_an_event(tmp_path: Path) -> None:
    """A load balancer sends none to a collector that is not ready."""

    async def work(client: Client) -> list[int]:
        with failing("sync segment", OSError(errno.EIO, "broken")):
            statuses = [(await client.track(EVENT)).status, (await client("/readyz", method="GET")).status]
        for _ in range(50):
            await asyncio.sleep(0.1)
            if (await client("/readyz", method="GET")).status == 200:
                break
        return [*statuses, (await client("/readyz", method="GET")).status]

    assert collecting(tmp_path, work) == [503, 503, 200]
    assert requests(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_never_acknowledged(tmp_path: Path) -> None:
    async def work(client: Client) -> Response:
        (tmp_path / "landing" / "wal").rmdir()
        (tmp_path / "landing" / "wal").write_bytes(b"")
        return await client.track(EVENT)

    assert collecting(tmp_path, work).status == 503


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    settings = workspace_settings(f"collect: {{min_free_bytes: {1 << 60}}}\n")

    async def work(client: Client) -> list[Response]:
        return [
            await client.track(EVENT),
            await client("/readyz", method="GET"),
            await client("/healthz", method="GET"),
        ]

    events, ready, healthy = collecting(tmp_path, work, settings)
    assert (events.status, events.headers["retry-after"], events.json["error"]) == (429, "1", "too_much")
    assert (ready.status, ready.json["error"], healthy.status) == (503, "disk_full", 200)


def test_more_than_the_disk_takes_is_pushed_back(tmp_path: Path) -> None:
    """While one write hangs, only so much may wait; what was pushed back comes again."""
    import threading

    settings = workspace_settings("collect: {max_waiting_bytes: 1048576}\n")
    release = threading.Event()

    async def work(client: Client) -> list[int]:
        body = {"batch": [EVENT | {"x": "x" * 30_000}] * 20}
        with failing_slowly(release):
            tasks = [asyncio.create_task(client.track(body)) for _ in range(5)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # only a refusal can be the first
            release.set()
            found = [(await task).status for task in tasks]
        return [*found, (await client.track(body)).status]

    statuses = collecting(tmp_path, work, settings)
    assert set(statuses) == {200, 429}
    assert statuses[0] == statuses[-1] == 200
    assert len(requests(tmp_path)) == statuses.count(200)


def failing_slowly(release: Any) -> Any:
    from cdp import durable

    return durable.crash_hook(lambda step: release.wait() if "sync" in step else None)


def test_a_collector_that_stops_takes_no_more(tmp_path: Path) -> None:
    async def work(client: Client) -> int:
        assert client.app.committer is not None
        await asyncio.to_thread(client.app.committer.stop)
        return (await client.track(EVENT)).status

    assert collecting(tmp_path, work) == 503


def test_the_figures_say_what_was_answered(tmp_path: Path) -> None:
    async def work(client: Client) -> str:
        await client.track({"batch": [EVENT, EVENT]})
        await client.track(b"nonsense")
        await client.track({"batch": []}, key="other")
        return (await client("/metrics", method="GET")).body.decode()

    text = collecting(tmp_path, work)
    assert 'cdp_collect_requests_total{source="web"} 1' in text
    assert 'cdp_collect_events_total{source="web"} 2' in text
    assert 'cdp_collect_refused_total{source="web",reason="invalid_json"} 1' in text
    assert 'cdp_collect_refused_total{source="-",reason="unknown_write_key"} 1' in text
    assert "cdp_collect_syncs_total 1" in text


def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    for name in ENVIRONMENT:
        with pytest.raises(UsageError, match=f"{name}, which is not set"):
            endpoints(
                workspace_settings(),
                tmp_path,
                {key: value for key, value in ENVIRONMENT.items() if key != name},
            )


def test_two_sources_cannot_share_a_write_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same write key"):
        endpoints(workspace_settings(), tmp_path, ENVIRONMENT | {"CDP_APP_KEY": KEY})


def test_a_workspace_without_anything_to_send_to_says_so(tmp_path: Path) -> None:
    settings = workspace_settings(
        config="version: 1\nworkspace: {name: x}\nsources:\n  a: {connector: files}\n"
    )
    with pytest.raises(UsageError, match="No source of this workspace"):
        endpoints(settings, tmp_path, {})


def test_amazon_signs_for_everybody_so_topics_must_be_named(tmp_path: Path) -> None:
    config = (
        "version: 1\nworkspace: {name: x}\n"
        "sources: {a: {connector: ses, signature: {fetch_certificates: true%s}}}\n"
    )
    with pytest.raises(UsageError, match="it signs for everybody"):
        endpoints(workspace_settings(config=config % ""), tmp_path, {})
    named = endpoints(
        workspace_settings(config=config % ", topics: ['arn:aws:sns:eu-west-1:1:t']"), tmp_path, {}
    )
    assert named.hooks["a"].asks


def test_no_more_is_unpacked_than_is_taken() -> None:
    """A gigabyte of zeros is a megabyte packed; of what is unpacked only the limit is ever held."""
    machine = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join([machine.compress(bytes(1 << 20)) for _ in range(200)]) + machine.flush()
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        unpacked(bomb, 4 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_segment_whose_name_the_disk_refuses_gets_it_later(tmp_path: Path) -> None:
    settings = workspace_settings("collect: {segment_seconds: 0.1}\n")

    async def work(client: Client) -> int:
        with failing("complete", OSError(errno.EIO, "broken")):
            assert (await client.track(EVENT)).status == 200
            await asyncio.sleep(0.4)
            assert [path.suffix for path in segments(tmp_path)] == [".open"]
            assert (await client("/readyz", method="GET")).status == 503
        await asyncio.sleep(1.5)
        return (await client("/readyz", method="GET")).status

    assert collecting(tmp_path, work, settings, clock=time.time) == 200
    assert [path.suffix for path in segments(tmp_path)] == [".wal"]


def test_events_that_come_while_names_are_refused_all_get_theirs_later(tmp_path: Path) -> None:
    settings = workspace_settings("collect: {segment_seconds: 0.3}\n")

    async def work(client: Client) -> None:
        with failing("complete", OSError(errno.EIO, "broken")):
            for number in range(4):
                assert (await client.track(EVENT | {"messageId": f"m{number}"})).status == 200
                await asyncio.sleep(0.45)
            assert len(requests(tmp_path)) == 4
        await asyncio.sleep(1.5)
        found = [path.suffix for path in segments(tmp_path)]
        assert set(found) == {".wal"}

    collecting(tmp_path, work, settings, clock=time.time)
    assert sorted(json.loads(one.body)["messageId"] for one in requests(tmp_path)) == ["m0", "m1", "m2", "m3"]


def test_bodies_on_their_way_share_a_budget() -> None:
    async def run() -> int:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x" * 600, "more_body": True}

        budget = Budget(1_000)
        with pytest.raises(BusyError):
            await read(receive, 10_000, budget)
        return budget.used

    assert asyncio.run(run()) == 0
