"""Call detail records of Asterisk (``Master.csv``): no header, 16 to 21 columns, times without zone.

**One row, one event.** A call that rings several telephones has several rows with one ``uniqueid``, so
that alone is no id: an envelope's id joins it with the channels and times of the leg, and rows without
``uniqueid`` are known by their content. ``reference`` is the ``linkedid`` or ``uniqueid``: count
distinct references to count calls. The other end of a call decides who the customer is: our own
numbers, then the dial plan's context, then which side is an extension. Calls between extensions are
ignored as ``internal_call``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import csv_items
from connectors.mapping import JOIN, EnvelopeFields, Mapping, PartyRule, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

# cdr_csv.conf: loguniqueid and loguserfield add one column each, newcdrcolumns the last three.
HEADER = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata",
    "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
    "uniqueid", "userfield", "peeraccount", "linkedid", "sequence",
)  # fmt: skip
MIN_COLUMNS = 16


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the rows; a file may hold rows of both layouts."""
    yield from csv_items.chunks(data, context, header=HEADER, min_cells=MIN_COLUMNS)


_FIELDS = {
    "src": "$.src",
    "dst": "$.dst",
    "context": "$.dcontext",
    "clid": "$.clid",
    "from_channel": "$.channel",
    "to_channel": "$.dstchannel",
    "app": "$.lastapp",
    "app_data": "$.lastdata",
    "start_time": "$.start",
    "duration": "$.duration",
    "talk": "$.billsec",
    "disposition": "$.disposition",
    "unique_id": "$.uniqueid",
    "linked_id": "$.linkedid",
    "user_field": "$.userfield",
    "account": "$.accountcode",
}


def _is_extension(number: str) -> str:
    """An extension of the exchange, or one of its special ones (s, h, i, t)."""
    return f"(length({number}) <= 5 AND NOT starts_with({number}, '+'))"


_COMES_IN = """(context LIKE 'from-pstn%' OR context LIKE 'from-trunk%' OR context LIKE 'from-did%'
    OR context LIKE 'from-gsm%' OR context LIKE 'from-sip-external%' OR context LIKE 'in-%'
    OR context LIKE 'inbound%' OR context LIKE 'incoming%' OR context LIKE 'ext-did%')"""
_INTERNAL = f"({_is_extension('src')} AND {_is_extension('dst')} AND NOT {_COMES_IN})"
_DIRECTION = f"""CASE WHEN {_COMES_IN} THEN 'inbound' WHEN {_is_extension("src")} THEN 'outbound'
    ELSE 'inbound' END"""

# "Name" <number>; without a name the number stands in its place.
_CALLER_NAME = r"""trim(split_part(clid, '<', 1), ' "')"""

# Digits are no name.
_NAME = f"""CASE WHEN regexp_matches({_CALLER_NAME}, '[^\\d\\s+*#()-]') AND lower({_CALLER_NAME}) NOT IN
    ('anonymous', 'unknown', 'private', 'unavailable', 'restricted') THEN {_CALLER_NAME} END"""


def _desk(channel: str) -> str:
    """The extension of a channel such as PJSIP/2001-0000063a."""
    return rf"nullif(regexp_extract({channel}, '^[A-Za-z0-9]+/(\d{{2,5}})-[0-9a-fA-F]+$', 1), '')"


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type="""CASE
        WHEN disposition IS DISTINCT FROM 'ANSWERED' THEN 'call_missed|call_placed|call_missed'
        WHEN app = 'VoiceMail' THEN 'voicemail_received|call_placed|voicemail_received'
        ELSE 'call_received|call_placed|call_received' END""",
    occurred_at="start_time",
    quarantine="""CASE WHEN start_time IS NULL THEN 'missing_time'
        WHEN disposition IS NULL OR try_cast(duration AS INTEGER) IS NULL THEN 'not_a_cdr' END""",
    ignore=f"CASE WHEN {_INTERNAL} THEN 'internal_call' END",
    columns={
        "reference": "coalesce(linked_id, unique_id)",
        "duration_seconds": "talk",
        "outcome": "lower(disposition)",
        "subject": "user_field",
        "department": """CASE WHEN app = 'Queue'
            THEN split_part(split_part(app_data, ',', 1), '|', 1) END""",
        "agent": f"""CASE WHEN {_is_extension("src")} THEN {_desk("from_channel")}
            ELSE {_desk("to_channel")} END""",
    },
    parties=(PartyRule("phone", "src", "dst", _DIRECTION, sender_name=_NAME),),
    properties=present(
        context="context",
        app="app",
        account="account",
        seconds_waited="try_cast(duration AS INTEGER) - try_cast(talk AS INTEGER)",
    ),
)

CONNECTOR = Connector(
    name="asterisk",
    channel="phone",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=(
            JOIN.join(("$.uniqueid", "$.channel", "$.dstchannel", "$.start", "$.end", "$.lastapp")),
            JOIN.join(("$.uniqueid", "$.channel", "$.start", "$.end", "$.lastapp")),
        ),
        type=("$.disposition",),
        occurred_at=("$.start",),
    ),
    mapping=MAPPING,
    suffixes=(".csv", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; the time zone of its times is the source's."""
    del settings
    return CONNECTOR
