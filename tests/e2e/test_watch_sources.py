"""`cdp sources` and `cdp tail` as a person calls them: before anything, on landed data, beside a live collector."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp.cli.main import run as cdp
from cdp.demo import generator
from cdp.demo.households import make_world
from cdp.demo.people import World
from cdp.ids import content_event_id
from tests.collector_process import Running, post, start, workspace
from tests.pipelines_tools import NOW, ROOT, add_files, call, make_shop, run

PEOPLE, DAYS = 120, 21


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("watch") / "shop")
    run(folder)
    add_files(folder, {"inbox/web/3.jsonl": [call(40 + n, 0, properties={"coupon": "x"}) for n in range(6)]})
    run(folder, "land", now=NOW + timedelta(days=1))
    return folder


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert cdp([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_has_a_line_for_each_source_and_says_what_needs_attention(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cdp(["sources", "-w", str(shop)]) == 0
    out, err = capsys.readouterr()
    table, _, notes = out.partition("\n\n")
    lines = table.splitlines()
    assert lines[0].split() == [
        "source", "connector", "landed", "last", "24", "h", "pending", "lateness", "p95", "duplicate", "quarantined",
        "fields", "newest",
    ]  # fmt: skip
    assert lines[2].split()[:5] == ["web", "segment", "20", "·", "6"]
    assert "+1" in lines[2]
    assert lines[3].startswith("orders  files")
    assert "web: 10.0% of all is quarantined (cdp quarantine list --source web)." in notes
    assert "web: fields, new: properties.coupon (cdp sources web)." in notes
    assert "samples" in err


def test_json_has_every_figure_of_every_source(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web, orders = as_json(capsys, "sources", "-w", str(shop))
    assert (web["landed"], web["duplicate"], web["superseded"], web["pending"], web["files"]) == (
        20,
        1,
        1,
        6,
        3,
    )
    assert web["quarantine_rate"] == pytest.approx(0.1)
    assert web["lateness"]["rows"] == 19
    assert [one["path"] for one in web["fields"]["new"]] == ["properties.coupon"]
    assert web["waiting"] == {"requests": 0, "segments": 0, "bytes": 0, "since": None}
    assert web["freshness"]["limit_seconds"] is None
    assert orders["last_24h"]["landed"] == 0
    assert as_json(capsys, "sources", "orders", "-w", str(shop)).keys() == orders.keys()


def test_the_page_of_a_source_says_what_was_sampled(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cdp(["sources", "web", "-w", str(shop)]) == 0
    out = capsys.readouterr().out
    assert "web: connector segment, inbox/web/*" in out
    assert re.search(r"landed +· +· +20", out)
    assert "In quarantine: truncated 1, unknown_call_type 1" in out
    assert "Lateness (received − occurred), all 19 envelopes of the newest files" in out
    assert re.search(r"Fields: \d+ in 6 sampled payloads landed since .* UTC, against 13 before", out)
    assert "  new       properties.coupon (in 100.0%)" in out


def test_an_unknown_source_is_wrong_use(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("sources", "tail"):
        assert cdp([command, "wep", "-w", str(shop)]) == 2
        assert "Did you mean 'web'?" in capsys.readouterr().err


def test_tail_shows_the_newest_last_and_nobody_by_name(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cdp(["tail", "orders", "-n", "3", "-w", str(shop)]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[2:4] for line in out.splitlines()[1:]] == [
        ["·", "quarantined:"],
        ["order_placed", "standardised"],
        ["order_refunded", "standardised"],
    ]
    assert "R. B.  external_id C2  email b***@m***.example" in out
    assert "Baker" not in out
    assert err == ""


def test_tail_shows_all_where_that_is_asked_for_and_says_so(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cdp(["tail", "orders", "-n", "1", "--unmasked", "-w", str(shop), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    (told,) = map(json.loads, out.splitlines())
    assert told["traits"]["full_name"] == "Robert Baker"
    assert told["payload"]["email"] == "bob.baker@mail.example"
    assert err == "Personal data are shown as they are.\n"


def test_before_anything_has_come_both_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = make_shop(tmp_path / "shop", files={})
    assert cdp(["sources", "-w", str(empty)]) == 0
    assert re.search(r"^web .* never$", capsys.readouterr().out, re.MULTILINE)
    assert cdp(["sources", "web", "-w", str(empty)]) == 0
    assert "nothing has landed yet" in capsys.readouterr().out
    assert cdp(["tail", "web", "-w", str(empty)]) == 0
    assert capsys.readouterr() == ("", "Nothing of web has come yet.\n")
    assert {path.name for path in empty.iterdir()} == {"cdp.yaml"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Running]]:
    root = workspace(tmp_path_factory.mktemp("live") / "shop")
    found = start(root)
    yield root, found
    found.stop()


def send(collector: Running, number: int) -> float:
    """Send an event; return when it was answered."""
    traits = {"email": "ann.archer@mail.example"}
    body = {"type": "track", "event": f"Seen {number}", "userId": "u1", "context": {"traits": traits}}
    assert post(collector.port, "/v1/track", json.dumps(body).encode()) == 200
    return time.monotonic()


class Follower:
    """`cdp tail --follow` in a process of its own, and when each of its lines came."""

    def __init__(self, root: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cdp", "tail", "web", "--follow", "-w", str(root), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))

    def wait_for(self, count: int, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while len(self.lines) < count and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.lines) >= count, self.lines

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit status and what was said on stderr."""
        self.process.send_signal(signal.SIGINT)
        self._thread.join(timeout=30)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout, self.process.stderr:
            said = self.process.stderr.read()
        return self.process.wait(timeout=30), said


@pytest.mark.soak
def test_beside_a_collector_what_comes_is_shown_at_once_and_once(running: tuple[Path, Running]) -> None:
    root, collector = running
    send(collector, 0)
    follower = Follower(root, "--format", "json")
    follower.wait_for(1)
    answered = []
    for number in range(1, 21):  # over several segments
        answered.append(send(collector, number))
        time.sleep(0.2)
    follower.wait_for(21)
    time.sleep(3)  # everything lands, and is not shown again
    status, said = follower.interrupt()
    assert (status, said) == (0, "")
    told = [json.loads(line) for _, line in follower.lines]
    assert [one["name"] for one in told] == [f"Seen {number}" for number in range(21)]
    assert told[-1]["identifiers"][-1]["value"] == "a***@m***.example"
    delays = [shown - sent for (shown, _), sent in zip(follower.lines[1:], answered, strict=True)]
    assert sorted(delays)[len(delays) // 2] < 1.5


@pytest.mark.slow
@pytest.mark.soak
def test_beside_a_collector_and_a_run_the_sources_are_shown(running: tuple[Path, Running]) -> None:
    root, collector = running
    send(collector, 100)
    landing = subprocess.Popen([sys.executable, "-m", "cdp", "run", "-q", "-w", str(root)], cwd=ROOT)
    seen = []
    while landing.poll() is None:
        send(collector, 101 + len(seen))
        told = subprocess.run(
            [sys.executable, "-m", "cdp", "sources", "web", "--format", "json", "-w", str(root)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = json.loads(told.stdout)
        seen.append(found["landed"] + found["waiting"]["requests"])
    assert landing.returncode == 0
    assert seen == sorted(seen)
    assert min(seen) > 0


@pytest.mark.slow
def test_a_follower_shows_a_table_with_headings_once(running: tuple[Path, Running]) -> None:
    root, collector = running
    follower = Follower(root, "-n", "0")
    time.sleep(2)
    send(collector, 900)
    follower.wait_for(2)
    send(collector, 901)
    follower.wait_for(3)
    assert follower.interrupt()[0] == 0
    heading, *lines = (line for _, line in follower.lines)
    assert heading.split()[-2:] == ["event", "who"]
    assert [re.search(r"Seen \d+", line) is not None for line in lines] == [True, True]


# Nobody of the demo comes through.


def words(world: World) -> set[str]:
    """Return every name of the people, as it is written, of two letters or more."""
    names = [name for one in world.people for name in (one.given, one.surname, one.former_surname) if name]
    texts = [text for name in names for text in (name.native, name.latin, *name.short)]
    return {word for text in texts for word in re.findall(r"[^\W\d_]{2,}", text)}


def leaves(value: Any) -> Iterator[str]:
    """Yield every text of a document, but what tokens begin with."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner)
            yield key
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str) and not value.endswith("…"):
        yield value


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "shop"
    folder.mkdir()
    generator.generate(
        folder, people=PEOPLE, events=1_500, seed=3, now=datetime(2026, 3, 1, tzinfo=UTC), days=DAYS
    )
    run(folder, "land")
    return folder


@pytest.mark.slow
def test_nobody_of_the_demo_comes_through(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_of_all = datetime(2026, 3, 1, tzinfo=UTC).timestamp() - DAYS * 86_400
    world = make_world(people=PEOPLE, seed=3, start=start_of_all, days=DAYS, year=2026)
    names = words(world)
    emails = {email for one in world.people for email in (one.email, one.old_email, one.work_email) if email}
    phones = {number[-8:] for one in world.people for number in (one.mobile, one.landline) if number}
    sources = [one["source"] for one in as_json(capsys, "sources", "-w", str(demo))]
    assert len(sources) == 11
    for source in sources:
        assert cdp(["tail", source, "-n", "400", "--format", "json", "-w", str(demo)]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(told) > 10
        assert cdp(["tail", source, "-n", "400", "-w", str(demo)]) == 0
        texts = [*leaves(told), capsys.readouterr().out]
        for text in texts:
            assert not [email for email in emails if email.lower() in text.lower()], source
            runs = [re.sub(r"\D", "", run_) for run_ in re.findall(r"\d[\d ()./\-]{6,}\d", text)]
            assert not [phone for phone in phones if any(phone in digits for digits in runs)], source
            assert names.isdisjoint(re.findall(r"[^\W\d_]{2,}", text)), (source, text[:200])


def test_the_id_of_an_event_without_one_is_told_by_its_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_shop(
        tmp_path / "shop", files={"inbox/web/1.jsonl": ['{"type": "page", "anonymousId": "d1"}']}
    )
    run(folder, "land")
    assert cdp(["tail", "web", "-w", str(folder), "--format", "json"]) == 0
    whole = content_event_id(b'{"anonymousId":"d1","type":"page"}', 0)
    assert json.loads(capsys.readouterr().out)["event_id"] == f"{whole[:4]}…"
