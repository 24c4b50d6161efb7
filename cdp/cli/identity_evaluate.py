"""`cdp identity evaluate`: how good the clusters are, by known truth and by signs that need none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdp.cli.options import format_option
from cdp.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from cdp.cli.main import Context
    from identity.evaluation.facts import Facts
    from identity.evaluation.truth import Truth

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_CLUSTERS = ("cluster_id", "customer_id", "cluster", "entity_id")


@dataclass(frozen=True)
class Subject:
    """What is evaluated: clusters (record_key, cluster_id), what their records say, and weighed pairs."""

    clusters: pa.Table
    facts: Facts
    weighed: pa.Table | None = None
    model: dict[str, Any] = field(default_factory=dict)


@click.command("evaluate")
@click.option("--truth", type=_FILE, help="Which records are one entity (CSV, JSONL or Parquet).")
@click.option("--predicted", type=_FILE, help="Clusters to evaluate, instead of the workspace's customers.")
@click.option("--records", type=_FILE, help="With --predicted: what the records say, to read errors by.")
@click.option("--id", "key", metavar="COLUMN", help="Column of the files that names a record.")
@click.option("--entity", metavar="COLUMN", help="Column of the truth that names an entity.")
@click.option(
    "--errors",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Show so many false merges and missed matches.",
)
@click.option("--show-values", is_flag=True, help="Print personal data; else values are masked.")
@format_option("table")
@click.pass_obj
def evaluate(  # noqa: PLR0913 - one parameter per option
    context: Context,
    *,
    truth: Path | None,
    predicted: Path | None,
    records: Path | None,
    key: str | None,
    entity: str | None,
    errors: int,
    show_values: bool,
    chosen: str,
) -> None:
    """Say how good the clusters are.

    With --truth: precision, recall and F1 over pairs of records and by B-cubed, sizes, and with --errors the
    errors worth reading. The truth names records by record_key, by source and key, by an identifier (email,
    user_id), or by the column of --id. Without --truth: only the signs of wrong customers of the workspace.
    """
    from cdp.cli import table_file
    from cdp.cli.evaluation_page import as_data, page

    if truth is None and (predicted or errors or key or entity):
        raise UsageError("there is no truth to compare with", hint="name a file with --truth")
    if records and not predicted:
        raise UsageError("--records goes with --predicted", hint="a workspace knows what its records say")
    known = table_file.read(truth).table if truth else None
    subject = (
        _from_files(predicted, records, known, key, entity)
        if predicted
        else _from_workspace(context.workspace)
    )
    told = _evaluate(subject, known, key, entity, errors)
    data = as_data(told, show_values=show_values)
    click.echo(json.dumps(data, ensure_ascii=False, indent=2) if chosen == "json" else page(data))


def _evaluate(
    subject: Subject, known: pa.Table | None, key: str | None, entity: str | None, errors: int
) -> dict[str, Any]:
    from dataclasses import asdict

    from identity.evaluation.diagnostics import diagnose
    from identity.evaluation.evaluate import evaluate as compare
    from identity.evaluation.evaluate import sizes
    from identity.evaluation.mistakes import find_mistakes
    from identity.evaluation.truth import read_truth

    told: dict[str, Any] = {}
    estimates = ("estimated_precision", "estimated_recall")
    told |= {name: subject.model[name] for name in estimates if name in subject.model}
    if known is not None:
        found = read_truth(known, subject.facts, key=key, entity=entity)
        predicted = subject.clusters.select(["record_key", "cluster_id"]).rename_columns(
            ["record_id", "cluster_id"]
        )
        told["truth"] = _about(found)
        told["accuracy"] = compare(found.table, predicted).to_dict()
        told["sizes"] = [asdict(size) for size in sizes(found.table, predicted)]
        if errors:
            told["mistakes"] = find_mistakes(
                found.table, subject.clusters, subject.facts, subject.weighed, most=errors
            ).to_dict()
    if subject.facts.table.num_rows:
        told["diagnostics"] = diagnose(subject.clusters, subject.facts).to_dict()
    return told


def _about(found: Truth) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "records": found.table.num_rows,
        "named_by": found.named_by,
        "unknown": found.unknown,
        "contradicted": found.contradicted,
        "by_identifier": found.by_identifier,
    }


def _from_workspace(workspace: Path) -> Subject:
    """Read the customers of the newest generation."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from identity.evaluation.facts import read_facts

    folder = generation_folder(workspace)
    records, identifiers, id_map = (
        pq.read_table(folder / f"{name}.parquet") for name in ("records", "identifiers", "id_map")
    )
    clusters = pq.read_table(folder / "clusters.parquet", columns=["record_key", "match_probability"])
    named = clusters.join(id_map.rename_columns(["record_key", "cluster_id"]), "record_key")
    weighed = [
        pq.read_table(path)
        for name in ("evidence", "uncertain")
        if (path := folder / f"{name}.parquet").exists()
    ]
    names = ["left_record", "right_record", "match_weight", "reason", "levels"]
    pairs = pa.concat_tables([table.select(names) for table in weighed], promote_options="permissive")
    model = json.loads((folder / "model.json").read_bytes())
    return Subject(named, read_facts(records, identifiers), pairs, model)


def generation_folder(workspace: Path) -> Path:
    """Return the folder of the newest generation of customers."""
    from cdp.lake import Lake
    from cdp.ledger import Ledger

    lake = Lake(workspace)
    path = None
    if lake.ledger_path.exists():
        with Ledger(lake.ledger_path, read_only=True) as ledger:
            path = ledger.value("SELECT path FROM generations ORDER BY generation DESC LIMIT 1")
    if path is None:
        raise NotFoundError(
            "There are no customers yet.", hint="`cdp resolve` finds them, `cdp run` does the whole job."
        )
    return lake.path(str(path))


def _from_files(
    predicted: Path, records: Path | None, known: pa.Table | None, key: str | None, entity: str | None
) -> Subject:
    """Read clusters from a file, and what is known about their records from another, or from the truth."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from cdp.cli import table_file
    from identity.evaluation.facts import FACTS, Facts
    from identity.evaluation.truth import entity_column

    clusters = _clusters(predicted, key)
    facts = None
    if records is not None:
        facts = _facts(table_file.read(records).table, key)
    elif known is not None:
        facts = _facts(known.drop_columns([entity_column(known.column_names, entity, key)]), key)
    if facts is None:
        keys = pc.unique(clusters["record_key"])
        facts = Facts(keys, FACTS.empty_table(), pa.nulls(len(keys), pa.string()))
    return Subject(clusters, facts)


def _clusters(path: Path, key: str | None) -> pa.Table:
    """Read which cluster each record is in; rows that name no record are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from cdp.cli import table_file
    from identity.evaluation.truth import key_columns, named_by

    table = table_file.read(path).table
    columns = key_columns(table.column_names, key if key in table.column_names else None)
    others = [name for name in table.column_names if name not in columns]
    label = next((name for name in _CLUSTERS if name in others), None)
    if label is None:
        raise UsageError(f"no column of {path.name} names clusters", hint="expected record_id and cluster_id")
    clusters = pa.table({"record_key": named_by(table, columns), "cluster_id": named_by(table, [label])})
    if "match_probability" in others:
        chance = named_by(table, ["match_probability"]).cast(pa.float64())
        clusters = clusters.append_column("match_probability", chance)
    return clusters.filter(pc.is_valid(clusters["record_key"]))


def _facts(table: pa.Table, key: str | None) -> Facts | None:
    """Read what records say; None where nothing but their names is there."""
    from identity import roles
    from identity.evaluation.facts import read_facts
    from identity.evaluation.truth import key_columns, named_by

    columns = key_columns(table.column_names, key if key in table.column_names else None)
    named = {*columns, "record_key"} - {"source"}
    said = table.drop_columns([name for name in table.column_names if name in named])
    if not set(said.column_names) - {"source"}:
        return None
    prepared = roles.prepare(
        said.append_column("record_key", named_by(table, columns)), id_column="record_key"
    )
    return read_facts(prepared.records, prepared.identifiers)
