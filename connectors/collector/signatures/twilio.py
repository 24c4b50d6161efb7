"""Twilio: ``X-Twilio-Signature``, HMAC-SHA1 over the address and the sorted parameters of the form.

Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security, and the request validators of
Twilio's libraries, of which these are the finer points: a name that stands several times counts with
its distinct values in order; the address counts with and without its port, for Twilio signs either; a
body that is no form is signed by its SHA-256 in the query (``bodySHA256``). There is no time in it, so a
delivery that is replayed cannot be refused: it lands as a duplicate.

Twilio signs what the form says, not its bytes. So that no byte of a delivery can be changed, a form
must be written as form encoders write it: no raw blanks, escapes in capitals, no empty parts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from connectors.collector.webhooks import Answer, Delivery, Keys, Scheme

HEADER = "x-twilio-signature"
BODY_HASH = "bodySHA256"

# An answer without instructions. Twilio would read a body that is no TwiML as a fault of ours.
TWIML = Answer(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>',
    ((b"content-type", b"text/xml; charset=utf-8"),),
)

MAX_PARAMETERS = 5_000

_MISWRITTEN = re.compile(rb"[\x00-\x20\x7f]|%(?![0-9A-F]{2})")
_ADDRESS = re.compile(r"(https?)://([^/?#]*@)?(\[[^\]/?#]*\]|[^:/?#]*)(:\d*)?([/?#].*)?", re.DOTALL)
_PORTS = {"http": ":80", "https": ":443"}


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the auth tokens signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``unreadable_form`` (not as form encoders write),
    ``bad_body_hash`` (the body is not the one that the address names), ``bad_signature``.
    """
    given = delivery.headers.get(HEADER)
    if not given:
        return "missing_signature"
    tokens = [token for token in keys.secrets if token]
    if not tokens:
        return "missing_secret"
    body_hash = delivery.query.get(BODY_HASH)
    if body_hash is not None:
        if not hmac.compare_digest(hashlib.sha256(delivery.body).hexdigest().encode(), _bytes(body_hash)):
            return "bad_body_hash"
        signed: bytes | None = b""
    else:
        signed = signed_parameters(delivery.body)
    if signed is None:
        return "unreadable_form"
    genuine = False
    for token in tokens:
        for address in addresses(delivery.url):
            computed = hmac.digest(_bytes(token), _bytes(address) + signed, "sha1")
            genuine |= hmac.compare_digest(base64.b64encode(computed), _bytes(given))
    return None if genuine else "bad_signature"


def signed_parameters(form: bytes) -> bytes | None:
    """Return what Twilio signs of a form: names and values, sorted; None where it is not well written.

    >>> signed_parameters(b"To=%2B44&Body=a+b&Body=a+b&Body=")
    b'BodyBodya bTo+44'
    >>> signed_parameters(b"To=%2b44") is None
    True
    """
    if not form:
        return b""
    if _MISWRITTEN.search(form) is not None or form.count(b"&") >= MAX_PARAMETERS:
        return None
    parts = [part.partition(b"=") for part in form.replace(b"+", b" ").split(b"&")]
    if not all(name and equals for name, equals, _ in parts):
        return None
    pairs = {(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts}
    return b"".join(name + value for name, value in sorted(pairs))


def addresses(url: str) -> Iterator[str]:
    """Yield an address in the ways in which Twilio may have signed it.

    >>> list(addresses("https://shop.example/hooks/calls?a=1"))
    ['https://shop.example/hooks/calls?a=1', 'https://shop.example:443/hooks/calls?a=1']
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        yield url
        return
    scheme, user, host, port, rest = found[1], found[2] or "", found[3], found[4] or "", found[5] or ""
    for ending in dict.fromkeys((rest, _legacy(rest))):
        yield f"{scheme}://{user}{host}{ending}"
        yield f"{scheme}://{user}{host}{port if len(port) > 1 else _PORTS[scheme]}{ending}"


def _legacy(rest: str) -> str:
    """Return path and query with the query written anew: parts of Twilio sign it so."""
    path, mark, query = rest.partition("?")
    if not query:
        return rest
    values: dict[str, list[str]] = {}
    for name, _, value in (part.partition("=") for part in query.split("&") if part):
        values.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    parts = (f"{_quoted(name)}={_quoted(value)}" for name, found in values.items() for value in found)
    return path + mark + "&".join(parts)


def _quoted(text: str) -> str:
    return quote(text, safe="!'()*-._~", errors="surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


SCHEME = Scheme("twilio", verify, answer=TWIML)
