"""Releases are switched under load from eight clients: no error, and no answer that mixes two releases."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp import durable
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.conftest import ROOT
from tests.warehouse_tools import NOW, Row, edge, event, identifier, order, publish_into, value, world
from warehouse.release import CURRENT
from warehouse.serve import keys
from warehouse.serve.store import FILE, Store

CLIENTS, SWITCHES, PAUSE = 8, 20, 0.15
MARK = re.compile(r"zq(\d)zq")
SETTINGS = """\
version: 1
workspace: {name: switching, region: GB}
sources:
  web: {connector: segment, path: "inbox/web/*"}
serve: {requests_per_minute: 1000000}
"""
READS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/api/v1/profiles/C1", None),
    ("GET", "/api/v1/profiles/C1?include=evidence", None),
    ("POST", "/api/v1/profiles/lookup", {"type": "email", "value": "ann@example.com"}),
    ("POST", "/api/v1/profiles/lookup", {"identifier": "family@example.com"}),
    ("GET", "/api/v1/profiles/C1/history?limit=20", None),
    ("GET", "/api/v1/profiles/C1/evidence", None),
    ("GET", "/api/v1/exports/customers?format=ndjson", None),
    ("GET", "/api/v1/exports/contact_history?format=csv", None),
    ("GET", "/api/v1/exports/identifiers?format=ndjson", None),
    ("GET", "/api/v1/health", None),
)


def publish_marked(lake: Lake, number: int) -> str:
    """Publish a release in which every value says which release it is; return its version."""
    mark = f"zq{number}zq"
    records = {f"crm:{mark}{n}": f"C{1 + n // 3}" for n in range(12)}
    events: list[Row] = []
    for key in records:
        events += [event(f"{key}-{n}", key, at=n, subject=mark, campaign=mark) for n in range(20)]
        events.append(order(f"{key}-o", "10.00", key, reference=mark, product=mark))
    people = [value(f"crm:{mark}{n}", "full_name", f"Ann {mark}") for n in range(0, 12, 3)]
    people += [value(f"crm:{mark}{n}", "city", mark) for n in range(0, 12, 3)]
    shared = [identifier(f"crm:{mark}0", "email", "ann@example.com")]
    shared += [identifier(f"crm:{mark}{n}", "email", "family@example.com") for n in (3, 6)]
    shared += [identifier(key, "user_id", key, namespace=mark) for key in records]
    edges = [edge(f"crm:{mark}{n}", f"crm:{mark}{n + 1}", reason=mark) for n in range(0, 12, 3)]
    inputs = world(
        lake.root.parent / f"in{number}", [events], records, identifiers=shared, values=people, evidence=edges
    )
    return publish_into(lake, inputs, now=NOW + timedelta(days=number), keep=9).version


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, str]]:
    lake = Lake(tmp_path_factory.mktemp("switching") / "workspace")
    lake.root.mkdir()
    lake.path("cdp.yaml").write_text(SETTINGS, encoding="utf-8")
    return lake, {publish_marked(lake, number): str(number) for number in (1, 2, 3)}


@contextlib.contextmanager
def serving(lake: Lake) -> Iterator[int]:
    command = [sys.executable, "-m", "cdp", "serve", "-w", str(lake.root), "--port", "0", "-q"]
    with (
        (lake.root / "serve.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            address = process.stdout.readline()
            assert "://" in address, (lake.root / "serve.log").read_text()
            yield int(address.split("://")[1].split("/")[0].rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    assert "Traceback" not in (lake.root / "serve.log").read_text()


class Client(threading.Thread):
    """Asks, one thing after the other, until it is told to stop; keeps what went wrong."""

    def __init__(
        self, port: int, key: str, first: int, versions: dict[str, str], stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._port, self._key, self._number, self._versions, self._ended = port, key, first, versions, stop
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        while not self._ended.is_set():
            method, path, body = READS[self._number % len(READS)]
            self._number += 1
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                self._judge(path, answer, answer.read().decode())
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{path}: {error!r}")
                return
        connection.close()

    def _judge(self, path: str, answer: http.client.HTTPResponse, text: str) -> None:
        marks = set(MARK.findall(text))
        version = answer.getheader("CDP-Release") or json.loads(text)["release"]
        expected = set() if path.endswith("health") else {self._versions[version]}
        if answer.status != 200 or marks != expected:
            self.wrong.append(f"{path}: {answer.status}, release {version}, marks {sorted(marks)}")
        self.seen[version] += 1


def test_releases_switch_under_load_without_error_or_mixture(marked: tuple[Lake, dict[str, str]]) -> None:
    lake, versions = marked
    store = Store(lake.path(FILE))
    _, key = keys.create(store, "clients", ["read-pii"], now=datetime.now(UTC))
    store.close()
    with Ledger(lake.ledger_path) as ledger:
        assert ledger.value("SELECT count(*) FROM releases WHERE retired = 0") == len(versions)
    names, stop = sorted(versions), threading.Event()
    with serving(lake) as port:
        clients = [Client(port, key, number, versions, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for number in range(SWITCHES):
            time.sleep(PAUSE)
            durable.write_bytes(lake.releases / CURRENT, f"{names[number % len(names)]}\n".encode())
        time.sleep(PAUSE)
        stop.set()
        for client in clients:
            client.join(30)
    assert [line for client in clients for line in client.wrong] == []
    seen = sum((client.seen for client in clients), Counter())
    assert set(seen) == set(versions)
    assert all(sum(client.seen.values()) >= len(READS) for client in clients)


def test_a_history_is_read_to_its_end_over_switches(tmp_path: Path) -> None:
    """Pages are cut by key: the same events in every release are neither lost nor repeated."""
    lake = Lake(tmp_path / "workspace")
    lake.root.mkdir()
    lake.path("cdp.yaml").write_text(SETTINGS, encoding="utf-8")
    same = [event(f"e{n:03}", "web:1", at=n // 3) for n in range(60)]
    later = [event(f"n{n}", "web:1", at=100 + n) for n in range(5)]
    versions = [
        publish_into(lake, world(tmp_path / f"in{number}", [rows], {"web:1": "C1"}), keep=9).version
        for number, rows in enumerate((same, [*later, *reversed(same)]))
    ]
    store = Store(lake.path(FILE))
    _, key = keys.create(store, "client", ["read-pii"], now=datetime.now(UTC))
    store.close()
    read: list[str] = []
    path: str | None = "/api/v1/profiles/C1/history?limit=7"
    with serving(lake) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while path:
            durable.write_bytes(lake.releases / CURRENT, f"{versions[len(read) % 2]}\n".encode())
            connection.request("GET", path, headers={"authorization": f"Bearer {key}"})
            page = json.loads(connection.getresponse().read())
            read += [one["event_id"] for one in page["events"]]
            path = f"/api/v1/profiles/C1/history?limit=7&cursor={page['next']}" if page["next"] else None
        connection.close()
    assert sorted(one for one in read if one.startswith("e")) == [f"e{n:03}" for n in range(60)]
