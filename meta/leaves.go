package meta

import (
	"context"
	"errors"
)

// leaves enters leaves for a store's log behind those that it has.
func (t tx) leaves(storeID string, leaves [][]byte) error {
	if len(leaves) == 0 {
		return nil
	}
	next, err := get(t.ctx, &t.db.wstmts, scanNumber, "SELECT next FROM logs WHERE store_id = ?", storeID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for i, l := range leaves {
		if _, err := t.exec("INSERT INTO leaves (store_id, serial, leaf) VALUES (?, ?, ?)", storeID, next+int64(i), l); err != nil {
			return err
		}
	}
	_, err = t.exec("INSERT INTO logs (store_id, next) VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next", storeID, next+int64(len(leaves)))
	return err
}

func scanNumber(r scanner) (n int64, err error) { return n, r.Scan(&n) }

func (db *sqliteDB) Leaves(ctx context.Context, storeID string, limit int) ([]Leaf, error) {
	return leavesOf(ctx, &db.rstmts, storeID, limit)
}

func leavesOf(ctx context.Context, from *stmts, storeID string, limit int) ([]Leaf, error) {
	return list(ctx, from, func(r scanner) (l Leaf, err error) { return l, r.Scan(&l.Serial, &l.Data) },
		"SELECT serial, leaf FROM leaves WHERE store_id = ? ORDER BY serial LIMIT ?", storeID, limit)
}

func (db *sqliteDB) PendingLogs(ctx context.Context) ([]string, error) {
	// One step of the index for each store, however many leaves wait.
	return list(ctx, &db.rstmts, scanText, `WITH RECURSIVE pending (id) AS (
		SELECT min(store_id) FROM leaves
		UNION ALL SELECT (SELECT min(store_id) FROM leaves WHERE store_id > id) FROM pending WHERE id IS NOT NULL
	) SELECT id FROM pending WHERE id IS NOT NULL`)
}

func (db *sqliteDB) PublishedLeaves(ctx context.Context, storeID string, size int64) error {
	return db.write(ctx, func(x tx) error {
		_, err := x.exec("DELETE FROM leaves WHERE store_id = ? AND serial < ?", storeID, size)
		return err
	})
}

func (db *sqliteDB) LogSize(ctx context.Context, storeID string) (int64, error) {
	return logSize(ctx, &db.rstmts, storeID)
}

func logSize(ctx context.Context, from *stmts, storeID string) (int64, error) {
	n, err := get(ctx, from, scanNumber, "SELECT next FROM logs WHERE store_id = ?", storeID)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return n, err
}
