package meta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

func (db *sqliteDB) CreateStore(ctx context.Context, s EventDataStore) error {
	return stores.create(ctx, db, s)
}

func (db *sqliteDB) Store(ctx context.Context, id string) (EventDataStore, error) {
	return stores.get(ctx, &db.rstmts, id)
}

func (db *sqliteDB) Stores(ctx context.Context, sc Scope, after string, limit int) ([]EventDataStore, error) {
	p := pages{table: stores.name, columns: stores.columns}
	p.scope(sc)
	return page(ctx, db, p, after, limit, false, stores.scan)
}

func (db *sqliteDB) UpdateStore(ctx context.Context, id string, change func(*EventDataStore) error, leaves ...[]byte) (s EventDataStore, err error) {
	err = db.write(ctx, func(x tx) (err error) {
		if s, err = stores.change(x, id, change); err != nil {
			return err
		}
		return x.leaves(id, leaves)
	})
	return s, err
}

func (db *sqliteDB) DeleteStore(ctx context.Context, id string, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error { return x.deleteStore(id, leaves) })
}

func (db *sqliteDB) RetireStore(ctx context.Context, id string, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error {
		if _, err := x.exec("INSERT OR IGNORE INTO deleted_tables (store_id) VALUES (?)", id); err != nil {
			return err
		}
		return x.deleteStore(id, leaves)
	})
}

func (t tx) deleteStore(id string, leaves [][]byte) error {
	s, err := stores.get(t.ctx, &t.db.wstmts, id)
	if err != nil {
		return err
	}
	held, err := t.held(id)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		return held[0].Err()
	}
	for _, del := range []struct{ text, arg string }{
		{"DELETE FROM tags WHERE arn = ?", s.ARN()},
		{"DELETE FROM tables WHERE store_id = ?", id},
		{"DELETE FROM removed_files WHERE store_id = ?", id},
		{"DELETE FROM removed_days WHERE store_id = ?", id},
		{"DELETE FROM holds WHERE store_id = ?", id},
		{"DELETE FROM ledger_targets WHERE name = ?", id}, // and with it what it holds
		{"DELETE FROM stores WHERE id = ?", id},
	} {
		if _, err := t.exec(del.text, del.arg); err != nil {
			return err
		}
	}
	return t.leaves(id, leaves)
}

func (db *sqliteDB) CreateChannel(ctx context.Context, c Channel) error {
	return channels.create(ctx, db, c)
}

func (db *sqliteDB) Channel(ctx context.Context, id string) (Channel, error) {
	return channels.get(ctx, &db.rstmts, id)
}

func (db *sqliteDB) Channels(ctx context.Context, sc Scope, after string, limit int) ([]Channel, error) {
	p := pages{table: channels.name, columns: channels.columns}
	p.scope(sc)
	return page(ctx, db, p, after, limit, false, channels.scan)
}

func (db *sqliteDB) UpdateChannel(ctx context.Context, id string, change func(*Channel) error) (Channel, error) {
	return channels.update(ctx, db, id, change)
}

func (db *sqliteDB) DeleteChannel(ctx context.Context, id string) error {
	return db.write(ctx, func(x tx) error {
		c, err := channels.get(x.ctx, &x.db.wstmts, id)
		if err != nil {
			return err
		}
		if _, err := x.exec("DELETE FROM tags WHERE arn = ?", c.ARN()); err != nil {
			return err
		}
		return x.one("DELETE FROM channels WHERE id = ?", id)
	})
}

func (db *sqliteDB) CreateImport(ctx context.Context, i Import) error {
	return imports.create(ctx, db, i)
}

func (db *sqliteDB) Import(ctx context.Context, id string) (Import, error) {
	return imports.get(ctx, &db.rstmts, id)
}

const inStores = "EXISTS (SELECT 1 FROM json_each(stores) WHERE value = ?)"

func (db *sqliteDB) Imports(ctx context.Context, sc Scope, storeID, status, after string, limit int) ([]Import, error) {
	p := pages{table: imports.name, columns: imports.columns}
	p.scope(sc)
	if storeID != "" {
		p.and(inStores, storeID)
	}
	if status != "" {
		p.and("status = ?", status)
	}
	return page(ctx, db, p, after, limit, true, imports.scan)
}

func (db *sqliteDB) UpdateImport(ctx context.Context, id string, change func(*Import) error) (Import, error) {
	return imports.update(ctx, db, id, change)
}

func (db *sqliteDB) AddFailures(ctx context.Context, failures []Failure) error {
	if len(failures) == 0 {
		return nil
	}
	return db.write(ctx, func(x tx) error {
		for _, f := range failures {
			_, err := x.exec("INSERT INTO failures (import_id, location, byte_offset, type, message, status, updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
				f.ImportID, f.Location, f.Offset, f.Type, f.Message, f.Status, stamp(f.Updated))
			if err != nil {
				if _, missing := imports.get(x.ctx, &x.db.wstmts, f.ImportID); errors.Is(missing, ErrNotFound) {
					return fmt.Errorf("import %s: %w", f.ImportID, ErrNotFound)
				}
				return err
			}
		}
		return nil
	})
}

func (db *sqliteDB) Failures(ctx context.Context, importID string, afterSeq int64, limit int) ([]Failure, error) {
	if limit <= 0 {
		limit = -1
	}
	return list(ctx, &db.rstmts, func(r scanner) (f Failure, err error) {
		return f, r.Scan(&f.ImportID, &f.Seq, &f.Location, &f.Offset, &f.Type, &f.Message, &f.Status, (*stamp)(&f.Updated))
	}, "SELECT import_id, seq, location, byte_offset, type, message, status, updated FROM failures WHERE import_id = ? AND seq > ? ORDER BY seq LIMIT ?",
		importID, afterSeq, limit)
}

func (db *sqliteDB) ImportedObjects(ctx context.Context, target string, fingerprints []string) (map[string]bool, error) {
	wanted, err := json.Marshal(fingerprints)
	if err != nil {
		return nil, fmt.Errorf("metadata: fingerprints: %w", err)
	}
	found, err := list(ctx, &db.rstmts, scanText,
		"SELECT fingerprint FROM json_each(?) CROSS JOIN ledger ON target = (SELECT id FROM ledger_targets WHERE name = ?) AND fingerprint = value",
		string(wanted), target)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(found))
	for _, f := range found {
		known[f] = true
	}
	return known, nil
}

func scanText(r scanner) (s string, err error) { return s, r.Scan(&s) }

func (db *sqliteDB) RecordObjects(ctx context.Context, target string, fingerprints []string, importID string, change func(*Import) error) error {
	entered, err := json.Marshal(fingerprints)
	if err != nil {
		return fmt.Errorf("metadata: fingerprints: %w", err)
	}
	return db.write(ctx, func(x tx) error {
		if _, err := x.exec("INSERT OR IGNORE INTO ledger_targets (name) VALUES (?)", target); err != nil {
			return err
		}
		if _, err := x.exec("INSERT OR IGNORE INTO ledger (target, fingerprint) SELECT (SELECT id FROM ledger_targets WHERE name = ?), value FROM json_each(?)",
			target, string(entered)); err != nil {
			return err
		}
		_, err := imports.change(x, importID, change)
		return err
	})
}

func (db *sqliteDB) CreateQuery(ctx context.Context, q Query) error {
	return queries.create(ctx, db, q)
}

func (db *sqliteDB) Query(ctx context.Context, id string) (Query, error) {
	return queries.get(ctx, &db.rstmts, id)
}

func (db *sqliteDB) Queries(ctx context.Context, sc Scope, storeID, status string, from, to time.Time, after string, limit int) ([]Query, error) {
	p := pages{table: queries.name, columns: queries.columns}
	p.scope(sc)
	if storeID != "" {
		p.and(inStores, storeID)
	}
	if status != "" {
		p.and("status = ?", status)
	}
	if !from.IsZero() {
		p.and("created >= ?", stamp(from))
	}
	if !to.IsZero() {
		p.and("created <= ?", stamp(to))
	}
	return page(ctx, db, p, after, limit, true, queries.scan)
}

func (db *sqliteDB) UpdateQuery(ctx context.Context, id string, change func(*Query) error) (Query, error) {
	return queries.update(ctx, db, id, change)
}

func (db *sqliteDB) LastQuery(ctx context.Context, sc Scope, alias string) (Query, error) {
	return get(ctx, &db.rstmts, queries.scan, "SELECT "+queries.columns+" FROM queries WHERE account = ? AND region = ? AND alias = ? AND alias <> '' ORDER BY created DESC, id DESC LIMIT 1",
		sc.Account, sc.Region, alias)
}

func (db *sqliteDB) PendingDeliveries(ctx context.Context, limit int) ([]Query, error) {
	return list(ctx, &db.rstmts, queries.scan, "SELECT "+queries.columns+" FROM queries WHERE delivery = 'PENDING' AND status = 'FINISHED' ORDER BY ended, id LIMIT ?", limit)
}

func (db *sqliteDB) ExpiredQueries(ctx context.Context, t time.Time) (gone []Query, err error) {
	err = db.write(ctx, func(x tx) error {
		gone, err = list(x.ctx, &x.db.wstmts, queries.scan, "SELECT "+queries.columns+" FROM queries WHERE created < ? ORDER BY created, id", t.UnixMilli())
		if err != nil {
			return err
		}
		_, err = x.exec("DELETE FROM queries WHERE created < ?", t.UnixMilli())
		return err
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

func (db *sqliteDB) SetTags(ctx context.Context, arn string, tags map[string]string, most int) error {
	return db.write(ctx, func(x tx) error {
		for k, v := range tags {
			if _, err := x.exec("INSERT INTO tags (arn, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", arn, k, v); err != nil {
				return err
			}
		}
		n, err := get(x.ctx, &x.db.wstmts, func(r scanner) (n int, err error) { return n, r.Scan(&n) }, "SELECT count(*) FROM tags WHERE arn = ?", arn)
		if err == nil && n > most {
			return ErrConflict
		}
		return err
	})
}

func (db *sqliteDB) RemoveTags(ctx context.Context, arn string, keys []string) error {
	return db.write(ctx, func(x tx) error {
		for _, k := range keys {
			if _, err := x.exec("DELETE FROM tags WHERE arn = ? AND key = ?", arn, k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *sqliteDB) Tags(ctx context.Context, arns []string) (map[string]map[string]string, error) {
	wanted, err := json.Marshal(arns)
	if err != nil {
		return nil, fmt.Errorf("metadata: ARNs: %w", err)
	}
	rows, err := list(ctx, &db.rstmts, func(r scanner) (t [3]string, err error) { return t, r.Scan(&t[0], &t[1], &t[2]) },
		"SELECT arn, key, tags.value FROM tags WHERE arn IN (SELECT value FROM json_each(?))", string(wanted))
	if err != nil {
		return nil, err
	}
	tags := map[string]map[string]string{}
	for _, t := range rows {
		if tags[t[0]] == nil {
			tags[t[0]] = map[string]string{}
		}
		tags[t[0]][t[1]] = t[2]
	}
	return tags, nil
}

const tableColumns = "SELECT store_id, location, previous, applied FROM tables"

func scanTable(r scanner) (t Table, err error) {
	return t, r.Scan(&t.StoreID, &t.Location, &t.Previous, &t.Applied)
}

func (db *sqliteDB) Table(ctx context.Context, storeID string) (Table, error) {
	return get(ctx, &db.rstmts, scanTable, tableColumns+" WHERE store_id = ?", storeID)
}

func (db *sqliteDB) Tables(ctx context.Context) ([]Table, error) {
	return list(ctx, &db.rstmts, scanTable, tableColumns+" ORDER BY store_id")
}

func (db *sqliteDB) CreateTable(ctx context.Context, t Table, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error {
		_, err := x.exec("INSERT INTO tables (store_id, location, previous, applied) VALUES (?, ?, ?, ?)", t.StoreID, t.Location, t.Previous, t.Applied)
		if err != nil {
			return err
		}
		return x.leaves(t.StoreID, leaves)
	})
}

func (db *sqliteDB) SwapTable(ctx context.Context, storeID, old, location string, applied int64, leaves ...[]byte) error {
	return db.write(ctx, func(x tx) error { return x.swap(storeID, old, location, applied, leaves) })
}

func (t tx) swap(storeID, old, location string, applied int64, leaves [][]byte) error {
	// Where only the sequence moves on, Previous stays what it was.
	n, err := t.exec("UPDATE tables SET previous = iif(location = ?2, previous, location), location = ?2, applied = max(applied, ?3) WHERE store_id = ?1 AND location = ?4",
		storeID, location, applied, old)
	if err != nil {
		return err
	}
	if n == 1 {
		return t.leaves(storeID, leaves)
	}
	if _, err := get(t.ctx, &t.db.wstmts, scanTable, tableColumns+" WHERE store_id = ?", storeID); err != nil {
		return err
	}
	return ErrConflict
}

func (db *sqliteDB) Value(ctx context.Context, key string) (string, error) {
	return get(ctx, &db.rstmts, scanText, "SELECT value FROM settings WHERE key = ?", key)
}

func (db *sqliteDB) SetValue(ctx context.Context, key, value string) error {
	return db.write(ctx, func(x tx) error {
		_, err := x.exec("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, value)
		return err
	})
}
