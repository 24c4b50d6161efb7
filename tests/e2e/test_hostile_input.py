"""Whatever lies in the inbox, the rest lands, nothing disappears, and a full disk says so."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cdp.ledger import Ledger
from connectors import outcomes

CONFIG = """
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
sources:
  web: {connector: segment, path: "inbox/web/*"}
  rows:
    connector: files
    path: "inbox/rows/*"
    event: {type: contact_updated, id: id, time: at}
    identifiers: {email: email}
    traits: {given_name: name}
  mail: {connector: mail, path: "inbox/mail/*"}
"""


def call(number: int, **more: object) -> bytes:
    body = {"type": "track", "event": "x", "messageId": f"m{number}", "userId": f"u{number}"}
    return json.dumps(body | {"timestamp": "2026-10-01T00:00:00Z"} | more).encode()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# The huge ones are a little over what a payload (32 MB) and a cell (16 MB) may have.
WEB = {
    "good.ndjson": b"\n".join(map(call, range(50))),
    "huge_line.ndjson": b"\n".join([call(101), call(999, blob="x" * 40_000_000), call(102)]),
    "deep.ndjson": b"\n".join([call(103), b'{"a":' * 200_000 + b"1" + b"}" * 200_000, call(104)]),
    "types.ndjson": b"\n".join(
        [
            b'{"type":1,"messageId":{"a":1},"userId":[1],"timestamp":false}',
            b'{"type":"track","event":{"a":1},"messageId":5,"userId":7.5,"timestamp":99999999999999999999}',
            b"null",
            b"123",
            b'"text"',
            b"[]",
            b"{}",
            b'{"batch":5}',
            b'{"batch":[1,null,' + call(105) + b'],"sentAt":7}',
            call(106),
        ]
    ),
    "empty.ndjson": b"",
    "latin.ndjson": call(107) + b'\n{"type":"track","event":"caf\xe9","messageId":"l1"}\n' + call(108),
    "wide.ndjson": (call(109) + b"\n" + call(110)).decode().encode("utf-16"),
    "nul.ndjson": b"\0" * 5000 + call(111),
    "noise.ndjson": noise(100_000),
    "nan.ndjson": b'{"type":"track","event":"x","messageId":"nan","properties":{"revenue":NaN}}\n'
    + call(112),
}
ROWS = {
    "good.csv": b"id,at,email,name\n1,2026-01-01,a@example.com,Ann\n",
    "cut.parquet": b"PAR1" + noise(5000),
    "cut.xlsx": b"PK\x03\x04" + noise(5000),
    "quote.csv": b'id,at,email,name\n2,2026-01-01,b@example.com,"unclosed\n3,2026-01-01,c@example.com,Cy\n',
    "header.csv": b"id,at,email,name\n",
    "blank.csv": b"\n\n\n",
    "ragged.csv": b"id,at,email,name\n4,2026-01-01,d@example.com,Di,more,more\n5,2026-99-99,no-address,Ed\n",
    "bomb.csv.gz": gzip.compress(b"id,at\n" + b"0" * 20_000_000),
}


def workspace(root: Path) -> Path:
    (root / "cdp.yaml").write_text(CONFIG)
    for folder, files in (("web", WEB), ("rows", ROWS)):
        (root / "inbox" / folder).mkdir(parents=True)
        for name, data in files.items():
            (root / "inbox" / folder / name).write_bytes(data)
    return root


def cdp(root: Path, *arguments: str, file_limit: int | None = None) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run(
        [sys.executable, "-c", "from cdp.cli.main import main; main()", "-w", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = workspace(tmp_path_factory.mktemp("hostile"))
    done = cdp(root, "run")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return root


@pytest.mark.soak
def test_every_good_item_lands_whatever_lies_beside_it(hostile: Path) -> None:
    done = cdp(hostile, "sql", "SELECT event_id FROM contact_history ORDER BY ALL", "--format", "csv")
    seen = set(done.stdout.split())
    assert {f"m{number}" for number in [*range(50), *range(101, 111), 112]} <= seen
    assert "1" in seen


def test_everything_is_accounted_for_with_a_reason(hostile: Path) -> None:
    with Ledger(hostile / "ledger.sqlite") as ledger:
        counts = outcomes.counts(ledger)
        reasons = {
            row["reason"]
            for row in ledger.rows("SELECT reason FROM current_outcomes WHERE outcome = 'quarantined'")
        }
    assert all(batch.holds and batch.pending == 0 for batch in counts)
    assert reasons >= {
        "payload_too_large",
        "invalid_json",
        "not_utf8",
        "missing_type",
        "unknown_call_type",
        "unreadable_parquet",
        "unreadable_workbook",
        "unbalanced_quote",
        "ragged_row",
        "cell_too_long",
    }


def test_quarantine_shows_reasons_and_no_personal_data(hostile: Path) -> None:
    done = cdp(hostile, "quarantine", "list")
    assert done.returncode == 0
    assert "ragged_row" in done.stdout
    assert "d@example.com" not in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize("limit", [kb * 1024 for kb in (16, 64, 256, 700, 1500)])
def test_a_full_disk_says_so_and_the_next_run_goes_on(tmp_path: Path, limit: int) -> None:
    """In `make test` the disk is full at chosen steps: test_crash_images.py."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "cdp.yaml").write_text(CONFIG)
    (root / "inbox/web").mkdir(parents=True)
    lines = [call(number, blob=os.urandom(400).hex()) for number in range(3000)]
    (root / "inbox/web/a.ndjson").write_bytes(b"\n".join(lines))
    full = cdp(root, "run", file_limit=limit)
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert "Error: " in full.stderr
    assert full.stderr.count("Land web") <= 1, "waiting and trying again does not help"
    again = cdp(root, "run")
    assert again.returncode == 0, again.stderr
    counted = cdp(root, "sql", "SELECT count(*) AS n FROM contact_history", "--format", "csv")
    assert counted.stdout.split() == ["n", "3000"]
