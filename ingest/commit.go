package ingest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
)

// chunk is rows of one store that are written together.
type chunk struct {
	first    int64 // sequence of the first row
	applied  int64 // the store's Applied once it is committed
	begun    time.Time
	accepted int64 // of the first row, microseconds
	rows     []lake.Row
	bytes    atomic.Int64
	batches  []*batch
	held     *atomic.Int64 // the store's

	written chan struct{} // closed when files and err are set
	files   lake.Files
	err     error
}

// join holds a batch's memory until the chunk is written.
func (c *chunk) join(p part) {
	if n := len(c.batches); n == 0 || c.batches[n-1] != p.batch {
		p.refs.Add(1)
		c.held.Add(p.weight)
		c.batches = append(c.batches, p.batch)
	}
}

// release lets go of rows and batches.
func (c *chunk) release() {
	for _, b := range c.batches {
		c.held.Add(-b.weight)
		b.release()
	}
	c.rows, c.batches = nil, nil
}

// seal ends the chunk being gathered: it is written by a goroutine of its own, at most Config.Writers at once, and committed in its turn.
// It waits while the committer is behind, and is false where ingest is being closed.
func (s *store) seal() bool {
	s.mu.Lock()
	c := s.chunk
	s.chunk = nil
	s.sealed = append(s.sealed, c)
	s.mu.Unlock()
	s.rows = len(c.rows)
	s.in.sealed.Add(1)
	s.in.wg.Go(func() { s.write(c) })
	select {
	case s.chunks <- c:
		return true
	case <-s.in.ctx.Done():
		return false
	}
}

func (s *store) write(c *chunk) {
	defer func() {
		close(c.written)
		s.in.sealed.Add(-1)
		if s.in.waiting.Load() > 0 {
			s.in.nudge()
		}
	}()
	c.err = s.in.retry("write events", s.id, func() (err error) {
		// For a try alone: other stores write while this one waits for the next.
		if err := s.in.writers.Acquire(s.in.ctx, 1); err != nil {
			return err
		}
		defer s.in.writers.Release(1)
		c.files, err = s.in.cfg.Tables.Write(s.in.ctx, s.id, c.rows)
		return err
	})
	c.release()
}

// commit is the committer's goroutine. Chunks that are ready together are committed together: when the tables are behind, commits
// grow instead of queueing.
func (s *store) commit() {
	var next *chunk
	for {
		c := next
		if next = nil; c == nil {
			var ok bool
			if c, ok = <-s.chunks; !ok {
				return
			}
		}
		<-c.written
		n := 1
		var together bool
		for next, together = s.ready(); together && c.err == nil && next.err == nil; next, together = s.ready() {
			c.files.Join(next.files)
			c.applied = next.applied
			n++
		}
		if !s.commitOne(c, n) {
			return // ingest is being closed; the log has the events
		}
	}
}

// ready gives the next chunk where there is one; written says that it is written.
func (s *store) ready() (c *chunk, written bool) {
	select {
	case c, ok := <-s.chunks:
		if !ok {
			return nil, false
		}
		select {
		case <-c.written:
			return c, true
		default:
			return c, false
		}
	default:
		return nil, false
	}
}

// commitOne commits what n chunks have become. It is false where ingest is being closed.
func (s *store) commitOne(c *chunk, n int) bool {
	err := c.err
	if err == nil && s.isGone() {
		err = errGone
	}
	if err == nil {
		err = s.in.retry("commit", s.id, func() error { return s.in.cfg.Tables.Commit(s.in.ctx, s.id, c.files, c.applied) })
	}
	switch {
	case errors.Is(err, errGone):
		s.mu.Lock()
		s.gone = true // the applier drops the rest
		s.mu.Unlock()
		s.in.slog.Info("a store was deleted; events that had not reached its table are dropped", "store", s.id, "events", c.files.Rows)
	case err != nil:
		return false
	default:
		s.in.metrics.committed.Add(float64(c.files.Rows))
		s.in.metrics.lag.Observe(float64(s.in.cfg.Now().UnixMicro()-c.accepted) / 1e6)
	}
	s.mu.Lock()
	x := s.index
	s.mu.Unlock()
	if x != nil && err == nil {
		x.Applied(c.applied) // before the chunks leave sealed: whoever waits for that, as Flush and discardIndex do, finds the index told
	}
	s.mu.Lock()
	s.sealed = s.sealed[n:]
	s.mu.Unlock()
	s.in.release()
	return true
}

// retry does something for a store until it succeeds, the store turns out to be deleted (errGone), or ingest is closed (its context's error).
// Nothing that was accepted is given up because something fails.
func (in *Ingest) retry(what, id string, do func() error) error {
	wait := in.cfg.Backoff
	defer in.stalled.over(id, what)
	for tries := 1; ; tries++ {
		err := do()
		if err == nil {
			if tries > 1 {
				in.slog.Info("it works again: "+what, "store", id, "tries", tries)
				in.metrics.stalled.Dec()
			}
			return nil
		}
		if in.ctx.Err() == nil && in.isDeleted(id) {
			err = errGone
		}
		if in.ctx.Err() != nil || errors.Is(err, errGone) {
			if tries > 1 {
				in.metrics.stalled.Dec()
			}
			return errors.Join(in.ctx.Err(), err)
		}
		if tries == 1 {
			in.metrics.stalled.Inc()
		}
		in.slog.Error("failed, and is tried again: "+what, "store", id, "tries", tries, "again_in", wait, "error", err)
		in.stalled.failed(id, what, tries, in.cfg.Now(), err) // behind the log: who learns of it by the health check finds the cause there
		in.metrics.retries.Inc()
		select {
		case <-time.After(wait):
		case <-in.ctx.Done():
		}
		wait = min(2*wait, 100*in.cfg.Backoff)
	}
}

// isDeleted tells whether a store is no more. One that older metadata does not know may have been made since.
func (in *Ingest) isDeleted(id string) bool {
	if in.cfg.Sound() != nil {
		return false
	}
	_, err := in.cfg.Stores.Target(context.WithoutCancel(in.ctx), id)
	return errors.Is(err, meta.ErrNotFound)
}
