"""What is said to hold two records together does: without it, and with nothing else gone, they are two customers."""

from __future__ import annotations

import random
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import Resolution, resolve
from identity.hinges import hinges
from tests.identity_tools import groups, identifiers, judgements, records, together

COLUMNS = {
    "given name": ("given_name",),
    "surname": ("surname",),
    "birth date": ("birth_date",),
    "address": ("street", "postcode"),
}
GIVEN = "Ada Emmy Hedy Ivy Kim Lise Mia Noor Abel Carl Emil Gino Hugo Ivan Lars Omar".split()
FAMILY = "Byron Gauss Noether Boole Lamarr Petrov Novak Meitner Hill Moss Kerr".split()


@cache
def households() -> tuple[dict[str, dict[str, str]], list[tuple[str, str, str]]]:
    """Couples of one surname, door and landline, and people who live alone; one or two records of each, with gaps."""
    draw = random.Random(7)
    people, rows = {}, []
    for i in range(600):
        if i % 4 != 1:  # the second of four lives with the first
            door = f"{draw.randint(1, 99)} {draw.choice(FAMILY)} {draw.choice(('Street', 'Lane', 'Road'))}"
            home = {"surname": draw.choice(FAMILY) + draw.choice("aeiou"), "street": door}
            home["postcode"] = f"LS{draw.randint(1, 9)} {draw.randint(1, 9)}AB"
            phone = f"+44113249{i:04d}"
        given = draw.choice(GIVEN)
        date = f"19{draw.randint(40, 95)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        for source in range(draw.choice((1, 2))):
            key = f"s{source}:{i}"
            said = {**home, "given_name": given, "birth_date": date}
            said["surname"] += "n" * (draw.random() < 0.15)
            people[key] = {
                k: v for k, v in said.items() if draw.random() < (0.5 if k == "birth_date" else 0.9)
            }
            rows += [(key, "phone", phone)] if draw.random() < 0.6 else []
            rows += [(key, "email", f"{given}.{home['surname']}{i}@mail.org")] if draw.random() < 0.3 else []
    return people, rows


@cache
def resolved() -> tuple[Resolution, list[tuple[str, str]]]:
    people, rows = households()
    found = resolve(records(people), identifiers(rows))
    return found, sorted(tuple(sorted(group)) for group in groups(found) if len(group) == 2)


def without(keys, name: str) -> bool:
    """Whether the records are two customers once nothing is said of ``name``: resolved from tables without it."""
    people, rows = households()
    gone = COLUMNS.get(name, ())
    them = {key: {k: v for k, v in people[key].items() if k not in gone} for key in keys}
    kind = {"phone": "phone", "e-mail": "email"}.get(name)
    kept = [row for row in rows if row[0] in them and row[1] != kind]
    model = resolved()[0].version
    return len(groups(resolve(records(them), identifiers(kept), model=model))) == 2


def test_there_are_pairs_that_hang_on_one_thing_and_pairs_that_do_not():
    _, pairs = resolved()
    said = [_hinges(pair) for pair in pairs[:40]]
    assert any(said)
    assert not all(said)


def _hinges(pair) -> tuple[str, ...]:
    people, rows = households()
    them = {key: people[key] for key in pair}
    mine = [row for row in rows if row[0] in them]
    return hinges(*pair, records(them), identifiers(mine), resolved()[0].version)


@given(st.data())
@settings(max_examples=12)
def test_a_claim_is_what_resolving_without_it_gives(data):
    found, pairs = resolved()
    pair = data.draw(st.sampled_from(pairs))
    said = _hinges(pair)
    names = [c["comparison"] for c in found.model["comparisons"]]
    assert set(said) <= set(names)
    assert set(said) == {name for name in names if without(pair, name)}


def test_a_claim_holds_among_all_records():
    """Not only of the two by themselves: all records are resolved, of which these two do not say it."""
    found, pairs = resolved()
    people, rows = households()
    pair, name = next((pair, name) for pair in pairs for name in _hinges(pair) if name in COLUMNS)
    table = records(people)
    mine = pc.is_in(table["record_key"], value_set=pa.array(pair))
    for column in COLUMNS[name]:
        at = table.column_names.index(column)
        table = table.set_column(at, column, pc.if_else(mine, pa.scalar(None, pa.string()), table[column]))
    assert not together(resolve(table, identifiers(rows), model=found.version), *pair)


def test_records_that_stay_together_through_others_are_not_said_to_part():
    """Two records hang on the phone between them; two others have what each of them has."""
    found, _ = resolved()
    born = "1950-01-02"
    people = {
        "a:1": {"given_name": "Ada", "surname": "Byrona"},
        "b:2": {"given_name": "Ada", "surname": "Byrona", "birth_date": born},
    }
    rows = [
        ("a:1", "phone", "+442079460001"),
        ("b:2", "phone", "+442079460001"),
        ("a:1", "email", "byrona77@mail.org"),
    ]
    alone = hinges("a:1", "b:2", records(people), identifiers(rows), found.version)
    assert "phone" in alone
    for key in ("c:3", "d:4"):
        people[key] = people["b:2"]
        rows += [(key, "phone", "+442079460001"), (key, "email", "byrona77@mail.org")]
    more = hinges("a:1", "b:2", records(people), identifiers(rows), found.version)
    assert "phone" not in more


def test_a_judgement_that_alone_joins_two_is_said():
    found, _ = resolved()
    people = {
        "a:1": {"given_name": "Ada", "surname": "Byrona"},
        "b:2": {"given_name": "Omar", "surname": "Hillu"},
    }
    said = judgements(("a:1", "b:2", "must_link"))
    assert hinges("a:1", "b:2", records(people), None, found.version, judgements=said) == ("judgement",)
    assert hinges("a:1", "b:2", records(people), None, found.version) == ()
