"""What is told of vetoes against an obvious look at every pair."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from identity.engine import threshold_of
from identity.model import UNIT
from identity.policy import IdentityPolicy, Limit
from identity.vetoes import vetoes
from tests.increment_tools import POOLS, Setting, World, full

SEEDS = st.integers(0, 2**32 - 1)
LIMITS = {"user_id": Limit(90), "device": Limit(90)}  # so that no value is held back, and all may veto
POLICIES = (
    IdentityPolicy(limits=LIMITS),
    IdentityPolicy(limits=LIMITS, unique=frozenset({"user_id", "device"}), threshold=0.8),
)


def slow(state):
    """By pair of customers: the greatest weight, and the types of which they hold different values."""
    keys, labels = state.records.keys.to_pylist(), state.clustered.labels.tolist()
    values: dict[tuple[int, tuple[str, str]], set[int]] = {}
    for name, column in state.status.identifiers.items():
        for row, value in zip(column.record.tolist(), column.value.tolist(), strict=True):
            if name[0] in state.policy.unique and state.live[row]:
                values.setdefault((labels[row], name), set()).add(value)
    found: dict[frozenset[int], list] = {}
    edges = state.edges
    for a, b, weight in zip(edges.left.tolist(), edges.right.tolist(), edges.weight.tolist(), strict=True):
        customers = frozenset((labels[a], labels[b]))
        if weight < threshold_of(state.version, state.policy) or len(customers) == 1:
            continue
        types = {
            name
            for name in state.status.identifiers
            if all((label, name) in values for label in customers)
            and len(set.union(*(values[label, name] for label in customers))) > 1
        }
        if types:
            found.setdefault(customers, []).append((weight, " and ".join(sorted((keys[a], keys[b]))), types))
    return found


def twins(seed, size) -> World:
    """People of whom most have a second record of the same words, under one account or another."""
    draw, world = random.Random(seed), World()
    world.step("late", seed, size)
    for key, one in list(world.people.items()):
        fields = one["fields"] | {
            name: draw.choice(POOLS[name]) for name in ("given_name", "surname", "birth_date")
        }
        kept = [found for found in one["identifiers"] if found[0] != "user_id"]
        for name in (key, f"twin{key}"):
            accounts = [("user_id", "web", f"u{draw.randint(1, 9)}", None)] * (draw.random() < 0.8)
            world.people[name] = {"fields": fields, "identifiers": [*kept, *accounts]}
    return world


@given(SEEDS, st.integers(5, 20), st.sampled_from(POLICIES))
def test_vetoes_equal_an_obvious_look(seed, size, policy):
    world = twins(seed, size)
    world.step("judge", seed, 3)
    state = full(world, Setting(policy=policy, fitted_late=True))
    expected, rows = slow(state), vetoes(state).to_pylist()
    assert len(rows) == len(expected)
    weights = []
    for row in rows:
        (pairs,) = [pairs for pairs in expected.values() if row["value"] in {text for _, text, _ in pairs}]
        best = max(weight for weight, _, _ in pairs)
        types = next(types for weight, text, types in pairs if (weight, text) == (best, row["value"]))
        assert (row["type"], row["namespace"]) in types
        assert row["reason"].startswith(f"match weight {best / UNIT:+.1f}, ")
        weights.append(best)
    assert weights == sorted(weights, reverse=True)
    again = full(world, Setting(policy=policy, fitted_late=True), shuffle=seed)
    assert vetoes(again).equals(vetoes(state))
    assert vetoes(state, 1).equals(vetoes(state).slice(0, 1))


def test_worlds_have_vetoes():
    told = [vetoes(full(twins(seed, 20), Setting(policy=POLICIES[0], fitted_late=True))) for seed in range(9)]
    assert sum(found.num_rows for found in told) > 9
