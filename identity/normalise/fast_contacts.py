"""E-mail addresses, telephone numbers and other identifiers over whole arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.kernels import texts as bytewise
from identity.normalise import contacts, text
from identity.normalise.fast import Flags, flags, is_in, one, put

_EMAIL = bytewise.table(otherwise=bytewise.UNUSUAL, digits=True, letters=True, keep="@._-!$&'*/=?^`{|}~%")
_AS_IS = np.arange(256, dtype=np.int16)
_LOCAL = np.where(ord("@") == _AS_IS, bytewise.STOP, _AS_IS).astype(np.int16)
_DOTLESS = np.where(ord(".") == _AS_IS, bytewise.DROP, _LOCAL).astype(np.int16)
_PHONE = bytewise.table(otherwise=bytewise.DROP, digits=True)
_PHONE[[ord("x"), ord("X"), ord("#")]] = bytewise.UNUSUAL
_SQUEEZED = bytewise.table(otherwise=bytewise.DROP, digits=True, letters=True)
_SHORTEST = 6
_RUNS = frozenset(
    run[start:end]
    for run in ("01234567890123456789", "98765432109876543210")
    for start in range(20)
    for end in range(start + _SHORTEST, 21)
)
_SAME_DIGIT = frozenset(digit * length for digit in "0123456789" for length in (6, 7))


def emails(values: pa.Array) -> pa.Array:
    """``contacts.email`` of every text.

    >>> emails(pa.array(["M.Sentosa@GMail.com", "Maria<m@x.org>"])).to_pylist()
    ['msentosa@gmail.com', 'm@x.org']
    """
    found, rows = bytewise.translate(values, _EMAIL)
    rows |= np.asarray(pc.count_substring(found, "@").to_numpy()) != 1
    for sign in ("@", "."):
        rows |= flags(pc.ends_with(found, sign))
    rows |= flags(pc.starts_with(found, "@"))
    for domain in sorted(contacts._DOTLESS):  # noqa: SLF001
        own = flags(pc.ends_with(found, "@" + domain)) & ~rows
        if own.any():
            local = bytewise.translate(found.filter(pa.array(own)), _DOTLESS)[0]
            written = pa.scalar(contacts.email("ab@" + domain)[2:])
            empty = flags(pc.equal(local, ""))
            found = put(found, own, pc.binary_join_element_wise(local, written, ""))
            rows[np.flatnonzero(own)[empty]] = True
    return one(values, rows, contacts.email, found)


def phones(values: pa.Array) -> pa.Array:
    """``contacts.phone`` of every text.

    >>> phones(pa.array(["+1 (583) 573-5431", "583 573 5431 ext. 12"])).to_pylist()
    ['5835735431', '5835735431']
    """
    digits, rows = bytewise.translate(values, _PHONE)
    national = pc.ascii_ltrim(digits, "0")
    long = flags(pc.greater(pc.binary_length(national), 10))
    if long.any():
        last = pc.utf8_slice_codeunits(national.filter(pa.array(long)), -10)
        national = put(national, long, pc.ascii_ltrim(last, "0"))
    rows |= flags(pc.equal(national, ""))
    return one(values, rows, contacts.phone, national)


def identifiers(values: pa.Array) -> pa.Array:
    """``contacts.identifier`` of every text.

    >>> identifiers(pa.array([" L-8282 9/41 ", "@Sandra.tr"])).to_pylist()
    ['l8282941', 'sandratr']
    """
    found, rows = bytewise.translate(values, _SQUEEZED)
    return one(values, rows, contacts.identifier, found)


def normalised(kind: str, values: pa.Array) -> pa.Array:
    """Identifier values of one type in comparable form; the empty text where there is none."""
    return {"email": emails, "phone": phones}.get(kind, identifiers)(values)


def are_junk(kind: str, values: pa.Array) -> Flags:
    """Which normalised values of an identifier type are placeholders (``contacts.is_junk_...``).

    >>> are_junk("phone", pa.array(["5555555555", "5835735431", "123456"])).tolist()
    [True, False, True]
    """
    suspects, judge = {
        "email": (_suspect_emails, contacts.is_junk_email),
        "phone": (_suspect_phones, contacts.is_junk_phone),
    }.get(kind, (_suspect_identifiers, contacts.is_junk_identifier))
    places = np.flatnonzero(suspects(values))
    junk = np.zeros(len(values), dtype=bool)
    junk[places] = [judge(value) for value in values.take(pa.array(places)).to_pylist()]
    return junk


def _suspect_emails(values: pa.Array) -> Flags:
    suspects = is_in(bytewise.translate(values, _LOCAL, tidy=False)[0], contacts._JUNK_LOCAL)  # noqa: SLF001
    for domain in sorted(contacts._JUNK_DOMAIN):  # noqa: SLF001
        suspects |= flags(pc.ends_with(values, "@" + domain))
    return suspects


def _suspect_phones(values: pa.Array) -> Flags:
    tail = pc.utf8_slice_codeunits(values, -7)
    short = flags(pc.less(pc.binary_length(values), _SHORTEST))
    return ~flags(pc.string_is_ascii(values)) | short | is_in(tail, _SAME_DIGIT) | is_in(values, _RUNS)


def _suspect_identifiers(values: pa.Array) -> Flags:
    return bytewise.alike_at_both_ends(values) | is_in(values, contacts._JUNK_ID | text._MISSING)  # noqa: SLF001


def local_parts(values: pa.Array, shortest: int) -> pa.Array:
    """What stands before the @ of normalised addresses, where it has at least so many letters.

    >>> local_parts(pa.array(["maria.s@x.org", "m@x.org"]), 5).to_pylist()
    ['maria.s', '']
    """
    local = bytewise.translate(values, _LOCAL, tidy=False)[0]
    return pc.if_else(pc.less(pc.utf8_length(local), shortest), "", local)
