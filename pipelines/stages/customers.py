"""Stage: the golden value of every attribute of every customer, each with its attribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from cdp import durable
from cdp.errors import RunFailedError
from cdp.ledger import Ledger, timestamp
from pipelines import digests, golden
from pipelines.generations import Generation, newest
from pipelines.session import Session

if TYPE_CHECKING:
    from cdp.settings import Settings
    from identity.survivorship import SurvivorshipPolicy

ATTRIBUTIONS = "attributions.parquet"


@dataclass(frozen=True)
class Profiles:
    """Golden values of one generation, as the ledger lists them."""

    generation: int
    path: str
    input_digest: str
    customers: int


@dataclass(frozen=True)
class CustomersReport:
    """What the stage did; ``unchanged`` when its inputs are those of the profiles that stand."""

    profiles: Profiles
    unchanged: bool
    values: int = 0


def current(ledger: Ledger, generation: int) -> Profiles | None:
    """Return the profiles of a generation, or None where they have not been made."""
    rows = ledger.rows(
        "SELECT generation, path, input_digest, customers FROM profiles WHERE generation = ?", (generation,)
    )
    return Profiles(**dict(rows[0])) if rows else None


def input_digest(session: Session, generation: Generation) -> str:
    """Return a digest over everything that decides the golden values."""
    settings = session.settings
    return digests.digest(
        generation.path,
        settings.survivorship,
        {name: source.trust for name, source in settings.sources.items()},
        digests.code("identity.survivorship", "pipelines.golden"),
    )


def merge_customers(session: Session, *, full: bool = False) -> CustomersReport:
    """Choose the golden values of the newest generation, unless that has been done."""
    generation = newest(session.ledger)
    if generation is None:
        raise RunFailedError(
            "No records have been resolved yet.", hint="Run `cdp resolve`, or the whole `cdp run`."
        )
    digest = input_digest(session, generation)
    known = current(session.ledger, generation.generation)
    if known is not None and known.input_digest == digest and not full:
        return CustomersReport(known, unchanged=True)
    with session.stage("customers") as counts, session.progress.step("Merge customers", 1) as advance:
        report = _merge(session, generation, digest)
        counts |= {"customers": report.profiles.customers, "values": report.values}
        advance(1)
    return report


def _merge(session: Session, generation: Generation, digest: str) -> CustomersReport:
    from identity.survivorship import merge

    folder = session.lake.path(generation.path)
    clusters = pq.read_table(folder / "clusters.parquet", columns=["record_key", "cluster_id"])
    values = golden.candidates(folder, clusters)
    merged, attributions = merge(values, clusters, policy(session.settings))
    profiles = Profiles(
        generation.generation, f"{generation.path}-profiles-{digest[:8]}", digest, merged.num_rows
    )
    with durable.atomic_directory(session.lake.path(profiles.path)) as temporary:
        pq.write_table(attributions, temporary / ATTRIBUTIONS, compression="zstd")
    with session.ledger.transaction("profiles"):
        session.ledger.execute(
            "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?, ?, ?)",
            (
                profiles.generation,
                profiles.path,
                profiles.input_digest,
                profiles.customers,
                timestamp(session.now),
                session.run_id,
            ),
        )
    return CustomersReport(profiles, unchanged=False, values=attributions.num_rows)


def policy(settings: Settings) -> SurvivorshipPolicy:
    """Return the survivorship rules of ``cdp.yaml``, with the trust of each source."""
    from identity.survivorship import SurvivorshipPolicy

    rules = settings.survivorship
    return SurvivorshipPolicy(
        default=rules.default,
        per_attribute={str(name): rule for name, rule in rules.attributes.items()},
        groups={name: tuple(map(str, fields)) for name, fields in rules.groups.items()},
        trust={name: source.trust for name, source in settings.sources.items()},
    )
