"""The state of a resolution: records with their statuses, good edges and clusters, ready to take a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from identity.clusters import Clustered
from identity.components import Edges, Rows
from identity.features import FeatureStore
from identity.judgements import Judgements
from identity.keys import Counts, Key
from identity.policy import IdentityPolicy
from identity.recordset import RecordSet
from identity.status import Status
from identity.values import Codes, Flags
from identity.version import ModelVersion

__all__ = ["Clustered", "State"]


@dataclass(frozen=True)
class State:
    """All that an increment needs.

    ``live``: rows that count; an updated record has a dead row and a new one. ``edges``: scored pairs of active
    rows whose weight is at least the floor (see ``engine``). ``counts``: how many active rows have each value of the
    keys. ``adjustments``: by comparison, of each value's frequency. ``renewed``: rows that were clustered anew last.
    """

    version: ModelVersion
    policy: IdentityPolicy
    records: RecordSet
    live: Flags
    status: Status
    keys: list[Key]
    edges: Edges
    clustered: Clustered
    judged: Judgements
    features: FeatureStore = field(repr=False)
    adjustments: tuple[Codes | None, ...] = field(repr=False)
    counts: Counts = field(repr=False)
    renewed: Rows = field(repr=False)
