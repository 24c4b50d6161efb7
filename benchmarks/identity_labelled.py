"""Accuracy and cost of identity resolution on labelled people.

    python -m benchmarks.identity_labelled [NAME…] [--out FILE] [--shared FOLDER]

Reads ``../shared/er/NAME.parquet`` beside the repository (all sets without names), maps columns to roles by
their names and contents, resolves with the default configuration, and prints precision, recall and F1 of
the final clusters, the estimated precision and recall of the pairs, CPU-seconds, wall time and peak memory.
Every set runs in a process of its own, so that figures are of the whole process. Sets that are not there
are skipped, with the reason. Results are also written as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "er"
NAMES = ("fake_1000", "febrl3", "febrl4", "historical_50k", "senzing_truthset", "customers_20k", "synth_1m")


def measure(path: Path) -> dict[str, Any]:
    """Resolve one labelled file and compare the clusters with the truth, which resolution does not see."""
    import pyarrow.parquet as pq

    from identity import resolve, roles
    from identity.evaluation.evaluate import evaluate

    table = pq.read_table(path)
    truth = table.select(["record_id", "entity_id"])
    prepared = roles.prepare(table.drop_columns(["entity_id"]), id_column="record_id")
    found = resolve(prepared.records, prepared.identifiers, with_evidence=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    predicted = found.clusters.rename_columns(["record_id", "cluster_id", "match_probability"])
    figures = evaluate(truth, predicted).to_dict()
    return {
        "name": path.stem,
        **figures,
        "estimated_precision": found.model["estimated_precision"],
        "estimated_recall": found.model["estimated_recall"],
        "candidate_pairs": found.model["candidate_pairs"],
        "model_version": found.model["version"],
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": used.ru_maxrss // 1024,
        "roles": {column: role.identifier or role.role for column, role in prepared.roles.items()},
    }


def run(path: Path) -> dict[str, Any]:
    """Measure one set in a fresh process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.identity_labelled", "--one", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{path.stem}: failed\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    figures["wall_seconds"] = round(time.perf_counter() - start, 2)
    return figures


HEAD = (
    "set               records  pairwise P / R / F1      B-cubed P / R / F1       est. P"
    "   CPU s   wall s  peak MB"
)


def line(f: dict[str, Any]) -> str:
    """One row of the printed table."""
    pairwise = f"{f['pairwise_precision']:.4f} {f['pairwise_recall']:.4f} {f['pairwise_f1']:.4f}"
    bcubed = f"{f['bcubed_precision']:.4f} {f['bcubed_recall']:.4f} {f['bcubed_f1']:.4f}"
    return (
        f"{f['name']:16s} {f['records']:>8,}  {pairwise}   {bcubed}   {f['estimated_precision']:.4f}"
        f" {f['cpu_seconds']:>7.1f} {f['wall_seconds']:>8.1f} {f['peak_mb']:>8,}"
    )


def main() -> None:
    """Run the sets that were named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "identity_labelled.json"
    )
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the labelled files")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one)))
        return
    print(HEAD)
    results = []
    for name in given.names:
        path = given.shared / f"{name}.parquet"
        if not path.exists():
            print(f"{name:16s} skipped: {path.name} is not in {given.shared}")
            continue
        results.append(run(path))
        print(line(results[-1]), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
