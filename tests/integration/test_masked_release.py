"""The masked copy of a release: the same tables, and no byte of what is personal."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter

import duckdb
import pytest

from cdp.cli.main import run
from cdp.lake import Lake
from tests.warehouse_tools import day, edge, event, identifier, order, publish_into, value, world
from warehouse import masking
from warehouse.masked_copy import is_left_empty
from warehouse.release import MASKED_DATABASE
from warehouse.tables import tables

# Odd scripts, several forms of one letter, right to left, without blanks, over four bytes.
PEOPLE = {
    "crm:k-90417": ("Zebulonia Quackenthwaite", "zebulonia.q@postfach.example", "+447700900417", "Wobblegate 417b"),
    "crm:k-90418": ("Łucja Żółćkiewiczówna", "lucja.zolc@skrzynka.example", "+48601902418", "ul. Źdźbłowa 418"),
    "crm:k-90419": ("欧阳明曦𠮷野", "ouyangmingxi@youxiang.example", "+8613912340419", "朝阳门南小街四一九号"),
    "crm:k-90420": ("عبدالرحمن الخوارزميّ", "khwarizmi@barid.example", "+971501230420", "شارع الخليج ٤٢٠"),
    "crm:k-90421": ("Ελευθερία Παπαδοπούλου", "eleftheria@tachydromio.example", "+306971230421", "Οδός Ερμού 421"),
    "crm:k-90422": ("Ze\u0301noe\u0308 D’Arc-O'Túathail", "zenoe+tag@boite.example", "+33612340422", "12 r. de l’Étoile"),
}  # fmt: skip
NOTE = "phoned and swore that it is her sister Wilhelmina"
LEVELS = [{"comparison": "surname", "level": "same", "weight": 8.0}]
FREE = "Dear all, my name is {name}, write to {email}"


def _secrets():
    found = [NOTE, "Wilhelmina"]
    for key, (name, email, phone, street) in PEOPLE.items():
        number = key.partition(":")[2]
        found += [key, number, name, *name.split(), email, email.partition("@")[0], phone, street]
        found += [phone.removeprefix("+"), f"order-of-{number}", FREE.format(name=name, email=email)]
    return [text for text in found if len(text) > 3]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked")
    events, identifiers, values, ids = [], [], [], {}
    for n, (key, (name, email, phone, street)) in enumerate(PEOPLE.items()):
        number = key.partition(":")[2]
        text = FREE.format(name=name, email=email)
        for times in range(30):  # enough of each for every way to compress a column
            flag = "unreadable" if times else None
            events.append(event(
                f"{number}-{times}" if times else number, key, at=n + times / 50, subject=text, agent=f"agent {name}",
                properties=json.dumps({"note": text, email: name}, ensure_ascii=False), occurred_text=text,
                reference=f"order-of-{number}", latitude=51.123456, longitude=-0.654321, time_flag=flag,
                identifiers=[{"type": "email", "namespace": "", "value": email}],
            ))  # fmt: skip
        events.append(order(f"order-{number}", "12.50", key, at=n))
        events.append(event(f"ticket-{number}", key, source="crm", channel="support", event_type="ticket_opened",
                            reference=f"order-of-{number}", subject=text, at=n))  # fmt: skip
        events.append(event(f"nobody-{number}", None, source="web", subject=text))
        identifiers += [identifier(key, "email", email), identifier(key, "phone", phone)]
        identifiers.append(identifier(key, "external_id", number, namespace="crm"))
        given, _, surname = name.partition(" ")
        golden = {"full_name": name, "given_name": given, "surname": surname, "email": email, "phone": phone,
                  "street": street, "birth_date": f"1980-07-1{n}", "postcode": f"9041{n} XZ", "city": "York",
                  "company": f"{name} Ltd", "country": "GB"}  # fmt: skip
        values += [value(key, attribute, text) for attribute, text in golden.items() if text]
        ids |= {key: f"C{n}", f"web:{number}": f"C{n}"}
        identifiers.append(identifier(f"web:{number}", "email", email))
    keys = list(PEOPLE)
    evidence = [
        edge(keys[4], "web:k-90421", 8.0, reason="same e-mail (weight 8.0)", levels=LEVELS),
        edge(keys[5], "web:k-90422", None, kind="judgement", reason=NOTE),
        edge(keys[0], keys[1], 8.0, reason="same surname (weight 8.0)", levels=LEVELS),
        edge(keys[2], keys[3], None, kind="judgement", reason=NOTE, levels=LEVELS),
        edge(keys[1], keys[2], -3.0, kind="judgement", reason=NOTE),
    ]
    inputs = world(folder / "in", [events], ids, identifiers=identifiers, values=values, evidence=evidence)
    return publish_into(Lake(folder / "ws"), inputs, masked=True)


@pytest.fixture(scope="module")
def both(release):
    with (
        duckdb.connect(str(release.database), read_only=True) as full,
        duckdb.connect(str(release.masked_database), read_only=True) as masked,
    ):
        for connection in (full, masked):
            connection.execute("SET TimeZone = 'UTC'")
        yield full, masked


def test_the_file_has_no_byte_of_a_personal_value(release, both):
    raw, full_raw = release.masked_database.read_bytes(), release.database.read_bytes()
    told = _texts(both[1])
    everything, secrets = _texts(both[0]), _secrets()
    assert {text for text in secrets if text not in everything} == set(), "each is in the full release"
    assert {text for text in secrets if text in told} == set()
    assert {text for text in secrets if text.encode() in raw} == set()
    assert sum(text.encode() in full_raw for text in secrets) > len(secrets) / 2, "so searching bytes tells"
    assert (release.folder / masking.KEY_FILE).read_bytes() not in raw


def _texts(connection):
    """Return all values of all tables as one text."""
    names = [
        table.name for table in tables().values() if table.kind == "table" and table.name != "cdp_dictionary"
    ]
    return "\n".join(str(row) for name in names for row in connection.execute(f"FROM {name}").fetchall())


def test_birth_dates_and_places_are_coarse(both):
    rows = (
        both[1].execute("SELECT DISTINCT birth_date::VARCHAR, latitude, longitude FROM customers").fetchall()
    )
    assert rows == [("1980-01-01", 51.1, -0.7)]
    assert both[1].execute("SELECT DISTINCT postcode FROM customers").fetchall() == [("904*",)]


@pytest.mark.parametrize("table", list(tables()))
def test_each_table_and_view_is_the_release_s_own_masked_row_by_row(release, both, table):
    tokens = masking.tokens_of(release.folder)
    full, masked = (connection.execute(f"FROM {table}") for connection in both)
    names = [column[0] for column in full.description]
    assert names == [column[0] for column in masked.description]
    expected = Counter(
        str(masking.row(table, dict(zip(names, row, strict=True)), tokens)) for row in full.fetchall()
    )
    found = Counter(str(dict(zip(names, row, strict=True))) for row in masked.fetchall())
    assert found == (Counter() if is_left_empty(table) else expected)


def test_the_copy_says_what_its_columns_are_and_finds_as_fast(both):
    queries = (
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name <> 'system' ORDER BY ALL",
        "SELECT table_name, index_name, is_unique FROM duckdb_indexes() ORDER BY ALL",
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
        "SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL",
    )
    for query in queries:
        full, masked = (connection.execute(query).fetchall() for connection in both)
        assert full == masked
        assert full


def test_tokens_join_what_the_values_join(both):
    queries = (
        (
            "SELECT count(*), count(DISTINCT e.customer_id) FROM match_evidence e, customer_records r "
            "WHERE r.record_key = e.left_record"
        ),
        "SELECT count(*) FROM contact_history JOIN customer_records USING (record_key, customer_id)",
        (
            "WITH h AS (SELECT unnest(identifiers) AS i, event_id FROM contact_history) "
            "SELECT count(*), count(DISTINCT h.event_id) FROM h, customer_identifiers c "
            "WHERE c.type = i.type AND c.value = i.value"
        ),
        (
            "WITH c AS (SELECT value, unnest(record_keys) AS k FROM customer_identifiers) "
            "SELECT count(DISTINCT value), count(DISTINCT k) FROM c"
        ),
    )
    for query in queries:
        full, masked = (connection.execute(query).fetchall() for connection in both)
        assert full == masked
        assert full[0][0] >= 2


def test_the_manifest_lists_the_copy_and_not_the_key(release):
    listed = {entry["name"]: entry for entry in release.manifest["files"]}
    assert {"cdp.duckdb", MASKED_DATABASE} <= set(listed)
    assert masking.KEY_FILE not in listed
    assert (
        hashlib.sha256(release.masked_database.read_bytes()).hexdigest() == listed[MASKED_DATABASE]["sha256"]
    )
    key = release.folder / masking.KEY_FILE
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, masking.KEY_BYTES)


def test_without_the_setting_there_is_no_copy_and_each_release_has_tokens_of_its_own(tmp_path):
    lake = Lake(tmp_path / "ws")
    releases = [
        publish_into(
            lake, world(tmp_path / f"in{n}", [[event("1", at=n)]], {"web:1": "C1"}), now=day(500 + n)
        )
        for n in range(2)
    ]
    assert [found.masked_database for found in releases] == [None, None]
    assert not list(lake.root.rglob(MASKED_DATABASE))
    tokens = {masking.tokens_of(found.folder).record("web:1") for found in releases}
    assert len(tokens) == 2


def test_the_command_line_asks_the_masked_copy_where_there_is_one(release, tmp_path, capfdbinary):
    workspace = release.folder.parents[1]
    query = "SELECT full_name, email FROM customers ORDER BY customer_id LIMIT 1"
    assert run(["sql", "-w", str(workspace), "--masked", "--format", "csv", query]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.decode().splitlines()[1:] == ["Z. Q.,z***@p***.example"]
    lake = Lake(tmp_path / "ws")
    publish_into(lake, world(tmp_path / "in", [[event("1")]], {"web:1": "C1"}))
    assert run(["sql", "-w", str(lake.root), "--masked", query]) == 1
    assert b"release: {masked: true}" in capfdbinary.readouterr().err
