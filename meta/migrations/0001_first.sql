-- Times are milliseconds since the Unix epoch, UTC; NULL where there is none. Durations are nanoseconds.

CREATE TABLE stores (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  kind INTEGER NOT NULL,
  multi_region INTEGER NOT NULL,
  organization INTEGER NOT NULL,
  retention_days INTEGER NOT NULL,
  billing_mode TEXT NOT NULL,
  termination_protection INTEGER NOT NULL,
  selectors BLOB,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  delete_after INTEGER,
  status_before TEXT NOT NULL,
  internal INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX stores_name ON stores (account, region, name);
CREATE INDEX stores_created ON stores (created, id);

CREATE TABLE channels (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  destinations BLOB,
  ingestion BLOB,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX channels_name ON channels (account, region, name);
CREATE INDEX channels_created ON channels (created, id);

CREATE TABLE imports (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  stores TEXT NOT NULL, -- a JSON array of store IDs
  source BLOB,
  status TEXT NOT NULL,
  start_time INTEGER,
  end_time INTEGER,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  cursor TEXT NOT NULL,
  prefixes_found INTEGER NOT NULL,
  prefixes_done INTEGER NOT NULL,
  files INTEGER NOT NULL,
  files_known INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  events_read INTEGER NOT NULL,
  events_stored INTEGER NOT NULL,
  events_known INTEGER NOT NULL,
  events_filtered INTEGER NOT NULL,
  events_expired INTEGER NOT NULL,
  events_bad INTEGER NOT NULL,
  events_foreign INTEGER NOT NULL,
  events_conflict INTEGER NOT NULL,
  failed INTEGER NOT NULL
) STRICT;
CREATE INDEX imports_created ON imports (account, region, created, id);

CREATE TABLE failures (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  import_id TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  location TEXT NOT NULL,
  byte_offset INTEGER NOT NULL,
  type TEXT NOT NULL,
  message TEXT NOT NULL,
  status TEXT NOT NULL,
  updated INTEGER
) STRICT;
CREATE INDEX failures_import ON failures (import_id, seq);

-- The ledger of imported objects. Targets are numbered, so that a row costs little more than its fingerprint.
CREATE TABLE ledger_targets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE ledger (
  target INTEGER NOT NULL REFERENCES ledger_targets (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (target, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE queries (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  stores TEXT NOT NULL, -- a JSON array of store IDs
  sql TEXT NOT NULL,
  alias TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT NOT NULL,
  delivery_uri TEXT NOT NULL,
  delivery TEXT NOT NULL,
  principal TEXT NOT NULL,
  created INTEGER NOT NULL,
  ended INTEGER,
  execution INTEGER NOT NULL,
  result_rows INTEGER NOT NULL,
  scanned INTEGER NOT NULL,
  matched INTEGER NOT NULL,
  bytes_scanned INTEGER NOT NULL
) STRICT;
CREATE INDEX queries_scope ON queries (account, region, created, id);
CREATE INDEX queries_created ON queries (created, id);

CREATE TABLE tags (
  arn TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (arn, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tables (
  store_id TEXT PRIMARY KEY,
  location TEXT NOT NULL,
  previous TEXT NOT NULL,
  applied INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
