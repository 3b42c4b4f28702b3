package ingest

import (
	"cmp"
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
