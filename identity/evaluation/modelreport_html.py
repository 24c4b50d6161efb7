"""The report of a model as one page of HTML that needs nothing else: style and drawings are inside.

Light and dark follow the reader's system. The drawings are SVG, each with a text that says what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from identity.evaluation.modelreport import (
    ComparisonRows,
    Histogram,
    LevelRow,
    View,
    operating_points,
    probability,
    rounded,
    share,
    view,
)
from identity.evaluation.modelreport_style import STYLE

_WIDE, _HIGH = 860, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 34, 46
_ROW = 24


def html(model: Mapping[str, Any], title: str = "Identity model") -> str:
    """Return the report of ``Resolution.model`` as a page."""
    told = view(model)
    sections = [
        _figures(told),
        _section("Match weights of the pairs compared", _histogram_section(told)),
        _section("What other thresholds would give", _curve_section(told)),
        _section("Comparisons and their levels", _levels_section(told)),
        _section("Which keys bring pairs together", _blocking_section(told)),
        _section("Rare and common values", _frequency_section(told)),
    ]
    name = escape(f"{title} {told.version}".strip())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1><p class='version'>Version <code>{escape(told.version)}</code></p></header>\n"
        + "\n".join(part for part in sections if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(heading: str, body: str) -> str:
    name = heading.lower().replace(" ", "-")
    return f'<section id="{escape(name)}"><h2>{escape(heading)}</h2>\n{body}\n</section>' if body else ""


def _figures(told: View) -> str:
    cells = [
        ("records", None if told.records is None else f"{told.records:,}"),
        ("pairs compared", None if told.pairs is None else f"{told.pairs:,}"),
        ("pairs from the threshold on", None if told.pairs_above is None else f"{told.pairs_above:,}"),
        ("estimated precision", None if told.precision is None else f"{told.precision:.1%}"),
        ("estimated recall", None if told.recall is None else f"{told.recall:.1%}"),
        ("pairs that match, of all", f"1 in {rounded(1 / told.match_rate)}"),
    ]
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in cells if value is not None
    )
    return (
        f"<dl class='figures'>{shown}</dl>\n<p>Every pair starts at {signed(told.prior)} bits, because so few of all "
        f"pairs match. Each comparison adds or takes bits; pairs from <b>{signed(told.threshold)}</b> bits on "
        f"(probability {probability(told.threshold):.3g}) may join customers. Precision (of the "
        "pairs of records inside customers) and recall (of the matches among the pairs compared) are estimated by the "
        "model itself, without labels.</p>"
    )


# --- drawings


def _drawing(body: str, about: str, height: int = _HIGH) -> str:
    return (
        f'<div class="scroll"><svg viewBox="0 0 {_WIDE} {height}" role="img" aria-label="{escape(about)}">'
        f"<title>{escape(about)}</title>{body}</svg></div>"
    )


class _Scale:
    """Places on a drawing: bits across, a share of the height up."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, max(high, low + 1)

    def x(self, bits: float) -> float:
        part = (min(max(bits, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_LEFT + part * (_WIDE - _LEFT - _RIGHT), 1)

    def y(self, part: float) -> float:
        return round(_HIGH - _BOTTOM - part * (_HIGH - _TOP - _BOTTOM), 1)

    def axis(self, label: str) -> Iterator[str]:
        """Draw the axis of bits, with a number at every fifth or tenth."""
        step = 5 if self.high - self.low <= 50 else 10
        base = self.y(0)
        yield f'<line class="axis" x1="{_LEFT}" y1="{base}" x2="{_WIDE - _RIGHT}" y2="{base}"/>'
        for bits in range(int(np.ceil(self.low / step)) * step, int(self.high) + 1, step):
            at = self.x(bits)
            yield f'<line class="axis" x1="{at}" y1="{base}" x2="{at}" y2="{base + 4}"/>'
            yield f'<text class="tick" x="{at}" y="{base + 17}" text-anchor="middle">{signed(bits, 0)}</text>'
        yield (
            f'<text class="label" x="{(_LEFT + _WIDE - _RIGHT) / 2}" y="{base + 36}" text-anchor="middle">'
            f"{escape(label)}</text>"
        )

    def threshold(self, bits: float) -> str:
        at = self.x(bits)
        anchor, shift = ("end", -6) if at > _WIDE * 0.8 else ("start", 6)
        return (
            f'<line class="threshold" x1="{at}" y1="{_TOP - 24}" x2="{at}" y2="{self.y(0)}"/>'
            f'<text class="tick strong" x="{at + shift}" y="{_TOP - 14}" text-anchor="{anchor}">'
            f"threshold {signed(bits)}</text>"
        )


def _line(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_WIDE - _RIGHT}" y2="{y}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>'
    )


def _histogram_section(told: View) -> str:
    found = told.histogram
    if found is None:
        return ""
    scale = _Scale(found.edges[0], found.edges[-1] + found.bin)
    top = max(int(np.ceil(np.log10(max(found.pairs) + 1))), 1)
    grid = "".join(
        _line(scale.y(power / top), _power(power)) for power in range(0, top + 1, 1 if top <= 6 else 2)
    )
    body = (
        grid
        + _steps(found, found.pairs, scale, top, "strangers")
        + _steps(found, found.matches, scale, top, "matches")
    )
    body += "".join(scale.axis("match weight, bits")) + scale.threshold(told.threshold)
    note = "" if found.with_term_frequency else " Weights here are without the frequencies of values."
    return (
        "<p class='legend'><span class='key strangers'></span>pairs compared "
        "<span class='key matches'></span>of them matches, as the model expects</p>"
        + _drawing(body, "Pairs compared by match weight, with the matches expected among them")
        + f"<p class='note'>Numbers of pairs in bins of {found.bin:g} bits, on a logarithmic scale. A good model "
        "parts the two hills; what lies between is worth a look (<code>cdp identity review</code>)."
        f"{note}</p>"
    )


def _power(power: int) -> str:
    return {0: "1", 1: "10", 2: "100", 3: "1k", 4: "10k", 5: "100k", 6: "1M", 7: "10M", 8: "100M"}.get(
        power, f"1e{power}"
    )


def _steps(found: Histogram, amounts: Sequence[float], scale: _Scale, top: int, kind: str) -> str:
    """An area with one step per bin; a bin with less than one pair has no height."""
    points = [f"{scale.x(found.edges[0])},{scale.y(0)}"]
    for edge, amount in zip(found.edges, amounts, strict=True):
        height = scale.y(max(0.0, float(np.log10(max(amount, 1e-9)))) / top if amount >= 1 else 0)
        points += [f"{scale.x(edge)},{height}", f"{scale.x(edge + found.bin)},{height}"]
    points.append(f"{scale.x(found.edges[-1] + found.bin)},{scale.y(0)}")
    return f'<polygon class="{kind}" points="{" ".join(points)}"/>'


def _curve_section(told: View) -> str:
    near = [point for point in told.curve if -15 <= point.threshold <= 25]
    if len(near) < 2:
        return ""
    scale = _Scale(near[0].threshold, near[-1].threshold)
    body = "".join(_line(scale.y(part / 4), f"{part * 25}%") for part in range(5))
    for kind, values in (("precision", [p.precision for p in near]), ("recall", [p.recall for p in near])):
        points = " ".join(f"{scale.x(p.threshold)},{scale.y(v)}" for p, v in zip(near, values, strict=True))
        body += f'<polyline class="{kind}" points="{points}"/>'
    body += "".join(scale.axis("threshold, bits")) + scale.threshold(told.threshold)
    rows = "".join(
        f"<tr><th>{chance}</th><td>{signed(point.threshold)}</td><td>{point.precision:.1%}</td><td>{point.recall:.1%}</td></tr>"
        for chance, point in operating_points(told.curve)
    )
    return (
        "<p class='legend'><span class='key precision'></span>estimated precision "
        "<span class='key recall'></span>estimated recall</p>"
        + _drawing(body, "Estimated precision and recall by threshold")
        + _table(("match probability", "match weight", "precision", "recall"), rows, "small")
    )


# --- comparisons

_NAME, _BAR, _NUMBER = 190, 120, 84
_MIDDLE = _NAME + 2 * (_BAR + _NUMBER) + 24
_SIDE = (_WIDE - _MIDDLE - 56) / 2


def _levels_section(told: View) -> str:
    most = max((abs(row.weight) for c in told.comparisons for row in c.levels), default=1.0) or 1.0
    return (
        "<p class='legend'><span class='key matches'></span>m: share among matches "
        "<span class='key strangers'></span>u: share among strangers "
        "<span class='key favour'></span>speaks for <span class='key against'></span>against a match</p>"
        + "".join(_comparison(comparison, most) for comparison in told.comparisons)
        + "<p class='note'>The weight is log2(m/u). Bars of m and u are on one linear scale; small shares are given as "
        "“1 in”. Weights of one pair add up, with the prior and the possibility that it is another person of the "
        "household.</p>"
    )


def _comparison(comparison: ComparisonRows, most: float) -> str:
    marks = ["rare values weigh more"] if comparison.term_frequency else []
    marks += ["personal: not shared in a household"] if comparison.personal else []
    note = f" <small>{escape(' · '.join(marks))}</small>" if marks else ""
    rows = "".join(_level(row, place, most) for place, row in enumerate(comparison.levels))
    height = _ROW * len(comparison.levels) + 4
    zero = _MIDDLE + _SIDE
    axis = f'<line class="axis" x1="{zero:.1f}" y1="0" x2="{zero:.1f}" y2="{height}"/>'
    about = f"Levels of {comparison.name} with m, u and weight"
    return f"<h3>{escape(comparison.name)}{note}</h3>" + _drawing(axis + rows, about, height)


def _level(row: LevelRow, place: int, most: float) -> str:
    base, middle = place * _ROW + 3, place * _ROW + 18
    parts = [f'<text class="tick strong" x="0" y="{middle}">{escape(_clipped(row.level, 30))}</text>']
    for number, (kind, value) in enumerate((("matches", row.m), ("strangers", row.u))):
        start = _NAME + number * (_BAR + _NUMBER)
        parts.append(f'<rect class="track" x="{start}" y="{base + 3}" width="{_BAR}" height="13"/>')
        parts.append(
            f'<rect class="{kind}" x="{start}" y="{base + 3}" width="{max(value * _BAR, 0.6):.1f}" height="13"/>'
        )
        parts.append(f'<text class="tick" x="{start + _BAR + 6}" y="{middle}">{share(value)}</text>')
    size, zero = abs(row.weight) / most * _SIDE, _MIDDLE + _SIDE
    favour = row.weight >= 0
    left = zero if favour else zero - size
    parts.append(
        f'<rect class="{"favour" if favour else "against"}" x="{left:.1f}" y="{base + 3}" '
        f'width="{size:.1f}" height="13"/>'
    )
    at, anchor = (zero + size + 5, "start") if favour else (zero - size - 5, "end")
    parts.append(
        f'<text class="tick strong" x="{at:.1f}" y="{middle}" text-anchor="{anchor}">{signed(row.weight)}</text>'
    )
    return "".join(parts)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# --- tables


def _blocking_section(told: View) -> str:
    if not told.blocking:
        return ""
    total = told.compared or told.records or 1
    emitted = any(key.get("first") is not None for key in told.blocking)
    rows = "".join(
        f"<tr><th>{escape(str(key['key']))}</th>"
        f"<td class='bar'><span style='width:{100 * key['records'] / total:.0f}%'></span></td>"
        f"<td>{key['records'] / total:.0%}</td><td>{key['values']:,}</td><td>{key['pairs']:,}</td>"
        + (f"<td>{_optional(key.get('first'))}</td>" if emitted else "")
        + f"<td>{key['oversize_records']:,}</td></tr>"
        for key in told.blocking
    )
    headings = ["key", "", "records that have it", "values", "pairs"]
    headings += ["new pairs"] if emitted else []
    headings.append("records of too common values")
    notes = []
    if told.cap is not None:
        notes.append(f"Values that more than {told.cap} records share link only together with another value.")
    else:
        notes.append("The records are few: every pair was compared, whatever the keys.")
    if told.without_key is not None:
        notes.append(f"{told.without_key:,} records have no key at all and are compared with nothing.")
    if told.oversize:
        left_out = ", ".join(
            f"{escape(name)} ({count:,} records)" for name, count in sorted(told.oversize.items())
        )
        notes.append(f"Too common even together, so left out: {left_out}.")
    return _table(headings, rows) + f"<p class='note'>{' '.join(notes)}</p>"


def _table(headings: Sequence[str], rows: str, kind: str = "wide") -> str:
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<div class='scroll'><table class='{kind}'><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def signed(bits: float, digits: int = 1) -> str:
    """Write bits with their sign; nothing is neither plus nor minus.

    >>> signed(3.25), signed(-0.04), signed(-12.7)
    ('+3.2', '0', '−12.7')
    """
    text = f"{bits:+.{digits}f}"
    return text.replace("-", "−") if text.strip("+-0.") else "0"


def _optional(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _frequency_section(told: View) -> str:
    if not told.frequencies:
        return ""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{entry['values']:,}</td><td>{signed(entry['commonest'])}</td>"
        f"<td>{signed(entry['rarest'])}</td></tr>"
        for name, entry in told.frequencies.items()
    )
    return (
        "<p>Two records that share a rare value are more likely one person than two that share a common one. "
        "So many bits are added where the value is the same.</p>"
        + _table(("comparison", "values", "commonest value", "rarest value"), rows)
    )
