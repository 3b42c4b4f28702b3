-- Until when nothing goes by a store's retention, since it was lowered; NULL where nothing waits.
ALTER TABLE stores ADD COLUMN remove_after INTEGER;

-- Legal holds, also those that were lifted.
CREATE TABLE holds (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  store_id TEXT NOT NULL,
  from_time INTEGER, -- of eventTime, the first; NULL: no bound
  to_time INTEGER,   -- the first that is not held any more; NULL: no bound
  reason TEXT NOT NULL,
  placed INTEGER NOT NULL,
  placed_by TEXT NOT NULL,
  lifted INTEGER,
  lifted_by TEXT NOT NULL,
  lift_reason TEXT NOT NULL
) STRICT;
CREATE INDEX holds_store ON holds (store_id, placed, id);

-- Data files that a removal took out of their table and that wait to be deleted.
CREATE TABLE removed_files (
  store_id TEXT NOT NULL,
  key TEXT NOT NULL, -- in the object store
  day INTEGER NOT NULL, -- of eventTime, since the Unix epoch
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  removed INTEGER NOT NULL,
  PRIMARY KEY (store_id, key)
) STRICT, WITHOUT ROWID;

-- The days whose events a removal took out of a table, each with the index of the last such removal's leaf in the store's log.
CREATE TABLE removed_days (
  store_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  serial INTEGER NOT NULL,
  PRIMARY KEY (store_id, day)
) STRICT, WITHOUT ROWID;

-- Tables of stores that are no more, whose files are still to be deleted.
CREATE TABLE deleted_tables (
  store_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
