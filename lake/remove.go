package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// removalProperty marks a snapshot that took days out of the table, with the number of their rows.
const removalProperty = "loch.removed-rows"

// removalDays bounds the days of one removal, so that its leaf fits into a log's entry.
const removalDays = 1000

// Day is what a table holds of one day of eventTime.
type Day struct {
	Day   int32 // since the Unix epoch
	Files int
	Rows  int64
	Bytes int64
}

// Days tells what the table holds, day by day, the oldest first.
func (l *Lake) Days(ctx context.Context, storeID string) ([]Day, error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	p, snap, err := t.pin()
	if err != nil || snap == nil {
		return nil, err
	}
	defer p.Release()
	files, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		return nil, fmt.Errorf("days of store %s: %w", storeID, err)
	}
	return daysOf(files), nil
}

func daysOf(files []*dataFile) []Day {
	at := map[int32]int{}
	var days []Day
	for _, f := range files {
		i, ok := at[f.day]
		if !ok {
			i = len(days)
			at[f.day] = i
			days = append(days, Day{Day: f.day})
		}
		days[i].Files++
		days[i].Rows += f.Rows
		days[i].Bytes += f.Size
	}
	slices.SortFunc(days, func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
	return days
}

// RemoveDays takes every event of some days out of the store's table, whole files without writing any anew, in one commit with the leaf that r makes of it (r.At and r.Days are set here; the
// first 1,000 of the days, where there are more). allow is asked in the commit's transaction and may refuse it. It answers with what went. The files wait to be deleted: see Purge.
func (l *Lake) RemoveDays(ctx context.Context, storeID string, days []int32, at time.Time, r proof.Removal, allow func(s meta.EventDataStore, holds []meta.Hold) error) (gone []Day, err error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	t.compact.Lock() // what is being merged stays in the table until that is done
	defer t.compact.Unlock()
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return nil, err
	}
	tbl, _ := t.now()
	snap := tbl.CurrentSnapshot()
	if snap == nil {
		return nil, nil
	}
	live, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		return nil, fmt.Errorf("removal from store %s: %w", storeID, err)
	}
	if len(days) > removalDays {
		days = slices.Sorted(slices.Values(days))[:removalDays]
	}
	var files []*dataFile
	for _, f := range live {
		if slices.Contains(days, f.day) {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	gone = daysOf(files)
	if err := l.remove(ctx, t, files, gone, at, r, allow); err != nil {
		return nil, fmt.Errorf("removal from store %s: %w", storeID, err)
	}
	return gone, nil
}

// remove commits a removal. It is called with t.commit held.
func (l *Lake) remove(ctx context.Context, t *tableState, files []*dataFile, gone []Day, at time.Time, r proof.Removal, allow func(s meta.EventDataStore, holds []meta.Hold) error) error {
	base, applied := t.now()
	cat := &commitCatalog{lake: l, storeID: t.id, applied: applied, base: base, removal: &meta.Removal{Allow: allow}}
	var rows int64
	r.At = proof.Time(at)
	for _, d := range gone {
		cat.removal.Days = append(cat.removal.Days, d.Day)
		r.Days = append(r.Days, dayName(d.Day))
		rows += d.Rows
	}
	told, err := proof.Leaf{Removal: &r}.Encode()
	if err != nil {
		return err
	}
	cat.before = [][]byte{told}
	var out []iceberg.DataFile
	keys := map[string]bool{}
	for _, f := range files {
		d, err := icebergFile(t.layout, base.Spec(), l.objects.URI(f.Key), f.day, int(f.Rows), int(f.Size), nil)
		if err != nil {
			return err
		}
		out = append(out, d)
		keys[f.Key] = true
		cat.removal.Files = append(cat.removal.Files, meta.RemovedFile{StoreID: t.id, Key: f.Key, Day: f.day, Rows: f.Rows, Bytes: f.Size, Removed: at})
	}
	tx, err := cat.transaction(base, nil)
	if err != nil {
		return err
	}
	props := iceberg.Properties{appliedProperty: fmt.Sprint(applied), removalProperty: fmt.Sprint(rows)}
	if err := tx.ReplaceDataFilesWithDataFiles(ctx, out, nil, props, table.WithoutAutoNameMapping()); err != nil {
		return err
	}
	next, err := tx.Commit(ctx)
	t.forgetRemoved() // also where the commit's end is not known
	if err != nil {
		t.setStale()
		return err
	}
	t.set(next, applied)
	l.exchange(t, base.CurrentSnapshot().SnapshotID, next.CurrentSnapshot().SnapshotID, nil, keys)
	return l.expireAfter(ctx, t)
}

// Purge deletes the files of the store's table that removals took out of it before a time, but for those of days to keep, and those that a snapshot names still, as one does that a
// running query reads: they are deleted by a later call. What to keep is asked before each file goes, since a hold may be placed meanwhile. It answers with what it deleted.
func (l *Lake) Purge(ctx context.Context, storeID string, before time.Time, kept func(context.Context) (keep func(day int32) bool, err error)) (gone []meta.RemovedFile, err error) {
	waiting, err := l.db.RemovedFiles(ctx, storeID)
	if err != nil {
		return nil, err
	}
	keep, err := kept(ctx)
	if err != nil {
		return nil, err
	}
	due := slices.DeleteFunc(waiting, func(f meta.RemovedFile) bool { return !f.Removed.Before(before) || keep(f.Day) })
	if len(due) == 0 {
		return nil, nil
	}
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	if err := l.forget(ctx, storeID); err != nil {
		return nil, fmt.Errorf("purge of store %s: %w", storeID, err)
	}
	named, err := l.inSnapshots(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("purge of store %s: %w", storeID, err)
	}
	var keys []string
	var errs []error
	for _, f := range due {
		if l.held.held() || ctx.Err() != nil {
			break // a copy that is being made may name it
		}
		if named[f.Key] {
			continue
		}
		if keep, err = kept(ctx); err != nil {
			errs = append(errs, err)
			break
		}
		if keep(f.Day) {
			continue
		}
		l.footers.remove(f.Key)
		if err := l.objects.Delete(ctx, f.Key); err != nil {
			errs = append(errs, err) // a bucket may lock this one longer than others
			continue
		}
		keys, gone = append(keys, f.Key), append(gone, f)
	}
	// What is deleted and not forgotten, as by a crash here, is deleted again by the next call.
	if err := errors.Join(append(errs, l.db.ForgetRemovedFiles(ctx, storeID, keys))...); err != nil {
		return gone, fmt.Errorf("purge of store %s: %w", storeID, err)
	}
	return gone, nil
}

// removedDays are the days of which events were ever removed from a table, as the metadata has them.
type removedDays struct {
	days    map[int32]int64 // nil: not read
	changes int             // how often they were forgotten
}

// forgetRemoved lets the removed days be read again.
func (t *tableState) forgetRemoved() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removed = removedDays{changes: t.removed.changes + 1}
}

// Removals tells the days of which RemoveDays ever took events out of the store's table, each with the index of the last such removal's leaf in the store's log, and the index that a leaf would
// have now. The caller must not change the map.
func (l *Lake) Removals(ctx context.Context, storeID string) (days map[int32]int64, next int64, err error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, 0, err
	}
	if next, err = l.db.LogSize(ctx, storeID); err != nil { // first: what is removed meanwhile counts as later
		return nil, 0, fmt.Errorf("removals from store %s: %w", storeID, err)
	}
	t.mu.Lock()
	have := t.removed
	t.mu.Unlock()
	if have.days != nil {
		return have.days, next, nil
	}
	if days, err = l.db.RemovedDays(ctx, storeID); err != nil {
		return nil, 0, fmt.Errorf("removals from store %s: %w", storeID, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.removed.changes == have.changes {
		t.removed.days = days
	}
	return days, next, nil
}

// LastCommit is when a snapshot of any table was last made, by the clock of then; the zero time where none was.
func (l *Lake) LastCommit(ctx context.Context) (last time.Time, err error) {
	rows, err := l.db.Tables(ctx)
	if err != nil {
		return last, err
	}
	for _, row := range rows {
		t, err := l.table(ctx, row.StoreID)
		if ctx.Err() != nil {
			return last, ctx.Err()
		}
		if err != nil {
			continue // Open has said so; the others tell
		}
		tbl, _ := t.now()
		if snap := tbl.CurrentSnapshot(); snap != nil {
			if at := time.UnixMilli(snap.TimestampMs); at.After(last) {
				last = at
			}
		}
	}
	return last, nil
}
