package lake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lochlake/loch/objstore"
)

// Mover moves objects to colder storage in two steps. The object has the same key and content before, between and after them.
type Mover interface {
	// IsCold tells whether an object was moved.
	IsCold(ctx context.Context, key string) (bool, error)
	// CopyCold is the first step. It gives the path of the copy, "" where the object has no path and there is nothing to wait for.
	CopyCold(ctx context.Context, key string) (path string, err error)
	// MoveCold is the second step: from then on the object's old place leads to the copy. It is called when nobody holds the old file's path any more.
	MoveCold(ctx context.Context, key string) error
}

// Cold says how files of old days move to colder storage, in the background.
type Cold struct {
	Mover Mover
	// Days is how many days ago a file's day of eventTime must have ended.
	Days int
	// Share is as Compaction's.
	Share float64
	// Unmerged moves files that compaction would still merge, too: where there is no compaction.
	Unmerged bool
	// Least is the size of a file that is worth moving, in bytes.
	Least int64
}

const (
	coldEvery    = time.Minute // how often tables are looked at
	coldAtOnce   = 16          // files of a table that were copied and wait for queries to end
	coldFailures = 3           // after so many in a table the round goes on with the next
)

// cooler is what moving remembers between two rounds.
type cooler struct {
	Cold
	lake  *Lake
	known map[string]map[string]bool // by store: keys of live files that were moved
	pace  pace
}

// RunCold moves files to colder storage until ctx is done. Errors are logged, and what failed is tried again.
func (l *Lake) RunCold(ctx context.Context, c Cold) {
	m := l.cooler(c)
	pause := time.Duration(0) // what became old while the server was down moves first
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = max(pause, coldEvery)
		if err := m.round(ctx); err == nil {
			pause = coldEvery
		} else if ctx.Err() == nil {
			pause = min(2*pause, longestPause)
			l.log.Error("files were not moved to colder storage", "error", err, "again in", pause)
		}
	}
}

func (l *Lake) cooler(c Cold) *cooler {
	if c.Share <= 0 || c.Share > 1 {
		c.Share = 0.2
	}
	return &cooler{Cold: c, lake: l, known: map[string]map[string]bool{}, pace: pace{lake: l, share: c.Share}}
}

// round looks at every table once.
func (m *cooler) round(ctx context.Context) error {
	known := m.known
	m.known = map[string]map[string]bool{} // without the tables that are gone
	return m.lake.each(ctx, func(ctx context.Context, storeID string) error {
		m.known[storeID] = known[storeID]
		if err := m.table(ctx, storeID); err != nil {
			return fmt.Errorf("colder storage for store %s: %w", storeID, err)
		}
		return nil
	})
}

// table moves a table's old files.
func (m *cooler) table(ctx context.Context, storeID string) error {
	t, err := m.lake.table(ctx, storeID)
	if err != nil {
		return err
	}
	files, err := m.lake.finished(ctx, t, today()-int32(m.Days), m.Unmerged)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, f := range files {
		if m.known[storeID][f.Key] {
			known[f.Key] = true
		}
	}
	m.known[storeID] = known
	var errs []error
	moved, bytes, err := m.settle(ctx, t, known)
	if err != nil {
		errs = append(errs, err)
	}
	for _, f := range files {
		if known[f.Key] || f.Size < m.Least || t.isMoving(f.Key) {
			continue
		}
		if len(errs) >= coldFailures || t.moves() >= coldAtOnce {
			break
		}
		n, err := m.move(ctx, t, f, known)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			m.lake.metrics.coldFailures.Inc()
			errs = append(errs, err)
		case n > 0:
			moved, bytes = moved+1, bytes+n
		}
		if n, b, err := m.settle(ctx, t, known); err != nil {
			errs = append(errs, err)
		} else {
			moved, bytes = moved+n, bytes+b
		}
	}
	if moved > 0 {
		m.lake.log.Info("files moved to colder storage", "store", storeID, "files", moved, "bytes", bytes)
	}
	return errors.Join(errs...)
}

// move takes the first step, and tells the bytes that are moved with it already.
func (m *cooler) move(ctx context.Context, t *tableState, f *dataFile, known map[string]bool) (bytes int64, err error) {
	p, _, err := t.pin() // nothing that is live now is removed meanwhile
	if err != nil {
		return 0, err
	}
	defer p.Release()
	is, err := m.Mover.IsCold(ctx, f.Key)
	if err != nil || is {
		known[f.Key] = is
		if errors.Is(err, objstore.ErrNotExist) {
			return 0, nil // it was merged into another since the list was made
		}
		return 0, err
	}
	m.pace.since = time.Now()
	path, err := m.Mover.CopyCold(ctx, f.Key)
	if errors.Is(err, objstore.ErrNotExist) {
		return 0, nil // it was removed meanwhile
	}
	if err != nil {
		return 0, err
	}
	if path == "" {
		known[f.Key] = true
		m.lake.metrics.coldMoved(f.Size)
		return f.Size, m.pace.pause(ctx)
	}
	t.mu.Lock()
	t.moving[f.Key] = coldCopy{path, f.Size}
	t.mu.Unlock()
	return 0, m.pace.pause(ctx)
}

// coldCopy is a copy that plans already read, while the object is still in its old place for the plans before them: a query's process may open the file that it
// was given, and no other, for as long as it runs.
type coldCopy struct {
	path string
	size int64
}

func (t *tableState) isMoving(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.moving[key]
	return ok
}

func (t *tableState) moves() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.moving)
}

// settle takes the second step for the copies whose old files no plan has.
func (m *cooler) settle(ctx context.Context, t *tableState, known map[string]bool) (files int, bytes int64, err error) {
	free := map[string]coldCopy{}
	t.mu.Lock()
	for key, c := range t.moving {
		free[key] = c
	}
	for p := range t.plans {
		for _, f := range p.Files {
			if c, ok := free[f.Key]; ok && f.Local != c.path {
				delete(free, f.Key)
			}
		}
	}
	t.mu.Unlock()
	var errs []error
	for key, c := range free { // plans from now on have the copy
		if err := m.Mover.MoveCold(ctx, key); err != nil {
			m.lake.metrics.coldFailures.Inc()
			errs = append(errs, err)
			continue
		}
		t.mu.Lock()
		delete(t.moving, key)
		t.mu.Unlock()
		known[key] = true
		files, bytes = files+1, bytes+c.size
		m.lake.metrics.coldMoved(c.size)
	}
	return files, bytes, errors.Join(errs...)
}

// enter counts a plan, and gives it the copies of files that are being moved.
func (t *tableState) enter(p *Plan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plans[p] = true
	if len(t.moving) == 0 {
		return
	}
	for i := range p.Files {
		if c, ok := t.moving[p.Files[i].Key]; ok {
			p.Files[i].Local = c.path
		}
	}
}
