package verify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// table verifies a store's table against its history.
func (r *run) table(ctx context.Context, id string, h *history, row meta.Table) error {
	folder := "tables/" + id + "/"
	defer r.inOrder(len(r.report.Findings))
	if h.metadata == nil {
		if row.Location != "" && !h.deleted {
			r.found(id, folder, "the log tells of no table")
		}
		return r.leftovers(ctx, id, h, nil)
	}
	if row.Location == "" && h.unmade() { // its table went, or was lost with it
		return r.leftovers(ctx, id, h, nil)
	}
	location := r.Objects.URI(folder + h.metadata.Path)
	switch {
	case r.Meta == nil:
	case row.Location == "":
		r.found(id, "metadata: table", "the metadata knows no table, and the log tells of one")
	case row.Location != location:
		r.found(id, "metadata: table", "the table stands at %s, and by its log at %s", row.Location, location)
	default:
		r.applied(ctx, id, row)
	}
	checked := map[string]bool{}
	left := maps.Clone(h.files)
	said := saying{}
	var packErr error
	current, kind, err := lake.Inspect(ctx, r.Objects, location, lake.Inspection{
		Object: func(path string, sum proof.Hash) {
			checked[path] = true
			switch want, ok := h.objects[path]; {
			case !ok:
				r.found(id, folder+path, "the log does not tell of it")
			case want != proof.Digest(sum):
				r.found(id, folder+path, "changed: its SHA-256 is %s, and by the log %s", proof.Digest(sum), want)
			}
		},
		Missing: func(path string) { r.found(id, folder+path, "missing") },
		File: func(path string, stats *proof.Stats) {
			f, ok := left[path]
			delete(left, path)
			if r.Full {
				packErr = errors.Join(packErr, said.add(path, stats))
			}
			switch {
			case !ok:
				r.found(id, folder+path, "is a file of the table, and the log does not tell of it")
			case f.Rows != stats.Rows || f.Size != stats.Size || f.Stats != stats.Digest():
				r.found(id, folder+path, "the table's metadata says other of it than the log (%d rows of %d bytes, by the log %d of %d): its statistics were changed", stats.Rows, stats.Size, f.Rows, f.Size)
			}
		},
	})
	if err := errors.Join(ctx.Err(), packErr); err != nil {
		return err
	}
	if err != nil {
		r.found(id, folder+h.metadata.Path, "the table's metadata cannot be read: %v", err)
	} else {
		if current != h.id {
			r.found(id, folder, "the table stands at snapshot %d, and by its log at %d", current, h.id)
		}
		for path := range left {
			r.found(id, folder+path, "is a file of the table by the log, and not by the table's metadata")
		}
	}
	if err := r.leftovers(ctx, id, h, checked); err != nil {
		return err
	}
	r.report.Events += h.events
	r.report.Erased += h.erasures()
	for _, f := range h.files {
		r.total.Add(f.Size)
	}
	if kind == 0 && h.store != nil {
		for _, k := range event.Kinds() {
			if k.String() == h.store.Kind {
				kind = k
			}
		}
	}
	return r.files(ctx, id, h, kind, said)
}

// inOrder puts the findings from the first on in the order of their objects, whichever core came upon them first.
func (r *run) inOrder(first int) {
	slices.SortStableFunc(r.report.Findings[first:], func(a, b Finding) int { return strings.Compare(a.Object, b.Object) })
}

// saying is what the table's metadata says of its files, by path, packed: four kilobytes a file instead of fifteen.
type saying map[string][]byte

func (s saying) add(path string, stats *proof.Stats) error {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(stats)
	s[path] = b.Bytes()
	return err
}

// of gives what is said of a file, nil where nothing is.
func (s saying) of(path string) (*proof.Stats, error) {
	b, ok := s[path]
	if !ok {
		return nil, nil
	}
	var stats proof.Stats
	err := gob.NewDecoder(bytes.NewReader(b)).Decode(&stats)
	return &stats, err
}

// leftovers checks what lies in the table's folder besides what the table names: old metadata, whose hash the log has.
func (r *run) leftovers(ctx context.Context, id string, h *history, checked map[string]bool) error {
	folder := "tables/" + id + "/"
	var old []string
	err := r.Objects.List(ctx, folder, "", func(o objstore.Object) error {
		path := strings.TrimPrefix(o.Key, folder)
		switch _, live := h.files[path]; {
		case live || checked[path]:
		case h.objects[path] != proof.Digest{}:
			old = append(old, path)
		default:
			r.report.Orphans++
		}
		return nil
	})
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		return err
	}
	return each(ctx, old, func(ctx context.Context, path string) error {
		b, err := r.read(ctx, folder+path)
		if errors.Is(err, objstore.ErrNotExist) && r.Live {
			return nil // it was on its way out
		}
		if err == nil && h.objects[path] != sha256.Sum256(b) {
			r.found(id, folder+path, "changed: its SHA-256 is not the one that the log has")
		}
		return err
	})
}

// eventsAtOnce bounds the events of the days that are begun and not yet balanced, unless a single day has more: each takes some 100 bytes of memory.
const eventsAtOnce = 4 << 20

// files verifies the data files, on all cores, in the order of days: many days have but one file. A day is balanced when its last file is done.
func (r *run) files(ctx context.Context, id string, h *history, kind event.Kind, said saying) error {
	batches := h.byDay()
	days := map[string][]proof.DataFile{}
	for _, f := range h.files {
		_, day, _ := strings.Cut(filepath.Dir(f.Path), "eventtime_day=")
		days[day] = append(days[day], f)
	}
	for day := range batches {
		days[day] = append(days[day], []proof.DataFile{}...)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	room := semaphore.NewWeighted(eventsAtOnce)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		c := &dayCheck{run: r, id: id, day: day, kind: kind, said: said, rows: map[record][]placed{}, told: h.erased}
		files := days[day]
		slices.SortFunc(files, func(a, b proof.DataFile) int { return strings.Compare(a.Path, b.Path) })
		var events int64
		for _, f := range files {
			if r.Full {
				events += f.Rows
			}
		}
		events = max(0, min(events, eventsAtOnce))
		if room.Acquire(gctx, events) != nil {
			break // a file could not be read, or the caller gave up
		}
		balance := func() {
			if r.Full {
				c.balance(batches[day])
			}
			room.Release(events)
		}
		if len(files) == 0 {
			balance()
			continue
		}
		var left atomic.Int64
		left.Store(int64(len(files)))
		for _, f := range files {
			g.Go(func() error {
				if err := c.file(gctx, f); err != nil {
					return err
				}
				if left.Add(-1) == 0 {
					balance()
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// placed is an event's leaf and its place in its record.
type placed struct {
	position int32
	leaf     proof.Hash
	erased   bool   // the row is a tombstone
	time     string // of an erased one, as leaves write it
}

// dayCheck gathers the events of a day of a store.
type dayCheck struct {
	*run
	id, day string
	kind    event.Kind
	said    saying
	broken  bool // a file could not be read to the end: what is missing is not told once more

	told   map[record]map[int32]*proof.Erasure // by the log, of every day
	rowsMu sync.Mutex
	rows   map[record][]placed
}

// file checks one file's hash, and with Full its rows.
func (c *dayCheck) file(ctx context.Context, f proof.DataFile) error {
	key := "tables/" + c.id + "/" + f.Path
	path := c.Objects.LocalPath(key)
	var copied io.Writer = io.Discard
	if path == "" && c.Full {
		out, err := os.CreateTemp(c.TempDir, "loch-verify-*.parquet")
		if err != nil {
			return err
		}
		path = out.Name()
		defer os.Remove(path)
		defer out.Close()
		copied = out
	}
	sum := sha256.New()
	n, err := c.copy(ctx, key, f.Size, io.MultiWriter(hashOnly{sum}, copied))
	if errors.Is(err, objstore.ErrNotExist) {
		c.found(c.id, key, "missing")
		c.rowsMu.Lock()
		c.broken = true
		c.rowsMu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	if got := proof.Digest(sum.Sum(nil)); n != f.Size || got != f.SHA256 {
		c.found(c.id, key, "changed: %d bytes with SHA-256 %s, by the log %d with %s", n, got, f.Size, f.SHA256)
	}
	c.mu.Lock()
	c.report.Files++
	c.report.Bytes += n
	c.mu.Unlock()
	if !c.Full {
		return nil
	}
	return c.events(ctx, f, key, path)
}

// copyBuffers: to make and clear a buffer for each of many files takes as long as hashing them.
var copyBuffers = sync.Pool{New: func() any { return new([1 << 20]byte) }}

type hashOnly struct{ hash.Hash }

// copy stops soon after the size that the log has, for an untrusted server may send without end.
func (c *dayCheck) copy(ctx context.Context, key string, size int64, to io.Writer) (n int64, err error) {
	in, err := c.Objects.Get(ctx, key, 0, -1)
	if err != nil {
		return 0, err
	}
	buf := copyBuffers.Get().(*[1 << 20]byte)
	defer copyBuffers.Put(buf)
	for err == nil && n <= size {
		if err = ctx.Err(); err != nil {
			break
		}
		var m int
		m, err = in.Read(buf[:])
		if _, werr := to.Write(buf[:m]); werr != nil {
			err = werr
		}
		n += int64(m)
		c.progress(int64(m), 0)
	}
	if err == io.EOF {
		err = nil
	}
	return n, errors.Join(err, in.Close())
}

// events reads a file's rows.
func (c *dayCheck) events(ctx context.Context, f proof.DataFile, key, path string) error {
	said, err := c.said.of(f.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	var hasher proof.Hasher
	rows := map[record][]placed{}
	var n, told int64
	problems, err := lake.CheckFile(ctx, c.kind, path, f.Rows, said, func(k *lake.Kept) error {
		n++
		if told++; told == 4096 {
			c.progress(0, told)
			told = 0
		}
		at := record{k.Writer, k.Epoch, k.Sequence, time.Unix(int64(k.Day)*86400, 0).UTC().Format(time.DateOnly)}
		rows[at] = append(rows[at], placed{k.Position, hasher.Leaf(&k.Event), k.Erased, erasedTime(k)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	c.progress(0, told)
	for _, p := range problems {
		c.found(c.id, key, "%s", p)
	}
	c.rowsMu.Lock()
	defer c.rowsMu.Unlock()
	c.broken = c.broken || n != f.Rows
	for at, list := range rows {
		c.rows[at] = append(c.rows[at], list...)
	}
	c.mu.Lock()
	c.report.Checked += n
	c.mu.Unlock()
	return nil
}

func (a record) compare(b record) int {
	return cmp.Or(cmp.Compare(a.writer, b.writer), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.sequence, b.sequence), cmp.Compare(a.day, b.day))
}

// balance builds the batches' trees from the day's events: each must have the root that the log has, and no event may be left over.
func (c *dayCheck) balance(batches []*proof.Batch) {
	where := "tables/" + c.id + "/data/eventtime_day=" + c.day
	for at, list := range c.rows {
		slices.SortFunc(list, func(a, b placed) int { return int(a.position) - int(b.position) })
		c.rows[at] = list
	}
	for _, b := range batches {
		at := record{b.Writer, b.Epoch, b.Sequence, b.Day}
		list := c.rows[at]
		from, _ := slices.BinarySearchFunc(list, b.First, func(p placed, n int32) int { return int(p.position) - int(n) })
		to := from
		var tree proof.Tree
		for to < len(list) && list[to].position <= b.Last {
			tree.Add(list[to].leaf)
			c.erasure(where, at, list[to])
			to++
		}
		name := fmt.Sprintf("batch of sequence %d, positions %d to %d", b.Sequence, b.First, b.Last)
		switch {
		case int64(to-from) < b.Count && c.broken: // told by the file
		case int64(to-from) != b.Count:
			c.found(c.id, where, "%s has %d events, and by the log %d", name, to-from, b.Count)
		case proof.Digest(tree.Root()) != b.Root:
			c.found(c.id, where, "%s: an event in it is not the one that was accepted, or has changed its place", name)
		}
		c.rows[at] = slices.Delete(list, from, to)
	}
	for _, at := range slices.SortedFunc(maps.Keys(c.rows), record.compare) {
		if list := c.rows[at]; len(list) > 0 {
			c.found(c.id, where, "%d events of sequence %d and day %s belong to no batch of the log", len(list), at.sequence, at.day)
		}
	}
}
