package lake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/proof"
)

// Every change of a table is told of in the store's transparency log: its leaves are written in the transaction that swaps the table's location
// (meta.SwapTable), so that there is no change without its leaves and no leaf without its change.

// openBatch is a batch that rows are being added to.
type openBatch struct {
	proof.Batch
	tree proof.Tree
}

// batches are what the rows of one write make for the log, in the rows' order: a batch for each record of the durable log and each day.
func batches(rows []Row) []proof.Batch {
	var (
		hasher proof.Hasher
		out    []proof.Batch
		days   []int32 // of open, in order of their first row
		open   = map[int32]*openBatch{}
		record [2]int64 // epoch and sequence of what is open
		writer string
	)
	finish := func() {
		for _, d := range days {
			b := open[d]
			b.Count, b.Root = int64(b.tree.Size()), proof.Digest(b.tree.Root())
			out = append(out, b.Batch)
		}
		clear(open)
		days = days[:0]
	}
	for i := range rows {
		r := &rows[i]
		if of := [2]int64{r.Epoch, r.Sequence}; of != record || r.Writer != writer {
			finish()
			record, writer = of, r.Writer
		}
		day := r.Event.Day()
		b := open[day]
		if b == nil {
			b = &openBatch{Batch: proof.Batch{Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Day: dayName(day), First: r.Position}}
			open[day] = b
			days = append(days, day)
		}
		b.Last = r.Position
		b.tree.Add(hasher.Leaf(&proof.Event{ID: r.Event.ID, Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Position: r.Position,
			Accepted: r.Accepted, Provenance: r.Provenance, Conflict: r.Conflict, Text: r.Event.Hash}))
	}
	finish()
	return out
}

// statsOf is what the table's metadata says of a data file.
func statsOf(d iceberg.DataFile) *proof.Stats {
	s := &proof.Stats{Day: math.MinInt32, Rows: d.Count(), Size: d.FileSizeBytes(), Values: d.ValueCounts(), Nulls: d.NullValueCounts(), NaNs: d.NaNValueCounts(),
		Lower: d.LowerBoundValues(), Upper: d.UpperBoundValues()}
	switch day := d.Partition()[dayPartitionID].(type) {
	case iceberg.Date:
		s.Day = int32(day)
	case int32:
		s.Day = day
	case int:
		s.Day = int32(day)
	}
	return s
}

// below gives a location's path below the table's folder.
func below(tableLocation, uri string) (string, error) {
	path, ok := strings.CutPrefix(uri, tableLocation+"/")
	if !ok || path == "" {
		return "", fmt.Errorf("%s lies outside the table's folder %s", uri, tableLocation)
	}
	return path, nil
}

// snapshotOf tells the change from cur (nil: there was no table) to next, whose metadata file has that location and hash. sums are the hashes of
// data files that are known; others are read.
func (l *Lake) snapshotOf(ctx context.Context, cur, next table.Metadata, location string, metadata proof.Hash, sums map[string]proof.Hash) (proof.Snapshot, error) {
	var s proof.Snapshot
	at := next.Location()
	path, err := below(at, location)
	if err != nil {
		return s, err
	}
	s.Metadata = &proof.Object{Path: path, SHA256: proof.Digest(metadata)}
	if cur != nil {
		if p := cur.CurrentSnapshot(); p != nil {
			s.Parent = p.SnapshotID
		}
	}
	snap := next.CurrentSnapshot()
	if snap == nil {
		return s, nil
	}
	if s.ID = snap.SnapshotID; s.ID == s.Parent {
		return s, nil
	}
	files := tableFiles{ctx: ctx, store: l.objects, cache: l.cache, held: &l.held}
	object := func(uri string) (proof.Object, error) {
		path, err := below(at, uri)
		if err != nil {
			return proof.Object{}, err
		}
		b, err := files.read(uri)
		return proof.Object{Path: path, SHA256: sha256.Sum256(b)}, err
	}
	list, err := object(snap.ManifestList)
	if err != nil {
		return s, err
	}
	s.List = &list
	manifests, err := snap.Manifests(&files)
	if err != nil {
		return s, err
	}
	for _, m := range manifests {
		if m.SnapshotID() != s.ID {
			continue // an earlier change wrote it
		}
		o, err := object(m.FilePath())
		if err != nil {
			return s, err
		}
		s.Manifests = append(s.Manifests, o)
		for e, err := range m.Entries(&files, false) {
			if err != nil {
				return s, err
			}
			if e.SnapshotID() != s.ID || e.Status() == iceberg.EntryStatusEXISTING {
				continue
			}
			d := e.DataFile()
			path, err := below(at, d.FilePath())
			if err != nil {
				return s, err
			}
			if e.Status() == iceberg.EntryStatusDELETED {
				s.Removed = append(s.Removed, path)
				continue
			}
			sum, ok := sums[d.FilePath()]
			if !ok {
				if sum, err = l.sum(ctx, d.FilePath()); err != nil {
					return s, err
				}
			}
			s.Added = append(s.Added, proof.DataFile{Object: proof.Object{Path: path, SHA256: proof.Digest(sum)}, Size: d.FileSizeBytes(), Rows: d.Count(), Stats: statsOf(d).Digest()})
		}
	}
	slices.SortFunc(s.Added, func(a, b proof.DataFile) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(s.Removed)
	return s, nil
}

// sum reads a whole file for its hash.
func (l *Lake) sum(ctx context.Context, uri string) (sum proof.Hash, err error) {
	key, ok := l.objects.Key(uri)
	if !ok {
		return sum, fmt.Errorf("file %s lies outside the object store", uri)
	}
	r, err := l.objects.Get(ctx, key, 0, -1)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	_, err = io.Copy(h, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return sum, fmt.Errorf("file %s: %w", key, err)
	}
	return proof.Hash(h.Sum(nil)), nil
}

// leaves writes what a change tells the log: the batches that it brought, then what became of the table.
func leaves(brought []proof.Batch, s proof.Snapshot) ([][]byte, error) {
	out := make([][]byte, 0, len(brought)+1)
	add := func(leaf proof.Leaf) error {
		b, err := leaf.Encode()
		out = append(out, b)
		return err
	}
	for i := range brought {
		if err := add(proof.Leaf{Batch: &brought[i]}); err != nil {
			return nil, err
		}
	}
	for _, part := range s.Split() {
		if err := add(part); err != nil {
			return nil, err
		}
	}
	return out, nil
}
