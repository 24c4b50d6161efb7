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
from identity.normalise import addresses
from identity.normalise.fast import Flags, slow
from identity.values import Codes, numbers

_NUMBER, _STREET = "90817", "zzyzx"
_LOCALITY = "1 qqq"


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
    found = unwrap(addresses.parse_address)(value)
    return found.number, found.street, found.rest, found.postcode


def _streets(heads: pa.Array, with_locality: Flags) -> tuple[pa.Array, Flags, Flags]:
    """Each street, whether a number before it stays one, and whether it is chosen before a locality."""
    names, plain, chosen = [], np.zeros(len(heads), dtype=bool), np.zeros(len(heads), dtype=bool)
    for place, head in enumerate(heads.to_pylist()):
        number, street, _, _ = _parse(f"{_NUMBER} {head}")
        names.append(street)
        plain[place] = number == _NUMBER and _NUMBER not in head
        if with_locality[place]:
            chosen[place] = _parse(f"{_NUMBER} {head}, {_LOCALITY}") == (_NUMBER, street, _LOCALITY, "")
    return pa.array(names, pa.string()), plain, chosen


def _localities(tails: pa.Array) -> tuple[pa.Array, pa.Array, Flags]:
    """What follows a street: its words, its postcode, and whether the street before it stays one."""
    parsed = [_parse(f"{_NUMBER} {_STREET},{tail}") for tail in tails.to_pylist()]
    clear = np.array([number == _NUMBER and street == _STREET for number, street, _, _ in parsed], dtype=bool)
    rest, code = ([row[place] for row in parsed] for place in (2, 3))
    return pa.array(rest, pa.string()), pa.array(code, pa.string()), clear
