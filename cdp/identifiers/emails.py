"""E-mail addresses in one canonical form.

Dots and plus tags stay: whether ``a.b+x@`` and ``ab@`` are one person depends on the mail provider, and
is a question of evidence, not of form.
"""

from __future__ import annotations

import re
from typing import Final

from cdp.identifiers.text import Checked, is_placeholder, lower_case

MAX_LENGTH: Final = 254
"""Characters of a whole address (RFC 5321, 4.5.3.1.3)."""
MAX_LOCAL: Final = 64
"""Characters before the @."""

_IN_ANGLES = re.compile(r"<([^<>]*)>")
_OUTER = " \t\r\n'\"`,;()[]{}<>"
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LAST_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_MASK = re.compile(r"[*•…●█]|\.\.\.")
_MASKED_LOCAL = re.compile(r"x{3,}|redacted|hidden|masked|removed|deleted|(?:email )?protected")

# What the rules below leave as it is, save for ASCII case: the test of nearly all values, in RE2.
PLAIN: Final = (
    r"^[a-z0-9!#$%&'/=?^_`{|}~+-](?:[a-z0-9!#$%&'/=?^_`{|}~+-]|\.[a-z0-9!#$%&'/=?^_`{|}~+-]){0,31}@"
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,3}[a-z]{2,24}$"
)
NOT_PLAIN: Final = r"^(?:x{3,}|redacted|hidden|masked|removed|deleted|protected)@|^['`{}]|^mailto:"


def check_email(value: str) -> Checked:
    """Check an e-mail address: display name off, NFKC, lower case, the domain as ASCII (IDNA 2008).

    >>> check_email(' "Alice B." <Alice@Example.COM> ').value
    'alice@example.com'
    >>> check_email("info@münchen.example").value
    'info@xn--mnchen-3ya.example'
    >>> check_email("a***@example.com").reason, check_email("alice").reason
    ('masked', 'not_an_email')
    """
    text = lower_case(value)
    if not text:
        return Checked(None, "empty")
    if angles := _IN_ANGLES.findall(text):
        text = angles[-1]
    text = text.strip(_OUTER)
    if text.startswith("mailto:"):
        text = text.removeprefix("mailto:").partition("?")[0].strip(_OUTER)
    local, at, domain = text.rpartition("@")
    if _MASK.search(text) or _MASKED_LOCAL.fullmatch(local if at else text):
        return Checked(None, "masked")
    if not at:
        return Checked(None, "placeholder" if is_placeholder(text) else "not_an_email")
    if not _LOCAL.fullmatch(local) or len(local) > MAX_LOCAL:
        return Checked(None, "not_an_email")
    return _with_domain(local, domain.rstrip("."))


def _with_domain(local: str, domain: str) -> Checked:
    ascii_domain = domain if domain.isascii() else _to_ascii(domain)
    if ascii_domain is None:
        return Checked(None, "not_an_email")
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit():
        return Checked(None, "no_public_domain")
    if not _LAST_LABEL.fullmatch(labels[-1]) or not all(_LABEL.fullmatch(label) for label in labels[:-1]):
        return Checked(None, "not_an_email")
    address = f"{local}@{ascii_domain}"
    return Checked(address, None) if len(address) <= MAX_LENGTH else Checked(None, "not_an_email")


def _to_ascii(domain: str) -> str | None:
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
