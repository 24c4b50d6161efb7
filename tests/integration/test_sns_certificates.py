"""Certificates and confirmations of Amazon SNS over real TLS, from a server of our own under Amazon's name."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from cdp.settings.collecting import SignatureSettings
from connectors.collector.pinned import UnreachableError, fetch
from connectors.collector.signatures import sns
from connectors.collector.webhooks import Answer, Delivery, Keys
from tests.sns_tools import (
    CERTIFICATE_URL,
    CONFIRM_URL,
    HOST,
    NOW,
    TOPIC,
    body,
    certificate,
    confirmation,
    key,
    key_pem,
    message,
    name,
    pem,
)

BASE = f"https://{HOST}"


class Amazon(BaseHTTPRequestHandler):
    """Answers as Amazon does, and in some ways as it never should."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            self._drip()
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", CERTIFICATE_URL)
            self.end_headers()
            return
        found = {"/large": b"x" * 100_000}.get(self.path, pem())
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def _drip(self) -> None:
        for _ in range(200):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve under Amazon's name to whoever trusts our certificate; give the paths that were asked for."""
    leaf = x509.CertificateBuilder(
        name(HOST), name(HOST), key(7).public_key(), 5, NOW - timedelta(days=3650), NOW + timedelta(days=36500),
        [x509.Extension(x509.SubjectAlternativeName.oid, False, x509.SubjectAlternativeName([x509.DNSName(HOST)]))],
    )  # fmt: skip
    signed = leaf.sign(key(7), hashes.SHA256())
    (tmp_path / "server.pem").write_bytes(signed.public_bytes(Encoding.PEM) + key_pem(7))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    handler = type("Handler", (Amazon,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connect, port = socket.create_connection, server.server_address[1]

    def connected(address: tuple[str, int], *args: object, **more: object) -> socket.socket:
        assert address == (HOST, 443)
        return connect(("127.0.0.1", port), *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setattr(sns, "_FETCHED", sns.FetchedCertificates())
    yield handler.asked
    server.shutdown()
    server.server_close()


def delivery(given: dict[str, str]) -> Delivery:
    return Delivery("POST", "https://shop.example/hooks/ses", {}, {}, body(given), NOW.timestamp() + 1)


def keys(**more: object) -> Keys:
    return Keys((), SignatureSettings.model_validate({"topics": [TOPIC]} | more))


def test_an_unknown_certificate_is_fetched_once(amazon: list[str]) -> None:
    allowed = keys(fetch_certificates=True)
    assert [sns.SCHEME.verify(delivery(message(version)), allowed) for version in "121"] == [None] * 3
    assert amazon == [CERTIFICATE_URL.removeprefix(BASE)]
    assert sns.SCHEME.verify(delivery(message(number=1)), allowed) == "bad_signature"
    assert len(amazon) == 1


def test_without_leave_it_is_not(amazon: list[str]) -> None:
    assert sns.SCHEME.verify(delivery(message()), keys()) == "no_certificate"
    assert amazon == []


def test_who_is_not_trusted_to_be_amazon_gives_no_certificate(
    amazon: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "another.pem").write_bytes(certificate(1).public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    assert sns.SCHEME.verify(delivery(message()), keys(fetch_certificates=True)) == "no_certificate"
    assert amazon == []


def test_a_genuine_request_to_subscribe_is_confirmed(amazon: list[str], tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_bytes(pem())
    given = {"certificates": [str(tmp_path / "sns.pem")], "confirm_subscriptions": True}
    assert sns.SCHEME.greet(delivery(confirmation()), keys(**given)) == Answer(200)
    assert amazon == [CONFIRM_URL.removeprefix(BASE)]


def test_what_cannot_be_confirmed_is_to_be_sent_again(
    amazon: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sns.pem").write_bytes(pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "sns.pem"))
    given = {"certificates": [str(tmp_path / "sns.pem")], "confirm_subscriptions": True}
    answer = sns.SCHEME.greet(delivery(confirmation()), keys(**given))
    assert answer is not None
    assert answer.status == 503
    assert amazon == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/missing", "answered by 404"),
        ("/elsewhere", "answered by 302"),
        ("/large", "too long"),
        ("/slow", "too slow"),
    ],
)
def test_only_a_short_quick_and_direct_answer_counts(amazon: list[str], path: str, why: str) -> None:
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=why):
        fetch(BASE + path, seconds=1.0)
    assert time.monotonic() - begun < 5
    assert amazon == [path]


@pytest.mark.parametrize(
    "url", ["http://sns.eu-west-1.amazonaws.com/", "https:///a", "file:///etc/hosts", ""]
)
def test_other_addresses_are_not_fetched(url: str) -> None:
    with pytest.raises(UnreachableError, match="not an address"):
        fetch(url)
