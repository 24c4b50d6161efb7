"""Postal addresses over whole arrays.

"Number street, locality" falls into three parts that do not touch each other: streets and localities are
parsed once for all house numbers. What the slow way makes of a street and of a locality is asked of it, with a
number and a street that cannot be mistaken; where the answer is not as plain as that, the whole text is parsed.
"""

from __future__ import annotations

from inspect import unwrap

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.kernels import texts as bytewise
from identity.normalise import addresses, fast
from identity.normalise.fast import Flags, put, slow
from identity.values import Codes, numbers

_NUMBER, _STREET = "90817", "zzyzx"
_LOCALITY = "1 qqq"
_WORDS = bytewise.table(otherwise=bytewise.UNUSUAL, digits=True, letters=True, keep=" ")
_SLOW = unwrap(addresses.parse_address)


def parse(values: pa.Array) -> list[pa.Array]:
    """``addresses.parse_address`` of every text: number, street, rest, postcode.

    >>> [part.to_pylist() for part in parse(pa.array(["007 Garza Rd Apt 11", "638 Downey St, Salem, OR 97301"]))]
    [['7', '638'], ['garza', 'downey'], ['', 'salem or'], ['', '97301']]
    """
    door, head, tail, usual = bytewise.split_doors(values)
    streets, localities = numbers(pc.ascii_lower(head)), numbers(pc.ascii_lower(tail))
    with_locality = np.zeros(len(streets), dtype=bool)
    with_locality[streets.codes[(localities.codes >= 0) & (streets.codes >= 0)]] = True
    street, plain, chosen = _streets(streets.texts, with_locality)
    rest, code, clear = _localities(localities.texts)
    place, local = streets.codes, localities.codes
    known = (
        usual & (place >= 0) & _of(plain, place) & ((local < 0) | (_of(chosen, place) & _of(clear, local)))
    )
    found = [
        _numbers(door),
        _texts(street, np.where(known, place, -1)),
        _texts(rest, np.where(known, local, -1)),
        _texts(code, np.where(known, local, -1)),
    ]
    return slow(values, ~known, _parse, found)


def _of(answers: Flags, codes: Codes) -> Flags:
    return np.append(answers, False)[codes]


def _texts(texts: pa.Array, codes: Codes) -> pa.Array:
    return pc.fill_null(texts.take(pa.array(codes, mask=codes < 0)), "")


def _numbers(door: pa.Array) -> pa.Array:
    bare = pc.ascii_ltrim(door, "0")
    return pc.if_else(pc.equal(bare, ""), "0", bare)


def _parse(value: str) -> tuple[str, str, str, str]:
    found = _SLOW(value)
    return found.number, found.street, found.rest, found.postcode


def _streets(heads: pa.Array, with_locality: Flags) -> tuple[pa.Array, Flags, Flags]:
    """Each street, whether a number before it stays one, and whether it is chosen before a locality."""
    street, usual, chosen = _plain_streets(heads, localities=bool(with_locality.any()))
    plain = usual.copy()
    places = np.flatnonzero(~usual)
    names = []
    for place, head in zip(places.tolist(), heads.take(pa.array(places)).to_pylist(), strict=True):
        number, name, _, _ = _parse(f"{_NUMBER} {head}")
        names.append(name)
        plain[place] = number == _NUMBER and _NUMBER not in head
        if with_locality[place]:
            chosen[place] = _is_chosen(head, name)
    return put(street, ~usual, pa.array(names, pa.string())), plain, chosen


def _is_chosen(head: str, street: str) -> bool:
    return _parse(f"{_NUMBER} {head}, {_LOCALITY}") == (_NUMBER, street, _LOCALITY, "")


def _plain_streets(heads: pa.Array, *, localities: bool) -> tuple[pa.Array, Flags, Flags]:
    """Streets of words of letters, with a numbered unit at the end or without: each word is asked for once.

    What becomes of a word of two or more letters does not depend on the others, as long as one that is no
    type, direction or unit stays; one letter alone can belong to the number before it.
    """
    found, unusual = bytewise.translate(heads, _WORDS)
    parts = pc.split_pattern(found, " ")
    words, offsets = numbers(parts.flatten()), np.asarray(parts.offsets.to_numpy())
    image, telling, unit = _images(words.texts, localities=localities)
    digits = fast.flags(pc.ascii_is_decimal(words.texts))
    letters = fast.flags(pc.ascii_is_alpha(words.texts)) & fast.flags(
        pc.greater(pc.binary_length(words.texts), 1)
    )
    stays = _of(fast.flags(pc.not_equal(image, "")) & letters, words.codes)
    last = np.zeros(len(words.codes), dtype=bool)
    last[offsets[1:][np.diff(offsets) > 1] - 1] = True
    after_unit = np.append(False, _of(unit, words.codes)[:-1]) & last & _of(digits, words.codes)
    strange = _per_row(~(_of(letters, words.codes) | after_unit), offsets)
    usual = ~unusual & ~strange & _per_row(stays, offsets)
    ends = np.concatenate([[0], np.cumsum(stays)])[offsets].astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(ends), image.take(pa.array(words.codes[stays])))
    return pc.binary_join(lists, " "), usual, usual & _per_row(_of(telling & letters, words.codes), offsets)


def _per_row(mask: Flags, offsets: Codes) -> Flags:
    """Whether the mask holds anywhere in each row of a list."""
    return np.asarray(np.diff(np.concatenate([[0], np.cumsum(mask)])[offsets]) > 0, dtype=bool)


def _images(words: pa.Array, *, localities: bool) -> tuple[pa.Array, Flags, Flags]:
    """What becomes of a word in a street, whether it is a street alone, and whether it names a unit."""
    image, telling, unit = [], np.zeros(len(words), dtype=bool), np.zeros(len(words), dtype=bool)
    for place, word in enumerate(words.to_pylist()):
        image.append(_parse(f"{_NUMBER} {_STREET} {word}")[1].removeprefix(_STREET).strip())
        telling[place] = localities and _is_chosen(word, _parse(f"{_NUMBER} {word}")[1])
        if not image[-1]:
            unit[place] = _parse(f"{_NUMBER} {_STREET} {word} 47") == (_NUMBER, _STREET, "", "")
    return pa.array(image, pa.string()), telling, unit


def _localities(tails: pa.Array) -> tuple[pa.Array, pa.Array, Flags]:
    """What follows a street: its words, its postcode, and whether the street before it stays one."""
    parsed = [_parse(f"{_NUMBER} {_STREET},{tail}") for tail in tails.to_pylist()]
    clear = np.array([number == _NUMBER and street == _STREET for number, street, _, _ in parsed], dtype=bool)
    rest, code = ([row[place] for row in parsed] for place in (2, 3))
    return pa.array(rest, pa.string()), pa.array(code, pa.string()), clear
