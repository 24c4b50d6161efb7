"""How a webhook is verified, as cdp.yaml says it: what cannot work is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.errors import ConfigError
from cdp.settings import load, parse

HEAD = "version: 1\nworkspace: {name: shop}\nsources:\n  hook:\n    connector: files\n    event: {type: lead_submitted}\n"
SECRET = "    secret_env: CDP_HOOK_SECRET\n"


def source(signature: str, secret: str = SECRET) -> str:
    return f"{HEAD}{secret}    signature: {signature}\n"


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, {"files"})
    return caught.value.message


@pytest.mark.parametrize(
    "signature",
    [
        "{scheme: hmac, header: X-Signature}",
        "{scheme: hmac, header: X-Hub-Signature-256, prefix: sha256=}",
        "{scheme: hmac, header: S, timestamp_header: T, signed: 'v0:{timestamp}:{body}', tolerance: 10m}",
        "{scheme: hmac, header: S, encoding: base64, algorithm: sha1, signed: '{method}{url}{body}'}",
        "{scheme: token}",
        "{scheme: token, header: X-Api-Key}",
        "{scheme: token, header: Authorization, prefix: 'Token '}",
        "{scheme: none}",
        "{tolerance: 24h}",
        "{}",
    ],
)
def test_what_can_work_is_taken(signature: str) -> None:
    assert parse(source(signature), {"files"}).sources["hook"].secret_env == ("CDP_HOOK_SECRET",)


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        (
            "{scheme: hmac}",
            "line 8: sources.hook.signature: the key 'header' is missing: the scheme hmac reads the signature there.",
        ),
        (
            "{scheme: hmak, header: S}",
            "line 8: sources.hook.signature.scheme: given 'hmak', expected one of none, hmac,",
        ),
        (
            "{scheme: hmac, header: 'X Signature'}",
            "signature.header: 'X Signature' is no name of a header. Expected one such as X-Signature.",
        ),
        (
            "{scheme: hmac, header: S, signed: '{bodi}{body}'}",
            "signature.signed: '{bodi}' is nothing that can be signed. Did you mean '{body}'?",
        ),
        (
            "{scheme: hmac, header: S, signed: '{nonsense}.{body}'}",
            "'{nonsense}' is nothing that can be signed. Expected {body}, {timestamp}, {url}, {method}.",
        ),
        (
            "{scheme: hmac, header: S, signed: '{url}'}",
            "signature.signed: given '{url}': the body is not signed, so anybody could change it. Expected {body} in it.",
        ),
        (
            "{scheme: hmac, header: S, signed: '{timestamp}.{body}'}",
            "signature.signed: '{timestamp}' needs the key 'timestamp_header'. Name the header with the time",
        ),
        (
            "{scheme: hmac, header: S, timestamp_header: T}",
            "signature.timestamp_header: the time is not signed, so anybody could change it. Put {timestamp}",
        ),
        (
            "{scheme: hmac, header: S, tolerance: 5m}",
            "signature.tolerance: there is no time of signing that it could be held against.",
        ),
        (
            "{header: X-Signature}",
            "'header' is read with the schemes hmac and token only, given no scheme. Add scheme: hmac.",
        ),
        (
            "{scheme: shopify, algorithm: sha1}",
            "signature.algorithm: 'algorithm' is read with the scheme hmac only, given shopify.",
        ),
        ("{scheme: token, signed: '{body}'}", "signed: 'signed' is read with the scheme hmac only, given token."),
    ],
)  # fmt: skip
def test_what_cannot_work_is_named_with_its_place(signature: str, says: str) -> None:
    assert says in message(source(signature))


@pytest.mark.parametrize("scheme", ["token", "shopify", "stripe", "twilio", "meta"])
def test_a_scheme_that_needs_a_secret_says_so(scheme: str) -> None:
    found = message(source(f"{{scheme: {scheme}}}", secret=""))
    assert (
        f"line 7: sources.hook.signature.scheme: the scheme '{scheme}' needs a secret_env of the source."
        in found
    )


def test_none_and_sns_need_no_secret() -> None:
    for scheme in ("none", "sns"):
        assert parse(source(f"{{scheme: {scheme}}}", secret=""), {"files"}).sources["hook"].secret_env == ()


def test_a_certificate_that_is_not_there_is_missed(tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_text("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n")
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    names = ["sns.pem", str(tmp_path / "sns.pem"), "gone.pem", "key.pem", "."]
    (tmp_path / "cdp.yaml").write_text(source(f"{{scheme: sns, certificates: {names}}}", secret=""))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"files"})
    lines = [line.partition("sources.hook.signature.")[2] for line in caught.value.message.splitlines()]
    assert lines == [
        "certificates[2]: 'gone.pem' cannot be read: no such file or directory.",
        "certificates[3]: 'key.pem' is no certificate. Expected a PEM file: -----BEGIN CERTIFICATE-----",
        "certificates[4]: '.' cannot be read: is a directory.",
    ]


def test_without_a_workspace_no_certificate_is_looked_for() -> None:
    text = source("{scheme: sns, certificates: gone.pem}", secret="")
    assert parse(text, {"files"}).sources["hook"].signature.certificates == ("gone.pem",)
