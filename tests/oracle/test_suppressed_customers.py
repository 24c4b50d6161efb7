"""Who is on the suppression list, held against asking for every identifier alone."""

from __future__ import annotations

import random

import pytest

from cdp.lake import Lake
from cdp.suppression import KEY_BYTES, Suppressed, hash_of
from tests.warehouse_tools import customers_table, event, identifier, publish_into, value, world
from warehouse.release import current
from warehouse.suppression import customers

VALUES = (
    "ann@mail.example",
    "bob@mail.example",
    "müller@mail.example",
    "+442079460018",
    "Ä 7",
    "o'hara",
    "\U0001f44d",
)
SPACES = {"email": ("",), "phone": ("",), "user_id": ("web", "shöp"), "device_id": ("web", "")}
NAMES = {f"crm:{n}": f"Person {n}" for n in range(12)}
PEOPLE = {key: key.replace("crm:", "C") for key in NAMES}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    chance = random.Random(5)
    found = [
        identifier(key, kind, known, namespace=chance.choice(SPACES[kind]))
        for key in NAMES
        for kind in SPACES
        for known in chance.sample(VALUES, 2)
    ]
    traits = [
        value("crm:3", "email", "Traits.Only@Mail.example "),
        value("crm:4", "phone", "020 7946 0099"),
        value("crm:5", "phone", "+442079460077"),
    ]
    values = [*customers_table(NAMES), *traits]
    lake = Lake(folder / "workspace")
    publish_into(lake, world(folder, [[event("e", None)]], PEOPLE, values=values, identifiers=found))
    return current(lake)


def plainly(connection, listed: Suppressed) -> set[str]:
    rows = connection.execute(
        "SELECT type, coalesce(namespace, ''), value, customer_id FROM customer_identifiers"
    ).fetchall()
    return {row[3] for row in rows if listed.entries(*row[:3])}


@pytest.mark.parametrize("seed", range(25))
def test_a_list_names_whom_every_identifier_alone_names(release, seed):
    chance = random.Random(seed)
    key = chance.randbytes(KEY_BYTES)
    wanted = [
        (kind, chance.choice([None, *SPACES[kind]]), chance.choice(VALUES))
        for kind in chance.choices(list(SPACES), k=chance.randrange(1, 5))
    ]
    hashes = frozenset(hash_of(key, *one) for one in wanted)
    listed = Suppressed(key, hashes, frozenset((kind, space) for kind, space, _ in wanted))
    with release.open() as connection:
        found = set(customers(connection, listed)["customer_id"].to_pylist())
        assert found == plainly(connection, listed)


@pytest.mark.parametrize(
    ("kind", "canonical", "who"),
    [
        ("email", "traits.only@mail.example", "C3"),
        ("phone", "+442079460099", "C4"),
        ("phone", "+442079460077", "C5"),
    ],
)
def test_a_golden_address_counts_where_it_is_no_identifier(release, kind, canonical, who):
    key = b"k" * KEY_BYTES
    listed = Suppressed(key, frozenset({hash_of(key, kind, None, canonical)}), frozenset({(kind, None)}))
    with release.open() as connection:
        assert who in customers(connection, listed)["customer_id"].to_pylist()
        assert len(customers(connection, Suppressed())) == 0
