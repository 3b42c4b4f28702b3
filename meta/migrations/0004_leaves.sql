-- Leaves of the stores' transparency logs that no published checkpoint covers yet. A leaf is written in the transaction of the change that it tells of. A
-- store's serials begin with 0 and have no gap: they are the leaves' indexes in its log.
CREATE TABLE leaves (
    store_id TEXT NOT NULL,
    serial INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    PRIMARY KEY (store_id, serial)
) STRICT, WITHOUT ROWID;

-- The next serial of every store that ever was: a log outlives its store.
CREATE TABLE logs (
    store_id TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
