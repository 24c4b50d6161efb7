"""The suppression list: what it keeps, what it says, and which rows of a source it holds back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdp import suppression
from cdp.errors import NotFoundError, UsageError
from cdp.ledger import Ledger
from cdp.settings.model import SourceSettings
from cdp.suppression import Suppressed
from connectors.compile import Own, SourceContext
from connectors.protocol import Connector
from connectors.registry import connector_for
from connectors.suppression import Gate, held_back, inspect
from connectors.testing import NOW, stand
from tests.channel_tools import OWN, connector, largest_payloads, payload_files
from tests.conftest import thinned

ANN = "ann.archer@mail.example"


@contextmanager
def ledger_in(folder: Path) -> Iterator[Ledger]:
    with Ledger(folder / "ledger.sqlite") as ledger:
        yield ledger


def parse(text: str) -> suppression.Entry:
    return suppression.parse(text, place="argument 1", region="GB")


def add(ledger: Ledger, *texts: str, **more: Any) -> int:
    return suppression.add(ledger, [parse(text) for text in texts], by="me", now=NOW, **more)


def listed(folder: Path, *texts: str) -> Suppressed:
    """Return the list of a new ledger that these are on."""
    with ledger_in(folder) as ledger:
        add(ledger, *texts)
        return suppression.load(ledger)


# --- the list ---


def test_nothing_of_an_identifier_is_in_the_ledger(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert add(ledger, f"email:{ANN}", "phone:020 7946 0018", "user_id@web:secret-42") == 3
        (key,) = [row[0] for row in ledger.rows("SELECT key FROM suppression_key")]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(key) == suppression.KEY_BYTES
    assert key in stored
    assert [
        text for text in (b"ann.archer", b"mail.example", b"79460018", b"secret-42") if text in stored
    ] == []


def test_two_ledgers_keep_different_hashes_of_one_person(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    found = [listed(folder, f"email:{ANN}") for folder in (tmp_path, tmp_path / "other")]
    assert found[0].hashes.isdisjoint(found[1].hashes)


def test_what_is_written_otherwise_is_the_same_identifier(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert add(ledger, "email: Ann.Archer@MAIL.example ", "phone:020 7946 0018") == 2
        assert add(ledger, f"email:{ANN}", "phone:+44 20 7946 0018") == 0
        suppressed = suppression.load(ledger)
    assert suppressed.entries("email", "", ANN)
    assert suppressed.entries("phone", "", "+442079460018")
    assert not suppressed.entries("email", "", "bob@mail.example")


@pytest.mark.parametrize(
    ("entry", "meets", "passes"),
    [
        ("user_id:42", [("user_id", "web"), ("user_id", "shop")], [("external_id", "web")]),
        ("user_id@web:42", [("user_id", "web")], [("user_id", "shop"), ("user_id", "")]),
    ],
)
def test_an_id_is_meant_in_every_namespace_or_in_the_one_that_is_named(
    tmp_path: Path, entry: str, meets: list[tuple[str, str]], passes: list[tuple[str, str]]
) -> None:
    suppressed = listed(tmp_path, entry)
    assert [where for where in meets if not suppressed.entries(*where, "42")] == []
    assert [where for where in passes if suppressed.entries(*where, "42")] == []


def test_a_namespace_cannot_be_mistaken_for_a_value() -> None:
    key = b"k"
    hashes = {
        suppression.hash_of(key, *parts)
        for parts in (
            ("user_id", "a\x00b", "c"),
            ("user_id", "a", "b\x00c"),
            ("user_id", "*", "c"),
            ("user_id", None, "c"),
        )
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ann@secret.example", "no identifier with a type"),
        ("mail:ann@secret.example", "unknown type"),
        ("ann@secret.example:x", "unknown type"),
        ("email:nobody at secret", "no email"),
        ("email@web:ann@secret.example", "names a namespace"),
        ("phone:12 secret", "no phone"),
        ("user_id@:42secret", "no identifier with a type"),
        ("user_id:", "no user_id: nothing but white space"),
    ],
)
def test_an_error_never_repeats_the_value(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert caught.value.message.startswith("Argument 1 ")
    assert "secret" not in str(caught.value)


def test_an_entry_is_taken_off_by_its_identifier_or_by_its_hash_and_that_is_kept(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        add(ledger, f"email:{ANN}", "user_id:42", reason="asked by letter")
        first, second = suppression.read(ledger)
        assert (first.type, first.namespace, first.reason, first.added_by) == (
            "email",
            "",
            "asked by letter",
            "me",
        )
        found = [
            suppression.find(ledger, text, place="argument 1", region="GB")
            for text in ("email:ANN.archer@mail.example", second.prefix[:8])
        ]
        assert suppression.remove(ledger, found, by="you", now=NOW) == 2
        assert suppression.read(ledger) == []
        assert [one.removed_by for one in suppression.read(ledger, removed=True)] == ["you", "you"]
        assert not suppression.load(ledger)
        assert add(ledger, f"email:{ANN}") == 1
        assert len(suppression.read(ledger, removed=True)) == 3


def test_what_is_not_on_the_list_or_not_told_apart_is_said(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        add(ledger, "user_id:0x", "user_id:1x")
        for number in (1, 2):
            alike = (bytes.fromhex("abcdef0123") + bytes([number]) * 27, number)
            ledger.execute("UPDATE suppressions SET hash = ? WHERE suppression_id = ?", alike)

        def find(text: str) -> bytes:
            return suppression.find(ledger, text, place="argument 1", region=None)

        with pytest.raises(UsageError, match="begins 2 hashes"):
            find("ABCDEF")
        with pytest.raises(NotFoundError, match="not on the list"):
            find("123456")
        with pytest.raises(NotFoundError, match="not on the list"):
            find("user_id:2x")
        with pytest.raises(UsageError, match="neither an identifier nor the beginning of a hash"):
            find("12345")


def test_the_revision_moves_with_every_change(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        seen = [suppression.revision(ledger)]
        add(ledger, "user_id:1a")
        seen.append(suppression.revision(ledger))
        suppression.remove(ledger, suppression.load(ledger).hashes, by="me", now=NOW)
        seen.append(suppression.revision(ledger))
        add(ledger, "user_id:1a")
        seen.append(suppression.revision(ledger))
    assert len(set(seen)) == 4


# --- what it holds back ---

WEB = connector("segment")
HERE = SourceContext("web", "web", region="GB")


def raw_of(source: Connector, data: object, context: SourceContext = HERE) -> pa.Table:
    lines = data if isinstance(data, str) else "\n".join(json.dumps(line) for line in data)  # type: ignore[attr-defined]
    return stand(source, lines.encode(), context).raw


CALLS = [
    {"type": "track", "event": "Seen", "messageId": "m0", "userId": "u1"},
    {"type": "identify", "messageId": "m1", "userId": "u2", "traits": {"email": "Ann.Archer@mail.example"}},
    {"type": "track", "event": "Seen", "messageId": "m2", "anonymousId": "u1"},
    {"type": "dance", "messageId": "m3", "userId": "u1"},
    {"type": "track", "messageId": "m4", "userId": "u3", "context": {"traits": {"email": ANN}}},
]


@pytest.mark.parametrize(
    ("entries", "rows"),
    [
        ((), []),
        (("email:bob@mail.example",), []),
        ((f"email:{ANN}",), [1, 4]),
        (("user_id:u1",), [0, 3]),
        (("user_id@web:u1",), [0, 3]),
        (("user_id@app:u1",), []),
        (("anonymous_id:u1", "user_id:u2"), [1, 2]),
        (("phone:+442079460018", "handle:u1"), []),
    ],
)
def test_rows_are_held_back_whatever_else_becomes_of_them(
    tmp_path: Path, entries: tuple[str, ...], rows: list[int]
) -> None:
    """Row 3 would be quarantined (no such call), row 4, too (no event name)."""
    held = held_back(raw_of(WEB, CALLS), WEB, HERE, listed(tmp_path, *entries))
    assert isinstance(held, pa.BooleanArray)
    assert [row for row, is_held in enumerate(held.to_pylist()) if is_held] == rows
    assert len(held) == len(CALLS)


def test_an_entry_counts_the_rows_that_name_it_each_once(tmp_path: Path) -> None:
    twice = {"type": "identify", "messageId": "m9", "userId": "u9", "traits": {"email": ANN}}
    twice["context"] = {"traits": {"email": ANN}}
    suppressed = listed(tmp_path, f"email:{ANN}", "user_id:u9")
    found = inspect(raw_of(WEB, [*CALLS, twice]), WEB, HERE, suppressed)
    (address,) = suppressed.entries("email", "", ANN)
    (user,) = suppressed.entries("user_id", "web", "u9")
    assert dict(found.entries) == {address: 3, user: 1}
    assert found.rows.true_count == 3


def test_an_empty_list_reads_no_payload() -> None:
    raw = raw_of(WEB, CALLS)
    unreadable = raw.set_column(
        raw.schema.get_field_index("payload"), "payload", pa.array([b"\xff"] * raw.num_rows, pa.binary())
    )
    assert held_back(unreadable, WEB, HERE, Suppressed()).to_pylist() == [False] * raw.num_rows
    assert (
        held_back(
            raw.slice(0, 0), WEB, HERE, Suppressed(b"k", frozenset({b"h"}), frozenset({("email", "")}))
        ).to_pylist()
        == []
    )


def test_a_list_of_types_that_a_source_does_not_have_reads_no_payload(tmp_path: Path) -> None:
    raw = raw_of(WEB, CALLS)
    unreadable = raw.set_column(
        raw.schema.get_field_index("payload"), "payload", pa.array([b"\xff"] * raw.num_rows, pa.binary())
    )
    suppressed = listed(tmp_path, "handle:somebody")
    assert held_back(unreadable, WEB, HERE, suppressed).to_pylist() == [False] * raw.num_rows


def cdr(source: str, destination: str) -> str:
    line = f'"","{source}","{destination}","from-pstn","","SIP/1","SIP/2","Dial","","2026-10-01 10:00:00",'
    return line + '"2026-10-01 10:00:05","2026-10-01 10:01:00",60,55,"ANSWERED","DOCUMENTATION","1.1",""'


def test_both_ends_of_a_call_count_and_our_own_number_never_does(tmp_path: Path) -> None:
    calls = connector("asterisk")
    hotline, ann = "+442071234567", "+442079460958"
    here = SourceContext("calls", "calls", region="GB", own=Own(phones=frozenset({hotline})))
    raw = raw_of(
        calls, "\n".join([cdr(ann, hotline), cdr(hotline, ann), cdr("+442079460018", hotline)]) + "\n", here
    )
    assert raw.num_rows == 3
    suppressed = listed(tmp_path, f"phone:{ann}", f"phone:{hotline}")
    assert held_back(raw, calls, here, suppressed).to_pylist() == [True, True, False]
    nobody = replace(here, own=Own())
    assert held_back(raw, calls, nobody, suppressed).to_pylist() == [True, True, True]


def orders(**more: Any) -> Connector:
    event = {"type": "order_placed", "group_by": "order_no", "time": "order_time"}
    given = {"connector": "files", "name": "orders", "path": "*.csv", "event": event, **more}
    return connector_for(SourceSettings.model_validate(given))


ORDER_LINES = """order_no,order_time,customer,mail
A1,2026-02-03 12:00,C1,ann.archer@mail.example
A1,2026-02-03 12:00,,
A2,2026-02-03 12:00,C2,bob@mail.example
A1,2026-02-03 12:00,,
,2026-02-03 12:00,C1,
"""


def test_of_an_order_all_lines_are_held_back_and_none_of_another(tmp_path: Path) -> None:
    source = orders(identifiers={"external_id": {"column": "customer", "namespace": "shop"}, "email": "mail"})
    raw = raw_of(source, ORDER_LINES)
    suppressed = listed(tmp_path, f"email:{ANN}")
    found = inspect(raw, source, HERE, suppressed)
    assert found.rows.to_pylist() == [True, True, False, True, False]
    assert list(found.entries.values()) == [1]


@pytest.mark.parametrize(
    ("entry", "rows"), [("external_id:C1", 4), ("external_id@shop:C1", 4), ("external_id@web:C1", 0)]
)
def test_an_id_of_a_named_namespace_is_met_by_its_name_and_by_none(
    tmp_path: Path, entry: str, rows: int
) -> None:
    source = orders(identifiers={"external_id": {"column": "customer", "namespace": "shop"}})
    found = held_back(raw_of(source, ORDER_LINES), source, HERE, listed(tmp_path, entry))
    assert found.true_count == rows


def test_an_address_that_is_only_a_trait_counts(tmp_path: Path) -> None:
    source = orders(identifiers={"external_id": "customer"}, traits={"email": "mail"})
    held = held_back(raw_of(source, ORDER_LINES), source, HERE, listed(tmp_path, "email:bob@mail.example"))
    assert held.to_pylist() == [False, False, True, False, False]


def test_columns_with_odd_names_are_found(tmp_path: Path) -> None:
    source = orders(identifiers={"email": 'Kunden "E-Mail"'})
    lines = 'order_no,order_time,"Kunden ""E-Mail"""\nA1,2026-02-03 12:00,ann.archer@mail.example\n'
    assert held_back(raw_of(source, lines), source, HERE, listed(tmp_path, f"email:{ANN}")).to_pylist() == [
        True
    ]


@pytest.mark.parametrize(
    "path",
    thinned(payload_files(), largest_payloads(1).__contains__),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_whoever_is_in_an_event_can_be_held_back(path: Path) -> None:
    """Held against the slow way: standardise all, and look whose identifiers the events carry."""
    name = path.parent.name
    source, here = connector(name), SourceContext(name, name, "Europe/London", "GB", own=OWN)
    found = stand(source, path.read_bytes(), here, origin=path.name)
    people: dict[tuple[str, str, str], set[int]] = {}
    events = zip(found.events["raw_row"].to_pylist(), found.events["identifiers"].to_pylist(), strict=True)
    for row, identifiers in events:
        for one in identifiers:
            people.setdefault((one["type"], one["namespace"], one["value"]), set()).add(row)
    key = b"k" * 32
    for (type_, namespace, value), rows in list(people.items())[:12]:
        hashes = frozenset({suppression.hash_of(key, type_, namespace, value)})
        suppressed = Suppressed(key, hashes, frozenset({(type_, namespace)}))
        held = held_back(found.raw, source, here, suppressed).to_pylist()
        assert {row for row, is_held in enumerate(held) if is_held} >= rows


def test_a_gate_heeds_what_is_added_and_removed_meanwhile(tmp_path: Path) -> None:
    raw = raw_of(WEB, CALLS)
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        gate = Gate(ledger, WEB, HERE)
        seen = [gate(raw).rows.true_count]
        add(other, f"email:{ANN}")
        seen.append(gate(raw).rows.true_count)
        suppression.remove(other, suppression.load(other).hashes, by="me", now=NOW)
        seen.append(gate(raw).rows.true_count)
    assert seen == [0, 2, 0]


def test_the_ledger_refuses_two_standing_entries_of_one_identifier(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        add(ledger, "user_id:1a")
        with pytest.raises(sqlite3.IntegrityError), ledger.transaction("twice"):
            ledger.execute(
                "INSERT INTO suppressions (hash, type, added_at, added_by) SELECT hash, type, added_at, added_by "
                "FROM suppressions"
            )
