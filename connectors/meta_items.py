"""Webhook bodies of Meta's platforms (WhatsApp, Instagram, Messenger), divided into single items.

A body is ``{"object": ..., "entry": [{"id": ..., <lists of items>}, ...]}``. Each piece is again a
whole body that holds one item, so that one mapping reads it whether Meta batched it or not: a
body of one item is passed on verbatim, others are put together from verbatim parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any

import msgspec

from connectors import json_items

Object = dict[str, bytes]


@dataclass(frozen=True)
class Item:
    """One item of an entry: the entry's members as they are to be written, with only this item."""

    entry: Object


ItemsOf = Callable[[Object], Sequence[Item]]
"""Divides an entry into its items; none where the entry holds nothing that can be divided."""


def by_lists(names: Sequence[str]) -> json_items.Splitter:
    """Return what divides a body whose entries hold their items in the lists ``names``.

    >>> pieces = by_lists(["changes"])(b'{"entry": [{"id": "1", "changes": [{"a": 1}, {"a": 2}]}]}')
    >>> [piece.payload for piece in pieces]
    [b'{"entry":[{"id":"1","changes":[{"a": 1}]}]}', b'{"entry":[{"id":"1","changes":[{"a": 2}]}]}']
    """
    lists: list[tuple[str, Any, Any]] = [
        (name, list[msgspec.Raw], msgspec.field(default_factory=list)) for name in names
    ]
    entries = GenericAlias(list, (msgspec.defstruct("Entry", lists),))
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Body", [("entry", entries)]))

    def is_single(document: bytes) -> bool:
        """Whether a body surely holds one item at most: the quick way for nearly all of them."""
        try:
            found = decoder.decode(document).entry
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        return len(found) == 1 and sum(map(len, msgspec.structs.astuple(found[0]))) <= 1

    def items(entry: Object) -> Sequence[Item]:
        rest = without(entry, names)
        return [Item(rest | {name: b"[" + item + b"]"}) for name, item in listed(entry, names)]

    def pieces(document: bytes) -> Sequence[json_items.Piece] | None:
        return None if is_single(document) else split_body(document, items)

    return pieces


def split_body(document: bytes, items_of: ItemsOf) -> Sequence[json_items.Piece] | None:
    """Return the pieces of a body, or of the named bodies of a wrapper; None where it is neither."""
    body = json_items.members(document)
    if body is None:
        return None
    if "entry" in body:
        return list(_pieces(document, body, items_of))
    values = [json_items.members(value) if value[:1] == b"{" else None for value in body.values()]
    if not any(inner is not None and "entry" in inner for inner in values):
        return None
    return [
        piece
        for value, inner in zip(body.values(), values, strict=True)
        for piece in (
            _pieces(value, inner, items_of) if inner and "entry" in inner else [json_items.Piece(value)]
        )
    ]


def _pieces(document: bytes, body: Object, items_of: ItemsOf) -> Iterator[json_items.Piece]:
    entries = [json_items.members(entry) for entry in json_items.elements(body["entry"]) or ()]
    items = [item for entry in entries if entry is not None for item in items_of(entry) or [Item(entry)]]
    if len(items) <= 1 or any(entry is None for entry in entries):
        yield json_items.Piece(document)
        return
    for item in items:
        entry = json_items.compose(item.entry.items())
        yield json_items.Piece(json_items.compose((body | {"entry": b"[" + entry + b"]"}).items()))


def listed(value: Object, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name of the list, item) for the items of the lists ``names`` of an object."""
    for name in names:
        for item in json_items.elements(value[name]) or () if name in value else ():
            yield name, item


def without(value: Object, names: Sequence[str]) -> Object:
    """Return the object without the members ``names``."""
    return {name: member for name, member in value.items() if name not in names}
