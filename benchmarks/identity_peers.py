"""Ours beside Splink on labelled people: accuracy, time, memory, and the ratios, in one run.

    python -m benchmarks.identity_peers [NAME…] [--runs 3] [--splink PYTHON] [--out FILE] [--cold]

Whole processes, from file to clusters: `cdp dedupe FILE --out OUT` with no options, and Splink 5 with models
of its own examples (``../shared/er/splink_baseline.py``, which needs an environment of its own:
``make bench-peers-setup``). Runs alternate, so that both meet the same state of the machine. Clusters of both
are compared with the truth by the same code. Where Splink or the data are missing, that is said, and the rest
runs. ``--cold`` also measures ours with an empty cache of compiled kernels, in a run of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import Cost, machine, measured, spread, summary

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "er"
WORK = ROOT / ".bench" / "peers"
SPLINK = ROOT / "benchmarks" / ".venv-splink" / "bin" / "python"
NAMES = ("fake_1000", "febrl3", "febrl4", "historical_50k", "senzing_truthset", "customers_20k", "synth_1m")
# Splink needs a threshold per data set; this is one for all, as a user without labels would take it. Its
# authors' own advice for big skewed data, 0.5, serves synth_1m better.
THRESHOLD = {"synth_1m": "0.5"}
DEFAULT_THRESHOLD = "0.95"
_WITHOUT_MODEL = frozenset({"senzing_truthset"})  # the baseline has no model for it


def command_of_ours(data: Path, out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "cdp",
        "dedupe",
        str(data),
        "--out",
        str(out),
        "--id",
        "record_id",
        "--quiet",
    ]


def command_of_splink(python: Path, shared: Path, name: str, out: Path) -> list[str]:
    threshold = THRESHOLD.get(name, DEFAULT_THRESHOLD)
    script, data = str(shared / "splink_baseline.py"), str(shared / f"{name}.parquet")
    return [str(python), script, data, str(out), "--threshold", threshold]


def without_truth(name: str, shared: Path) -> Path:
    """Return a copy of a labelled set without its truth, made in a process of its own."""
    target = WORK / "data" / f"{name}.parquet"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        code = (
            "import sys, pyarrow.parquet as pq\n"
            "table = pq.read_table(sys.argv[1])\n"
            "pq.write_table(table.drop_columns(['entity_id']), sys.argv[2])"
        )
        made = measured(
            [sys.executable, "-c", code, str(shared / f"{name}.parquet"), str(target)],
            folder=ROOT,
            log=WORK / "copy",
        )
        if made.status:
            raise SystemExit(f"{name}: {made.errors}")
    return target


def accuracy(truth: Path, clusters: Path) -> dict[str, float]:
    """Compare clusters with the truth, in a process of its own."""
    code = (
        "import json, sys, pyarrow.parquet as pq\n"
        "from identity.evaluation.evaluate import evaluate\n"
        "truth = pq.read_table(sys.argv[1], columns=['record_id', 'entity_id'])\n"
        "found = pq.read_table(sys.argv[2])\n"
        "print(json.dumps(evaluate(truth, found).to_dict()))"
    )
    done = measured(
        [sys.executable, "-c", code, str(truth), str(clusters)], folder=ROOT, log=WORK / "evaluate"
    )
    if done.status:
        raise SystemExit(done.errors)
    found: dict[str, float] = json.loads(done.output.splitlines()[-1])
    return found


def run_once(who: str, name: str, shared: Path, splink: Path, number: int) -> dict[str, Any]:
    """Run one side on one set; a failure is recorded with what the program said."""
    out = WORK / f"{name}.{who}.parquet"
    out.unlink(missing_ok=True)
    if who == "ours":
        command = command_of_ours(without_truth(name, shared), out)
    else:
        command = command_of_splink(splink, shared, name, out)
    cost: Cost = measured(command, folder=ROOT, log=WORK / "logs" / f"{name}.{who}.{number}")
    told: dict[str, Any] = {"who": who, "run": number, **cost.figures()}
    if cost.status:
        return told | {"failed": cost.errors.strip().splitlines()[-1:] or [f"exit status {cost.status}"]}
    return told | {"accuracy": accuracy(shared / f"{name}.parquet", out)}


def compare(name: str, runs: int, shared: Path, splink: Path | None) -> dict[str, Any]:
    """Run both sides in turn; keep every run, the spreads, and the ratios run by run."""
    both = ["ours"] if splink is None or name in _WITHOUT_MODEL else ["ours", "splink"]
    without_truth(name, shared)
    every = [
        run_once(who, name, shared, splink or SPLINK, number)
        for number in range(runs)
        for who in (both if number % 2 == 0 else both[::-1])
    ]
    told: dict[str, Any] = {"name": name, "runs": every}
    for who in both:
        good = [run for run in every if run["who"] == who and "accuracy" in run]
        if good:
            told[who] = {"accuracy": good[-1]["accuracy"], **summary(good)}
            told[who]["stable"] = len({json.dumps(run["accuracy"]) for run in good}) == 1
            if who == "splink":
                told[who]["threshold"] = float(THRESHOLD.get(name, DEFAULT_THRESHOLD))
        else:
            told[who] = {"failed": next(run["failed"] for run in every if run["who"] == who)}
    told["ratios"] = ratios(every)
    return told


def ratios(every: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Ours divided by Splink's, within each pair of runs."""
    pairs = []
    for number in sorted({run["run"] for run in every}):
        sides = {run["who"]: run for run in every if run["run"] == number and "accuracy" in run}
        if len(sides) == 2:
            pairs.append(sides)
    if not pairs:
        return {}
    return {
        kind: spread([pair["ours"][kind] / pair["splink"][kind] for pair in pairs])
        for kind in ("wall", "cpu", "peak_mb")
    }


def cold_start(name: str, shared: Path) -> dict[str, float]:
    """Measure ours with an empty cache of compiled kernels: what is paid once, at set-up."""
    cache = WORK / "empty-cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    out = WORK / f"{name}.cold.parquet"
    command = command_of_ours(without_truth(name, shared), out)
    cost = measured(
        command, folder=ROOT, log=WORK / "logs" / f"{name}.cold", environment={"NUMBA_CACHE_DIR": str(cache)}
    )
    if cost.status:
        raise SystemExit(cost.errors)
    return cost.figures()


def lines(told: dict[str, Any]) -> Iterator[str]:
    """One line of the printed table per side, one for the ratios."""
    for who in ("ours", "splink"):
        side = told.get(who)
        if side is None:
            continue
        if "failed" in side:
            yield f"{told['name']:17s} {who:7s} failed: {side['failed'][0][:80]}"
            continue
        exact = side["accuracy"]
        pairwise = "/".join(f"{exact[f'pairwise_{kind}']:.3f}" for kind in ("precision", "recall", "f1"))
        bcubed = "/".join(f"{exact[f'bcubed_{kind}']:.3f}" for kind in ("precision", "recall", "f1"))
        yield (
            f"{told['name']:17s} {who:7s} {pairwise} {bcubed} {_range(side['wall'])} {_range(side['cpu'])} "
            f"{_range(side['peak_mb'], 0)}"
        )
    if told["ratios"]:
        found = told["ratios"]
        blank = " " * 61
        yield (
            f"{'':17s} ratio  {blank[24:]} {_range(found['wall'], 3)} {_range(found['cpu'], 3)} "
            f"{_range(found['peak_mb'], 3)}"
        )


def _range(found: dict[str, float], digits: int = 2) -> str:
    text = "/".join(f"{found[kind]:.{digits}f}" for kind in ("min", "median", "max"))
    return f"{text:>19s}"


HEAD = (
    f"{'set':17s} {'':7s} {'pairwise P/R/F1':17s} {'B-cubed P/R/F1':17s} {'wall s, min/med/max':>19s} "
    f"{'CPU s':>19s} {'peak MB':>19s}"
)


def main() -> None:
    """Compare the sets that were named, or all; write the figures as JSON after each set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--splink", type=Path, default=SPLINK, help="Python of Splink's environment")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the labelled files")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "identity_peers.json")
    parser.add_argument("--cold", action="store_true", help="also measure with an empty kernel cache")
    given = parser.parse_args()
    splink: Path | None = given.splink
    if not given.splink.exists() or not (given.shared / "splink_baseline.py").exists():
        print(
            "Splink is left out: `make bench-peers-setup` makes its environment; it also needs ../shared/er."
        )
        splink = None
    told: dict[str, Any] = {"measured_at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "sets": []}
    print(HEAD)
    for name in given.names:
        if not (given.shared / f"{name}.parquet").exists():
            print(f"{name:17s} skipped: {name}.parquet is not in {given.shared}")
            continue
        told["sets"].append(compare(name, given.runs, given.shared, splink))
        print("\n".join(lines(told["sets"][-1])), flush=True)
        if given.cold and "cold" not in told:
            told["cold"] = {"set": name, **cold_start(name, given.shared)}
            print(f"{'':17s} ours with an empty kernel cache: {told['cold']['wall']:.1f} s wall")
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
