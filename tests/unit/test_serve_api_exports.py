"""The API's streams and changes: every format, consent, masking, limits; what changed since which release."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdp import durable
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.suppression import Suppressed
from tests.serve_tools import EMAIL, NAME, PHONE, Served
from tests.warehouse_tools import (
    NOW,
    customers_table,
    event,
    identifier,
    publish_into,
    table,
    value,
    world,
)
from warehouse.audiences import shares
from warehouse.audiences.selection import Audience, funnel
from warehouse.inputs import REDIRECTS
from warehouse.serve.keys import Limits

EXPORTS, CHANGES = "/api/v1/exports", "/api/v1/changes"


def consent(key: str, state: str) -> dict[str, Any]:
    return event(f"{key}-{state}", key, event_type="consent_changed", consent_purpose="marketing",
                 consent_channel="email", consent_state=state)  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three releases: of the first only its name is left."""
    folder = tmp_path_factory.mktemp("exports")
    lake = Lake(folder / "workspace")
    first = {"web:1": "C1", "web:2": "C2", "web:3": "C3", "web:4": "C4"}
    names = {"web:1": NAME, "web:2": "Bob", "web:3": "Cy", "web:4": "=1+1"}
    events = [consent("web:1", "granted"), consent("web:2", "denied"), event("e3", "web:3")]
    shared = [identifier("web:1", "email", EMAIL), identifier("web:1", "phone", PHONE)]
    people = [*customers_table(names), value("web:1", "email", EMAIL)]
    for number in (0, 1):
        publish_into(lake, world(folder / f"in{number}", [events], first, identifiers=shared, values=people),
                     now=NOW + timedelta(days=number))  # fmt: skip
    second = {"web:1": "C1", "web:2": "C1", "web:3": "C3", "web:5": "C5"}
    people = [
        *customers_table({"web:1": NAME, "web:3": "Cyd", "web:5": "Eve"}),
        value("web:1", "email", EMAIL),
    ]
    moved = table(REDIRECTS, [{"previous_customer_id": "C2", "customer_id": "C1"}])
    publish_into(lake, world(folder / "in2", [events[:1]], second, identifiers=shared, values=people, redirects=moved),
                 now=NOW + timedelta(days=2))  # fmt: skip
    return lake


@pytest.fixture(scope="module")
def served(lake: Lake) -> Iterator[Served]:
    one = Served(lake)
    yield one
    one.close()


@pytest.fixture
def before(lake: Lake) -> Iterator[str]:
    """Serve the release before the newest for a while; return its version."""
    newest = (lake.releases / "CURRENT").read_bytes()
    versions = sorted(path.name for path in lake.releases.iterdir() if path.is_dir())
    durable.write_bytes(lake.releases / "CURRENT", f"{versions[0]}\n".encode())
    yield versions[0]
    durable.write_bytes(lake.releases / "CURRENT", newest)


def rows_of(content: bytes, into: str) -> list[dict[str, Any]]:
    if into == "arrow":
        return list(pa.ipc.open_stream(content).read_all().to_pylist())
    if into == "csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    return [json.loads(line) for line in content.decode().splitlines()]


@pytest.mark.parametrize("into", ["ndjson", "csv", "arrow"])
def test_a_dataset_is_the_same_in_every_format(served: Served, before: str, into: str) -> None:
    answer = served.with_key("read-pii").get(
        f"{EXPORTS}/customers?format={into}&columns=customer_id,full_name,email"
    )
    assert answer.status_code == 200
    assert (answer.headers["cdp-rows"], answer.headers["cdp-release"]) == ("4", before)
    assert f'filename="customers-{before}.{into}"' in answer.headers["content-disposition"]
    found = {
        row["customer_id"]: (row["full_name"], row["email"] or None) for row in rows_of(answer.content, into)
    }
    formula = "'=1+1" if into == "csv" else "=1+1"
    assert found == {"C1": (NAME, EMAIL), "C2": ("Bob", None), "C3": ("Cy", None), "C4": (formula, None)}


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("dataset", ["customers", "id_map", "identifiers", "consents", "contact_history"])
@pytest.mark.parametrize("into", ["ndjson", "csv", "arrow"])
def test_streams_show_no_personal_data_without_the_scope(served: Served, dataset: str, into: str) -> None:
    seeing, masked = (
        served.with_key(scope).get(f"{EXPORTS}/{dataset}?format={into}") for scope in ("read-pii", "read")
    )
    assert seeing.status_code == masked.status_code == 200
    assert (
        len(rows_of(seeing.content, into))
        == len(rows_of(masked.content, into))
        == int(masked.headers["cdp-rows"])
    )
    for secret in (EMAIL, PHONE, NAME):
        assert secret.encode() not in masked.content
    # A token may begin like a key: whole values are compared.
    assert "web:1" not in {row.get("record_key") for row in rows_of(masked.content, into)}
    assert b"C1" in masked.content


@pytest.mark.usefixtures("before")
def test_nobody_leaves_without_consent_but_for_internal_use(served: Served) -> None:
    client = served.with_key("read-pii")
    for dataset in ("customers", "identifiers", "contact_history"):
        for query in ("purpose=marketing", "purpose=marketing&channel=email"):
            answer = client.get(f"{EXPORTS}/{dataset}?{query}")
            assert {row["customer_id"] for row in rows_of(answer.content, "ndjson")} == {"C1"}, (
                dataset,
                query,
            )
        assert client.get(f"{EXPORTS}/{dataset}?purpose=research").content == b""
    lines = served.serving.store.rows("SELECT subject, rows FROM audit WHERE action = 'export.download'")
    assert ("customers for marketing", 1) in [tuple(line) for line in lines]


def test_an_address_that_unsubscribed_leaves_through_nobody_else(tmp_path: Path) -> None:
    ids = {f"crm:{n}": f"C{n}" for n in range(1, 6)}
    gone = event("u", "crm:2", at=5, event_type="email_unsubscribed", channel="email")
    owners = [
        *(identifier(f"crm:{n}", "email", "family@mail.example") for n in (1, 2)),
        identifier("crm:3", "email", "cy@mail.example"),
        *(identifier(f"crm:{n}", "phone", PHONE) for n in (2, 4)),
        identifier("crm:5", "user_id", "7", namespace="crm"),
    ]
    words = [consent(f"crm:{n}", "granted") for n in (1, 3, 4, 5)]
    values = [value("crm:5", "email", "Family@mail.example")]
    publish_into(
        Lake(tmp_path / "w"), world(tmp_path / "in", [[*words, gone]], ids, identifiers=owners, values=values)
    )
    served = Served(Lake(tmp_path / "w"))
    client = served.with_key("read-pii")
    for query in ("purpose=marketing", "purpose=marketing&channel=email"):
        answer = client.get(f"{EXPORTS}/customers?{query}")
        assert {row["customer_id"] for row in rows_of(answer.content, "ndjson")} == {"C3"}
    with served.serving.releases.reading() as reader, reader.connection() as connection:
        found = funnel(connection, Audience("marketing", "email"), Suppressed())
    assert (found.members, found.no_consent, found.denied_address, found.allowed) == (5, 1, 3, 1)
    served.close()


@pytest.mark.parametrize("channel", ["mail", "emails", "carrier_pigeon"])
def test_a_channel_that_nobody_could_have_denied_is_refused(served: Served, channel: str) -> None:
    answer = served.with_key("read-pii").get(f"{EXPORTS}/customers?purpose=marketing&channel={channel}")
    assert answer.status_code == 422
    assert "no known channel" in answer.json()["detail"]


def test_columns_segments_and_rows_are_checked_before_anything_leaves(served: Served) -> None:
    client = served.with_key("read")
    unknown = client.get(f"{EXPORTS}/customers?columns=customer_id,emial")
    assert (unknown.status_code, "email" in unknown.json()["hint"]) == (422, True)
    assert client.get(f"{EXPORTS}/customers?segment=vip").status_code == 403
    assert served.with_key("segments").get(f"{EXPORTS}/customers?segment=vip").status_code == 404
    assert client.get(f"{EXPORTS}/orders").status_code == 422
    few = served.client(
        headers={"authorization": f"Bearer {served.key('read', limits=Limits(rows_per_day=2))}"}
    )
    assert few.get(f"{EXPORTS}/customers?limit=2").status_code == 200
    assert few.get(f"{EXPORTS}/customers?limit=1").status_code == 429


def test_a_head_counts_and_lets_nothing_leave(served: Served) -> None:
    with Ledger(served.serving.lake.ledger_path) as ledger:
        before = len(shares.read(ledger))
        answer = served.with_key("read-pii").head(f"{EXPORTS}/customers")
        assert (answer.status_code, answer.headers["cdp-rows"], answer.content) == (200, "3", b"")
        assert len(shares.read(ledger)) == before


def test_a_stream_that_ends_early_gives_its_release_back(served: Served) -> None:
    client = served.with_key("read-pii")
    with client.stream("GET", f"{EXPORTS}/contact_history") as answer:
        assert answer.status_code == 200
    reader = served.serving.releases.pin()
    served.serving.releases.unpin(reader)
    assert reader.pins == 0


def test_changes_say_what_became_of_each_profile(served: Served, lake: Lake) -> None:
    client = served.with_key("read")
    current = client.get("/api/v1/health").json()["release"]
    since = next(path.name for path in sorted(lake.releases.iterdir()) if path.name != current)
    found = client.get(f"{CHANGES}?since={since}").json()
    assert (found["release"], found["since"], found["next"]) == (current, since, None)
    told = {one["customer_id"]: (one["op"], one["merged_into"]) for one in found["changes"]}
    assert told == {"C1": ("update", None), "C2": ("merge", "C1"), "C3": ("update", None),
                    "C4": ("delete", None), "C5": ("insert", None)}  # fmt: skip
    fields = {one["customer_id"]: one["changed_fields"] for one in found["changes"]}
    assert "full_name" in fields["C3"]
    assert "record_count" in fields["C1"]
    assert "full_name" not in fields["C1"]
    read: list[Any] = []
    cursor = ""
    while True:
        page = client.get(f"{CHANGES}?since={since}&limit=2{cursor}").json()
        read += page["changes"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert read == found["changes"]
    assert client.get(f"{CHANGES}?since={current}").json()["changes"] == []


def test_a_release_that_is_gone_is_410_and_one_that_never_was_404(served: Served, lake: Lake) -> None:
    client = served.with_key("read")
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        gone = ledger.value("SELECT version FROM releases WHERE retired = 1")
    answer = client.get(f"{CHANGES}?since={gone}")
    assert answer.status_code == 410
    assert "/api/v1/exports/customers" in answer.json()["detail"]
    assert client.get(f"{CHANGES}?since=20200101T000000-000001").status_code == 404


def test_the_dictionary_names_every_column_of_the_release(served: Served) -> None:
    found = {one["name"]: one for one in served.with_key("read").get("/api/v1/tables").json()["tables"]}
    email = next(one for one in found["customers"]["columns"] if one["name"] == "email")
    assert (email["pii"], found["contact_history"]["kind"]) == ("direct", "view")
