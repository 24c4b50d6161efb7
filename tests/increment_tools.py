"""Small worlds of people who are made to collide, their changes, and resolutions compared by record key."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from identity import engine
from identity.encode import encode
from identity.features import FeatureStore
from identity.fit import fit
from identity.incremental import Batch, load, save
from identity.keys import Limits
from identity.policy import IdentityPolicy, Limit
from identity.state import State
from identity.status import status
from identity.version import ModelVersion

START = datetime(2024, 1, 1, tzinfo=UTC)
STAMP = pa.timestamp("us", "UTC")
POOLS: Mapping[str, tuple[str, ...]] = {
    "given_name": ("ada", "adah", "carl", "emmy", "ivan", "hill", "jo"),
    "surname": ("hill", "hull", "moss", "byron", "ada"),
    "birth_date": ("1970-01-02", "1970-02-01", "1981-04-03", "1990-05-05"),
    "gender": ("f", "m"),
    "suffix": ("jr", "sr"),
    "street": ("1 moss st", "12 moss street", "2 kiln lane"),
    "postcode": ("LS1 4AB", "YO1 7HH", "BA2 6AA"),
    "city": ("leeds", "york"),
    "company": ("acme tools", "acme toys", "byron works"),
    "note": ("red", "blue", "green"),
}
LATE = ("company", "note", "suffix")
"""Columns that no record has at first."""
CHANCE = {"given_name": 0.8, "surname": 0.8, "birth_date": 0.5, "company": 0.2, "suffix": 0.1, "note": 0.5}
IDENTIFIERS: Mapping[str, tuple[str, ...]] = {
    "email": (
        "ada@byron.uk",
        "emmy@mail.org",
        "info@mail.org",
        "ivan@mail.org",
        "adah@byron.uk",
        "test@test.com",
    ),
    "phone": ("+442079460001", "+442079460002", "+442079460010", "+442079460021"),
    "user_id": ("u1", "u2", "u3", "u4"),
    "device": ("d1", "d2"),
}
Person = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Under which model, limits and policy a world is resolved."""

    cap: int = 3
    limits: Limits = field(default_factory=lambda: Limits(0, 2, 6))
    policy: IdentityPolicy = field(default_factory=IdentityPolicy)
    fitted_late: bool = False


def person(draw: random.Random, *, late: bool) -> Person:
    """A random record: some of the fields, any number of identifiers."""
    fields = {
        name: draw.choice(values)
        for name, values in POOLS.items()
        if (late or name not in LATE) and draw.random() < CHANCE.get(name, 0.4)
    }
    if draw.random() < 0.25:
        for name in ("given_name", "surname", "company", "birth_date"):
            fields.pop(name, None)
    found = []
    for kind, values in IDENTIFIERS.items():
        for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
            space = draw.choice(("shop", "web")) if kind == "user_id" else ""
            found.append((kind, space, draw.choice(values), draw.choice((None, *range(0, 60, 10)))))
    return {"fields": fields, "identifiers": found}


@dataclass
class World:
    """Records by key as they are now, and the judgements that stand."""

    people: dict[str, Person] = field(default_factory=dict)
    judged: list[tuple[str, str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    count: int = 1

    def step(self, kind: str, seed: int, size: int) -> Batch:
        """Change the world; gives the batch that says so."""
        draw = random.Random(seed)
        removed: list[str] = []
        changed: dict[str, Person] = {}
        if kind == "remove":
            removed = self._some(draw, self.people, size)
        elif kind == "judge":
            self._judge(draw, size)
        elif kind == "unjudge":
            del self.judged[:size]
        elif kind in ("change", "touch", "return"):
            changed = getattr(self, f"_{kind}")(draw, size)
        elif kind != "none":
            made = getattr(self, f"_{kind}")(draw, size)
            changed = {f"k{self.count + i}": one for i, one in enumerate(made)}
            self.count += len(made)
        self.gone += removed
        for key in removed:
            del self.people[key]
        self.people.update(changed)
        records, found = tables(changed)
        return Batch(records, found, pa.array([*removed, "nobody"], pa.string()) if removed else None)

    @staticmethod
    def _some(draw: random.Random, keys: Iterable[str], size: int) -> list[str]:
        known = sorted(keys)
        return draw.sample(known, min(size, len(known)))

    @staticmethod
    def _add(draw: random.Random, size: int) -> list[Person]:
        return [person(draw, late=False) for _ in range(size)]

    @staticmethod
    def _late(draw: random.Random, size: int) -> list[Person]:
        return [person(draw, late=True) for _ in range(size)]

    def _crowd(self, draw: random.Random, size: int) -> list[Person]:
        """Equal records, with no identifier or one, or equal to one that is there."""
        one = person(draw, late=False)
        if draw.random() < 0.8:
            one["identifiers"] = one["identifiers"][: draw.choice((0, 1, 1))]
        if self.people and draw.random() < 0.3:
            one = self.people[draw.choice(sorted(self.people))]
        elif draw.random() < 0.6:
            full_names = ("given_name", "surname", "birth_date", "street")
            one["fields"] |= {name: draw.choice(POOLS[name]) for name in full_names}
        return [one] * (size + draw.choice((0, 8, 14)))

    def _family(self, draw: random.Random, size: int) -> list[Person]:
        """Records that say a little less than one that is there."""
        made = []
        for key in self._some(draw, self.people, 1) * size:
            one = self.people[key]
            fields = {n: v for n, v in one["fields"].items() if draw.random() < 0.9}
            made.append(
                {"fields": fields, "identifiers": [i for i in one["identifiers"] if draw.random() < 0.8]}
            )
        return made

    @staticmethod
    def _hub(draw: random.Random, size: int) -> list[Person]:
        """People who share one address or phone."""
        shared = draw.choice([(k, "", v, 30) for k in ("email", "phone") for v in IDENTIFIERS[k]])
        made = [person(draw, late=False) for _ in range(size)]
        for one in made:
            one["identifiers"].append(shared)
        return made

    def _change(self, draw: random.Random, size: int) -> dict[str, Person]:
        return {key: person(draw, late=True) for key in self._some(draw, self.people, size)}

    def _touch(self, draw: random.Random, size: int) -> dict[str, Person]:
        """The same again, or with a little change: what upserts mostly are."""
        changed = {}
        for key in self._some(draw, self.people, size):
            old = self.people[key]
            fields, name = dict(old["fields"]), draw.choice(sorted(POOLS))
            if draw.random() < 0.5:
                fields[name] = draw.choice(POOLS[name])
            changed[key] = {"fields": fields, "identifiers": old["identifiers"]}
        return changed

    def _return(self, draw: random.Random, size: int) -> dict[str, Person]:
        back = set(self.gone) - set(self.people)
        return {key: person(draw, late=True) for key in self._some(draw, back, size)}

    def _judge(self, draw: random.Random, size: int) -> None:
        known = sorted({*self.people, *self.gone, "k1", "k3", "k900"})
        names = {"given_name", "surname", "company", "birth_date"}
        unnamed = sorted(key for key, one in self.people.items() if not names & one["fields"].keys())
        for _ in range(size):
            if len(unnamed) > 1 and draw.random() < 0.5:
                pair = draw.sample(unnamed, 2)
                self.judged.append((*pair, draw.choice(("must_link", "cannot_link"))))
                continue
            self.judged.append((*draw.sample(known, 2), draw.choice(("must_link", "cannot_link"))))

    def judgements(self) -> pa.Table | None:
        """The judgements as a table, decided one day after the other."""
        if not self.judged:
            return None
        left, right, kind = zip(*self.judged, strict=True)
        days = [START + timedelta(days=i) for i in range(len(kind))]
        return pa.table(
            {"left_record": left, "right_record": right, "kind": kind, "decided_at": pa.array(days, STAMP)}
        )


def tables(people: Mapping[str, Person], names: Mapping[str, str] | None = None) -> tuple[pa.Table, pa.Table]:
    """Records and identifiers of some people; columns are those that anybody has. ``names``: other column names."""
    used = sorted({name for one in people.values() for name in one["fields"]})
    columns = {
        (names or {}).get(name, name): pa.array(
            [one["fields"].get(name) for one in people.values()], pa.string()
        )
        for name in used
    }
    rows = [(key, *row) for key, one in people.items() for row in one["identifiers"]]
    keys, kinds, spaces, values, days = zip(*rows, strict=True) if rows else ((),) * 5
    stamps = [None if day is None else START + timedelta(days=day) for day in days]
    found = pa.table(
        {
            "record_key": pa.array(keys, pa.string()),
            "type": pa.array(kinds, pa.string()),
            "namespace": pa.array(spaces, pa.string()),
            "value": pa.array(values, pa.string()),
            "last_seen_at": pa.array(stamps, STAMP),
        }
    )
    return pa.table({"record_key": pa.array(list(people), pa.string()), **columns}), found


@cache
def fitted(*, late: bool) -> ModelVersion:
    """A model of 240 such people; with ``late``, of all columns."""
    draw = random.Random(11)
    people = {f"m{i}": person(draw, late=late) for i in range(120)}
    for i in range(120):
        one = people[f"m{i}"]
        fields = {n: v for n, v in one["fields"].items() if draw.random() < 0.9}
        people[f"n{i}"] = {"fields": fields, "identifiers": one["identifiers"]}
    records, identifiers = tables(people)
    encoded, frozen = encode(records, identifiers)
    live = np.ones(len(encoded), bool)
    now = status(encoded, live, np.empty(0, np.int32), IdentityPolicy())
    return fit(encoded, now, frozen, FeatureStore(), 0.5, limits=Limits(0, 2, 6)).version


def version_of(setting: Setting) -> ModelVersion:
    """The model version of a setting."""
    return replace(fitted(late=setting.fitted_late), cap=setting.cap, limits=setting.limits)


def full(
    world: World,
    setting: Setting,
    version: ModelVersion | None = None,
    shuffle: int | None = None,
    names: Mapping[str, str] | None = None,
) -> State:
    """Resolve a world from the beginning; ``shuffle``: in a random order of rows."""
    version = version or version_of(setting)
    keys = sorted(world.people)
    if shuffle is not None:
        random.Random(shuffle).shuffle(keys)
    records, identifiers = tables({key: world.people[key] for key in keys}, names)
    if shuffle is not None:
        places = list(range(len(identifiers)))
        random.Random(shuffle).shuffle(places)
        identifiers = identifiers.take(pa.array(places, pa.int64()))
    encoded, _ = encode(records, identifiers, version.frozen)
    live = np.ones(len(encoded), bool)
    return engine.advance(None, encoded, live, world.judgements(), setting.policy, version, FeatureStore())


def learned(world: World, names: Mapping[str, str]) -> dict[str, Any]:
    """What comes of a world under a model that is learned from it, with text columns named otherwise."""
    records, identifiers = tables(world.people, names)
    encoded, frozen = encode(records, identifiers)
    live = np.ones(len(encoded), bool)
    now = status(encoded, live, np.empty(0, np.int32), IdentityPolicy())
    version = fit(encoded, now, frozen, FeatureStore(), 0.5, limits=Limits(0, 2, 6)).version
    return told(full(world, Setting(), version, names=names))


def stored(state: State) -> State:
    """The state after it was written and read."""
    parts: dict[str, Any] = {}
    for name, part in save(state).items():
        if isinstance(part, bytes):
            parts[name] = part
            continue
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, part.schema) as writer:
            writer.write_table(part)
        parts[name] = pa.ipc.open_file(sink.getvalue()).read_all()
    return load(parts)


def told(state: State) -> dict[str, Any]:
    """What a resolution says, by record key and text: equal for equal resolutions."""
    keys = np.array(state.records.keys.to_pylist(), object)
    live, found = state.live, state.clustered
    groups: dict[int, list[str]] = {}
    for row in np.flatnonzero(live).tolist():
        groups.setdefault(int(found.labels[row]), []).append(keys[row])
    named = {keys[name] for name in groups}
    assert all(keys[name] in members for name, members in groups.items()), "named by a member"
    rows = np.flatnonzero(live)
    return {
        "clusters": {frozenset(members) for members in groups.values()},
        "names": named,
        "lowest": dict(zip(keys[rows].tolist(), found.lowest[rows].tolist(), strict=True)),
        "edges": _pairs(keys, state.edges),
        "inside": _pairs(keys, found.inside),
        "copies": {(keys[a], keys[b], w) for a, b, w in _rows(found.copies)},
        "stated": {
            (kind, frozenset((keys[a], keys[b])))
            for kind, left, right in found.stated
            for a, b in zip(left.tolist(), right.tolist(), strict=True)
        },
        "held": _held(state, keys),
    }


def _rows(edges: Any) -> Iterable[tuple[int, int, int]]:
    return zip(edges.left.tolist(), edges.right.tolist(), edges.weight.tolist(), strict=True)


def _pairs(keys: np.ndarray, edges: Any) -> set[tuple[frozenset[str], int]]:
    listed = [(frozenset((keys[a], keys[b])), w) for a, b, w in _rows(edges)]
    assert len(set(listed)) == len(listed), "no pair twice"
    return set(listed)


def _held(state: State, keys: np.ndarray) -> set[tuple[Any, ...]]:
    found = []
    for held in engine.held_back(state):
        where = keys[held.place]
        if held.what == "identifier":
            column = state.records.identifiers[held.type, held.namespace]
            where = state.records.spaces[column.space].texts[held.place].as_py()
        found.append((held.what, held.type, held.namespace, where, held.reason, held.records))
    assert len(set(found)) == len(found), "nothing is told twice"
    return set(found)


POLICIES = (
    IdentityPolicy(),
    IdentityPolicy(max_cluster=4, limits={"phone": Limit(2), "email": Limit(3)}),
    IdentityPolicy(
        max_cluster=14,
        ambiguous="best",
        limits={
            "phone": Limit(2, timedelta(days=15)),
            "email": Limit(2, timedelta(days=25)),
            "user_id": Limit(2),
        },
    ),
    IdentityPolicy(threshold=0.9, unique=frozenset({"user_id", "device"}), max_cluster=0),
)
STEPS = tuple(
    "add add late crowd family family hub change touch touch remove return judge unjudge none".split()
)
