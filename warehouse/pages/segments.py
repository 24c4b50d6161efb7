"""Segments: the list, one segment, the builder of its rule with live size and sample."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from cdp.errors import CdpError, ConflictError, UsageError
from cdp.ledger import Ledger
from cdp.settings.exporting import INTERNAL
from warehouse import masking
from warehouse.api.segments import desk_of
from warehouse.audiences import shares
from warehouse.formats import escaped_text
from warehouse.pages import segment_form
from warehouse.pages.segment_view import Builder, chart, paths
from warehouse.pages.templating import page
from warehouse.segments import evaluate, files, reading
from warehouse.segments.desk import Desk, NotForYouError
from warehouse.segments.files import Draft, Segment
from warehouse.segments.parse import RuleError
from warehouse.segments.tree import Node
from warehouse.segments.words import changes
from warehouse.serve.access import PageReads, PageSegments, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

router = APIRouter(prefix="/segments")

SAMPLE: Final = 8
_CHUNK: Final = 5000
_RELEASES_SHOWN: Final = 40
SegmentId = Annotated[str, Path(pattern=f"^{files.ID_PATTERN}$")]


async def form_items(request: Request) -> list[tuple[str, str]]:
    """Return the texts of a form in their order."""
    form = await request.form()
    return [(name, text) for name, text in form.multi_items() if isinstance(text, str)]


Items = Annotated[list[tuple[str, str]], Depends(form_items)]


@dataclass(frozen=True)
class Listed:
    """A segment as a line of the list."""

    segment: Segment
    size: int | None
    change: int
    line: str


@router.get("")
def listed(request: Request, serving: ServingDep, reader: ReaderDep, caller: PageReads) -> HTMLResponse:
    """Show all segments."""
    with desk_of(serving, reader, caller) as desk:
        sizes = reading.sizes(desk.connection)
        total = desk.count(desk.rule({"all": []}))
        found = [
            _listed(desk.shown(one), sizes.get(one.segment_id, ()))
            for one in desk.catalogue.segments.values()
        ]
    order = sorted(found, key=lambda one: (one.segment.is_archived, one.segment.name.lower()))
    return page(request, "segments.html", caller, segments=order, total=total)


def _listed(segment: Segment, sizes: Sequence[reading.Size]) -> Listed:
    last = sizes[-1] if sizes else None
    change = last.entered - last.exited if last else 0
    return Listed(
        segment, last.size if last else None, change, paths([one.size for one in sizes[-_RELEASES_SHOWN:]])
    )


@router.get("/new")
def new(
    request: Request,
    serving: ServingDep,
    reader: ReaderDep,
    caller: PageSegments,
    rule: Annotated[str, Query(max_length=4000)] = "",
) -> HTMLResponse:
    """Show the builder with an empty rule, or with one that a list of customers was filtered by."""
    with desk_of(serving, reader, caller) as desk:
        draft = segment_form.draft_of(desk.rule(_given_rule(rule))) if rule else segment_form.empty()
        builder = Builder(desk, reader.version, segment_form.numbered(draft))
        return page(
            request,
            "segment_edit.html",
            caller,
            builder=builder,
            given=_given([]),
            segment=None,
            problem=None,
        )


def _given_rule(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise UsageError("The rule in this address is no JSON.", hint="Start with an empty rule.") from None


@router.get("/{segment_id}/edit")
def edit(
    request: Request, segment_id: SegmentId, serving: ServingDep, reader: ReaderDep, caller: PageSegments
) -> HTMLResponse:
    """Show the builder with a segment's newest rule."""
    with desk_of(serving, reader, caller) as desk:
        segment = desk.catalogue.get(segment_id)
        newest = segment.newest
        if newest is None:
            problem = desk.shown(segment).problem
            raise UsageError(f"No version of the segment {segment_id!r} can be read. {problem}")
        desk.need_own(segment)
        problem = segment.problem
        try:
            draft = segment_form.draft_of(desk.rule(newest.rule))
        except RuleError as error:
            draft, problem = segment_form.numbered(segment_form.empty()), error.message
        given = {
            "name": newest.name, "description": newest.description, "segment_id": segment_id,
            "version": str(segment.last),
        }  # fmt: skip
        builder = Builder(desk, reader.version, draft, segment_id)
        return page(
            request,
            "segment_edit.html",
            caller,
            builder=builder,
            given=given,
            segment=segment,
            problem=problem,
        )


def _given(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    texts = dict(items)
    return {name: texts.get(name, "") for name in ("name", "description", "segment_id", "version")}


@router.post("/builder")
def build(
    request: Request, items: Items, serving: ServingDep, reader: ReaderDep, caller: PageSegments
) -> HTMLResponse:
    """Do what a button of the builder says; answer with the builder, or the page for who has no scripts."""
    given = _given(items)
    action = dict(items).get("action", "")
    with desk_of(serving, reader, caller) as desk:
        draft = segment_form.act(segment_form.from_items(items), action)
        builder = Builder(desk, reader.version, draft, given["segment_id"] or None)
        if "hx-request" in request.headers:
            answer = page(request, "_segment_builder.html", caller, builder=builder)
            answer.headers["HX-Trigger"] = json.dumps({"rule-changed": ""})
            return answer
        segment = _standing(desk, given)
        return page(
            request, "segment_edit.html", caller, builder=builder, given=given, segment=segment, problem=None
        )


def _standing(desk: Desk, given: Mapping[str, str]) -> Segment | None:
    """Return the segment that a form is about, as the caller may see it."""
    standing = desk.catalogue.segments.get(given["segment_id"])
    return desk.shown(standing) if standing else None


def _read(desk: Desk, draft: segment_form.Draft) -> Node | None:
    """Return the rule of a form, or None with a word at each part that is not right yet."""
    rule = segment_form.rule_of(draft, desk.fields)
    if not segment_form.is_complete(draft):
        return None
    try:
        return desk.rule(rule)
    except RuleError as error:
        segment_form.place(draft, desk.fields, error.mistakes)
        return None


@router.post("/preview")
def preview(
    request: Request, items: Items, serving: ServingDep, reader: ReaderDep, caller: PageSegments
) -> HTMLResponse:
    """Count who meets the rule of the form, and show a few of them."""
    draft = segment_form.from_items(items)
    with desk_of(serving, reader, caller) as desk:
        try:
            rule = _read(desk, draft)
        except NotForYouError as error:
            return page(request, "_segment_preview.html", caller, found=None, mistakes=[error.message])
        if rule is None:
            mistakes = list(segment_form.mistakes(draft))
            return page(request, "_segment_preview.html", caller, found=None, mistakes=mistakes)
        found = {
            "count": desk.count(rule),
            "total": desk.count(desk.rule({"all": []})),
            "said": desk.teller.say(rule),
            "rows": _sample(serving, reader, caller, desk.sample(rule, SAMPLE), "segment.preview"),
        }
    return page(request, "_segment_preview.html", caller, found=found, mistakes=[])


def _sample(
    serving: Serving,
    reader: Reader,
    caller: Caller,
    rows: list[dict[str, Any]],
    action: str,
    subject: str | None = None,
) -> list[dict[str, Any]]:
    if rows:
        serving.spend_rows(caller, len(rows))
        serving.audit(caller, action, subject, reader=reader, rows=len(rows))
    if caller.sees_personal_data:
        return rows
    return [masking.row("customers", row, reader.tokens) for row in rows]


@router.post("/save")
def save(
    request: Request, items: Items, serving: ServingDep, reader: ReaderDep, caller: PageSegments
) -> Response:
    """Save the rule of the form as a new segment, or as the next version of one."""
    given = _given(items)
    draft = segment_form.from_items(items)
    with desk_of(serving, reader, caller) as desk:
        if standing := desk.catalogue.segments.get(given["segment_id"]):
            desk.need_own(standing)
        rule = segment_form.rule_of(draft, desk.fields)
        is_everybody = segment_form.is_empty(draft)
        problem: CdpError | None = None
        try:
            if _read(desk, draft) is None:
                problem = UsageError("The rule is not finished yet: look at the marked conditions.")
            elif not given["name"].strip():
                problem = UsageError("Give the segment a name.")
            elif is_everybody and "everybody" not in dict(items):
                problem = UsageError(
                    "This rule has no condition. Add one, or say that everybody belongs to it."
                )
            else:
                return _saved(desk, serving, reader, caller, given, rule)
        except (UsageError, ConflictError) as error:
            problem = error
        builder = Builder(desk, reader.version, draft, given["segment_id"] or None)
        segment = _standing(desk, given)
        status = 409 if isinstance(problem, ConflictError) else 422
        return page(
            request, "segment_edit.html", caller, status=status, builder=builder, given=given, segment=segment,
            problem=str(problem.message), ask_everybody=is_everybody,
        )  # fmt: skip


def _saved(
    desk: Desk, serving: Serving, reader: Reader, caller: Caller, given: Mapping[str, str], rule: object
) -> RedirectResponse:
    segment_id = given["segment_id"] or files.new_id(given["name"], desk.catalogue.segments)
    version = given["version"]
    after = int(version) if version.isdecimal() and len(version) < 10 else 0
    draft = Draft(segment_id, given["name"], rule, given["description"], caller.name)
    files.save(desk.lake, desk.fields, draft, after=after, now=serving.now())
    serving.audit(caller, "segment.save", segment_id, reader=reader)
    return RedirectResponse(f"/segments/{segment_id}?done=saved", 303)


DONE: Final[Mapping[str, str]] = {
    "saved": "Saved. The next release says who entered and who left.",
    "archive": "Out of use. With the next release its members leave it.",
    "restore": "Back in use.",
}


@router.get("/{segment_id}")
def one(
    request: Request,
    segment_id: SegmentId,
    serving: ServingDep,
    reader: ReaderDep,
    caller: PageReads,
    done: str = "",
) -> HTMLResponse:
    """Show one segment: its rule in words, size over time, who entered and left, versions."""
    with desk_of(serving, reader, caller) as desk:
        segment = desk.catalogue.get(segment_id)
        sizes = list(reading.sizes(desk.connection, segment_id).get(segment_id, ()))
        rule = desk.rules.get(segment_id)
        counted = desk.count(rule) if rule else None
        rows = desk.sample(rule, SAMPLE) if rule else []
        values: dict[str, Any] = {
            "segment": desk.shown(segment),
            "said": desk.said(segment.newest) if segment.newest else None,
            "sizes": sizes[::-1][:_RELEASES_SHOWN],
            "spec": chart(sizes),
            "counted": counted,
            "total": desk.count(desk.rule({"all": []})),
            "rows": _sample(serving, reader, caller, rows, "segment.members", segment_id),
            "versions": _versions(desk, segment),
            "users": desk.catalogue.users(segment_id),
            "notice": DONE.get(done),
        }
    return page(request, "segment.html", caller, **values)


def _versions(desk: Desk, segment: Segment) -> list[dict[str, Any]]:
    """Return the versions, newest first, with what each changed."""
    told: list[dict[str, Any]] = []
    before = None
    for version in segment.versions:
        # Its words hide values themselves: they are made from the rule as it is.
        shown = replace(desk.shown_version(version), rule=version.rule)
        what = changes(before, shown, desk.teller) if before else [desk.said(version).flat()]
        told.append({"version": shown, "changes": what})
        before = shown
    return told[::-1]


@router.post("/{segment_id}/archive")
def archive(
    segment_id: SegmentId, serving: ServingDep, reader: ReaderDep, caller: PageSegments,
    version: Annotated[int, Form(ge=0, le=999_999_999)], back: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Take a segment out of use, or back into it."""
    with desk_of(serving, reader, caller) as desk:
        files.archive(
            desk.lake, desk.fields, segment_id, after=version, now=serving.now(), author=caller.name,
            archived=not back,
        )  # fmt: skip
    serving.audit(caller, "segment.archive", segment_id, reader=reader)
    return RedirectResponse(f"/segments/{segment_id}?done={'restore' if back else 'archive'}", 303)


@router.get("/{segment_id}/members.csv")
def download(segment_id: SegmentId, serving: ServingDep, reader: ReaderDep, caller: PageSegments) -> Response:
    """Return the members as CSV, for use inside the house; without ``read-pii`` they come masked.

    What leaves stands in the share log, as every other download does.
    """
    with desk_of(serving, reader, caller) as desk:
        rule = desk.usable(desk.catalogue.get(segment_id))
        ids = desk.members(rule)
    serving.spend_rows(caller, len(ids))
    serving.audit(caller, "export.download", segment_id, reader=reader, rows=len(ids))
    sent = shares.Sent(
        segment_id, "download", "download members", INTERNAL, None, segment_id, reader.version, caller.name
    )
    with Ledger(serving.lake.ledger_path) as ledger:
        shares.once(ledger, sent, rows=len(ids), now=serving.now())
    headers = {
        "Content-Disposition": f'attachment; filename="{segment_id}.csv"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_csv(reader, caller, ids), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(reader: Reader, caller: Caller, ids: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the file, some thousand at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(evaluate.SAMPLE_COLUMNS)
    with reader.connection() as connection:
        for at in range(0, len(ids), _CHUNK):
            rows = evaluate.rows(connection, ids[at : at + _CHUNK])
            if not caller.sees_personal_data:
                rows = [masking.row("customers", row, reader.tokens) for row in rows]
            writer.writerows(
                [escaped_text(cell) if isinstance(cell, str) else cell for cell in row.values()]
                for row in rows
            )
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    if not ids:
        yield buffer.getvalue()
