"""Compare pairs of records: the level of agreement of every field.

A level is a small integer: 0 is "different", higher agrees more, -1 means that a side has no value. All
levels are symmetric in the two records. Measures run once per distinct pair of values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from identity import measures
from identity.comparisons import (
    ADDRESS,
    BIRTH,
    BRANCH_ADDRESS,
    BRANCH_NAME,
    BRANCH_PLACE,
    COMPANY,
    GENDER,
    GIVEN,
    MIDDLE,
    PLACE,
    RECORD_TYPE,
    SUFFIX,
    SURNAME,
    Comparison,
    identifier_name,
    of_identifier,
    of_text,
)
from identity.measures import Flags, Levels, Measure
from identity.records import Coded, Codes, MultiCoded, RecordSet, coalesce, sounds

Rows = npt.NDArray[np.int64]
CHUNK = 1 << 19
_TEXT_LIMIT = 12
_ADDRESS_ROLES = ("door", "street", "street_number", "postcode", "city", "region", "country")
_SIMPLE: tuple[tuple[str, Comparison, Callable[[Coded], Measure]], ...] = (
    ("middle_name", MIDDLE, measures.middle_name),
    ("suffix", SUFFIX, measures.equal_only),
    ("gender", GENDER, measures.equal_only),
    ("birth_date", BIRTH, measures.birth_date),
    ("record_type", RECORD_TYPE, measures.equal_only),
    ("company", COMPANY, measures.company),
)


@dataclass(frozen=True)
class Names:
    """Given names and surnames in one numbering, so that swapped names can meet."""

    values: npt.NDArray[np.object_]
    given: Codes
    surname: Codes
    first: npt.NDArray[np.int32]
    given_level: Measure
    surname_level: Measure

    @classmethod
    def of(cls, records: RecordSet) -> Names:
        """Number the names of a set of records."""
        empty = Coded(np.empty(0, dtype=object), np.full(len(records), -1, dtype=np.int32))
        given = records.columns.get("given_name", empty)
        surname = records.columns.get("surname", empty)
        joined = coalesce(given, surname, np.zeros(len(records), dtype=bool))
        place = {value: code for code, value in enumerate(joined.values)}
        mapping = np.fromiter((place[v] for v in surname.values), np.int32, len(surname.values))
        codes = np.where(surname.codes >= 0, np.append(mapping, -1)[surname.codes], -1).astype(np.int32)
        sound = sounds(Coded(joined.values, np.arange(len(joined.values), dtype=np.int32))).codes
        first = np.fromiter((ord(v[0]) for v in joined.values), np.int32, len(joined.values))
        return cls(
            joined.values,
            given.codes,
            codes,
            first,
            measures.given_name(joined),
            measures.surname(joined, sound),
        )


@dataclass(frozen=True)
class Comparer:
    """The comparisons that a set of records allows, with the columns and measures that they read.

    ``equal_codes``: per comparison the column whose equal values the frequency adjustment looks up.
    """

    comparisons: tuple[Comparison, ...]
    records: RecordSet
    names: Names | None
    columns: dict[str, tuple[Coded, Measure]]
    places: dict[str, Measure]
    areas: Codes
    equal_codes: dict[str, Coded]

    def levels(self, left: Rows, right: Rows) -> Levels:
        """Matrix of levels, one row per comparison, one column per pair."""
        out = np.full((len(self.comparisons), len(left)), -1, dtype=np.int8)
        for start in range(0, len(left), CHUNK):
            part = slice(start, min(start + CHUNK, len(left)))
            found = self._chunk(left[part], right[part])
            for row, comparison in enumerate(self.comparisons):
                out[row, part] = found[comparison.name]
        return out

    def _chunk(self, left: Rows, right: Rows) -> dict[str, Levels]:
        found: dict[str, Levels] = {}
        if self.names is not None:
            found[GIVEN.name], found[SURNAME.name] = name_levels(self.names, left, right)
        if self.places:
            name = (ADDRESS if "street" in self.records.columns else PLACE).name
            found[name] = self._address(left, right)
        for comparison in self.comparisons:
            if comparison.name in self.columns:
                column, measure = self.columns[comparison.name]
                level = pair_levels(column.codes[left], column.codes[right], measure, comparison.exact)
                if isinstance(column, MultiCoded):
                    _any_equal(column, left, right, level, comparison.exact)
                found[comparison.name] = level
        return found

    def _address(self, left: Rows, right: Rows) -> Levels:
        """Levels of ``comparisons.ADDRESS``, or of ``comparisons.PLACE`` where nobody has a street."""
        columns = self.records.columns
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
            level[present & (self.areas[one] == self.areas[two])] = rank["area"]
            near = pair_levels(one, two, self.places["postcode"], 2)
            near_code, same_code = near >= 1, near == 2
        if "city" in columns:
            one, two, present = both("city")
            known |= present
            same_city = pair_levels(one, two, self.places["city"], 1) == 1
            other_city = present & ~same_city
        level[same_city] = rank["city"]
        level[near_code] = rank["near code"]
        level[near_code & same_city] = rank["near code and city"]
        level[same_code] = rank["code"]
        level[same_code & other_city] = rank["code, other city"]
        if "street" in columns:
            level = self._street(left, right, level, same_city | near_code)
            known |= (columns["street"].codes[left] >= 0) & (columns["street"].codes[right] >= 0)
        return np.where(known, level, np.int8(-1))

    def _street(self, left: Rows, right: Rows, place: Levels, here: Flags) -> Levels:
        """Raise or lower the level of a place by what is known of the street and the number."""
        street, level = self.records.columns["street"], place.copy()
        one, two = street.codes[left], street.codes[right]
        found = pair_levels(one, two, self.places["street"], 1)
        alike, differs = found == 1, found == 0
        level[differs & (place == _ADDRESS_RANKS["city"])] = ADDRESS.levels.index("other street, same city")
        code = np.isin(place, [_ADDRESS_RANKS[k] for k in ("code", "near code and city")])
        level[differs & code] = ADDRESS.levels.index("other street, same postcode")
        level[alike & here] = ADDRESS.levels.index("same street")
        if "street_number" in self.records.columns:
            number = self.records.columns["street_number"].codes
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
_BRANCHES = (BRANCH_ADDRESS, BRANCH_PLACE)
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


def name_levels(names: Names, left: Rows, right: Rows) -> tuple[Levels, Levels]:
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


def _any_equal(column: MultiCoded, left: Rows, right: Rows, level: Levels, exact: int) -> None:
    """Raise to ``exact`` where any value of one record is a value of the other."""
    if len(column.record) == int((column.codes >= 0).sum()):
        return
    counts = np.bincount(column.record, minlength=len(column.codes))
    several = np.flatnonzero(((counts[left] > 1) | (counts[right] > 1)) & (level >= 0) & (level < exact))
    if len(several):
        level[several[share_value(column, left[several], right[several])]] = exact


def share_value(column: MultiCoded, left: Rows, right: Rows) -> Flags:
    """Whether two records have any value of a column in common."""
    starts = np.searchsorted(column.record, left)
    lengths = np.searchsorted(column.record, left, side="right") - starts
    pair = np.repeat(np.arange(len(left)), lengths)
    offset = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    value = column.value[np.repeat(starts, lengths) + offset].astype(np.int64)
    wanted = (right[pair].astype(np.int64) << 32) | value
    known = (column.record.astype(np.int64) << 32) | column.value
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    shared = np.zeros(len(left), dtype=bool)
    shared[pair[known[place] == wanted]] = True
    return shared


def postcode_areas(column: Coded) -> Codes:
    """Area of each postcode: all but the last three letters or digits, at least two."""
    places: dict[str, int] = {}
    areas = [value[: max(2, len(value) - 3)] for value in column.values]
    return np.fromiter((places.setdefault(area, len(places)) for area in areas), np.int32, len(areas))


def comparer(records: RecordSet) -> Comparer:
    """Choose the comparisons that the columns of the records allow."""
    columns = records.columns
    chosen: list[Comparison] = []
    read: dict[str, tuple[Coded, Measure]] = {}
    equal: dict[str, Coded] = {}
    names = None
    if "given_name" in columns or "surname" in columns:
        names = Names.of(records)
        chosen += [GIVEN, SURNAME]
        equal[GIVEN.name], equal[SURNAME.name] = (
            Coded(names.values, names.given),
            Coded(names.values, names.surname),
        )

    def add(comparison: Comparison, column: Coded, measure: Callable[[Coded], Measure]) -> None:
        chosen.append(comparison)
        read[comparison.name] = column, measure(column)
        equal[comparison.name] = column

    for role, comparison, measure in _SIMPLE:
        if role in columns:
            own = BRANCH_NAME if comparison is COMPANY and names is None else comparison
            add(own, columns[role], measure)
    places: dict[str, Measure] = {}
    makers = {
        "postcode": measures.code,
        "city": measures.place,
        "street": measures.street,
        "region": measures.equal_only,
    }
    places = {role: make(columns[role]) for role, make in makers.items() if role in columns}
    if places:
        kinds = (ADDRESS, PLACE) if names is not None or "company" not in columns else _BRANCHES
        chosen.append(kinds["street" not in columns])
        telling = "door" if "street" in columns else "postcode" if "postcode" in columns else "city"
        if telling in columns:
            equal[chosen[-1].name] = columns[telling]
    for (kind, namespace), identifier in records.identifiers.items():
        if identifier.present:
            maker = {"email": measures.email, "phone": measures.phone}.get(kind, measures.identifier)
            add(of_identifier(kind, namespace), identifier, maker)
    used = {role for role, _, _ in _SIMPLE} | {"given_name", "surname", *_ADDRESS_ROLES}
    for name in [name for name in sorted(columns) if name not in used][:_TEXT_LIMIT]:
        add(of_text(name), columns[name], measures.text)
    areas = postcode_areas(columns["postcode"]) if "postcode" in columns else np.empty(0, np.int32)
    return Comparer(tuple(chosen), records, names, read, places, areas, equal)


__all__ = ["Comparer", "Names", "comparer", "identifier_name"]
