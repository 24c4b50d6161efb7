"""One batch over HTTP: how it is written and signed, and what the destination said of it.

No redirect is followed and no proxy of the environment is used: personal data go to the address that
``cdp.yaml`` names, over TLS whose certificate is verified, and nowhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final, Literal
from urllib.parse import urlsplit

import orjson

from cdp.errors import UsageError
from cdp.settings.exporting import DestinationSettings
from warehouse.audiences import addresses

Op = Literal["added", "changed", "removed"]

RETRIED: Final = frozenset({408, 409, 425, 429})
"""Statuses that mean `later`, as all from 500 do. 409: another copy of this batch is being worked on."""
REFUSED: Final = frozenset({400, 413, 422})
"""Statuses that mean that rows are wrong, or too many of them."""
_MOST_ANSWER: Final = 1 << 20
_PIECE: Final = 1 << 16
_LATEST_WAIT: Final = 3600.0
_TYPES: Final = {"ndjson": "application/x-ndjson", "json": "application/json"}


@dataclass(frozen=True)
class Change:
    """What became of one key. ``row``: its JSON, None of a removal; ``digest`` of it, empty of a removal."""

    op: Op
    key: str
    row: str | None
    digest: str
    merged_into: str | None = None

    def line(self) -> bytes:
        """Return the JSON object that is sent.

        >>> Change("removed", "C2", None, "", "C1").line()
        b'{"op":"removed","key":"C2","merged_into":"C1"}'
        """
        given: dict[str, object] = {"op": self.op, "key": self.key}
        if self.merged_into is not None:
            given["merged_into"] = self.merged_into
        if self.row is not None:
            given["row"] = orjson.Fragment(self.row.encode())
        return orjson.dumps(given)


@dataclass(frozen=True)
class Batch:
    """Changes in their order, with the number that rises from batch to batch."""

    export: str
    release: str
    number: int
    body: bytes
    content_type: str

    @property
    def idempotency_key(self) -> str:
        """The same whenever this batch is sent again, and of no other batch."""
        head = f"{self.export}\x00{self.number}\x00".encode()
        return hashlib.sha256(head + self.body).hexdigest()[:40]


@dataclass(frozen=True)
class Answer:
    """What the destination said. ``wait``: after how many seconds it wants to be asked again."""

    status: int
    wait: float | None = None
    rejected: frozenset[str] = frozenset()


class UnreachableError(Exception):
    """No answer came: the batch may have arrived, or not. The text says why, without addresses or data."""


def body_of(changes: Sequence[Change], form: Literal["ndjson", "json"]) -> bytes:
    """Return the body of a batch."""
    lines = [change.line() for change in changes]
    return b"\n".join(lines) + b"\n" if form == "ndjson" else b"[" + b",".join(lines) + b"]"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of ``X-CDP-Signature``: HMAC-SHA256 of time, full stop and body.

    >>> signature("secret", "1700000000", b"[]")[:20]
    'sha256=74f76d8933679'
    """
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.digest(secret.encode(), signed, "sha256").hex()


class Sender:
    """A connection to one destination, kept open from batch to batch."""

    def __init__(self, settings: DestinationSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._secret = _secret(environment, settings.secret_env) if settings.secret_env else None
        self._headers = {
            **settings.headers,
            **{name: _header_value(environment, given) for name, given in settings.header_env.items()},
        }
        self._url = urlsplit(settings.url)
        self._connection: http.client.HTTPConnection | None = None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, batch: Batch, moment: datetime) -> Answer:
        """Post a batch once.

        Raises :class:`UnreachableError` where no answer came, :class:`UsageError` where none ever could.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            connection = self._connected()
            connection.request("POST", target, batch.body, self._headers_of(batch, moment))
            response = connection.getresponse()
            text = _read(response, deadline)
        except addresses.AddressRefusedError as error:
            hint = "Set private_addresses: true of the destination where this is meant."
            raise UsageError(f"Nothing is delivered there: {error}.", hint=hint) from None
        except ssl.SSLCertVerificationError as error:
            raise UsageError(f"The destination's certificate is not valid: {error.verify_message}.") from None
        except ValueError:  # of a host such as a..b, a port beyond 65535, a path that is not ASCII
            self.close()
            raise UsageError("The destination's url is no address that can be asked.") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(type(error).__name__) from None
        if response.will_close:
            self.close()
        found = response.getheader("retry-after")
        return Answer(response.status, _seconds(found, moment), _rejected(response, text))

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            settings, url = self._settings, self._url
            host, secure = url.hostname or "", url.scheme == "https"
            port = url.port or (443 if secure else 80)
            seconds = settings.timeout_seconds
            made = http.client.HTTPConnection(host, port, timeout=seconds)
            plain = addresses.connect(host, port, private=settings.private_addresses, seconds=seconds)
            try:
                made.sock = self._tls.wrap_socket(plain, server_hostname=host) if secure else plain
            except BaseException:
                plain.close()
                raise
            made.auto_open = 0  # by itself it would look the host up again, unguarded
            self._connection = made
        return self._connection

    def _headers_of(self, batch: Batch, moment: datetime) -> dict[str, str]:
        timestamp = str(int(moment.timestamp()))
        headers = {
            **self._headers,
            "Host": self._url.netloc,
            "Content-Type": batch.content_type,
            "User-Agent": "cdp",
            "Idempotency-Key": batch.idempotency_key,
            "X-CDP-Export": batch.export,
            "X-CDP-Release": batch.release,
            "X-CDP-Sequence": str(batch.number),
            "X-CDP-Timestamp": timestamp,
        }
        if self._secret is not None:
            headers["X-CDP-Signature"] = signature(self._secret, timestamp, batch.body)
        return headers


def content_type(form: Literal["ndjson", "json"]) -> str:
    """Return the media type of a body."""
    return _TYPES[form]


def _secret(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        hint = "The destination of this export needs it."
        raise UsageError(f"The environment variable {name} is not set.", hint=hint)
    return value


def _header_value(environment: Mapping[str, str], name: str) -> str:
    value = _secret(environment, name)
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        hint = "Expected printable ASCII characters in one line."
        raise UsageError(f"The environment variable {name} is no header value.", hint=hint)
    return value


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read an answer's body, at most 1 MiB and not beyond ``deadline``, however slowly it drips."""
    text = b""
    while piece := response.read1(_PIECE):
        text += piece
        if len(text) > _MOST_ANSWER:
            raise http.client.HTTPException("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError
    response.close()  # an empty body does not close itself, and would block the next request
    return text


def _seconds(text: str | None, moment: datetime) -> float | None:
    """Return how long ``Retry-After`` asks to wait: seconds, or a date."""
    if text is None:
        return None
    wait: float | None = float(text) if text.strip().isdecimal() else None
    if wait is None:
        with contextlib.suppress(ValueError):
            date = parsedate_to_datetime(text)
            wait = (date.replace(tzinfo=date.tzinfo or UTC) - moment).total_seconds()
    return None if wait is None else min(max(wait, 0.0), _LATEST_WAIT)


def _rejected(response: http.client.HTTPResponse, text: bytes) -> frozenset[str]:
    """Return the keys that a destination took the batch without: ``{"rejected": ["C1", ...]}``."""
    if response.status // 100 != 2 or "json" not in (response.getheader("content-type") or ""):
        return frozenset()
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return frozenset()
    keys = document.get("rejected") if isinstance(document, dict) else None
    return frozenset(str(key) for key in keys) if isinstance(keys, list) else frozenset()
