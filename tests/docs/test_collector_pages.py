"""What the how-tos of the collector tell the reader to type, to put into programs and pages, and into nginx."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cdp.settings import parse
from tests.browser_tools import browser, chromium, site, visitor
from tests.collect_calls import stories
from tests.collect_tools import (
    CLIENTS,
    Collector,
    collecting,
    make_workspace,
    npm_clients,
    send,
    until,
    write_key,
)
from tests.docs.markdown import HOW_TO, Block, blocks
from tests.docs.shell import run_page

pytestmark = pytest.mark.slow

ADDRESS = "http://127.0.0.1:8787"
KEY = "a-long-enough-write-key"
EVENTS_OF_A_SNIPPET = 2
SDKS = {
    "segment.js": "@segment/analytics-next/dist/umd/index.js",
    "rudder.js": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
}


@dataclass
class Reader:
    """Somebody who reads the page about SDKs, runs a collector beside it, and tries every snippet."""

    folder: Path
    variables: dict[str, str]
    stack: ExitStack
    collector: Collector | None = None
    tried: list[str] = field(default_factory=list)

    def __call__(self, block: Block) -> None:
        if block.info == "sh skip" and "cdp collect" in block.text:
            workspace, keys = self.folder / "shop", {"CDP_WEB_KEY": KEY}
            self.collector = self.stack.enter_context(collecting(workspace, [], keys))
            self.variables |= {**keys, "EVENTS": self.collector.url}
        elif block.info in ("python", "js", "html"):
            if self._try(block.info, block.text.replace(ADDRESS, self.collector.url)):
                self.tried.append(block.info)
        elif block.info == "sh" and "cdp run" in block.text:
            self.collector.stop()

    def _try(self, language: str, text: str) -> bool:
        before = self.collector.taken("web")
        if language == "python":
            subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
        elif npm_clients():
            return False
        elif language == "js":
            command = ["node", "--input-type=module"]
            subprocess.run(command, input=text, text=True, cwd=CLIENTS, check=True, timeout=60)
        else:
            return self._open(text, before)
        self._wait(before)
        return True

    def _open(self, text: str, before: int) -> bool:
        executable = chromium()
        if executable is None:
            return False
        root = self.folder / "site"
        (root / "js").mkdir(parents=True, exist_ok=True)
        for name, path in SDKS.items():
            shutil.copy(CLIENTS / "node_modules" / path, root / "js" / name)
        (root / "page.html").write_text(f"<!doctype html><meta charset='utf-8'>{text}", encoding="utf-8")
        with browser(executable) as chrome, site(root) as url:
            somebody = visitor(chrome, url)
            somebody.open("page")
            self._wait(before)
        assert (somebody.outside, somebody.problems) == (set(), [])
        return True

    def _wait(self, before: int) -> None:
        until(lambda: self.collector.taken("web") >= before + EVENTS_OF_A_SNIPPET)


@pytest.mark.soak
def test_every_command_and_snippet_of_the_page_about_sdks_works(tmp_path, variables):
    with ExitStack() as stack:
        reader = Reader(tmp_path, dict(variables), stack)
        assert run_page(HOW_TO / "send-events.md", tmp_path, reader.variables, reader) == 3
    expected = ["python"] * 2
    if not npm_clients():
        expected += ["js"] * 2 + (["html"] * 2 if chromium() else [])
    assert reader.tried == expected


def test_every_command_of_the_page_about_webhooks_works(tmp_path, variables):
    secret, own = "a-secret-of-the-service", dict(variables)
    with ExitStack() as stack:
        running: list[Collector] = []

        def reach(block: Block) -> None:
            if block.info == "sh skip" and "cdp collect" in block.text:
                keys = {"CDP_BOOKINGS_SECRET": secret}
                running.append(stack.enter_context(collecting(tmp_path / "shop", [], keys)))
                own.update(keys, HOOK=f"{running[0].url}/hooks/bookings")
            elif block.info == "sh" and "cdp run" in block.text:
                running[0].stop()

        assert run_page(HOW_TO / "add-a-webhook-source.md", tmp_path, own, reach) == 3


def test_every_signature_in_the_table_of_the_page_about_webhooks_can_be_configured():
    page = (HOW_TO / "add-a-webhook-source.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| [^|]+ \| `(\{scheme.*?\})`", page, re.MULTILINE)
    assert len(found) == 9
    for signature in found:
        source = f"{{connector: files, event: {{type: form_submitted}}, secret_env: CDP_X, signature: {signature}}}"
        parse(f"version: 1\nworkspace: {{name: x}}\nsources:\n  a: {source}\n")


# nginx, as the page configures it, before a real collector.


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _certificate(folder: Path) -> Path:
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem")
    kind = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    return folder / "fullchain.pem"


def _configuration(folder: Path, collector: str, port: int) -> Path:
    """Write the page's configuration with other ports and paths; return the whole one of an nginx of our own."""
    [text] = [block.text for block in blocks(HOW_TO / "nginx.md") if block.info == "nginx"]
    for there, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8787", collector.removeprefix("http://")),
        ("/etc/letsencrypt/live/events.shop.example", str(folder)),
    ):
        assert there in text
        text = text.replace(there, here)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{places}{text}\n}}\n",
        encoding="utf-8",
    )
    return whole


def _nginx_here() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def _nginx(configuration: Path):
    program = _nginx_here()
    command = [program, "-c", configuration, "-p", configuration.parent]
    log = ["-e", configuration.parent / "error.log"]
    checked = subprocess.run([*command, *log, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen([*command, *log], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory):
    """A collector with a public address, the port of nginx before it, and the certificate."""
    if not _nginx_here() or not shutil.which("openssl"):
        pytest.skip("there is no nginx (or openssl) on this machine")
    folder = tmp_path_factory.mktemp("nginx")
    port = _free_port()
    more = f"collect: {{public_url: 'https://localhost:{port}'}}\n"
    workspace = make_workspace(folder / "shop", {"web": "segment"}, more)
    certificate = _certificate(folder)
    with collecting(workspace, ["web"]) as collector, _nginx(_configuration(folder, collector.url, port)):
        until(lambda: _listens(port))
        yield collector, port, certificate


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _ask(behind, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    _, port, certificate = behind
    context = ssl.create_default_context(cafile=str(certificate))
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_client_sends_through_nginx_and_tls(behind_nginx, monkeypatch):
    collector, port, certificate = behind_nginx
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    story = stories(["web"])["web"]
    sent = send("segment_python", f"https://localhost:{port}", story, gzip=True)
    assert sent.failures == []
    assert collector.taken("web") == len(story.calls)


def test_pages_are_told_the_public_address(behind_nginx):
    status, body = _ask(behind_nginx, "GET", f"/v1/projects/{write_key('web')}/settings")
    assert status == 200
    assert re.search(rb'"apiHost":"localhost:(\d+)/v1","protocol":"https"', body)[1].decode() == str(
        behind_nginx[1]
    )


def test_strangers_see_no_figures_and_no_health(behind_nginx):
    assert [_ask(behind_nginx, "GET", path)[0] for path in ("/metrics", "/healthz", "/readyz")] == [
        404,
        404,
        200,
    ]


def test_a_body_beyond_the_limit_is_refused_before_the_collector_sees_it(behind_nginx):
    assert _ask(behind_nginx, "POST", "/v1/batch", b" " * (5 << 20))[0] == 413
    assert "nginx" in _ask(behind_nginx, "POST", "/v1/batch", b" " * (5 << 20))[1].decode()
