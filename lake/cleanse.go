package lake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// After an erasure files and metadata from before must go, and not in their usual time: data files, among them those that compaction replaced; manifests, whose bounds are values of events;
// and in the present snapshot what its manifests say of files that are in the table no more.

// CleanseFrom makes a snapshot whose manifests speak of live files alone, where the present one is none, and gives the sequence number from which on snapshots are like it.
func (l *Lake) CleanseFrom(ctx context.Context, storeID string) (int64, error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return 0, err
	}
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return 0, err
	}
	base, applied := t.now()
	snap := base.CurrentSnapshot()
	if snap == nil {
		return 0, nil
	}
	fsys, err := l.tableFiles(ctx)
	if err != nil {
		return 0, err
	}
	manifests, err := snap.Manifests(fsys)
	if err != nil {
		return 0, err
	}
	if !slices.ContainsFunc(manifests, speaksOfRemoved) {
		return snap.SequenceNumber, nil
	}
	next, err := l.tidy(ctx, t, base, applied, fsys, manifests)
	if err != nil {
		t.setStale()
		return 0, fmt.Errorf("manifests of store %s: %w", storeID, err)
	}
	t.set(next, applied)
	l.exchange(t, snap.SnapshotID, next.CurrentSnapshot().SnapshotID, nil, nil)
	return next.CurrentSnapshot().SequenceNumber, nil
}

func speaksOfRemoved(m iceberg.ManifestFile) bool { return m.DeletedDataFiles() != 0 }

// tidy commits a snapshot of the same files, whose manifests do not speak of others.
func (l *Lake) tidy(ctx context.Context, t *tableState, base *table.Table, applied int64, fsys iceio.IO, manifests []iceberg.ManifestFile) (*table.Table, error) {
	files, ok := fsys.(iceio.WriteFileIO)
	if !ok {
		return nil, errors.New("files cannot be written")
	}
	old := base.CurrentSnapshot()
	id := rand.Int64() // any that no snapshot has
	sequence := base.Metadata().LastSequenceNumber() + 1
	name := func(what string) string {
		return fmt.Sprintf("%s/metadata/%s-%s.avro", base.Location(), uuid.New(), what)
	}
	var left []iceberg.ManifestFile
	for _, m := range manifests {
		if !speaksOfRemoved(m) {
			left = append(left, m)
			continue
		}
		var live []iceberg.ManifestEntry
		for e, err := range m.Entries(fsys, true) {
			if err != nil {
				return nil, err
			}
			n := e.SequenceNum()
			by := e.SnapshotID()
			live = append(live, iceberg.NewManifestEntry(iceberg.EntryStatusEXISTING, &by, &n, e.FileSequenceNum(), e.DataFile()))
		}
		if len(live) == 0 {
			continue
		}
		path := name("m")
		out, err := files.Create(path)
		if err != nil {
			return nil, err
		}
		made, err := iceberg.WriteManifest(path, out, base.Metadata().Version(), base.Spec(), base.Schema(), id, live)
		if err = errors.Join(err, out.Close()); err != nil {
			return nil, err
		}
		left = append(left, made)
	}
	list := name("list")
	out, err := files.Create(list)
	if err != nil {
		return nil, err
	}
	err = iceberg.WriteManifestList(base.Metadata().Version(), out, id, &old.SnapshotID, &sequence, 0, left)
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	props := iceberg.Properties{appliedProperty: fmt.Sprint(applied)}
	if old.Summary != nil {
		for k, v := range old.Summary.Properties {
			if strings.HasPrefix(k, "total-") { // the files are the same
				props[k] = v
			}
		}
	}
	snap := table.Snapshot{SnapshotID: id, ParentSnapshotID: &old.SnapshotID, SequenceNumber: sequence, TimestampMs: time.Now().UnixMilli(), ManifestList: list,
		Summary: &table.Summary{Operation: table.OpReplace, Properties: props}, SchemaID: old.SchemaID}
	cat := &commitCatalog{lake: l, storeID: t.id, applied: applied, base: base}
	m, location, err := cat.CommitTable(ctx, table.Identifier{t.id},
		[]table.Requirement{table.AssertTableUUID(base.Metadata().TableUUID()), table.AssertRefSnapshotID(table.MainBranch, &old.SnapshotID)},
		[]table.Update{table.NewAddSnapshotUpdate(&snap), table.NewSetSnapshotRefUpdate(table.MainBranch, id, table.BranchRef, 0, 0, 0)})
	if err != nil {
		return nil, err
	}
	return cat.table(m, location), nil
}

// Cleanse removes everything of the store's table that only snapshots before the sequence number from name, or nothing names, whatever its age; gone is told each object before it goes. It
// fails with ErrBusy while a plan reads such a snapshot, files are merged or the lake is copied. What is being written and merged meanwhile stays.
func (l *Lake) Cleanse(ctx context.Context, storeID string, from int64, gone func(key string) error) error {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return err
	}
	if !t.compact.TryLock() { // a file that is being merged is read beside any plan
		return ErrBusy
	}
	defer t.compact.Unlock()
	if err := l.forgetBefore(ctx, t, from); err != nil {
		return fmt.Errorf("cleanse store %s: %w", storeID, err)
	}
	n, err := l.sweep(ctx, storeID, time.Now().AddDate(100, 0, 0), gone) // of any age, also where the clock was ahead
	l.metrics.orphans.Add(float64(n))
	if err != nil {
		return fmt.Errorf("cleanse store %s: %w", storeID, err)
	}
	if l.held.held() {
		return ErrBusy // a copy of the lake is being made: what waits for its end goes then, or by the next call
	}
	return nil
}

// forgetBefore takes the snapshots before a sequence number out of the table's metadata. What they named is named by nothing then.
func (l *Lake) forgetBefore(ctx context.Context, t *tableState, from int64) error {
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return err
	}
	tbl, _ := t.now()
	t.mu.Lock()
	busy := slices.ContainsFunc(tbl.Metadata().Snapshots(), func(s table.Snapshot) bool { return s.SequenceNumber < from && t.pins[s.SnapshotID] > 0 })
	t.mu.Unlock()
	if busy {
		return ErrBusy
	}
	fsys, err := l.tableFiles(ctx)
	if err != nil {
		return err
	}
	if tbl.CurrentSnapshot() != nil {
		if err := l.forgetOld(ctx, t, fsys, from); err != nil {
			t.setStale()
			return err
		}
	}
	oldest := from
	tbl, _ = t.now()
	for _, s := range tbl.Metadata().Snapshots() {
		oldest = min(oldest, s.SequenceNumber)
	}
	t.replaced = slices.DeleteFunc(t.replaced, func(r replaced) bool { return r.sequence <= oldest })
	t.garbage = nil
	return nil
}
