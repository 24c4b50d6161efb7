"""Files that would make a naive resolution quadratic: they end in bounded time and memory, with a report."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.soak, pytest.mark.serial]

LOG = logging.getLogger(
    __name__
)  # `make soak ARGS="--log-cli-level=INFO -k bounded"` shows what each file cost
ROOT = Path(__file__).resolve().parents[2]
MILLION = 1_000_000
MOST_SECONDS = 600
MOST_MB = 6_000
MAX_CLUSTER = 500  # of the default policy
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


def spelled(count: int, length: int = 8) -> Iterator[str]:
    """Yield words of which each differs from the one before it by one letter (a Gray code of letters)."""
    for number in range(count):
        digits, rest = [], number
        for _ in range(length):
            digits.append(rest % 26)
            rest //= 26
        word, shift = [], 0
        for digit in reversed(digits):
            word.append(LETTERS[(digit - shift) % 26])
            shift += (digit - shift) % 26
        yield "".join(word)


def one_mail(count: int) -> pa.Table:
    """Many differently named people with one e-mail address."""
    surnames = [word[::-1] for word in spelled(count)]
    given = [word[:6] for word in surnames]
    return pa.table({"email": ["office@company.org"] * count, "given_name": given, "surname": surnames})


def nothing_but_one_mail(count: int) -> pa.Table:
    return pa.table({"email": ["office@company.org"] * count})


def one_name(count: int) -> pa.Table:
    return pa.table({"given_name": ["John"] * count, "surname": ["Smith"] * count})


def one_name_many_cities(count: int) -> pa.Table:
    """One name, a few cities, a few birth dates: every key is oversize, also together."""
    dates = [f"{1950 + i % 50}-01-01" for i in range(count)]
    return (
        one_name(count)
        .append_column("city", [numbered("City", 20) * (count // 20)])
        .append_column("birth_date", [dates])
    )


def one_person_misspelt(count: int) -> pa.Table:
    """Many records of one person, most with a typing error somewhere."""
    from benchmarks.people import typos

    rng = np.random.default_rng(5)
    plain = {
        "given_name": "Katherine",
        "surname": "Featherstone",
        "street": "17 Willowbrook Lane",
        "city": "Harrogate",
    }
    columns = {name: typos(rng, pa.array([text] * count), 0.4) for name, text in plain.items()}
    mails = typos(rng, pa.array(["katherine.featherstone@mail.org"] * count), 0.4)
    return pa.table({**columns, "email": mails, "birth_date": ["1971-05-23"] * count})


def chain(count: int) -> pa.Table:
    """Each record looks like the next, and none like one far away."""
    days = np.datetime64("1930-01-01") + np.arange(count) // 4 % 25_000
    return pa.table(
        {
            "given_name": ["Ann"] * count,
            "surname": list(spelled(count)),
            "birth_date": pc.strftime(pa.array(days), "%Y-%m-%d"),
            "street": [f"{i // 3} Long Road" for i in range(count)],
        }
    )


CASES = {
    "one e-mail, a million names": (one_mail, MILLION),
    "one e-mail and nothing else": (nothing_but_one_mail, MILLION),
    "one name": (one_name, MILLION),
    "one name, few cities and dates": (one_name_many_cities, MILLION),
    "one person, misspelt": (one_person_misspelt, 200_000),
    "a chain of look-alikes": (chain, 200_000),
}

ONE_CUSTOMER = {"one e-mail and nothing else"}  # equal records, and no name that speaks against one customer
HELD_BACK = {"one e-mail, a million names"}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_bounded_time_and_memory_with_a_report(tmp_path: Path, name: str) -> None:
    make, count = CASES[name]
    table = make(count)
    table = table.append_column("record_id", [numbered("r", count)])
    pq.write_table(table, tmp_path / "in.parquet")
    del table
    command = [
        sys.executable,
        "-m",
        "cdp",
        "dedupe",
        "in.parquet",
        "--out",
        "out.parquet",
        "--id",
        "record_id",
    ]
    started = time.monotonic()
    with (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--held", "held.parquet"],
            cwd=tmp_path,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        peak, status = _watch(process, started)
    seconds, told = time.monotonic() - started, (tmp_path / "err").read_text()
    assert status == 0, told
    assert peak < MOST_MB
    LOG.info("%s: %s records, %.0f s, %.0f MB", name, f"{count:,}", seconds, peak)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["record_id"].to_pylist() == numbered("r", count)
    sizes = pc.value_counts(found["cluster_id"]).field("counts")
    if name not in ONE_CUSTOMER:
        assert pc.max(sizes).as_py() <= MAX_CLUSTER
    if name in HELD_BACK:
        assert pq.read_table(tmp_path / "held.parquet").num_rows > 0
    assert f"{count:,}" in told


def _watch(process: subprocess.Popen[bytes], started: float) -> tuple[float, int]:
    """Wait for a process; return its peak memory in MB and its exit status. Kill it when time or memory is up."""
    status_file, peak = Path(f"/proc/{process.pid}/status"), 0.0
    while process.poll() is None:
        for line in status_file.read_text().splitlines() if status_file.exists() else []:
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) / 1024)
        if time.monotonic() - started > MOST_SECONDS or peak > MOST_MB:
            process.kill()
            process.wait()
            pytest.fail(f"killed after {time.monotonic() - started:.0f} s at {peak:,.0f} MB")
        time.sleep(0.2)
    return peak, process.returncode
