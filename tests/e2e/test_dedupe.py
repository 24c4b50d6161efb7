"""`cdp dedupe`: any table of people, with no workspace and no options."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from cdp.cli.main import run as cdp
from cdp.duck import connect

PEOPLE = Path(__file__).resolve().parents[1] / "data" / "people"
Capture = pytest.CaptureFixture[str]

# Two people three times over, one alone; a number with a zero in front, a name in another script.
ROWS = [
    {"nr": "a1", "First Name": "Zoë", "surname": "Quince", "mail": "zoe.quince@mail.example", "zip": "01234"},
    {"nr": "a2", "First Name": "Zoe", "surname": "Quince", "mail": "zoe.quince@mail.example", "zip": "01234"},
    {"nr": "a3", "First Name": "Z.", "surname": "Quince", "mail": "Zoe.Quince@mail.example", "zip": ""},
    {"nr": "b1", "First Name": "Tadeusz", "surname": "Wójcik", "mail": "tw@post.example", "zip": "80999"},
    {"nr": "b2", "First Name": "Tadeusz", "surname": "Wojcik", "mail": "tw@post.example", "zip": "80999"},
    {
        "nr": "c1",
        "First Name": "Mary",
        "surname": "Okafor",
        "mail": "mary.okafor@mail.example",
        "zip": "10115",
    },
]
TOGETHER = {frozenset({"a1", "a2", "a3"}), frozenset({"b1", "b2"}), frozenset({"c1"})}


def text(delimiter: str = ",", rows: list[dict[str, str]] = ROWS) -> str:
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    return "\r\n".join(lines) + "\r\n"


def table(rows: list[dict[str, str]] = ROWS) -> pa.Table:
    return pa.Table.from_pylist([{name: value or None for name, value in row.items()} for row in rows])


def result(path: Path) -> list[tuple[str, str, float | None]]:
    with connect() as connection:
        found = connection.sql(
            f"SELECT record_id::VARCHAR, cluster_id::VARCHAR, match_probability::DOUBLE FROM '{path}'"
        ).fetchall()
    return [(str(row[0]), str(row[1]), row[2]) for row in found]


def groups(path: Path) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for record, cluster, _ in result(path):
        found.setdefault(cluster, set()).add(record)
    return {frozenset(members) for members in found.values()}


WRITTEN = {
    "comma.csv": text().encode(),
    "bom.csv": b"\xef\xbb\xbf" + text().encode(),
    "semicolon.csv": text(";").encode(),
    "tab.tsv": text("\t").encode(),
    "latin.csv": text(";").replace("Wójcik", "Wojcik").encode("latin-1"),
    "utf16.csv": text("\t").encode("utf-16"),
    "utf16be.csv": text("\t").encode("utf-16-be"),
    "zipped.csv.gz": gzip.compress(text().encode()),
    "lines.jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "zipped.jsonl.gz": gzip.compress("\n".join(json.dumps(row) for row in ROWS).encode()),
    "unnamed": text().encode(),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_gives_the_same_clusters(tmp_path: Path, name: str) -> None:
    path, out = tmp_path / name, tmp_path / "out.csv"
    path.write_bytes(WRITTEN[name])
    assert cdp(["dedupe", str(path), "--out", str(out), "--id", "nr"]) == 0
    assert groups(out) == TOGETHER


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
def test_the_result_has_one_line_per_row_in_their_order(tmp_path: Path, out: str) -> None:
    rows = ROWS[::-1]
    pq.write_table(table(rows), tmp_path / "in.parquet")
    assert cdp(["dedupe", str(tmp_path / "in.parquet"), "--out", str(tmp_path / out), "--id", "nr"]) == 0
    found = result(tmp_path / out)
    assert [record for record, _, _ in found] == [row["nr"] for row in rows]
    alone = {record for record, _, chance in found if chance is None}
    assert alone == {"c1"}
    assert all(0.5 <= chance <= 1 for _, _, chance in found if chance is not None)
    assert not list(tmp_path.glob("*.tmp"))


def test_without_an_id_rows_are_named_by_their_number(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "nr"} for row in ROWS]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    assert [record for record, _, _ in result(tmp_path / "out.csv")] == [str(n) for n in range(len(rows))]


def test_a_unique_id_column_is_found(tmp_path: Path) -> None:
    rows = [{"id": row["nr"], **{n: v for n, v in row.items() if n != "nr"}} for row in ROWS]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    assert [record for record, _, _ in result(tmp_path / "out.csv")] == [row["nr"] for row in ROWS]


def test_the_given_id_wins_over_a_column_that_is_called_id(tmp_path: Path) -> None:
    rows = [{"id": str(place), **row} for place, row in enumerate(ROWS)]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    for given in (["--id", "nr"], ["--map", "record_id=nr"]):
        assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), *given]) == 0
        assert [record for record, _, _ in result(tmp_path / "out.csv")] == [row["nr"] for row in ROWS]


def test_an_id_column_with_a_blank_gives_way_to_the_numbers_of_rows(tmp_path: Path, capsys: Capture) -> None:
    rows = [{"id": row["nr"].replace("a1", ""), **row} for row in ROWS]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    assert "no id: some are empty" in capsys.readouterr().err
    assert [record for record, _, _ in result(tmp_path / "out.csv")] == [str(n) for n in range(len(ROWS))]


def test_several_columns_may_be_identifiers_or_texts(tmp_path: Path, capsys: Capture) -> None:
    rows = [{**row, "a": row["nr"][0], "b": f"{row['nr'][0]}-77", "record_key": row["zip"]} for row in ROWS]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    call = ["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]
    said = ["external_id=a", "external_id=b", "text=record_key", "text=zip"]
    why = tmp_path / "why.jsonl"
    assert cdp([*call, "--evidence", str(why), *(one for role in said for one in ("--map", role))]) == 0
    told = capsys.readouterr().err
    assert told.count("identifier (external_id)") == 2
    assert groups(tmp_path / "out.csv") == TOGETHER
    compared = {
        level["comparison"] for line in why.read_text().splitlines() for level in json.loads(line)["levels"]
    }
    assert {"a (external_id)", "b (external_id)", "record_key", "zip"} <= compared


def test_no_precision_is_told_where_nothing_was_joined(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_text(text(rows=[ROWS[0], ROWS[3], ROWS[5]]), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]) == 0
    err = capsys.readouterr().err
    assert "3 records → 3 clusters, the largest has 1 record" in err
    assert "estimated" not in err


def test_the_mapping_is_shown_without_personal_data_and_then_a_summary(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "in.csv").write_text(text(), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    mapped = {tuple(line.split()[:2]) for line in err.splitlines()}
    assert {("nr", "record_id"), ("surname", "surname"), ("mail", "email"), ("zip", "postcode")} <= mapped
    assert "First Name  given_name" in err
    assert not [one for row in ROWS for one in (row["surname"], row["mail"]) if one in err]
    assert "6 records → 3 clusters, the largest has 3 records, estimated precision" in err


def test_a_column_may_be_mapped_or_ignored(tmp_path: Path, capsys: Capture) -> None:
    rows = [{"nr": row["nr"], "x1": row["mail"], "x2": "same for all"} for row in ROWS]
    (tmp_path / "in.csv").write_text(text(rows=rows), encoding="utf-8")
    call = ["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]
    assert cdp([*call, "--map", "email=x1", "--map", "ignored=x2"]) == 0
    err = capsys.readouterr().err
    assert [line.split()[:3] for line in err.splitlines() if line.startswith("x")] == [
        ["x1", "email", "given"],
        ["x2", "ignored", "given"],
    ]


def test_one_name_in_two_scripts_is_one_person(tmp_path: Path) -> None:
    people = ["محمد علي", "Mohamed Ali", "やまだ たろう", "Taro Yamada", "김민수", "Kim Min-su", "Ann Lee"]
    cities = ["Cairo", "Cairo", "Osaka", "Osaka", "Seoul", "Seoul", "Leeds"]
    lines = [f"{name};{city}" for name, city in zip(people, cities, strict=True)]
    (tmp_path / "in.csv").write_text("\n".join(["name;city", *lines]), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "-q"]) == 0
    assert groups(tmp_path / "out.csv") == {frozenset(pair) for pair in ("01", "23", "45", "6")}


def test_evidence_and_what_was_held_back_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    junk = [
        {"nr": f"j{n}", "First Name": f"N{n}x", "surname": f"S{n}y", "mail": "test@test.com", "zip": ""}
        for n in range(4)
    ]
    (tmp_path / "in.csv").write_text(text(rows=[*ROWS, *junk]), encoding="utf-8")
    files = {name: str(tmp_path / name) for name in ("out.csv", "why.parquet", "held.jsonl", "why.csv")}
    call = ["dedupe", str(tmp_path / "in.csv"), "--out", files["out.csv"], "--id", "nr"]
    assert cdp([*call, "--evidence", files["why.parquet"], "--held", files["held.jsonl"]]) == 0
    why = pq.read_table(files["why.parquet"]).to_pylist()
    assert {frozenset((edge["left_record"], edge["right_record"])) for edge in why} >= {
        frozenset({"b1", "b2"})
    }
    for edge in why:
        assert sum(level["weight"] for level in edge["levels"]) == pytest.approx(
            edge["match_weight"], abs=1e-6
        )
    held = [json.loads(line) for line in Path(files["held.jsonl"]).read_text().splitlines()]
    assert "test@test.com" in {one["value"] for one in held}
    assert cdp([*call, "--evidence", files["why.csv"]]) == 0
    with connect() as connection:
        ((levels,),) = connection.sql(f"SELECT levels FROM '{files['why.csv']}' LIMIT 1").fetchall()
    assert json.loads(levels)[0]["comparison"] == "prior"


def test_the_same_file_gives_the_same_bytes_and_shuffled_rows_the_same_clusters(tmp_path: Path) -> None:
    source = pq.read_table(PEOPLE / "fake_1000.parquet").drop_columns(["entity_id"])
    for name, rows in (("one", source), ("two", source), ("three", source.take(list(range(999, -1, -1))))):
        pq.write_table(rows, tmp_path / f"{name}.parquet")
        call = ["dedupe", str(tmp_path / f"{name}.parquet"), "--out", str(tmp_path / f"{name}.csv"), "-q"]
        assert cdp(call) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert groups(tmp_path / "one.csv") == groups(tmp_path / "three.csv")


def test_csv_and_parquet_of_one_table_agree(tmp_path: Path) -> None:
    source = pq.read_table(PEOPLE / "fake_1000.parquet").drop_columns(["entity_id"])
    pq.write_table(source, tmp_path / "in.parquet")
    pa.csv.write_csv(source, tmp_path / "in.csv")
    for name in ("in.parquet", "in.csv"):
        assert cdp(["dedupe", str(tmp_path / name), "--out", str(tmp_path / f"{name}.csv"), "-q"]) == 0
    assert (tmp_path / "in.parquet.csv").read_bytes() == (tmp_path / "in.csv.csv").read_bytes()


NAMED = text().encode()
MISTAKES = {
    "an unknown column": (NAMED, ["--id", "nrr"], "Did you mean 'nr'?"),
    "an unknown role": (NAMED, ["--map", "emial=mail"], "email"),
    "a mapped column that is not there": (NAMED, ["--map", "email=mial"], "mail"),
    "a column to ignore that is not there": (NAMED, ["--map", "ignored=mial"], "Did you mean 'mail'?"),
    "no mapping": (NAMED, ["--map", "email"], "Expected role=column"),
    "a role twice": (NAMED, ["--map", "city=mail", "--map", "city=nr"], "to 'mail' and to 'nr'"),
    "two roles": (NAMED, ["--map", "city=mail", "--map", "text=mail"], "'mail' is given two roles"),
    "an id with a role": (NAMED, ["--id", "nr", "--map", "text=nr"], "'nr' is given two roles"),
    "two ids": (NAMED, ["--id", "nr", "--map", "record_id=mail"], "to 'nr' and to 'mail'"),
    "ids that come twice": (NAMED, ["--id", "zip"], "is empty in 1 rows, first in row 3"),
    "ids in several rows": (NAMED, ["--id", "surname"], "names 1 ids twice, the first in rows 1 and 2"),
    "ids in several rows, said as a role": (NAMED, ["--map", "record_id=surname"], "names 1 ids twice"),
    "an empty file": (b"", [], "is empty"),
    "a header alone": (b"name,mail\r\n", [], "no rows"),
    "nothing to compare": (b"a\n1.5\n2.5\n", ["--map", "ignored=a"], "says who somebody is"),
    "a short row": (b"name,mail\nAda,a@b.example\nBob\n", [], "line 3: 1 cell, the header has 2"),
    "a long row": (b"name,mail\nAda,a@b.example,x\n", [], "line 2: 3 cells, the header has 2"),
    "a quote that swallows rows": (b'name,mail\n"Ada,a\nBob,b\nCyd,c\n', [], "line 2: a quote"),
    "a quote that ends too late": (b'name,mail\n"Ada,a\nBob,b\nCyd",c\nDan,d\n', [], "line 2: a quote"),
    "a broken gzip file": (gzip.compress(NAMED)[:-12], [], "broken gzip"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: Capture, case: str
) -> None:
    content, more, told = MISTAKES[case]
    (tmp_path / "in.csv").write_bytes(content)
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), *more]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.startswith("Error: ")
    assert len(err.splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_broken_line_of_json_is_named(tmp_path: Path, capsys: Capture) -> None:
    lines = [json.dumps(row) for row in ROWS]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, lines[0][:-5], *lines]), encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "line 7: expected one JSON object per line" in capsys.readouterr().err


def test_nested_columns_and_bytes_are_left_out_with_a_note(tmp_path: Path, capsys: Capture) -> None:
    rows = table().append_column("tags", pa.array([["x"]] * len(ROWS)))
    rows = rows.append_column("photo", pa.array([b"\xff\x00"] * len(ROWS)))
    pq.write_table(rows, tmp_path / "in.parquet")
    assert (
        cdp(["dedupe", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]) == 0
    )
    err = capsys.readouterr().err
    assert "column 'tags' is nested and left out; column 'photo' holds bytes and is left out" in err
    assert groups(tmp_path / "out.csv") == TOGETHER


def test_repeated_names_of_parquet_columns_are_told_apart_by_their_place(
    tmp_path: Path, capsys: Capture
) -> None:
    columns = [
        pa.array([row[name] or None for row in ROWS]) for name in ("nr", "First Name", "surname", "mail")
    ]
    nested = pa.array([{"x": 1}] * len(ROWS))
    names = ["nr", "name", "surname", "name", "name"]
    pq.write_table(pa.Table.from_arrays([*columns, nested], names=names), tmp_path / "in.parquet")
    call = ["dedupe", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.csv"), "--id", "nr"]
    assert cdp([*call, "--map", "given_name=name"]) == 0
    err = capsys.readouterr().err
    assert "column 'name' is nested and left out; column 4 is called 'name_2' here" in err
    assert [line.split()[:3] for line in err.splitlines() if line.startswith("name")] == [
        ["name", "given_name", "given"],
        ["name_2", "email", "content"],
    ]
    assert groups(tmp_path / "out.csv") == TOGETHER


def test_names_of_fields_that_differ_in_case_and_empty_ones_are_kept(tmp_path: Path, capsys: Capture) -> None:
    """All of a record's values count: without any one of the three fields there would be another result."""
    people = [("Ada", "Byron", "ada@mail.example"), ("Ada", "Gauss", "carl@mail.example")]
    rows = [{"name": given, "Name": family, "": mail, "a/b~": given} for given, family, mail in people * 2]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "in.jsonl").write_text(f"{lines}\n{{}}\n", encoding="utf-8")
    call = ["dedupe", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.csv")]
    assert cdp([*call, "--map", "given_name=name", "--map", "surname=Name"]) == 0
    err = capsys.readouterr().err
    assert "column 3 is called 'column_3' here" in err
    told = {line.split()[0]: line.split()[1] for line in err.splitlines() if "  " in line}
    assert (told["name"], told["Name"], told["column_3"]) == ("given_name", "surname", "email")
    assert groups(tmp_path / "out.csv") == {frozenset("02"), frozenset("13"), frozenset("4")}


@pytest.mark.parametrize("line", ['{"a": "x", "a": "y"}', '{"A": "x", "a": "y", "a": "z"}', "5", '["a"]'])
def test_a_line_that_is_no_object_or_says_a_field_twice_is_named(
    tmp_path: Path, capsys: Capture, line: str
) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"a": "Ada"}}\n{{"b": "Bob"}}\n{line}\n', encoding="utf-8")
    assert cdp(["dedupe", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "line 3: expected one JSON object per line" in capsys.readouterr().err


def test_a_file_of_nested_columns_alone_is_refused_with_the_reason(tmp_path: Path, capsys: Capture) -> None:
    pq.write_table(pa.table({"who": [{"name": "Ada"}], "photo": [b"\xff\x00"]}), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"who": {"name": "Ada"}}\n', encoding="utf-8")
    (tmp_path / "none.jsonl").write_text("{}\n", encoding="utf-8")
    told = {
        "in.parquet": "compared: column 'who' is nested and left out; column 'photo' holds bytes and is left out.",
        "in.jsonl": "compared: field 'who' is nested and left out.",
        "none.jsonl": "compared: it has none.",
    }
    for name, reason in told.items():
        assert cdp(["dedupe", str(tmp_path / name), "--out", str(tmp_path / "out.csv")]) == 2
        assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("in.csv", "is the same file as FILE"),
        ("link.csv", "is the same file as FILE"),
        ("out.xlsx", "says no format"),
        ("missing/out.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path, capsys: Capture, out: str, told: str
) -> None:
    (tmp_path / "in.csv").write_bytes(NAMED)
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    (tmp_path / "folder.csv").mkdir()
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", str(tmp_path / out)]) == 2
    assert told in capsys.readouterr().err
    assert (tmp_path / "in.csv").read_bytes() == NAMED


def test_evidence_cannot_take_the_place_of_the_result(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_bytes(NAMED)
    out = str(tmp_path / "out.csv")
    assert cdp(["dedupe", str(tmp_path / "in.csv"), "--out", out, "--evidence", out]) == 2
    assert "is the same file as --out" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_answered_with_its_neighbour(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "people.csv").write_bytes(NAMED)
    assert cdp(["dedupe", str(tmp_path / "poeple.csv"), "--out", str(tmp_path / "out.csv")]) == 1
    assert f"Did you mean {tmp_path / 'people.csv'}?" in capsys.readouterr().err


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.serial
def test_a_thousand_rows_take_under_three_seconds_and_start_nothing_heavy(tmp_path: Path) -> None:
    call = ["dedupe", str(PEOPLE / "fake_1000.parquet"), "--out", str(tmp_path / "out.csv")]
    code = f"import sys; from cdp.cli.main import run; print(run({call!r})); print(*sys.modules)"
    best = float("inf")
    for _ in range(2):  # in CPU-seconds, which other work on the machine does not change
        before = _cpu_seconds_of_children()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        best = min(best, _cpu_seconds_of_children() - before)
    status, modules = done.stdout.splitlines()
    assert status == "0"
    assert not set(modules.split()) & {"dagster", "great_expectations", "pydantic", "rich"}
    assert best < 3
