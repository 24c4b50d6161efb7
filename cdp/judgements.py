"""What people decided about pairs of records: kept for ever in the ledger, with who, when and why.

A judgement is a must-link or a cannot-link between two records. None is ever removed: a later one on the same
pair takes the place of the earlier, and one that contradicts later ones over a chain of records is overruled by
them. One that was taken back counts as if it had never been said, and stays listed. :func:`standing` applies the
law that the identity engine follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from cdp.errors import NotFoundError, UsageError
from cdp.ledger import Ledger, timestamp

Kind = Literal["must_link", "cannot_link"]
Standing = Literal["stands", "replaced", "overruled", "withdrawn"]

_COLUMNS = (
    "judgement_id, left_record, right_record, kind, decided_at, decided_by, reason, "
    "act, withdrawn_at, withdrawn_by"
)


@dataclass(frozen=True)
class Decision:
    """What somebody says about two records; their order does not matter."""

    one: str
    other: str
    kind: Kind
    note: str | None = None


@dataclass(frozen=True)
class Judgement:
    """A decision as the ledger keeps it; ``left_record`` sorts before ``right_record``.

    ``act``: the first judgement of those that were said at once. ``withdrawn_at``, ``withdrawn_by``: when and by
    whom it was taken back, None where it was not.
    """

    judgement_id: int
    left_record: str
    right_record: str
    kind: Kind
    decided_at: str
    decided_by: str
    reason: str | None
    act: int | None = None
    withdrawn_at: str | None = None
    withdrawn_by: str | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """The two records."""
        return self.left_record, self.right_record


def append(
    ledger: Ledger, decisions: Sequence[Decision], *, by: str, now: datetime, one_act: bool = True
) -> list[Judgement]:
    """Append decisions in one transaction and return them as they are kept.

    ``one_act``: they are one thing that somebody said, such as a split; else each is an act of its own.
    No writer lock is needed: a run that is under way has read its judgements or will read these, and the
    next one sees that they are new. Times never run backwards, so that the later word is the later one
    whatever the clock says. Raises :class:`UsageError` for a pair of one record with itself, and where
    nobody is named.
    """
    _named(by)
    for decision in decisions:
        if decision.one == decision.other:
            raise UsageError(
                f"{decision.one!r} is given twice: a judgement is about two records.",
                hint="Name two different records, as source:key.",
            )
    with ledger.transaction("judgements"):
        last = ledger.value("SELECT max(decided_at) FROM judgements")
        moment = now.astimezone(UTC)
        if last is not None:
            moment = max(moment, datetime.fromisoformat(last) + timedelta(microseconds=1))
        made: list[Judgement] = []
        for decision in decisions:
            left, right = sorted((decision.one, decision.other))
            values = (left, right, decision.kind, timestamp(moment), by.strip(), decision.note or None)
            cursor = ledger.execute(
                "INSERT INTO judgements (left_record, right_record, kind, decided_at, decided_by, reason) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            number = int(cursor.lastrowid or 0)
            act = made[0].judgement_id if one_act and made else number
            ledger.execute("UPDATE judgements SET act = ? WHERE judgement_id = ?", (act, number))
            made.append(Judgement(number, *values, act))
            moment += timedelta(microseconds=1)
    return made


def withdraw(ledger: Ledger, judgement_ids: Iterable[int], *, by: str, now: datetime) -> list[Judgement]:
    """Take judgements back, all or none, and return them as they are kept from now on.

    Whatever decides is then as if they had never been said: what they had replaced or overruled counts again.
    Nothing is said in their place. Raises :class:`NotFoundError` where one is not there or was taken back
    before, :class:`UsageError` where nobody is named.
    """
    _named(by)
    wanted = set(judgement_ids)
    with ledger.transaction("judgements"):
        found = [one for one in read(ledger) if one.judgement_id in wanted and one.withdrawn_at is None]
        if len(found) < len(wanted):
            raise NotFoundError(
                f"{len(wanted) - len(found)} of {len(wanted)} judgements are not there, or were taken back before.",
                hint="See what stands: cdp identity judgements.",
            )
        taken = [replace(one, withdrawn_at=timestamp(now), withdrawn_by=by.strip()) for one in found]
        for one in taken:
            ledger.execute(
                "UPDATE judgements SET withdrawn_at = ?, withdrawn_by = ? WHERE judgement_id = ?",
                (one.withdrawn_at, one.withdrawn_by, one.judgement_id),
            )
    return taken


def whole_acts(judgements: Iterable[Judgement], judgement_ids: Iterable[int]) -> set[int]:
    """Return the numbers and those of all that was said with them and not yet taken back.

    >>> at = "2026-01-01T00:00:00+00:00"
    >>> split = [Judgement(n, "a:1", f"b:{n}", "cannot_link", at, "ann", None, act=7) for n in (7, 8)]
    >>> sorted(whole_acts(split, [8]))
    [7, 8]
    """
    listed, wanted = list(judgements), set(judgement_ids)
    acts = {one.act for one in listed if one.judgement_id in wanted and one.act is not None}
    return wanted | {one.judgement_id for one in listed if one.act in acts and one.withdrawn_at is None}


def _named(by: str) -> None:
    if not by.strip():
        raise UsageError("A judgement needs somebody who made it.", hint="Name them: --as NAME.")


def read(ledger: Ledger) -> list[Judgement]:
    """Return all judgements, oldest first, also those that were taken back."""
    return [
        Judgement(*row) for row in ledger.rows(f"SELECT {_COLUMNS} FROM judgements ORDER BY judgement_id")
    ]


def standing(judgements: Sequence[Judgement]) -> list[Standing]:
    """Say of each judgement (oldest first) whether it stands.

    The newest counts first: a must-link is overruled where it would join two records that later ones hold
    apart, a cannot-link where later must-links have joined the two. What was taken back has no say.

    >>> at = "2026-01-01T00:00:00+00:00"
    >>> linked = Judgement(1, "a:1", "b:1", "must_link", at, "ann", None)
    >>> split = Judgement(2, "a:1", "b:1", "cannot_link", at, "bob", None)
    >>> standing([linked, split])
    ['replaced', 'stands']
    """
    groups = _Groups()
    seen: set[tuple[str, str]] = set()
    apart: dict[str, set[str]] = {}
    found: list[Standing] = []
    for judgement in reversed(judgements):
        if judgement.withdrawn_at is not None:
            found.append("withdrawn")
            continue
        if judgement.pair in seen:
            found.append("replaced")
            continue
        seen.add(judgement.pair)
        one, other = (groups.root(record) for record in judgement.pair)
        if judgement.kind == "cannot_link":
            stands = one != other
            if stands:
                apart.setdefault(one, set()).add(other)
                apart.setdefault(other, set()).add(one)
        else:
            stands = other not in apart.get(one, set())
            if stands and one != other:
                groups.join(one, other, apart)
        found.append("stands" if stands else "overruled")
    return found[::-1]


class _Groups:
    """Records that must-links have joined (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, record: str) -> str:
        parent = self._parent
        while parent.setdefault(record, record) != record:
            parent[record] = record = parent[parent[record]]
        return record

    def join(self, one: str, other: str, apart: dict[str, set[str]]) -> None:
        """Join two groups; what is held apart from either is held apart from both."""
        self._parent[other] = one
        for enemy in apart.pop(other, set()):
            apart[enemy].discard(other)
            apart[enemy].add(one)
            apart.setdefault(one, set()).add(enemy)
