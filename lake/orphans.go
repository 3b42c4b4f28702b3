package lake

import (
	"context"
	"fmt"
	"time"

	"github.com/lochlake/loch/objstore"
)

// RemoveOrphans removes a table's objects that nothing names and that are older than a day: files that a crash left between their writing and their commit, and what
// expired snapshots named when the server stopped.
func (l *Lake) RemoveOrphans(ctx context.Context, storeID string) error {
	n, err := l.sweep(ctx, storeID, time.Now().Add(-l.orphanAge), nil)
	if n > 0 {
		l.metrics.orphans.Add(float64(n))
		l.log.Info("objects that nothing named were removed", "store", storeID, "objects", n)
	}
	if err != nil {
		return fmt.Errorf("orphans of store %s: %w", storeID, err)
	}
	return nil
}

// sweep removes a table's orphans that are older than a time; gone, where not nil, is told each before it goes. Candidates are listed before what is named is looked up, so that what was committed meanwhile is seen.
func (l *Lake) sweep(ctx context.Context, storeID string, before time.Time, gone func(key string) error) (removed int, err error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return 0, err
	}
	var old []string
	err = l.objects.List(ctx, "tables/"+storeID+"/", "", func(o objstore.Object) error {
		if o.Modified.Before(before) && !l.writing.has(o.Key) {
			old = append(old, o.Key)
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	named, err := l.named(ctx, t)
	if err != nil {
		return 0, err
	}
	for _, key := range old {
		if named[key] {
			continue
		}
		if l.held.held() {
			return removed, nil // a copy that is being made may name it: the next look finds it again
		}
		if gone != nil {
			if err := gone(key); err != nil {
				return removed, err
			}
		}
		l.cache.remove(key)
		l.footers.remove(key)
		if err := l.objects.Delete(ctx, key); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// named gives the keys of all objects that some snapshot of the table names, its metadata files, and what waits to be removed in its own time. Nothing is
// committed meanwhile.
func (l *Lake) named(ctx context.Context, t *tableState) (map[string]bool, error) {
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return nil, err
	}
	named, err := l.snapshotObjects(ctx, t)
	if err != nil {
		return nil, err
	}
	tbl, _ := t.now()
	uris := []string{tbl.MetadataLocation()}
	for m := range tbl.Metadata().PreviousFiles() {
		uris = append(uris, m.MetadataFile)
	}
	for _, r := range t.replaced {
		uris = append(uris, r.uri)
	}
	for _, g := range t.garbage {
		uris = append(uris, g.uri)
	}
	for _, uri := range uris {
		key, ok := l.objects.Key(uri)
		if !ok {
			return nil, fmt.Errorf("%s lies outside the object store", uri)
		}
		named[key] = true
	}
	removed, err := l.db.RemovedFiles(ctx, t.id)
	for _, f := range removed {
		named[f.Key] = true
	}
	return named, err
}

// inSnapshots gives the keys of the objects that some snapshot of the table names. Nothing is committed meanwhile.
func (l *Lake) inSnapshots(ctx context.Context, t *tableState) (map[string]bool, error) {
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return nil, err
	}
	return l.snapshotObjects(ctx, t)
}

// snapshotObjects reads the manifests of all snapshots. It is called with t.commit held.
func (l *Lake) snapshotObjects(ctx context.Context, t *tableState) (map[string]bool, error) {
	fsys, err := l.tableFiles(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	add := func(uri string) error {
		key, ok := l.objects.Key(uri)
		if !ok {
			return fmt.Errorf("%s lies outside the object store", uri)
		}
		named[key] = true
		return nil
	}
	tbl, _ := t.now()
	for _, s := range tbl.Metadata().Snapshots() {
		if err := add(s.ManifestList); err != nil {
			return nil, err
		}
		manifests, err := s.Manifests(fsys)
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			if key, ok := l.objects.Key(m.FilePath()); ok && named[key] {
				continue // of an earlier snapshot, too
			}
			if err := add(m.FilePath()); err != nil {
				return nil, err
			}
			for e, err := range m.Entries(fsys, true) {
				if err != nil {
					return nil, err
				}
				if err := add(e.DataFile().FilePath()); err != nil {
					return nil, err
				}
			}
		}
	}
	return named, nil
}
