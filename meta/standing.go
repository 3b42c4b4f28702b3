package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Standing is all that the metadata says of one store, of one moment.
type Standing struct {
	Store   *EventDataStore // nil: there is no such store, or none any more
	Table   *Table          // nil: it has no table
	Holds   []Hold          // lifted ones too, the oldest first
	Removed []RemovedFile   // that wait to be deleted, those first that were removed first
	Leaves  []Leaf          // that wait for the store's log, in order
	LogSize int64           // the leaves that the store ever had
}

// Standing reads in one transaction, so that settings, table, holds, files and leaves are those of one moment.
func (db *sqliteDB) Standing(ctx context.Context, storeID string, leaves int) (s Standing, err error) {
	ctx = context.WithoutCancel(ctx) // a few quick reads: an end between them would leave the transaction's end to others
	tx, err := db.rpool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s, fmt.Errorf("metadata: %w", err)
	}
	from := stmts{on: tx}
	defer func() { err = errors.Join(err, from.close(), tx.Rollback()) }() // nothing was written
	if s.Store, err = optional(stores.get(ctx, &from, storeID)); err != nil {
		return s, err
	}
	if s.Table, err = optional(get(ctx, &from, scanTable, tableColumns+" WHERE store_id = ?", storeID)); err != nil {
		return s, err
	}
	if s.Holds, err = holdsOf(ctx, &from, storeID); err != nil {
		return s, err
	}
	if s.Removed, err = removedFilesOf(ctx, &from, storeID); err != nil {
		return s, err
	}
	if s.Leaves, err = leavesOf(ctx, &from, storeID, leaves); err != nil {
		return s, err
	}
	s.LogSize, err = logSize(ctx, &from, storeID)
	return s, err
}

// optional makes nil of what is not there.
func optional[T any](v T, err error) (*T, error) {
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &v, err
}
