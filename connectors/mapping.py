"""How a JSON payload becomes a standardised event: a declaration, compiled to one DuckDB query.

A :class:`Mapping` first names the **fields** that it reads (name -> JSON path, all extracted as text
in one pass over the payload), then gives one DuckDB SQL expression per output over those names.
Besides its fields an expression may use ``payload`` (the JSON text), ``type`` (of the envelope),
``event_id``, ``sent_at``, ``received_at`` and ``channel`` of the envelope. Empty texts are NULL.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Literal

JOIN = "\x1f"  # in no path, and in no sane name of a column

Skew = Literal["payload_received_at", "none"]


@dataclass(frozen=True)
class EnvelopeFields:
    """JSON paths of the envelope's own fields; the first path that gives a value wins.

    Paths joined by ``JOIN`` give one value of all their values (a message's id and its status), and
    none where one of them is missing. Without an id the envelope is known by its content (see
    ``cdp.ids.content_event_id``).
    """

    event_id: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    occurred_at: tuple[str, ...] = ()
    sent_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentifierRule:
    """An identifier of the person: its type, the SQL of its value, and its namespace.

    ``namespace`` is SQL too (a constant needs its quotes). By default there is none for e-mail and
    phone, which are global (namespace ''), and the source's namespace for every other type. The order of rules
    of one type matters only for the record key: the first that has a value gives it.
    """

    type: str
    value: str
    namespace: str | None = None


@dataclass(frozen=True)
class PartyRule:
    """Two ends of a contact, of which one may be ours (``own:`` in cdp.yaml).

    The end that is not ours becomes an identifier of ``type``. Where exactly one end is ours it
    sets the direction; otherwise ``direction`` (SQL giving inbound, outbound or NULL) does, and
    the customer is the sender unless the direction is outbound. ``sender_name`` and ``receiver_name``
    give the trait ``full_name`` in the same way.
    """

    type: str
    sender: str
    receiver: str
    direction: str = "NULL"
    namespace: str | None = None
    sender_name: str = "NULL"
    receiver_name: str = "NULL"

    @property
    def has_names(self) -> bool:
        """Whether the rule says what the ends are called."""
        return (self.sender_name, self.receiver_name) != ("NULL", "NULL")


@dataclass(frozen=True)
class Mapping:
    """A declaration of how payloads become events. All values are DuckDB SQL over the field names.

    - ``fields``: name -> JSON path such as ``$.context.traits.email`` (quote odd keys: ``$."a b"``).
    - ``event_type``: gives a word of ``cdp.events.EVENT_TYPES``; any other text quarantines the
      envelope as ``unknown_event_type``; NULL ignores it as ``no_event_type``.
      ``call_received|call_placed|call_received`` leaves the choice to the direction (inbound,
      outbound, neither), which our own numbers may decide; an empty word ignores the envelope as
      ``other_direction``.
    - ``occurred_at``: text of the event's time (ISO 8601, RFC 2822, epoch seconds or milliseconds,
      and what ``connectors.times`` lists); the source's time zone applies where it has none.
    - ``columns``: typed columns of ``cdp.schemas.EVENTS`` (subject, reference, campaign, product,
      amount, currency, duration_seconds, agent, department, outcome, escalation_level,
      self_service, latitude, longitude, consent_*, direction, channel). Text is cast; what does
      not cast is NULL, except ``amount``, which quarantines the envelope as ``bad_amount``.
      ``channel`` defaults to the connector's, ``direction`` to that of the event type.
    - ``traits``: names of ``cdp.schemas.TRAITS``. An e-mail or phone trait is also worth an
      identifier rule of its own; only identifiers are normalised and matched.
    - ``properties``: SQL giving JSON text, or NULL.
    - ``ignore``, ``quarantine``: give a reason (a word) or NULL. Quarantine is asked first.
    - ``event_id``: SQL of the event's id where it is not the envelope's; with ``grouped`` the
      envelopes that share it fold into one event (amounts and lines add up, the earliest time
      and the first text stand).
    - ``skew``: ``payload_received_at`` corrects the sender's clock where the payload itself says
      when it was received (``received_field`` names that field) and the envelope when it was sent;
      what came over HTTP was received when it came, whatever it says itself.
    """

    version: int
    fields: collections.abc.Mapping[str, str]
    event_type: str
    occurred_at: str
    columns: collections.abc.Mapping[str, str] = field(default_factory=dict)
    identifiers: tuple[IdentifierRule, ...] = ()
    parties: tuple[PartyRule, ...] = ()
    traits: collections.abc.Mapping[str, str] = field(default_factory=dict)
    properties: str = "NULL"
    ignore: str = "NULL"
    quarantine: str = "NULL"
    event_id: str | None = None
    grouped: bool = False
    skew: Skew = "none"
    received_field: str = "NULL"


def present(**members: str) -> str:
    """Return the SQL of a JSON object with these members, less those that are NULL.

    >>> present(url="link", bot="is_bot = 'true'")
    "nullif(json_merge_patch('{}', json_object('url', link, 'bot', is_bot = 'true'))::VARCHAR, '{}')"
    """
    pairs = ", ".join(f"'{name}', {sql}" for name, sql in members.items())
    return f"nullif(json_merge_patch('{{}}', json_object({pairs}))::VARCHAR, '{{}}')"


def digest(*parts: object) -> str:
    """Return a short hash over dataclasses and plain values: the identity of a mapping in use.

    >>> digest({"a": 1}) == digest({"a": 1}), digest({"a": 1}) == digest({"a": 2})
    (True, False)
    """

    def plain(value: object) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        if isinstance(value, collections.abc.Mapping):
            return dict(value)
        if isinstance(value, collections.abc.Set):
            return sorted(map(str, value))  # the order of a set differs from process to process
        return str(value)

    text = json.dumps([plain(part) for part in parts], sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
