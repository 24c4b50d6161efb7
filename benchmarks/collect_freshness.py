"""How long it takes from HTTP 200 to the customer's page: on the demo, with Dagster's sensor turned on.

    python -m benchmarks.collect_freshness [--rounds 3]

Makes a demo workspace, runs it, starts `cdp collect` and `dg dev`, turns the sensor `collected` on, sends a person
who is new, and asks the current release for them until they are there.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
_KEY: Final = "benchmark-write-key"
_DG: Final = """import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
from dagster_dg_cli.cli import main; main()"""
AIM_SECONDS: Final = 60


def send(port: int, calls: list[dict[str, Any]]) -> None:
    """Send calls; raises unless they are acknowledged."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/batch",
        json.dumps({"batch": calls}).encode(),
        {"Authorization": "Basic " + base64.b64encode(f"{_KEY}:".encode()).decode()},
    )
    urllib.request.urlopen(request, timeout=30).read()


def ask(port: int, query: str) -> Any:
    """Ask Dagster, waiting until it is there."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    end = time.monotonic() + 120
    while True:
        try:
            return json.loads(urllib.request.urlopen(request, timeout=30).read())
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def found(workspace: Path, email: str) -> bool:
    """Say whether the current release has a customer with this address."""
    from cdp.lake import Lake
    from warehouse.release import current

    with current(Lake(workspace)).open() as connection:
        rows = connection.execute(
            "SELECT 1 FROM customer_identifiers WHERE type = 'email' AND value = ?", [email]
        ).fetchall()
    return bool(rows)


def free_port() -> int:
    """Return a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(workspace: Path, rounds: int) -> list[float]:
    """Return the seconds from the 200 to the release, round by round."""
    environment = os.environ | {
        "CDP_WEB_KEY": _KEY,
        "CDP_WORKSPACE": str(workspace),
        "DAGSTER_HOME": str(ROOT),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    cdp = [sys.executable, "-m", "cdp"]
    subprocess.run([*cdp, "init", str(workspace), "--demo"], check=True, capture_output=True)
    subprocess.run([*cdp, "run", "--quiet", "-w", str(workspace)], check=True, capture_output=True)
    collector = subprocess.Popen(
        [*cdp, "collect", "-w", str(workspace), "--port", "0", "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    port = free_port()
    dagster = subprocess.Popen(
        [sys.executable, "-c", _DG, "dev", "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = re.search(r"http://[^:]+:(\d+)", collector.stdout.readline() if collector.stdout else "")
        if address is None:
            raise SystemExit("the collector does not start")
        _turn_on(port)
        return [_round(workspace, int(address[1]), number) for number in range(rounds)]
    finally:
        collector.send_signal(signal.SIGTERM)
        collector.communicate()
        os.killpg(dagster.pid, signal.SIGINT)
        dagster.wait(60)


def _turn_on(port: int) -> None:
    places = ask(
        port,
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }",
    )["data"]["repositoriesOrError"]["nodes"][0]
    selector = (
        f'{{repositoryName: "{places["name"]}", repositoryLocationName: "{places["location"]["name"]}", '
        'sensorName: "collected"}'
    )
    ask(port, f"mutation {{ startSensor(sensorSelector: {selector}) {{ __typename }} }}")


def _round(workspace: Path, port: int, number: int) -> float:
    email = f"freshness.{time.time_ns()}@mail.example"
    user = f"fresh-{time.time_ns()}"
    call = {
        "type": "identify",
        "userId": user,
        "messageId": user,
        "traits": {"email": email, "name": "Fresh Person"},
    }
    send(port, [call])
    start = time.monotonic()
    while not found(workspace, email):
        if time.monotonic() - start > 300:
            raise SystemExit("not there after five minutes")
        time.sleep(0.25)
    seconds = round(time.monotonic() - start, 1)
    print(json.dumps({"round": number, "seconds": seconds, "aim": AIM_SECONDS}), flush=True)
    return seconds


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cdp-fresh-") as folder:
        measure(Path(folder) / "demo", given.rounds)


if __name__ == "__main__":
    main()
