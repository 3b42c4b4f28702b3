package meta

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrHeld: what a legal hold covers does not go.
var ErrHeld = errors.New("on legal hold")

// Hold is a legal hold on a store, or on a range of event time in it: while it is not lifted nothing that it covers goes, by any path. Its ID is a UUID, its Scope that of the store.
type Hold struct {
	Scope
	ID         string
	StoreID    string
	From       time.Time // eventTime from which on events are held; zero: no bound
	To         time.Time // the first eventTime that is not held any more; zero: no bound
	Reason     string
	Placed     time.Time
	PlacedBy   string    // ARN of the caller
	Lifted     time.Time // zero: it holds
	LiftedBy   string
	LiftReason string
}

// Covers tells whether the hold is not lifted and an event whose time lies from from (inclusive) to to (exclusive) may be under it; zero times are no bounds.
func (h *Hold) Covers(from, to time.Time) bool {
	return h.Lifted.IsZero() && (h.To.IsZero() || from.IsZero() || from.Before(h.To)) && (h.From.IsZero() || to.IsZero() || h.From.Before(to))
}

// Err is the error, ErrHeld, of what the hold keeps from going. Its text is for the caller.
func (h *Hold) Err() error {
	return fmt.Errorf("%w %s, placed on %s: %s", ErrHeld, h.ID, h.Placed.UTC().Format(time.DateOnly), h.Reason)
}

// HeldBy gives the first of the holds that covers events from from (inclusive) to to (exclusive), nil where there is none; zero times are no bounds. Whatever takes events away asks it
// first, and asks it again in Removal.Allow.
func HeldBy(holds []Hold, from, to time.Time) *Hold {
	for i := range holds {
		if holds[i].Covers(from, to) {
			return &holds[i]
		}
	}
	return nil
}

// Removal is what a change of a table that takes events away needs besides.
type Removal struct {
	// Allow is called in the transaction, with the store as it is then and its holds that are not lifted; its error ends the change. It must be quick and must not call DB.
	Allow func(s EventDataStore, holds []Hold) error
	Files []RemovedFile // that are in the table no more, and wait to be deleted
	Days  []int32       // of eventTime, since the Unix epoch, of which every event goes
}

// RemovedFile is a data file that a removal took out of its table and that waits to be deleted.
type RemovedFile struct {
	StoreID string
	Key     string // in the object store
	Day     int32  // of eventTime, since the Unix epoch
	Rows    int64
	Bytes   int64
	Removed time.Time
}

var holds = table[Hold]{
	name:    "holds",
	columns: "id, account, region, store_id, from_time, to_time, reason, placed, placed_by, lifted, lifted_by, lift_reason",
	fields: func(h *Hold) []any {
		return []any{&h.ID, &h.Account, &h.Region, &h.StoreID, (*stamp)(&h.From), (*stamp)(&h.To), &h.Reason, (*stamp)(&h.Placed), &h.PlacedBy,
			(*stamp)(&h.Lifted), &h.LiftedBy, &h.LiftReason}
	},
}

func (db *sqliteDB) CreateHold(ctx context.Context, h Hold, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error {
		if _, err := stores.get(x.ctx, &x.db.wstmts, h.StoreID); err != nil {
			return err
		}
		if err := holds.insert(x, h); err != nil {
			return err
		}
		return x.leaves(h.StoreID, leaves)
	})
}

func (db *sqliteDB) Hold(ctx context.Context, id string) (Hold, error) {
	return holds.get(ctx, &db.rstmts, id)
}

func (db *sqliteDB) Holds(ctx context.Context, storeID string) ([]Hold, error) {
	return holdsOf(ctx, &db.rstmts, storeID)
}

func holdsOf(ctx context.Context, from *stmts, storeID string) ([]Hold, error) {
	return list(ctx, from, holds.scan, "SELECT "+holds.columns+" FROM holds WHERE store_id = ? ORDER BY placed, id", storeID)
}

func (db *sqliteDB) UpdateHold(ctx context.Context, id string, change func(*Hold) error, leaves ...[]byte) (h Hold, err error) {
	err = db.write(ctx, func(x tx) (err error) {
		if h, err = holds.change(x, id, change); err != nil {
			return err
		}
		return x.leaves(h.StoreID, leaves)
	})
	return h, err
}

// held gives a store's holds that are not lifted.
func (t tx) held(storeID string) ([]Hold, error) {
	return list(t.ctx, &t.db.wstmts, holds.scan, "SELECT "+holds.columns+" FROM holds WHERE store_id = ? AND lifted IS NULL ORDER BY placed, id", storeID)
}

func (db *sqliteDB) RemoveFromTable(ctx context.Context, storeID, old, location string, applied int64, r Removal, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error {
		s, err := stores.get(x.ctx, &x.db.wstmts, storeID)
		if err != nil {
			return err
		}
		held, err := x.held(storeID)
		if err != nil {
			return err
		}
		if err := r.Allow(s, held); err != nil {
			return err
		}
		serial, err := get(x.ctx, &x.db.wstmts, scanNumber, "SELECT coalesce(max(next), 0) FROM logs WHERE store_id = ?", storeID)
		if err != nil {
			return err
		}
		if err := x.swap(storeID, old, location, applied, leaves); err != nil {
			return err
		}
		for _, f := range r.Files {
			if _, err := x.exec("INSERT INTO removed_files (store_id, key, day, rows, bytes, removed) VALUES (?, ?, ?, ?, ?, ?)", storeID, f.Key, f.Day, f.Rows, f.Bytes, stamp(f.Removed)); err != nil {
				return err
			}
		}
		for _, d := range r.Days {
			if _, err := x.exec("INSERT INTO removed_days (store_id, day, serial) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET serial = excluded.serial", storeID, d, serial); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *sqliteDB) RemovedFiles(ctx context.Context, storeID string) ([]RemovedFile, error) {
	return removedFilesOf(ctx, &db.rstmts, storeID)
}

func removedFilesOf(ctx context.Context, from *stmts, storeID string) ([]RemovedFile, error) {
	return list(ctx, from, func(r scanner) (f RemovedFile, err error) {
		return f, r.Scan(&f.StoreID, &f.Key, &f.Day, &f.Rows, &f.Bytes, (*stamp)(&f.Removed))
	}, "SELECT store_id, key, day, rows, bytes, removed FROM removed_files WHERE store_id = ? ORDER BY removed, key", storeID)
}

func (db *sqliteDB) ForgetRemovedFiles(ctx context.Context, storeID string, keys []string) error {
	return db.write(ctx, func(x tx) error {
		for _, k := range keys {
			if _, err := x.exec("DELETE FROM removed_files WHERE store_id = ? AND key = ?", storeID, k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *sqliteDB) RemovedDays(ctx context.Context, storeID string) (map[int32]int64, error) {
	type row struct {
		day    int32
		serial int64
	}
	rows, err := list(ctx, &db.rstmts, func(r scanner) (d row, err error) { return d, r.Scan(&d.day, &d.serial) }, "SELECT day, serial FROM removed_days WHERE store_id = ?", storeID)
	if err != nil {
		return nil, err
	}
	days := make(map[int32]int64, len(rows))
	for _, r := range rows {
		days[r.day] = r.serial
	}
	return days, nil
}

func (db *sqliteDB) DeletedTables(ctx context.Context) ([]string, error) {
	return list(ctx, &db.rstmts, scanText, "SELECT store_id FROM deleted_tables ORDER BY store_id")
}

func (db *sqliteDB) ForgetDeletedTable(ctx context.Context, storeID string) error {
	return db.write(ctx, func(x tx) error {
		_, err := x.exec("DELETE FROM deleted_tables WHERE store_id = ?", storeID)
		return err
	})
}
