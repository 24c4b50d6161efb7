"""`cdp serve` as a process: its address, what it logs, clients that are slow or greedy, how it ends."""

from __future__ import annotations

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.serve_tools import EMAIL, NAME, PHONE, lake_with_release

CONFIG = """
version: 1
workspace: {name: shop}
serve: {request_seconds: 1}
"""


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage


class Process:
    """A server at work."""

    def __init__(self, workspace: Path, *more: str) -> None:
        command = [sys.executable, "-m", "cdp", "serve", "-w", str(workspace), "--port", "0", *more]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.search(r"http://([^/]+):(\d+)(/sign-in/\S+)", self.line)
        assert found is not None, (self.line, self.process.stderr.read() if self.process.stderr else "")
        self.host, self.port, self.link = found[1], int(found[2]), found[3]

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            answer.read()
            return Answer(answer.status, answer.headers)
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def stop(self, number: int = signal.SIGINT) -> str:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return out + err


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    lake = lake_with_release(tmp_path_factory.mktemp("served"))
    (lake.root / "cdp.yaml").write_text(CONFIG)
    return lake.root


@pytest.fixture(scope="module")
def server(workspace: Path) -> Iterator[Process]:
    made = Process(workspace)
    yield made
    made.process.kill()
    made.process.communicate()


def test_the_printed_address_signs_in_once_and_nothing_personal_is_logged(workspace):
    server = Process(workspace)
    first = server.ask("GET", server.link)
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert (first.status, server.ask("GET", server.link).status) == (303, 403)
    assert server.ask("GET", "/keys", Cookie=cookie).status == 200
    assert server.ask("GET", f"/customers/{EMAIL}/nothing?email={EMAIL}", Cookie=cookie).status == 404
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert server.ask("POST", "/sign-in", f"key={PHONE}", **form).status == 403
    assert server.ask("GET", "/api/v1/health", Host="evil.example", User_Agent=NAME).status == 421
    assert server.ask("HEAD", "/api/v1/health").status == 200
    said = server.stop()
    assert server.process.returncode in (0, -signal.SIGINT, 130)
    for private in (EMAIL, PHONE, NAME, "evil.example", server.link.removeprefix("/sign-in/")[:20]):
        assert private not in said
    lines = [line.split("cdp.access: ")[1] for line in said.splitlines() if "cdp.access" in line]
    assert re.fullmatch(r"GET /sign-in/\{code\} 303 \d+\.\d ms owner", lines[0])
    assert re.fullmatch(r"GET /keys 200 \d+\.\d ms owner", lines[2])
    assert re.fullmatch(r"GET - 404 \d+\.\d ms owner", lines[3])
    assert re.fullmatch(r"HEAD /api/v1/health 200 \d+\.\d ms -", lines[-1])


def test_a_client_that_is_slow_to_ask_is_cut_off_and_others_are_not(server):
    with server.connect() as slow:
        slow.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 8:
            assert server.ask("GET", "/api/v1/health").status == 200
            slow.settimeout(0.2)
            try:
                assert slow.recv(100) == b""
                break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        else:
            pytest.fail("the slow client is still connected")


def test_heads_that_have_no_end_and_bodies_that_are_too_long_are_refused(server):
    with server.connect() as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000)
        assert greedy.recv(100).startswith(b"HTTP/1.1 431 ")
    with server.connect() as many:
        many.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300))
        )
        assert many.recv(100).startswith(b"HTTP/1.1 431 ")
    with server.connect() as long:
        long.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\nkey=")
        answer = long.recv(4_000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()


ODD = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)


def test_odd_requests_get_an_error_and_the_server_goes_on(server):
    for head in ODD:
        with server.connect() as odd:
            odd.sendall(head)
            answer = odd.recv(4_000)
        assert re.match(rb"HTTP/1\.1 4\d\d ", answer), (head, answer)
    assert server.ask("GET", "/api/v1/health").status == 200


def test_a_client_that_does_not_read_its_answer_is_cut_off(server):
    """Answers that nobody reads would keep what they hold (a release, memory) for ever."""
    with server.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        request = b"GET /static/vendor/bootstrap.min.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        deaf.sendall(request * 60)
        time.sleep(4)
        read = 0
        deaf.settimeout(2)
        try:
            while piece := deaf.recv(1 << 20):
                read += len(piece)
        except (ConnectionResetError, TimeoutError):
            pass
    assert read < 60 * 200_000
    assert server.ask("GET", "/api/v1/health").status == 200


def test_it_starts_quickly_and_says_when_others_can_reach_it(workspace):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = Process(workspace, "--host", "0.0.0.0", "--quiet")
    assert made.host == "127.0.0.1"
    assert made.ask("GET", "/api/v1/health").status == 200
    said = made.stop(signal.SIGTERM)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "TLS" in said
    assert "cdp.access" not in said
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4
    )  # measured: 1.3 CPU-seconds


def test_a_port_in_use_is_an_error_that_says_so(server, workspace):
    command = [sys.executable, "-m", "cdp", "serve", "-w", str(workspace), "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Nothing can listen" in done.stderr
