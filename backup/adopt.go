package backup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// A table's metadata lies in the bucket before a commit is one, and its log tells of it a second later. So the newest metadata there may be one that the log does not tell of:
// what was committed in the last second before the disk was lost. It is adopted: the log is told what it brought, from the rows themselves.

// adopted is where a table stands, and what its log must still be told.
type adopted struct {
	metadata string // path
	leaves   [][]byte
	sequence int64           // the greatest of the rows that are new
	events   int64           // that are new
	away     map[string]bool // days and erased events that were taken away, and that the log does not tell of
	erased   bool            // leaves tell of erasures
	notes    []string
	removed  *removal
	rows     map[record]map[int32]row // that are new
	tip      string                   // key of the metadata file of the newest version that it is
	back     int                      // 1: it is the one that tip was made from
}

// adopter brings one store's log up to its table.
type adopter struct {
	objects objstore.Store
	id      string
	kind    event.Kind
	h       *history
	temp    string
	due     func(days []int32, at time.Time) time.Time // when events of the days were due to go by the store's retention
}

func (a *adopter) folder() string { return "tables/" + a.id + "/" }

// adopt makes the leaves of what leads from where the log stands to the metadata with that key.
func (a *adopter) adopt(ctx context.Context, key string) (got adopted, err error) {
	if a.h.open {
		return got, errors.New("the log ends between the parts of a change, which cannot be completed")
	}
	folder := a.folder()
	got.metadata = key[len(folder):]
	s := proof.Snapshot{Parent: a.h.id}
	gone := maps.Clone(a.h.files)
	days := map[string]int64{} // rows of the table
	s.ID, _, err = lake.Inspect(ctx, a.objects, a.objects.URI(key), lake.Inspection{
		Object: func(path string, sum proof.Hash) {
			switch o := (proof.Object{Path: path, SHA256: proof.Digest(sum)}); {
			case path == got.metadata:
				s.Metadata = &o
			case !a.h.objects[path]:
				s.Manifests = append(s.Manifests, o) // lists of snapshots, too
			}
		},
		File: func(path string, stats *proof.Stats) {
			days[dayOf(path)] += stats.Rows
			if _, ok := gone[path]; ok {
				delete(gone, path)
				return
			}
			s.Added = append(s.Added, proof.DataFile{Object: proof.Object{Path: path}, Size: stats.Size, Rows: stats.Rows, Stats: stats.Digest()})
		},
	})
	if err != nil {
		return got, err
	}
	rows := map[record]map[int32]row{}
	for i := range s.Added {
		f := &s.Added[i]
		sum, err := a.rows(ctx, f.Path, f.Rows, rows)
		if err != nil {
			return got, err
		}
		f.SHA256 = proof.Digest(sum)
	}
	s.Removed = slices.Sorted(maps.Keys(gone))
	erasures, err := a.erasures(rows)
	if err != nil {
		return got, err
	}
	for at, positions := range a.h.erasing {
		for _, p := range positions {
			if !rows[at][p].erased && days[at.day] > 0 {
				return got, a.untold("event %d of sequence %d and day %s is not erased", p, at.sequence, at.day)
			}
		}
	}
	if err := a.brought(&got, rows); err != nil {
		return got, err
	}
	got.rows = rows
	lost, err := a.lost(days, rows)
	if err != nil {
		return got, err
	}
	got.away = map[string]bool{}
	for _, what := range slices.Concat(slices.Collect(maps.Keys(lost)), slices.Collect(maps.Keys(erasures))) {
		got.away[what] = true
	}
	got.erased = len(erasures) > 0
	for _, what := range slices.Sorted(maps.Keys(erasures)) {
		got.leaves = append(got.leaves, erasures[what])
	}
	if a.h.removal != nil && len(got.leaves) > 0 {
		return got, a.untold("the log ends between a removal and its change of the table, which cannot be completed")
	}
	if err := a.removal(&got, lost, gone); err != nil {
		return got, err
	}
	slices.SortFunc(s.Added, func(x, y proof.DataFile) int { return cmp.Compare(x.Path, y.Path) })
	for _, part := range s.Split() {
		b, err := part.Encode()
		if err != nil {
			return got, err
		}
		got.leaves = append(got.leaves, b)
	}
	return got, nil
}

// row is an event as its batch's tree has it.
type row struct {
	leaf   proof.Hash
	erased bool         // it is a tombstone
	entry  proof.Digest // of an erased one, as its leaf has it; and its time
	time   string
}

func inOrder(rows map[record]map[int32]row) []record {
	return slices.SortedFunc(maps.Keys(rows), func(x, y record) int {
		return cmp.Or(cmp.Compare(x.writer, y.writer), cmp.Compare(x.epoch, y.epoch), cmp.Compare(x.sequence, y.sequence), cmp.Compare(x.day, y.day))
	})
}

// erasures makes leaves of the tombstones that the log does not tell of, by which event they are of. Why there is one, nobody knows any more.
func (a *adopter) erasures(rows map[record]map[int32]row) (leaves map[string][]byte, err error) {
	leaves = map[string][]byte{}
	for _, at := range inOrder(rows) {
		for _, position := range slices.Sorted(maps.Keys(rows[at])) {
			of := rows[at][position]
			if !of.erased || a.h.erased[at][position] {
				continue
			}
			b, err := proof.Leaf{Erasure: &proof.Erasure{Writer: at.writer, Epoch: at.epoch, Sequence: at.sequence, Day: at.day, Position: position, Time: of.time, Entry: of.entry,
				Reason: "not known: the disk was lost before the log told of it", By: "loch recover", At: proof.Time(time.Now())}}.Encode()
			if err != nil {
				return nil, err
			}
			leaves[fmt.Sprint(at, position)] = b
		}
	}
	return leaves, nil
}

// brought leaves of the rows those that no batch of the log has, and tells of them.
func (a *adopter) brought(got *adopted, rows map[record]map[int32]row) error {
	for at, list := range rows {
		for _, b := range a.h.batches[at] {
			maps.DeleteFunc(list, func(position int32, _ row) bool { return position >= b.First && position <= b.Last })
		}
	}
	for _, at := range inOrder(rows) {
		positions := slices.Sorted(maps.Keys(rows[at]))
		if len(positions) == 0 {
			continue
		}
		var tree proof.Tree
		for _, p := range positions {
			tree.Add(rows[at][p].leaf)
		}
		b, err := proof.Leaf{Batch: &proof.Batch{Writer: at.writer, Epoch: at.epoch, Sequence: at.sequence, Day: at.day, First: positions[0], Last: positions[len(positions)-1],
			Count: int64(len(positions)), Root: proof.Digest(tree.Root())}}.Encode()
		if err != nil {
			return err
		}
		got.leaves = append(got.leaves, b)
		got.sequence = max(got.sequence, at.sequence)
		got.events += int64(len(positions))
	}
	return nil
}

// lost gives the days whose events are gone from the table. rows are those that are new.
func (a *adopter) lost(days map[string]int64, rows map[record]map[int32]row) (map[string]bool, error) {
	told := map[string]int64{}
	for at, list := range a.h.batches {
		for _, b := range list {
			told[at.day] += b.Count
		}
	}
	kept := maps.Clone(days)
	for at, list := range rows {
		kept[at.day] -= int64(len(list))
	}
	lost := map[string]bool{}
	for day, n := range told {
		if kept[day] == 0 && n > 0 {
			lost[day] = true
			delete(kept, day)
		}
	}
	for day, n := range kept {
		if n != told[day] {
			return nil, a.untold("the table has %d events of %s that the log must know, and the log tells of %d", n, day, told[day])
		}
	}
	return lost, nil
}

// removal tells of days whose events went by retention.
func (a *adopter) removal(got *adopted, days map[string]bool, gone map[string]proof.DataFile) error {
	if len(days) == 0 {
		return nil
	}
	at := time.Now()
	r := removal{index: a.h.size, Removal: proof.Removal{Rule: "retention", At: proof.Time(at), Days: slices.Sorted(maps.Keys(days))}}
	var numbers []int32
	for _, d := range r.Days {
		n, err := dayNumber(d)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	r.Due = proof.Time(a.due(numbers, at))
	for path, f := range gone {
		if days[dayOf(path)] {
			r.files = append(r.files, f)
		}
	}
	b, err := proof.Leaf{Removal: &r.Removal}.Encode()
	got.leaves, got.removed = append(got.leaves, b), &r
	return err
}

// rows adds a data file's rows, and gives the file's hash. A file that is not what it should be cannot be gone on with.
func (a *adopter) rows(ctx context.Context, at string, rows int64, to map[record]map[int32]row) (sum proof.Hash, err error) {
	key := a.folder() + at
	file, err := os.CreateTemp(a.temp, "loch-recover-*.parquet")
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	in, err := a.objects.Get(ctx, key, 0, -1)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, h), in)
	if err = errors.Join(err, in.Close()); err != nil {
		return sum, fmt.Errorf("%s: %w", key, err)
	}
	var hasher proof.Hasher
	problems, err := lake.CheckFile(ctx, a.kind, file.Name(), rows, nil, func(k *lake.Kept) error {
		r := record{k.Writer, k.Epoch, k.Sequence, time.Unix(int64(k.Day)*86400, 0).UTC().Format(time.DateOnly)}
		if to[r] == nil {
			to[r] = map[int32]row{}
		}
		if _, twice := to[r][k.Position]; twice {
			return fmt.Errorf("event %d of sequence %d and day %s is in the table twice", k.Position, k.Sequence, r.day)
		}
		of := row{leaf: hasher.Leaf(&k.Event), erased: k.Erased}
		if k.Erased {
			of.entry, of.time = proof.Digest(hasher.Entry(&k.Event)), proof.Time(time.UnixMicro(k.Time))
		}
		to[r][k.Position] = of
		return nil
	})
	if err == nil && len(problems) > 0 {
		err = errors.New(problems[0])
	}
	if err != nil {
		return sum, fmt.Errorf("%s: %w", key, err)
	}
	return proof.Hash(h.Sum(nil)), nil
}
