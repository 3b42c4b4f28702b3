package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// record names the rows of one record of the durable log and one day.
type record struct {
	writer          string
	epoch, sequence int64
	day             string
}

// removal is a leaf that told of events that went, and the files that its snapshot took out.
type removal struct {
	proof.Removal
	index int64
	files []proof.DataFile
}

// history is what a store's log tells, as far as it is needed to go on.
type history struct {
	size     int64                     // leaves
	files    map[string]proof.DataFile // live data files, by path
	objects  map[string]bool           // metadata, manifest lists and manifests that ever were
	metadata string                    // path of the table's present metadata; "": there is no table
	id       int64                     // of the present snapshot
	batches  map[record][]*proof.Batch // not removed
	erased   map[record]map[int32]bool // positions of tombstones
	erasing  map[record][]int32        // positions of erasures that stand behind the last snapshot
	halfway  bool                      // batches or erasures stand behind the last snapshot
	removal  *removal                  // behind the last snapshot
	removals []*removal
	open     bool // the last snapshot has parts that are not there
	stores   []*proof.Store
	told     int64 // index of the last of stores
	holds    []meta.Hold
	gone     bool
	sequence int64 // the greatest of all batches
}

// readHistory reads a store's log, all of it, under its checkpoint, which must be signed by the key. A log that has no checkpoint is empty.
func readHistory(ctx context.Context, log tlog.Reader, key proof.PublicKey) (*history, error) {
	h := &history{files: map[string]proof.DataFile{}, objects: map[string]bool{}, batches: map[record][]*proof.Batch{}, erased: map[record]map[int32]bool{}, erasing: map[record][]int32{}, told: -1}
	signed, err := log.Checkpoint(ctx)
	if errors.Is(err, objstore.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	cp, err := proof.OpenCheckpoint(signed, key, log.StoreID)
	if err != nil {
		return nil, err
	}
	var tree proof.Tree
	err = log.Leaves(ctx, cp.Size, func(index uint64, b []byte) error {
		tree.Add(proof.LeafHash(b))
		l, err := proof.DecodeLeaf(b)
		if err == nil {
			err = h.add(int64(index), &l)
		}
		if err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if tree.Root() != cp.Root {
		return nil, errors.New("the log's entries do not make the root of its checkpoint: it was changed (loch verify tells more)")
	}
	h.size = int64(cp.Size)
	return h, nil
}

func (h *history) add(index int64, l *proof.Leaf) error {
	switch {
	case l.Batch != nil:
		b := l.Batch
		at := record{b.Writer, b.Epoch, b.Sequence, b.Day}
		h.batches[at], h.halfway = append(h.batches[at], b), true
		h.sequence = max(h.sequence, b.Sequence)
	case l.Snapshot != nil:
		h.snapshot(l.Snapshot)
	case l.Erasure != nil:
		e := l.Erasure
		at := record{e.Writer, e.Epoch, e.Sequence, e.Day}
		if h.erased[at] == nil {
			h.erased[at] = map[int32]bool{}
		}
		h.erased[at][e.Position], h.halfway = true, true
		h.erasing[at] = append(h.erasing[at], e.Position)
	case l.Removal != nil:
		h.removal = &removal{Removal: *l.Removal, index: index}
		h.removals = append(h.removals, h.removal)
		h.gone = len(l.Removal.Days) == 0
		maps.DeleteFunc(h.batches, func(at record, _ []*proof.Batch) bool { return slices.Contains(l.Removal.Days, at.day) })
	case l.Store != nil:
		h.stores, h.told = append(h.stores, l.Store), index
	case l.Hold != nil:
		return h.hold(l.Hold)
	}
	return nil
}

func (h *history) snapshot(s *proof.Snapshot) {
	if s.Metadata != nil {
		h.metadata = s.Metadata.Path
		h.objects[s.Metadata.Path] = true
	}
	if s.List != nil {
		h.objects[s.List.Path] = true
	}
	for _, m := range s.Manifests {
		h.objects[m.Path] = true
	}
	for _, f := range s.Added {
		h.files[f.Path] = f
	}
	for _, path := range s.Removed {
		if h.removal != nil {
			h.removal.files = append(h.removal.files, h.files[path])
		}
		delete(h.files, path)
	}
	if h.open = s.Part < s.Parts; !h.open {
		h.id, h.halfway, h.removal = s.ID, false, nil
		clear(h.erasing)
	}
}

func (h *history) hold(l *proof.Hold) error {
	at, err := instant(l.At)
	if err != nil {
		return err
	}
	if l.Change == "lifted" {
		for i := range h.holds {
			if h.holds[i].ID == l.ID {
				h.holds[i].Lifted, h.holds[i].LiftedBy, h.holds[i].LiftReason = at, l.By, l.Reason
				return nil
			}
		}
		return fmt.Errorf("hold %s is lifted, and was not placed", l.ID)
	}
	from, err := instant(l.From)
	if err != nil {
		return err
	}
	to, err := instant(l.To)
	h.holds = append(h.holds, meta.Hold{ID: l.ID, From: from, To: to, Reason: l.Reason, Placed: at, PlacedBy: l.By})
	return err
}

// instant reads a time as leaves have it; "" is none.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

// dayOf is the day of eventTime whose events a data file has, by its path.
func dayOf(file string) string {
	_, day, _ := strings.Cut(file, "eventtime_day=")
	day, _, _ = strings.Cut(day, "/")
	return day
}

// dayNumber counts a day since the Unix epoch.
func dayNumber(day string) (int32, error) {
	t, err := time.Parse(time.DateOnly, day)
	return int32(t.Unix() / 86400), err
}

// prune removes what lies in a log's folder beyond its checkpoint, and so was never published: left by a crash, or by a replica that got the checkpoint later than the tiles. The
// log's next leaves may be others, and what was left would contradict them.
func prune(ctx context.Context, log tlog.Reader, size int64) error {
	var beyond []string
	prefix := log.Key("")
	err := log.Objects.List(ctx, prefix, "", func(o objstore.Object) error {
		if end, ok := tileEnd(strings.TrimPrefix(o.Key, prefix)); ok && end > size {
			beyond = append(beyond, o.Key)
		}
		return nil
	})
	if err != nil && !errors.Is(err, objstore.ErrNotExist) || len(beyond) == 0 {
		return err
	}
	// What is not whole under the checkpoint may be there in a longer form alone.
	edge, err := rightEdge(ctx, log, uint64(size))
	if err != nil {
		return err
	}
	for path, content := range edge {
		if err := log.Objects.Put(ctx, log.Key(path), bytes.NewReader(content), int64(len(content)), false); err != nil {
			return err
		}
	}
	for _, key := range beyond {
		if err := log.Objects.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// rightEdge reads the tiles and the bundle of a log of so many leaves that are not whole, by path.
func rightEdge(ctx context.Context, log tlog.Reader, size uint64) (map[string][]byte, error) {
	edge := map[string][]byte{}
	for level, n := 0, size; n > 0; level, n = level+1, n/proof.TileWidth {
		index, w := n/proof.TileWidth, int(n%proof.TileWidth)
		if w == 0 {
			continue
		}
		hashes, err := log.Tile(ctx, level, index, w)
		if err != nil {
			return nil, err
		}
		edge[proof.TilePath(level, index, w)] = proof.AppendTile(nil, hashes)
		if level > 0 {
			continue
		}
		entries, err := log.Entries(ctx, index, w)
		if err != nil {
			return nil, err
		}
		var bundle []byte
		for i, e := range entries {
			if proof.LeafHash(e) != hashes[i] {
				return nil, foreign(proof.EntriesPath(index, w))
			}
			if bundle, err = proof.AppendEntry(bundle, e); err != nil {
				return nil, err
			}
		}
		edge[proof.EntriesPath(index, w)] = bundle
	}
	return edge, nil
}

// tileEnd is the least number of leaves that a log must have for a tile or bundle of that path to be a part of it (C2SP tlog-tiles).
func tileEnd(path string) (end int64, ok bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return 0, false
	}
	kind, rest, _ := strings.Cut(rest, "/")
	level := int64(0)
	if kind != "entries" {
		var err error
		if level, err = strconv.ParseInt(kind, 10, 8); err != nil || level > 7 {
			return 0, false
		}
	}
	width := int64(proof.TileWidth)
	rest, part, partial := strings.Cut(rest, ".p/")
	if partial {
		var err error
		if width, err = strconv.ParseInt(part, 10, 16); err != nil {
			return 0, false
		}
	}
	index := int64(0)
	for digits := range strings.SplitSeq(rest, "/") {
		n, err := strconv.ParseInt(strings.TrimPrefix(digits, "x"), 10, 16)
		if err != nil {
			return 0, false
		}
		index = index*1000 + n
	}
	return (index*proof.TileWidth + width) << (8 * level), true
}
