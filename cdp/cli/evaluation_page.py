"""An evaluation as text for the terminal, with values masked unless they may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdp.cli.terminal import printable, table

WIDTH = 100
_CELL = 30
_PATTERNS = 6
_PLAIN_KEY = re.compile(r"[\w.-]{1,64}")
_MANY_DIGITS = re.compile(r"\d{7}")
_SIDES = ("left", "right")
_KEYS = frozenset({"left", "right", "left_customer", "right_customer", "customer"})


def hidden(text: str) -> str:
    """Return the shape of a value, without any of its letters and digits.

    >>> hidden("Ann.Byron@mail.org")
    '•••.•••••@••••.•••'
    """
    from cdp.masking import mask

    return mask(text, shown=0) or ""


def masked_key(key: str) -> str:
    """Return a record key or customer id as it is, unless it holds an e-mail, a phone number or a name.

    >>> masked_key("C00000001"), masked_key("web:u1042"), masked_key("news:ann@mail.org")
    ('C00000001', 'web:u1042', 'news:•••@••••.•••')
    """
    source, colon, rest = key.rpartition(":")
    opaque = any(c.isdigit() for c in rest) and _PLAIN_KEY.fullmatch(rest)
    phone = _MANY_DIGITS.search(rest) and not rest[:1].isalpha()
    return key if opaque and not phone else f"{source}{colon}{hidden(rest)}"


def as_data(told: Mapping[str, Any], *, show_values: bool) -> dict[str, Any]:
    """Return the evaluation as plain data, masked unless values may be shown."""
    data = dict(told) | {"values_shown": show_values}
    return data if show_values else {name: _masked(value, name) for name, value in data.items()}


def _masked(value: Any, name: str) -> Any:
    """Hide what is personal in a value that stands under ``name``."""
    if isinstance(value, Mapping):
        side = {"field", "agreement"} <= set(value)
        return {
            key: _masked(item, "values" if side and key in _SIDES else key) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        below = name if name in ("customers", "examples") else ""
        if name == "values":
            return [(field, hidden(text)) for field, text in value]
        return [_masked(item, below) for item in value]
    return _masked_text(value, name) if isinstance(value, str) else value


def _masked_text(text: str, name: str) -> str:
    if name in _KEYS or name == "customers":
        return masked_key(text)
    return hidden(text) if name == "values" else text


def page(data: Mapping[str, Any]) -> str:
    """Return the evaluation as text."""
    parts: list[str] = []
    if "accuracy" in data:
        parts += ["\n".join(_accuracy(data)), _sizes(data["sizes"])]
    if "diagnostics" in data:
        parts += ["\n".join(_diagnostics(data["diagnostics"])), _largest(data["diagnostics"]["largest"])]
    if "mistakes" in data:
        parts += ["\n".join(_mistakes(data["mistakes"]))]
    if not data["values_shown"] and data.keys() & {"diagnostics", "mistakes"}:
        parts.append("Values are masked; --show-values prints them.")
    return "\n\n".join(printable_lines(part) for part in parts if part)


def printable_lines(text: str) -> str:
    """Return text of several lines without anything that commands a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _accuracy(data: Mapping[str, Any]) -> Iterator[str]:
    truth, found = data["truth"], data["accuracy"]
    yield f"Truth: {truth['records']:,} records named by {truth['named_by']}, {found['entities']:,} entities."
    if truth["unknown"]:
        fate = "are left out" if truth["by_identifier"] else "count as records of their own"
        yield f"  {truth['unknown']:,} rows name no record of these and {fate}."
    if truth["contradicted"]:
        yield f"  {truth['contradicted']:,} records belong to several entities and are left out."
    yield f"Found: {found['clusters']:,} customers, the largest with {found['largest_cluster']:,} records."
    yield ""
    rows = [
        [name, *(f"{found[f'{prefix}_{figure}']:.4f}" for figure in ("precision", "recall", "f1"))]
        for name, prefix in (("pairs of records", "pairwise"), ("B-cubed", "bcubed"))
    ]
    if "estimated_precision" in data:
        rows.append(
            [
                "the model's estimate",
                f"{data['estimated_precision']:.4f}",
                f"{data['estimated_recall']:.4f}",
                "",
            ]
        )
    yield table(["", "precision", "recall", "F1"], rows, right=frozenset({1, 2, 3}), columns=WIDTH)
    wrong, missed = (found[total] - found["common_pairs"] for total in ("predicted_pairs", "true_pairs"))
    yield ""
    yield f"{found['common_pairs']:,} pairs right, {wrong:,} wrongly joined, {missed:,} missed."


def _sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [[row["records"], f"{row['entities']:,}", f"{row['clusters']:,}"] for row in rows]
    return table(["records", "entities", "customers"], cells, right=frozenset({1, 2}), columns=WIDTH)


def _diagnostics(found: Mapping[str, Any]) -> Iterator[str]:
    customers, records = found["customers"], found["records"]
    yield f"{records:,} records are {customers:,} customers; {found['alone']:,} have one record only."
    yield ""
    if found["over_merged"]:
        yield "Signs of customers that are several people:"
    for finding in found["over_merged"]:
        yield f"  {finding['customers']:>9,}  {_upper(finding['about'])} ({finding['records']:,} records)"
        for example in finding["examples"]:
            yield f"             {_clip(example['customers'][0])}: {_values(example['values'])}"
    if found["under_merged"]:
        yield "Signs of people who are several customers:"
    for finding in found["under_merged"]:
        yield f"  {finding['customers']:>9,}  {_upper(finding['about'])} ({finding['values']:,} values)"
        for example in finding["examples"]:
            who = ", ".join(_clip(c) for c in example["customers"][:3])
            more = f" and {len(example['customers']) - 3} more" if len(example["customers"]) > 3 else ""
            yield f"             {_values(example['values'])}: {who}{more}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _values(values: Sequence[Sequence[str]]) -> str:
    texts = [_clip(text) for _, text in values]
    return " · ".join(texts[:6]) + (f" and {len(texts) - 6} more" if len(texts) > 6 else "")


def _clip(text: str | None, width: int = _CELL) -> str:
    if not text:
        return ""
    return text if len(text) <= width else text[: width - 1] + "…"


def _largest(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ("records", "sources", "given_names", "surnames", "birth_dates")
    cells = [
        [
            _clip(row["customer"]),
            *(f"{row[name]:,}" for name in names),
            "" if row["lowest_probability"] is None else f"{row['lowest_probability']:.4f}",
        ]
        for row in rows
    ]
    if not cells:
        return ""
    headings = ["largest customers", *(name.replace("_", " ") for name in names), "lowest probability"]
    return table(headings, cells, right=frozenset(range(1, 7)), columns=WIDTH)


def _mistakes(found: Mapping[str, Any]) -> Iterator[str]:
    for kind, count in (("false merge", found["false_merges"]), ("missed match", found["missed_matches"])):
        patterns = [p for p in found["patterns"] if p["kind"] == kind]
        plural = "" if count == 1 else "es" if kind.endswith("ch") else "s"
        yield f"{count:,} {kind}{plural}{':' if patterns else '.'}"
        for pattern in patterns[:_PATTERNS]:
            yield f"  {pattern['pairs']:>9,} pairs in {pattern['mistakes']:,}: {pattern['pattern']}"
        if len(patterns) > _PATTERNS:
            yield f"            and {len(patterns) - _PATTERNS:,} more patterns"
        yield ""
        for number, mistake in enumerate((m for m in found["examples"] if m["kind"] == kind), 1):
            yield from _mistake(number, mistake)
    if found["read"] < found["false_merges"] + found["missed_matches"]:
        yield f"(patterns and examples are of a sample of {found['read']:,} errors)"


def _mistake(number: int, told: Mapping[str, Any]) -> Iterator[str]:
    apart = told["left_customer"] != told["right_customer"]
    where = f"{told['left_customer']} and {told['right_customer']}" if apart else told["left_customer"]
    yield f"{_upper(told['kind'])} {number}: {told['pairs']:,} pair{'s' * (told['pairs'] != 1)} of records; {where}"
    if told["match_weight"] is not None:
        yield f"  match weight {told['match_weight']:+.1f}: {told['reason']}"
        parts = [f"{name} {level} {weight:+.1f}" for name, level, weight in told["levels"]]
        if len(parts) > 1:
            yield f"  = {' · '.join(parts)}"
    cells = [
        [row["field"], _clip(row["left"]), _clip(row["right"]), row["agreement"] or ""]
        for row in told["fields"]
    ]
    heads = ["", _clip(told["left"]), _clip(told["right"]), ""]
    for line in table(heads, cells, right=frozenset(), columns=WIDTH + 20).split("\n"):
        yield f"  {line}"
    yield ""
