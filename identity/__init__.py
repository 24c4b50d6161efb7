"""Identity resolution as a pure library: tables in, tables out; no files, clock or network.

``resolve`` is the one call of the pipeline; ``IdentityPolicy`` holds what an operator may decide. How it works, and
why, stands in ``docs/explanation/identity.md``. To read the code, begin with ``resolution``, ``engine``, ``clusters``.

The way of the data
    resolution       the one call: records to clusters, evidence, what was held back
    engine           statuses, edges, clusters: all at once, or what a change touches
    policy           what an operator may decide
    warm             compiles every kernel, at set-up
    together         independent parts by two threads
Reading and encoding
    roles            any table as records and identifiers
    role_columns     which column means what: by its name, then by its values
    role_names       what headers say, in seven languages
    role_content     what values say
    encode           tables to a record set: every distinct value normalised once
    columns          names, addresses, dates, other texts
    sightings        e-mails, phones and ids; placeholders set apart
    derived          columns that only serve as keys, or to count people
    drafts           parts by different hands under common dictionaries
    recordset        encoded records, and how they grow
    values           dictionaries of texts, columns of codes
    growing          arrays that grow at their end in place
    normalise/       one pure function per kind of value; ``fast*``: the same over whole arrays
What links nobody
    status           hubs, anchors, copies: functions of the records that are there now
    protection       how each of these is found; veto of unique identifiers; suspicious clusters
    judgements       what people said, contradictions settled
    held             what was held back, with the reason
Blocking
    keys             what a key is, how many records have each value, the cap
    keyring          which keys a set of records has
    combined         two or three common values together
    candidates       the pairs, chunk by chunk
    flips            which other records an update touches
Comparing and weighing
    comparisons      their levels, and the shipped beliefs
    features         what a comparison needs to know of each distinct value
    comparer         levels of pairs of records
    bounds           what equal and missing values alone tell of a weight
    scorer           weights of pairs, with early exit
    binding          a model version bound to records, or to the few that changed
Model
    model            Fellegi-Sunter with three classes, expectation-maximisation
    fit              a model version from records
    version          what is frozen, and its bytes
    unread           what came after it was fitted
    histogram        match weights in bins
Graph
    components       what hangs together; the guard against giants
    linkage          all pairs of a component, average link, best paths
    attach           records without a name
    clusters         all of this for a region
    evidence_weights what a stated edge weighs
Increments
    incremental      take a batch; say what changed
    state            what an update goes on from
    stored           the state as Arrow tables
    compaction       the state without dead rows
Results
    tables           clusters, held back, uncertain pairs
    vetoes           joins that a unique identifier barred
    evidence_table   edges with levels and sentences
    explain          why two records are one customer, or are not
    hinges           what alone holds two records together
    expected         what a model expects of its own clusters
    ids              customer ids that stay
    survivorship     golden values
Evaluation
    evaluation/      accuracy by a truth, signs without one, errors worth reading, the model report
Compiled loops
    kernels/         blocks, levels, names, places, strings, sounds, texts, contacts,
                     hashing, codes, graph, chains, least, buffers, compiling
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from identity.policy import IdentityPolicy
    from identity.resolution import Resolution, resolve

__all__ = ["IdentityPolicy", "Resolution", "resolve"]


def __getattr__(name: str) -> Any:
    """Import numpy and the engine only when they are used."""
    if name in ("resolve", "Resolution"):
        from identity import resolution

        return getattr(resolution, name)
    if name == "IdentityPolicy":
        from identity.policy import IdentityPolicy

        return IdentityPolicy
    raise AttributeError(f"module 'identity' has no attribute {name!r}")
