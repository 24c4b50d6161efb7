"""Comparisons: for a pair of records, the level of agreement of each field.

A level is a small integer: 0 is "different", higher agrees more, -1 means that a side has no value. All levels
are symmetric in the two records. Fuzzy measures run once per distinct pair of values in rapidfuzz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from identity.normalise.nicknames import families
from identity.records import Coded, Codes, MultiCoded, RecordSet

Levels = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
CHUNK = 1 << 19


@dataclass(frozen=True)
class Comparison:
    """What one comparison can answer. ``levels[0]`` is the weakest; ``exact`` is the level of equal values.

    ``prior_m``: share of each level among matches, the shipped belief that data then corrects.
    ``prior_related``: the same for two people of one household; None where the field is personal, so that
    two people of one household agree on it no more than strangers do.
    ``tf``: whether the frequency of an equal value adjusts the weight.
    """

    name: str
    levels: tuple[str, ...]
    prior_m: tuple[float, ...]
    prior_related: tuple[float, ...] | None = None
    tf: bool = False
    prior_u: tuple[float, ...] | None = None

    @property
    def exact(self) -> int:
        """The highest level."""
        return len(self.levels) - 1


GIVEN = Comparison(
    "given name", ("different", "same initial", "similar", "initial only", "short form", "one letter differs", "same"),
    (0.04, 0.02, 0.03, 0.06, 0.06, 0.07, 0.72), tf=True,
)  # fmt: skip
SURNAME = Comparison(
    "surname",
    ("different", "sounds alike", "one name swapped", "part in common", "similar", "swapped with given name", "same"),
    (0.05, 0.01, 0.01, 0.03, 0.07, 0.03, 0.80), (0.25, 0.01, 0.01, 0.03, 0.05, 0.01, 0.64), tf=True,
)  # fmt: skip
MIDDLE = Comparison("middle name", ("different", "same initial", "same"), (0.08, 0.22, 0.70))
SUFFIX = Comparison("suffix", ("different", "same"), (0.0005, 0.9995), (0.7, 0.3), prior_u=(0.5, 0.5))
GENDER = Comparison("gender", ("different", "same"), (0.04, 0.96))
BIRTH = Comparison(
    "birth date",
    ("different", "within ten years", "within a year", "one part differs", "within a month", "day and month swapped",
     "one digit differs", "same"),
    (0.02, 0.01, 0.02, 0.05, 0.01, 0.02, 0.06, 0.81), tf=True,
)  # fmt: skip
EMAIL = Comparison(
    "e-mail", ("different", "alike", "same name part", "similar", "same"),
    (0.28, 0.02, 0.05, 0.08, 0.57), (0.82, 0.01, 0.01, 0.01, 0.15), tf=True,
)
PHONE = Comparison("phone", ("different", "one digit differs", "same"), (0.22, 0.08, 0.70), (0.59, 0.01, 0.40), tf=True)
ADDRESS = Comparison(
    "address",
    ("different", "same region", "same area", "same city", "similar postcode", "same postcode", "same street", "same door",
     "same door and place"),
    (0.12, 0.02, 0.01, 0.03, 0.03, 0.06, 0.03, 0.06, 0.64), (0.08, 0.01, 0.01, 0.02, 0.02, 0.06, 0.05, 0.05, 0.70), tf=True,
)  # fmt: skip
COMPANY = Comparison(
    "company", ("different", "words in common", "similar", "same"), (0.08, 0.12, 0.15, 0.65), (0.40, 0.05, 0.05, 0.50), tf=True
)
TEXT = ((0.25, 0.15, 0.60), (0.60, 0.05, 0.35))
IDENTIFIER = ("different", "one sign differs", "same")


def _distinct(left: Codes, right: Codes) -> tuple[Codes, Codes, Rows]:
    low, high = np.minimum(left, right), np.maximum(left, right)
    packed, inverse = np.unique((low.astype(np.int64) << 32) | high, return_inverse=True)
    return (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32), inverse


def _by_distinct(left: Codes, right: Codes, level: Callable[[Codes, Codes], Levels]) -> Levels:
    if not len(left):
        return np.empty(0, dtype=np.int8)
    low, high, inverse = _distinct(left, right)
    return level(low, high)[inverse]


def jaro_winkler(left: npt.NDArray[np.object_], right: npt.NDArray[np.object_], cutoff: float) -> npt.NDArray[np.float32]:
    """Jaro–Winkler similarity of paired texts (0 below ``cutoff``)."""
    return process.cpdist(left, right, scorer=JaroWinkler.similarity, score_cutoff=cutoff, dtype=np.float32)


def edits(left: npt.NDArray[np.object_], right: npt.NDArray[np.object_], most: int) -> npt.NDArray[np.int32]:
    """Optimal string alignment distance of paired texts (``most`` + 1 above ``most``)."""
    return process.cpdist(left, right, scorer=OSA.distance, score_cutoff=most, dtype=np.int32)


@dataclass(frozen=True)
class Names:
    """Tables of the values of given names and surnames in one numbering, for all name comparisons."""

    values: npt.NDArray[np.object_]
    length: npt.NDArray[np.int16]
    first: npt.NDArray[np.int32]
    family: npt.NDArray[np.int32]
    sound: npt.NDArray[np.int32]
    part: npt.NDArray[np.int32]

    @classmethod
    def of(cls, values: npt.NDArray[np.object_], sounds: npt.NDArray[np.object_]) -> Names:
        known = families()
        width = max((len(f) for f in known.values()), default=1)
        family = np.full((len(values), width), -1, dtype=np.int32)
        words: dict[str, int] = {}
        part = np.full((len(values), 3), -1, dtype=np.int32)
        for place, value in enumerate(values):
            own = known.get(value, ())
            family[place, : len(own)] = own
            pieces = value.split()
            if len(pieces) > 1:
                long = sorted({p for p in pieces if len(p) > 2}, key=lambda p: (-len(p), p))[:2]
                for slot, piece in enumerate([value.replace(" ", ""), *long]):
                    part[place, slot] = words.setdefault(piece, len(words))
            else:
                part[place, 0] = words.setdefault(value, len(words))
        length = np.fromiter((len(v) for v in values), np.int16, len(values))
        first = np.fromiter((ord(v[0]) for v in values), np.int32, len(values))
        _, sound = np.unique(sounds.astype(str), return_inverse=True) if len(sounds) else (None, np.empty(0, np.int64))
        return cls(values, length, first, family, sound.astype(np.int32), part)

    def given(self, left: Codes, right: Codes) -> Levels:
        """Levels of two distinct given names (never equal)."""
        a, b = self.values[left], self.values[right]
        short = np.minimum(self.length[left], self.length[right])
        level = np.zeros(len(left), dtype=np.int8)
        same_first = self.first[left] == self.first[right]
        long = short > 1
        level[same_first & long] = 1
        score = np.zeros(len(left), dtype=np.float32)
        score[long] = jaro_winkler(a[long], b[long], 0.84)
        level[score >= 0.84] = 2
        level[same_first & (short == 1)] = 3
        level[_share(self.family[left], self.family[right])] = 4
        close = (short >= 3) & (score >= 0.84) | (short >= 3) & ~same_first
        close[close] = edits(a[close], b[close], 1) <= 1
        level[close] = 5
        return level

    def surname(self, left: Codes, right: Codes) -> Levels:
        """Levels of two distinct surnames (never equal); levels 2 and 5 are for the caller."""
        a, b = self.values[left], self.values[right]
        level = np.zeros(len(left), dtype=np.int8)
        level[self.sound[left] == self.sound[right]] = 1
        level[_share(self.part[left], self.part[right])] = 3
        near = jaro_winkler(a, b, 0.9) >= 0.9
        other = ~near & (np.minimum(self.length[left], self.length[right]) >= 4)
        other[other] = edits(a[other], b[other], 1) <= 1
        level[near | other] = 4
        return level


def _share(left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]) -> Flags:
    shared = np.zeros(len(left), dtype=bool)
    used_left = [i for i in range(left.shape[1]) if i == 0 or (left[:, i] >= 0).any()]
    used_right = [i for i in range(right.shape[1]) if i == 0 or (right[:, i] >= 0).any()]
    for i in used_left:
        for j in used_right:
            shared |= (left[:, i] == right[:, j]) & (left[:, i] >= 0)
    return shared


@dataclass(frozen=True)
class Comparer:
    """The comparisons that a set of records allows, and the encoded columns that they read."""

    comparisons: tuple[Comparison, ...]
    records: RecordSet
    names: Names | None
    given: Codes
    surname: Codes
    tf_codes: dict[str, Coded] = field(default_factory=dict)

    def levels(self, left: Rows, right: Rows) -> Levels:
        """Matrix of levels, one row per comparison, one column per pair."""
        out = np.full((len(self.comparisons), len(left)), -1, dtype=np.int8)
        for start in range(0, len(left), CHUNK):
            stop = min(start + CHUNK, len(left))
            a, b = left[start:stop], right[start:stop]
            part = self._chunk(a, b)
            for row, comparison in enumerate(self.comparisons):
                out[row, start:stop] = part[comparison.name]
        return out

    def _chunk(self, left: Rows, right: Rows) -> dict[str, Levels]:
        found: dict[str, Levels] = {}
        if self.names is not None:
            found.update(_name_levels(self.names, self.given, self.surname, left, right))
        columns = self.records.columns
        for role, comparison, level in _SIMPLE:
            if role in columns:
                found[comparison.name] = _coded(columns[role], left, right, level, comparison.exact)
        if any(role in columns for role in ("door", "postcode", "city", "region", "street")):
            found["address"] = _address_levels(self.records, left, right)
        for (kind, namespace), column in self.records.identifiers.items():
            name = identifier_name(kind, namespace)
            found[name] = _multi(column, left, right, _IDENTIFIER_LEVELS.get(kind, _id_level), 4 if kind == "email" else 2)
        for comparison in self.comparisons:
            if comparison.name not in found:
                found[comparison.name] = _coded(columns[comparison.name], left, right, _text_level, comparison.exact)
        return found


def identifier_name(kind: str, namespace: str) -> str:
    """The name of the comparison of one identifier type."""
    plain = {"email": "e-mail", "phone": "phone"}.get(kind)
    return plain or f"{namespace or kind} ({kind})"


def _name_levels(names: Names, given: Codes, surname: Codes, left: Rows, right: Rows) -> dict[str, Levels]:
    gl, gr, sl, sr = given[left], given[right], surname[left], surname[right]
    first = _pair_levels(gl, gr, names.given, GIVEN.exact)
    last = _pair_levels(sl, sr, names.surname, SURNAME.exact)
    crossed = ((first <= 1) & (last <= 1)) | (first < 0) | (last < 0)
    crossed &= (((gl >= 0) & (sr >= 0)) | ((sl >= 0) & (gr >= 0))) & (last != SURNAME.exact) & (first != GIVEN.exact)
    if crossed.any():
        here = np.flatnonzero(crossed)
        one = _pair_levels(gl[here], sr[here], names.given, GIVEN.exact)
        two = _pair_levels(gr[here], sl[here], names.given, GIVEN.exact)
        both = (np.minimum(one, two) >= 2) & (np.maximum(one, two) >= 5) & (np.minimum(one, two) != 3)
        lone = (gl[here] < 0) | (sl[here] < 0) | (gr[here] < 0) | (sr[here] < 0)
        one_only = ((one >= 5) | (two >= 5)) & (first[here] <= 1) & (last[here] <= 1) & ~both
        last[here[both | (one_only & lone)]] = 5
        last[here[one_only & ~lone]] = 2
        first[here[both]] = np.maximum(one, two)[both]
        first[here[one_only]] = -1
    return {"given name": first, "surname": last}


def _pair_levels(left: Codes, right: Codes, level: Callable[[Codes, Codes], Levels], exact: int) -> Levels:
    out = np.full(len(left), -1, dtype=np.int8)
    present = (left >= 0) & (right >= 0)
    equal = present & (left == right)
    out[equal] = exact
    rest = np.flatnonzero(present & ~equal)
    out[rest] = _by_distinct(left[rest], right[rest], level)
    return out


def _coded(column: Coded, left: Rows, right: Rows, level: Callable[[Coded, Codes, Codes], Levels], exact: int) -> Levels:
    return _pair_levels(column.codes[left], column.codes[right], lambda a, b: level(column, a, b), exact)


def _multi(column: MultiCoded, left: Rows, right: Rows, level: Callable[[Coded, Codes, Codes], Levels], exact: int) -> Levels:
    """As _coded, and exact wherever any value of one record is a value of the other."""
    out = _coded(column, left, right, level, exact)
    counts = np.bincount(column.record, minlength=len(column.codes))
    several = np.flatnonzero(((counts[left] > 1) | (counts[right] > 1)) & (out >= 0) & (out < exact))
    if len(several):
        out[several[share_value(column, left[several], right[several])]] = exact
    return out


def share_value(column: MultiCoded, left: Rows, right: Rows) -> Flags:
    """Whether two records have any value of a column in common."""
    starts = np.searchsorted(column.record, left)
    lengths = np.searchsorted(column.record, left, side="right") - starts
    pair = np.repeat(np.arange(len(left)), lengths)
    offset = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    value = column.value[np.repeat(starts, lengths) + offset].astype(np.int64)
    wanted = (right[pair].astype(np.int64) << 32) | value
    known = (column.record.astype(np.int64) << 32) | column.value
    place = np.searchsorted(known, wanted)
    hit = (place < len(known)) & (known[np.minimum(place, len(known) - 1)] == wanted)
    shared = np.zeros(len(left), dtype=bool)
    shared[pair[hit]] = True
    return shared


def _birth_level(column: Coded, left: Codes, right: Codes) -> Levels:
    a, b = column.values[left], column.values[right]
    number = np.fromiter((int(v) for v in column.values), np.int64, len(column.values))
    one, two = number[left], number[right]
    days = np.abs(_day_number(one) - _day_number(two))
    year = one // 10000 == two // 10000
    month = one // 100 % 100 == two // 100 % 100
    day = one % 100 == two % 100
    level = np.zeros(len(left), dtype=np.int8)
    level[days <= 3720] = 1
    level[days <= 372] = 2
    level[year & (month | day) | month & day] = 3
    level[days <= 31] = 4
    level[year & (one % 100 == two // 100 % 100) & (two % 100 == one // 100 % 100)] = 5
    level[(edits(a, b, 1) <= 1) & (level != 5)] = 6
    century = month & day & ((one - two) % 1_000_000 == 0)
    level[century] = 6
    return level


def _day_number(date: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Days on a calendar of 31-day months: near enough to compare, and defined for impossible dates."""
    return (date // 10000 * 12 + date // 100 % 100) * 31 + date % 100


def _email_level(column: Coded, left: Codes, right: Codes) -> Levels:
    a, b = column.values[left], column.values[right]
    used, inverse = np.unique(np.concatenate([left, right]), return_inverse=True)
    local = np.array([column.values[c].partition("@")[0] for c in used], dtype=object)
    one, two = local[inverse[: len(left)]], local[inverse[len(left) :]]
    level = np.zeros(len(left), dtype=np.int8)
    rare = np.flatnonzero(_rare_domain(column)[left] & _rare_domain(column)[right])
    level[rare] = edits(a[rare], b[rare], 5) <= 5
    level[(one == two) & (np.fromiter((len(v) for v in one), np.int64, len(one)) >= 4)] = 2
    level[edits(a, b, 2) <= 2] = 3
    return level


def _rare_domain(column: Coded) -> Flags:
    """Addresses outside the large providers, where even a loose likeness tells something."""
    _, domain, counts = np.unique([v.rpartition("@")[2] for v in column.values], return_inverse=True, return_counts=True)
    return counts[domain] <= max(20, len(column.values) // 200)


def _phone_level(column: Coded, left: Codes, right: Codes) -> Levels:
    a, b = column.values[left], column.values[right]
    tail = np.array([v[-7:] for v in column.values], dtype=object)
    length = np.fromiter((len(v) for v in column.values), np.int8, len(column.values))
    level = (edits(a, b, 1) <= 1).astype(np.int8)
    local = (np.minimum(length[left], length[right]) == 7) & (tail[left] == tail[right])
    level[local] = 1
    return level


def _id_level(column: Coded, left: Codes, right: Codes) -> Levels:
    a, b = column.values[left], column.values[right]
    length = np.fromiter((len(v) for v in column.values), np.int16, len(column.values))
    return ((edits(a, b, 1) <= 1) & (np.minimum(length[left], length[right]) >= 5)).astype(np.int8)


def _middle_level(column: Coded, left: Codes, right: Codes) -> Levels:
    first = np.fromiter((ord(v[0]) for v in column.values), np.int32, len(column.values))
    level = (first[left] == first[right]).astype(np.int8)
    a, b = column.values[left], column.values[right]
    level[jaro_winkler(a, b, 0.9) >= 0.9] = 1
    return level


def _equal_only(column: Coded, left: Codes, right: Codes) -> Levels:
    return np.zeros(len(left), dtype=np.int8)


def _company_level(column: Coded, left: Codes, right: Codes) -> Levels:
    a, b = column.values[left], column.values[right]
    level = np.zeros(len(left), dtype=np.int8)
    used, inverse = np.unique(np.concatenate([left, right]), return_inverse=True)
    bags = [frozenset(w for w in column.values[c].split() if len(w) > 2) for c in used]
    one, two = inverse[: len(left)], inverse[len(left) :]
    common = np.fromiter((len(bags[i] & bags[j]) / max(1, min(len(bags[i]), len(bags[j]))) for i, j in zip(one, two, strict=True)),
                         np.float64, len(left))  # fmt: skip
    level[common >= 0.5] = 1
    level[(jaro_winkler(a, b, 0.9) >= 0.9) | ((common >= 0.99) & (jaro_winkler(a, b, 0.75) > 0))] = 2
    return level


def _text_level(column: Coded, left: Codes, right: Codes) -> Levels:
    return (jaro_winkler(column.values[left], column.values[right], 0.88) >= 0.88).astype(np.int8)


def _similar_values(column: Coded, left: Codes, right: Codes, cutoff: float) -> Flags:
    """Equal or alike values; missing ones are not alike."""
    return _pair_levels(left, right, lambda a, b: (jaro_winkler(column.values[a], column.values[b], cutoff) >= cutoff)
                        .astype(np.int8), 1) == 1  # fmt: skip


def _address_levels(records: RecordSet, left: Rows, right: Rows) -> Levels:
    columns = records.columns
    size = len(left)
    nothing = np.zeros(size, dtype=bool)

    def pair(role: str) -> tuple[Codes, Codes] | None:
        return (columns[role].codes[left], columns[role].codes[right]) if role in columns else None

    known, level = nothing.copy(), np.zeros(size, dtype=np.int8)
    region, city, postcode = pair("region"), pair("city"), pair("postcode")
    same_city = same_postcode = near_postcode = nothing
    if region:
        level[(region[0] == region[1]) & (region[0] >= 0)] = 1
    if postcode:
        both = (postcode[0] >= 0) & (postcode[1] >= 0)
        known |= both
        areas = recode_area(columns["postcode"])
        level[both & (areas[postcode[0]] == areas[postcode[1]])] = 2
    if city:
        known |= (city[0] >= 0) & (city[1] >= 0)
        same_city = _similar_values(columns["city"], city[0], city[1], 0.9)
        level[same_city] = 3
    if postcode:
        near_postcode = _pair_levels(postcode[0], postcode[1], lambda a, b: (
            edits(columns["postcode"].values[a], columns["postcode"].values[b], 1) <= 1).astype(np.int8), 1) == 1  # fmt: skip
        same_postcode = both & (postcode[0] == postcode[1])
        level[near_postcode] = 4
        level[same_postcode] = 5
    street, number = pair("street"), pair("street_number")
    if street:
        both_streets = (street[0] >= 0) & (street[1] >= 0)
        known |= both_streets
        alike = both_streets & _similar_values(columns["street"], street[0], street[1], 0.9)
        place = same_city | near_postcode
        level[alike & place] = 6
        if number:
            door = alike & (number[0] == number[1]) & (number[0] >= 0)
            level[door] = 7
            level[door & place] = 8
    return np.where(known, level, np.int8(-1))


def recode_area(column: Coded) -> Codes:
    """Area of each postcode: all but the last three letters or digits, at least two."""
    places: dict[str, int] = {}
    areas = [value[: max(2, len(value) - 3)] for value in column.values]
    return np.fromiter((places.setdefault(area, len(places)) for area in areas), np.int32, len(areas))


_SIMPLE: tuple[tuple[str, Comparison, Callable[[Coded, Codes, Codes], Levels]], ...] = (
    ("middle_name", MIDDLE, _middle_level),
    ("suffix", SUFFIX, _equal_only),
    ("gender", GENDER, _equal_only),
    ("birth_date", BIRTH, _birth_level),
    ("company", COMPANY, _company_level),
)
_IDENTIFIER_LEVELS: dict[str, Callable[[Coded, Codes, Codes], Levels]] = {"email": _email_level, "phone": _phone_level}
_TEXT_LIMIT = 12
_SHARED_DEVICES = frozenset({"device", "anonymous_id"})


def comparer(records: RecordSet) -> Comparer:
    """Choose the comparisons that the columns of the records allow."""
    columns = records.columns
    chosen: list[Comparison] = []
    tf_codes: dict[str, Coded] = {}
    names = None
    absent = np.full(len(records), -1, dtype=np.int32)
    given = surname = absent
    if "given_name" in columns or "surname" in columns:
        names, given, surname = _shared_names(records)
        chosen += [GIVEN, SURNAME]
        tf_codes["given name"] = Coded(names.values, given)
        tf_codes["surname"] = Coded(names.values, surname)
    for role, comparison, _ in _SIMPLE:
        if role in columns:
            chosen.append(comparison)
            if comparison.tf:
                tf_codes[comparison.name] = columns[role]
    if any(role in columns for role in ("door", "postcode", "city", "region", "street")):
        chosen.append(ADDRESS)
        if "door" in columns:
            tf_codes["address"] = columns["door"]
    for (kind, namespace), column in records.identifiers.items():
        if column.present:
            chosen.append(_identifier_comparison(kind, namespace))
            tf_codes[chosen[-1].name] = column
    used = {role for role, _, _ in _SIMPLE} | {"given_name", "surname", "door", "postcode", "city", "region", "street",
                                               "street_number", "country"}  # fmt: skip
    texts = [name for name in sorted(columns) if name not in used][:_TEXT_LIMIT]
    for name in texts:
        chosen.append(Comparison(name, ("different", "similar", "same"), *TEXT, tf=True))
        tf_codes[name] = columns[name]
    return Comparer(tuple(chosen), records, names, given, surname, tf_codes)


def _identifier_comparison(kind: str, namespace: str) -> Comparison:
    if kind == "email":
        return EMAIL
    if kind == "phone":
        return PHONE
    shared = (0.55, 0.01, 0.44) if kind in _SHARED_DEVICES else None
    return Comparison(identifier_name(kind, namespace), IDENTIFIER, (0.06, 0.04, 0.90), shared)


def _shared_names(records: RecordSet) -> tuple[Names, Codes, Codes]:
    """Given names and surnames in one numbering."""
    from identity.records import coalesce, sounds

    empty = Coded(np.empty(0, dtype=object), np.full(len(records), -1, dtype=np.int32))
    given = records.columns.get("given_name", empty)
    surname = records.columns.get("surname", empty)
    never = np.zeros(len(records), dtype=bool)
    joined = coalesce(given, surname, never)
    place = {value: code for code, value in enumerate(joined.values)}
    mapping = np.fromiter((place[v] for v in surname.values), np.int32, len(surname.values))
    codes = np.where(surname.codes >= 0, mapping[surname.codes], -1).astype(np.int32) if len(mapping) else surname.codes
    spoken = sounds(Coded(joined.values, np.arange(len(joined.values), dtype=np.int32)))
    by_sound = np.array([spoken.values[c] if c >= 0 else "" for c in spoken.codes], dtype=object)
    return Names.of(joined.values, by_sound), given.codes, codes
