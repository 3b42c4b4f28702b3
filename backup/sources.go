package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

// sources lists all that the frozen state names.
func (r *run) sources(ctx context.Context) ([]source, error) {
	db, err := meta.OpenSQLite(ctx, filepath.Join(r.Frozen, metaFile))
	if err != nil {
		return nil, err
	}
	sources, err := r.lake(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil { // before it is copied: SQLite has its own files beside while it is open
		return nil, err
	}
	return r.frozen(sources)
}

func (r *run) lake(ctx context.Context, db meta.DB) (sources []source, err error) {
	tables, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if _, ok := r.Objects.Key(t.Location); !ok {
			return nil, fmt.Errorf("the table of store %s lies at %s, and not below %s: name the place where the server's tables lie (--store-url)", t.StoreID, t.Location, r.Objects.URI(""))
		}
		if sources, err = r.table(ctx, t, sources); err != nil {
			return nil, fmt.Errorf("table of store %s: %w", t.StoreID, err)
		}
		if sources, err = r.waiting(ctx, db, t.StoreID, sources); err != nil {
			return nil, fmt.Errorf("removed files of store %s: %w", t.StoreID, err)
		}
	}
	r.point.Stores = len(tables)
	logs, err := os.ReadDir(filepath.Join(r.Frozen, filepath.FromSlash(tlog.Prefix)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, l := range logs {
		if sources, err = r.log(ctx, l.Name(), sources); err != nil {
			return nil, fmt.Errorf("transparency log of store %s: %w", l.Name(), err)
		}
	}
	return sources, nil
}

// object is a file of the lake that never changes.
func (r *run) object(key string, size int64) source {
	return source{File{Path: lakePrefix + key, Object: lakePrefix + key, Size: size},
		func(ctx context.Context) (io.ReadCloser, error) { return r.Objects.Get(ctx, key, 0, -1) }}
}

// table lists a table's metadata, that of its older snapshots too, and the data files of its newest one. What only older ones name is on its way out, but for what waiting lists.
func (r *run) table(ctx context.Context, t meta.Table, sources []source) ([]source, error) {
	folder := "tables/" + t.StoreID + "/"
	var objects []string
	_, _, err := lake.Inspect(ctx, r.Objects, t.Location, lake.Inspection{
		Object: func(path string, _ proof.Hash) { objects = append(objects, folder+path) },
		File: func(path string, stats *proof.Stats) {
			sources = append(sources, r.object(folder+path, stats.Size))
			r.point.Events += stats.Rows
		},
	})
	if err != nil {
		return nil, err
	}
	for _, key := range objects {
		o, err := r.Objects.Stat(ctx, key)
		if err != nil {
			return nil, err
		}
		sources = append(sources, r.object(key, o.Size))
	}
	return sources, nil
}

// waiting lists the files of days that went by retention, and that wait to be deleted or are kept by a hold. One that is not there any more was deleted, and the metadata is yet to forget it: as when it
// was copied in the midst of that.
func (r *run) waiting(ctx context.Context, db meta.DB, store string, sources []source) ([]source, error) {
	files, err := db.RemovedFiles(ctx, store)
	if err != nil {
		return nil, err
	}
	holds, err := db.Holds(ctx, store)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		switch o, err := r.Objects.Stat(ctx, f.Key); {
		case err == nil:
			sources = append(sources, r.object(f.Key, o.Size))
		case !errors.Is(err, objstore.ErrNotExist):
			return nil, err
		case meta.HeldBy(holds, registry.DayStart(f.Day), registry.DayStart(f.Day+1)) != nil:
			r.result.Missing = append(r.result.Missing, f.Key)
		}
	}
	return sources, nil
}

// Target tells what is wrong with a folder as the place of backups of the data folder dir: it must hold nothing but backups, and be no part of what is copied.
func Target(folder, dir string) error {
	for _, p := range [][2]string{{folder, dir}, {dir, folder}} {
		rel, err := filepath.Rel(p[0], p[1])
		if err == nil && (rel == "." || filepath.IsLocal(rel)) {
			return fmt.Errorf("%s and the data folder %s lie within one another: a backup belongs elsewhere", folder, dir)
		}
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case "lake", "points", "lock", ".aside", "lost+found":
		default:
			return fmt.Errorf("%s holds %s, so it is no folder of backups: name an empty one", folder, e.Name())
		}
	}
	return nil
}
