"""What an increment costs against a full resolution.

    python -m benchmarks.identity_increment [--records 1000000] [--share 0.01] [--batches 5]

Made-up people (``benchmarks.people``) or a labelled file (``--file``). A share of the records, chosen by the hash
of their ids, is held back and comes as batches of equal size; the rest is resolved in full. Printed: CPU and wall
of the full resolution and of each batch, stage by stage, with the state in memory, and whether the partition after
all batches equals that of a full resolution under the same model.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import machine, measured, spread

ROOT = Path(__file__).resolve().parent.parent
AIM = 0.03
_WARM = 4_000


def one(path: Path, share: float, batches: int) -> dict[str, Any]:
    """Resolve a file in full and in increments, here."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from benchmarks.stagewatch import StageWatch, memory
    from identity import roles
    from identity.incremental import Batch, update

    table = pq.read_table(path)
    columns = [name for name in table.column_names if name != "entity_id"]
    prepared = roles.prepare(table.select(columns), id_column="record_id")
    keys = prepared.records["record_key"].combine_chunks()
    part = _parts(keys, share, batches)

    def tables(chosen: Any) -> tuple[pa.Table, pa.Table]:
        some = keys.filter(pa.array(chosen))
        known = pc.is_in(prepared.identifiers["record_key"], value_set=some)
        return prepared.records.filter(pa.array(chosen)), prepared.identifiers.filter(known)

    # Compiled kernels are loaded, or compiled, by a first small round: that is paid once a process, or once for ever.
    place = np.arange(len(keys))
    small = start(*tables(place < _WARM), StageWatch())
    update(small, Batch(*tables((place >= _WARM) & (place < _WARM + 50))), None)
    full = StageWatch()
    state = start(*tables(part < 0), full)
    full.end()
    told: dict[str, Any] = {"records": int((part < 0).sum()), "full": _total(full), "updates": []}
    for number in range(batches):
        batch = Batch(*tables(part == number))
        watch = StageWatch()
        watch("update")
        state = update(state, batch, None, watch)
        watch.end()
        told["updates"].append({"records": batch.records.num_rows, **_total(watch)})
    whole = start(*tables(np.ones(len(keys), dtype=bool)), StageWatch(), state.version)
    told["equal"] = _partition(state) == _partition(whole)
    told["peak_mb"] = round(memory("VmHWM"))
    return told


def start(records: Any, identifiers: Any, watch: Callable[[str], None], version: Any = None) -> Any:
    """Resolve in full and keep the state; ``version``: the model to use instead of estimating one."""
    from identity.resolution import start as resolve

    return resolve(records, identifiers, model=version, progress=watch)


def _parts(keys: Any, share: float, batches: int) -> Any:
    """Number of the batch of each record, -1 for those that are there at first; a function of the keys."""
    import hashlib

    import numpy as np

    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys.to_pylist())
    place = np.frombuffer(digests, dtype=np.uint64) / 2.0**64
    return np.where(place < share * batches, (place / share).astype(np.int64), -1)


def _partition(state: Any) -> dict[str, str]:
    """Cluster of each live record, named by its smallest record key."""
    import numpy as np

    rows = np.flatnonzero(state.live)
    keys = state.records.keys.take(rows).to_pylist()
    labels = state.clustered.labels[rows].tolist()
    smallest: dict[int, str] = {}
    for key, label in zip(keys, labels, strict=True):
        smallest[label] = min(key, smallest.get(label, key))
    return {key: smallest[label] for key, label in zip(keys, labels, strict=True)}


def _total(watch: Any) -> dict[str, Any]:
    stages = watch.costs()
    return {
        "cpu": round(sum(stage["cpu"] for stage in stages), 3),
        "wall": round(sum(stage["wall"] for stage in stages), 3),
        "stages": {stage["stage"]: stage["cpu"] for stage in stages},
    }


def show(told: dict[str, Any]) -> None:
    full = told["full"]
    print(f"full: {told['records']:,} records, {full['cpu']:.2f} CPU-seconds, {full['wall']:.2f} s wall")
    print("  " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in full["stages"].items()))
    for number, batch in enumerate(told["updates"], 1):
        each = ", ".join(f"{name} {seconds:.2f}" for name, seconds in batch["stages"].items())
        print(
            f"batch {number}: {batch['records']:,} records, {batch['cpu']:.3f} CPU-seconds "
            f"({batch['cpu'] / full['cpu']:.1%} of full), {batch['wall']:.3f} s wall: {each}"
        )
    ratio = told["ratio"]
    word = "met" if ratio["median"] <= AIM else "MISSED"
    print(f"an increment costs {ratio['median']:.1%} of a full resolution in CPU (aim {AIM:.0%}: {word})")
    same = "equals" if told["equal"] else "DIFFERS FROM"
    print(f"the partition after all batches {same} that of a full resolution; peak {told['peak_mb']:,} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--file", type=Path, help="a file with record_id and entity_id instead of made-up people"
    )
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "identity_increment.json"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.file, given.share, given.batches)))
        return
    from benchmarks.identity_scale import people

    path = given.file or people(given.records)
    command = [sys.executable, "-m", "benchmarks.identity_increment", "--one", "--file", str(path)]
    command += ["--share", str(given.share), "--batches", str(given.batches)]
    done = measured(command, folder=ROOT, log=ROOT / ".bench" / "logs" / "increment")
    if done.status:
        raise SystemExit(done.errors)
    told: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    told |= {"measured_at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "file": path.name}
    told["ratio"] = spread([batch["cpu"] / told["full"]["cpu"] for batch in told["updates"]])
    told["wall_ratio"] = spread([batch["wall"] / told["full"]["wall"] for batch in told["updates"]])
    show(told)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")
    if not told["equal"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
