"""Segments: rules, who meets them, who entered and left, live counts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from cdp.errors import UsageError
from warehouse import masking
from warehouse.segments import files, reading
from warehouse.segments.desk import Desk, NotForYouError
from warehouse.segments.files import Draft, Segment, Version
from warehouse.segments.parse import LONGEST_TEXT
from warehouse.segments.schema import schema
from warehouse.serve.access import ApiReads, ApiSegments, ReaderDep, ServingDep
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

router = APIRouter(prefix="/segments", tags=["segments"])

MOST_MEMBERS: Final = 10_000
MOST_SAMPLE: Final = 50
_RULE: Final[dict[str, Any]] = {
    "all": [
        {"field": "country", "op": "is", "value": "GB"},
        {"did": "order_placed", "at_least": 2, "within_days": 90},
    ]
}
SegmentId = Annotated[str, Path(pattern=f"^{files.ID_PATTERN}$")]
Rule = Annotated[
    dict[str, Any], Field(description="The rule; GET /api/v1/segments/schema describes it.", examples=[_RULE])
]
Name = Annotated[str, Field(min_length=1, max_length=files.LONGEST_NAME)]
Description = Annotated[str, Field(max_length=files.LONGEST_DESCRIPTION)]


class SegmentVersion(BaseModel):
    """One version of a segment."""

    version: int
    name: str
    description: str
    rule: dict[str, Any]
    in_words: str
    author: str | None
    created_at: datetime | None
    archived: bool


class SegmentSize(BaseModel):
    """A segment in one release: size = size before + entered - exited - merged."""

    release: str
    released_at: datetime
    rule_version: int
    size: int
    entered: int
    exited: int
    merged: int


class SegmentSummary(BaseModel):
    """A segment in short. ``version`` is the number of its newest file; ``size`` is that in the release."""

    segment_id: str
    name: str
    version: int
    archived: bool
    problem: str | None
    size: int | None


class SegmentDetail(SegmentSummary):
    """A segment with its newest version and its sizes over releases, oldest first."""

    newest: SegmentVersion | None
    sizes: list[SegmentSize]


class Segments(BaseModel):
    """All segments."""

    release: str
    segments: list[SegmentSummary]


class SegmentVersions(BaseModel):
    """All versions of a segment, newest first."""

    segment_id: str
    versions: list[SegmentVersion]


class NewSegment(BaseModel):
    """What is to become a segment. Without ``segment_id`` it is made from the name."""

    name: Name
    rule: Rule
    description: Description = ""
    segment_id: Annotated[str, Field(pattern=f"^{files.ID_PATTERN}$")] | None = None


class ChangedSegment(BaseModel):
    """The next version of a segment. ``version`` is the one that was changed: 409 where it is not the newest."""

    name: Name
    rule: Rule
    description: Description = ""
    version: Annotated[int, Field(ge=1, le=999_999_999)]


class SeenVersion(BaseModel):
    """Which version the caller has seen: 409 where it is not the newest."""

    version: Annotated[int, Field(ge=1, le=999_999_999)]


class Preview(BaseModel):
    """A rule to try."""

    rule: Rule
    sample: Annotated[int, Field(ge=0, le=MOST_SAMPLE)] = 8


class Previewed(BaseModel):
    """How many customers of the release meet a rule, and a few of them (masked without ``read-pii``)."""

    release: str
    in_words: str
    count: int
    sample: list[dict[str, Any]]


class Member(BaseModel):
    """A member; ``entered_release`` is null where the release does not have this version of the rule yet."""

    customer_id: str
    entered_release: str | None = None
    rule_version: int


class Members(BaseModel):
    """A page of members by customer id; ``next_after`` begins the next one, null on the last."""

    release: str
    segment_id: str
    published: bool = Field(
        description="Whether the release holds them; else the rule was evaluated just now."
    )
    members: list[Member]
    next_after: str | None


class MemberChange(BaseModel):
    """Somebody entered or left."""

    release: str
    change: str
    customer_id: str


class MemberChanges(BaseModel):
    """A page of entries and exits, oldest release first; ``next_after`` begins the next one, null on the last."""

    release: str
    segment_id: str
    changes: list[MemberChange]
    next_after: str | None


@contextlib.contextmanager
def desk_of(serving: ServingDep, reader: Reader, caller: Caller) -> Iterator[Desk]:
    """Lend a desk: the files of segments beside the pinned release. A rule that is not the caller's is a 403."""
    try:
        with reader.connection() as connection:
            yield Desk.open(serving.lake, connection, personal=caller.sees_personal_data)
    except NotForYouError as error:
        raise HTTPException(403, error.message) from None


def _version(desk: Desk, version: Version) -> SegmentVersion:
    shown = desk.shown_version(version)
    return SegmentVersion(
        version=version.number, name=shown.name, description=shown.description,
        rule=dict(shown.rule), in_words=desk.said(version).flat(), author=version.author,
        created_at=version.created_at, archived=version.archived,
    )  # fmt: skip


def _summary(desk: Desk, segment: Segment, size: int | None) -> dict[str, Any]:
    segment = desk.shown(segment)
    return {
        "segment_id": segment.segment_id,
        "name": segment.name,
        "version": segment.last,
        "archived": segment.is_archived,
        "problem": segment.problem,
        "size": size,
    }


def _detail(desk: Desk, segment: Segment) -> SegmentDetail:
    sizes = [
        SegmentSize.model_validate(one, from_attributes=True)
        for one in reading.sizes(desk.connection, segment.segment_id).get(segment.segment_id, ())
    ]
    newest = _version(desk, segment.newest) if segment.newest else None
    return SegmentDetail(
        **_summary(desk, segment, sizes[-1].size if sizes else None), newest=newest, sizes=sizes
    )


@router.get("")
def listed(serving: ServingDep, reader: ReaderDep, caller: ApiReads) -> Segments:
    """List all segments with their size in the release."""
    with desk_of(serving, reader, caller) as desk:
        sizes = reading.sizes(desk.connection)
        found = [
            SegmentSummary(
                **_summary(desk, one, sizes[one.segment_id][-1].size if one.segment_id in sizes else None)
            )
            for one in desk.catalogue.segments.values()
        ]
    return Segments(release=reader.version, segments=found)


@router.get("/schema")
def described(caller: ApiReads) -> dict[str, Any]:
    """Return the JSON Schema of a segment's file; `#/$defs/rule` describes a rule."""
    del caller
    return schema()


@router.post("/preview")
def preview(given: Preview, serving: ServingDep, reader: ReaderDep, caller: ApiSegments) -> Previewed:
    """Try a rule on the release: how many meet it, and a few of them."""
    with desk_of(serving, reader, caller) as desk:
        rule = desk.rule(given.rule)
        rows = desk.sample(rule, given.sample) if given.sample else []
        if not caller.sees_personal_data:
            rows = [masking.row("customers", row, reader.tokens) for row in rows]
        if rows:
            serving.spend_rows(caller, len(rows))
            serving.audit(caller, "segment.preview", reader=reader, rows=len(rows))
        return Previewed(
            release=reader.version, in_words=desk.teller.say(rule).flat(), count=desk.count(rule), sample=rows
        )


@router.post("", status_code=201)
def create(given: NewSegment, serving: ServingDep, reader: ReaderDep, caller: ApiSegments) -> SegmentDetail:
    """Make a segment. Its entries count from the next release on."""
    with desk_of(serving, reader, caller) as desk:
        desk.rule(given.rule)
        segment_id = given.segment_id or files.new_id(given.name, desk.catalogue.segments)
        draft = Draft(segment_id, given.name, given.rule, given.description, caller.name)
        return _saved(desk, serving, reader, caller, draft, 0)


@router.get("/{segment_id}")
def one(segment_id: SegmentId, serving: ServingDep, reader: ReaderDep, caller: ApiReads) -> SegmentDetail:
    """Return a segment: its rule, and its sizes over releases."""
    with desk_of(serving, reader, caller) as desk:
        return _detail(desk, desk.catalogue.get(segment_id))


@router.get("/{segment_id}/versions")
def versions(
    segment_id: SegmentId, serving: ServingDep, reader: ReaderDep, caller: ApiReads
) -> SegmentVersions:
    """Return all versions of a segment, newest first."""
    with desk_of(serving, reader, caller) as desk:
        found = desk.catalogue.get(segment_id).versions
        return SegmentVersions(
            segment_id=segment_id, versions=[_version(desk, version) for version in reversed(found)]
        )


@router.put("/{segment_id}")
def change(
    segment_id: SegmentId, given: ChangedSegment, serving: ServingDep, reader: ReaderDep, caller: ApiSegments
) -> SegmentDetail:
    """Save a new version of a segment; the old ones stay."""
    with desk_of(serving, reader, caller) as desk:
        desk.need_own(desk.catalogue.get(segment_id))
        desk.rule(given.rule)
        draft = Draft(segment_id, given.name, given.rule, given.description, caller.name)
        return _saved(desk, serving, reader, caller, draft, given.version)


@router.post("/{segment_id}/archive")
def archive(
    segment_id: SegmentId, given: SeenVersion, serving: ServingDep, reader: ReaderDep, caller: ApiSegments
) -> SegmentDetail:
    """Take a segment out of use: with the next release all members leave it."""
    return _archived(segment_id, given, serving, reader, caller, archived=True)


@router.post("/{segment_id}/restore")
def restore(
    segment_id: SegmentId, given: SeenVersion, serving: ServingDep, reader: ReaderDep, caller: ApiSegments
) -> SegmentDetail:
    """Take an archived segment back into use."""
    return _archived(segment_id, given, serving, reader, caller, archived=False)


def _archived(
    segment_id: str,
    given: SeenVersion,
    serving: ServingDep,
    reader: Reader,
    caller: Caller,
    *,
    archived: bool,
) -> SegmentDetail:
    with desk_of(serving, reader, caller) as desk:
        segment = desk.catalogue.get(segment_id)
        newest = segment.newest
        if newest is None:
            raise UsageError(f"No version of the segment {segment_id!r} can be read.")
        draft = Draft(segment_id, newest.name, newest.rule, newest.description, caller.name, archived)
        return _saved(desk, serving, reader, caller, draft, given.version)


def _saved(
    desk: Desk, serving: ServingDep, reader: Reader, caller: Caller, draft: Draft, after: int
) -> SegmentDetail:
    files.save(desk.lake, desk.fields, draft, after=after, now=serving.now())
    serving.audit(
        caller, "segment.archive" if draft.archived else "segment.save", draft.segment_id, reader=reader
    )
    renewed = Desk.open(desk.lake, desk.connection, personal=desk.personal)
    return _detail(renewed, renewed.catalogue.get(draft.segment_id))


@router.get("/{segment_id}/members")
def members(
    segment_id: SegmentId,
    serving: ServingDep,
    reader: ReaderDep,
    caller: ApiReads,
    after: Annotated[str | None, Query(max_length=LONGEST_TEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_MEMBERS)] = 1000,
) -> Members:
    """Return members by customer id: as the release holds them, or by the rule where it, or one it names, is newer."""
    with desk_of(serving, reader, caller) as desk:
        segment = desk.catalogue.get(segment_id)
        rule = desk.usable(segment)
        published = desk.is_published(segment)
        if published:
            rows = reading.members(desk.connection, segment_id, after=after, limit=limit)
        else:
            ids = desk.members(rule, after=after, limit=limit)
            rows = [{"customer_id": customer, "rule_version": segment.last} for customer in ids]
        serving.spend_rows(caller, len(rows))
        serving.audit(caller, "segment.members", segment_id, reader=reader, rows=len(rows))
    return Members(
        release=reader.version,
        segment_id=segment_id,
        published=published,
        members=[Member(**row) for row in rows],
        next_after=rows[-1]["customer_id"] if len(rows) == limit else None,
    )


@router.get("/{segment_id}/changes")
def changes(
    segment_id: SegmentId,
    serving: ServingDep,
    reader: ReaderDep,
    caller: ApiReads,
    since: Annotated[str | None, Query(max_length=64, description="Releases newer than this one.")] = None,
    after: Annotated[str | None, Query(max_length=LONGEST_TEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_MEMBERS)] = 1000,
) -> MemberChanges:
    """Return who entered and who left, oldest release first. A merge is neither."""
    with desk_of(serving, reader, caller) as desk:
        desk.catalogue.get(segment_id)
        found = reading.changes(desk.connection, segment_id, since=since, after=after, limit=limit)
    serving.spend_rows(caller, len(found))
    serving.audit(caller, "segment.changes", segment_id, reader=reader, rows=len(found))
    told = [MemberChange.model_validate(one, from_attributes=True) for one in found]
    return MemberChanges(
        release=reader.version,
        segment_id=segment_id,
        changes=told,
        next_after=found[-1].key if len(found) == limit else None,
    )
