"""What a run would have to do: asked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.generations import newest
from pipelines.session import Session
from pipelines.stages import customers, export, land, publish, resolve, standardise
from warehouse import release as releases


@dataclass(frozen=True)
class Selection:
    """A part of the job that a command runs."""

    name: str
    land: bool = False
    resolve: bool = False
    publish: bool = False


SELECTIONS: dict[str, Selection] = {
    selection.name: selection
    for selection in (
        Selection("run", land=True, resolve=True, publish=True),
        Selection("land", land=True),
        Selection("resolve", resolve=True),
        Selection("publish", publish=True),
        Selection("replay", resolve=True, publish=True),
    )
}
"""land: raw files. resolve: events and identity. publish: customers, release, exports."""


@dataclass(frozen=True)
class Plan:
    """Sources with input to land, sources with files to standardise, and the stages after them."""

    to_land: tuple[str, ...]
    to_standardise: tuple[str, ...]
    resolve: bool
    publish: bool

    @property
    def nothing(self) -> bool:
        """Say whether there is nothing to do."""
        return not (self.to_land or self.to_standardise or self.resolve or self.publish)


def make(session: Session, selection: Selection, sources: Sequence[str]) -> Plan:
    """Return what is to be done of ``selection`` for ``sources``; options such as ``full`` count."""
    options = session.options
    to_land = tuple(name for name in sources if selection.land and land.is_pending(session, name))
    to_standardise = tuple(
        name
        for name in sources
        if selection.resolve
        and (
            name in to_land
            or options.full
            or standardise.pending_files(session, name, quarantined=options.quarantined)
            or standardise.unsettled(session, name)
        )
    )
    changed = bool(to_standardise) or options.full
    resolving = selection.resolve and (changed or not _resolved(session))
    publishing = changed or resolving or not _published(session) or bool(export.pending(session))
    return Plan(to_land, to_standardise, resolve=resolving, publish=selection.publish and publishing)


def _resolved(session: Session) -> bool:
    """Say whether resolving would give the newest generation again; with no events, none is needed."""
    known = newest(session.ledger)
    if known is None:
        return session.ledger.value("SELECT 1 FROM event_files WHERE current LIMIT 1") is None
    return resolve.up_to_date(session, known)


def _published(session: Session) -> bool:
    """Say whether publishing would give the current release again; with no records, none is needed."""
    generation = newest(session.ledger)
    if generation is None:
        return True
    profiles = customers.current(session.ledger, generation.generation)
    standing = releases.find_current(session.lake)
    if profiles is None or standing is None:
        return False
    return profiles.input_digest == customers.input_digest(session, generation) and publish.up_to_date(
        session, standing, publish.input_digest(session, generation, profiles)
    )
