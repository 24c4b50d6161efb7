"""What an increment costs against a full resolution.

    python -m benchmarks.identity_increment [--records 1000000] [--share 0.01] [--batches 5]

Made-up people (``benchmarks.people``) or a labelled file (``--file``). A share of the records, chosen by the hash
of their ids, is held back and comes as batches of equal size; the rest is resolved in full. Printed: CPU and wall
of the full resolution and of each batch, stage by stage, with the state in memory, and whether the partition after
all batches equals that of a full resolution under the same model. Then the same as whole commands, each a process
of its own: one reads the file, resolves all but the last batch, and writes clusters and state; the other reads
state and batch, resolves it, and writes what changed and the state.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import Cost, machine, measured, spread

ROOT = Path(__file__).resolve().parent.parent
AIM, AIM_OF_COMMAND = 0.03, 0.15
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
        return _plain(prepared.records.filter(pa.array(chosen))), _plain(prepared.identifiers.filter(known))

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


def _plain(table: Any) -> Any:
    """Texts as the pipeline brings them: a batch does not come with the dictionaries of all records."""
    import pyarrow as pa

    kinds = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def start(records: Any, identifiers: Any, watch: Callable[[str], None], version: Any = None) -> Any:
    """Resolve in full and keep the state; ``version``: the model to use instead of estimating one."""
    from identity.resolution import start as resolve

    return resolve(records, identifiers, model=version, progress=watch)


def whole(path: Path, share: float, batches: int, folder: Path) -> None:
    """Resolve all but the last batch, from file to files; the batch is left beside the state."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from identity import roles
    from identity.resolution import describe
    from pipelines import identity_state

    table = pq.read_table(path)
    names = [name for name in table.column_names if name != "entity_id"]
    last = pa.array(_parts(table["record_id"], share, batches) == batches - 1)
    pq.write_table(table.select(names).filter(last), folder / "batch.parquet")
    prepared = roles.prepare(table.select(names).filter(pc.invert(last)), id_column="record_id")
    del table
    state = start(prepared.records, prepared.identifiers, lambda _: None)
    pq.write_table(describe(state, with_evidence=False).clusters, folder / "clusters.parquet")
    identity_state.write(folder, state)


def increment(folder: Path) -> None:
    """Resolve a batch against the state in a folder, from files to files."""
    import pyarrow.parquet as pq

    from identity import roles
    from identity.incremental import Batch, changes, update
    from pipelines import identity_state

    state = identity_state.read(folder)
    if state is None:
        raise SystemExit("the state cannot be read")
    prepared = roles.prepare(pq.read_table(folder / "batch.parquet"), id_column="record_id")
    after = update(state, Batch(prepared.records, prepared.identifiers), None)
    pq.write_table(changes(state, after).clusters, folder / "changes.parquet")
    after_folder = folder / "after"
    after_folder.mkdir()
    identity_state.write(after_folder, after)


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
    ratio = told["command_ratio"]
    word = "met" if ratio["median"] <= AIM_OF_COMMAND else "MISSED"
    print(f"as a whole command {ratio['median']:.1%} in CPU (aim {AIM_OF_COMMAND:.0%}: {word})")
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
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "one":
        print(json.dumps(one(given.file, given.share, given.batches)))
    elif given.child == "whole":
        whole(given.file, given.share, given.batches, given.folder)
    elif given.child == "increment":
        increment(given.folder)
    else:
        _compare(given)


def _child(name: str, *arguments: str) -> Cost:
    """Run a part of this benchmark in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.identity_increment", "--child", name, *arguments]
    done = measured(command, folder=ROOT, log=ROOT / ".bench" / "logs" / f"increment.{name}")
    if done.status:
        raise SystemExit(done.errors)
    return done


def _compare(given: argparse.Namespace) -> None:
    from benchmarks.identity_scale import people

    path = given.file or people(given.records)
    shape = ["--file", str(path), "--share", str(given.share), "--batches", str(given.batches)]
    told: dict[str, Any] = json.loads(_child("one", *shape).output.splitlines()[-1])
    told["commands"] = []
    for _ in range(3):
        folder = ROOT / ".bench" / "increment"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        full = _child("whole", *shape, "--folder", str(folder)).figures()
        part = _child("increment", "--folder", str(folder)).figures()
        told["commands"].append({"full": full, "increment": part})
    shutil.rmtree(folder, ignore_errors=True)
    told["command_ratio"] = spread([c["increment"]["cpu"] / c["full"]["cpu"] for c in told["commands"]])
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
