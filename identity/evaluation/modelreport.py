"""What a model has learned, as data, and as text for a terminal of 80 columns.

``modelreport_html`` makes a page of the same data. Everything comes from ``Resolution.model``; no value of any
record is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from identity.model import UNIT

WIDTH = 80
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_CHANCES = (0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
_COLUMN = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class LevelRow:
    """A level of a comparison: shares among matches (m) and strangers (u), and its weight in bits."""

    level: str
    m: float
    u: float
    weight: float


@dataclass(frozen=True)
class ComparisonRows:
    """A comparison with its levels, the strongest first."""

    name: str
    levels: tuple[LevelRow, ...]
    term_frequency: bool
    personal: bool


@dataclass(frozen=True)
class Histogram:
    """Pairs, and expected matches among them, by match weight; ``edges[i]`` is the low end of bin i."""

    edges: tuple[float, ...]
    bin: float
    pairs: tuple[int, ...]
    matches: tuple[float, ...]
    with_term_frequency: bool


@dataclass(frozen=True)
class Operating:
    """What a threshold (bits) would give, as the model expects it."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True)
class View:
    """A model as a report shows it; what was not recorded is None or empty."""

    version: str
    records: int | None
    compared: int | None
    pairs: int | None
    pairs_above: int | None
    prior: float
    match_rate: float
    threshold: float
    precision: float | None  # of the pairs of records inside customers
    recall: float | None  # of the matches among the pairs compared
    comparisons: tuple[ComparisonRows, ...]
    histogram: Histogram | None
    curve: tuple[Operating, ...]
    blocking: tuple[Mapping[str, Any], ...]
    without_key: int | None
    cap: int | None
    oversize: Mapping[str, int]
    frequencies: Mapping[str, Mapping[str, Any]]


def view(model: Mapping[str, Any]) -> View:
    """Read ``Resolution.model``."""
    histogram = _histogram(model.get("match_weights"))
    return View(
        version=str(model.get("version", "")),
        records=model.get("records"),
        compared=model.get("compared_records"),
        pairs=model.get("candidate_pairs"),
        pairs_above=model.get("pairs_above"),
        prior=model["prior_weight"] / UNIT,
        match_rate=model["match_rate"],
        threshold=model["threshold"] / UNIT,
        precision=model.get("estimated_precision"),
        recall=model.get("estimated_recall"),
        comparisons=tuple(_comparison(item) for item in model["comparisons"]),
        histogram=histogram,
        curve=_curve(histogram) if histogram else (),
        blocking=tuple(model.get("blocking") or ()),
        without_key=model.get("records_without_key"),
        cap=model.get("cap"),
        oversize=model.get("oversize_blocks") or {},
        frequencies=model.get("term_frequency_tables") or {},
    )


def _comparison(item: Mapping[str, Any]) -> ComparisonRows:
    rows = [
        LevelRow(level, m, u, weight / UNIT)
        for level, m, u, weight in zip(item["levels"], item["m"], item["u"], item["weights"], strict=True)
    ]
    return ComparisonRows(
        item["comparison"], tuple(reversed(rows)), bool(item["term_frequency"]), bool(item["personal"])
    )


def _histogram(found: Mapping[str, Any] | None) -> Histogram | None:
    """Cut empty bins off both ends."""
    if not found or not any(found["counts"]):
        return None
    counts = found["counts"]
    used = [i for i, count in enumerate(counts) if count]
    low, high = used[0], used[-1] + 1
    edges = tuple(found["first"] + found["bin"] * i for i in range(low, high))
    return Histogram(
        edges,
        found["bin"],
        tuple(counts[low:high]),
        tuple(found["matches"][low:high]),
        found["with_term_frequency"],
    )


def _curve(found: Histogram) -> tuple[Operating, ...]:
    above = np.cumsum(np.array(found.pairs, dtype=np.float64)[::-1])[::-1]
    matches = np.cumsum(np.array(found.matches)[::-1])[::-1]
    total = max(float(matches[0]), 1e-12)
    return tuple(
        Operating(edge, min(float(m / max(a, 1e-12)), 1.0), min(float(m) / total, 1.0))
        for edge, a, m in zip(found.edges, above, matches, strict=True)
    )


def operating_points(curve: Sequence[Operating]) -> Iterator[tuple[float, Operating]]:
    """Yield the points of the curve that are nearest to some telling match probabilities."""
    for chance in _CHANCES:
        bits = float(np.log2(chance / (1 - chance)))
        yield chance, min(curve, key=lambda point: abs(point.threshold - bits))


def probability(bits: float) -> float:
    """Match probability of a match weight.

    >>> probability(0.0)
    0.5
    """
    return float(1.0 / (1.0 + 2.0 ** -max(min(bits, 60.0), -60.0)))


def share(value: float) -> str:
    """Write a probability so that small ones keep their first digits.

    >>> share(0.8123), share(0.0123), share(0.00002), share(0.0)
    ('81.2%', '1.2%', '1 in 50,000', '0')
    """
    if value <= 0:
        return "0"
    if value >= 0.001:
        return f"{100 * value:.1f}%"
    return f"1 in {rounded(1 / value)}"


def rounded(number: float) -> str:
    """Write a number with two digits that count.

    >>> rounded(6_812), rounded(5_912_345), rounded(1.94e9)
    ('6,800', '5.9M', '1.9bn')
    """
    for size, unit in ((1e9, "bn"), (1e6, "M")):
        if number >= size:
            return f"{float(f'{number / size:.2g}'):g}{unit}"
    return f"{float(f'{number:.2g}'):,.0f}"


# --- text


def text(model: Mapping[str, Any], width: int = WIDTH) -> str:
    """Return the report as text of at most ``width`` columns."""
    told = view(model)
    parts = [_head(told), _histogram_text(told, width), _curve_text(told), _levels_text(told, width)]
    parts += [_blocking_text(told), _frequency_text(told)]
    return "\n\n".join("\n".join(line[:width].rstrip() for line in part) for part in parts if part)


def _head(told: View) -> list[str]:
    lines = [f"Identity model {told.version}"]
    counted = [
        (told.records, "records"),
        (told.pairs, "pairs compared"),
        (told.pairs_above, "of them from the threshold on"),
    ]
    counts = [f"{number:,} {what}" for number, what in counted if number is not None]
    lines += [", ".join(counts) + "."] if counts else []
    lines.append(
        f"One pair in {rounded(1 / told.match_rate)} of all is a match: every pair starts at {told.prior:+.1f} bits."
    )
    lines.append(
        f"Threshold: match weight {told.threshold:+.1f}, probability {probability(told.threshold):.3f}."
    )
    if told.precision is not None and told.recall is not None:
        lines.append(
            f"Estimated without labels: precision {told.precision:.1%} (inside customers), "
            f"recall {told.recall:.1%}."
        )
    return lines


def _histogram_text(told: View, width: int, height: int = 8) -> list[str]:
    """Columns on a logarithmic scale; a mark below them shows the threshold."""
    found = told.histogram
    if found is None:
        return []
    step = -(-len(found.pairs) // (width - 10))
    chunks = [slice(i, i + step) for i in range(0, len(found.pairs), step)]
    totals = [sum(found.pairs[chunk]) for chunk in chunks]
    top = np.log10(max(totals) + 1)
    cells = [round(8 * height * float(np.log10(total + 1)) / top) for total in totals]
    lines = ["Match weights of the pairs compared (logarithmic)"]
    for row in range(height, 0, -1):
        label = _short(10 ** (top * row / height)) if row in (height, height // 2) else ""
        bars = "".join(_COLUMN[max(0, min(8, cell - 8 * (row - 1)))] for cell in cells)
        lines.append(f"{label:>7} │{bars}")
    edges = [found.edges[chunk.start] for chunk in chunks]
    mark = min(range(len(edges)), key=lambda i: abs(edges[i] - told.threshold))
    lines.append(" " * 8 + "└" + "─" * len(cells))
    lines.append(_axis(edges, 9))
    lines.append(" " * (9 + mark) + "▲ threshold")
    return lines


def _axis(edges: Sequence[float], margin: int) -> str:
    """Write tens of bits below the columns that are nearest to them."""
    line = [" "] * (margin + len(edges) + 6)
    free = 0
    for bits in range(-40, 41, 10):
        place = min(range(len(edges)), key=lambda i: abs(edges[i] - bits))
        label = f"{bits:+d}"
        if edges[0] <= bits <= edges[-1] and place >= free:
            line[margin + place : margin + place + len(label)] = label
            free = place + len(label) + 1
    return "".join(line)


def _short(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def _curve_text(told: View) -> list[str]:
    if not told.curve:
        return []
    lines = [
        "What other thresholds would give, as the model expects",
        "  probability  weight  precision  recall",
    ]
    for chance, point in operating_points(told.curve):
        lines.append(
            f"  {chance:>11}  {point.threshold:>+6.1f}  {point.precision:>9.1%}  {point.recall:>6.1%}"
        )
    return lines


def _levels_text(told: View, width: int) -> list[str]:
    most = max((abs(row.weight) for c in told.comparisons for row in c.levels), default=1.0) or 1.0
    side = (width - 59) // 2
    lines = ["Comparisons: share among matches (m) and strangers (u), weight in bits"]
    for comparison in told.comparisons:
        lines.append(comparison.name + (" (rare values weigh more)" if comparison.term_frequency else ""))
        for row in comparison.levels:
            size = abs(row.weight) / most * side
            against = f"{_bar(size):>{side}}" if row.weight < 0 else " " * side
            in_favour = _bar(size) if row.weight >= 0 else ""
            lines.append(
                f"  {row.level[:25]:25} {share(row.m):>8} {share(row.u):>12} {row.weight:>+6.1f} {against}│{in_favour}"
            )
    return lines


def _bar(size: float) -> str:
    whole = int(size)
    rest = _EIGHTHS[round(8 * (size - whole))].strip()
    return "█" * whole + rest


def _blocking_text(told: View) -> list[str]:
    if not told.blocking and told.without_key is None:
        return []
    total = told.compared or told.records or 0
    lines = [
        "Which keys bring pairs together",
        f"  {'key':24}{'records':>9}{'values':>11}{'pairs':>12}{'too common':>12}",
    ]
    for key in told.blocking:
        part = f"{key['records'] / total:.0%}" if total else f"{key['records']:,}"
        lines.append(
            f"  {key['key'][:24]:24}{part:>9}{key['values']:>11,}{key['pairs']:>12,}{key['oversize_records']:>12,}"
        )
    lines += list(_blocking_notes(told))
    return lines


def _blocking_notes(told: View) -> Iterator[str]:
    if told.cap is not None:
        yield f"  Values of more than {told.cap} records link only together with another value."
    elif told.blocking:
        yield "  The records are few: every pair was compared."
    if told.without_key is not None:
        yield f"  {told.without_key:,} records have no key at all and are compared with nothing."
    for name, count in sorted(told.oversize.items()):
        yield f"  Too common even together, so left out: {name} ({count:,} records)."


def _frequency_text(told: View) -> list[str]:
    if not told.frequencies:
        return []
    lines = ["Rare and common values (bits added where two records have the same value)"]
    lines += [
        f"  {name[:24]:24}{entry['values']:>10,} values: commonest {entry['commonest']:+.1f}, "
        f"rarest {entry['rarest']:+.1f}"
        for name, entry in told.frequencies.items()
    ]
    return lines
