"""Levels of pairs of encoded records by the reference measures, for the oracle of the compiled comparer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from identity.comparer import Plan
from identity.comparisons import ADDRESS, GIVEN, PLACE, SURNAME
from identity.normalise.text import consonant_code
from identity.recordset import RecordSet
from tests import reference_measures as measures
from tests.reference_measures import Coded, Codes, Flags, Levels, Measure

_MAKERS = {
    "middle_name": measures.middle_name,
    "suffix": measures.equal_only,
    "gender": measures.equal_only,
    "record_type": measures.equal_only,
    "birth_date": measures.birth_date,
    "company": measures.company,
    "email": measures.email,
    "phone": measures.phone,
}


def column(records: RecordSet, name: str) -> Coded:
    """A column of records, empty where there is none."""
    found = records.columns.get(name)
    if found is None:
        return Coded(np.empty(0, object), np.full(len(records), -1, np.int32))
    return Coded(np.array(records.spaces[found.space].texts.to_pylist(), object), found.codes)


def levels(records: RecordSet, plan: Plan, left: Codes, right: Codes) -> dict[str, Levels]:
    """The level of every comparison of a plan, by name."""
    found: dict[str, Levels] = {}
    for item in plan:
        kind, name = item.source.kind, item.source.name
        if kind == "names":
            found[GIVEN.name], found[SURNAME.name] = name_levels(Names.of(records), left, right)
        elif kind == "address":
            found[item.comparison.name] = Places(records).levels(left, right)
        elif kind == "identifier":
            multi = records.identifiers[name, item.source.namespace]
            own = Coded(np.array(records.spaces[multi.space].texts.to_pylist(), object), multi.codes)
            measure = _MAKERS.get(name, measures.identifier)(own)
            level = pair_levels(own.codes[left], own.codes[right], measure, item.comparison.exact)
            sets = [set(multi.value[multi.record == row].tolist()) for row in range(len(records))]
            shared = [bool(sets[a] & sets[b]) for a, b in zip(left, right, strict=True)]
            level = np.where(shared, item.comparison.exact, level).astype(np.int8)
            if name == "email":
                level = _but_names(records, own, left, right, level, item.comparison.exact)
            found[item.comparison.name] = level
        else:
            own = column(records, name)
            measure = _MAKERS.get(name, measures.text)(own)
            found[item.comparison.name] = pair_levels(
                own.codes[left], own.codes[right], measure, item.comparison.exact
            )
    return found


def _but_names(
    records: RecordSet, own: Coded, left: Codes, right: Codes, level: Levels, exact: int
) -> Levels:
    """Nothing where addresses agree in part and one of them is made of its owner's name."""
    names = [column(records, role) for role in ("given_name", "surname")]

    def made_of_name(row: int) -> bool:
        local = str(own.values[own.codes[row]]).rpartition("@")[0]
        known = [str(c.values[c.codes[row]]) for c in names if c.codes[row] >= 0]
        few = sum(ch in "0123456789" for ch in local) < 2
        return few and any(len(name) >= 3 and name in local for name in known)

    level = level.copy()
    for place in np.flatnonzero((level > 0) & (level < exact)):
        if made_of_name(int(left[place])) or made_of_name(int(right[place])):
            level[place] = -1
    return level


@dataclass(frozen=True)
class Names:
    """Given names and surnames in one numbering, so that swapped names can meet."""

    given: Codes
    surname: Codes
    given_level: Measure
    surname_level: Measure

    @classmethod
    def of(cls, records: RecordSet) -> Names:
        """Read the names of a set of records."""
        given, surname = column(records, "given_name"), column(records, "surname")
        both = given if len(given.values) else surname
        spoken: dict[str, int] = {}
        sounds = [consonant_code(value.replace(" ", "")) for value in both.values]
        sound = np.array([spoken.setdefault(s, len(spoken)) if s else -1 for s in sounds], np.int32)
        return cls(given.codes, surname.codes, measures.given_name(both), measures.surname(both, sound))


@dataclass(frozen=True)
class Places:
    """Levels of addresses."""

    records: RecordSet

    def levels(self, left: Codes, right: Codes) -> Levels:
        """Levels of ``comparisons.ADDRESS``, or of ``comparisons.PLACE`` where nobody has a street."""
        columns = {role: column(self.records, role) for role in self.records.columns}
        makers = {"postcode": measures.code, "city": measures.place, "street": measures.street}
        places = {role: make(columns[role]) for role, make in makers.items() if role in columns}
        areas = postcode_areas(columns["postcode"]) if "postcode" in columns else np.empty(0, np.int32)
        return _address(columns, places, areas, left, right)


def _address(
    columns: dict[str, Coded], places: dict[str, Measure], areas: Codes, left: Codes, right: Codes
) -> Levels:
    """Levels of ``comparisons.ADDRESS``, or of ``comparisons.PLACE`` where nobody has a street."""
    known, level = np.zeros(len(left), dtype=bool), np.zeros(len(left), dtype=np.int8)
    nowhere = np.zeros(len(left), dtype=bool)
    rank = _PLACE_RANKS if "street" not in columns else _ADDRESS_RANKS

    def both(role: str) -> tuple[Codes, Codes, Flags]:
        one, two = columns[role].codes[left], columns[role].codes[right]
        return one, two, (one >= 0) & (two >= 0)

    same_city = other_city = near_code = same_code = nowhere
    if "region" in columns:
        one, two, present = both("region")
        level[present & (one == two)] = rank["region"]
    if "postcode" in columns:
        one, two, present = both("postcode")
        known |= present
        level[present & (areas[one] == areas[two])] = rank["area"]
        near = pair_levels(one, two, places["postcode"], 2)
        near_code, same_code = near >= 1, near == 2
    if "city" in columns:
        one, two, present = both("city")
        known |= present
        same_city = pair_levels(one, two, places["city"], 1) == 1
        other_city = present & ~same_city
    level[same_city] = rank["city"]
    level[near_code] = rank["near code"]
    level[near_code & same_city] = rank["near code and city"]
    level[same_code] = rank["code"]
    level[same_code & other_city] = rank["code, other city"]
    if "street" in columns:
        level = _street(columns, places, left, right, level, same_city | near_code)
        known |= (columns["street"].codes[left] >= 0) & (columns["street"].codes[right] >= 0)
    return np.where(known, level, np.int8(-1))


def _street(
    columns: dict[str, Coded],
    places: dict[str, Measure],
    left: Codes,
    right: Codes,
    place: Levels,
    here: Flags,
) -> Levels:
    """Raise or lower the level of a place by what is known of the street and the number."""
    street, level = columns["street"], place.copy()
    one, two = street.codes[left], street.codes[right]
    found = pair_levels(one, two, places["street"], 1)
    alike, differs = found == 1, found == 0
    level[differs & (place == _ADDRESS_RANKS["city"])] = ADDRESS.levels.index("other street, same city")
    code = np.isin(place, [_ADDRESS_RANKS[k] for k in ("code", "near code and city")])
    level[differs & code] = ADDRESS.levels.index("other street, same postcode")
    level[alike & here] = ADDRESS.levels.index("same street")
    if "street_number" in columns:
        number = columns["street_number"].codes
        one, two = number[left], number[right]
        present = (one >= 0) & (two >= 0)
        level[alike & here & present] = ADDRESS.levels.index("same street, other number")
        door = alike & present & (one == two)
        level[door] = ADDRESS.levels.index("same door")
        level[door & here] = ADDRESS.exact
    return level


_ADDRESS_RANKS = {
    "region": ADDRESS.levels.index("same region"),
    "area": ADDRESS.levels.index("same area"),
    "city": ADDRESS.levels.index("same city"),
    "near code": ADDRESS.levels.index("similar postcode"),
    "near code and city": ADDRESS.levels.index("similar postcode, same city"),
    "code": ADDRESS.levels.index("same postcode"),
    "code, other city": ADDRESS.levels.index("same postcode, other city"),
}
_PLACE_RANKS = {
    "region": PLACE.levels.index("same region"),
    "area": PLACE.levels.index("same area"),
    "city": PLACE.levels.index("same city"),
    "near code": PLACE.levels.index("similar postcode"),
    "near code and city": PLACE.levels.index("similar postcode, same city"),
    "code": PLACE.exact,
    "code, other city": PLACE.levels.index("same postcode, other city"),
}


def pair_levels(left: Codes, right: Codes, measure: Measure, exact: int) -> Levels:
    """Levels of paired codes: -1 without a value, ``exact`` where equal, else by the measure."""
    out = np.full(len(left), -1, dtype=np.int8)
    present = (left >= 0) & (right >= 0)
    equal = present & (left == right)
    out[equal] = exact
    rest = np.flatnonzero(present & ~equal)
    if len(rest):
        low, high = np.minimum(left[rest], right[rest]), np.maximum(left[rest], right[rest])
        packed, inverse = np.unique((low.astype(np.int64) << 32) | high, return_inverse=True)
        out[rest] = measure((packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32))[inverse]
    return out


def name_levels(names: Names, left: Codes, right: Codes) -> tuple[Levels, Levels]:
    """Levels of given name and surname; where they differ as written, they are also compared crosswise."""
    gl, gr, sl, sr = names.given[left], names.given[right], names.surname[left], names.surname[right]
    first = pair_levels(gl, gr, names.given_level, GIVEN.exact)
    last = pair_levels(sl, sr, names.surname_level, SURNAME.exact)
    crossed = ((first <= 1) & (last <= 1)) | (first < 0) | (last < 0)
    crossed &= (
        (((gl >= 0) & (sr >= 0)) | ((sl >= 0) & (gr >= 0))) & (last != SURNAME.exact) & (first != GIVEN.exact)
    )
    here = np.flatnonzero(crossed)
    if len(here):
        one = pair_levels(gl[here], sr[here], names.given_level, GIVEN.exact)
        two = pair_levels(gr[here], sl[here], names.given_level, GIVEN.exact)
        least, most = np.minimum(one, two), np.maximum(one, two)
        both = (least >= 2) & (most >= 5) & (least != 3)
        single = (most >= 5) & (first[here] <= 1) & (last[here] <= 1) & ~both
        lone = (gl[here] < 0) | (sl[here] < 0) | (gr[here] < 0) | (sr[here] < 0)
        last[here[both | (single & lone)]] = SURNAME.levels.index("swapped with given name")
        last[here[single & ~lone]] = SURNAME.levels.index("one name swapped")
        first[here[both]] = most[both]
        first[here[single]] = -1
    return first, last


def postcode_areas(column: Coded) -> Codes:
    """Area of each postcode: all but the last three letters or digits, at least two."""
    places: dict[str, int] = {}
    areas = [value[: max(2, len(value) - 3)] for value in column.values]
    return np.fromiter((places.setdefault(area, len(places)) for area in areas), np.int32, len(areas))
