"""Dirty people for the tests of encoding, and comparison of encoded records by their texts."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from tests.identity_tools import TIMESTAMP, day

GIVEN = [
    "Ada",
    "ADA",
    "Dr. Bob",
    "Mary Ann",
    "J.",
    "Jean-Luc",
    "王杰",
    "Zoë",
    "Sir",
    "N/A",
    "",
    " ",
    "Morris II",
]
FAMILY = [
    "Byron",
    "BYRON",
    "O'Hare",
    "van Dyk",
    "Hill Jr",
    "Fox-Pitt",
    "Øster",
    "unknown",
    "St",
    "de",
    "Васильев",
]
FULL = ["Ada Lovelace", "Byron, Ada King", "Prince", "Dr Ludwig van Beethoven Jr.", "Bob 3rd of X", "no name",
        "ann", "Anna Maria Luisa Sforza", "Mary of York"]  # fmt: skip
DATES = ["1970-01-02", "02/03/1971", "25/12/1980", "12/25/1980", "27 Dec 1951", "1900-01-01", "1977", "19801009",
         "soon", "3/4/85", "1970-01-02T00:00:00Z", "31.12.99"]  # fmt: skip
STREETS = ["1 Moss St", "1 MOSS Street Apt 2", "0012 Kiln Lane", "PO Box 77", "12a High St", "638 Downey St, Salem, OR",
           "12 North 5th Ave #4, Salem, OR 97301", "Flat 3, 18 Danver Place, Loughborough, LE11 1UU", "Hauptstraße 5",
           "Mullanpara Road, Vythiri, 673576, India", "na", "7 , x", "5 apt 3, Main Street"]  # fmt: skip
CITIES = ["Leeds", "Saint Paul", "St. Paul", "Zürich", "n/a", "York"]
POSTCODES = ["LS1 4DY", "ls14dy", "97301-1234", "973011234", "none", "M1S 1T4"]
COMPANIES = [
    "Blue Ocean Trading, Inc.",
    "The Limited",
    "Müller GmbH & Co. KG",
    "a b",
    "unknown",
    "Blue Ocean",
]
TEXTS = ["Priest & Poet", "n.a.", "évêque", "-", "poet"]
EMAILS = [
    "a@x.org",
    "A@X.org",
    "Ann.B+c@GMail.com",
    "test@test.com",
    "x <ann.bee@y.net>",
    "call me",
    "ab@googlemail.com",
]
PHONES = ["+15835735431", "(583) 573-5431", "583 573 5431 x12", "0000000000", "12", "+44 20 7946 0958"]
IDS = ["u1", "U-1", "anonymous", "0000", "é9", "u2"]
COLUMNS = {
    "given_name": GIVEN, "middle_name": GIVEN, "surname": FAMILY, "suffix": ["Jr.", "III", "x", ""], "full_name": FULL,
    "gender": ["M", "female", "?", "male"], "birth_date": DATES, "street": STREETS,
    "street_number": ["12", "0012", "12 b", "two", ""], "city": CITIES, "region": CITIES, "country": CITIES,
    "postcode": POSTCODES, "company": COMPANIES, "occupation": TEXTS, "email": EMAILS, "phone": PHONES,
    "source": ["crm", "web"],
}  # fmt: skip
KINDS = [("email", "", EMAILS), ("phone", "web", PHONES), ("user_id", "web", IDS), ("user_id", "crm", IDS)]


def dirty_people(seed: int, size: int, prefix: str = "a") -> tuple[pa.Table, pa.Table]:
    """Records with a random choice of columns in all kinds of bad shape, in random order, and identifiers."""
    chance = random.Random(seed)
    names = [name for name in COLUMNS if chance.random() < 0.8]
    keys = [f"{prefix}:{i}" for i in range(size)]
    chance.shuffle(keys)
    table = {name: [_noisy(chance, COLUMNS[name]) for _ in keys] for name in names}
    people = pa.table({"record_key": keys, **{name: pa.array(v, pa.string()) for name, v in table.items()}})
    return people, sightings(chance, keys, size)


def _noisy(chance: random.Random, values: list[str]) -> str | None:
    if chance.random() < 0.2:
        return None
    value = chance.choice(values)
    if chance.random() < 0.3 and value:
        place = chance.randrange(len(value))
        value = value[:place] + chance.choice(["", "q", "é", " ", "7"]) + value[place + 1 :]
    return value


def sightings(chance: random.Random, keys: list[str], count: int) -> pa.Table:
    """Identifiers of random records, some without time, some repeated."""
    chosen = [chance.choice(KINDS) for _ in range(count)]
    times = [day(chance.randrange(90)) if chance.random() < 0.8 else None for _ in chosen]
    return pa.table(
        {
            "record_key": pa.array([chance.choice(keys) for _ in chosen] if keys else [], pa.string()),
            "type": pa.array([kind for kind, _, _ in chosen], pa.string()),
            "namespace": pa.array([space or None for _, space, _ in chosen], pa.string()),
            "value": pa.array([_noisy(chance, values) for _, _, values in chosen], pa.string()),
            "last_seen_at": pa.array(times, TIMESTAMP),
        }
    )


def texts(found, column, order=None):
    """One text per record, in some order of the records."""
    made = found.texts(column)
    return (made if order is None else made.take(pa.array(order))).to_pylist()


def same_values(one, two) -> bool:
    """Whether two record sets say the same of the same records, whatever the numbers of their values."""
    return as_texts(one) == as_texts(two)


def as_texts(found):
    """A record set without codes."""
    return {
        "keys": found.keys.to_pylist(),
        "order": found.order.tolist(),
        "spaces": {space: sorted(values.texts.to_pylist()) for space, values in found.spaces.items()},
        "columns": {name: (c.space, texts(found, c)) for name, c in found.columns.items()},
        "keys_only": {name: (c.space, texts(found, c)) for name, c in found.keys_only.items()},
        "identifiers": {key: _multi(found, multi) for key, multi in found.identifiers.items()},
        "placeholders": {key: _multi(found, multi) for key, multi in found.placeholders.items()},
    }


def _multi(found, multi):
    values = found.spaces[multi.space].texts.take(pa.array(multi.value)).to_pylist()
    assert np.all(multi.record[1:] >= multi.record[:-1])
    seen = multi.seen.tolist() if len(multi.seen) else [None] * len(values)
    assert len(seen) == len(values)
    rows = sorted(zip(multi.record.tolist(), values, seen, strict=True), key=str)
    return multi.space, texts(found, multi), rows
