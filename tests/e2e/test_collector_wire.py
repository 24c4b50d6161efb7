"""The real collector before clients that are slow, huge, broken or hostile: it refuses, and goes on."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.collector_process import Running, authorization, event, post, standing_ids, start, workspace

HEAD = f"POST /v1/track HTTP/1.1\r\nhost: x\r\nauthorization: {authorization()}\r\n".encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = start(workspace(tmp_path_factory.mktemp("wire") / "shop"))
    yield found
    found.stop()


@contextlib.contextmanager
def connected(running: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        yield connection


def exchange(running: Running, data: bytes) -> bytes:
    """Send bytes, and return all that comes back until the other side closes or has nothing to say."""
    with connected(running) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        connection.settimeout(0.3)
        found = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65_536):
                found += part
        return found


def is_well(running: Running) -> bool:
    return post(running.port, "/v1/track", json.dumps(event("well")).encode()) == 200


def closed_within(connection: socket.socket, seconds: float) -> bool:
    """Say whether the other side ends the connection."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_a_client_that_sends_nothing_is_cut_off(running: Running) -> None:
    with connected(running) as connection:
        assert closed_within(connection, 8)


def test_a_client_that_drips_its_head_is_cut_off(running: Running) -> None:
    with connected(running) as connection:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            connection.sendall(b"POST /v1/track HTTP/1.1\r\n")
            while time.monotonic() - began < 10:
                connection.sendall(b"a: b\r\n")
                time.sleep(0.2)
        assert time.monotonic() - began < 8
    assert is_well(running)


def test_a_client_that_drips_its_body_is_cut_off(running: Running) -> None:
    with connected(running) as connection:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            connection.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
            while time.monotonic() - began < 10:
                connection.sendall(b" ")
                time.sleep(0.2)
        assert time.monotonic() - began < 8
    assert is_well(running)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\n" + b"a: " + b"x" * 10_000_000,
        b"GET /healthz HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % number for number in range(100_000)),
        b"GET /" + b"x" * 10_000_000,
        b"A" * 10_000_000,
    ],
    ids=["a long header", "many headers", "a long address", "a long method"],
)
def test_a_head_without_end_is_cut_off(running: Running, head: bytes) -> None:
    before = running.resident()
    with connected(running) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head)
        assert closed_within(connection, 5)
    assert running.resident() - before < 32 << 20
    assert is_well(running)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_gigabyte_is_refused_and_never_held(running: Running, chunked: bool) -> None:
    before, piece = running.resident(), b"x" * (1 << 20)
    head = HEAD + (
        b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: %d\r\n\r\n" % (1 << 30)
    )
    answer = b""
    with connected(running) as connection, contextlib.suppress(OSError):
        connection.sendall(head)
        for _ in range(1024):
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            connection.settimeout(0.001)
            with contextlib.suppress(TimeoutError):
                answer += connection.recv(4096)
            connection.settimeout(20)
            if answer:
                break
    assert not answer or answer.startswith(b"HTTP/1.1 413"), answer
    assert running.resident() - before < 64 << 20
    assert is_well(running)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        HEAD + b"content-length: -1\r\n\r\n{}",
        HEAD + b"content-length: 99999999999999999999\r\n\r\n{}",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/tr\x00ack HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /%ff%fe/../../etc/passwd HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"POST http://[bad/ HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_proper_request_is_refused(running: Running, data: bytes) -> None:
    answer = exchange(running, data)
    assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert is_well(running)


def test_requests_sent_together_are_all_answered(running: Running) -> None:
    body = json.dumps(event("together")).encode()
    one = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    assert exchange(running, one * 3).count(b"HTTP/1.1 200 OK") == 3


def test_a_client_that_waits_to_be_told_to_go_on_is_told(running: Running) -> None:
    body = json.dumps(event("expect")).encode()
    with connected(running) as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert b"200 OK" in connection.recv(4096)


def test_a_wish_for_another_protocol_is_left_unheard(running: Running) -> None:
    """Java's own client wishes for HTTP/2 with every request, and so does `curl --http2`."""
    body = json.dumps(event("upgrade")).encode()
    wish = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n"
    one = HEAD + wish + b"content-length: %d\r\n\r\n" % len(body) + body
    assert exchange(running, one * 2).count(b"HTTP/1.1 200 OK") == 2
    with connected(running) as connection:
        for part in (one[:60], one[60:-20], one[-20:]):
            connection.sendall(part)
            time.sleep(0.05)
        assert b"200 OK" in connection.recv(4096)
    assert not exchange(running, b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert is_well(running)


def test_fields_behind_a_body_without_end_are_cut_off(running: Running) -> None:
    before = running.resident()
    with connected(running) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
            for _ in range(200):
                connection.sendall(b"a: b\r\n" * 20_000)
        assert closed_within(connection, 5)
    assert running.resident() - before < 32 << 20
    assert is_well(running)


_pieces = st.sampled_from(
    [
        *(b"POST ", b"GET ", b"/v1/track", b"/hooks/web", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n"),
        *(b"content-length: 5", b"transfer-encoding: chunked", b"host: x", b"{}", b"\x1f\x8b"),
        b"authorization: " + authorization().encode(),
    ]
)


@settings(
    max_examples=settings.default.max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(_pieces, st.binary(max_size=30)), max_size=14).map(b"".join))
def test_any_bytes_leave_it_well(running: Running, data: bytes) -> None:
    with connected(running) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        connection.settimeout(0.02)
        with contextlib.suppress(OSError):
            answer = connection.recv(4096)
            assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert running.process.poll() is None


@pytest.mark.serial
def test_a_stop_answers_what_has_begun_and_lands_everything(tmp_path: Path) -> None:
    root = workspace(tmp_path / "shop")
    running = start(root)
    body = json.dumps(event("begun")).encode()
    with connected(running) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body))
        time.sleep(0.2)
        running.process.terminate()
        time.sleep(0.2)
        connection.sendall(body)
        assert b"200 OK" in connection.recv(4096)
    assert "Traceback" not in running.stop()
    assert list(standing_ids(root)) == ["begun"]
