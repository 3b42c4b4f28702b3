package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Stall is a step of a store's way to its table that fails and is tried again. The events that wait for it are in the durable log.
type Stall struct {
	Store string
	Step  string // for example "commit"
	Since time.Time
	Tries int
	Err   error // of the last try
}

// stalls are the steps that fail now. A store has one of a kind at most.
type stalls struct {
	mu sync.Mutex
	m  map[[2]string]Stall
}

func (s *stalls) failed(store, step string, tries int, now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[[2]string]Stall{}
	}
	at := [2]string{store, step}
	since := now
	if was, ok := s.m[at]; ok {
		since = was.Since
	}
	s.m[at] = Stall{store, step, since, tries, err}
}

func (s *stalls) over(store, step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, [2]string{store, step})
}

// has tells whether any of a store's steps fails now.
func (s *stalls) has(store string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.m {
		if at[0] == store {
			return true
		}
	}
	return false
}

// stalledShare is how much of the room in memory a store may hold while its steps fail: the others go on with the rest.
func (in *Ingest) stalledShare() int64 { return in.cfg.Memory / 4 }

// awaitStalled keeps a delivery back while one of its stores stalls and holds its share of the room, or refuses it where it does not wait.
func (in *Ingest) awaitStalled(ctx context.Context, b *batch, noWait bool) error {
	for {
		freed := in.freed()
		over := false
		for i := range b.shares {
			s := in.known(b.shares[i].store)
			over = over || s != nil && s.held.Load() > in.stalledShare() && in.stalled.has(s.id)
		}
		if !over {
			return nil
		}
		if noWait {
			in.metrics.busy.Inc()
			return fmt.Errorf("%w: a store's table takes no events now", ErrBusy)
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-in.ctx.Done():
			return ErrClosed
		}
	}
}

// Refusing is why events are refused now, nil where they are taken: the durable log cannot be written, or could not be replayed, or ingest is closed. Want of
// room is not among it, since it comes and goes.
func (in *Ingest) Refusing() error {
	if in.closing.Load() {
		return ErrClosed
	}
	select {
	case <-in.replayed:
		if in.replayErr != nil {
			return fmt.Errorf("the durable log could not be replayed: %w", in.replayErr)
		}
	default:
	}
	return in.log.Failing()
}

// Replaying tells whether events that were accepted before the start are still being brought to their stores; others wait or are refused with ErrBusy meanwhile.
func (in *Ingest) Replaying() bool {
	select {
	case <-in.replayed:
		return false
	default:
		return true
	}
}

// Stalls lists the stores' steps that fail now, by store.
func (in *Ingest) Stalls() []Stall {
	in.stalled.mu.Lock()
	defer in.stalled.mu.Unlock()
	all := make([]Stall, 0, len(in.stalled.m))
	for _, s := range in.stalled.m {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Stall) int { return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Step, b.Step)) })
	return all
}
