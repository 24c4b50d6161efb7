"""The demo's files: real formats, read back by independent means, and counted."""

from __future__ import annotations

import csv
import email
import email.policy
import hashlib
import io
import json
import mailbox
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from cdp.demo import DemoReport, generate
from cdp.errors import UsageError
from cdp.settings import load

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    return generate(tmp_path_factory.mktemp("demo"), now=NOW)


def digest(root: Path) -> str:
    sums = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            sums.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return sums.hexdigest()


def files(demo: DemoReport, source: str) -> list[Path]:
    return sorted((demo.into / "inbox" / source).iterdir())


def json_lines(demo: DemoReport, source: str) -> Iterator[Any]:
    """Yield what each line holds; None where it cannot be read."""
    for path in files(demo, source):
        for line in path.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield None


def web_calls(demo: DemoReport) -> Iterator[Any]:
    for body in json_lines(demo, "web"):
        if isinstance(body, dict) and "batch" in body:
            yield from body["batch"]
        else:
            yield body


def test_equal_arguments_give_equal_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path;"
        "from cdp.demo import generate; now = datetime(2026, 11, 22, tzinfo=UTC);"
        "generate(Path(sys.argv[1]), people=200, events=3000, seed=7, now=now)"
    )
    for name in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": name, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True, env=environment)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")
    generate(tmp_path / "other", people=200, events=3000, seed=8, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert digest(tmp_path / "other") != digest(tmp_path / "1")


def test_sizes_are_as_asked(demo: DemoReport) -> None:
    assert abs(demo.items - 50_000) < 1500
    assert demo.files < 250
    assert sum(1 for path in (demo.into / "inbox").rglob("*") if path.is_file()) == demo.files


def test_expected_json_is_the_report(demo: DemoReport) -> None:
    expected = json.loads((demo.into / "expected.json").read_text(encoding="utf-8"))
    assert expected["items"] == demo.items
    assert expected["sources"]["web"]["items"] == demo.sources["web"].items
    assert set(expected["sources"]) == {path.name for path in (demo.into / "inbox").iterdir()}
    for source in demo.sources.values():
        assert source.quarantined == source.kinds["malformed"]


def test_the_configuration_is_sound_and_names_every_source(demo: DemoReport) -> None:
    settings = load(demo.into)
    assert set(settings.sources) == set(demo.sources)
    for source in settings.sources.values():
        found = {path for pattern in source.paths for path in demo.into.glob(pattern)}
        assert len(found) == demo.sources[source.name].files


def test_web_calls_are_counted(demo: DemoReport) -> None:
    calls = list(web_calls(demo))
    report = demo.sources["web"]
    assert len(calls) == report.items
    bad = [c for c in calls if not isinstance(c, dict) or c["type"] == "teleport"]
    assert len(bad) == report.quarantined
    good = [c for c in calls if isinstance(c, dict)]
    ids = [c["messageId"] for c in good]
    assert len(ids) - len(set(ids)) == report.duplicates > 100
    nobody = [c for c in good if not c.get("userId") and not c.get("anonymousId")]
    assert len(nobody) == report.unattributed == 4
    assert any(c.get("userId") == "" for c in good)
    assert {c["type"] for c in good} >= {"identify", "track", "page", "screen", "group", "alias"}
    assert any(c["context"].get("campaign") for c in good if "context" in c)
    orders = [c["properties"] for c in good if c.get("event") == "Order Completed"]
    assert orders
    assert all(o["revenue"] > 0 and o["currency"] and o["products"] for o in orders)


def test_calls_sent_twice_are_equal_and_late_ones_exist(demo: DemoReport) -> None:
    seen: dict[str, Any] = {}
    late = 0
    for call in web_calls(demo):
        if not isinstance(call, dict):
            continue
        assert seen.setdefault(call["messageId"], call) == call
        if "receivedAt" in call and "originalTimestamp" in call:
            received, sent = (datetime.fromisoformat(call[k]) for k in ("receivedAt", "sentAt"))
            original = datetime.fromisoformat(call["originalTimestamp"])
            happened = received - (sent - original)
            assert happened <= received
            late += (received - happened).total_seconds() > 3600
    assert late > 10


def test_sendgrid_arrays_parse_except_the_one_cut_off(demo: DemoReport) -> None:
    report = demo.sources["sendgrid"]
    items, broken = [], []
    for path in files(demo, "sendgrid"):
        try:
            items += json.loads(path.read_bytes())
        except ValueError:
            broken.append(path)
    assert len(broken) == 1
    assert len(items) + 5 + report.quarantined == report.items
    ids = [item["sg_event_id"] for item in items]
    assert len(ids) - len(set(ids)) == report.duplicates
    assert {item["event"] for item in items} >= {
        "processed", "delivered", "open", "click", "bounce", "dropped", "deferred", "spamreport",
        "unsubscribe", "group_unsubscribe",
    }  # fmt: skip


def messages(demo: DemoReport) -> list[bytes]:
    found = []
    for path in files(demo, "mail"):
        if path.suffix == ".eml":
            found.append(path.read_bytes())
        else:
            box = mailbox.mbox(path)
            found += [message.as_bytes() for message in box]
            box.close()
    return found


def test_mails_parse_without_defects(demo: DemoReport) -> None:
    report = demo.sources["mail"]
    raw = [message for message in messages(demo) if message]
    assert len(raw) == report.items
    parsed = [email.message_from_bytes(m, policy=email.policy.default) for m in raw]
    good = [m for m in parsed if m["From"]]
    assert len(good) == report.items - report.quarantined
    names = set()
    for message in good:
        assert not message.defects
        addresses = [a for header in ("From", "To") for a in message[header].addresses]
        assert all(address.addr_spec.count("@") == 1 for address in addresses)
        assert any(address.domain == "shop.example" for address in addresses)
        names |= {address.display_name for address in addresses}
        body = message.get_body(("plain",))
        assert body is not None
        assert body.get_content().strip()
    assert sum(m["Message-ID"] is None for m in good) > 5
    assert sum(m["Date"] is None for m in good) > 3
    assert sum(m["In-Reply-To"] is not None for m in good) > 100
    scripts = "".join(names)
    assert any("Α" <= c <= "ω" for c in scripts)
    assert any("А" <= c <= "я" for c in scripts)
    assert any("一" <= c <= "龯" for c in scripts)


def test_twilio_pages_are_counted(demo: DemoReport) -> None:
    report = demo.sources["twilio"]
    resources, broken = [], 0
    for page in json_lines(demo, "twilio"):
        if page is None:
            broken += 1
        else:
            resources += page.get("calls", []) + page.get("messages", [])
            assert page["page_size"] >= len(page.get("calls") or page.get("messages"))
    assert broken == report.quarantined == 1
    assert len(resources) + broken == report.items
    again = len(resources) - len({r["sid"] for r in resources})
    assert again == report.duplicates + report.revisions
    parties = {r["from"] for r in resources}
    assert {"client:alice", "anonymous", "+266696687"} <= parties
    assert all(parsedate_to_datetime(r["date_created"]).tzinfo for r in resources)


def test_call_records_have_the_columns_of_both_layouts(demo: DemoReport) -> None:
    report = demo.sources["calls"]
    rows, damaged = [], 0
    for path in files(demo, "calls"):
        for line in path.read_bytes().split(b"\n"):
            try:
                cells = next(csv.reader([line.decode()], strict=True), [])
            except (UnicodeDecodeError, csv.Error):
                damaged += 1
                continue
            if cells:
                rows.append(cells)
    assert {len(row) for row in rows} == {16, 18}
    assert damaged == report.quarantined == 2
    assert len(rows) + damaged == report.items
    assert len({tuple(row) for row in rows if row[1] == "anonymous"}) == report.unattributed
    assert len(rows) - len({tuple(row) for row in rows}) == report.duplicates
    datetime.strptime(rows[0][9], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the format has no zone


@pytest.mark.parametrize("source", ["whatsapp", "instagram"])
def test_messenger_webhooks_hold_one_item_a_line(demo: DemoReport, source: str) -> None:
    report = demo.sources[source]
    bodies = list(json_lines(demo, source))
    good = [body for body in bodies if body is not None]
    assert len(bodies) == report.items
    assert len(bodies) - len(good) == report.quarantined > 0
    inner = "changes" if source == "whatsapp" else "messaging"
    assert all(len(body["entry"][0][inner]) == 1 for body in good)
    distinct = {json.dumps(body) for body in good}
    assert len(good) - len(distinct) == report.duplicates


def test_mastodon_statuses_mention_the_shop_or_are_its_answers(demo: DemoReport) -> None:
    report = demo.sources["mastodon"]
    statuses = list(json_lines(demo, "mastodon"))
    good = [status for status in statuses if "account" in status]
    assert len(statuses) - len(good) == report.quarantined
    for status in good:
        parties = {status["account"]["acct"]} | {mention["acct"] for mention in status["mentions"]}
        assert "shop" in parties
    assert len(good) - len({status["id"] for status in good}) == report.duplicates + report.revisions


def table(path: Path) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig", "replace"))))


def test_later_exports_of_contacts_revise_earlier_ones(demo: DemoReport) -> None:
    report = demo.sources["contacts"]
    rows = [row for path in files(demo, "contacts") for row in table(path)]
    assert len(rows) == report.items
    whole = [row for row in rows if row["updated_at"] is not None and "�" not in row["last_name"]]
    assert len(rows) - len(whole) == report.quarantined == 2
    versions = {(row["contact_id"], row["updated_at"]): tuple(row.values()) for row in whole}
    distinct = {tuple(row.values()) for row in whole}
    assert len(versions) == len(distinct)  # one version has one content
    assert len(whole) - len(distinct) == report.duplicates > 50
    assert len(distinct) - len({key for key, _ in versions}) == report.revisions > 50


def test_order_lines_add_up_to_orders(demo: DemoReport) -> None:
    report = demo.sources["orders"]
    rows = [row for path in files(demo, "orders") for row in table(path)]
    assert len(rows) == report.items
    whole = [row for row in rows if row["currency"] is not None and row["unit_price"] != "n/a"]
    assert len(rows) - len(whole) == report.quarantined == 3
    numbers = {row["order_no"] for row in whole}
    assert sum(number[0] == "O" for number in numbers) == report.kinds["orders"]
    assert sum(number[0] == "R" for number in numbers) == report.kinds["refunds"] > 10
    assert all((int(row["quantity"]) < 0) == (row["order_no"][0] == "R") for row in whole)
    nobody = [row for row in whole if not row["customer_no"] and not row["email"]]
    assert len(nobody) >= report.unattributed > 20
    assert len(whole) - len({tuple(row.values()) for row in whole}) > report.duplicates > 0


def test_tickets_go_through_their_steps(demo: DemoReport) -> None:
    report = demo.sources["tickets"]
    lines = list(json_lines(demo, "tickets"))
    good = [ticket for ticket in lines if ticket is not None and ticket["event"] != "teleported"]
    assert len(lines) == report.items
    assert len(lines) - len(good) == report.quarantined == 4
    assert all(t["requester"]["email"] or t["requester"]["phone"] for t in good)
    solved = {t["id"] for t in good if t["event"] == "solved"}
    assert solved <= {t["id"] for t in good if t["event"] == "opened"}
    assert len(good) - len({json.dumps(ticket) for ticket in good}) == report.duplicates


def test_files_hold_nothing_from_after_the_date_in_their_names(demo: DemoReport) -> None:
    dates = sorted(path.stem[-10:] for path in files(demo, "whatsapp"))
    assert dates[-1] == "2026-11-21"
    for path in files(demo, "web"):
        last = path.stem.removeprefix("app-").removesuffix("-empty")
        for line in path.read_bytes().splitlines():
            try:
                body = json.loads(line)
            except ValueError:
                continue
            if isinstance(body, dict) and ("receivedAt" in body or "batch" in body):
                assert (body.get("receivedAt") or body["sentAt"])[:10] <= last


def test_an_empty_file_and_noise_are_there_to_be_met(demo: DemoReport) -> None:
    empty = [path for path in (demo.into / "inbox").rglob("*") if path.is_file() and not path.stat().st_size]
    assert {path.parent.name for path in empty} == {"web", "mail"}


def test_small_worlds_work(tmp_path: Path) -> None:
    report = generate(tmp_path / "tiny", people=1, events=10, now=NOW, days=7)
    assert report.items >= 10
    assert report.people == 1


def test_wrong_calls_are_refused(tmp_path: Path, demo: DemoReport) -> None:
    with pytest.raises(UsageError, match="time zone"):
        generate(tmp_path, now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(UsageError, match="people=0"):
        generate(tmp_path, people=0, now=NOW)
    with pytest.raises(UsageError, match="holds files"):
        generate(demo.into, now=NOW)
