"""`cdp identity evaluate` and `report` on the customers of a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from cdp.cli.identity_evaluate import generation_folder
from cdp.cli.main import Context, cli
from cdp.errors import NotFoundError
from tests.pipelines_tools import make_shop, run


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = make_shop(tmp_path_factory.mktemp("evaluate") / "shop")
    run(workspace)
    return workspace


def told(workspace: Path, *arguments: str) -> str:
    context = Context()
    context.name_workspace(workspace)
    done = CliRunner().invoke(cli, ["identity", *arguments], obj=context, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_customers_that_are_their_own_truth_are_without_error(shop: Path, tmp_path: Path) -> None:
    id_map = pq.read_table(generation_folder(shop) / "id_map.parquet")
    truth = id_map.rename_columns(["record_key", "person"])
    pa.csv.write_csv(truth, tmp_path / "truth.csv")
    found = json.loads(
        told(shop, "evaluate", "--truth", str(tmp_path / "truth.csv"), "--errors", "3", "--format", "json")
    )
    assert found["truth"] == {
        "rows": id_map.num_rows, "records": id_map.num_rows, "named_by": "record_key", "unknown": 0, "contradicted": 0,
        "by_identifier": False,
    }  # fmt: skip
    assert found["accuracy"]["pairwise_f1"] == found["accuracy"]["bcubed_f1"] == 1
    assert found["accuracy"]["clusters"] == len(set(id_map["customer_id"].to_pylist()))
    assert found["mistakes"]["examples"] == []
    assert 0 <= found["estimated_precision"] <= 1


def test_a_truth_of_identifiers_finds_the_records_that_carry_them(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text(
        '{"email": "ann.archer@mail.example", "person": "ann"}\n{"email": "bob.baker@mail.example", "person": "bob"}\n'
    )
    output = told(shop, "evaluate", "--truth", str(tmp_path / "truth.jsonl"), "--id", "email")
    assert "records named by email, 2 entities" in output
    assert "archer" not in output.lower()


def test_without_a_truth_signs_are_shown(shop: Path) -> None:
    output = told(shop, "evaluate")
    assert "Signs of people who are several customers" in output
    assert "precision" not in output


def test_the_report_is_of_the_model_of_the_customers(shop: Path, tmp_path: Path) -> None:
    model = json.loads((generation_folder(shop) / "model.json").read_bytes())
    assert f"Identity model {model['version']}" in told(shop, "report")
    told(shop, "report", "--out", str(tmp_path / "model.html"))
    page = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert model["version"] in page
    for comparison in model["comparisons"]:
        assert f"<h3>{comparison['comparison']}" in page


def test_before_the_first_run_the_next_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no customers yet"):
        generation_folder(make_shop(tmp_path / "shop"))
