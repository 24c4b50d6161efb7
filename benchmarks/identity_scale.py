"""How the cost of a resolution grows with the number of records, stage by stage.

    python -m benchmarks.identity_scale --records 250000 1000000 4000000 [--runs 1] [--project 10000000]

People are made by ``benchmarks.people`` (kept in ``.bench/``). Every size runs in a process of its own: read,
prepare, resolve, write. Printed are CPU-seconds and peak memory of each stage, microseconds per record, how they
grow per record from size to size (aim: at most 1.2), and the exponent of growth. What a larger file would need is
projected from the two largest sizes: CPU with each stage's own exponent (at least 1), memory along a line.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import machine, measured

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
SIZES = (250_000, 1_000_000, 4_000_000)
AIM = 1.2
_SMALL = 0.05  # a stage below this share of the whole is not judged by its exponent: it is noise


def people(records: int, seed: int = 1) -> Path:
    """Return a file of made-up people, made once."""
    path = BENCH / f"people-{records}-{seed}.parquet"
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.people", str(path), "--records", str(records)]
        done = measured([*command, "--seed", str(seed)], folder=ROOT, log=BENCH / "people")
        if done.status:
            raise SystemExit(done.errors)
        print(done.output.strip(), file=sys.stderr)
    return path


def one(path: Path) -> dict[str, Any]:
    """Resolve one file here; return what each stage cost, and the accuracy."""
    from benchmarks.stagewatch import StageWatch, cpu

    watch = StageWatch()
    watch("imports")
    import pyarrow.parquet as pq

    from identity import resolve, roles
    from identity.evaluation.evaluate import evaluate

    watch("read")
    table = pq.read_table(path)
    truth = table.select(["record_id", "entity_id"])
    watch("prepare")
    prepared = roles.prepare(table.drop_columns(["entity_id"]), id_column="record_id")
    del table
    watch("resolve")
    options: dict[str, Any] = {"with_evidence": False}
    if "progress" in inspect.signature(resolve).parameters:
        options["progress"] = watch
    found = resolve(prepared.records, prepared.identifiers, **options)
    watch("write")
    pq.write_table(found.clusters, path.with_suffix(".clusters.parquet"))
    watch.end()
    used = cpu()
    predicted = found.clusters.select(["record_key", "cluster_id"]).rename_columns(
        ["record_id", "cluster_id"]
    )
    figures = evaluate(truth, predicted).to_dict()
    return {
        "records": truth.num_rows,
        "stages": watch.costs(),
        "cpu": round(used, 2),
        "peak_mb": round(watch.peak_mb),
        "candidate_pairs": found.model.get("candidate_pairs"),
        "accuracy": {name: figures[name] for name in ("pairwise_f1", "bcubed_f1", "pairwise_precision")},
        "estimated_precision": found.model.get("estimated_precision"),
    }


def run(records: int) -> dict[str, Any]:
    """Measure one size in a process of its own; the wall time is that of the stages."""
    command = [sys.executable, "-m", "benchmarks.identity_scale", "--one", str(people(records))]
    done = measured(command, folder=ROOT, log=BENCH / "logs" / f"scale-{records}")
    if done.status:
        raise SystemExit(f"{records:,} records failed:\n{done.errors}")
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return found | {"wall": round(sum(stage["wall"] for stage in found["stages"]), 2)}


def growth(small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    """Compare two sizes: ratio of the cost per record, and exponent, of the whole and of each stage."""
    factor = large["records"] / small["records"]

    def ratio(before: float, after: float) -> dict[str, float | None]:
        if before <= 0 or after <= 0:
            return {"per_record": None, "exponent": None}
        return {
            "per_record": round(after / before / factor, 3),
            "exponent": round(math.log(after / before) / math.log(factor), 3),
        }

    earlier = {stage["stage"]: stage["cpu"] for stage in small["stages"]}
    stages = {
        stage["stage"]: ratio(earlier[stage["stage"]], stage["cpu"])
        for stage in large["stages"]
        if stage["stage"] in earlier and stage["stage"] != "imports"
    }
    return {
        "from": small["records"],
        "to": large["records"],
        "cpu": ratio(small["cpu"], large["cpu"]),
        "wall": ratio(small["wall"], large["wall"]),
        "memory_mb_per_million": round(
            (large["peak_mb"] - small["peak_mb"]) / (large["records"] - small["records"]) * 1e6
        ),
        "stages": stages,
    }


def project(small: dict[str, Any], large: dict[str, Any], records: int) -> dict[str, Any]:
    """Extrapolate from two measured sizes: stages by their exponents, memory along a line."""
    grown, factor = growth(small, large), records / large["records"]
    cpu = wall = 0.0
    for stage in large["stages"]:
        exponent = (grown["stages"].get(stage["stage"]) or {}).get("exponent") or 1.0
        counts = stage["cpu"] >= _SMALL * large["cpu"]
        power = factor ** (max(exponent, 1.0) if counts else 1.0) if stage["stage"] != "imports" else 1.0
        cpu, wall = cpu + stage["cpu"] * power, wall + stage["wall"] * power
    slope = max(grown["memory_mb_per_million"], 0)
    memory = large["peak_mb"] + slope * (records - large["records"]) / 1e6
    return {"records": records, "cpu": round(cpu), "wall": round(wall), "peak_gib": round(memory / 1024, 1)}


def show(results: list[dict[str, Any]]) -> None:
    """Print the stages of each size side by side, then how they grow."""
    names = list(dict.fromkeys(stage["stage"] for result in results for stage in result["stages"]))
    print(f"{'CPU-seconds (µs per record)':24s}" + "".join(f"{r['records']:>22,}" for r in results))
    for name in names:
        cells = []
        for result in results:
            stage = next((s for s in result["stages"] if s["stage"] == name), None)
            each = (
                "" if stage is None else f"{stage['cpu']:.2f} ({1e6 * stage['cpu'] / result['records']:.2f})"
            )
            cells.append(f"{each:>22s}")
        print(f"  {name:22s}" + "".join(cells))
    for name, form in (("cpu", ".2f"), ("wall", ".2f"), ("peak_mb", ",.0f")):
        print(f"  {'all: ' + name:22s}" + "".join(f"{result[name]:>22{form}}" for result in results))
    f1 = "".join(f"{r['accuracy']['pairwise_f1']:>22.4f}" for r in results)
    print(f"  {'pairwise F1':22s}{f1}")


def main() -> None:
    """Measure the sizes, print them and their growth, and write everything as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--records", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=1, help="of each size; the one with least CPU counts")
    parser.add_argument("--project", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "identity_scale.json")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one)))
        return
    results = [
        min((run(records) for _ in range(given.runs)), key=lambda result: float(result["cpu"]))
        for records in sorted(given.records)
    ]
    show(results)
    told: dict[str, Any] = {
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "sizes": results,
    }
    told["growth"] = [growth(small, large) for small, large in itertools.pairwise(results)]
    for step in told["growth"]:
        ratio = step["cpu"]["per_record"]
        word = "met" if ratio <= AIM else "MISSED"
        print(
            f"{step['from']:,} to {step['to']:,}: CPU per record ×{ratio:.2f} (aim ×{AIM}: {word}), exponent "
            f"{step['cpu']['exponent']:.2f}; {step['memory_mb_per_million']:,} MB per million records"
        )
    if len(results) > 1:
        told["projection"] = project(results[-2], results[-1], given.project)
        far = told["projection"]
        print(
            f"Projected for {far['records']:,}: {far['cpu']:,} CPU-seconds, {far['wall']:,} s wall, "
            f"{far['peak_gib']} GiB"
        )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
