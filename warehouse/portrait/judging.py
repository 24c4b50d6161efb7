"""Saying that a record is somebody else's, or that two customers are one: what it would do, what is still to come.

A judgement is about two records. Splitting a record off keeps it apart from each of the customer's other records;
joining two customers links their first records. The next run applies it; until then it is pending.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Judgements that concern a customer, as the page shows them: those of one split are told as one."""

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


def undo(
    lake: Lake, seen: Seen, customer_id: str, judgement_ids: Sequence[int], *, by: str, now: datetime
) -> list[Judgement]:
    """Say the opposite of judgements about this customer's records. Raises :class:`NotFoundError`."""
    members, wanted = set(records_of(seen, customer_id)), set(judgement_ids)
    with Ledger(lake.ledger_path) as ledger:
        standing = _stand(judgements.read(ledger))
        found = [one for one in standing if one.judgement_id in wanted and members & set(one.pair)]
        if len(found) != len(wanted) or not found:
            raise NotFoundError("This judgement does not stand any more.", hint="Load the page again.")
        return judgements.append(ledger, [_opposite(one) for one in found], by=by, now=now)


def _opposite(one: Judgement) -> Decision:
    kind: judgements.Kind = "cannot_link" if one.kind == "must_link" else "must_link"
    return Decision(*one.pair, kind, f"takes back judgement {one.judgement_id}")


def _stand(found: Sequence[Judgement]) -> list[Judgement]:
    return [one for one, state in zip(found, judgements.standing(found), strict=True) if state == "stands"]


def _standing(lake: Lake) -> list[Judgement]:
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        return _stand(judgements.read(ledger))


def _opposing(lake: Lake, decisions: Sequence[Decision]) -> list[Judgement]:
    pairs = {tuple(sorted((one.one, one.other))): one.kind for one in decisions}
    return [one for one in _standing(lake) if pairs.get(one.pair, one.kind) != one.kind]


def told(lake: Lake, seen: Seen, customer_id: str) -> list[Told]:
    """Return the judgements that stand and concern the customer's records, newest first.

    One is pending where the release does not show it yet: linked records of two customers, split ones of one.
    """
    standing = _standing(lake)
    if not standing:
        return []
    members = set(records_of(seen, customer_id))
    mine = [one for one in reversed(standing) if members & set(one.pair)]
    owners = _owners(seen, {key for one in mine for key in one.pair})
    found: list[Told] = []
    for group in _grouped(mine):
        one, common = group[0], _common(group)
        pairs = {key for each in group for key in each.pair}
        others = {owners.get(key) for key in pairs} - {customer_id}
        pending = pairs <= owners.keys() and bool(others) == (one.kind == "must_link")
        found.append(
            Told(
                tuple(each.judgement_id for each in group), seen.record(common),
                tuple(seen.record(key) for key in sorted(pairs - {common})), one.kind,
                datetime.fromisoformat(one.decided_at), one.decided_by, one.reason if seen.personal else None,
                pending, next(iter(sorted(filter(None, others))), None), not others,
            )
        )  # fmt: skip
    return found


def _grouped(found: Sequence[Judgement]) -> list[list[Judgement]]:
    """Put the judgements of one split together: by the same person, with the same words, on one record."""
    groups: list[list[Judgement]] = []
    for one in found:
        last = groups[-1] if groups else []
        alike = bool(last) and one.kind == "cannot_link" and all(
            (one.kind, one.decided_by, one.reason) == (each.kind, each.decided_by, each.reason) for each in last
        )  # fmt: skip
        if alike and set.intersection(*(set(each.pair) for each in (*last, one))):
            last.append(one)
        else:
            groups.append([one])
    return groups


def _common(group: Sequence[Judgement]) -> str:
    return min(set.intersection(*(set(one.pair) for one in group)))


def _owners(seen: Seen, keys: set[str]) -> dict[str, str]:
    query = "SELECT record_key, customer_id FROM customer_records WHERE record_key IN (SELECT unnest(?))"
    return {row["record_key"]: row["customer_id"] for row in seen.raw(query, [sorted(keys)])}
