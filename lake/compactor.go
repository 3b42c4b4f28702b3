package lake

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Compaction says how a lake's small files become large ones, in the background.
type Compaction struct {
	// Dir holds files that are being merged, at most some hundreds of megabytes; it is emptied at the start.
	Dir string
	// Share is how much of one core's time compaction may take while rows are written or queries run; with nothing else to do it takes one core.
	// 0 means a fifth.
	Share float64
	// Quiet is how long a day must have got no new file before the rest of its small files is merged. 0 means two minutes.
	Quiet time.Duration
	// Every is how often tables are looked at. 0 means five seconds.
	Every time.Duration
}

const (
	compactEvery = 5 * time.Second
	orphanAge    = 24 * time.Hour   // an object that nothing names is removed when it is older
	orphansEvery = 24 * time.Hour   // how often they are looked for
	forgetEvery  = time.Minute      // how often old snapshots of tables without commits are looked for
	orphansFirst = 15 * time.Minute // after a start: readers outside this server may have begun before
	keepReplaced = time.Hour        // how long readers outside this server may take over a snapshot whose files were merged
	giveUp       = 3                // tries at a file that cannot be merged
	longestPause = 5 * time.Minute  // between tries where merging fails
)

// RunCompaction compacts all tables, one job at a time, until ctx is done; it is to be called once. It forgets snapshots whose time is over, and removes what a crash left
// behind. The first error is that of Dir; later ones are logged, and what failed is tried again.
func (l *Lake) RunCompaction(ctx context.Context, c Compaction) error {
	if c.Share <= 0 || c.Share > 1 {
		c.Share = 0.2
	}
	if c.Quiet <= 0 {
		c.Quiet = quietTime
	}
	if c.Every <= 0 {
		c.Every = compactEvery
	}
	if err := errors.Join(os.RemoveAll(c.Dir), os.MkdirAll(c.Dir, 0o700)); err != nil {
		return err
	}
	l.compaction = c
	pause, sweep, forget := c.Every, time.Now().Add(orphansFirst), time.Now()
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		l.worked = false
		err := l.each(ctx, l.compactAll)
		l.metrics.idle.Set(float64(bit(!l.worked && err == nil)))
		if err == nil && time.Since(forget) >= forgetEvery {
			err, forget = l.each(ctx, l.forget), time.Now()
		}
		if err == nil && time.Now().After(sweep) {
			if err = l.each(ctx, l.RemoveOrphans); err == nil {
				sweep = time.Now().Add(orphansEvery)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			pause = min(2*pause, longestPause)
			l.log.Error("compaction", "error", err, "again in", pause)
		default:
			pause = c.Every
		}
	}
}

// each calls fn for every store that has a table.
func (l *Lake) each(ctx context.Context, fn func(ctx context.Context, storeID string) error) error {
	rows, err := l.db.Tables(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, row := range rows {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fn(ctx, row.StoreID); err != nil && !errors.Is(err, ErrNoTable) { // it may be dropped meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// compactAll compacts a table until there is nothing left to do.
func (l *Lake) compactAll(ctx context.Context, storeID string) error {
	for {
		worked, err := l.Compact(ctx, storeID)
		if err != nil || !worked {
			return err
		}
		l.worked = true
	}
}

// pace lets others go first.
type pace struct {
	lake  *Lake
	share float64   // of the time, while there is other work
	since time.Time // when work went on
}

// step is the least work between two pauses.
const step = 5 * time.Millisecond

// pause returns at once where nothing else is to be done, and else after so long that the share is kept.
func (p *pace) pause(ctx context.Context) error {
	worked := time.Since(p.since)
	if worked < step {
		return ctx.Err()
	}
	p.lake.metrics.compactWork.Add(worked.Seconds())
	if p.lake.load.busy() {
		select {
		case <-time.After(time.Duration(float64(worked) * (1/p.share - 1))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.since = time.Now()
	return ctx.Err()
}

// load tells whether the lake has anything to do but compact: rows are written, plans are held, or were a moment ago.
type load struct {
	running atomic.Int64
	last    atomic.Int64 // when something ended, in nanoseconds since the epoch
}

// afterglow is how long the lake counts as busy after its last work: between two batches of an import there is little time.
const afterglow = 500 * time.Millisecond

func (b *load) begin() { b.running.Add(1) }

func (b *load) end() {
	b.last.Store(time.Now().UnixNano())
	b.running.Add(-1)
}

func (b *load) busy() bool {
	return b.running.Load() > 0 || time.Now().UnixNano()-b.last.Load() < int64(afterglow)
}

// keySet is a set of objects' keys.
type keySet struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (s *keySet) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]bool{}
	}
	s.keys[key] = true
}

func (s *keySet) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

func (s *keySet) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[key]
}
