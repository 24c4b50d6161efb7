"""`cdp explain` on a workspace: why two records are one person, and why two others are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cdp.cli.main import run as cdp
from tests.pipelines_tools import ORDER_HEAD, add_files, make_shop, rows, run

Capture = pytest.CaptureFixture[str]

# Two spellings of one person, two people of one surname, and a caller of whom only the number is known.
MORE = {
    "inbox/orders/7.csv": [
        ORDER_HEAD,
        "E1,2026-02-11 12:00,D1,Marianne Sandersen,marianne.sandersen@mail.example,Lamp,1,30.00",
        "E2,2026-02-12 12:00,D2,Marianne Sanderson,marianne.sandersen@mail.example,Lamp,1,30.00",
        "E3,2026-02-13 12:00,D3,Peter Quill,peter.quill@mail.example,Lamp,1,30.00",
        "E4,2026-02-14 12:00,D4,Petra Quill,petra.q@post.example,Lamp,1,30.00",
    ]
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after a run."""
    workspace = make_shop(tmp_path_factory.mktemp("explain") / "shop")
    add_files(workspace, MORE)
    run(workspace)
    return workspace


def explained(shop: Path, capsys: Capture, one: str, other: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cdp(["explain", one, other, "-w", str(shop), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def page(shop: Path, capsys: Capture, one: str, other: str) -> list[str]:
    capsys.readouterr()
    assert cdp(["explain", one, other, "-w", str(shop)]) == 0
    return capsys.readouterr().out.splitlines()


def assert_adds_up(edge: dict[str, Any]) -> None:
    assert sum(level["weight"] for level in edge["levels"]) == pytest.approx(edge["match_weight"], abs=1e-6)


def test_the_weights_of_a_link_add_up_and_the_probability_is_theirs(finished: Path, capsys: Capture) -> None:
    told = explained(finished, capsys, "orders:D1", "orders:D2")
    assert told["same_customer"]
    for edge in told["path"]:
        assert_adds_up(edge)
        odds = 2 ** edge["match_weight"]
        assert edge["match_probability"] == pytest.approx(odds / (1 + odds), abs=1e-6)
    assert told["counterfactual"]


def test_a_waterfall_has_one_line_per_level_and_ends_at_the_weight(finished: Path, capsys: Capture) -> None:
    told = explained(finished, capsys, "orders:D1", "orders:D2")["path"][0]
    lines = page(finished, capsys, "orders:D1", "orders:D2")
    assert all(len(line) <= 80 for line in lines)
    bars = [line for line in lines if "█" in line or "▒" in line]
    assert len(bars) == len(told["levels"])
    assert bars[0].startswith("  prior")
    assert float(bars[-1].split()[-1]) == pytest.approx(told["match_weight"], abs=0.051)
    assert any(line.startswith(f"  match weight {told['match_weight']:+.1f} bits: ") for line in lines)


def test_two_customers_are_compared_with_each_other(finished: Path, capsys: Capture) -> None:
    told = explained(finished, capsys, "orders:D3", "orders:D4")
    assert not told["same_customer"]
    assert {told["pair"]["left"], told["pair"]["right"]} == {"orders:D3", "orders:D4"}
    assert_adds_up(told["pair"])
    assert {"comparison": "surname", "level": "same"}.items() <= {
        key: value
        for level in told["pair"]["levels"]
        if level["comparison"] == "surname"
        for key, value in level.items()
    }.items()
    lines = page(finished, capsys, "orders:D3", "orders:D4")
    assert lines[0].endswith("are two people.")
    assert all(len(line) <= 80 for line in lines)
    assert any("bits are missing to even odds" in line for line in lines)


def test_customers_stand_for_their_most_alike_records(finished: Path, capsys: Capture) -> None:
    ids = [
        rows(finished, f"SELECT customer_id FROM customer_records WHERE record_key = '{key}'")[0][0]
        for key in ("orders:C1", "orders:D3")
    ]
    told = explained(finished, capsys, *ids)
    assert not told["same_customer"]
    assert_adds_up(told["pair"])
    assert told["pair"]["match_weight"] < 0


def test_what_hangs_on_one_value_is_said(finished: Path, capsys: Capture) -> None:
    told = explained(finished, capsys, "orders:D1", "orders:D2")
    assert told["without"]
    assert told["counterfactual"].startswith("Without ")
    assert "they are two people" in told["counterfactual"]
    assert told["counterfactual"] in " ".join(page(finished, capsys, "orders:D1", "orders:D2"))


def test_a_judgement_is_the_reason(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    shop = Path(shutil.copytree(finished, tmp_path / "shop"))
    assert cdp(["identity", "split", "orders:D1", "orders:D2", "-w", str(shop), "--as", "kim"]) == 0
    run(shop)
    lines = page(shop, capsys, "orders:D1", "orders:D2")
    assert lines[0].endswith("are two people.")
    assert "A judgement keeps them apart, whatever the weights say." in lines
    assert any("kim" in line for line in lines)
