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
    told = explained(finished, capsys, "web:device-0", "web:u1")
    assert told["without"] == ["web (anonymous_id)"]
    assert told["counterfactual"] == "Without this anonymous id of web they are two people."
    assert told["counterfactual"] in page(finished, capsys, "web:device-0", "web:u1")


def test_what_holds_by_more_than_one_value_is_not_said_to_hang_on_one(
    finished: Path, capsys: Capture
) -> None:
    """Without the e-mail of theirs a household would share it no more: the names are enough again."""
    told = explained(finished, capsys, "orders:D1", "orders:D2")
    email = next(part for part in told["path"][0]["levels"] if part["comparison"] == "e-mail")
    assert email["weight"] > told["path"][0]["match_weight"], "less than nothing seems to be left without it"
    assert told["without"] == []
    assert "two people" not in told["counterfactual"]
    assert told["counterfactual"] in " ".join(page(finished, capsys, "orders:D1", "orders:D2"))


def test_a_judgement_is_the_reason(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    shop = Path(shutil.copytree(finished, tmp_path / "shop"))
    assert cdp(["identity", "split", "orders:D1", "orders:D2", "-w", str(shop), "--as", "kim"]) == 0
    run(shop)
    lines = page(shop, capsys, "orders:D1", "orders:D2")
    assert lines[0].endswith("are two people.")
    assert "A judgement keeps them apart, whatever the weights say." in lines
    assert any("kim" in line for line in lines)


FAMILY = {
    "inbox/orders/8.csv": [
        ORDER_HEAD,
        "F1,2026-02-11 12:00,F1,Ruth Okafor,family@okafor.example,Lamp,1,30.00",
        "F2,2026-02-12 12:00,F2,Daniel Brown,family@okafor.example,Lamp,1,30.00",
        "F3,2026-02-13 12:00,F3,,family@okafor.example,Lamp,1,30.00",
        "F4,2026-02-13 12:00,F4,Ruth Okafor,family@okafor.example,Lamp,1,30.00",
    ]
}


def test_an_address_that_counts_between_names_is_not_said_to_link_nobody(
    tmp_path: Path, capsys: Capture
) -> None:
    """A family writes from it; an order without a name is given to neither of them."""
    shop = make_shop(tmp_path / "shop")
    add_files(shop, FAMILY)
    run(shop)
    held = "SELECT reason FROM held_back_identifiers WHERE value LIKE 'family%'"
    assert rows(shop, held) == [("unnamed records share it with several customers",)]
    apart = " ".join(" ".join(page(shop, capsys, "orders:F1", "orders:F2")).split())
    assert "email family@okafor.example: counts where names are compared; a record without a name" in apart
    assert "links nobody" not in apart
    told = explained(shop, capsys, "orders:F1", "orders:F4")
    assert told["same_customer"]
    assert any(part["comparison"] == "e-mail" and part["weight"] > 0 for part in told["path"][0]["levels"])
    assert [shared["value"] for shared in told["shared"]] == ["family@okafor.example"]
    assert not any("Not counted" in line for line in page(shop, capsys, "orders:F1", "orders:F4"))
