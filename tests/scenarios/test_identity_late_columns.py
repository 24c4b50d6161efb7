"""A source that says more than all before it: the model that was made without it is not used for it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cdp.cli.main import run as cdp
from cdp.lake import Lake
from cdp.ledger import Ledger
from identity import resolve
from pipelines import models
from tests.identity_tools import identifiers, records
from tests.pipelines_tools import add_files, make_shop, rows, run

Capture = pytest.CaptureFixture[str]
CONFIG = """
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
sources:
  web:
    connector: files
    path: "inbox/web/*.csv"
    event: {type: contact_updated}
    identifiers: {external_id: {column: id, namespace: shop}, email: mail}
  crm:
    connector: files
    path: "inbox/crm/*.csv"
    event: {type: contact_updated}
    identifiers: {external_id: {column: no, namespace: shop}, email: mail}
    traits: {given_name: first, surname: last, birth_date: dob, street: street}
"""
GIVEN = "Ada Boris Chiara Dmitri Elif Farid Greta Hugo Ines Jonas Kaja Luc Mia Nils".split()
FAMILY = "Abel Bright Cole Dorn Ekwall Fisk Gould Holm Ivers Jarvi Kerr".split()
REASON = "records hold birth_date, given_name, street, surname, which the old one did not read"


def web(size: int) -> list[str]:
    return ["id,mail", *(f"w{i},household{i // 2}@mail.example" for i in range(size))]


def member(i: int) -> tuple[str, str, str, str]:
    """Two people of each household: another given name, another age, one door."""
    home = i // 2
    date = f"19{40 + i * 7 % 55}-{i % 12 + 1:02d}-{i * 5 % 27 + 1:02d}"
    return (
        GIVEN[(i * 3 + home) % 14],
        FAMILY[home % 11],
        date,
        f"{home * 3 + 1} {FAMILY[home * 5 % 11]} Street",
    )


def crm(size: int) -> list[str]:
    return [
        "no,mail,first,last,dob,street",
        *(f"c{i},household{i // 2}@mail.example,{','.join(member(i))}" for i in range(size)),
    ]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = make_shop(tmp_path / "shop", {"inbox/web/1.csv": web(120)}, CONFIG)
    run(folder)
    return folder


@pytest.mark.soak
def test_people_of_one_address_are_told_apart_once_their_names_are_known(shop: Path, capsys: Capture) -> None:
    add_files(shop, {"inbox/crm/1.csv": crm(100)})
    assert cdp(["run", "-w", str(shop)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"A new identity model is in use: {REASON}." in out
    apart = "SELECT count(DISTINCT customer_id) FROM customer_records WHERE record_key LIKE 'crm:%'"
    assert rows(shop, apart) == [(100,)]
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        assert [one.reason for one in models.versions(ledger)] == ["the first run", REASON]
    assert run(shop).nothing_new
    report = run(shop, full=True)
    assert report.identity is not None
    assert report.identity.new_model is None, "what it reads now is not new again"


def test_customers_that_change_with_the_new_model_raise_the_alert(shop: Path) -> None:
    add_files(shop, {"inbox/crm/1.csv": crm(100)})
    report = run(shop)
    assert report.identity is not None
    assert (report.identity.new_model, report.identity.cause) == (REASON, "new data and another model")
    share = report.identity.generation.changed_share
    assert share is not None
    assert share > 0.02
    check = "check_name = 'customers_keep_their_records' AND NOT passed"
    assert len(rows(shop, f"SELECT observed FROM quality WHERE {check}")) == 1


@pytest.mark.soak
def test_a_column_that_hardly_any_record_has_changes_no_model(shop: Path) -> None:
    add_files(shop, {"inbox/crm/1.csv": crm(4)})
    report = run(shop)
    assert report.identity is not None
    assert report.identity.new_model is None


def test_a_version_tells_what_it_does_not_read() -> None:
    people = {f"web:{i}": {} for i in range(40)}
    sent = [(key, "email", f"m{i // 2}@mail.org") for i, key in enumerate(people)]
    version = resolve(records(people), identifiers(sent)).version
    assert version.unread(records(people), identifiers(sent)) == ()
    more = {f"crm:{i}": {"full_name": " ".join(member(i)[:2]), "note": "x y"[i % 2 :]} for i in range(10)}
    both = records({**people, **more})
    devices = [*sent, *((key, "user_id", "app", key) for key in more), *((key, "phone", "-") for key in more)]
    found = version.unread(both, identifiers(devices))
    assert found == ("given_name", "note", "surname", "user_id of app")
    again = resolve(both, identifiers(devices)).version
    assert again.unread(both, identifiers(devices)) == ()
    blank = both.append_column("birth_date", pa.array(["not known"] * 50)).append_column(
        "suffix", pa.nulls(50)
    )
    assert again.unread(blank, identifiers(devices)) == (), (
        "values that nothing can be made of are not missed"
    )
