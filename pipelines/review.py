"""Questions for a person: the uncertain pairs of the newest generation that nobody has judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdp import judgements
from pipelines.known import Known, Record

if TYPE_CHECKING:
    from cdp.ledger import Ledger


@dataclass(frozen=True)
class Question:
    """A pair to judge; ``levels`` (comparison, level, weight) sum to ``match_weight``.

    ``joins``: whether a yes would join two customers; otherwise the pair is inside one, and a no splits it.
    ``records`` is how many records the customers concerned have.
    """

    left: Record
    right: Record
    match_weight: float
    match_probability: float
    levels: tuple[tuple[str, str, float], ...]
    joins: bool
    records: int

    def to_dict(self) -> dict[str, Any]:
        """The question as plain data, with room for the answer."""
        return {
            "left_record": self.left.record_key,
            "right_record": self.right.record_key,
            "match_weight": self.match_weight,
            "match_probability": self.match_probability,
            "question": "join" if self.joins else "keep together",
            "records": self.records,
            "left_customer": self.left.customer_id,
            "right_customer": self.right.customer_id,
            "left": dict(self.left.values),
            "right": dict(self.right.values),
            "levels": [
                {"comparison": comparison, "level": level, "weight": weight}
                for comparison, level, weight in self.levels
            ],
            "answer": None,
            "note": None,
        }


def questions(known: Known, ledger: Ledger, limit: int) -> Iterator[Question]:
    """Yield up to ``limit`` pairs, the most informative first; no customer pair twice in a row.

    The generation keeps them in that order (see :mod:`pipelines.uncertain`); judged ones are left out.
    """
    judged = {one.pair for one in judgements.read(ledger) if one.withdrawn_at is None}
    query = "SELECT left_record, right_record, match_weight, match_probability, levels FROM uncertain"
    before: tuple[str, str] | None = None
    given = 0
    for left, right, weight, probability, levels in known.connection.execute(query).fetchall():
        if given == limit:
            return
        if (min(left, right), max(left, right)) in judged:
            continue
        customers = sorted((known.customer_of(left) or "", known.customer_of(right) or ""))
        if (customers[0], customers[1]) == before:
            continue
        before = customers[0], customers[1]
        given += 1
        one, other = known.values([left, right])
        yield Question(
            one,
            other,
            weight,
            probability,
            tuple((level["comparison"], level["level"], level["weight"]) for level in levels),
            customers[0] != customers[1],
            sum(len(known.records_of(customer)) for customer in set(customers)),
        )
