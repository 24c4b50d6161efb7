"""What a connector is: a way to split a source item into payloads, and a mapping.

Everything else - envelopes, duplicates, quarantine, time zones, normalised identifiers, our own
numbers - is done once for all connectors by :mod:`connectors.landing` and
:mod:`connectors.standardise`. A connector is therefore small, and has no state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from connectors.mapping import EnvelopeFields, Mapping

CHUNK_ROWS = 131_072

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
RFC822 = "message/rfc822"


@dataclass(frozen=True)
class Rejected:
    """A piece of a source item that the connector could not read; it lands in quarantine.

    ``reason`` is a word of a small vocabulary (``invalid_json``, ``not_utf8``, ``truncated`` ...);
    ``detail`` says where and why, without the data themselves; ``context`` is what a replay needs
    besides the piece to read it (the header line of its file); ``received_us`` see :class:`Chunk`.
    """

    row: int
    payload: bytes
    reason: str
    detail: str | None = None
    context: str | None = None
    received_us: int | None = None
    kind: str | None = None


@dataclass
class Chunk:
    """Up to ``CHUNK_ROWS`` payloads of one item, as columns, in the order of the item.

    ``rows`` are positions in the item (from 1) and unique in it. ``sent`` holds the time at which
    a batch was sent where the item says so outside the payload, else is empty. The collector, not a
    connector, fills in when each came (``received``, microseconds since 1970) and the ``kinds`` that
    their requests said, which are the types of those that have none.
    """

    payloads: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    sent: list[str | None] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    received: list[int | None] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.payloads) + len(self.rejected)


@dataclass(frozen=True)
class SplitContext:
    """What a splitter may know of its item: the origin's name, and the source's file options.

    ``header`` is given when a rejected row is replayed: the header line of the file it came from.
    """

    origin: str = ""
    encoding: str = "utf-8"
    delimiter: str | None = None
    sheet: str | None = None
    header: str | None = None


Split = Callable[[bytes, SplitContext], Iterator[Chunk]]
Decode = Callable[[bytes], list[bytes]]


@dataclass(frozen=True)
class Connector:
    """A source format.

    ``split`` turns the bytes of an item into payloads, each of them verbatim; it never raises for
    bad data but yields :class:`Rejected`. ``envelope`` says where in a payload its id, type and
    times are. ``mapping`` says how a payload becomes an event. ``decode`` is for payloads that are
    not JSON: it returns the JSON documents (0..n) that the mapping then reads, and raises
    ``ValueError`` with a reason for a payload that it cannot read. ``preview`` does the same for one
    document with the envelope's own fields, where those can be had for less than decoding it all.

    Where ``posted``, a payload may also be what a form posts: its envelope's content type is then told by
    how it begins, and ``decode`` reads it.

    Raise ``version`` when ``split``, ``decode`` or the mapping change what comes out.
    """

    name: str
    channel: str
    version: str
    split: Split
    envelope: EnvelopeFields
    mapping: Mapping
    content_type: str = JSON
    decode: Decode | None = None
    preview: Callable[[bytes], bytes] | None = None
    suffixes: tuple[str, ...] = ()
    posted: bool = False
