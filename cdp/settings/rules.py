"""What the classes cannot say: names that must exist, and keys that go together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from cdp.errors import nearest
from cdp.events import CHANNELS, DIRECTIONS, EVENT_TYPES
from cdp.identifiers import check as check_identifier
from cdp.identifiers import country, country_names
from cdp.settings import exporting_rules, measure_rules, webhook_rules
from cdp.settings.codes import CURRENCIES
from cdp.settings.document import Path, Problem
from cdp.settings.model import EventMapping, Settings, SourceSettings, TypeRule

_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?")
_CRON_PART = r"(?:\*|[0-9a-zA-Z]+(?:-[0-9a-zA-Z]+)?)(?:/[0-9]+)?"
_CRON_FIELD = re.compile(rf"{_CRON_PART}(?:,{_CRON_PART})*")


def variables(value: object, path: Path = ()) -> Iterator[Problem]:
    """Yield each text that looks like a variable: nothing is filled in, secrets have ``*_env`` keys."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from variables(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from variables(item, (*path, n))
    elif isinstance(value, str) and _VARIABLE.fullmatch(value):
        hint = "Secrets are named by keys that end in _env, such as write_key_env: CDP_WEB_KEY."
        yield Problem(path, f"{value!r} is not filled in from the environment", hint)


def reserved(value: object) -> Iterator[Problem]:
    """Yield the keys that loading fills in itself."""
    sources = value.get("sources") if isinstance(value, Mapping) else None
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping) and "name" in source:
            yield Problem(
                ("sources", name, "name"), "unknown key", "A source's name is the key that it stands under."
            )


def check(
    settings: Settings, connectors: Collection[str] | None, folder: FilePath | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with settings of the right shape; ``connectors`` are the known names.

    ``folder`` is the workspace, below which files that are named must be (None: not looked for).
    """
    workspace = settings.workspace
    yield from _timezone(workspace.timezone, ("workspace", "timezone"))
    yield from _region(workspace.region, ("workspace", "region"))
    yield from _currency(workspace.currency, ("workspace", "currency"))
    yield from _own(settings)
    for name, source in settings.sources.items():
        yield from _source(name, source, settings, connectors)
        yield from webhook_rules.signature(source, ("sources", name), folder)
    yield from _cron(settings.schedule)
    for name, export in settings.exports.items():
        yield from exporting_rules.export(name, export)
        if exporting_rules.has_cron(export):
            yield from _cron(export.schedule, ("exports", name, "schedule"))
    yield from _groups(settings)
    yield from measure_rules.check(settings)


def _own(settings: Settings) -> Iterator[Problem]:
    region = settings.workspace.region or None
    for kind, values in (("phone", settings.own.phones), ("email", settings.own.emails)):
        for n, value in enumerate(values):
            if check_identifier(kind, value, region).value is None:
                hint = "Write it with its country code: +442071234567." if kind == "phone" else None
                yield Problem(("own", f"{kind}s", n), f"{value!r} is no valid {kind}", hint)
    for n, value in enumerate(settings.own.domains):
        if not _DOMAIN.fullmatch(value):
            yield Problem(
                ("own", "domains", n), f"{value!r} is no domain", "Expected a name such as shop.example."
            )


def _source(
    name: str, source: SourceSettings, settings: Settings, connectors: Collection[str] | None
) -> Iterator[Problem]:
    path: Path = ("sources", name)
    if not _SOURCE_NAME.fullmatch(name):
        hint = "Expected lower-case letters, digits and underscores, a letter first."
        yield Problem(path, f"{name!r} is no name of a source", hint)
    if connectors is not None and source.connector not in connectors:
        yield _unknown(source.connector, connectors, "connector", (*path, "connector"))
    if source.channel is not None and source.channel not in CHANNELS:
        yield _unknown(source.channel, CHANNELS, "channel", (*path, "channel"))
    if source.timezone != settings.workspace.timezone:  # the workspace's own is checked there
        yield from _timezone(source.timezone, (*path, "timezone"))
    if source.region != settings.workspace.region:
        yield from _region(source.region, (*path, "region"))
    yield from _encoding(source.encoding, (*path, "encoding"))
    if source.event is not None:
        yield from _event(source.event, (*path, "event"))


def _event(event: EventMapping, path: Path) -> Iterator[Problem]:
    for name, below in _type_names(event.type):
        if name not in EVENT_TYPES:
            yield _unknown(name, EVENT_TYPES, "event type", (*path, "type", *below))
    if event.currency is not None and event.currency.value is not None:
        yield from _currency(event.currency.value, (*path, "currency"))
    if event.group_by is not None and event.id not in (None, event.group_by):
        what = f"given {event.id!r} beside group_by, expected {event.group_by!r} or no id"
        yield Problem((*path, "id"), what, "The lines of one event are told apart by their content.")
    directions = (*DIRECTIONS,)
    if event.direction is not None and event.direction.value not in (None, *directions):
        yield _unknown(str(event.direction.value), directions, "direction", (*path, "direction", "value"))


def _type_names(rule: TypeRule) -> Iterator[tuple[str, Path]]:
    for key in ("values", "prefixes"):
        for value, name in getattr(rule, key).items():
            yield name, (key, value)
    if rule.default is not None:
        yield rule.default, ("default",)


def _timezone(name: str, path: Path) -> Iterator[Problem]:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield _unknown(name, zoneinfo.available_timezones(), "IANA time zone", path, "such as Europe/London")


def _region(region: str, path: Path) -> Iterator[Problem]:
    if region and region not in country_names():
        code = country(region)
        hint = f"Did you mean {code!r}?" if code else "Expected two letters, such as GB."
        yield Problem(path, f"{region!r} is no ISO 3166 country code", hint)


def _currency(code: str, path: Path) -> Iterator[Problem]:
    if code and code not in CURRENCIES:
        swapped = (known for known in CURRENCIES if sorted(known) == sorted(code.upper()))
        close = min(swapped, default=None)
        hint = f"Did you mean {close!r}?" if close else "Expected three letters, such as GBP."
        yield Problem(path, f"{code!r} is no ISO 4217 currency", hint)


def _encoding(name: str, path: Path) -> Iterator[Problem]:
    import codecs

    try:
        codecs.lookup(name)
    except LookupError:
        known: Final = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1251", "shift_jis", "gb18030")
        yield _unknown(name, known, "encoding", path, "such as utf-8 or cp1252")


def _cron(text: str, path: Path = ("schedule",)) -> Iterator[Problem]:
    parts = text.split()
    if len(parts) != 5 or not all(_CRON_FIELD.fullmatch(part) for part in parts):
        hint = "Expected five fields, such as 0 4 * * * (each day at 4)."
        yield Problem(path, f"{text!r} is no cron expression", hint)


def _groups(settings: Settings) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for group, attributes in settings.survivorship.groups.items():
        for n, attribute in enumerate(attributes):
            path: Path = ("survivorship", "groups", group, n)
            if attribute in owner:
                yield Problem(path, f"{attribute!r} is already in the group {owner[attribute]!r}")
            owner.setdefault(attribute, group)


def _unknown(
    name: str, known: Collection[str] | Mapping[str, Any], what: str, path: Path, such_as: str = ""
) -> Problem:
    close = nearest(name, known)
    few = (
        f"Expected one of {', '.join(sorted(known))}." if len(known) <= 20 else f"Expected a name {such_as}."
    )
    hint = f"Did you mean {close!r}?" if close else few
    return Problem(
        path, f"{name!r} is no known {what}", hint if close or such_as or len(known) <= 20 else None
    )
