"""A collector as a real process on loopback, and clients that remember what was acknowledged."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = "web-write-key-0001"
CONFIG = """
version: 1
workspace: {name: shop}
sources:
  web: {connector: segment, write_key_env: CDP_WEB_KEY}
collect: {segment_seconds: 0.5, request_seconds: 2}
"""


@dataclass
class Running:
    """A collector at work."""

    process: subprocess.Popen[str]
    port: int

    def stop(self) -> str:
        """End it gracefully; return what it printed since it started."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (self.process.returncode, out, err)
        return out + err

    def kill(self, *, sealer: bool) -> None:
        """Kill it, and with ``sealer`` the process that lands beside it, too."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.kill()
        for child in children if sealer else ():
            os.kill(int(child), signal.SIGKILL)
        self.process.communicate()

    def resident(self) -> int:
        """Return its memory in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        assert found is not None
        return int(found[1]) * 1024


def workspace(root: Path, config: str = CONFIG) -> Path:
    """Make a workspace."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "cdp.yaml").write_text(config, encoding="utf-8")
    return root


def start(root: Path, **environment: str) -> Running:
    """Start a collector on a workspace, on a free port; return when it listens."""
    command = [sys.executable, "-m", "cdp", "collect", "-w", str(root), "--port", "0", "--quiet"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CDP_WEB_KEY": KEY, "PYTHONUNBUFFERED": "1", **environment},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://[^:]+:(\d+)", line)
    assert found is not None, (line, process.stderr.read() if process.stderr else "")
    return Running(process, int(found[1]))


def post(port: int, path: str, body: bytes, key: str = KEY, **headers: str) -> int:
    """Send one request; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, {"Authorization": authorization(key), **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def authorization(key: str = KEY) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


@dataclass
class Clients:
    """Threads that send batches as fast as they are answered, each event once, until told to stop."""

    port: int
    acknowledged: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, name: str, threads: int = 4, batch: int = 5) -> None:
        for number in range(threads):
            thread = threading.Thread(target=self._work, args=(f"{name}-{number}", batch))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, name: str, batch: int) -> None:
        number = 0
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            while not self._stop.is_set():
                ids = [f"{name}-{number}-{place}" for place in range(batch)]
                number += 1
                body = json.dumps({"batch": [event(one) for one in ids]}).encode()
                try:
                    connection.request("POST", "/v1/batch", body, {"Authorization": authorization()})
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    self.unanswered |= set(ids)
                    return
                (self.acknowledged if answer.status == 200 else self.unanswered).update(ids)


def event(message_id: str) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Tested",
        "userId": "u1",
        "messageId": message_id,
        "timestamp": "2026-11-22T10:00:00Z",
    }


def standing_ids(root: Path) -> Sequence[str]:
    """Return the ids of all landed envelopes that are no duplicates."""
    import pyarrow.parquet as pq

    from cdp.lake import Lake
    from cdp.ledger import Ledger

    with Ledger(Lake(root).ledger_path) as ledger:
        gone = {
            (row["file_id"], row["raw_row"])
            for row in ledger.rows(
                "SELECT file_id, raw_row FROM current_outcomes WHERE outcome = 'duplicate'"
            )
        }
        files = ledger.rows("SELECT file_id, path FROM files")
    return [
        event_id
        for file in files
        for number, event_id in enumerate(
            pq.read_table(root / file["path"], columns=["event_id"])["event_id"].to_pylist()
        )
        if (file["file_id"], number) not in gone
    ]
