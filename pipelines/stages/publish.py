"""Stage: a release from events, the newest generation and its golden values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cdp.errors import RunFailedError
from pipelines import digests, inputs, quality
from pipelines.generations import Generation, newest
from pipelines.session import Session
from pipelines.sources import grouped_sources
from pipelines.stages import customers
from pipelines.workspace import RATES
from warehouse import release as releases
from warehouse.inputs import ID_CHANGES, JUDGEMENTS, REDIRECTS, BuildInputs
from warehouse.inputs import RATES as RATES_SCHEMA
from warehouse.measures.given import of_settings
from warehouse.segments import files as segment_files
from warehouse.segments.fields import known_fields


@dataclass(frozen=True)
class PublishReport:
    """What was published; ``unchanged`` when the current release has the same inputs.

    ``bad_segments``: segments whose file cannot be used; their members stay as they were.
    """

    version: str
    unchanged: bool
    rows: dict[str, int]
    bad_segments: tuple[str, ...] = ()


def input_digest(session: Session, generation: Generation, profiles: customers.Profiles) -> str:
    """Return a digest over everything but the day that decides the content of a release."""
    settings = session.settings
    rates = session.lake.path(RATES)
    return digests.digest(
        inputs.events(session.lake, session.ledger).digest,
        generation.path,
        profiles.path,
        settings.workspace,
        settings.release.masked,
        settings.lifecycle,
        settings.measures,
        settings.costs,
        rates.read_bytes().hex() if rates.is_file() else None,
        segment_files.digest(session.lake),
        digests.code("warehouse"),
    )


def up_to_date(session: Session, standing: releases.Release, digest: str) -> bool:
    """Tell whether a release is what publishing would give today.

    The first run of a later day (UTC) publishes anew: lifecycle stages and "within N days" are as of a
    release's day.
    """
    made = datetime.fromisoformat(standing.manifest["created_at"]).astimezone(UTC).date()
    return standing.manifest.get("input_digest") == digest and session.now.astimezone(UTC).date() <= made


def publish(session: Session, *, full: bool = False) -> PublishReport:
    """Publish a release, unless the current one was made from the same inputs.

    Raises :class:`RunFailedError` where the build does not add up; the old release stays current.
    """
    generation = newest(session.ledger)
    profiles = customers.current(session.ledger, generation.generation) if generation else None
    if generation is None or profiles is None:
        raise RunFailedError("There are no customers to publish yet.", hint="Run `cdp run`.")
    digest = input_digest(session, generation, profiles)
    standing = releases.find_current(session.lake)
    if standing is not None and up_to_date(session, standing, digest) and not full:
        rows = dict(standing.manifest["rows"])
        return PublishReport(standing.version, unchanged=True, rows=rows, bad_segments=_bad_segments(session))
    with session.stage("publish") as counts, session.progress.step("Publish release", 1) as advance:
        made = releases.publish(
            session.lake,
            session.ledger,
            _inputs(session, generation, profiles, digest),
            now=session.now,
            run_id=session.run_id,
            keep=session.settings.release.keep,
            masked=session.settings.release.masked,
        )
        counts |= {"release": made.version, "customers": made.manifest["rows"]["customers"]}
        advance(1)
    rows = dict(made.manifest["rows"])
    return PublishReport(made.version, unchanged=False, rows=rows, bad_segments=_bad_segments(session))


def _bad_segments(session: Session) -> tuple[str, ...]:
    found = segment_files.read(session.lake, known_fields()).segments
    return tuple(one for one, segment in found.items() if segment.problem)


def _inputs(
    session: Session, generation: Generation, profiles: customers.Profiles, digest: str
) -> BuildInputs:
    lake, ledger, settings = session.lake, session.ledger, session.settings
    events = inputs.events(lake, ledger)
    folder = lake.path(generation.path)
    rates = lake.path(RATES)
    return BuildInputs(
        event_files=events.files.whole,
        event_parts=events.files.parts,
        id_map=folder / "id_map.parquet",
        record_identifiers=folder / "identifiers.parquet",
        attributions=lake.path(profiles.path) / customers.ATTRIBUTIONS,
        evidence=folder / "evidence.parquet",
        clusters=folder / "clusters.parquet",
        held_back=folder / "held_back.parquet",
        judgements=inputs.table(
            ledger,
            f"SELECT {', '.join(JUDGEMENTS.names)} FROM judgements WHERE withdrawn_at IS NULL",
            JUDGEMENTS,
        ),
        superseded=events.excluded,
        grouped_sources=grouped_sources(settings),
        redirects=inputs.table(
            ledger, "SELECT previous_customer_id, customer_id FROM redirects ORDER BY 1", REDIRECTS
        ),
        id_changes=inputs.table(ledger, f"SELECT {', '.join(ID_CHANGES.names)} FROM id_changes", ID_CHANGES),
        quality=quality.served(session),
        rates=rates if rates.is_file() else RATES_SCHEMA.empty_table(),
        digest=digest,
        generation=generation.generation,
        workspace=settings.workspace.name,
        measures=of_settings(settings),
        default_region=settings.workspace.region or None,
        base_currency=settings.workspace.currency or None,
    )
