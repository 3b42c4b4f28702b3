package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/identity"
	"github.com/lochlake/loch/lake"
)

// errGone: the store was deleted.
var errGone = errors.New("store was deleted")

// part is a store's share of a batch.
type part struct {
	*batch
	rows []int32
}

// store is one store's pipeline: an applier, which checks identities and gathers chunks, and a committer. Both sleep while nothing is to be done.
type store struct {
	in     *Ingest
	id     string
	wake   chan struct{} // of the applier
	chunks chan *chunk   // sealed, in order, to the committer

	held atomic.Int64 // bytes of batches in queue and chunks

	mu     sync.Mutex
	queue  []part // the first is being applied
	chunk  *chunk // being gathered, or nil
	sealed []*chunk
	gone   bool // the store was deleted
	index  *identity.Index

	// The applier's own.
	dropped  bool
	verdicts []identity.Verdict
	keys     []identity.Key
	outcomes []uint8
	rows     int // of the chunk sealed last
}

func newStore(in *Ingest, id string) *store {
	return &store{in: in, id: id, wake: make(chan struct{}, 1), chunks: make(chan *chunk, 4)}
}

func (s *store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// enqueue takes a part. Its memory is bounded by Ingest.room.
func (s *store) enqueue(p part) {
	s.held.Add(p.weight)
	s.mu.Lock()
	s.queue = append(s.queue, p)
	s.mu.Unlock()
	s.signal()
}

// lowest is the least sequence that the store has not applied, or the greatest number where nothing is left to do.
func (s *store) lowest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.sealed) > 0:
		return s.sealed[0].first
	case s.chunk != nil:
		return s.chunk.first
	case len(s.queue) > 0:
		return s.queue[0].sequence
	}
	return math.MaxInt64
}

// apply is the applier's goroutine.
func (s *store) apply() {
	defer close(s.chunks)
	for s.in.ctx.Err() == nil {
		s.mu.Lock()
		var p *part
		if len(s.queue) > 0 {
			p = &s.queue[0]
		}
		c := s.chunk
		s.mu.Unlock()
		if c != nil && (time.Since(c.begun) >= s.in.cfg.ChunkDelay || p == nil && s.in.hurry(c)) {
			s.seal()
			continue
		}
		if p != nil {
			s.take(*p)
			continue
		}
		var due <-chan time.Time
		if c != nil {
			due = time.After(s.in.cfg.ChunkDelay - time.Since(c.begun))
		}
		select {
		case <-s.wake:
		case <-due:
		case <-s.in.ctx.Done():
		}
	}
}

// take applies the first part of the queue and takes it off.
func (s *store) take(p part) {
	err := errGone
	if !s.isGone() {
		err = s.in.retry("check identities", s.id, func() error { return s.check(p) })
	}
	outcomes := s.outcomes[:0]
	switch {
	case errors.Is(err, errGone):
		s.drop()
		for range p.rows {
			outcomes = append(outcomes, 0)
		}
	case err != nil:
		return // ingest is being closed; the log has it
	default:
		for _, v := range s.verdicts[:len(p.rows)] {
			outcomes = append(outcomes, [...]uint8{identity.New: wasStored, identity.Known: wasKnown, identity.Conflict: wasStored | wasConflict}[v])
		}
		if !s.gather(p) {
			return
		}
	}
	s.outcomes = outcomes
	p.ticket.checked(p.rows, outcomes)
	// Before it leaves the queue: whoever waits for that, as Flush does, finds its room given back.
	s.held.Add(-p.weight)
	p.release()
	s.mu.Lock()
	s.queue[0] = part{} // let go of its memory
	s.queue = s.queue[1:]
	idle := s.chunk == nil && len(s.sealed) == 0
	s.mu.Unlock()
	if idle {
		s.in.release() // nothing new in it: no commit will say so
	}
}

// check asks the index about the part's events and enters them.
func (s *store) check(p part) error {
	x, err := s.openIndex()
	if err != nil {
		return err
	}
	n := len(p.rows)
	if cap(s.verdicts) < n {
		s.verdicts, s.keys = make([]identity.Verdict, n), make([]identity.Key, 0, n)
	}
	s.verdicts = s.verdicts[:n]
	keys := p.keys
	if n < len(p.keys) {
		keys = s.keys[:0]
		for _, r := range p.rows {
			keys = append(keys, p.keys[r])
		}
		s.keys = keys[:0]
	}
	err = x.Check(s.in.ctx, keys, p.sequence, s.verdicts)
	if errors.Is(err, identity.ErrCorrupt) {
		s.in.slog.Error("the identity index is corrupt and is made anew from the table", "store", s.id, "error", err)
		return errors.Join(err, s.discardIndex())
	}
	if err != nil {
		return err
	}
	removed, err := s.removed(p, x)
	if err != nil || !removed {
		return err
	}
	s.in.slog.Info("the identity index is made anew from the table: it knows events that were removed since it was made", "store", s.id)
	if err := s.discardIndex(); err != nil {
		return err
	}
	return s.check(p)
}

// removed tells whether the index may know an event of the part only because the table once held it: one of a day that was removed by retention after the index was made, and that
// the store takes again since its retention was raised.
func (s *store) removed(p part, x *identity.Index) (bool, error) {
	if !slices.Contains(s.verdicts, identity.Known) {
		return false, nil
	}
	days, _, err := s.in.cfg.Tables.Removals(s.in.ctx, s.id)
	if err != nil || len(days) == 0 {
		return false, err
	}
	mark := x.Mark()
	for i, v := range s.verdicts {
		if v != identity.Known {
			continue
		}
		if at, ok := days[p.records[p.rows[i]].Day()]; ok && at >= mark {
			return true, nil
		}
	}
	return false, nil
}

// openIndex gives the index, opening it and filling it from the table where it is not yet open.
func (s *store) openIndex() (*identity.Index, error) {
	s.mu.Lock()
	x := s.index
	s.mu.Unlock()
	if x != nil {
		return x, nil
	}
	ctx := s.in.ctx
	applied, err := s.in.cfg.Tables.Applied(ctx, s.id)
	if err != nil {
		return nil, err
	}
	_, mark, err := s.in.cfg.Tables.Removals(ctx, s.id)
	if err != nil {
		return nil, err
	}
	opt := identity.Options{Dir: s.indexDir(), Mark: mark, FS: s.in.cfg.FS, Logger: s.in.slog, Merging: s.in.merging, Memory: s.in.cfg.IndexKeys}
	x, err = identity.Open(opt, applied)
	if errors.Is(err, identity.ErrCorrupt) {
		s.in.slog.Error("the identity index is corrupt and is made anew from the table", "store", s.id, "error", err)
		if err := identity.Remove(s.in.cfg.FS, opt.Dir); err != nil {
			return nil, err
		}
		x, err = identity.Open(opt, applied)
	}
	if err != nil {
		return nil, err
	}
	start, rows := time.Now(), 0
	keys := make([]identity.Key, 0, 4096)
	add := func() error {
		err := x.Add(ctx, keys)
		rows += len(keys)
		keys = keys[:0]
		return err
	}
	err = s.in.cfg.Tables.Identities(ctx, s.id, x.Covered(), func(row *lake.Stored) error {
		id := string(row.EventID)
		if len(row.EventID) == 0 { // an empty one is none, as when it was decoded
			id = hex.EncodeToString(row.Hash[:]) // as event.Record.ID has it
		}
		if keys = append(keys, identity.KeyOf(id, row.Hash)); len(keys) == cap(keys) {
			return add()
		}
		return nil
	})
	if err == nil {
		err = add()
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	x.Ready()
	if rows > 0 {
		s.in.slog.Info("filled the identity index from the table", "store", s.id, "events", rows, "seconds", time.Since(start).Seconds())
	}
	s.mu.Lock()
	s.index = x
	s.mu.Unlock()
	return x, nil
}

func (s *store) indexDir() string { return filepath.Join(s.in.cfg.Dir, "identity", s.id) }

// discardIndex gives up an index, so that it is made anew. Keys of events that are not committed are in its memory alone; so these are committed first, and the next
// index finds them in the table.
func (s *store) discardIndex() error {
	if s.chunkAt() != nil && !s.seal() {
		return s.in.ctx.Err()
	}
	for {
		freed := s.in.freed()
		s.mu.Lock()
		n := len(s.sealed)
		s.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-freed:
		case <-s.in.ctx.Done():
			return s.in.ctx.Err()
		}
	}
	s.mu.Lock()
	x := s.index
	s.index = nil
	s.mu.Unlock()
	return errors.Join(x.Close(), identity.Remove(s.in.cfg.FS, s.indexDir()))
}

func (s *store) chunkAt() *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chunk
}

// gather adds the part's new events to the chunk, sealing it when it is full. It is false where ingest is being closed.
func (s *store) gather(p part) bool {
	var c *chunk
	left := 0
	for _, v := range s.verdicts {
		if v != identity.Known {
			left++
		}
	}
	for i, v := range s.verdicts {
		if v == identity.Known {
			continue
		}
		left--
		if c == nil {
			if c = s.chunkAt(); c == nil {
				c = s.begin(p)
			}
			c.join(p)
		}
		row := p.rows[i]
		c.rows = append(c.rows, lake.Row{Event: &p.records[row], Envelope: lake.Envelope{
			Writer: s.in.writer, Epoch: p.epoch, Sequence: p.sequence, Position: row,
			Accepted: p.accepted, Provenance: p.provenance, Conflict: v == identity.Conflict,
		}})
		c.applied = p.sequence
		if size := c.bytes.Add(weigh(&p.records[row])); len(c.rows) >= s.in.cfg.ChunkRows || size >= s.in.cfg.ChunkBytes {
			if left > 0 {
				c.applied-- // the rest of the record is in later commits
			}
			if !s.seal() {
				return false
			}
			c = nil
		}
	}
	return true
}

// begin makes the chunk to gather in, with room for as many rows as the one before had.
func (s *store) begin(p part) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chunk = &chunk{first: p.sequence, begun: time.Now(), accepted: p.accepted, written: make(chan struct{}), held: &s.held, rows: make([]lake.Row, 0, s.rows)}
	return s.chunk
}

func (s *store) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// drop marks the store as deleted and removes its index. What is still gathered or comes later goes the same way.
func (s *store) drop() {
	s.mu.Lock()
	x, c := s.index, s.chunk
	s.gone, s.index, s.chunk = true, nil, nil
	s.mu.Unlock()
	if c != nil {
		c.release()
	}
	if s.dropped {
		return
	}
	s.dropped = true
	s.in.slog.Info("a store was deleted; its events that had not reached the table are dropped", "store", s.id)
	var err error
	if x != nil {
		err = x.Close()
	}
	if err = errors.Join(err, identity.Remove(s.in.cfg.FS, s.indexDir())); err != nil {
		s.in.slog.Warn("the identity index of a deleted store was not removed", "store", s.id, "error", err)
	}
}

// close writes the index's keys to disk, so that the next start need not read the table. Both goroutines have ended.
func (s *store) close(ctx context.Context) error {
	if s.index == nil {
		return nil
	}
	if err := s.index.Flush(ctx); err != nil {
		s.in.slog.Warn("the identity index was not written; the next start fills it from the table", "store", s.id, "error", err)
	}
	return s.index.Close()
}
