package meta

import "context"

// Recovered is a store as it was found elsewhere than in this metadata, which may be older than that.
type Recovered struct {
	Store   EventDataStore
	Gone    bool // the store was removed for good, or never made to the end: of what follows only LogSize counts
	Table   Table
	LogSize int64    // leaves that the store's log has
	Leaves  [][]byte // that follow on these and are still to be published
	Holds   []Hold   // every one there ever was
	Files   []RemovedFile
	Days    map[int32]int64 // as RemovedDays gives them; those that are not in it stay as they are
}

// Recover makes the metadata say of stores what is told of them, in one transaction; what it has of them besides (tags, ledger) stays. ErrExists: two stores have one name.
func (db *sqliteDB) Recover(ctx context.Context, all []Recovered) error {
	return db.write(ctx, func(x tx) error {
		for i := range all { // of all, before any is there anew: they may have exchanged their names
			for _, table := range []string{"stores WHERE id", "tables WHERE store_id", "holds WHERE store_id", "leaves WHERE store_id"} {
				if _, err := x.exec("DELETE FROM "+table+" = ?", all[i].Store.ID); err != nil {
					return err
				}
			}
		}
		for i := range all {
			if err := x.recover(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t tx) recover(r *Recovered) error {
	id := r.Store.ID
	if _, err := t.exec("INSERT INTO logs (store_id, next) VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next", id, r.LogSize); err != nil {
		return err
	}
	if r.Gone {
		for _, table := range []string{"removed_files WHERE store_id", "ledger_targets WHERE name"} {
			if _, err := t.exec("DELETE FROM "+table+" = ?", id); err != nil {
				return err
			}
		}
		_, err := t.exec("DELETE FROM tags WHERE arn = ?", r.Store.ARN())
		return err
	}
	if err := stores.insert(t, r.Store); err != nil {
		return err
	}
	if _, err := t.exec("INSERT INTO tables (store_id, location, previous, applied) VALUES (?, ?, ?, ?)", id, r.Table.Location, r.Table.Previous, r.Table.Applied); err != nil {
		return err
	}
	for _, h := range r.Holds {
		if err := holds.insert(t, h); err != nil {
			return err
		}
	}
	for _, f := range r.Files {
		if _, err := t.exec("INSERT INTO removed_files (store_id, key, day, rows, bytes, removed) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", id, f.Key, f.Day, f.Rows, f.Bytes, stamp(f.Removed)); err != nil {
			return err
		}
	}
	for day, serial := range r.Days {
		if _, err := t.exec("INSERT INTO removed_days (store_id, day, serial) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET serial = excluded.serial", id, day, serial); err != nil {
			return err
		}
	}
	return t.leaves(id, r.Leaves)
}
