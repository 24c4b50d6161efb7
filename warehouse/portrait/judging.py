"""Saying that a record is somebody else's, or that two customers are one: what it would do, what is still to come.

A judgement is about two records. Splitting a record off keeps it apart from each of the customer's other records;
joining two customers links their first records. The next run applies it; until then it is pending. What was said
at once is taken back at once: it counts as never said, and nothing is said in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cdp import judgements
from cdp.errors import NotFoundError, UsageError
from cdp.judgements import Decision, Judgement
from cdp.lake import Lake
from cdp.ledger import Ledger
from warehouse.portrait.seen import Seen

Act = Literal["split", "join"]
MOST_NOTE = 500


@dataclass(frozen=True)
class Proposal:
    """What somebody wants to say, before they have confirmed it."""

    act: Act
    customer_id: str
    decisions: Sequence[Decision]
    record: str | None = None
    other_customer_id: str | None = None
    against: Sequence[Judgement] = ()
    """Judgements that stand and say the opposite about the same records: the new one takes their place."""


@dataclass(frozen=True)
class Told:
    """Judgements that concern a customer, as the page shows them: those that were said at once are told as one."""

    judgement_ids: tuple[int, ...]
    left: str
    rights: tuple[str, ...]
    kind: str
    decided_at: datetime
    decided_by: str
    note: str | None
    pending: bool
    other_customer_id: str | None
    own: bool
    """Whether both records are of this customer."""
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None


@dataclass(frozen=True)
class TakingBack:
    """What taking back would do, before it is confirmed."""

    acts: Sequence[Told]
    judgement_ids: tuple[int, ...]
    """All that goes: also of other customers, where it was said at once."""
    customer_ids: tuple[str, ...]
    """Whose records it is about, in this release."""
    again: Sequence[Judgement]
    """Judgements that count again: what is taken back had replaced or overruled them."""


def records_of(seen: Seen, customer_id: str) -> list[str]:
    """Return the keys of a customer's records, sorted. They are not masked: they must not leave."""
    query = "SELECT record_key FROM customer_records WHERE customer_id = ? ORDER BY 1"
    return [row["record_key"] for row in seen.raw(query, [customer_id])]


def propose_split(lake: Lake, seen: Seen, customer_id: str, shown_record: str, note: str) -> Proposal:
    """Keep a record apart from the customer's others. ``shown_record``: as the caller sees the record.

    Raises :class:`NotFoundError` where the customer has no such record, :class:`UsageError` where it is the only one.
    """
    members = records_of(seen, customer_id)
    record = next((key for key in members if seen.record(key) == shown_record), None)
    if record is None:
        raise NotFoundError(
            f"{customer_id} has no such record.", hint="Its records may have changed: load the page again."
        )
    if len(members) == 1:
        raise UsageError(f"This is the only record of {customer_id}.", hint="There is nothing to split off.")
    decisions = [Decision(record, other, "cannot_link", _note(note)) for other in members if other != record]
    return Proposal("split", customer_id, decisions, record=record, against=_opposing(lake, decisions))


def propose_join(lake: Lake, seen: Seen, customer_id: str, other_customer_id: str, note: str) -> Proposal:
    """Make two customers one.

    Raises :class:`NotFoundError` where one of them does not exist, :class:`UsageError` where they are the same.
    """
    mine, theirs = records_of(seen, customer_id), records_of(seen, other_customer_id)
    for name, found in ((customer_id, mine), (other_customer_id, theirs)):
        if not found:
            raise NotFoundError(f"There is no customer {name!r}.", hint="Ids look like C00000001.")
    if customer_id == other_customer_id:
        raise UsageError(f"{customer_id} is this customer already.", hint="Give the id of the other one.")
    decisions = [Decision(mine[0], theirs[0], "must_link", _note(note))]
    across = [Decision(one, other, "must_link") for one in mine for other in theirs]
    return Proposal(
        "join", customer_id, decisions, other_customer_id=other_customer_id, against=_opposing(lake, across)
    )


def _note(text: str) -> str | None:
    note = " ".join(text.split())
    if len(note) > MOST_NOTE:
        raise UsageError(f"The note has {len(note)} characters.", hint=f"At most {MOST_NOTE} are kept.")
    return note or None


def decide(lake: Lake, proposal: Proposal, *, by: str, now: datetime) -> list[Judgement]:
    """Write a proposal into the ledger, for the next run."""
    with Ledger(lake.ledger_path) as ledger:
        return judgements.append(ledger, proposal.decisions, by=by, now=now)


def propose_undo(lake: Lake, seen: Seen, customer_id: str, judgement_ids: Sequence[int]) -> TakingBack:
    """Say what it means to take back judgements that stand and concern this customer's records.

    Raises :class:`NotFoundError` where one of them does not.
    """
    listed, members = _listed(lake), set(records_of(seen, customer_id))
    concern = {one.judgement_id for one in _stand(listed) if members & set(one.pair)}
    if not judgement_ids or not concern.issuperset(judgement_ids):
        raise NotFoundError("This judgement does not stand any more.", hint="Load the page again.")
    going = judgements.whole_acts(listed, judgement_ids)
    gone = [one for one in listed if one.judgement_id in going]
    stood = {one.judgement_id for one in _stand(listed)}
    left = [one for one in listed if one.judgement_id not in going]
    owners = _owners(seen, {key for one in gone for key in one.pair})
    return TakingBack(
        [_told(seen, customer_id, group, owners) for group in _acts(gone)],
        tuple(sorted(going)),
        tuple(sorted(set(owners.values()))),
        [one for one in _stand(left) if one.judgement_id not in stood],
    )


def undo(lake: Lake, taking: TakingBack, *, by: str, now: datetime) -> list[Judgement]:
    """Take judgements back. Raises :class:`NotFoundError` where somebody else did so meanwhile."""
    with Ledger(lake.ledger_path) as ledger:
        return judgements.withdraw(ledger, taking.judgement_ids, by=by, now=now)


def _stand(found: Sequence[Judgement]) -> list[Judgement]:
    return [one for one, state in zip(found, judgements.standing(found), strict=True) if state == "stands"]


def _listed(lake: Lake) -> list[Judgement]:
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        return judgements.read(ledger)


def _opposing(lake: Lake, decisions: Sequence[Decision]) -> list[Judgement]:
    pairs = {tuple(sorted((one.one, one.other))): one.kind for one in decisions}
    return [one for one in _stand(_listed(lake)) if pairs.get(one.pair, one.kind) != one.kind]


def told(lake: Lake, seen: Seen, customer_id: str) -> list[Told]:
    """Return the judgements about the customer's records that stand or were taken back, newest first.

    One is pending where the release does not show it yet: linked records of two customers, split ones of one.
    """
    listed = _listed(lake)
    if not listed:
        return []
    members, stand = set(records_of(seen, customer_id)), {one.judgement_id for one in _stand(listed)}
    mine = [
        one
        for one in reversed(listed)
        if (one.judgement_id in stand or one.withdrawn_at) and members & set(one.pair)
    ]
    owners = _owners(seen, {key for one in mine for key in one.pair})
    return [_told(seen, customer_id, group, owners) for group in _acts(mine)]


def _told(seen: Seen, customer_id: str, group: Sequence[Judgement], owners: Mapping[str, str]) -> Told:
    one, common = group[0], _common(group)
    pairs = {key for each in group for key in each.pair}
    others = {owners.get(key) for key in pairs} - {customer_id}
    return Told(
        judgement_ids=tuple(each.judgement_id for each in group),
        left=seen.record(common),
        rights=tuple(seen.record(key) for key in sorted(pairs - {common})),
        kind=one.kind,
        decided_at=datetime.fromisoformat(one.decided_at),
        decided_by=one.decided_by,
        note=one.reason if seen.personal else None,
        pending=pairs <= owners.keys() and bool(others) == (one.kind == "must_link"),
        other_customer_id=next(iter(sorted(filter(None, others))), None),
        own=not others,
        withdrawn_at=datetime.fromisoformat(one.withdrawn_at) if one.withdrawn_at else None,
        withdrawn_by=one.withdrawn_by,
    )


def _acts(found: Sequence[Judgement]) -> list[list[Judgement]]:
    """Put together what was said at once, and not taken back by itself."""
    acts: dict[tuple[int, str | None], list[Judgement]] = {}
    for one in found:
        acts.setdefault((one.act or one.judgement_id, one.withdrawn_at), []).append(one)
    return list(acts.values())


def _common(group: Sequence[Judgement]) -> str:
    """Return the record that all are about; the first of all in a chain of links."""
    in_all = set.intersection(*(set(one.pair) for one in group))
    return min(in_all or {key for one in group for key in one.pair})


def _owners(seen: Seen, keys: set[str]) -> dict[str, str]:
    query = "SELECT record_key, customer_id FROM customer_records WHERE record_key IN (SELECT unnest(?))"
    return {row["record_key"]: row["customer_id"] for row in seen.raw(query, [sorted(keys)])}
