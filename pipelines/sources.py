"""What the stages need to know of a source, from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdp.errors import UsageError, nearest
from cdp.identifiers import normalise

if TYPE_CHECKING:
    from cdp.settings import Settings, SourceSettings
    from connectors.compile import Own, SourceContext
    from connectors.protocol import Connector


def enabled(settings: Settings, only: Sequence[str] = ()) -> list[str]:
    """Return the names of the sources to work on, in order; an unknown one raises :class:`UsageError`."""
    for name in only:
        if name not in settings.sources:
            close = nearest(name, settings.sources)
            raise UsageError(
                f"There is no source {name!r}.",
                hint=f"Did you mean {close!r}?" if close else "`cdp sources` lists them.",
            )
    return [name for name, source in settings.sources.items() if (name in only if only else source.enabled)]


def connector_of(source: SourceSettings) -> Connector:
    """Return the connector of a source."""
    from connectors.registry import connector_for

    return connector_for(source)


def grouped_sources(settings: Settings) -> frozenset[str]:
    """Return the names of the sources whose rows fold into events (the lines of an order)."""
    return frozenset(
        name for name, source in settings.sources.items() if connector_of(source).mapping.grouped
    )


def context_of(settings: Settings, name: str) -> SourceContext:
    """Return what standardising needs to know of source ``name``."""
    from connectors.compile import SourceContext

    source = settings.sources[name]
    return SourceContext(
        source=name,
        namespace=source.namespace,
        timezone=source.timezone,
        region=source.region or None,
        brand=source.brand,
        own=_own(settings),
    )


def _own(settings: Settings) -> Own:
    from connectors.compile import Own

    own, region = settings.own, settings.workspace.region or None
    return Own(
        phones=_normalised("phone", own.phones, region),
        emails=_normalised("email", own.emails, region),
        domains=frozenset(domain.strip().lower().removeprefix("@") for domain in own.domains),
        handles=_normalised("handle", own.handles, region),
    )


def _normalised(kind: str, values: Sequence[str], region: str | None) -> frozenset[str]:
    found = set()
    for value in values:
        normal = normalise(kind, value, region)
        if normal is None:
            raise UsageError(
                f"own: {value!r} is no {kind}.",
                hint="Correct it in cdp.yaml; telephone numbers as +442071234567.",
            )
        found.add(normal)
    return frozenset(found)
