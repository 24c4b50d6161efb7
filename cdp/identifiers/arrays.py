"""The rules for identifiers over Arrow arrays: each distinct value is worked on once."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from cdp.identifiers.emails import MAX_LENGTH, NOT_PLAIN, PLAIN
from cdp.identifiers.text import PLACEHOLDERS, Checked

KEY_KINDS = ("user_id", "external_id", "anonymous_id")

Rule = Callable[[str, str | None], Checked]


def check_distinct(
    kind: str, rule: Rule, values: pa.Array | pa.ChunkedArray, region: str | None
) -> tuple[pa.Array, pa.Array]:
    """Apply ``rule`` to each distinct value; return canonical forms and reasons, row by row."""
    distinct, indices = _encoded(values)
    if kind == "email":
        checked = _check_emails(rule, distinct)
    elif kind in KEY_KINDS:
        checked = _check_keys(rule, distinct)
    else:
        checked = _check_each(rule, distinct, region)
    return pc.take(checked[0], indices), pc.take(checked[1], indices)


def map_distinct(function: Callable[[str], str | None], values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return ``function`` of each value, NULL for NULL, working once per distinct value."""
    distinct, indices = _encoded(values)
    mapped = [None if value is None else function(str(value)) for value in distinct.to_pylist()]
    return pc.take(pa.array(mapped, pa.string()), indices)


def _encoded(values: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return the distinct values and, for each row, the position of its value (NULL for NULL)."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    return coded.dictionary, coded.indices


def _check_each(rule: Rule, distinct: pa.Array, region: str | None) -> tuple[pa.Array, pa.Array]:
    nothing = Checked(None, None)
    checked = [nothing if v is None else rule(str(v), region) for v in distinct.to_pylist()]
    forms = pa.array([c.value for c in checked], pa.string())
    return forms, pa.array([c.reason for c in checked], pa.string())


def _check_keys(rule: Rule, distinct: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Check keys; those that stay as they are, nearly all, need no Python per value."""
    text = distinct.cast(pa.string())
    plain = pc.and_(
        pc.match_substring_regex(text, r"^[A-Za-z0-9_-]*[A-Za-z1-9][A-Za-z0-9_-]*$"),
        pc.invert(pc.is_in(pc.ascii_lower(text), value_set=pa.array(sorted(PLACEHOLDERS)))),
    ).fill_null(True)
    rest = pc.invert(plain)
    forms, reasons = _check_each(rule, text.filter(rest), None)
    no_reason = pa.nulls(len(text), pa.string())
    return pc.replace_with_mask(text, rest, forms), pc.replace_with_mask(no_reason, rest, reasons)


def _check_emails(rule: Rule, distinct: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Check addresses; those of plain form, nearly all, need no Python per value."""
    text = distinct.cast(pa.string())
    lower = pc.ascii_lower(pc.ascii_trim(text, characters=" \t\r\n"))
    plain = pc.and_(
        pc.match_substring_regex(lower, PLAIN),
        pc.and_not(
            pc.less_equal(pc.binary_length(lower), MAX_LENGTH), pc.match_substring_regex(lower, NOT_PLAIN)
        ),
    ).fill_null(True)
    forms, reasons = _check_each(rule, text.filter(pc.invert(plain)), None)
    rest = pc.invert(plain)
    no_reason = pa.nulls(len(text), pa.string())
    return pc.replace_with_mask(lower, rest, forms), pc.replace_with_mask(no_reason, rest, reasons)
