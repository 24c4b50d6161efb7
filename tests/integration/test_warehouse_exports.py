"""Exports: what leaves, to whom, what changed since, and that nothing appears half."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest

from cdp import durable, suppression
from cdp.errors import UsageError
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.crash_tools import tell_apart
from tests.warehouse_tools import (
    NOW,
    customers_table,
    edge,
    event,
    identifier,
    publish_into,
    table,
    table_of,
    value,
    world,
)
from warehouse import exports, formats
from warehouse.exports import LATEST, Export, choose, export
from warehouse.inputs import ATTRIBUTIONS, REDIRECTS
from warehouse.release import current

PEOPLE = {"crm:1": "C1", "crm:2": "C2", "crm:3": "C3"}
NAMES = {"crm:1": "Ann", "crm:2": "=Bob", "crm:3": "Cleo"}


class Crash(BaseException):
    """The process dies here."""


def word(key, state, channel="email", at=1, purpose="marketing"):
    return event(
        f"{key}{channel}{at}",
        key,
        at=at,
        event_type="consent_changed",
        consent_state=state,
        consent_purpose=purpose,
        consent_channel=channel,
    )


def people(folder, names=NAMES, id_map=PEOPLE, events=(), **more):
    return world(folder, [[*events, event("none", None)]], id_map, values=customers_table(names), **more)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "workspace")


def run(lake, wanted, release, **more):
    with Ledger(lake.ledger_path) as ledger:
        return export(lake, ledger, release, wanted, now=NOW, run_id="r", **more)


ALL = Export("customers")


def test_every_format_holds_the_same_rows_and_the_manifest_every_file(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "in"))
    report = run(lake, ALL, release)
    assert report.folder == lake.exports / "customers" / "schema=v1" / f"release={release.version}"
    parquet = table_of(report.folder / "customers.parquet")
    lines = (report.folder / "customers.jsonl").read_text(encoding="utf-8").splitlines()
    with (report.folder / "customers.csv").open(encoding="utf-8", newline="") as handle:
        cells = list(csv.DictReader(handle))
    names = [row["full_name"] for row in parquet]
    assert names == ["Ann", "=Bob", "Cleo"] == [json.loads(line)["full_name"] for line in lines]
    assert [row["full_name"] for row in cells] == ["Ann", "'=Bob", "Cleo"]
    manifest = json.loads((report.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["rows"], manifest["schema_version"], manifest["previous_release"]) == (3, "v1", None)
    assert {file["name"] for file in manifest["files"]} == {
        f"{stem}.{ending}" for stem in ("customers", "changes") for ending in ("parquet", "csv", "jsonl")
    }
    for file in manifest["files"]:
        data = (report.folder / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (lake.exports / "customers" / LATEST).read_text() == f"schema=v1/release={release.version}\n"


def test_volatile_columns_never_leave(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "in"))
    report = run(lake, Export("id_map", "id_map", ("parquet",)), release)
    assert list(table_of(report.folder / "id_map.parquet")[0]) == [
        "record_key",
        "source",
        "customer_id",
        "match_probability",
        "first_seen_at",
        "last_seen_at",
        "event_count",
    ]


@pytest.mark.parametrize("dataset", ["identifiers", "consents", "contact_history"])
def test_other_datasets_are_written_whole_without_a_feed(lake, tmp_path, dataset):
    inputs = people(
        tmp_path / "in",
        events=[word("crm:1", "granted")],
        identifiers=[identifier("crm:1", "phone", "+442079460018")],
    )
    report = run(lake, Export(dataset, dataset), publish_into(lake, inputs))
    assert (report.rows, report.changes) == (1, None)
    assert not (report.folder / "changes.jsonl").exists()


def test_the_feed_says_who_came_changed_merged_and_went(lake, tmp_path):
    run(lake, ALL, publish_into(lake, people(tmp_path / "a")))
    moved = table(REDIRECTS, [{"previous_customer_id": "C2", "customer_id": "C1"}])
    later = people(
        tmp_path / "b",
        {"crm:1": "Ann", "crm:4": "Dan"},
        {"crm:1": "C1", "crm:2": "C1", "crm:4": "C4"},
        redirects=moved,
    )
    release = publish_into(lake, later)
    report = run(lake, ALL, release)
    changes = table_of(report.folder / "changes.parquet")
    told = [
        (c["change_seq"], c["op"], c["customer_id"], c["merged_into"], c["changed_fields"]) for c in changes
    ]
    assert told == [
        (4, "update", "C1", None, ["record_count"]),
        (5, "merge", "C2", "C1", []),
        (6, "delete", "C3", None, []),
        (7, "insert", "C4", None, []),
    ]
    assert {c["release"] for c in changes} == {release.version}
    assert report.changes == {"insert": 1, "update": 1, "merge": 1, "delete": 1}


def test_a_release_without_differences_has_an_empty_feed(lake, tmp_path):
    run(lake, ALL, publish_into(lake, people(tmp_path / "a")))
    report = run(lake, ALL, publish_into(lake, people(tmp_path / "b")))
    assert report.changes == {"insert": 0, "update": 0, "merge": 0, "delete": 0}
    assert table_of(report.folder / "changes.parquet") == []


def test_the_same_export_again_does_nothing(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "in"))
    first = run(lake, ALL, release)
    before = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    second = run(lake, ALL, release)
    assert (first.repeated, second.repeated, second.rows) == (False, True, 3)
    assert before == {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}


def test_another_definition_of_the_same_name_is_written_again(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "in"))
    run(lake, ALL, release)
    report = run(lake, replace(ALL, formats=("jsonl",)), release)
    assert not report.repeated
    assert sorted(path.name for path in report.folder.iterdir()) == [
        ".state.parquet",
        "changes.jsonl",
        "customers.jsonl",
        "manifest.json",
    ]


def test_only_the_newest_exports_stay(lake, tmp_path):
    for n in range(4):
        run(lake, ALL, publish_into(lake, people(tmp_path / f"{n}")), keep=2)
    folder = lake.exports / "customers" / "schema=v1"
    with Ledger(lake.ledger_path) as ledger:
        newest = [
            row["release"] for row in ledger.rows("SELECT release FROM exports ORDER BY release DESC LIMIT 2")
        ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"release={version}" for version in newest
    )


class TestConsent:
    WORDS = (
        word("crm:1", "granted"),
        word("crm:2", "granted"),
        word("crm:2", "denied", "sms", 2),
        word("crm:3", "denied", None),
    )

    def exported(self, lake, folder, wanted, events=WORDS, **more):
        report = run(lake, wanted, publish_into(lake, people(folder, events=events, **more)))
        return [row["customer_id"] for row in table_of(next(report.folder.glob(f"{wanted.dataset}.parquet")))]

    @pytest.mark.parametrize(
        ("purpose", "channel", "allowed"),
        [
            ("internal", None, ["C1", "C2", "C3"]),
            ("marketing", "email", ["C1", "C2"]),
            ("marketing", "sms", []),
            ("marketing", None, ["C1"]),
            ("Marketing", "E-MAIL".replace("-", ""), ["C1", "C2"]),
            ("analytics", None, []),
        ],
    )
    def test_nobody_without_consent_for_the_purpose_is_in_an_export(
        self, lake, tmp_path, purpose, channel, allowed
    ):
        wanted = Export("ads", formats=("parquet",), purpose=purpose, channel=channel)
        assert self.exported(lake, tmp_path / "in", wanted) == allowed

    @pytest.mark.parametrize("dataset", ["customers", "id_map", "identifiers", "consents", "contact_history"])
    def test_the_rule_holds_for_every_dataset(self, lake, tmp_path, dataset):
        wanted = Export("ads", dataset, ("parquet",), purpose="marketing")
        owners = [identifier(key, "user_id", key) for key in PEOPLE]
        assert set(self.exported(lake, tmp_path / "in", wanted, identifiers=owners)) == {"C1"}

    def test_a_later_word_for_all_channels_counts_for_each(self, lake, tmp_path):
        words = [word("crm:1", "denied", "email", 1), word("crm:1", "granted", None, 2)]
        wanted = Export("ads", formats=("parquet",), purpose="marketing")
        assert self.exported(lake, tmp_path / "in", wanted, words) == ["C1"]
        on_mail = replace(wanted, name="mail", channel="email")
        assert self.exported(lake, tmp_path / "in2", on_mail, words) == ["C1"]

    def test_who_withdraws_is_deleted_from_the_next_export(self, lake, tmp_path):
        wanted = Export("ads", formats=("parquet",), purpose="marketing", channel="email")
        assert self.exported(lake, tmp_path / "a", wanted) == ["C1", "C2"]
        words = [*self.WORDS, event("u", "crm:1", at=9, event_type="email_unsubscribed")]
        report = run(lake, wanted, publish_into(lake, people(tmp_path / "b", events=words)))
        changes = table_of(report.folder / "changes.parquet")
        assert [(c["op"], c["customer_id"]) for c in changes] == [("delete", "C1")]

    def test_a_merge_into_somebody_without_consent_is_a_delete(self, lake, tmp_path):
        wanted = Export("ads", formats=("parquet",), purpose="marketing", channel="email")
        assert self.exported(lake, tmp_path / "a", wanted) == ["C1", "C2"]
        moved = table(REDIRECTS, [{"previous_customer_id": "C2", "customer_id": "C3"}])
        id_map = {"crm:1": "C1", "crm:2": "C3", "crm:3": "C3"}
        words = [*self.WORDS, word("crm:3", "denied", "email", 9)]
        later = people(tmp_path / "b", {}, id_map, words, redirects=moved)
        report = run(lake, wanted, publish_into(lake, later))
        changes = table_of(report.folder / "changes.parquet")
        assert [(c["op"], c["customer_id"], c["merged_into"]) for c in changes if c["op"] != "update"] == [
            ("delete", "C2", None)
        ]


class TestSuppression:
    WORDS = tuple(word(key, "granted") for key in PEOPLE)
    WANTED = Export("ads", formats=("parquet",), purpose="marketing")

    def suppress(self, lake, *texts):
        entries = [suppression.parse(text, place="it", region="GB") for text in texts]
        with Ledger(lake.ledger_path) as ledger:
            suppression.add(ledger, entries, by="me", now=NOW)

    def release(self, lake, folder):
        owners = [
            identifier("crm:1", "email", "ann@mail.example"),
            identifier("crm:2", "user_id", "42", namespace="crm"),
            identifier("crm:3", "user_id", "42", namespace="shop"),
        ]
        phone = value("crm:3", "phone", "020 7946 0018")
        inputs = people(folder, events=self.WORDS, identifiers=owners)
        golden = pa.concat_tables([inputs.attributions, table(ATTRIBUTIONS, [phone])])
        return publish_into(lake, replace(inputs, attributions=golden))

    def exported(self, lake, release, wanted=WANTED):
        report = run(lake, wanted, release)
        names = [row["customer_id"] for row in table_of(report.folder / "customers.parquet")]
        changes = table_of(report.folder / "changes.parquet")
        return names, [(c["op"], c["customer_id"]) for c in changes], report.repeated

    @pytest.mark.parametrize(
        ("entry", "left"),
        [
            ("email:ANN@mail.example", ["C2", "C3"]),
            ("user_id:42", ["C1"]),
            ("user_id@crm:42", ["C1", "C3"]),
            ("phone:+442079460018", ["C1", "C2"]),
            ("email:bob@mail.example", ["C1", "C2", "C3"]),
        ],
    )
    def test_who_is_on_the_list_is_in_internal_exports_only(self, lake, tmp_path, entry, left):
        release = self.release(lake, tmp_path / "in")
        self.suppress(lake, entry)
        assert self.exported(lake, release)[0] == left
        assert self.exported(lake, release, replace(ALL, formats=("parquet",)))[0] == ["C1", "C2", "C3"]

    def test_who_is_put_on_the_list_while_files_are_written_leaves_them_next(
        self, lake, tmp_path, monkeypatch
    ):
        release = self.release(lake, tmp_path / "in")

        def meanwhile(*given):
            formats.write(*given)
            self.suppress(lake, "email:ann@mail.example")

        monkeypatch.setattr(exports, "write", meanwhile)
        assert self.exported(lake, release)[0] == ["C1", "C2", "C3"]
        monkeypatch.undo()
        with Ledger(lake.ledger_path) as ledger:
            assert not exports.is_done(lake, ledger, release, self.WANTED)
        assert self.exported(lake, release)[0] == ["C2", "C3"]

    def test_who_is_put_on_the_list_leaves_what_was_exported_before_and_its_feed_says_so(
        self, lake, tmp_path
    ):
        release = self.release(lake, tmp_path / "in")
        assert self.exported(lake, release)[0] == ["C1", "C2", "C3"]
        assert self.exported(lake, release)[2]
        self.suppress(lake, "email:ann@mail.example")
        names, changes, repeated = self.exported(lake, release)
        assert (names, repeated) == (["C2", "C3"], False)
        assert changes == [("delete", "C1"), ("insert", "C2"), ("insert", "C3")]
        assert self.exported(lake, release)[2]


def test_a_least_match_probability_keeps_out_doubtful_profiles_but_no_single_records(lake, tmp_path):
    id_map = {"crm:1": "C1", "crm:2": "C1", "crm:3": "C2", "crm:4": "C2", "crm:5": "C3"}
    inputs = world(
        tmp_path / "in",
        [[event("none", None)]],
        id_map,
        evidence=[edge("crm:1", "crm:2"), edge("crm:3", "crm:4")],
        probabilities={"crm:1": 0.99, "crm:2": 0.9, "crm:3": 0.99, "crm:4": 0.96},
        values=[value("crm:1", "city", "Leeds")],
    )
    report = run(lake, Export("sure", formats=("parquet",), min_probability=0.95), publish_into(lake, inputs))
    assert [row["customer_id"] for row in table_of(report.folder / "customers.parquet")] == ["C2", "C3"]


def test_names_are_checked(lake, tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'customers'"):
        choose("custmers", {})
    assert choose("ads", {"ads": Export("ads", "id_map")}).dataset == "id_map"
    with pytest.raises(UsageError, match="names no dataset"):
        run(lake, Export("x", "nonsense"), publish_into(lake, people(tmp_path / "in")))


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_crash_at_any_step_leaves_latest_whole_and_the_next_call_finishes(tmp_path, every):
    """Every step in `make soak`; here those that leave different things on disk."""
    template = Lake(tmp_path / "template")
    run(template, ALL, publish_into(template, people(tmp_path / "a")))
    publish_into(template, people(tmp_path / "b", {**NAMES, "crm:1": "Anne"}))

    def start(name):
        lake = Lake(shutil.copytree(template.root, tmp_path / name))
        return lake, current(lake)

    def update_of(folder):
        return [(c["change_seq"], c["op"], c["customer_id"]) for c in table_of(folder / "changes.parquet")]

    lake, later = start("counted")
    steps: list[str] = []
    with durable.crash_hook(steps.append):
        run(lake, ALL, later)
    assert {"ledger export", f"write {LATEST}"} <= set(steps)
    for place in range(len(steps)) if every else tell_apart(steps):
        step = steps[place]
        lake, later = start(f"{place}")
        left = [place]

        def hook(_name, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Crash

        with pytest.raises(Crash), durable.crash_hook(hook):
            run(lake, ALL, later)
        pointed = lake.exports / "customers" / (lake.exports / "customers" / LATEST).read_text().strip()
        assert (pointed / "manifest.json").is_file(), step
        report = run(lake, ALL, later)
        assert update_of(report.folder) == [(4, "update", "C1")], step
        pointed = lake.exports / "customers" / (lake.exports / "customers" / LATEST).read_text().strip()
        assert pointed == report.folder, step
        assert run(lake, ALL, later).repeated, step
