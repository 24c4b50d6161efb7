"""Write the measured figures of identity into the documentation, from the benchmarks' results.

    python -m benchmarks.identity_tables

Reads ``benchmarks/results/identity_{peers,scale,increment}.json`` and replaces what stands between the marks
``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` of ``docs/explanation/matching-accuracy.md``. A test holds the two
equal, so that no figure of the page is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "matching-accuracy.md"
RESULTS = ROOT / "benchmarks" / "results"
_NOTHING = "Not measured yet.\n"


def peers(told: Mapping[str, Any]) -> str:
    """Accuracy of ours and Splink's on each set."""
    lines = [
        _measured(told),
        "",
        "| set | records | entities | ours, pairwise P / R / F1 | ours, B-cubed P / R / F1 |",
    ]
    lines[-1] += " Splink 5, pairwise F1 | Splink 5, B-cubed F1 | at threshold |"
    lines.append("|---|---|---|---|---|---|---|---|")
    for one in told["sets"]:
        ours, splink = one["ours"], one.get("splink", {})
        exact = ours.get("accuracy")
        if exact is None:
            lines.append(f"| {one['name']} | | | failed | | | | |")
            continue
        peer = splink.get("accuracy")
        right = (
            f"{peer['pairwise_f1']:.4f} | {peer['bcubed_f1']:.4f} | {splink['threshold']:g}"
            if peer
            else "– | – | –"
        )
        lines.append(
            f"| {one['name']} | {exact['records']:,} | {exact['entities']:,} | {_three(exact, 'pairwise')} | "
            f"{_three(exact, 'bcubed')} | {right} |"
        )
    return "\n".join(lines) + "\n"


def _three(exact: Mapping[str, float], kind: str) -> str:
    return " / ".join(f"{exact[f'{kind}_{figure}']:.4f}" for figure in ("precision", "recall", "f1"))


def costs(told: Mapping[str, Any]) -> str:
    """Time and memory of whole processes, and the ratios run by run."""
    lines = [
        "| set | ours: wall, s | CPU, s | peak, MB | Splink 5: wall, s | CPU, s | peak, MB | wall, ours / Splink |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in told["sets"]:
        sides = [one.get(who, {}) for who in ("ours", "splink")]
        cells = [
            f"{side[kind]['median']:,.{digits}f}" if kind in side else "–"
            for side in sides
            for kind, digits in (("wall", 1), ("cpu", 1), ("peak_mb", 0))
        ]
        ratio = one["ratios"].get("wall")
        spread = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else "–"
        lines.append(f"| {one['name']} | {' | '.join(cells)} | {spread} |")
    cold = told.get("cold")
    if cold:
        lines += [
            "",
            f"With an empty cache of compiled kernels {cold['set']} took {cold['wall']:.0f} s: paid once, at set-up.",
        ]
    return "\n".join(lines) + "\n"


def scale(told: Mapping[str, Any]) -> str:
    """Cost by size and its growth."""
    lines = [
        _measured(told),
        "",
        "| records | CPU, s | µs per record | wall, s | peak, MB | pairwise F1 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['records']:,} | {one['cpu']:.1f} | {1e6 * one['cpu'] / one['records']:.1f} | {one['wall']:.1f} | "
        f"{one['peak_mb']:,} | {one['accuracy']['pairwise_f1']:.4f} |"
        for one in told["sizes"]
    ]
    lines.append("")
    lines += [
        f"From {step['from']:,} to {step['to']:,} records, CPU per record grows by a factor of "
        f"{step['cpu']['per_record']:.2f} and memory by {step['memory_mb_per_million']:,} MB per million."
        for step in told["growth"]
    ]
    far = told.get("projection")
    if far:
        lines.append(
            f"Projected from the two largest: {far['records']:,} records need about {far['cpu']:,} CPU-seconds and "
            f"{far['peak_gib']} GiB."
        )
    return "\n".join(lines) + "\n"


def increment(told: Mapping[str, Any]) -> str:
    """Cost of batches against a full resolution."""
    ratio, full, whole = told["ratio"], told["full"], told["command_ratio"]
    return (
        f"{_measured(told)}\n\nA full resolution of {told['records']:,} records took {full['cpu']:.2f} CPU-seconds; "
        f"a batch of {told['updates'][0]['records']:,} new ones {ratio['min']:.1%} to {ratio['max']:.1%} of that (median "
        f"{ratio['median']:.1%}), with the state in memory. After {len(told['updates'])} batches the partition "
        f"{'was' if told['equal'] else 'was not'} that of a full resolution under the same model. As whole commands, "
        f"from files to files, it was {whole['min']:.1%} to {whole['max']:.1%} of a full one: starting Python and "
        f"loading compiled code is most of that.\n"
    )


def _measured(told: Mapping[str, Any]) -> str:
    found = told["machine"]
    return f"Measured on {told['measured_at']}, {found['cores']} cores, {found['memory_gib']:.0f} GiB."


SECTIONS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "peers": ("identity_peers.json", peers),
    "costs": ("identity_peers.json", costs),
    "scale": ("identity_scale.json", scale),
    "increment": ("identity_increment.json", increment),
}


def filled(page: str) -> str:
    """Return the page with every marked part made from its results."""
    for name, (file, make) in SECTIONS.items():
        path = RESULTS / file
        body = make(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else _NOTHING
        part = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        page = part.sub(lambda match, body=body: match[1] + "\n" + body + "\n" + match[2], page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PAGE}")
