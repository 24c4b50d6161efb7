"""`cdp.yaml` as plain data, with the line of every key: what error messages point at.

Scalars follow YAML 1.2's core schema where 1.1 surprises: only ``true`` and ``false`` are booleans (``no``
is Norway), ``+44…`` and ``0123`` are text (telephone numbers), and so are dates and ``12:30:00``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from cdp.errors import ConfigError

Path = tuple[str | int, ...]

_MERGE_KEY: Final = "<<"
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with `cdp.yaml`: where (path of keys), what, and what to do about it."""

    path: Path
    message: str
    hint: str | None = None
    line: int | None = None  # where it is not the line of the path


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data of a YAML text; ``lines`` holds the line (from 1) of every key and list item by its path."""

    data: Any
    lines: dict[Path, int]
    problems: tuple[Problem, ...] = ()

    def line(self, problem: Problem) -> int:
        """Return the line of a problem, else of the nearest key at or above its path."""
        return problem.line or self.lines.get(self.within(problem.path), 1)

    def within(self, path: Path) -> Path:
        """Return ``path`` as far as the text has it."""
        while path and path not in self.lines:
            path = path[:-1]
        return path


def read(text: str, file: str) -> Document:
    """Parse YAML; raises `cdp.errors.ConfigError` with the line where it is not YAML.

    Duplicate keys, merge keys and aliases into their own parents are problems of the document.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError(*_syntax(error, file, text)) from None
    finally:
        loader.dispose()
    builder = _Builder()
    data = builder.build(node, ()) if node is not None else {}
    return Document(data, builder.lines, tuple(builder.problems))


def _syntax(error: yaml.YAMLError, file: str, text: str) -> tuple[str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    lines = text.splitlines() or [""]
    line = min(mark.line + 1, len(lines)) if mark else 1
    shown = lines[line - 1]
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        said = "a tab at the beginning of the line; YAML takes spaces only"
    return (f"{file}, line {line}: {said}.",)


@dataclass(slots=True)
class _Builder:
    """Turns nodes into data, and remembers lines."""

    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            self.problems.append(Problem(path, "an alias leads back to one of its own parents"))
            return None
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return dict(self._pairs(node, path))
            return [self.build(item, (*path, n)) for n, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            if key in seen:
                self.problems.append(
                    Problem(here, f"the key stands twice, also on line {seen[key]}", line=line)
                )
                continue
            if key == _MERGE_KEY or not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(here, "only plain words are keys here"))
                continue
            seen[key] = self.lines[here] = line
            yield key, self.build(value_node, here)


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style in {"'", '"', "|", ">"}:
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
