"""The fields of JSON documents as one tree, counted; keys that are data are put together under one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from cdp.masking import ANY_KEY, is_field_name, is_heading

FEW_KEYS: Final = 20
"""An object with no more keys than this, all over, has fields; one with more may be a map."""
MOST_KEYS: Final = 200
RARE: Final = 0.1
"""A map is an object most of whose keys are in less than this share of it, or that has more than ``MOST_KEYS``."""
_FEWEST_HEADINGS: Final = 3
_LIST: Final = "[]"


@dataclass
class Node:
    """A place in documents: how many documents of each sample have it, and what is below."""

    counts: list[int]
    children: dict[str, Node] = field(default_factory=dict)
    is_leaf: bool = False


class FieldTree:
    """Fields of several samples of documents, ``sizes`` documents each.

    With ``headings`` the keys of the top level are a table's headings, which may hold blanks.
    """

    def __init__(self, sizes: Sequence[int], *, headings: bool = False) -> None:
        self._sizes, self._headings = list(sizes), headings
        self._root = self._node()

    def _node(self) -> Node:
        return Node([0] * len(self._sizes))

    def add(self, sample: int, structure: Any, documents: int) -> None:
        """Take in a structure (as DuckDB's ``json_structure`` gives it) that ``documents`` of a sample have."""
        self._root.counts[sample] += documents
        self._add(self._root, sample, structure, documents)

    def _add(self, node: Node, sample: int, structure: Any, documents: int) -> None:
        if isinstance(structure, Mapping):
            for key, below in structure.items():
                self._below(node, key, sample, below, documents)
        elif isinstance(structure, list):
            for below in structure:
                self._below(node, _LIST, sample, below, documents)
        else:
            node.is_leaf = True

    def _below(self, node: Node, key: str, sample: int, structure: Any, documents: int) -> None:
        if structure == "NULL":  # a field without a value says nothing of it
            return
        child = node.children.setdefault(key, self._node())
        child.counts[sample] += documents
        self._add(child, sample, structure, documents)

    def fields(self) -> dict[str, tuple[int, ...]]:
        """Return the path of each field that has values, with the documents of each sample that have it."""
        return dict(sorted(self._fields(self._root, "", top=True)))

    def _fields(self, node: Node, path: str, *, top: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
        if node.is_leaf and path:
            yield path, self._bounded(node)
        for key, child in self._shown(node, top=top).items():
            yield from self._fields(child, _joined(path, key))

    def _bounded(self, node: Node) -> tuple[int, ...]:
        """Return the counts of a node; of one put together from many they may be more than there are documents."""
        return tuple(min(pair) for pair in zip(node.counts, self._sizes, strict=True))

    def _shown(self, node: Node, *, top: bool) -> dict[str, Node]:
        """Return what is below a node, with all that has keys which are data as one."""
        if self._is_map(node):
            return {ANY_KEY: self._merged(node.children.values())}
        named = {key: child for key, child in node.children.items() if self._is_name(key, child, top=top)}
        rest = [child for key, child in node.children.items() if key not in named]
        return named | ({ANY_KEY: self._merged(rest)} if rest else {})

    def _is_map(self, node: Node) -> bool:
        keys = len(node.children)
        if keys <= FEW_KEYS:
            return False
        return keys > MOST_KEYS or median(sum(c.counts) for c in node.children.values()) < RARE * sum(
            node.counts
        )

    def _is_name(self, key: str, child: Node, *, top: bool) -> bool:
        if key == _LIST or is_field_name(key):
            return True
        if not (self._headings and top and is_heading(key)):
            return False
        return any(
            count >= _FEWEST_HEADINGS and 2 * count >= size
            for count, size in zip(child.counts, self._sizes, strict=True)
        )

    def _merged(self, nodes: Any) -> Node:
        merged = self._node()
        for node in nodes:
            merged.counts = [one + other for one, other in zip(merged.counts, node.counts, strict=True)]
            merged.is_leaf |= node.is_leaf
            for key, child in node.children.items():
                known = merged.children.get(key)
                merged.children[key] = child if known is None else self._merged([known, child])
        return merged


def _joined(path: str, key: str) -> str:
    """Return the path of a key below ``path``: dots between names, brackets for lists."""
    shown = key if key in (ANY_KEY, _LIST) or is_field_name(key) else f'"{key}"'
    return path + shown if not path or key == _LIST else f"{path}.{shown}"
