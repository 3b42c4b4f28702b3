package identity

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
)

// start starts the worker where there is something to do. The caller holds mu.
func (x *Index) start() {
	if x.working || x.closed || !x.due() {
		return
	}
	x.working = true
	go x.work()
}

// due tells whether a frozen table may go to disk, or runs are to be merged. The caller holds mu.
func (x *Index) due() bool {
	if len(x.frozen) > 0 && x.frozen[0].last <= x.applied {
		return true
	}
	_, n := x.mergeable()
	return n > 0
}

// work is the worker: it ends when nothing is due, or the disk fails (the next Applied starts it again), or the index is closed. Close waits
// for it.
func (x *Index) work() {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.changed.Broadcast()
	defer func() { x.working = false }()
	for !x.closed && x.due() {
		var err error
		if len(x.frozen) > 0 && x.frozen[0].last <= x.applied {
			err = x.flush()
		} else {
			err = x.merge()
		}
		if err != nil && !x.closed {
			if x.failed == nil {
				x.log.Error("writing the identity index failed; keys stay in memory", "dir", x.opt.Dir, "error", err)
			}
			x.failed = err
			return
		}
		x.failed = nil
		x.changed.Broadcast()
	}
}

// flush makes a run of the oldest frozen table. The caller holds mu, which is given up meanwhile.
func (x *Index) flush() error {
	t := x.frozen[0]
	name := x.nextName()
	x.mu.Unlock()
	r, err := x.write(name, uint64(t.n), slices.Values(t.sorted()))
	x.mu.Lock()
	if err != nil {
		return err
	}
	m := x.man
	m.Runs = append(slices.Clone(m.Runs), name)
	covered := t.last
	if x.filling {
		covered = m.Covered
	}
	// The tables behind may hold more of the same record, which is not on disk yet.
	for _, later := range append(slices.Clone(x.frozen[1:]), x.table) {
		if later.n > 0 && later.first <= covered {
			covered = later.first - 1
		}
	}
	m.Covered = max(m.Covered, covered)
	if err := x.install(m, append(slices.Clone(x.runs), r), nil); err != nil {
		return errors.Join(err, r.close())
	}
	x.frozen = slices.Clone(x.frozen[1:])
	return nil
}

// nextName names a run. The number is used up even where writing fails. The caller holds mu.
func (x *Index) nextName() string {
	x.man.Next++
	return fmt.Sprintf("%016x%s", x.man.Next-1, runSuffix)
}

// install makes a new set of runs the index's: first in the manifest, durable; then in memory. The caller holds mu; it is given up
// meanwhile, and nobody else than the worker changes man and runs.
func (x *Index) install(m manifest, runs, stale []*run) error {
	m.Next = x.man.Next
	x.mu.Unlock()
	err := x.writeManifest(m)
	x.mu.Lock()
	if err != nil {
		return err
	}
	x.man, x.runs = m, runs
	if x.checking {
		x.stale = append(x.stale, stale...)
		return nil
	}
	return closeRuns(stale)
}

func (x *Index) write(name string, most uint64, keys func(func(Key) bool)) (_ *run, err error) {
	path := filepath.Join(x.opt.Dir, name)
	w, err := newRunWriter(x.opt.FS, path, most)
	if err != nil {
		return nil, err
	}
	for k := range keys {
		if err = w.add(k); err != nil {
			break
		}
	}
	if err == nil {
		err = w.finish()
	}
	if err = errors.Join(err, w.file.Close()); err == nil {
		err = x.opt.FS.SyncDir(x.opt.Dir) // no manifest may name a run whose own name is not durable
	}
	if err != nil {
		return nil, errors.Join(err, x.opt.FS.Remove(path))
	}
	return openRun(x.opt.FS, path)
}

// mergeable finds runs to merge: the newest Fanout or more neighbours of one level. A run's level is the power of Fanout that its keys are of the
// memory's bound. The caller holds mu.
func (x *Index) mergeable() (from, n int) {
	level := func(r *run) (l int) {
		for c := r.count / uint64(x.opt.Memory); c >= uint64(x.opt.Fanout); c /= uint64(x.opt.Fanout) {
			l++
		}
		return l
	}
	for end := len(x.runs); end > 0; {
		start := end - 1
		for start > 0 && level(x.runs[start-1]) <= level(x.runs[end-1]) {
			start--
		}
		if end-start >= x.opt.Fanout {
			return start, end - start
		}
		end = start
	}
	return 0, 0
}

// merge makes one run of several. The caller holds mu, which is given up meanwhile.
func (x *Index) merge() (err error) {
	from, n := x.mergeable()
	sources := slices.Clone(x.runs[from : from+n])
	name := x.nextName()
	x.mu.Unlock()
	if x.opt.Merging != nil {
		x.opt.Merging <- struct{}{}
	}
	var r *run
	var most uint64
	var failed error
	for _, s := range sources {
		most += s.count
	}
	r, err = x.write(name, most, func(yield func(Key) bool) { failed = mergeRuns(sources, x.pause, yield) })
	if x.opt.Merging != nil {
		<-x.opt.Merging
	}
	x.mu.Lock()
	if err != nil || failed != nil {
		if r != nil {
			err = errors.Join(err, r.close(), x.opt.FS.Remove(r.name))
		}
		return errors.Join(err, failed)
	}
	m := x.man
	m.Runs = slices.Concat(m.Runs[:from], []string{name}, m.Runs[from+n:])
	runs := slices.Concat(x.runs[:from], []*run{r}, x.runs[from+n:])
	if err := x.install(m, runs, sources); err != nil {
		return errors.Join(err, r.close())
	}
	for _, s := range sources {
		err = errors.Join(err, x.opt.FS.Remove(s.name))
	}
	return err
}

// pause is called by a merge now and then: it lets tables go to disk meanwhile, so that a long merge holds up nobody, and ends the merge when
// the index is closed. The run that a flush adds lies behind those being merged.
func (x *Index) pause() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !x.closed && len(x.frozen) > 0 && x.frozen[0].last <= x.applied {
		if err := x.flush(); err != nil {
			return err
		}
		x.changed.Broadcast()
	}
	if x.closed {
		return errClosed
	}
	return nil
}

// mergeRuns yields the keys of runs in order, until yield wants no more. It reads the files from front to back, not through the filters' mapping, and
// checks every bucket.
func mergeRuns(runs []*run, pause func() error, yield func(Key) bool) error {
	cursors := make([]*cursor, 0, len(runs))
	for _, r := range runs {
		c := &cursor{run: r}
		if ok, err := c.next(); err != nil {
			return err
		} else if ok {
			cursors = append(cursors, c)
		}
	}
	for n := 0; len(cursors) > 0; n++ {
		if n&0xffff == 0 {
			if err := pause(); err != nil {
				return err
			}
		}
		least := cursors[0]
		for _, c := range cursors[1:] { // few; a heap is no faster
			if compare(c.key, least.key) < 0 {
				least = c
			}
		}
		if !yield(least.key) {
			return nil
		}
		ok, err := least.next()
		if err != nil {
			return err
		}
		if !ok {
			cursors = slices.DeleteFunc(cursors, func(c *cursor) bool { return c == least })
		}
	}
	return nil
}

// cursor goes through a run's entries in order.
type cursor struct {
	run    *run
	key    Key
	bucket int
	chunk  []byte // of several buckets
	at     int
}

// chunkBuckets is how many buckets are read at a time: about 400 KB.
const chunkBuckets = 128

func (c *cursor) next() (bool, error) {
	for c.at == len(c.chunk) {
		total := len(c.run.buckets)/bucketSize - 1
		if c.bucket == total {
			return false, nil
		}
		to := min(c.bucket+chunkBuckets, total)
		if err := c.read(c.bucket, to); err != nil {
			return false, err
		}
		c.bucket, c.at = to, 0
	}
	b := c.chunk[c.at:]
	c.at += entrySize
	c.key = Key{le.Uint64(b), [16]byte(b[8:24])}
	return true, nil
}

func (c *cursor) read(from, to int) error {
	r := c.run
	start := func(b int) int64 { return int64(le.Uint32(r.buckets[b*bucketSize:])) }
	n := (start(to) - start(from)) * entrySize
	if n < 0 || start(to) > int64(r.count) {
		return fmt.Errorf("%s: %w: buckets", r.name, ErrCorrupt)
	}
	c.chunk = slices.Grow(c.chunk[:0], int(n))[:n]
	if _, err := r.file.ReadAt(c.chunk, r.entries+start(from)*entrySize); err != nil && err != io.EOF {
		return err
	}
	for b := from; b < to; b++ {
		part := c.chunk[(start(b)-start(from))*entrySize : (start(b+1)-start(from))*entrySize]
		if crc32.Checksum(part, castagnoli) != le.Uint32(r.buckets[b*bucketSize+4:]) {
			return fmt.Errorf("%s: %w: bucket %d", r.name, ErrCorrupt, b)
		}
	}
	return nil
}
