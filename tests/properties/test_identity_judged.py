"""What judgements on records without a name change: nothing where they agree, and no more than they say otherwise.

`make test` tries 30 examples of each law, `make soak` ten times as many.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identity import resolve
from tests.conftest import examples
from tests.identity_tools import groups, identifiers, judgements, records

OWNERS = {
    f"crm:{i}": {"given_name": given, "surname": surname, "birth_date": f"19{50 + i}-0{i + 1}-1{i}"}
    for i, (given, surname) in enumerate(
        [("Ada", "Byron"), ("Carl", "Gauss"), ("Emmy", "Noether"), ("Ivan", "Petrov"), ("Hedy", "Lamarr")]
    )
}
PHONES = [f"+44207946000{i}" for i in range(7)]
OWNED = st.lists(st.sampled_from(PHONES), min_size=len(OWNERS), max_size=len(OWNERS))
CALLS = st.lists(st.sampled_from(PHONES), min_size=2, max_size=9)


def world(owned, calls):
    """Owners with a phone each, and calls that hold nothing but a phone."""
    unnamed = {f"call:{i}": {} for i in range(len(calls))}
    rows = [(key, "phone", phone) for key, phone in zip(OWNERS, owned, strict=True)]
    rows += [(key, "phone", phone) for key, phone in zip(unnamed, calls, strict=True)]
    return records({**OWNERS, **unnamed}), identifiers(rows), sorted(unnamed)


def agreeing(draw, found, unnamed):
    """Judgements of pairs with an unnamed record that say what is so already."""
    where = {key: group for group in groups(found) for key in group}
    pairs = st.tuples(st.sampled_from(unnamed), st.sampled_from(sorted(where))).filter(lambda p: p[0] != p[1])
    return [
        (a, b, "must_link" if where[a] is where[b] else "cannot_link")
        for a, b in draw(st.lists(pairs, min_size=1, max_size=5))
    ]


@examples(15)
@given(OWNED, CALLS, st.data())
def test_judgements_that_agree_with_the_customers_change_nothing(owned, calls, data):
    people, rows, unnamed = world(owned, calls)
    before = resolve(people, rows)
    after = resolve(people, rows, judgements(*agreeing(data.draw, before, unnamed)), model=before.version)
    assert groups(after) == groups(before)


@examples(15)
@given(OWNED, CALLS, st.data())
def test_customers_without_a_judged_record_stay_as_they_are(owned, calls, data):
    people, rows, unnamed = world(owned, calls)
    before = resolve(people, rows)
    one, other = data.draw(st.permutations(unnamed))[:2]
    kind = data.draw(st.sampled_from(["must_link", "cannot_link"]))
    after = resolve(people, rows, judgements((one, other, kind)), model=before.version)
    touched = {key for group in groups(before) | groups(after) if {one, other} & group for key in group}
    left = {group for group in groups(before) if not group & touched}
    assert left <= groups(after)
    where = {key: group for group in groups(after) for key in group}
    assert (where[one] is where[other]) == (kind == "must_link")


@examples(15)
@given(st.integers(3, 9), st.booleans(), st.data())
def test_of_a_customer_a_record_that_is_kept_apart_from_all_others_leaves_alone(size, owned, data):
    """What `cdp identity split RECORD CUSTOMER` says: the others stay together."""
    calls = [PHONES[6]] * size
    people, rows, unnamed = world([PHONES[6] if owned and i == 0 else PHONES[i] for i in range(5)], calls)
    members = [*unnamed, "crm:0"] if owned else unnamed
    leaver = data.draw(st.sampled_from(unnamed))
    others = [key for key in members if key != leaver]
    before = resolve(people, rows)
    assert frozenset(members) in groups(before)
    judged = judgements(*((leaver, other, "cannot_link") for other in others))
    assert {frozenset(others), frozenset({leaver})} <= groups(resolve(people, rows, judged))
