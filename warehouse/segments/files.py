"""Segments as files of the workspace: ``segments/<segment_id>/v0001.json`` and on; a version never changes.

People write them with the pages, the API, ``cdp segment save``, or by hand and with git. A file that cannot
be used stops nothing: its segment has a problem, which everybody who looks at it is told.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cdp import durable
from cdp.errors import ConflictError, NotFoundError, UsageError, nearest
from cdp.lake import Lake
from cdp.ledger import timestamp
from warehouse.segments.fields import Fields
from warehouse.segments.parse import RuleError, parse
from warehouse.segments.tree import Node, as_json, references

FOLDER: Final = "segments"
MOST_BYTES: Final = 1 << 20
LONGEST_NAME: Final = 120
LONGEST_DESCRIPTION: Final = 2000
ID_PATTERN: Final = r"[a-z][a-z0-9_-]{0,62}"
RESERVED: Final = frozenset({"schema", "new", "builder", "preview", "save"})
"""Addresses beside those of segments, in API and pages: no segment that is made is called so."""
_ID: Final = re.compile(ID_PATTERN)
_FILE: Final = re.compile(r"v(\d{4,9})\.json")
_NO_VERSION: Final = 1 << 40
_MEMBERS: Final = ("name", "description", "rule", "author", "created_at", "archived", "segment_id", "version")


@dataclass(frozen=True)
class Version:
    """One version of a segment, as its file says. ``rule`` is JSON, and may be one that cannot be used."""

    segment_id: str
    number: int
    name: str
    rule: Mapping[str, Any]
    description: str = ""
    author: str | None = None
    created_at: datetime | None = None
    archived: bool = False


@dataclass(frozen=True)
class Segment:
    """A segment: its readable versions, oldest first, and what is wrong with its newest file, if anything.

    ``last`` is the number of the newest file, readable or not: who saves says that they have seen it.
    """

    segment_id: str
    versions: tuple[Version, ...]
    problem: str | None = None
    last: int = 0

    @property
    def newest(self) -> Version | None:
        """The newest version that can be read."""
        return self.versions[-1] if self.versions else None

    @property
    def name(self) -> str:
        """Its name, or its id where no file can be read."""
        return self.versions[-1].name if self.versions else self.segment_id

    @property
    def is_archived(self) -> bool:
        """Whether it is out of use."""
        return bool(self.versions) and self.versions[-1].archived


@dataclass(frozen=True)
class Catalogue:
    """All segments by id. ``rules``: of those in use that can be asked; the others have a problem or are archived."""

    segments: Mapping[str, Segment]
    rules: Mapping[str, Node]

    def get(self, segment_id: str) -> Segment:
        """Return a segment. Raises :class:`NotFoundError` with the nearest id."""
        found = self.segments.get(segment_id)
        if found is None:
            close = nearest(segment_id, self.segments)
            hint = f"Did you mean {close!r}?" if close else "`cdp segment list` shows them."
            raise NotFoundError(f"There is no segment {segment_id!r}.", hint=hint)
        return found

    def users(self, segment_id: str) -> list[str]:
        """Return the segments in use whose rules name this one."""
        return sorted(one for one, rule in self.rules.items() if segment_id in references(rule))


def version_path(segment_id: str, number: int) -> str:
    """Return where a version lies below the workspace.

    >>> version_path("vip", 3)
    'segments/vip/v0003.json'
    """
    return f"{FOLDER}/{segment_id}/v{number:04d}.json"


def listed(lake: Lake) -> list[str]:
    """Return the paths of all files of segments below the workspace, in order: what a backup copies."""
    root = lake.path(FOLDER)
    found = (path for path in root.glob("*/*.json") if path.is_file() and not path.is_symlink())
    return sorted(path.relative_to(lake.root).as_posix() for path in found)


def digest(lake: Lake) -> str:
    """Return a digest over all files of segments: publishing looks whether one has changed."""
    total = hashlib.sha256()
    for relative in listed(lake):
        total.update(relative.encode() + b"\x00" + hashlib.sha256(lake.path(relative).read_bytes()).digest())
    return total.hexdigest()


def read(lake: Lake, fields: Fields) -> Catalogue:
    """Return all segments of a workspace, as far as they can be read."""
    folders = sorted(
        path for path in lake.path(FOLDER).glob("*") if path.is_dir() and not path.name.startswith(".")
    )
    found = {folder.name: _segment(folder) for folder in folders}
    return _checked(found, fields)


def _segment(folder: Path) -> Segment:
    if not _ID.fullmatch(folder.name):
        text = f"{folder.name!r} is no id of a segment: small letters, digits, - and _, a letter first."
        return Segment(folder.name, (), text)
    versions: list[Version] = []
    problem: str | None = None
    last = 0
    for path in sorted(folder.glob("*.json"), key=_order):
        last = max(last, number) if (number := _order(path)[0]) < _NO_VERSION else last
        try:
            versions.append(_version(folder.name, path))
            problem = None
        except UsageError as error:
            problem = error.message
    if not versions and problem is None:
        problem = f"{FOLDER}/{folder.name} holds no version; the first would be v0001.json."
    return Segment(folder.name, tuple(versions), problem, last)


def _order(path: Path) -> tuple[int, str]:
    match = _FILE.fullmatch(path.name)
    return (int(match[1]) if match else _NO_VERSION), path.name


def _version(segment_id: str, path: Path) -> Version:
    where = f"{FOLDER}/{segment_id}/{path.name}"
    match = _FILE.fullmatch(path.name)
    if match is None or not int(match[1]):
        raise UsageError(f"{where}: expected a name as v0001.json.")
    given = _json(path, where)
    if not isinstance(given, dict):
        raise UsageError(f"{where}: expected an object with name and rule.")
    return _from_json(segment_id, int(match[1]), given, where)


def _json(path: Path, where: str) -> object:
    try:
        data = path.read_bytes()[: MOST_BYTES + 1]
        given: object = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: no readable JSON ({type(error).__name__}).") from None
    return given


def _from_json(segment_id: str, number: int, given: Mapping[str, Any], where: str) -> Version:
    for name in given:
        if name not in _MEMBERS:
            close = nearest(name, _MEMBERS)
            raise UsageError(
                f"{where}: unknown member {name!r}{f'; did you mean {close!r}?' if close else '.'}"
            )
    if not isinstance(given.get("rule"), dict):
        raise UsageError(f"{where}: expected a member 'rule', an object.")
    name = _text(given.get("name", segment_id), "name", LONGEST_NAME, where)
    created = given.get("created_at")
    moment = _moment(created)
    if created is not None and moment is None:
        raise UsageError(f"{where}: created_at: expected a time with its zone, as ISO 8601 has it.")
    if not isinstance(given.get("archived", False), bool):
        raise UsageError(f"{where}: archived: expected true or false.")
    author = given.get("author")
    return Version(
        segment_id,
        number,
        name,
        given["rule"],
        _text(given.get("description") or "", "description", LONGEST_DESCRIPTION, where),
        None if author is None else _text(author, "author", LONGEST_NAME, where),
        moment,
        given.get("archived", False),
    )


def _moment(given: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _text(given: object, what: str, most: int, where: str) -> str:
    if not isinstance(given, str) or len(given) > most or (what == "name" and not given.strip()):
        raise UsageError(f"{where}: {what}: expected a text of at most {most} characters.")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{where}: {what}: half a character cannot be stored.") from None
    return "".join(letter for letter in given if letter == "\n" or letter.isprintable()).strip()


def _checked(found: Mapping[str, Segment], fields: Fields) -> Catalogue:
    """Parse the rules in use; one that names a segment that cannot be used has a problem itself."""
    segments = dict(found)
    rules: dict[str, Node] = {}
    for one, segment in found.items():
        newest = segment.newest
        if segment.problem is None and newest is not None and not newest.archived:
            try:
                rules[one] = parse(newest.rule, fields)
            except RuleError as error:
                segments[one] = _with_problem(segment, f"{version_path(one, newest.number)}: {error.message}")
    while broken := dict(_broken_references(segments, rules)):
        for one, text in broken.items():
            segments[one] = _with_problem(segments[one], text)
            del rules[one]
    return Catalogue(segments, rules)


def _with_problem(segment: Segment, text: str) -> Segment:
    return dataclasses.replace(segment, problem=text)


def _broken_references(
    segments: Mapping[str, Segment], rules: Mapping[str, Node]
) -> Iterator[tuple[str, str]]:
    for one, rule in rules.items():
        for other in sorted(references(rule) - set(rules)):
            state = "does not exist" if other not in segments else "is archived"
            if other in segments and segments[other].problem:
                state = "has a problem itself"
            yield one, f"It names the segment {other!r}, which {state}."
        if circle := circular(one, rules):
            yield one, f"Segments name each other in a circle: {' -> '.join(circle)}."


def circular(start: str, rules: Mapping[str, Node]) -> list[str]:
    """Return a circle of references that leads from a segment back to it, or nothing."""
    trail: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
    seen: set[str] = set()
    while trail:
        one, path = trail.pop()
        for other in sorted(references(rules[one]) if one in rules else ()):
            if other == start:
                return [*path, start]
            if other not in seen:
                seen.add(other)
                trail.append((other, (*path, other)))
    return []


def new_id(name: str, taken: Collection[str]) -> str:
    """Return an id for a segment of this name that is not ``taken``.

    >>> new_id("Très fidèles, 2026", {"tres-fideles-2026"})
    'tres-fideles-2026-2'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "segment"
    stem = stem if stem[0].isalpha() else f"s-{stem}"
    number, made = 1, stem
    while made in taken or made in RESERVED:
        number += 1
        made = f"{stem}-{number}"
    return made


@dataclass(frozen=True)
class Draft:
    """What is to become a version of a segment; ``rule`` is JSON that nobody has checked yet."""

    segment_id: str
    name: str
    rule: object
    description: str = ""
    author: str | None = None
    archived: bool = False


def save(lake: Lake, fields: Fields, draft: Draft, *, after: int, now: datetime) -> Version:
    """Write the version that follows version ``after`` (0: the segment is new); return it.

    Raises :class:`RuleError` where the rule is wrong, :class:`UsageError` where a name is, and
    :class:`ConflictError` where somebody else has saved a version meanwhile.
    """
    segment_id = draft.segment_id
    if not _ID.fullmatch(segment_id):
        hint = "Small letters, digits, - and _; a letter first."
        raise UsageError(f"{segment_id[:80]!r} is no id of a segment.", hint=hint)
    if segment_id in RESERVED and after == 0:
        raise UsageError(f"{segment_id!r} is a page of its own.", hint="Give the segment another id.")
    catalogue = read(lake, fields)
    standing = catalogue.segments.get(segment_id)
    _expect(standing, segment_id, after)
    if not draft.archived:
        _expect_own_name(catalogue, draft, standing)
    if draft.archived:
        _expect_unused(catalogue, segment_id)
        rule = draft.rule
    else:
        rule = as_json(_usable(catalogue, segment_id, draft.rule, fields))
    given = {
        "name": draft.name, "description": draft.description, "author": draft.author,
        "created_at": timestamp(now), "archived": draft.archived, "rule": rule,
    }  # fmt: skip
    made = _from_json(segment_id, after + 1, given, "segment")
    given |= {"name": made.name, "description": made.description, "author": made.author}
    document = {"segment_id": segment_id, "version": made.number, **given}
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    try:
        durable.create_bytes(lake.path(version_path(segment_id, made.number)), text.encode())
    except FileExistsError:
        raise _conflict(segment_id) from None
    return made


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _expect_own_name(catalogue: Catalogue, draft: Draft, standing: Segment | None) -> None:
    """Refuse the name of another segment in use: in lists nobody could tell the two apart."""
    if standing and not standing.is_archived and standing.name == draft.name.strip():
        return
    others = (one for one in catalogue.segments.values() if one.segment_id != draft.segment_id)
    if any(_plain(one.name) == _plain(draft.name) for one in others if not one.is_archived):
        raise UsageError("Another segment has this name.", hint="Give this one another name.")


def _usable(catalogue: Catalogue, segment_id: str, rule: object, fields: Fields) -> Node:
    tree = parse(rule, fields, {*catalogue.rules, segment_id})
    if circle := circular(segment_id, {**catalogue.rules, segment_id: tree}):
        raise UsageError(
            f"Segments name each other in a circle: {' -> '.join(circle)}.", hint="Take one out."
        )
    return tree


def _expect_unused(catalogue: Catalogue, segment_id: str) -> None:
    if users := catalogue.users(segment_id):
        raise ConflictError(
            f"The segment {segment_id!r} is named by {', '.join(users)}.",
            hint="Take it out of their rules first.",
        )


def _expect(standing: Segment | None, segment_id: str, after: int) -> None:
    newest = standing.last if standing else 0
    if newest != after:
        raise _conflict(segment_id, newest, after)


def _conflict(segment_id: str, newest: int | None = None, after: int | None = None) -> ConflictError:
    if after == 0 and newest:
        return ConflictError(f"There is a segment {segment_id!r} already.", hint="Give this one another id.")
    told = f"; it is at version {newest} now" if newest else ""
    return ConflictError(
        f"Somebody else has changed the segment {segment_id!r} meanwhile{told}.",
        hint="Look at the newest version, and make your change once more.",
    )


def archive(
    lake: Lake,
    fields: Fields,
    segment_id: str,
    *,
    after: int,
    now: datetime,
    author: str | None,
    archived: bool = True,
) -> Version:
    """Take a segment out of use, or back into it (``archived=False``): a version with the same rule."""
    newest = read(lake, fields).get(segment_id).newest
    if newest is None:
        raise UsageError(f"No version of the segment {segment_id!r} can be read.", hint="`cdp segment list`.")
    draft = Draft(segment_id, newest.name, newest.rule, newest.description, author, archived)
    return save(lake, fields, draft, after=after, now=now)
