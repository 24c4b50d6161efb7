"""`cdp identity`: what people decide is kept, is applied by the next run, and stays."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cdp import judgements
from cdp.cli.main import run as cdp
from cdp.judgements import Decision
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.pipelines_tools import NOW, ORDER_HEAD, add_files, call, ledger_rows, make_shop, rows, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after a run. Tests that change it take a copy."""
    workspace = make_shop(tmp_path_factory.mktemp("identity") / "shop")
    run(workspace)
    return workspace


@pytest.fixture
def shop(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "shop"))


def identity(shop: Path, *arguments: str) -> int:
    return cdp(["identity", *arguments, "-w", str(shop)])


def customer(shop: Path, key: str) -> str:
    """The customer of a record in the current release."""
    ((found,),) = rows(shop, f"SELECT customer_id FROM customer_records WHERE record_key = '{key}'")
    return str(found)


def test_link_then_run_makes_one_customer_of_two(shop: Path, capsys: Capture) -> None:
    ann, cyd = customer(shop, "web:u1"), customer(shop, "web:u3")
    assert ann != cyd
    assert identity(shop, "link", "web:u1", "web:u3", "--as", "kim", "--note", "same voice") == 0
    assert "The next `cdp run`" in capsys.readouterr().err
    report = run(shop)
    assert report.identity is not None
    assert report.identity.cause == "a judgement"
    assert customer(shop, "web:u1") == customer(shop, "web:u3") == min(ann, cyd)
    assert rows(shop, "SELECT customer_id FROM customer_redirects") == [(min(ann, cyd),)]
    kept = "SELECT left_record, right_record, kind, decided_by, reason FROM judgements"
    assert ledger_rows(shop, kept) == [("web:u1", "web:u3", "must_link", "kim", "same voice")]
    changes = "SELECT change, customer_id, previous_customer_id, reason FROM id_changes WHERE generation = 2"
    ((change, into, gone, reason),) = ledger_rows(shop, changes)
    assert (change, into, gone) == ("merged", min(ann, cyd), max(ann, cyd))
    assert reason.endswith("(a judgement)")


@pytest.mark.soak
def test_a_split_stays_split_over_full_runs_and_new_data(shop: Path, capsys: Capture) -> None:
    assert customer(shop, "web:u1") == customer(shop, "orders:C1")
    assert identity(shop, "split", "web:u1", "orders:C1") == 0
    assert "are two people" in capsys.readouterr().err
    run(shop)
    web, orders = customer(shop, "web:u1"), customer(shop, "orders:C1")
    assert web != orders
    run(shop, full=True)
    assert (customer(shop, "web:u1"), customer(shop, "orders:C1")) == (web, orders)
    later = {
        "inbox/web/9.jsonl": [call(90, 0, "identify"), call(91, 0)],
        "inbox/orders/9.csv": [
            ORDER_HEAD,
            "A9,2026-02-20 12:00,C1,Ann Archer,ann.archer@mail.example,Lamp,1,30.00",
        ],
    }
    add_files(shop, later)
    report = run(shop, now=NOW + timedelta(days=1))
    assert report.identity is not None
    assert report.identity.cause == "new data"
    assert (customer(shop, "web:u1"), customer(shop, "orders:C1")) == (web, orders)
    run(shop, full=True, now=NOW + timedelta(days=2))
    assert (customer(shop, "web:u1"), customer(shop, "orders:C1")) == (web, orders)


def test_a_record_leaves_a_customer_and_may_come_back(shop: Path, capsys: Capture) -> None:
    ann = customer(shop, "web:u1")
    assert identity(shop, "split", ann, "orders:C1") == 0
    run(shop)
    assert customer(shop, "orders:C1") != customer(shop, "web:u1")
    assert customer(shop, "web:device-0") == customer(shop, "web:u1")
    assert identity(shop, "link", "orders:C1", "web:u1", "web:device-0") == 0
    capsys.readouterr()
    assert identity(shop, "judgements", "--format", "json") == 0
    states = [(one["kind"], one["state"]) for one in json.loads(capsys.readouterr().out)]
    assert ("cannot_link", "replaced") in states or ("cannot_link", "overruled") in states
    assert {state for kind, state in states if kind == "must_link"} == {"stands"}
    run(shop)
    assert customer(shop, "orders:C1") == customer(shop, "web:u1") == ann


def test_a_split_that_is_taken_back_is_as_if_it_had_never_been_said(shop: Path, capsys: Capture) -> None:
    before = rows(shop, "SELECT record_key, customer_id FROM customer_records ORDER BY ALL")
    ann = customer(shop, "web:u1")
    assert identity(shop, "split", ann, "orders:C1") == 0
    run(shop)
    assert customer(shop, "orders:C1") != ann
    held = "SELECT count(*) FROM held_back_evidence WHERE kind = 'judgement'"
    ((apart,),) = rows(shop, held)
    ((count, number),) = ledger_rows(shop, "SELECT count(*), max(judgement_id) FROM judgements")
    assert apart == count > 1
    capsys.readouterr()
    assert identity(shop, "withdraw", str(number), "--as", "lee") == 0
    assert f"{count} judgements taken back" in capsys.readouterr().err
    assert identity(shop, "withdraw", str(number)) == 1
    assert "taken back before" in capsys.readouterr().err
    assert identity(shop, "judgements") == 0
    assert "taken back by lee on" in " ".join(capsys.readouterr().out.split())
    report = run(shop)
    assert report.identity is not None
    assert report.identity.cause == "a judgement"
    assert rows(shop, "SELECT record_key, customer_id FROM customer_records ORDER BY ALL") == before
    assert rows(shop, held) == [(0,)]
    assert ledger_rows(shop, "SELECT DISTINCT kind, withdrawn_by FROM judgements") == [("cannot_link", "lee")]


def test_judgements_tell_which_stand(shop: Path, capsys: Capture) -> None:
    assert identity(shop, "judgements") == 0
    assert "no judgements" in capsys.readouterr().err
    assert identity(shop, "link", "web:u1", "web:u2", "--as", "kim") == 0
    assert identity(shop, "split", "web:u2", "web:u1", "--as", "lee", "--note", "siblings") == 0
    capsys.readouterr()
    assert identity(shop, "judgements") == 0
    out = capsys.readouterr().out
    assert [("replaced" in line, "stands" in line) for line in out.splitlines() if "web:u1" in line] == [
        (True, False),
        (False, True),
    ]
    assert "siblings" in out
    before = customer(shop, "web:u1"), customer(shop, "web:u2")
    run(shop)
    assert (customer(shop, "web:u1"), customer(shop, "web:u2")) == before


def test_the_id_of_a_customer_that_became_part_of_another_still_names_its_records(
    shop: Path, capsys: Capture
) -> None:
    kept, gone = sorted((customer(shop, "web:u1"), customer(shop, "web:u3")))
    assert identity(shop, "link", "web:u1", "web:u3") == 0
    run(shop)
    assert identity(shop, "split", gone, "web:u3") == 0
    apart = ledger_rows(shop, "SELECT left_record, right_record FROM judgements WHERE kind = 'cannot_link'")
    members = {
        key for (key,) in rows(shop, f"SELECT record_key FROM customer_records WHERE customer_id = '{kept}'")
    }
    assert {key for pair in apart for key in pair} == members
    assert identity(shop, "link", gone, "web:u2") == 0
    assert f"{min(members)} and web:u2 are one person" in capsys.readouterr().err


def test_judgements_tell_which_records_are_gone(shop: Path, capsys: Capture) -> None:
    with Ledger(Lake(shop).ledger_path) as ledger:
        said = [Decision("web:u1", "web:u99", "must_link"), Decision("web:u1", "web:u2", "cannot_link")]
        judgements.append(ledger, said, by="kim", now=NOW)
    assert identity(shop, "judgements", "--format", "json") == 0
    assert [one["gone"] for one in json.loads(capsys.readouterr().out)] == [["web:u99"], []]
    assert identity(shop, "judgements") == 0
    assert "web:u99 is gone" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["link", "web:u1", "wbe:u2"], 1, "Did you mean web:u2?"),
        (["link", "web:u1"], 2, "expected two or more"),
        (["link", "web:u1", "web:u1"], 2, "given twice"),
        (["split", "web:u1", "zzzzzzzz"], 1, "There is no record 'zzzzzzzz'"),
        (["split", "C00000001", "C00000002"], 2, "both customers"),
        (["link", "web:u1", "web:u2", "--as", " "], 2, "needs somebody"),
    ],
)
def test_mistakes_are_told_and_nothing_is_kept(
    shop: Path, capsys: Capture, arguments: list[str], status: int, told: str
) -> None:
    assert identity(shop, *arguments) == status
    assert told in capsys.readouterr().err
    assert ledger_rows(shop, "SELECT count(*) FROM judgements") == [(0,)]


def test_a_record_of_another_customer_cannot_leave_this_one(shop: Path, capsys: Capture) -> None:
    assert identity(shop, "split", customer(shop, "web:u1"), "web:u2") == 2
    assert f"It belongs to {customer(shop, 'web:u2')}" in capsys.readouterr().err


# ---------------------------------------------------------------- review


SIMILAR = {
    "inbox/orders/3.csv": [
        ORDER_HEAD,
        *(
            f"B{number},2026-02-11 12:00,D{number},{name},{email},Lamp,1,30.00"
            for number, (name, email) in enumerate(
                [
                    ("Maria Sanders", "maria.s@mail.example"),
                    ("Marie Sanders", "m.sanders@post.example"),
                    ("Jon Petersen", "jon.p@mail.example"),
                    ("John Petersen", "petersen@post.example"),
                    ("Olga Ivanova", "olga@mail.example"),
                    ("Olga Iwanowa", "ivanova@post.example"),
                ]
            )
        ),
    ]
}


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with people who may be one another, or not."""
    workspace = make_shop(tmp_path_factory.mktemp("review") / "shop")
    add_files(workspace, SIMILAR)
    run(workspace)
    return workspace


@pytest.fixture
def unsure(doubtful: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(doubtful, tmp_path / "shop"))


def pairs(shop: Path, capsys: Capture, *more: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert identity(shop, "review", "--format", "json", *more) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_the_most_informative_pairs_come_first_with_weights_that_add_up(
    unsure: Path, capsys: Capture
) -> None:
    found = pairs(unsure, capsys)
    assert found
    for one in found:
        levels = one["levels"]
        assert isinstance(levels, list)
        assert sum(level["weight"] for level in levels) == pytest.approx(one["match_weight"], abs=1e-6)
        assert 0.05 <= float(str(one["match_probability"])) <= 0.95
        assert one["left"]
        assert one["right"]
    asked = [{one["left_customer"], one["right_customer"]} for one in found]
    assert all(before != after for before, after in itertools.pairwise(asked))
    assert len(pairs(unsure, capsys, "--limit", "1")) == 1


def test_a_person_answers_in_the_terminal(
    unsure: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = pairs(unsure, capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO("perhaps\ny spoke to her\ns\nq\n"))
    assert identity(unsure, "review", "--as", "kim") == 0
    out, err = capsys.readouterr()
    assert all(len(line) <= 80 for line in out.splitlines())
    assert str(first["left_record"]) in out
    assert "prior" in out
    assert "match weight" in out
    assert "Please answer y, n, s or q." in err
    assert "1 judged" in err
    kept = ledger_rows(unsure, "SELECT left_record, right_record, kind, decided_by, reason FROM judgements")
    assert kept == [(first["left_record"], first["right_record"], "must_link", "kim", "spoke to her")]
    left = pairs(unsure, capsys)
    assert [one["left_record"] for one in left][:1] == [second["left_record"]]
    assert identity(unsure, "withdraw", "1") == 0
    capsys.readouterr()
    assert pairs(unsure, capsys)[0] == first
    monkeypatch.setattr("sys.stdin", io.StringIO("y spoke to her\nq\n"))
    assert identity(unsure, "review", "--as", "kim") == 0
    run(unsure)
    one, other = (customer(unsure, str(first[side])) for side in ("left_record", "right_record"))
    assert one == other


def test_answers_come_from_a_file_as_well(unsure: Path, tmp_path: Path, capsys: Capture) -> None:
    found = pairs(unsure, capsys)
    answers = [one | {"answer": "n" if number % 2 else "skip", "note": 7} for number, one in enumerate(found)]
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers), encoding="utf-8")
    assert identity(unsure, "review", "--answers", str(path), "--as", "lee") == 0
    denied = sum(one["answer"] == "n" for one in answers)
    assert ledger_rows(unsure, "SELECT count(*) FROM judgements WHERE kind = 'cannot_link'") == [(denied,)]
    assert identity(unsure, "judgements") == 0
    assert capsys.readouterr().out.count(" lee ") == denied > 0
    table = tmp_path / "answers.csv"
    one = found[0]
    table.write_text(
        f"left_record,right_record,answer,note\n{one['left_record']},{one['right_record']},yes,twins\n",
        encoding="utf-8",
    )
    assert identity(unsure, "review", "--answers", str(table)) == 0
    assert ledger_rows(unsure, "SELECT count(*) FROM judgements WHERE kind = 'must_link'") == [(1,)]


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        (
            "left_record,right_record,answer\nweb:u1,web:u2,maybe\n",
            2,
            "line 2: the answer 'maybe' is not known",
        ),
        ("left_record,right_record,answer\nweb:u1,web:u2,y\nweb:u1,web:u9,y\n", 1, "no record 'web:u9'"),
        ("left,right\n1,2\n", 2, "left_record, right_record, answer is missing"),
        ("answer,left_record,right_record\ny,web:u1\n", 2, "line 2: right_record is missing"),
        ('[{"left_record": null, "right_record": "web:u2", "answer": "y"}]', 2, "1: left_record is missing"),
        ('["web:u1"]', 2, "answer 1 is no object"),
        ('[{"left_record": ', 2, "is not JSON"),
    ],
)
def test_a_file_of_answers_counts_whole_or_not_at_all(
    unsure: Path, tmp_path: Path, capsys: Capture, text: str, status: int, told: str
) -> None:
    path = tmp_path / "answers"
    path.write_text(text, encoding="utf-8")
    assert identity(unsure, "review", "--answers", str(path)) == status
    assert told in capsys.readouterr().err
    assert ledger_rows(unsure, "SELECT count(*) FROM judgements") == [(0,)]


def test_before_the_first_run_there_is_nothing_to_judge(tmp_path: Path, capsys: Capture) -> None:
    empty = make_shop(tmp_path / "shop", {})
    run(empty)
    assert identity(empty, "review") == 2
    assert "Run `cdp run` first" in capsys.readouterr().err
