"""Judgements that are said to stand are those that the identity engine follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.errors import NotFoundError, UsageError
from cdp.judgements import Decision, Judgement, append, read, standing, withdraw
from cdp.ledger import Ledger
from identity.resolution import resolve
from pipelines import inputs
from tests.identity_tools import judgements as judged_table
from tests.identity_tools import records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Strangers: nothing but judgements can bring two of them together.
NAMES = ("Ada Abel", "Boris Fisk", "Chiara Holm", "Dmitri Kerr", "Elif Lund", "Farid Cole")
KEYS = [f"a:{place}" for place in range(len(NAMES))]
PEOPLE = {
    key: {"given_name": name.split()[0], "surname": name.split()[1]}
    for key, name in zip(KEYS, NAMES, strict=True)
}

pairs = st.lists(st.sampled_from(KEYS), min_size=2, max_size=2, unique=True).map(sorted)
kinds = st.sampled_from(["must_link", "cannot_link"])


def kept(said: list[tuple[list[str], str]]) -> list[Judgement]:
    return [
        Judgement(place, left, right, kind, "", "kim", None)  # type: ignore[arg-type]
        for place, ((left, right), kind) in enumerate(said, 1)
    ]


def components(links: list[tuple[str, str]]) -> set[frozenset[str]]:
    groups = [{key} for key in KEYS]
    for one, other in links:
        first, second = (next(group for group in groups if key in group) for key in (one, other))
        if first is not second:
            first |= second
            groups.remove(second)
    return {frozenset(group) for group in groups}


@settings(max_examples=40)
@given(st.lists(st.tuples(pairs, kinds), min_size=1, max_size=10))
def test_the_engine_joins_what_stands_and_nothing_else(said: list[tuple[list[str], str]]) -> None:
    told = kept(said)
    states = standing(told)
    links = [
        one.pair
        for one, state in zip(told, states, strict=True)
        if (one.kind, state) == ("must_link", "stands")
    ]
    table = judged_table(*((one.left_record, one.right_record, one.kind) for one in told))
    clusters = resolve(records(PEOPLE), None, table).clusters
    found: dict[str, set[str]] = {}
    for row in clusters.to_pylist():
        found.setdefault(row["cluster_id"], set()).add(row["record_key"])
    assert {frozenset(group) for group in found.values()} == components(links)


@given(st.lists(st.tuples(pairs, kinds), min_size=1, max_size=12))
def test_what_stands_contradicts_nothing_and_the_last_word_always_stands(
    said: list[tuple[list[str], str]],
) -> None:
    told = kept(said)
    states = standing(told)
    stands = [one for one, state in zip(told, states, strict=True) if state == "stands"]
    groups = components([one.pair for one in stands if one.kind == "must_link"])
    for one in stands:
        if one.kind == "cannot_link":
            assert not any(set(one.pair) <= group for group in groups)
    assert states[-1] == "stands"
    assert len({one.pair for one in stands}) == len(stands)


def test_judgements_are_appended_in_order_whatever_the_clock_says() -> None:
    with TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        append(ledger, [Decision("b", "a", "must_link", "why")], by="kim", now=NOW)
        append(
            ledger,
            [Decision("a", "b", "cannot_link"), Decision("c", "a", "must_link")],
            by=" lee ",
            now=NOW - timedelta(days=1),
        )
        found = read(ledger)
        assert [(one.pair, one.kind, one.decided_by, one.reason) for one in found] == [
            (("a", "b"), "must_link", "kim", "why"),
            (("a", "b"), "cannot_link", "lee", None),
            (("a", "c"), "must_link", "lee", None),
        ]
        times = [one.decided_at for one in found]
        assert times == sorted(set(times))
        assert standing(found) == ["replaced", "stands", "stands"]
        for wrong in ([Decision("a", "a", "must_link")], [Decision("a", "b", "must_link")]):
            with pytest.raises(UsageError):
                append(ledger, wrong, by="kim" if wrong[0].one == wrong[0].other else " ", now=NOW)
        assert len(read(ledger)) == 3


@settings(max_examples=40)
@given(
    st.lists(st.tuples(pairs, kinds), min_size=1, max_size=8),
    st.lists(st.tuples(pairs, kinds, st.booleans()), min_size=1, max_size=8),
)
def test_what_was_taken_back_counts_as_if_it_had_never_been_said(
    first: list[tuple[list[str], str]], later: list[tuple[list[str], str, bool]]
) -> None:
    """Also where others spoke before, between and after: the engine is given the same, in the same order."""
    said = [(pair, kind, False) for pair, kind in first] + later
    with TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        made = [
            append(ledger, [Decision(left, right, kind)], by="kim", now=NOW)[0]  # type: ignore[arg-type]
            for (left, right), kind, _ in said
        ]
        going = [one.judgement_id for one, (_, _, back) in zip(made, said, strict=True) if back]
        withdraw(ledger, going, by="lee", now=NOW + timedelta(days=1))
        listed, table = read(ledger), inputs.judgements(ledger)
        if going:
            with pytest.raises(NotFoundError):
                withdraw(ledger, going[:1], by="lee", now=NOW)
    never = [one for one in made if one.judgement_id not in going]
    assert table.to_pylist() == [
        {
            "left_record": one.left_record,
            "right_record": one.right_record,
            "kind": one.kind,
            "decided_at": one.decided_at,
        }
        for one in never
    ]
    states = standing(listed)
    assert [state for state in states if state != "withdrawn"] == standing(never)
    assert [
        one.judgement_id for one, state in zip(listed, states, strict=True) if state == "withdrawn"
    ] == going
    assert [one.pair for one in listed] == [one.pair for one in made]
