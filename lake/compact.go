package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/google/uuid"

	"github.com/lochlake/loch/meta"
)

// errChanged: a rewritten file does not hold what the files before did. It is thrown away.
var errChanged = errors.New("the rewritten rows are not those that were read")

// merged is a file that takes the place of others.
type merged struct {
	old  []*dataFile
	new  iceberg.DataFile
	key  string
	size int64
}

// Compact merges small files of the store's table into larger ones, as many as one commit takes, and tells whether there was anything to
// do. Rows keep every column and their exact text: a new file is read back and compared with its sources before it takes their place. Plans
// and commits go on meanwhile. Sources are removed when no snapshot that is kept, and no plan, names them.
func (l *Lake) Compact(ctx context.Context, storeID string) (worked bool, err error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return false, err
	}
	t.compact.Lock()
	defer t.compact.Unlock()
	p, snap, err := t.pin() // keeps the sources, and the table, where they are
	if err != nil || snap == nil {
		return false, err
	}
	defer p.Release()
	files, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		return false, err
	}
	groups := t.due(files, time.Now(), l.compaction.Quiet, int64(l.group.rows))
	if len(groups) == 0 {
		return false, nil
	}
	l.metrics.idle.Set(0)
	begun := time.Now()
	var done []merged
	var bytes int64
	var failed error
	pace := &pace{lake: l, share: l.compaction.Share, since: begun}
	for _, g := range groups {
		m, err := l.merge(ctx, t, g, rewriting{dir: l.compaction.Dir, pause: pace.pause})
		switch {
		case ctx.Err() != nil:
			return true, ctx.Err()
		case errors.Is(err, errSchema):
			for _, f := range g {
				t.unfit[f.Key] = giveUp
			}
			continue
		case err != nil:
			// The files stay as they are, and answer as they did. It may be the disk that is full.
			for _, f := range g {
				t.unfit[f.Key]++
			}
			l.metrics.compactFailures.Inc()
			failed = errors.Join(failed, fmt.Errorf("%d files of %s: %w", len(g), dayName(g[0].day), err))
			continue
		}
		done = append(done, m)
		for _, f := range g {
			bytes += f.Size
		}
		if bytes >= batchBytes {
			break
		}
	}
	if len(done) > 0 {
		failed = errors.Join(failed, l.replace(ctx, t, done, changing{}))
		for _, m := range done {
			l.writing.remove(m.key) // if the table does not name it now, it is an orphan
		}
	}
	if failed != nil {
		return true, fmt.Errorf("compaction of store %s: %w", storeID, failed)
	}
	if len(done) == 0 {
		return true, nil // of another schema, all of them
	}
	var in int
	var out int64
	for _, m := range done {
		in += len(m.old)
		out += m.size
	}
	l.metrics.compactSeconds.Observe(time.Since(begun).Seconds())
	l.metrics.compactFiles.WithLabelValues("in").Add(float64(in))
	l.metrics.compactFiles.WithLabelValues("out").Add(float64(len(done)))
	l.metrics.compactBytes.WithLabelValues("in").Add(float64(bytes))
	l.metrics.compactBytes.WithLabelValues("out").Add(float64(out))
	l.log.Info("files merged", "store", storeID, "files", in, "into", len(done), "bytes", bytes, "now", out, "took", time.Since(begun).Round(time.Millisecond))
	return true, nil
}

// rewriting is how files are rewritten.
type rewriting struct {
	dir   string                      // of files that are at work
	pause func(context.Context) error // called after every bit of work
	erase map[string]map[int64]bool   // rows of which a tombstone is left, by key of their file
}

// merge writes the rows of a day's files into one file, in the object store when it returns and named by no snapshot yet.
func (l *Lake) merge(ctx context.Context, t *tableState, group []*dataFile, how rewriting) (m merged, err error) {
	dir, err := os.MkdirTemp(how.dir, "merge-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	enc := t.layout.pool.Get().(*encoder)
	defer t.layout.pool.Put(enc)
	w := &rewriter{lay: t.layout, enc: enc, pause: how.pause, most: l.group}
	var rows int64
	for i, f := range group {
		path := f.Local
		if path == "" {
			path = filepath.Join(dir, fmt.Sprint(i, ".parquet"))
			if err := l.download(ctx, f.File, path); err != nil {
				return m, err
			}
		}
		s, err := w.openSource(path, f.Rows)
		if err != nil {
			return m, fmt.Errorf("file %s: %w", f.Key, err)
		}
		s.erase = how.erase[f.Key]
		w.ins = append(w.ins, s)
		rows += f.Rows
	}
	path := filepath.Join(dir, "merged.parquet")
	stats, size, err := w.file(ctx, path, rows)
	if err != nil {
		return m, err
	}
	tbl, _ := t.now()
	m = merged{old: group, size: size, key: fmt.Sprintf("tables/%s/data/eventtime_day=%s/%s.parquet", t.id, dayName(group[0].day), uuid.New())}
	m.new, err = icebergFile(t.layout, tbl.Spec(), l.objects.URI(m.key), group[0].day, int(rows), int(size), stats)
	if err != nil {
		return m, err
	}
	l.writing.add(m.key)
	l.keepFilters(m.key, enc.filters)
	return m, l.upload(ctx, path, m.key, size)
}

// file writes the sources' rows to a new file at path, and reads it back: the same rows must be in it.
func (w *rewriter) file(ctx context.Context, path string, rows int64) (stats []leafStats, size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	stats, size, sum, err := w.write(ctx, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, 0, err
	}
	got, err := w.verify(ctx, path, rows)
	if err != nil {
		return nil, 0, fmt.Errorf("reading a rewritten file back: %w", err)
	}
	if got != sum {
		return nil, 0, errChanged
	}
	return stats, size, nil
}

func (l *Lake) download(ctx context.Context, f File, path string) error {
	r, err := l.objects.Get(ctx, f.Key, 0, f.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := w.ReadFrom(r)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("file %s: %w", f.Key, err)
	}
	if n != f.Size {
		return fmt.Errorf("file %s has %d bytes, and %d by the table", f.Key, n, f.Size)
	}
	return nil
}

func (l *Lake) upload(ctx context.Context, path, key string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return l.objects.Put(ctx, key, f, size, false)
}

// changing is what a change of a table says and asks besides.
type changing struct {
	before  [][]byte      // leaves that go before those of the change
	removal *meta.Removal // asked in the transaction; nil: nothing goes
}

// replace makes the new files visible in place of the old ones, in one snapshot. If it fails, nothing has changed.
func (l *Lake) replace(ctx context.Context, t *tableState, done []merged, c changing) error {
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return err
	}
	base, applied := t.now()
	cat := &commitCatalog{lake: l, storeID: t.id, applied: applied, base: base, before: c.before, removal: c.removal}
	tx, err := cat.transaction(base, nil)
	if err != nil {
		return err
	}
	rewrite := tx.NewRewrite(iceberg.Properties{appliedProperty: fmt.Sprint(applied)})
	gone := map[string]bool{}
	for _, m := range done {
		for _, f := range m.old {
			d, err := icebergFile(t.layout, base.Spec(), l.objects.URI(f.Key), f.day, int(f.Rows), int(f.Size), nil)
			if err != nil {
				return err
			}
			rewrite.DeleteFile(d)
			gone[f.Key] = true
		}
		rewrite.AddDataFile(m.new)
	}
	if err := rewrite.Commit(ctx); err != nil {
		return err
	}
	next, err := tx.Commit(ctx)
	if err != nil {
		t.setStale()
		return err
	}
	t.set(next, applied)
	t.sinceMerge = min(t.sinceMerge+1, l.mergeEvery)
	l.exchange(t, base.CurrentSnapshot().SnapshotID, next.CurrentSnapshot().SnapshotID, done, gone)
	for key := range gone {
		t.replaced = append(t.replaced, replaced{next.CurrentSnapshot().SequenceNumber, l.objects.URI(key)})
	}
	return l.expireAfter(ctx, t)
}

// exchange brings the list of live files from the snapshot before a replacement to the one after it.
func (l *Lake) exchange(t *tableState, before, after int64, done []merged, gone map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live.snapshot != before {
		t.live = liveFiles{}
		return
	}
	var files []*dataFile // anew: plans that run have the old list
	for _, f := range t.live.files {
		if !gone[f.Key] {
			files = append(files, f)
		}
	}
	for _, m := range done {
		f, err := l.planned(m.new)
		if err != nil {
			t.live = liveFiles{}
			return
		}
		files = append(files, f)
	}
	t.live = liveFiles{after, files}
}

// replaced is a data file that no snapshot names from the one with that sequence number on.
type replaced struct {
	sequence int64
	uri      string
}
