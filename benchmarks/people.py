"""People at any size, with the truth: several records each, households, moves, typos, formats per channel.

    python -m benchmarks.people OUT.parquet --records 4000000 [--seed 1]

Deterministic by seed. Streams: memory does not grow with the size. Columns: ``record_id`` (opaque),
``source``, ``entity_id`` (the truth), and what five channels would know. A vocabulary of names as skewed as
real ones stays the same at every size, so that blocks grow as they do in life.
"""

from __future__ import annotations

import argparse
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.vocabulary import DAYS, DOMAINS, Vocabulary, vocabulary

Rows = npt.NDArray[np.int64]
Rng = np.random.Generator
SOURCES = ("web", "crm", "email", "phone", "social")
_SHARES = (0.30, 0.22, 0.20, 0.18, 0.10)
# Chance that a channel knows a field, by channel in the order of SOURCES.
_KNOWN = {
    "given_name": (0.98, 1.00, 0.62, 0.90, 0.92),
    "middle_name": (0.03, 0.32, 0.0, 0.0, 0.0),
    "surname": (0.98, 1.00, 0.62, 0.88, 0.75),
    "dob": (0.35, 0.75, 0.0, 0.10, 0.45),
    "email": (0.99, 0.78, 1.0, 0.0, 0.50),
    "phone": (0.42, 0.80, 0.12, 1.0, 0.10),
    "address": (0.55, 0.97, 0.0, 0.38, 0.0),
    "loyalty_id": (0.12, 0.25, 0.0, 0.05, 0.0),
    "social_handle": (0.02, 0.0, 0.0, 0.0, 0.40),
}
_RECORDS = (0.36, 0.24, 0.16, 0.10, 0.06, 0.04, 0.02, 0.02)  # chance of 1, 2, … records of one person
RECORDS_PER_PERSON = sum(n * share for n, share in enumerate(_RECORDS, 1))
_HOUSEHOLD = (0.42, 0.31, 0.13, 0.10, 0.04)
_CHUNK = 60_000  # households made at once
_BUCKET = 400_000  # records of one part of the file, inside of which rows are shuffled
_PRIME = 2_147_483_647


def generate(path: Path, records: int, seed: int = 1) -> int:
    """Write about ``records`` records to ``path`` (Parquet, rows shuffled); return how many there are."""
    buckets = max(1, math.ceil(records / _BUCKET))
    parts = path.with_suffix(".parts")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    written = 0
    writers: list[pq.ParquetWriter] = []
    for number, table in enumerate(_chunks(records, seed)):
        if not writers:
            writers = [
                pq.ParquetWriter(parts / f"{i}.parquet", table.schema, compression="lz4")
                for i in range(buckets)
            ]
        bucket = np.random.default_rng([seed, number, 7]).integers(0, buckets, table.num_rows)
        order = np.argsort(bucket, kind="stable")
        bounds = np.searchsorted(bucket[order], np.arange(buckets + 1))
        spread = table.take(pa.array(order))
        for i, writer in enumerate(writers):
            writer.write_table(spread.slice(bounds[i], bounds[i + 1] - bounds[i]))
        written += table.num_rows
    for writer in writers:
        writer.close()
    _join(parts, buckets, path, seed)
    shutil.rmtree(parts)
    return written


def _join(parts: Path, buckets: int, path: Path, seed: int) -> None:
    schema = pq.read_schema(parts / "0.parquet")
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for i in range(buckets):
            table = pq.read_table(parts / f"{i}.parquet")
            order = np.random.default_rng([seed, i, 8]).permutation(table.num_rows)
            writer.write_table(table.take(pa.array(order)), row_group_size=131_072)


def _chunks(records: int, seed: int) -> Iterator[pa.Table]:
    """Make households until there are enough records; the last chunk is cut."""
    words = vocabulary()
    left, first, number = records, 0, 0
    while left > 0:
        rng = np.random.default_rng([seed, number, 1])
        mean = RECORDS_PER_PERSON * sum(n * share for n, share in enumerate(_HOUSEHOLD, 1))
        homes = min(_CHUNK, max(1, math.ceil(left / mean * 1.02)))
        people = _people(rng, words, homes, first)
        table = _records(rng, words, people)
        yield table.slice(0, min(left, table.num_rows))
        left, first, number = left - table.num_rows, first + len(people.number), number + 1


@dataclass(frozen=True)
class People:
    """Codes of what each person has; addresses and phones twice, before and after a change."""

    number: Rows
    home: Rows
    given: Rows
    middle: Rows
    surname: Rows
    later_surname: Rows
    day: Rows
    city: tuple[Rows, Rows]
    street: tuple[Rows, Rows]
    door: tuple[Rows, Rows]
    mobile: tuple[Rows, Rows]
    landline: Rows
    family_mail: npt.NDArray[np.bool_]
    domain: Rows
    form: Rows


def _people(rng: Rng, words: Vocabulary, homes: int, first: int) -> People:
    size = rng.choice(np.arange(1, len(_HOUSEHOLD) + 1), homes, p=_HOUSEHOLD)
    home = np.repeat(np.arange(homes), size)
    count = len(home)
    number = first + np.arange(count)
    family = words.surname(rng, homes)[home]
    own = words.surname(rng, count)
    surname = np.where(rng.random(count) < 0.86, family, own)
    marries = rng.random(count) < 0.03
    given = words.given_name(rng, count)
    father = np.r_[False, (home[1:] == home[:-1]) & (rng.random(count - 1) < 0.02)]
    given = np.where(father, np.r_[given[:1], given[:-1]], given)
    city = words.city(rng, homes)[home]
    street, door = words.street(rng, homes)[home], rng.integers(1, 9_999, homes)[home]
    moves = rng.random(count) < 0.10
    mobile = 2_000_000_000 + (number * 48_271) % _PRIME
    changes = rng.random(count) < 0.08
    return People(
        number=number,
        home=first + home,
        given=given,
        middle=np.where(rng.random(count) < 0.5, words.given_name(rng, count), -1),
        surname=surname,
        later_surname=np.where(marries, own, surname),
        day=rng.integers(0, len(DAYS), count),
        city=(city, np.where(moves, words.city(rng, count), city)),
        street=(street, np.where(moves, words.street(rng, count), street)),
        door=(door, np.where(moves, rng.integers(1, 9_999, count), door)),
        mobile=(mobile, np.where(changes, 4_200_000_000 + (number * 69_621) % _PRIME, mobile)),
        landline=6_400_000_000 + ((first + home) * 40_692) % _PRIME,
        family_mail=(rng.random(homes) < 0.10)[home] & (size[home] > 1),
        domain=np.minimum(rng.geometric(0.35, count) - 1, len(DOMAINS) - 1),
        form=rng.integers(0, 3, count),
    )


def _records(rng: Rng, words: Vocabulary, people: People) -> pa.Table:
    """Repeat people into records, each as one channel knows the person at one time."""
    each = rng.choice(np.arange(1, len(_RECORDS) + 1), len(people.number), p=_RECORDS)
    who = np.repeat(np.arange(len(people.number)), each)
    count = len(who)
    source = rng.choice(len(SOURCES), count, p=_SHARES)
    later = (rng.random(count) < 0.5).astype(np.int64)
    known = {field: rng.random(count) < np.array(chances)[source] for field, chances in _KNOWN.items()}
    style = rng.choice(3, count, p=(0.72, 0.20, 0.08))
    given, surname = _given(rng, words, people, who), _surname(words, people, who, later)
    columns = {
        "record_id": _ids(people.number[who], np.arange(count) - np.repeat(np.cumsum(each) - each, each)),
        "source": pa.array(np.array(SOURCES, dtype=object)[source], pa.string()),
        "entity_id": pc.binary_join_element_wise("e", pc.cast(pa.array(people.number[who]), pa.string()), ""),
        "given_name": _only(known["given_name"], _cased(typos(rng, given, 0.035), style)),
        "middle_name": _only(
            known["middle_name"] & (people.middle[who] >= 0),
            words.given.take(pa.array(np.maximum(people.middle[who], 0))),
        ),
        "surname": _only(known["surname"], _cased(typos(rng, surname, 0.035), style)),
        "dob": _only(known["dob"], _dates(rng, people.day[who], source)),
        "email": _only(known["email"], _mails(rng, words, people, who)),
        "phone": _only(known["phone"], _phones(rng, people, who, later)),
        **_address(rng, words, people, who, later, known["address"]),
        "loyalty_id": _only(known["loyalty_id"], _coded("L", people.number[who] * 16_807 % _PRIME, 10)),
        "social_handle": _only(known["social_handle"], _handles(words, people, who)),
    }
    return pa.table(columns)


def _only(mask: npt.NDArray[np.bool_], values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), values, pa.scalar(None, pa.string()))


def _ids(number: Rows, place: Rows) -> pa.Array:
    """Opaque ids: neither people nor their order can be read from them (a bijection of 64-bit numbers)."""
    mixed = (number * 16 + place).astype(np.uint64)
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # constants of splitmix64 (Steele et al. 2014)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(factor)
    return _coded("r", mixed ^ (mixed >> np.uint64(31)), 20)


def _coded(letter: str, number: npt.NDArray[np.integer], digits: int) -> pa.Array:
    text = pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), digits, "0")
    return pc.binary_join_element_wise(letter, text, "")


def _given(rng: Rng, words: Vocabulary, people: People, who: Rows) -> pa.Array:
    """Given names; some in a short form, some as an initial."""
    code = people.given[who]
    dice = rng.random(len(who))
    short = words.short.take(pa.array(code))
    plain = words.given.take(pa.array(code))
    found = pc.if_else(pa.array(dice < 0.12), pc.coalesce(short, plain), plain)
    initial = pc.binary_join_element_wise(pc.utf8_slice_codeunits(plain, 0, 1), ".", "")
    return pc.if_else(pa.array(dice > 0.965), initial, found)


def _surname(words: Vocabulary, people: People, who: Rows, later: Rows) -> pa.Array:
    return words.surnames.take(pa.array(np.where(later == 1, people.later_surname[who], people.surname[who])))


def typos(rng: Rng, values: pa.Array, rate: float) -> pa.Array:
    """Change one letter in some values: left out, doubled, swapped with the next, or another one."""
    hit = rng.random(len(values)) < rate
    texts = values.filter(pa.array(hit)).to_pylist()
    dice = rng.random((len(texts), 2))
    letters = rng.integers(97, 123, len(texts))
    wrong = [
        _typo(text, float(at), int(kind * 4), chr(letter)) if text and len(text) > 2 else text
        for text, (at, kind), letter in zip(texts, dice, letters, strict=True)
    ]
    return pc.replace_with_mask(values, pa.array(hit), pa.array(wrong, pa.string()))


def _typo(text: str, place: float, kind: int, letter: str) -> str:
    at = 1 + int(place * (len(text) - 2))
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + letter + text[at + 1 :]


def _cased(values: pa.Array, style: Rows) -> pa.Array:
    return pc.choose(pa.array(style), values, pc.utf8_lower(values), pc.utf8_upper(values))


def _dates(rng: Rng, day: Rows, source: Rows) -> pa.Array:
    """Birth dates in the format of the channel; some a day off, some with the placeholder of a form."""
    off = rng.random(len(day))
    day = np.where(off < 0.02, np.clip(day + rng.integers(-9, 10, len(day)), 0, len(DAYS) - 1), day)
    formats = [DAYS.iso, DAYS.american, DAYS.worded]
    written = [form.take(pa.array(day)) for form in formats]
    found = pc.choose(pa.array(np.array([0, 1, 0, 0, 2])[source]), *written)
    return pc.if_else(pa.array(off > 0.985), "1900-01-01", found)


def _mails(rng: Rng, words: Vocabulary, people: People, who: Rows) -> pa.Array:
    """Own addresses, those of a family, sub-addresses, capitals, and a few placeholders."""
    given, surname = (
        words.plain_given.take(pa.array(people.given[who])),
        words.plain_surnames.take(pa.array(people.surname[who])),
    )
    tail = words.tail(people.number[who] * 69_621 % _PRIME)
    forms = [
        pc.binary_join_element_wise(given, ".", surname, tail, ""),
        pc.binary_join_element_wise(pc.utf8_slice_codeunits(given, 0, 1), surname, tail, ""),
        pc.binary_join_element_wise(given, tail, ""),
    ]
    dice = rng.random(len(who))
    local = typos(rng, pc.choose(pa.array(people.form[who]), *forms), 0.012)
    family = pc.binary_join_element_wise("the", surname, words.tail(people.home[who] * 40_692 % _PRIME), "")
    shared = people.family_mail[who] & (dice < 0.5)
    local = pc.if_else(pa.array(shared), family, local)
    local = pc.if_else(pa.array(dice > 0.97), pc.binary_join_element_wise(local, "+news", ""), local)
    domain = np.where(shared, 0, people.domain[who])
    found = pc.binary_join_element_wise(local, pa.array(DOMAINS).take(pa.array(domain)), "@")
    found = pc.if_else(pa.array((dice > 0.50) & (dice < 0.53)), pc.utf8_upper(found), found)
    return pc.if_else(pa.array((dice > 0.60) & (dice < 0.602)), "test@test.com", found)


def _phones(rng: Rng, people: People, who: Rows, later: Rows) -> pa.Array:
    """Mobiles and landlines in five formats; some with a wrong digit, a few placeholders."""
    dice = rng.random(len(who))
    own = np.where(later == 1, people.mobile[1][who], people.mobile[0][who])
    number = np.where(dice < 0.14, people.landline[who], own)
    wrong = dice > 0.985
    number = np.where(wrong, number + 10 ** rng.integers(0, 6, len(who)), number)
    text = pc.cast(pa.array(number), pa.string())
    one, two, three = (pc.utf8_slice_codeunits(text, a, b) for a, b in ((0, 3), (3, 6), (6, 10)))
    written = pc.choose(
        pa.array(rng.integers(0, 5, len(who))),
        pc.binary_join_element_wise("+1", text, ""),
        pc.binary_join_element_wise("(", one, ") ", two, "-", three, ""),
        pc.binary_join_element_wise(one, two, three, "-"),
        text,
        pc.binary_join_element_wise("1", one, two, three, " "),
    )
    return pc.if_else(pa.array((dice > 0.5) & (dice < 0.503)), "000-000-0000", written)


def _handles(words: Vocabulary, people: People, who: Rows) -> pa.Array:
    given = words.plain_given.take(pa.array(people.given[who]))
    return pc.binary_join_element_wise("@", given, "_", words.tail(people.number[who] * 16_807 % _PRIME), "")


def _address(
    rng: Rng, words: Vocabulary, people: People, who: Rows, later: Rows, known: npt.NDArray[np.bool_]
) -> dict[str, pa.Array]:
    city, street, door = (
        np.where(later == 1, after[who], before[who])
        for before, after in (people.city, people.street, people.door)
    )
    name = words.streets.take(pa.array(street))
    kinds = rng.integers(0, 2, len(who))
    kind = pc.choose(
        pa.array(kinds), *(forms.take(pa.array(street % len(forms))) for forms in words.street_kinds)
    )
    line = pc.binary_join_element_wise(
        pc.cast(pa.array(door), pa.string()), typos(rng, name, 0.03), kind, " "
    )
    unit = pc.binary_join_element_wise(" Apt ", pc.cast(pa.array(door % 30 + 1), pa.string()), "")
    line = pc.binary_join_element_wise(line, pc.if_else(pa.array(door % 7 == 0), unit, ""), "")
    postcode = pc.utf8_lpad(
        pc.cast(pa.array(10_000 + (city * 37 + street % 12) % 89_999), pa.string()), 5, "0"
    )
    return {
        "address": _only(known, line),
        "city": _only(known, typos(rng, words.cities.take(pa.array(city)), 0.02)),
        "state": _only(known, words.regions.take(pa.array(city % len(words.regions)))),
        "postcode": _only(known, postcode),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    start, cpu = time.perf_counter(), time.process_time()
    count = generate(given.out, given.records, given.seed)
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    print(f"{given.out}: {count:,} records in {wall:.1f} s ({used:.1f} CPU-seconds)")


if __name__ == "__main__":
    main()
