"""The ledger's tables, as forward-only migrations: ``MIGRATIONS[n]`` leads from version n to n+1.

A migration that has been released is never edited; a change is a further one.
"""

from __future__ import annotations

_V1 = """
CREATE TABLE runs (
  run_id TEXT PRIMARY KEY, command TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
  status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned')),
  pid INTEGER, summary TEXT);

CREATE TABLE sequences (name TEXT PRIMARY KEY, next INTEGER NOT NULL);

-- One batch = one input file of a source, or several small ones. received = landed + suppressed.
CREATE TABLE batches (
  batch_id TEXT PRIMARY KEY, source TEXT NOT NULL, origins INTEGER NOT NULL DEFAULT 0,
  run_id TEXT NOT NULL, received_at TEXT NOT NULL, ingest_date TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intent', 'landed')),
  received INTEGER, suppressed INTEGER NOT NULL DEFAULT 0, landed INTEGER, bytes INTEGER,
  connector_version TEXT,
  CHECK (state = 'intent' OR received = landed + suppressed));
CREATE INDEX batches_by_source ON batches (source, ingest_date);

-- How far each origin of a source has been read.
CREATE TABLE cursors (
  source TEXT NOT NULL, origin TEXT NOT NULL, cursor TEXT NOT NULL, origin_sha TEXT NOT NULL,
  batch_id TEXT NOT NULL, PRIMARY KEY (source, origin)) WITHOUT ROWID;

-- Landed files. ``zone``: raw or quarantine. ``raw_row`` below: position in such a file, from 0.
CREATE TABLE files (
  file_id INTEGER PRIMARY KEY AUTOINCREMENT, zone TEXT NOT NULL, source TEXT NOT NULL,
  ingest_date TEXT NOT NULL, sha16 TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
  batch_id TEXT NOT NULL REFERENCES batches, rows INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE INDEX files_by_source ON files (source, zone, sha16);

-- Parts of batches whose very bytes had landed before: all duplicates, counted, not stored twice.
CREATE TABLE repeated (batch_id TEXT NOT NULL, file_id INTEGER NOT NULL, rows INTEGER NOT NULL);

-- Every outcome but 'standardised', appended; the newest of an envelope is its current one.
CREATE TABLE outcomes (
  outcome_id INTEGER PRIMARY KEY AUTOINCREMENT, file_id INTEGER NOT NULL, raw_row INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN
    ('standardised', 'ignored', 'duplicate', 'superseded', 'quarantined')),
  reason TEXT, detail TEXT, mapping_hash TEXT, run_id TEXT NOT NULL);
CREATE INDEX outcomes_by_envelope ON outcomes (file_id, raw_row, outcome_id);

CREATE VIEW current_outcomes AS
SELECT file_id, raw_row, event_id, outcome, reason, detail, mapping_hash, run_id FROM outcomes AS o
WHERE outcome_id = (SELECT max(outcome_id) FROM outcomes AS i WHERE i.file_id = o.file_id AND i.raw_row = o.raw_row);

-- Ids that came with more than one payload: the source's revision policy decides between them.
CREATE TABLE revisions (
  source TEXT NOT NULL, event_id TEXT NOT NULL, file_id INTEGER NOT NULL, raw_row INTEGER NOT NULL,
  PRIMARY KEY (source, event_id, file_id, raw_row)) WITHOUT ROWID;

-- Standardised events: derived, one file per (landed file, mapping hash).
CREATE TABLE event_files (
  file_id INTEGER NOT NULL, mapping_hash TEXT NOT NULL, path TEXT NOT NULL, envelopes INTEGER NOT NULL,
  events INTEGER NOT NULL, size INTEGER NOT NULL, current INTEGER NOT NULL, run_id TEXT NOT NULL,
  PRIMARY KEY (file_id, mapping_hash)) WITHOUT ROWID;

-- People's word: append-only; the newest of a pair stands.
CREATE TABLE judgements (
  judgement_id INTEGER PRIMARY KEY AUTOINCREMENT, left_record TEXT NOT NULL, right_record TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('must_link', 'cannot_link')),
  decided_at TEXT NOT NULL, decided_by TEXT NOT NULL, reason TEXT,
  CHECK (left_record < right_record));

-- Identity: generations are folders of Parquet; the id map is kept here, for ever.
CREATE TABLE generations (
  generation INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, input_digest TEXT NOT NULL,
  model_version TEXT, records INTEGER NOT NULL, customers INTEGER NOT NULL,
  created_at TEXT NOT NULL, run_id TEXT NOT NULL);
-- Golden values of a generation under the survivorship in use: derived, a folder of Parquet.
CREATE TABLE profiles (
  generation INTEGER PRIMARY KEY, path TEXT NOT NULL, input_digest TEXT NOT NULL, customers INTEGER NOT NULL,
  created_at TEXT NOT NULL, run_id TEXT NOT NULL);
CREATE TABLE id_map (record_key TEXT PRIMARY KEY, customer_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE redirects (
  previous_customer_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE id_changes (
  change_seq INTEGER PRIMARY KEY AUTOINCREMENT, changed_at TEXT NOT NULL, change TEXT NOT NULL,
  customer_id TEXT NOT NULL, previous_customer_id TEXT, generation INTEGER NOT NULL,
  run_id TEXT NOT NULL, reason TEXT);

CREATE TABLE releases (
  version TEXT PRIMARY KEY, input_digest TEXT NOT NULL, generation INTEGER, created_at TEXT NOT NULL,
  run_id TEXT NOT NULL, retired INTEGER NOT NULL DEFAULT 0, summary TEXT);
CREATE TABLE exports (
  dataset TEXT NOT NULL, release TEXT NOT NULL, path TEXT NOT NULL, previous_release TEXT,
  rows INTEGER NOT NULL, created_at TEXT NOT NULL, run_id TEXT NOT NULL,
  PRIMARY KEY (dataset, release)) WITHOUT ROWID;

-- Checks of the data, per run: the ``quality`` table of the next release.
CREATE TABLE quality (
  run_id TEXT NOT NULL, checked_at TEXT NOT NULL, source TEXT, check_name TEXT NOT NULL,
  passed INTEGER NOT NULL, observed TEXT, expected TEXT);
"""

# Versions of the identity model, and what a generation was made from and changed.
# ``records``: how many there were when the model was estimated. ``inputs``: digests by name, as JSON.
_V2 = """
CREATE TABLE models (
  version TEXT PRIMARY KEY, created_at TEXT NOT NULL, run_id TEXT NOT NULL, records INTEGER NOT NULL,
  path TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('current', 'candidate', 'retired')),
  reason TEXT NOT NULL);
CREATE UNIQUE INDEX one_current_model ON models (state) WHERE state = 'current';

ALTER TABLE generations ADD COLUMN inputs TEXT;
ALTER TABLE generations ADD COLUMN previous_records INTEGER;
ALTER TABLE generations ADD COLUMN moved_records INTEGER
"""

# Batches of the collector: each envelope has the time of its own request, and that is our word on its sender's clock.
_V3 = """
ALTER TABLE batches ADD COLUMN collected INTEGER NOT NULL DEFAULT 0
"""

# Whose events must not land: keyed hashes of identifiers, never the identifiers (cdp.suppression).
# ``namespace``: '' for a global type, NULL for every namespace. A removed entry stays, with who and when.
_V4 = """
CREATE TABLE suppression_key (only INTEGER PRIMARY KEY CHECK (only = 1), key BLOB NOT NULL);

CREATE TABLE suppressions (
  suppression_id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL, type TEXT NOT NULL, namespace TEXT,
  added_at TEXT NOT NULL, added_by TEXT NOT NULL, reason TEXT,
  held_back INTEGER NOT NULL DEFAULT 0, last_held_at TEXT, removed_at TEXT, removed_by TEXT);
CREATE UNIQUE INDEX standing_suppressions ON suppressions (hash) WHERE removed_at IS NULL
"""

# Packs: many small files of one day, put together (pipelines.compaction). A landed file and its rows keep their
# names; ``packed`` and ``event_files.pack_id`` say where the rows are now. ``files``: how many went in; of a pack of
# events, rows of those that have been standardised again since do not count. What packs took the place of is
# ``retired``, and goes when nobody can be reading it any more.
_V5 = """
CREATE TABLE packs (
  pack_id INTEGER PRIMARY KEY AUTOINCREMENT, zone TEXT NOT NULL, source TEXT NOT NULL, ingest_date TEXT NOT NULL,
  path TEXT NOT NULL UNIQUE, files INTEGER NOT NULL, rows INTEGER NOT NULL, size INTEGER NOT NULL, run_id TEXT NOT NULL);
CREATE TABLE packed (
  file_id INTEGER PRIMARY KEY, pack_id INTEGER NOT NULL REFERENCES packs, first_row INTEGER NOT NULL);
CREATE INDEX packed_by_pack ON packed (pack_id);
ALTER TABLE event_files ADD COLUMN pack_id INTEGER REFERENCES packs;
CREATE INDEX event_files_by_pack ON event_files (pack_id) WHERE pack_id IS NOT NULL;
CREATE TABLE retired (path TEXT PRIMARY KEY, retired_at TEXT NOT NULL) WITHOUT ROWID;

CREATE VIEW stored_files AS
SELECT f.file_id, f.zone, f.source, f.ingest_date, f.sha16, f.batch_id, f.rows, m.pack_id,
  coalesce(p.path, f.path) AS path, coalesce(m.first_row, 0) AS first_row,
  coalesce(p.rows, f.rows) AS stored_rows, coalesce(p.size, f.size) AS stored_size
FROM files AS f LEFT JOIN packed AS m USING (file_id) LEFT JOIN packs AS p USING (pack_id);

CREATE VIEW stored_events AS
SELECT e.file_id, e.mapping_hash, e.envelopes, e.events, e.current, e.run_id, e.pack_id,
  coalesce(p.path, e.path) AS path, coalesce(p.files, 1) AS stored_files,
  coalesce(p.rows, e.events) AS stored_rows, coalesce(p.size, e.size) AS stored_size
FROM event_files AS e LEFT JOIN packs AS p USING (pack_id)
"""

# Audiences that are delivered over HTTP. ``destination``: an export's name and a hash of the address.
# ``delivered``: what it has of each key: ``digest`` of the row that it acknowledged last (NULL: none yet), and
# ``pending`` while something else is on its way, so that a run after one that died knows what the destination may
# have or lack. ``in_flight``: hash of that batch, whose number is ``next_batch``.
# ``done``: release and definition that it has been given whole. ``rejected``: rows that it refused.
# ``shares``: what left for whom, by whatever way; purpose and counts as they were then.
_V6 = """
CREATE TABLE destinations (
  destination TEXT PRIMARY KEY, export TEXT NOT NULL, next_batch INTEGER NOT NULL, in_flight TEXT, done TEXT)
  WITHOUT ROWID;
CREATE TABLE delivered (
  destination TEXT NOT NULL, key TEXT NOT NULL, digest TEXT, pending INTEGER NOT NULL,
  PRIMARY KEY (destination, key), CHECK (digest IS NOT NULL OR pending)) WITHOUT ROWID;
CREATE TABLE rejected (
  destination TEXT NOT NULL, key TEXT NOT NULL, op TEXT NOT NULL, digest TEXT NOT NULL, rejected_at TEXT NOT NULL,
  status INTEGER NOT NULL, PRIMARY KEY (destination, key)) WITHOUT ROWID;

CREATE TABLE shares (
  share_id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, name TEXT NOT NULL, destination TEXT NOT NULL,
  kind TEXT NOT NULL, purpose TEXT NOT NULL, channel TEXT, segment TEXT, release TEXT NOT NULL, caller TEXT NOT NULL,
  added INTEGER NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL, rows INTEGER NOT NULL,
  complete INTEGER NOT NULL, detail TEXT);
CREATE INDEX shares_by_name ON shares (name, share_id)
"""

# Segments over releases. ``segment_history``: the file of all stays so far, one row once there are any; the file
# before it is ``retired``. ``segment_sizes``: a row per segment and release, for ever.
_V7 = """
CREATE TABLE segment_history (
  release TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE segment_sizes (
  segment_id TEXT NOT NULL, release TEXT NOT NULL, released_at TEXT NOT NULL, rule_version INTEGER NOT NULL,
  size INTEGER NOT NULL, entered INTEGER NOT NULL, exited INTEGER NOT NULL, merged INTEGER NOT NULL,
  PRIMARY KEY (segment_id, release)) WITHOUT ROWID
"""

# A judgement may be taken back: it counts as none, and stays listed. ``act``: the first judgement of what somebody
# said at once (a split keeps one record apart from several), which is taken back as one.
_V8 = """
ALTER TABLE judgements ADD COLUMN act INTEGER;
ALTER TABLE judgements ADD COLUMN withdrawn_at TEXT;
ALTER TABLE judgements ADD COLUMN withdrawn_by TEXT;
UPDATE judgements SET act = judgement_id
"""

MIGRATIONS: tuple[str, ...] = (_V1, _V2, _V3, _V4, _V5, _V6, _V7, _V8)
