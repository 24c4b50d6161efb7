"""What the class of an export cannot say: names that must exist, keys that go together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdp.errors import nearest
from cdp.events import CHANNELS
from cdp.settings.document import Path, Problem
from cdp.settings.exporting import EACH_RUN, INTERNAL, MANUAL, DestinationSettings, ExportSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_OURS: Final = (
    "content-type",
    "content-length",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "connection",
)
_SECRET: Final = ("authorization", "cookie", "x-api-key", "proxy-authorization")
_HASHED: Final = ("google", "meta")
_KEYED: Final = ("customers", "id_map")


def export(name: str, settings: ExportSettings) -> Iterator[Problem]:
    """Yield what is wrong with an export; its schedule's form is checked with the other crons."""
    path: Path = ("exports", name)
    if not _NAME.fullmatch(name):
        hint = "Expected letters, digits, hyphens and underscores, at most 64."
        yield Problem(path, f"{name!r} is no name of an export", hint)
    channel = settings.channel
    if channel is not None and channel.lower() not in CHANNELS:
        close = nearest(channel, CHANNELS)
        hint = f"Did you mean {close!r}?" if close else f"Expected one of {', '.join(CHANNELS)}."
        yield Problem((*path, "channel"), f"{channel!r} is no known channel", hint)
    hashed = [into for into in settings.files if into in _HASHED]
    if hashed and settings.purpose == INTERNAL:
        what = f"given internal, but {hashed[0]!r} is a list for an advertiser's network"
        yield Problem(
            (*path, "purpose"), what, "Name the purpose that people consented to, such as marketing."
        )
    if hashed and settings.dataset != "customers":
        yield Problem((*path, "dataset"), f"given {settings.dataset!r}, expected customers for {hashed[0]!r}")
    if settings.destination is not None:
        yield from _destination(settings, settings.destination, path)


def _destination(settings: ExportSettings, destination: DestinationSettings, path: Path) -> Iterator[Problem]:
    below: Path = (*path, "destination")
    for key in ("format", "formats"):
        if key in settings.model_fields_set:
            hint = "Make a second export for the files."
            yield Problem((*path, key), "an export with a destination writes no files", hint)
    if settings.dataset not in _KEYED:
        what = f"given {settings.dataset!r}: its rows have no key by which a change could be told"
        yield Problem((*path, "dataset"), what, f"Expected one of {', '.join(_KEYED)}.")
    if destination.url.startswith("http:") and not destination.private_addresses:
        hint = "Use https, or private_addresses: true for this machine and private networks."
        yield Problem((*below, "url"), "personal data would travel in the clear", hint)
    seen: set[str] = set()
    for key, headers in (("headers", destination.headers), ("header_env", destination.header_env)):
        for header, value in headers.items():
            yield from _header(header, (*below, key, header), seen)
            if key == "headers" and header.lower() in _SECRET:
                hint = "Name the environment variable that holds it under header_env."
                yield Problem((*below, key, header), "secrets do not belong in this file", hint)
            if key == "headers" and not _VALUE.fullmatch(value):
                yield Problem((*below, key, header), "the value holds what no header may")


def _header(name: str, path: Path, seen: set[str]) -> Iterator[Problem]:
    low = name.lower()
    if not _HEADER.fullmatch(name):
        yield Problem(path, f"{name!r} is no name of a header", "Expected one such as X-Account.")
    elif low in _OURS or low.startswith("x-cdp-"):
        yield Problem(path, f"{name!r} is set by cdp itself")
    elif low in seen:
        yield Problem(path, f"{name!r} is there twice")
    seen.add(low)


def has_cron(settings: ExportSettings) -> bool:
    """Tell whether the schedule should be a cron expression."""
    return settings.schedule not in (EACH_RUN, MANUAL)
