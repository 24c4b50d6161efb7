"""The state of a resolution: records with their statuses, good edges and clusters, ready to take a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from identity.components import Edges, Ints, Rows
from identity.features import FeatureStore
from identity.held import Held
from identity.judgements import Judgements
from identity.keys import Key
from identity.policy import IdentityPolicy
from identity.recordset import RecordSet
from identity.status import Status
from identity.values import Codes, Flags
from identity.version import ModelVersion


@dataclass(frozen=True)
class Clustered:
    """Clusters of N rows.

    ``linked``: labels before unnamed records found their place, ``labels`` after it (the row of least order of
    each cluster). ``start`` and ``component``: groups to begin with, and components of good edges. ``inside``:
    good pairs inside clusters, ``copies`` records with their equal firsts; ``stated``: joins by identifiers as (type, left, right). ``lowest``: least weight on
    each row's best path, NO_PATH for a row alone. ``noted`` is found anew each time, ``held`` with the components.
    """

    start: Rows
    component: Rows
    linked: Rows
    labels: Rows
    inside: Edges
    copies: Edges
    stated: list[tuple[str, Rows, Rows]]
    lowest: Ints
    noted: list[Held]
    held: list[Held]


@dataclass(frozen=True)
class State:
    """All that an increment needs.

    ``live``: rows that count; an updated record has a dead row and a new one. ``edges``: scored pairs of active
    rows whose weight is at least the floor (see ``engine``). ``adjustments``: by comparison, of each value's frequency.
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
    adjustments: tuple[Codes | None, ...] = field(default=(), repr=False)
