"""What ``signature:`` of a source must say so that a delivery can be verified at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

from cdp.errors import nearest
from cdp.settings.collecting import SignatureSettings
from cdp.settings.document import Path, Problem
from cdp.settings.model import SourceSettings

PLACEHOLDERS: Final = ("body", "timestamp", "url", "method")
"""What ``signed:`` may name in curly brackets."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_READ_BY: Final = {
    "header": ("hmac", "token"),
    "prefix": ("hmac", "token"),
    "algorithm": ("hmac",),
    "encoding": ("hmac",),
    "timestamp_header": ("hmac",),
    "signed": ("hmac",),
}
_NO_SECRET: Final = ("none", "sns")
_HOW_TO: Final = "docs/how-to/add-a-webhook-source.md has examples."


def signature(source: SourceSettings, path: Path, folder: FilePath | None) -> Iterator[Problem]:
    """Yield what is wrong with a source's signature; ``folder`` is the workspace, None: no file is looked for."""
    settings = source.signature
    below: Path = (*path, "signature")
    if settings.scheme is not None and settings.scheme not in _NO_SECRET and not source.secret_env:
        hint = "Name the environment variable that holds it: secret_env: CDP_WEBHOOK_SECRET."
        yield Problem(
            (*below, "scheme"), f"the scheme {settings.scheme!r} needs a secret_env of the source", hint
        )
    yield from _unread(settings, below)
    yield from _headers(settings, below)
    if settings.scheme == "hmac":
        yield from _hmac(settings, below)
    for n, name in enumerate(settings.certificates if folder is not None else ()):
        yield from _certificate((folder or FilePath()) / name, name, (*below, "certificates", n))


def _unread(settings: SignatureSettings, path: Path) -> Iterator[Problem]:
    """Yield each key that the scheme does not read: whoever wrote it believes that it protects."""
    for name, schemes in _READ_BY.items():
        if name in settings.model_fields_set and settings.scheme not in schemes:
            known = f"scheme{'s' if len(schemes) > 1 else ''} {' and '.join(schemes)}"
            what = f"{name!r} is read with the {known} only, given {settings.scheme or 'no scheme'}"
            yield Problem((*path, name), what, f"Add scheme: {schemes[0]}. {_HOW_TO}")


def _headers(settings: SignatureSettings, path: Path) -> Iterator[Problem]:
    for key in ("header", "timestamp_header"):
        name = getattr(settings, key)
        if name is not None and not _HEADER.fullmatch(name):
            yield Problem(
                (*path, key), f"{name!r} is no name of a header", "Expected one such as X-Signature."
            )


def _hmac(settings: SignatureSettings, path: Path) -> Iterator[Problem]:
    if settings.header is None:
        yield Problem(path, "the key 'header' is missing: the scheme hmac reads the signature there", _HOW_TO)
    names = _PLACEHOLDER.findall(settings.signed)
    for name in names:
        if name not in PLACEHOLDERS:
            close = nearest(name, PLACEHOLDERS)
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            hint = f"Did you mean '{{{close}}}'?" if close else f"Expected {known}."
            yield Problem((*path, "signed"), f"'{{{name}}}' is nothing that can be signed", hint)
    if "body" not in names:
        what = f"given {settings.signed!r}: the body is not signed, so anybody could change it"
        yield Problem((*path, "signed"), what, "Expected {body} in it.")
    if "timestamp" in names and settings.timestamp_header is None:
        hint = "Name the header with the time of signing."
        yield Problem((*path, "signed"), "'{timestamp}' needs the key 'timestamp_header'", hint)
    if settings.timestamp_header is not None and "timestamp" not in names:
        what = "the time is not signed, so anybody could change it"
        yield Problem((*path, "timestamp_header"), what, "Put {timestamp} into signed: '{timestamp}.{body}'.")
    if "tolerance" in settings.model_fields_set and settings.timestamp_header is None:
        hint = "Name the header with the time of signing: timestamp_header."
        yield Problem((*path, "tolerance"), "there is no time of signing that it could be held against", hint)


def _certificate(file: FilePath, name: str, path: Path) -> Iterator[Problem]:
    try:
        text = file.read_bytes()
    except OSError as error:
        yield Problem(path, f"{name!r} cannot be read: {(error.strerror or 'no such file').lower()}", None)
        return
    if b"-----BEGIN CERTIFICATE-----" not in text:
        yield Problem(path, f"{name!r} is no certificate", "Expected a PEM file: -----BEGIN CERTIFICATE-----")
