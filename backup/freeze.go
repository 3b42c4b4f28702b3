// Package backup makes consistent copies of a server's data while it runs, puts them back, and rebuilds a lost data folder from what lies in the bucket.
//
// A copy's point in time is that of the copy of the metadata: its tables, and the transparency logs, are those that this metadata names. What was accepted by then and
// lay in the durable log alone is copied with it. docs/backup.md has the layout.
package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/wal"
)

// metaFile is the metadata's name in a data folder, in a frozen one and in a point.
const metaFile = "meta.db"

// Rooms are what is held still for the moment in which the metadata is copied. Those of a stopped server need not hold anything.
type Rooms struct {
	Meta    meta.DB
	Objects objstore.Store
	// HoldLake keeps every object that a table names from being removed.
	HoldLake func() (release func(context.Context) error)
	// PauseLogs keeps the transparency logs as they are.
	PauseLogs func(ctx context.Context) (resume func(), err error)
	// HoldLog keeps the durable log's records, and CopyLog copies to a folder those that tables which stand at applied lack.
	HoldLog func() (release func() error)
	CopyLog func(ctx context.Context, to string, applied map[string]int64) error
}

// Freeze writes to the folder dir, which it makes, what changes in place: metadata, durable log and the checkpoints of the transparency logs, all of one moment. Until
// release is called, once, all else that they name stays where it is. After an error nothing is held.
func (r Rooms) Freeze(ctx context.Context, dir string) (release func(context.Context) error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlake := r.HoldLake()
	unlog := r.HoldLog()
	defer func() {
		err = errors.Join(err, unlog())
		if err != nil {
			err = errors.Join(fmt.Errorf("freeze: %w", err), unlake(context.WithoutCancel(ctx)))
		}
	}()
	if err := r.still(ctx, dir); err != nil {
		return nil, err
	}
	db, err := meta.OpenSQLite(ctx, filepath.Join(dir, metaFile))
	if err != nil {
		return nil, err
	}
	tables, err := db.Tables(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	applied := make(map[string]int64, len(tables))
	for _, t := range tables {
		applied[t.StoreID] = t.Applied
	}
	if err := r.CopyLog(ctx, filepath.Join(dir, "wal"), applied); err != nil {
		return nil, err
	}
	return unlake, nil
}

// still copies metadata and checkpoints while no log grows: leaves that the metadata has no more are in the logs, and the logs have none that it does not know of.
func (r Rooms) still(ctx context.Context, dir string) error {
	resume, err := r.PauseLogs(ctx)
	if err != nil {
		return err
	}
	defer resume()
	if err := r.Meta.CopyTo(ctx, filepath.Join(dir, metaFile)); err != nil {
		return err
	}
	err = r.Objects.ListFolders(ctx, tlog.Prefix, func(folder string) error {
		id := strings.TrimSuffix(strings.TrimPrefix(folder, tlog.Prefix), "/")
		signed, err := tlog.Reader{Objects: r.Objects, StoreID: id}.Checkpoint(ctx)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil // nothing is published yet
		}
		if err != nil {
			return err
		}
		if err := r.agrees(ctx, id, signed); err != nil {
			return err
		}
		at := filepath.Join(dir, filepath.FromSlash(tlog.Prefix), id)
		if err := os.MkdirAll(at, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(at, proof.CheckpointPath), signed, 0o600)
	})
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	return err
}

// agrees refuses a checkpoint that covers more leaves than the metadata knows of (tlog.Guard has the reason): a copy of the two would be of no one moment, and what is newer than the metadata would not be in
// it.
func (r Rooms) agrees(ctx context.Context, storeID string, signed []byte) error {
	cp, err := proof.ParseCheckpoint(signed)
	if err != nil {
		return fmt.Errorf("transparency log of store %s: %w", storeID, err)
	}
	size, err := r.Meta.LogSize(ctx, storeID)
	if err == nil && cp.Size > uint64(size) {
		err = fmt.Errorf("%w: the log of store %s has %d leaves, the metadata knows of %d", meta.ErrSetBack, storeID, cp.Size, size)
	}
	return err
}

// Stopped gives the rooms of a stopped server, whose data folder the caller has locked. close is to be called afterwards.
func Stopped(ctx context.Context, dir string, db meta.DB, objects objstore.Store) (r Rooms, close func() error, err error) {
	tables, err := db.Tables(ctx)
	if err != nil {
		return r, nil, err
	}
	greatest := int64(0)
	for _, t := range tables {
		greatest = max(greatest, t.Applied)
	}
	log, err := wal.Open(wal.Options{Dir: filepath.Join(dir, "wal"), After: greatest})
	if err != nil {
		return r, nil, err
	}
	r = Rooms{Meta: db, Objects: objects,
		HoldLake:  func() func(context.Context) error { return func(context.Context) error { return nil } },
		PauseLogs: func(context.Context) (func(), error) { return func() {}, nil },
		HoldLog:   log.Hold,
		CopyLog: func(ctx context.Context, to string, applied map[string]int64) error {
			return ingest.CopyLog(ctx, log, to, applied)
		}}
	return r, log.Close, nil
}
