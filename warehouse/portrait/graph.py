"""Where the records of a customer stand in a drawing of their evidence: a tree around the best-connected one.

The centre is the middle of the heaviest tree; the others stand on rings by their distance in it
(radial layout, after Eades 1992), each branch with room for its leaves. All coordinates are whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warehouse.portrait.why import Link, Record

WIDTH: Final = 640
_RING: Final = (238, 114)
_MARGIN: Final = (82, 30)
MOST: Final = 24
_WIDE: Final = 900


@dataclass(frozen=True)
class Node:
    """A record; ``side`` 1 and 2 are the two sides of the weakest link."""

    x: int
    y: int
    source: str
    label: str
    side: int


@dataclass(frozen=True)
class Line:
    """Evidence between two records; ``width`` grows with the weight."""

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    width: float
    in_tree: bool
    weakest: bool
    title: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """A drawing of ``width`` × ``height``."""

    width: int
    height: int
    nodes: Sequence[Node]
    lines: Sequence[Line]
    left_out: int

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return self.width > _WIDE


def drawing(
    records: Sequence[Record], links: Sequence[Link], weakest: Link | None, right: Sequence[str]
) -> Drawing | None:
    """Return the drawing of some records, or None where there is nothing to draw."""
    shown = {record.key: record for record in records[:MOST]}
    usable = [link for link in links if link.left in shown and link.right in shown and link.speaks_for]
    if len(shown) < 2 or not usable:
        return None
    tree = _tree(usable)
    places = _places(list(shown), tree, _centre(list(shown), tree))
    low_x, low_y = (min(place[axis] for place in places.values()) for axis in (0, 1))
    high_x, high_y = (max(place[axis] for place in places.values()) for axis in (0, 1))
    width = max(WIDTH, round(high_x - low_x) + 2 * _MARGIN[0])
    shift = (width - (high_x + low_x)) / 2
    at = {key: (round(x + shift), round(y - low_y + _MARGIN[1])) for key, (x, y) in places.items()}
    apart = set(right)
    nodes = [
        Node(*at[key], record.source, record.label, 2 if key in apart else 1) for key, record in shown.items()
    ]
    lines = [
        _line(link, at, in_tree=link in tree, weakest=link is weakest)
        for link in sorted(usable, key=lambda one: one in tree)
    ]
    return Drawing(width, round(high_y - low_y) + 2 * _MARGIN[1], nodes, lines, len(records) - len(shown))


def _tree(links: Sequence[Link]) -> list[Link]:
    """The heaviest links that connect the records; ``links`` is heaviest first."""
    group: dict[str, str] = {}

    def root(key: str) -> str:
        while group.setdefault(key, key) != key:
            key = group[key]
        return key

    found = []
    for link in links:
        left, right = root(link.left), root(link.right)
        if left != right:
            group[right] = left
            found.append(link)
    return found


def _centre(keys: Sequence[str], tree: Sequence[Link]) -> str:
    """The record from which the farthest one is nearest; of equals the one with the most neighbours."""
    neighbours: dict[str, list[str]] = {key: [] for key in keys}
    for link in tree:
        neighbours[link.left].append(link.right)
        neighbours[link.right].append(link.left)
    joined = [key for key in keys if neighbours[key]]
    return min(joined, key=lambda key: (_depth(key, neighbours), -len(neighbours[key]), key))


def _depth(start: str, neighbours: Mapping[str, Sequence[str]]) -> int:
    seen, ring, depth = {start}, [start], 0
    while ring := [other for key in ring for other in neighbours[key] if other not in seen]:
        seen.update(ring)
        depth += 1
    return depth


def _places(keys: Sequence[str], tree: Sequence[Link], centre: str) -> dict[str, tuple[float, float]]:
    neighbours: dict[str, list[str]] = {key: [] for key in keys}
    for link in tree:
        neighbours[link.left].append(link.right)
        neighbours[link.right].append(link.left)
    children: dict[str, list[str]] = {}
    order = [centre]
    seen = {centre}
    for key in order:
        children[key] = [other for other in sorted(neighbours[key]) if other not in seen]
        seen.update(children[key])
        order.extend(children[key])
    loose = [key for key in keys if key not in seen]
    children[centre] = [*children[centre], *loose]
    order.extend(loose)
    leaves = _leaves(order, children)
    return _spread(centre, children, leaves)


def _leaves(order: Sequence[str], children: Mapping[str, Sequence[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key in reversed(order):
        found[key] = sum(found[child] for child in children.get(key, ())) or 1
    return found


def _spread(
    centre: str, children: Mapping[str, Sequence[str]], leaves: Mapping[str, int]
) -> dict[str, tuple[float, float]]:
    places = {centre: (0.0, 0.0)}
    around = [(centre, -math.pi / 2 + 0.35, 2 * math.pi, 1)]
    while around:
        key, start, room, depth = around.pop()
        for child in children.get(key, ()):
            part = room * leaves[child] / leaves[key]
            angle = start + part / 2
            # Rings grow a little with their number of members, so that labels do not overlap.
            scale = depth * max(1.0, leaves[centre] / 9)
            places[child] = (_RING[0] * scale * math.cos(angle), _RING[1] * scale * math.sin(angle))
            around.append((child, start, part, depth + 1))
            start += part
    return places


def _line(link: Link, at: Mapping[str, tuple[int, int]], *, in_tree: bool, weakest: bool) -> Line:
    width = 4.0 if link.weight is None else round(max(1.0, min(5.0, link.weight / 4)), 1)
    weight = "" if link.weight is None else f" (weight {link.weight:+.1f})"
    return Line(
        *at[link.left],
        *at[link.right],
        link.kind,
        width,
        in_tree,
        weakest,
        f"{link.agrees}{weight}",
        link.what,
    )
