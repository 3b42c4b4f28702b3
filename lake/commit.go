package lake

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// Summary properties of a snapshot. appliedProperty is for readers of the table alone; the number that counts lies in the metadata
// database, swapped together with the table's location.
const (
	appliedProperty = "loch.applied"
	commitProperty  = "loch.commit" // the first data file of the commit: names it
)

// expireEvery is how many commits pass between two expiries of snapshots: often enough that metadata stays a few dozen kilobytes.
const expireEvery = 32

// Commit makes the files visible in one snapshot and records, in the same swap, that everything up to the durable log's sequence applied is
// in the table. Without files only the sequence is recorded. If it fails, nothing has changed or the change is found when the same
// commit is tried again.
func (l *Lake) Commit(ctx context.Context, storeID string, files Files, applied int64) error {
	begun := time.Now()
	t, err := l.table(ctx, storeID)
	if err != nil {
		return err
	}
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return err
	}
	base, was := t.now()
	if len(files.files) == 0 {
		if applied <= was {
			return nil
		}
		cat := &commitCatalog{lake: l, storeID: storeID, applied: applied, base: base}
		if err := cat.swap(ctx, base.MetadataLocation(), base.MetadataLocation()); err != nil {
			t.setStale()
			return err
		}
		t.set(base, applied)
		return nil
	}
	name := files.files[0].FilePath()
	if committed(base, name) {
		l.settle(files)
		return nil // an earlier try went through, and its answer was lost
	}
	cat := &commitCatalog{lake: l, storeID: storeID, applied: max(applied, was), base: base, batches: files.batches, sums: files.sums}
	tx, err := cat.transaction(base, l.manifests(t))
	if err != nil {
		return fmt.Errorf("commit to store %s: %w", storeID, err)
	}
	props := iceberg.Properties{appliedProperty: strconv.FormatInt(applied, 10), commitProperty: name}
	// File names hold new UUIDs, so a check for duplicates would only read every manifest.
	err = tx.AddDataFiles(ctx, files.files, props, table.WithoutDuplicateCheck(), table.WithoutAutoNameMapping())
	if err != nil {
		return fmt.Errorf("commit to store %s: %w", storeID, err)
	}
	next, err := tx.Commit(ctx)
	if err != nil {
		t.setStale()
		return fmt.Errorf("commit to store %s: %w", storeID, err)
	}
	t.set(next, max(applied, was))
	if t.sinceMerge++; t.sinceMerge > l.mergeEvery {
		t.sinceMerge = 0
	}
	l.extend(t, base.CurrentSnapshot(), next.CurrentSnapshot(), files.files)
	l.metrics.commits.Inc()
	l.metrics.files.Add(float64(len(files.files)))
	l.metrics.rows.Add(float64(files.Rows))
	l.metrics.bytes.Add(float64(files.Bytes))
	l.metrics.commitSeconds.Observe(time.Since(begun).Seconds())

	l.settle(files)
	return l.expireAfter(ctx, t)
}

// Every mergeEvery commits one merges manifests, up to manifestBytes each. Larger ones are left alone, so that what a merge costs does not grow with the table: by default each would rewrite up to
// 8 MB, the entries of ten thousand data files. Between two merges there is none: the library would fill up a manifest that is nearly large enough by rewriting it for every commit or two.
const (
	mergeEvery    = 50
	manifestBytes = 512 << 10
)

// manifests gives the properties by which the next commit writes manifests. It is called with t.commit held.
func (l *Lake) manifests(t *tableState) iceberg.Properties {
	if t.sinceMerge < l.mergeEvery {
		return iceberg.Properties{table.ManifestMergeEnabledKey: "false"}
	}
	return iceberg.Properties{
		table.ManifestMergeEnabledKey:    "true",
		table.ManifestMinMergeCountKey:   "2",
		table.ManifestTargetSizeBytesKey: strconv.Itoa(l.manifestBytes),
	}
}

// expireAfter forgets old snapshots after every so many commits. It is called with t.commit held.
func (l *Lake) expireAfter(ctx context.Context, t *tableState) error {
	if t.sinceExpiry++; t.sinceExpiry >= l.expireEvery {
		t.sinceExpiry = 0
		if err := l.expire(ctx, t); err != nil {
			// The commit stands; what could not be removed now is tried again later.
			t.setStale()
			l.log.Warn("snapshots were not expired", "store", t.id, "error", err)
		}
	}
	return nil
}

// forget expires the snapshots of a table that gets no commits, so that the files that compaction replaced go in their time.
func (l *Lake) forget(ctx context.Context, storeID string) error {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return err
	}
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return err
	}
	if err := l.expire(ctx, t); err != nil {
		t.setStale()
		return err
	}
	return nil
}

// extend brings the list of live files from the snapshot before a commit to the one after it, where nobody else committed between.
func (l *Lake) extend(t *tableState, before, after *table.Snapshot, added []iceberg.DataFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case before == nil && after.ParentSnapshotID == nil:
		t.live = liveFiles{}
	case before != nil && after.ParentSnapshotID != nil && *after.ParentSnapshotID == before.SnapshotID && t.live.snapshot == before.SnapshotID:
	default:
		return // the next plan reads the manifests
	}
	for _, d := range added {
		f, err := l.planned(d)
		if err != nil {
			t.live = liveFiles{}
			return
		}
		t.live.files = append(t.live.files, f) // plans that run have the list without it
	}
	t.live.snapshot = after.SnapshotID
}

// Applied is the durable log's sequence up to which the table holds everything meant for it; 0 before the first commit.
func (l *Lake) Applied(ctx context.Context, storeID string) (int64, error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return 0, err
	}
	t.commit.Lock()
	defer t.commit.Unlock()
	if err := l.refresh(ctx, t); err != nil {
		return 0, err
	}
	_, applied := t.now()
	return applied, nil
}

func (t *tableState) now() (*table.Table, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tbl, t.applied
}

func (t *tableState) set(tbl *table.Table, applied int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tbl, t.applied, t.stale = tbl, applied, false
}

func (t *tableState) setStale() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale = true
}

// refresh reads the table again where a failed commit left its state unknown. It is called with t.commit held.
func (l *Lake) refresh(ctx context.Context, t *tableState) error {
	t.mu.Lock()
	stale, dropped := t.stale, t.dropped
	t.mu.Unlock()
	if dropped {
		return fmt.Errorf("store %s: %w", t.id, ErrNoTable)
	}
	if !stale {
		return nil
	}
	row, err := l.db.Table(ctx, t.id)
	if err != nil {
		return fmt.Errorf("table of store %s: %w", t.id, err)
	}
	m, err := l.readMetadata(ctx, row.Location)
	if err != nil {
		return err
	}
	t.set((&commitCatalog{lake: l, storeID: t.id}).table(m, row.Location), row.Applied)
	return nil
}

func committed(tbl *table.Table, name string) bool {
	return slices.ContainsFunc(tbl.Metadata().Snapshots(), func(s table.Snapshot) bool {
		return s.Summary != nil && s.Summary.Properties[commitProperty] == name
	})
}

// expire forgets the snapshots that are neither among the newest nor read by a plan, and removes, after a while, their manifest lists, the
// manifests that no snapshot names any more, and the data files that compaction replaced before the oldest that is left. Snapshots with such files are forgotten
// after keepReplaced, or a table without commits would keep them for good. It is called with t.commit held.
func (l *Lake) expire(ctx context.Context, t *tableState) error {
	fsys, err := l.tableFiles(ctx)
	if err != nil {
		return err
	}
	if err := l.forgetOld(ctx, t, fsys, 0); err != nil {
		return err
	}
	now := time.Now()
	tbl, _ := t.now()
	oldest := int64(math.MaxInt64)
	for _, s := range tbl.Metadata().Snapshots() {
		oldest = min(oldest, s.SequenceNumber)
	}
	t.replaced = slices.DeleteFunc(t.replaced, func(r replaced) bool {
		free := r.sequence <= oldest
		if free {
			t.garbage = append(t.garbage, leftover{r.uri, now})
		}
		return free
	})
	for len(t.garbage) > 0 && now.Sub(t.garbage[0].since) >= l.grace {
		if err := fsys.Remove(t.garbage[0].uri); err != nil {
			return err
		}
		t.garbage = t.garbage[1:]
	}
	return nil
}

// forgetOld takes snapshots out of the table's metadata, and makes garbage of what only they name, but for data files. Those before the sequence number from go however young they
// are.
func (l *Lake) forgetOld(ctx context.Context, t *tableState, fsys iceio.IO, from int64) error {
	base, applied := t.now()
	snaps := slices.Clone(base.Metadata().Snapshots())
	slices.SortFunc(snaps, func(a, b table.Snapshot) int { return int(b.SequenceNumber - a.SequenceNumber) })
	merged := int64(0) // the newest snapshot of compaction or of a removal: those before it hold files that it replaced or took out
	for _, s := range snaps {
		if s.Summary != nil && (s.Summary.Operation == table.OpReplace || s.Summary.Properties[removalProperty] != "") {
			merged = max(merged, s.SequenceNumber)
		}
	}
	keep := func(i int) bool {
		over := i > 0 && snaps[i].SequenceNumber < merged && time.Since(time.UnixMilli(snaps[i-1].TimestampMs)) >= l.keepReplaced
		return i < l.keep && !over && snaps[i].SequenceNumber >= from
	}
	t.mu.Lock()
	var gone, kept []table.Snapshot
	for i, s := range snaps {
		if keep(i) || t.pins[s.SnapshotID] > 0 {
			kept = append(kept, s)
		} else {
			gone = append(gone, s)
		}
	}
	t.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	garbage := make(map[string]bool)
	ids := make([]int64, 0, len(gone))
	for _, s := range gone {
		manifests, err := s.Manifests(fsys)
		if err != nil {
			return err
		}
		for _, m := range manifests {
			garbage[m.FilePath()] = true
		}
		garbage[s.ManifestList] = true
		ids = append(ids, s.SnapshotID)
	}
	for _, s := range kept {
		manifests, err := s.Manifests(fsys)
		if err != nil {
			return err
		}
		for _, m := range manifests {
			delete(garbage, m.FilePath())
		}
	}
	head := base.CurrentSnapshot().SnapshotID
	cat := &commitCatalog{lake: l, storeID: t.id, applied: applied, base: base}
	m, location, err := cat.CommitTable(ctx, table.Identifier{t.id},
		[]table.Requirement{table.AssertTableUUID(base.Metadata().TableUUID()), table.AssertRefSnapshotID(table.MainBranch, &head)},
		[]table.Update{table.NewRemoveSnapshotsUpdate(ids, false)})
	if err != nil {
		return err
	}
	t.set(cat.table(m, location), applied)
	// Old metadata files, which the library removes only after commits of its own.
	for f := range base.Metadata().PreviousFiles() {
		garbage[f.MetadataFile] = true
	}
	for f := range m.PreviousFiles() {
		delete(garbage, f.MetadataFile)
	}
	now := time.Now()
	for uri := range garbage {
		t.garbage = append(t.garbage, leftover{uri, now})
	}
	return nil
}

// leftover is a file that no snapshot names any more.
type leftover struct {
	uri   string
	since time.Time
}
