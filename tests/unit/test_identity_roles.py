"""Roles of columns: headers of many systems and languages, and values where headers are silent."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cdp.errors import UsageError
from identity import roles
from identity.comparer import plan
from identity.encode import encode

HEADERS = {
    "given_name": "first_name FirstName fname vorname prénom Nombre GIVEN_NAME contact_first_name fname_c1 voornaam",
    "surname": "last_name Surname lname Nachname apellidos property_lastname surname_std cognome achternaam",
    "full_name": "full_name customer_name NAME_FULL DisplayName kundenname contactname",
    "birth_date": "dob date_of_birth BirthDate Geburtsdatum fecha_nacimiento date_naissance DOB_std birthday",
    "birth_year": "birth_year YearOfBirth birthyear geburtsjahr",
    "email": "email EmailAddress e-mail E-Mail courriel Email_1 property_email",
    "phone": "phone_number MobilePhone telefon Handy téléphone full_phone_num contact_number property_mobilephone",
    "street": "address1 BillingStreet res_street_address Straße adresse dirección address_line_1 mail_addr1",
    "city": "BillingCity town suburb Ort ville res_city_desc ciudad mailing_city",
    "region": "state county state_cd county_desc Bundesland BillingState",
    "postcode": "zip_code PostalCode PLZ code_postal codigo_postal postcode_fake mailing_postal_code",
    "company": "company org_name site_name Firma facility_name raison_sociale Store-Name",
    "suffix": "suffix name_sufx_cd namesufix",
    "record_type": "record_type entity_type",
}
NOTHING = (
    "email_opt_in phone_type created_date owner_id email_bounced_date birth_place ip_address birth_age is_deleted "
    "date_registration geocode_accuracy lead_source voter_reg_num"
)


@pytest.mark.parametrize(("role", "header"), [(r, h) for r, line in HEADERS.items() for h in line.split()])
def test_headers_of_many_systems_and_languages(role, header):
    found = roles.by_name(header)
    assert found is not None
    assert found.role == role


@pytest.mark.parametrize("header", NOTHING.split())
def test_headers_that_only_contain_a_telling_word(header):
    assert roles.by_name(header) is None


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (["12 Moss Street", "3 Kiln Lane", "1600 Oak Ave"], "street"),
        (["LS1 4DY", "YO1 7HH", "EH1 1BB"], "postcode"),
        (["CA", "NY", "TX", "OR"], "region"),
        (["male", "female", "f"], "gender"),
        (["PERSON", "ORGANIZATION"], "record_type"),
        (["Ada Byron", "Robert Hale", "Mary Shelley"], "full_name"),
        (["Acme Widgets, Inc.", "Joe's Diner", "First National Bank"], "company"),
    ],
)
def test_values_tell_what_a_header_does_not(values, role):
    table = pa.table({"id": [str(i) for i in range(len(values))], "x17": values})
    assert roles.assign(table)["x17"].role == role


def test_dates_of_events_are_no_birth_dates():
    """Dates of lives spread over generations; those of sign-ups over some years."""
    births = [f"{1930 + i}-{i % 12 + 1:02d}-11" for i in range(60)]
    signups = [f"{2015 + i % 8}-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(60)]
    table = pa.table({"id": [str(i) for i in range(60)], "x1": births, "x2": signups})
    found = roles.assign(table)
    assert found["x1"].role == "birth_date"
    assert found["x2"].role != "birth_date"


def test_a_bare_name_beside_given_names_is_the_surname():
    table = pa.table({"Vorname": ["Ada", "Carl"], "Name": ["Byron", "Gauss"], "PLZ": ["10115", "37073"]})
    found = roles.assign(table)
    assert {column: role.role for column, role in found.items()} == {
        "Vorname": "given_name", "Name": "surname", "PLZ": "postcode",
    }  # fmt: skip


def test_parts_of_a_birth_date_become_one():
    table = pa.table(
        {
            "id": ["1", "2"],
            "fname": ["Ada", "Carl"],
            "by": ["1815", "1777"],
            "bm": ["12", "4"],
            "bd": ["10", None],
        }
    )
    prepared = roles.prepare(table)
    assert prepared.records["birth_date"].to_pylist() == ["1815-12-10", "1777"]


def test_abbreviated_parts_of_a_date_are_believed_only_together():
    table = pa.table({"id": ["1", "2"], "name": ["Ada Byron", "Carl Gauss"], "by": ["ann", "tom"]})
    assert "birth_date" not in roles.prepare(table).records.column_names


def test_names_with_a_legal_form_among_people_are_organisations():
    table = pa.table(
        {"id": ["1", "2"], "customer name": ["Ada Byron", "Byron Engines Ltd."], "dob": ["1815-12-10", None]}
    )
    records = roles.prepare(table).records
    assert records["full_name"].to_pylist() == ["Ada Byron", None]
    assert records["company"].to_pylist() == [None, "Byron Engines Ltd."]


def test_texts_that_agree_by_chance_are_no_evidence():
    size = 200
    table = pa.table(
        {
            "id": [str(i) for i in range(size)],
            "plan": ["gold" if i % 3 else "silver" for i in range(size)],
            "birth_place": [f"town {i % 50}" for i in range(size)],
        }
    )
    found = roles.assign(table)
    assert (found["plan"].role, found["birth_place"].role) == ("ignored", "text")


@pytest.mark.parametrize("text", [pa.string(), pa.large_string()])
def test_every_type_of_text_is_read(text):
    rows = {
        "id": ["1", "2"],
        "name": ["Ada Byron"] * 2,
        "email": ["a@x.org"] * 2,
        "phone": ["+442079460958", None],
    }
    prepared = roles.prepare(pa.table({column: pa.array(values, text) for column, values in rows.items()}))
    assert prepared.records["full_name"].to_pylist() == rows["name"]
    assert prepared.identifiers.num_rows == 3


FORMS = {
    "encoded": lambda column: column.dictionary_encode(),
    "encoded in chunks": lambda column: pa.chunked_array(
        [column.slice(0, 2), column.slice(2)]
    ).dictionary_encode(),
    "a part of a longer one": lambda column: (
        pa.concat_arrays([column, pa.array(["Eve Moss"])]).dictionary_encode().slice(0, len(column))
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_column_changes_nothing(form):
    rows = {
        "id": ["1", "2", "3", "4"],
        "name": ["Ada Byron", " ", None, "Carl Gauss"],
        "email": ["a@x.org", "", "c@x.org", "a@x.org"],
    }
    plain = roles.prepare(pa.table(rows))
    made = roles.prepare(pa.table({name: FORMS[form](pa.array(values)) for name, values in rows.items()}))
    assert made.records.to_pylist() == plain.records.to_pylist()
    assert made.identifiers.to_pylist() == plain.identifiers.to_pylist()
    assert plain.records["full_name"].to_pylist() == ["Ada Byron", None, None, "Carl Gauss"]
    assert plain.identifiers["value"].to_pylist() == ["a@x.org", "c@x.org", "a@x.org"]


PERSON = {"name": ["Ada Byron", "Ada Byron", "Carl Gauss"], "email": ["a@x.org", "a@x.org", "c@y.org"]}


def test_the_given_id_wins_over_an_earlier_column_that_looks_like_one():
    table = pa.table({"id": ["1", "2", "3"], "cust": ["A", "B", "C"], "row": ["7", "8", "9"], **PERSON})
    for given in ({"id_column": "cust"}, {"mapping": {"record_id": "cust"}}):
        prepared = roles.prepare(table, **given)
        assert prepared.records["record_key"].to_pylist() == ["A", "B", "C"]
        assert {column: role.role for column, role in prepared.roles.items()} == {
            "id": "ignored", "cust": "record_id", "row": "ignored", "name": "full_name", "email": "email",
        }  # fmt: skip
        assert {prepared.roles[column].why for column in ("id", "row")} == {"second id"}


def test_only_the_first_unique_id_column_is_one():
    table = pa.table({"id": ["1", "1", "3"], "uid": ["A", "B", "C"], "guid": ["x", "y", "z"], **PERSON})
    found = roles.assign(table)
    assert [(found[c].role, found[c].why) for c in ("id", "uid", "guid")] == [
        ("ignored", "no id: some come twice"),
        ("record_id", "name"),
        ("ignored", "second id"),
    ]


@pytest.mark.parametrize("blank", ["", " ", None])
@pytest.mark.parametrize("encoded", [True, False])
def test_an_id_column_with_a_blank_is_no_id(blank, encoded):
    ids = pa.array(["1", blank, "3"])
    table = pa.table({"id": ids.dictionary_encode() if encoded else ids, **PERSON})
    prepared = roles.prepare(table)
    assert prepared.roles["id"] == roles.Role("ignored", why="no id: some are empty")
    assert prepared.records["record_key"].to_pylist() == ["0", "1", "2"]


def test_types_of_identifiers_may_be_said_of_columns():
    table = pa.table({"x1": ["17", "17", "4"], "x2": ["d1", "d2", "d3"], "x3": ["n1", "n2", "n3"], **PERSON})
    found = roles.prepare(table, {"external_id": ["x1", "x3"], "device": "x2"})
    told = {(row["type"], row["namespace"], row["value"]) for row in found.identifiers.to_pylist()}
    assert {("external_id", "x 1", "17"), ("external_id", "x 3", "n3"), ("device", "x 2", "d1")} <= told
    assert found.roles["x1"] == roles.Role("identifier", "external_id", "given")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"external_ids": "x1"}, "unknown role 'external_ids'"),
        ({"surname": ["x1", "name"]}, "given to 'x1' and to 'name'"),
        ({"email": "x1", "phone": "x1"}, "column 'x1' is given two roles"),
        ({"record_id": "x1", "text": "x1"}, "column 'x1' is given two roles"),
    ],
)
def test_what_is_said_of_columns_must_not_contradict_itself(given, told):
    with pytest.raises(UsageError, match=told):
        roles.prepare(pa.table({"x1": ["1", "2", "3"], **PERSON}), given)


@pytest.mark.parametrize(
    "header", ["door", "birth month", "record_key", "source", "surname", "name key", "email/"]
)
def test_a_text_column_keeps_apart_from_roles_and_derived_columns(header):
    """Whatever a column of text is called, it is compared as one, and nothing else is lost."""
    address = {"street": ["1 Elm Road", "1 Elm Road", "9 Oak Lane"], "city": ["Leeds", "Leeds", "York"]}
    whole = {**PERSON, "dob": ["1980-01-02", "1980-01-02", "1944-07-30"], **address}
    table = pa.table({**whole, header: ["red", "red", "blue"]})
    plain, found = roles.prepare(pa.table(whole)), roles.prepare(table, {"text": header})
    assert found.records.drop_columns([f"text: {header}"]).equals(plain.records)
    before, _ = encode(plain.records, plain.identifiers)
    after, _ = encode(found.records, found.identifiers)
    assert set(after.columns) == {*before.columns, f"text: {header}"}
    assert after.texts(after.columns[f"text: {header}"]).to_pylist() == ["red", "red", "blue"]
    for name, column in before.columns.items():
        assert after.texts(after.columns[name]).equals(before.texts(column))
    told = [item.comparison.name for item in plan(after)]
    assert told[-1] == (header if header != "surname" else "surname (text)")
    assert len(set(told)) == len(told)


def test_a_column_that_is_blank_has_no_values():
    assert roles.assign(pa.table({"city": ["", " ", ""], **PERSON}))["city"].why == "no values"


def test_values_that_come_late_are_seen():
    late = ["", *[None] * 99_999, "ada@x.org"]
    assert roles.assign(pa.table({"x1": late}))["x1"].role == "email"


@pytest.mark.parametrize("coded", [True, False])
def test_the_order_of_many_rows_plays_no_part_in_roles(coded):
    size = 120_000
    numbers = np.arange(size)
    contact = [f"p{i}@mail{i % 7}.example" if i % 5 == 0 else f"note {i}" for i in range(size)]
    table = pa.table({"contact": contact, "born": [f"19{i % 90 + 10}-0{i % 9 + 1}-11" for i in range(size)]})
    if coded:
        table = pa.table({name: table[name].dictionary_encode() for name in table.column_names})
    last = np.argsort(numbers % 5 == 0, kind="stable")  # addresses come after all else
    orders = [numbers, last, last[::-1]]
    found = [roles.assign(table.take(pa.array(order))) for order in orders]
    assert found[0] == found[1] == found[2]
    assert found[0]["born"].role == "birth_date"
