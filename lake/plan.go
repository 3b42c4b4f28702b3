package lake

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/event"
)

// File is one data file of a plan. Its fields are those of engine.File, so that one converts to the other.
type File struct {
	Key   string // in the object store
	Size  int64
	Rows  int64
	Local string // path on this machine, "" where the object store is remote
}

// Plan is what a scan must read: the files of one snapshot that may hold a row that fulfils every predicate. Until Release, none
// of them is removed.
type Plan struct {
	Schema   *event.TableSchema
	Snapshot int64  // 0: the table is empty
	Files    []File // those with the newest events first: who asks for the latest few needs not read the rest
	Rows     int64  // of Files
	Bytes    int64  // of Files
	Oldest   int64  // eventtime before which none of Files has a row, in microseconds since the Unix epoch; math.MinInt64 where a file does not tell

	TableFiles int // of the whole snapshot, with what was left out
	TableRows  int64
	TableBytes int64

	release sync.Once
	table   *tableState
	load    *load // counts the plan; nil: not counted
}

// Release lets the table remove the plan's files again. It may be called more than once.
func (p *Plan) Release() {
	p.release.Do(func() {
		if p.table == nil {
			return
		}
		p.table.mu.Lock()
		defer p.table.mu.Unlock()
		if p.table.pins[p.Snapshot]--; p.table.pins[p.Snapshot] == 0 {
			delete(p.table.pins, p.Snapshot)
		}
		delete(p.table.plans, p)
		if p.load != nil {
			p.load.end()
		}
	})
}

// dataFile is a live file as planning needs it.
type dataFile struct {
	File
	day    int32
	bounds []bound // by field id
}

// bound is what is known of the values of one field in a file. Bounds repeat from file to file, so equal ones share their memory.
type bound struct {
	id       int
	null     bool // NULL in every row
	hasLower bool
	hasUpper bool
	lower    unique.Handle[string] // as Iceberg serializes single values; texts may be cut
	upper    unique.Handle[string]
}

func (f *dataFile) bound(id int) bound {
	if i, ok := slices.BinarySearchFunc(f.bounds, id, func(b bound, id int) int { return b.id - id }); ok {
		return f.bounds[i]
	}
	return bound{}
}

// oldest is the eventtime that no row of the file lies before, math.MinInt64 where its bounds do not tell.
func (f *dataFile) oldest(lay *layout) int64 {
	b := f.bound(lay.leaves[lay.byPath["eventtime"]].col.ID)
	if !b.hasLower || len(b.lower.Value()) != 8 {
		return math.MinInt64
	}
	return int64(binary.LittleEndian.Uint64(bytesOf(b.lower.Value())))
}

// Plan chooses the files of the table's newest snapshot that may hold rows for which all predicates are true. Files are left out by their
// day, by the bounds of their columns, and, for equality, by their bloom filters. A predicate on what planning does not know leaves nothing out.
func (l *Lake) Plan(ctx context.Context, storeID string, preds []Predicate) (*Plan, error) {
	begun := time.Now()
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	p, snap, err := t.pin()
	if err != nil {
		return nil, err
	}
	if snap == nil {
		return p, nil
	}
	p.load = &l.load
	p.load.begin()
	files, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		p.Release()
		return nil, fmt.Errorf("plan store %s: %w", storeID, err)
	}
	conds := conditions(t.layout, preds)
	var left []*dataFile
	for _, f := range files {
		p.TableFiles++
		p.TableRows += f.Rows
		p.TableBytes += f.Size
		if mayHold(f, conds) {
			left = append(left, f)
		}
	}
	l.metrics.pruned.WithLabelValues("bounds").Add(float64(p.TableFiles - len(left)))
	n := len(left)
	if left, err = l.byBloom(ctx, left, conds); err != nil {
		p.Release()
		return nil, fmt.Errorf("plan store %s: %w", storeID, err)
	}
	l.metrics.pruned.WithLabelValues("bloom").Add(float64(n - len(left)))
	l.metrics.planned.Add(float64(len(left)))
	slices.SortFunc(left, func(a, b *dataFile) int {
		return cmp.Or(cmp.Compare(b.day, a.day), cmp.Compare(b.oldest(t.layout), a.oldest(t.layout)), cmp.Compare(a.Key, b.Key))
	})
	p.Files = make([]File, len(left))
	p.Oldest = math.MaxInt64
	for i, f := range left {
		p.Files[i] = f.File
		p.Rows += f.Rows
		p.Bytes += f.Size
		p.Oldest = min(p.Oldest, f.oldest(t.layout))
	}
	t.enter(p)
	l.metrics.planSeconds.Observe(time.Since(begun).Seconds())
	return p, nil
}

// pin takes the newest snapshot and keeps what it names from being removed.
func (t *tableState) pin() (*Plan, *table.Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dropped {
		return nil, nil, fmt.Errorf("store %s: %w", t.id, ErrNoTable)
	}
	snap := t.tbl.CurrentSnapshot()
	if snap == nil {
		return &Plan{Schema: t.layout.schema}, nil, nil
	}
	t.pins[snap.SnapshotID]++
	return &Plan{Schema: t.layout.schema, Snapshot: snap.SnapshotID, table: t}, snap, nil
}

// liveFiles gives the snapshot's files.
func (l *Lake) liveFiles(ctx context.Context, t *tableState, snap *table.Snapshot) ([]*dataFile, error) {
	t.mu.Lock()
	have := t.live
	t.mu.Unlock()
	if have.snapshot == snap.SnapshotID {
		return have.files, nil
	}
	fsys, err := l.tableFiles(ctx)
	if err != nil {
		return nil, err
	}
	manifests, err := snap.Manifests(fsys)
	if err != nil {
		return nil, err
	}
	var all []*dataFile
	for _, m := range manifests {
		for e, err := range m.Entries(fsys, true) {
			if err != nil {
				return nil, err
			}
			f, err := l.planned(e.DataFile())
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.tbl.CurrentSnapshot(); now != nil && now.SnapshotID == snap.SnapshotID {
		t.live = liveFiles{snap.SnapshotID, slices.Clip(all)}
	}
	return all, nil
}

func (l *Lake) planned(d iceberg.DataFile) (*dataFile, error) {
	if d.ContentType() != iceberg.EntryContentData {
		return nil, fmt.Errorf("file %s: deletes by another writer are not supported", d.FilePath())
	}
	key, ok := l.objects.Key(d.FilePath())
	if !ok {
		return nil, fmt.Errorf("file %s lies outside the object store", d.FilePath())
	}
	f := &dataFile{File: File{Key: key, Size: d.FileSizeBytes(), Rows: d.Count(), Local: l.objects.LocalPath(key)}}
	if day, ok := d.Partition()[dayPartitionID].(iceberg.Date); ok {
		f.day = int32(day)
	} else {
		return nil, fmt.Errorf("file %s is of no day", key)
	}
	values, lower, upper := d.ValueCounts(), d.LowerBoundValues(), d.UpperBoundValues()
	for id, nulls := range d.NullValueCounts() {
		b := bound{id: id}
		if n, ok := values[id]; ok && n == nulls {
			b.null = true
		}
		if v, ok := lower[id]; ok {
			b.hasLower, b.lower = true, unique.Make(string(v))
		}
		if v, ok := upper[id]; ok {
			b.hasUpper, b.upper = true, unique.Make(string(v))
		}
		f.bounds = append(f.bounds, b)
	}
	slices.SortFunc(f.bounds, func(a, b bound) int { return a.id - b.id })
	f.bounds = slices.Clip(f.bounds)
	return f, nil
}

// condition is a predicate on a column that has bounds.
type condition struct {
	Predicate
	leaf    *leaf
	text    bool
	decoder int // field id of the column that tells which decoder filled a row
}

// derived tells whether some row of the file may have to be answered from its text, since its decoder did not know of the column yet: what the file and its metadata say of the column is
// not what the row answers.
func (c *condition) derived(f *dataFile) bool {
	if c.leaf.since <= 1 {
		return false
	}
	b := f.bound(c.decoder)
	return !b.hasLower || len(b.lower.Value()) != 4 || int(int32(binary.LittleEndian.Uint32(bytesOf(b.lower.Value())))) < c.leaf.since
}

// conditions gives the predicates that planning can use. A path without a column of its own, or a repeated one, has no bounds.
func conditions(lay *layout, preds []Predicate) []condition {
	var conds []condition
	for _, p := range preds {
		i, ok := lay.byPath[strings.ToLower(p.Path)]
		if !ok {
			continue
		}
		conds = append(conds, condition{p, &lay.leaves[i], lay.leaves[i].text(), lay.leaves[lay.hidden.decoder].col.ID})
	}
	return conds
}

// mayHold tells whether the file may hold a row for which all conditions are true. No condition is true of a NULL.
func mayHold(f *dataFile, conds []condition) bool {
	for i := range conds {
		c := &conds[i]
		if c.derived(f) {
			continue
		}
		b := f.bound(c.leaf.col.ID)
		if b.null {
			return false
		}
		switch c.Op {
		case Equal:
			if !slices.ContainsFunc(c.Values, func(v Value) bool { return !c.above(b, v, false) && !c.below(b, v, false) }) {
				return false
			}
		case Greater, GreaterEqual:
			if len(c.Values) == 1 && c.above(b, c.Values[0], c.Op == Greater) {
				return false
			}
		case Less, LessEqual:
			if len(c.Values) == 1 && c.below(b, c.Values[0], c.Op == Less) {
				return false
			}
		case StartsWith:
			if len(c.Values) == 1 && c.text && (c.above(b, c.Values[0], false) ||
				c.below(b, c.Values[0], false) && !strings.HasPrefix(b.lower.Value(), c.Values[0].Text)) {
				return false
			}
		}
	}
	return true
}

// above tells whether v is above every value of the file; with orEqual also whether it is the greatest of them, which only a number's bound says.
func (c *condition) above(b bound, v Value, orEqual bool) bool {
	if !b.hasUpper {
		return false
	}
	n, ok := c.compare(v, b.upper.Value())
	return ok && (n > 0 || n == 0 && orEqual && !c.text)
}

// below tells whether v is below every value of the file; with orEqual also whether it is the least of them.
func (c *condition) below(b bound, v Value, orEqual bool) bool {
	if !b.hasLower {
		return false
	}
	n, ok := c.compare(v, b.lower.Value())
	return ok && (n < 0 || n == 0 && orEqual && !c.text)
}

// compare orders a literal and a serialized bound; not ok where the bound is not of the column's type.
func (c *condition) compare(v Value, bound string) (order int, ok bool) {
	if c.text {
		return strings.Compare(v.Text, bound), true
	}
	switch raw := bytesOf(bound); {
	case c.leaf.col.Type == event.Boolean && len(raw) == 1:
		return cmp.Compare(v.Num, int64(raw[0])), true
	case c.leaf.col.Type == event.Int && len(raw) == 4:
		return cmp.Compare(v.Num, int64(int32(binary.LittleEndian.Uint32(raw)))), true
	case (c.leaf.col.Type == event.Long || c.leaf.col.Type == event.Timestamp) && len(raw) == 8:
		return cmp.Compare(v.Num, int64(binary.LittleEndian.Uint64(raw))), true
	}
	return 0, false
}
