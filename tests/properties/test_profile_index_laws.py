"""The index of profiles says what the tables say: over random small releases, every key, and hashes cut short."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp import duck
from cdp.errors import CorruptError
from tests.conftest import examples
from tests.warehouse_tools import NOW, event, identifier, table, value, world
from warehouse import lookup, profile_index, profile_lookup
from warehouse.build import build
from warehouse.inputs import REDIRECTS
from warehouse.profile_index import ProfileIndex
from warehouse.profile_lookup import FromIndex, FromTables, Source

if TYPE_CHECKING:
    import duckdb

KEYS = [f"{source}:{n}" for source in ("web", "crm", "shop") for n in range(6)]
EMAILS = ["ann@example.com", "bob@example.com", "family@example.com", "ünïcode@example.com"]
OTHERS = [
    "u1",
    "17850",
    'quo"te',
    "back\\slash",
    "line\nbreak",
    "email:u1",
    "C00000001",
    "",
    "ann@example.com",
]


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=14, unique=True))
    customers = [f"C{number:08d}" for number in range(1, 12)]
    id_map = {key: draw(st.sampled_from(customers)) for key in keys}
    living = sorted(set(id_map.values()))
    given_ids = [
        identifier(draw(st.sampled_from(keys)), kind, text, namespace=space)
        for kind, text, space in draw(
            st.lists(
                st.one_of(
                    st.tuples(st.just("email"), st.sampled_from(EMAILS), st.just("")),
                    st.tuples(
                        st.sampled_from(["user_id", "handle", "external_id"]),
                        st.sampled_from(OTHERS),
                        st.sampled_from(["web", "crm"]),
                    ),
                ),
                max_size=12,
            )
        )
    ]
    names = [
        value(key, attribute, text)
        for key, attribute, text in {
            (id_map[key], attribute): (key, attribute, text)
            for key, attribute, text in draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(keys),
                        st.sampled_from(["full_name", "email", "birth_date"]),
                        st.text(
                            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
                        ),
                    ),
                    max_size=8,
                )
            )
        }.values()
    ]
    retired = draw(st.lists(st.sampled_from(["C00000020", "C00000021", "C00000022"]), unique=True))
    redirects = [
        {"previous_customer_id": one, "customer_id": draw(st.sampled_from(living))} for one in retired
    ]
    events = [event(f"e{n}", key) for n, key in enumerate(keys) if draw(st.booleans())]
    return {
        "id_map": id_map,
        "identifiers": given_ids,
        "values": names,
        "redirects": redirects,
        "events": events,
    }


def of(found: profile_lookup.Found) -> tuple[str, list[bytes], bool]:
    return found.matched_by, [document.raw for document in found.documents], found.more


@given(people())
@examples(3)
def test_the_index_answers_as_the_tables_do(made: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = world(
            folder / "in",
            [made["events"]],
            made["id_map"],
            identifiers=made["identifiers"],
            values=made["values"],
            redirects=table(REDIRECTS, made["redirects"]),
        )
        report = build(inputs, folder, now=NOW)
        with duck.connect(report.path, read_only=True) as connection:
            path, expected = folder / profile_index.FILE, answers(made, FromTables(connection))
            # Hashes cut to three bits and to none: most of them are equal then.
            for mask in (2**64 - 1, 0b111, 0):
                assert profile_index.write(connection, path, mask=mask) == len(set(made["id_map"].values()))
                index = FromIndex(ProfileIndex(path))
                assert answers(made, index) == expected
            _same_as_the_command_line(connection, index)


def _same_as_the_command_line(connection: duckdb.DuckDBPyConnection, index: FromIndex) -> None:
    for text in (*EMAILS, *OTHERS, *KEYS, "email:ann@example.com", "C00000003", "c00000020"):
        matches = [match for match in lookup.find(connection, text) if match.matched_by != "name"]
        found = profile_lookup.by_text(index, text)
        assert [one.customer_id for one in found.documents] == [match.customer_id for match in matches], text


def answers(made: dict[str, Any], source: Source) -> dict[tuple[str, ...], Any]:
    """What a source says of every key that there may be."""
    ids = sorted({*made["id_map"].values(), *(row["previous_customer_id"] for row in made["redirects"])})
    found: dict[tuple[str, ...], Any] = {}
    for one in (*ids, "C99999999"):
        for question in (profile_lookup.by_id, profile_lookup.by_retired_id):
            document = question(source, one)
            found[question.__name__, one] = document and document.raw
    for kind, namespace in (("email", None), ("user_id", None), ("user_id", "web"), ("phone", None)):
        for text in (*EMAILS, *OTHERS, " Ann@Example.com "):
            key = (kind, text, str(namespace))
            found[key] = of(profile_lookup.by_identifier(source, kind, text, namespace))
    return found | {
        ("text", text): of(profile_lookup.by_text(source, text)) for text in (*EMAILS, *OTHERS, *KEYS)
    }


def test_a_document_says_what_the_profile_of_the_command_line_says(tmp_path: Path) -> None:
    inputs = world(
        tmp_path / "in",
        [[event("e1", "web:1", at=3), event("e2", "crm:1", at=5)]],
        {"web:1": "C1", "crm:1": "C1", "crm:2": "C2"},
        identifiers=[
            identifier("web:1", "email", "ann@example.com"),
            identifier("crm:1", "email", "ann@example.com"),
            identifier("crm:1", "user_id", "7", namespace="crm"),
        ],
        values=[value("crm:1", "full_name", "Ann Ägel"), value("web:1", "email", "ann@example.com")],
        redirects=table(REDIRECTS, [{"previous_customer_id": "C9", "customer_id": "C1"}]),
        probabilities={"web:1": 0.75, "crm:1": 0.75},
    )
    report = build(inputs, tmp_path, now=NOW)
    with duck.connect(report.path, read_only=True) as connection:
        profile_index.write(connection, tmp_path / profile_index.FILE)
        document = profile_lookup.by_id(FromIndex(ProfileIndex(tmp_path / profile_index.FILE)), "C1")
        assert document is not None
        told = lookup.profile(connection, "C1")
    content = document.content
    times = ("first_seen_at", "last_seen_at", "observed_at")
    plain = {name: lookup.as_json(one) for name, one in told.columns.items() if not isinstance(one, datetime)}
    assert plain == {name: content["customer"][name] for name in plain}
    assert content["customer"]["last_seen_at"] == "2025-01-06T00:00:00.000000Z"
    assert [(g.attribute, g.value, g.source, g.rule) for g in told.golden] == [
        (g["attribute"], g["value"], g["source"], g["rule"]) for g in content["attributions"]
    ]
    assert [(i.type, i.namespace, i.value, list(i.sources)) for i in told.identifiers] == [
        (i["type"], i["namespace"], i["value"], i["sources"]) for i in content["identifiers"]
    ]
    assert [(r.record_key, r.source, r.match_probability, r.event_count) for r in told.records] == [
        (r["record_key"], r["source"], r["match_probability"], r["event_count"]) for r in content["records"]
    ]
    assert content["previous_ids"] == list(told.former_ids) == ["C9"]
    assert all(name in content["records"][0] for name in times[:2])


def test_a_value_of_very_many_customers_is_cut(tmp_path: Path) -> None:
    id_map = {f"crm:{n}": f"C{n:08d}" for n in range(60)}
    everybody = [identifier(key, "email", "info@example.com") for key in id_map]
    report = build(world(tmp_path / "in", [[]], id_map, identifiers=everybody), tmp_path, now=NOW)
    with duck.connect(report.path, read_only=True) as connection:
        profile_index.write(connection, tmp_path / profile_index.FILE)
        for source in (FromIndex(ProfileIndex(tmp_path / profile_index.FILE)), FromTables(connection)):
            found = profile_lookup.by_identifier(source, "email", "info@example.com")
            assert found.more
            assert [one.customer_id for one in found.documents] == [f"C{n:08d}" for n in range(20)]


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"not an index of ours")
    with pytest.raises(CorruptError, match="no profile index"):
        ProfileIndex(tmp_path / "other")
