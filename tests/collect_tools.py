"""A collector as a process of its own, real clients that send to it, and what the release has of theirs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.collect_calls import EVERYBODY, Story
from tests.pipelines_tools import ledger_rows, rows

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = ROOT / "tests" / "clients"
OLDEST_NODE = 20
SECONDS = 120


@dataclass(frozen=True)
class Collector:
    """A collector at work on ``workspace``."""

    workspace: Path
    url: str
    process: subprocess.Popen[str]

    def taken(self, source: str) -> int:
        """Return how many events of a source it says that it has."""
        return self._figure(f'cdp_collect_events_total{{source="{source}"}}')

    def refused(self, source: str, reason: str) -> int:
        """Return how many requests of a source it has refused for this reason."""
        return self._figure(f'cdp_collect_refused_total{{source="{source}",reason="{reason}"}}')

    def is_ready(self) -> bool:
        """Return whether it says that it would take events."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=SECONDS):
                return True
        except urllib.error.HTTPError:
            return False

    def _figure(self, name: str) -> int:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return next((int(line.split()[-1]) for line in lines if line.startswith(name)), 0)

    def stop(self) -> str:
        """Have it stop, as a service manager does; return what it said. What was answered has landed then."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, said
        return said


def write_key(source: str) -> str:
    """Return the write key of a source."""
    return f"key-of-{source}"


def make_workspace(folder: Path, sources: Mapping[str, str], more: str = "") -> Path:
    """Make a workspace with tracking sources: name -> connector."""
    folder.mkdir(parents=True)
    lines = [
        f"  {name}: {{connector: {connector}, write_key_env: {_variable(name)}}}"
        for name, connector in sources.items()
    ]
    head = "version: 1\nworkspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}\n"
    text = f"{head}sources:\n" + "\n".join(lines) + f"\n{more}"
    (folder / "cdp.yaml").write_text(text, encoding="utf-8")
    return folder


def _variable(source: str) -> str:
    return f"CDP_{source.upper()}_KEY"


@contextlib.contextmanager
def collecting(
    workspace: Path, sources: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Collector]:
    """Run a collector of its own; it is killed at the end if nobody has stopped it."""
    keys = {_variable(name): write_key(name) for name in sources} | dict(environment or {})
    with (workspace / "collector.log").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "cdp", "collect", "-w", workspace, "--port", "0"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **keys},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            first = process.stdout.readline() if process.stdout else ""
            assert first.startswith("Collecting on http"), (workspace / "collector.log").read_text()
            yield Collector(workspace, first.split()[2], process)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    latest = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < latest, "waited in vain"
        time.sleep(0.05)


def run_pipeline(workspace: Path) -> None:
    """Make customers of what was collected, by the command line, as a scheduler would."""
    done = subprocess.run(
        [sys.executable, "-m", "cdp", "run", "-q", "-w", workspace],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Clients that run by themselves.


@dataclass(frozen=True)
class Sent:
    """What a client says: the ids of its messages, and what failed."""

    ids: Sequence[str]
    failures: Sequence[str] = field(default=())


COMMANDS = {
    "segment_python": (sys.executable, "python_client.py", "segment.analytics.client"),
    "rudder_python": (sys.executable, "python_client.py", "rudderstack.analytics.client"),
    "segment_node": ("node", "segment_node.mjs"),
    "rudder_node": ("node", "rudder_node.mjs"),
}
"""Name of a client -> how it is run, in the folder of the clients."""


def npm_clients() -> str:
    """Return why the clients of npm cannot be used here; empty where they can."""
    if not (CLIENTS / "node_modules" / ".complete").exists():
        return "the tracking clients of npm are not installed: scripts/setup-clients"
    node = shutil.which("node")
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=True) if node else None
    version = found.stdout.strip() if found else "none"
    if not found or int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        return f"the tracking clients of npm need Node.js {OLDEST_NODE} or later; here is {version}"
    return ""


def need(client: str) -> None:
    """Skip a test whose client is not here."""
    problem = npm_clients() if COMMANDS[client][0] == "node" else ""
    if problem:
        pytest.skip(problem)


def send(client: str, url: str, story: Story, key: str | None = None, **options: Any) -> Sent:
    """Have a client tell a story, in a process of its own."""
    messages = [call.message for call in story.calls]
    asked = {"url": url, "key": key or write_key(story.source), "calls": messages, "options": options}
    done = subprocess.run(
        COMMANDS[client],
        cwd=CLIENTS,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return Sent(told["ids"], told["failures"])


# What became of it.


def landed(workspace: Path) -> dict[str, int]:
    """Return how many envelopes each source has landed."""
    found = ledger_rows(workspace, "SELECT source, sum(landed) FROM batches GROUP BY source")
    return dict(found)


def outcomes(workspace: Path, source: str) -> Counter[str]:
    """Return the outcomes of a source's envelopes, other than being standardised."""
    told = ledger_rows(
        workspace,
        "SELECT outcome, count(*) FROM current_outcomes JOIN files USING (file_id) WHERE source = ? GROUP BY 1",
        source,
    )
    repeated = ledger_rows(
        workspace,
        "SELECT coalesce(sum(r.rows), 0) FROM repeated AS r JOIN batches USING (batch_id) WHERE source = ?",
        source,
    )
    return Counter(dict(told)) + Counter({"duplicate": repeated[0][0]})


def event_ids(workspace: Path, source: str) -> list[str]:
    """Return the ids of a source's events in the contact history, sorted."""
    found = rows(workspace, f"SELECT event_id FROM contact_history WHERE source = '{source}' ORDER BY 1")
    return [row[0] for row in found]


def marks(workspace: Path, source: str) -> Counter[str]:
    """Return the marks of a source's events in the contact history."""
    found = rows(
        workspace,
        f"SELECT properties->>'mark' FROM contact_history WHERE source = '{source}' AND properties->>'mark' IS NOT NULL",
    )
    return Counter(row[0] for row in found)


def profiles(workspace: Path, story: Story) -> dict[str, Counter[str]]:
    """Return, by whose profile it is, the kinds of events of a source in it.

    A profile that holds an e-mail address is ``everybody``'s or the source's ``own``; ``stranger`` has none.
    """
    found = rows(
        workspace,
        f"""
        SELECT h.customer_id, c.email, c.is_anonymous, h.event_type, count(*)
        FROM contact_history AS h JOIN customers AS c USING (customer_id)
        WHERE h.source = '{story.source}' GROUP BY ALL
        """,
    )
    names = {EVERYBODY: "everybody", story.email: "own"}
    by_customer: dict[str, tuple[str, Counter[str]]] = {}
    for customer, email, anonymous, event_type, count in found:
        who = "stranger" if email is None and anonymous else names.get(email, f"unknown: {email}")
        by_customer.setdefault(customer, (who, Counter()))[1][event_type] = count
    assert len({who for who, _ in by_customer.values()}) == len(by_customer), "two profiles of one person"
    return dict(by_customer.values())
