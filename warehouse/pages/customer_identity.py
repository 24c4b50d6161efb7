"""Correcting who is one person: split a record off, join another customer, take it back. Each is confirmed first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cdp.errors import CdpError, UsageError
from cdp.lake import Lake
from warehouse import lookup
from warehouse.pages.customer import open_customer, seen_by
from warehouse.pages.templating import page
from warehouse.portrait import facts, judging
from warehouse.portrait import why as reasons
from warehouse.portrait.judging import Act, Proposal
from warehouse.portrait.seen import Seen
from warehouse.serve.access import PageIdentity, ReaderDep, ServingDep

router = APIRouter()

_ID: Final = re.compile(r"[Cc]\d+")
ACTIONS: Final = {"split": "identity.split", "join": "identity.link"}


@dataclass(frozen=True)
class Said:
    """What somebody says: this record is somebody else's, or this customer is also that one."""

    act: Act
    record: str
    other: str
    note: str


def _said(
    act: Annotated[Act, Form()],
    record: Annotated[str, Form(max_length=1000)] = "",
    other: Annotated[str, Form(max_length=500)] = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Said:
    return Said(act, record, other, note)


SaidDep = Annotated[Said, Depends(_said)]


@router.get("/customers/{customer_id}/identity")
def forms(
    request: Request, customer_id: str, caller: PageIdentity, serving: ServingDep, reader: ReaderDep
) -> HTMLResponse:
    """Show what may be said about the customer's records."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        row = open_customer(seen, customer_id)
        serving.audit(caller, "profile.read", customer_id, reader=reader)
        records = reasons.why(seen, customer_id, row["record_count"]).records
        return page(
            request,
            "customer_identity.html",
            caller,
            row=row,
            customer_id=customer_id,
            records=records,
            problem=None,
        )


@router.post("/customers/{customer_id}/identity/check")
def check(
    request: Request, customer_id: str, caller: PageIdentity, serving: ServingDep, reader: ReaderDep,
    said: SaidDep,
) -> HTMLResponse:  # fmt: skip
    """Say what a split or a join would do, and ask."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        row = open_customer(seen, customer_id)
        try:
            if said.act == "join":
                said = replace(said, other=_found(seen, said.other))
            proposal = _proposal(serving.lake, seen, customer_id, said)
        except CdpError as problem:
            records = reasons.why(seen, customer_id, row["record_count"]).records
            return page(request, "customer_identity.html", caller, status=422, row=row, customer_id=customer_id,
                        records=records, problem=problem)  # fmt: skip
        other = facts.customer(seen, said.other) if said.act == "join" else None
        if other is not None:
            serving.audit(caller, "profile.read", said.other, reader=reader)
        return page(request, "customer_confirm.html", caller, row=row, customer_id=customer_id, proposal=proposal,
                    said=said, other=other)  # fmt: skip


@router.post("/customers/{customer_id}/identity/decide")
def decide(
    customer_id: str, caller: PageIdentity, serving: ServingDep, reader: ReaderDep,
    said: SaidDep,
) -> Response:  # fmt: skip
    """Write the judgement down; the next run applies it."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        proposal = _proposal(serving.lake, seen, customer_id, said)
    made = judging.decide(serving.lake, proposal, by=caller.name, now=serving.now())
    for subject in filter(None, (customer_id, proposal.other_customer_id)):
        serving.audit(caller, ACTIONS[said.act], subject, reader=reader, rows=len(made))
    return RedirectResponse(f"/customers/{customer_id}?done={said.act}", 303)


JudgementsForm = Annotated[str, Form(max_length=20_000)]


@router.post("/customers/{customer_id}/identity/undo/check")
def check_undo(
    request: Request, customer_id: str, caller: PageIdentity, serving: ServingDep, reader: ReaderDep,
    judgements: JudgementsForm,
) -> HTMLResponse:  # fmt: skip
    """Say what taking back would do, and ask."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        row = open_customer(seen, customer_id)
        taking = judging.propose_undo(serving.lake, seen, customer_id, _numbers(judgements))
    serving.audit(caller, "profile.read", customer_id, reader=reader)
    return page(request, "customer_undo.html", caller, row=row, customer_id=customer_id, taking=taking,
                judgements=judgements)  # fmt: skip


@router.post("/customers/{customer_id}/identity/undo")
def undo(
    customer_id: str, caller: PageIdentity, serving: ServingDep, reader: ReaderDep,
    judgements: JudgementsForm,
) -> Response:  # fmt: skip
    """Take back what was said: the next run decides as if it had never been."""
    with reader.connection() as connection:
        seen = seen_by(caller, reader, connection)
        taking = judging.propose_undo(serving.lake, seen, customer_id, _numbers(judgements))
    taken = judging.undo(serving.lake, taking, by=caller.name, now=serving.now())
    for subject in sorted({customer_id, *taking.customer_ids}):
        serving.audit(caller, "identity.undo", subject, reader=reader, rows=len(taken))
    return RedirectResponse(f"/customers/{customer_id}?done=undo", 303)


def _numbers(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError:
        raise UsageError("These are no judgements.", hint="Load the page again.") from None


def _found(seen: Seen, text: str) -> str:
    """Return the one customer whom a text means: an id, or, for those who see personal data, any identifier."""
    text = text.strip()
    wanted = text.upper() if _ID.fullmatch(text) else text
    if not seen.personal:
        return facts.successor(seen, wanted) or wanted
    found = lookup.find(seen.connection, text)
    if len(found) > 1:
        raise UsageError(
            f"This leads to {len(found)} customers.", hint="Give the id of the one whom you mean."
        )
    return found[0].customer_id if found else wanted


def _proposal(lake: Lake, seen: Seen, customer_id: str, said: Said) -> Proposal:
    if said.act == "split":
        return judging.propose_split(lake, seen, customer_id, said.record, said.note)
    return judging.propose_join(lake, seen, customer_id, said.other, said.note)
