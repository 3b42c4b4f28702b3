package redaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// removal is what is still to be removed behind the erasures in a store.
type removal struct {
	readers []string // queries that ran at the erasure and whose results are to go when they end
	from    int64    // sequence number of the snapshot from which on nothing names what was erased; 0: not known yet

	ended, results, table, log bool // what is done
	told                       string
}

// note writes down of which stores something is to be removed. The caller holds turn.
func (s *Service) note(ctx context.Context) error {
	text, err := json.Marshal(slices.AppendSeq([]string{}, maps.Keys(s.work))) // a list also where it is empty
	if err != nil {
		return err
	}
	s.pending.Set(float64(len(s.work)))
	return s.cfg.DB.SetValue(ctx, pendingKey, string(text))
}

// noted reads of which stores something is to be removed.
func noted(ctx context.Context, db meta.DB) (ids []string, err error) {
	text, err := db.Value(ctx, pendingKey)
	if errors.Is(err, meta.ErrNotFound) || err == nil && text == "" {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &ids)
	}
	if err != nil {
		return nil, fmt.Errorf("value of %s: %w", pendingKey, err)
	}
	return ids, nil
}

// Resume notes in the metadata of a lake that no server has open that something of these stores may still hold an erased event: the next Open removes it, besides what was noted before. Where
// nothing is left, that does no harm.
func Resume(ctx context.Context, db meta.DB, stores []string) error {
	if len(stores) == 0 {
		return nil
	}
	ids, err := noted(ctx, db)
	if err != nil {
		return err
	}
	ids = append(ids, stores...)
	slices.Sort(ids)
	text, err := json.Marshal(slices.Compact(ids))
	if err != nil {
		return err
	}
	return db.SetValue(ctx, pendingKey, string(text))
}

// removeSoon tries for a while, and gives what has to wait. The caller holds turn.
func (s *Service) removeSoon(ctx context.Context, id string) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		waits := s.remove(ctx, id)
		if len(waits) == 0 {
			return nil
		}
		select {
		case <-time.After(stepTime / 20):
		case <-ctx.Done():
			return waits
		}
	}
}

// remove tries once to remove what is to be, and gives what has to wait: for queries that read it, or because of an error, which is logged. The caller holds turn.
func (s *Service) remove(ctx context.Context, id string) (waits []string) {
	w := s.work[id]
	if w == nil {
		return nil
	}
	step := func(done *bool, busy string, do func(context.Context) error) {
		if *done {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		defer cancel()
		switch err := do(ctx); {
		case err == nil:
			*done = true
		case errors.Is(err, lake.ErrNoTable):
			*done = true // the store was deleted, with all that it had
		case errors.Is(err, lake.ErrBusy), errors.Is(err, objstore.ErrInUse), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			waits = append(waits, busy)
		default:
			waits = append(waits, fmt.Sprintf("%s: %v", busy, err))
		}
	}
	step(&w.ended, "results of queries", func(ctx context.Context) (err error) {
		w.readers, err = s.cfg.Queries.Forget(ctx, id)
		return err
	})
	step(&w.results, "results of queries that run still", func(ctx context.Context) error { return s.readers(ctx, w) })
	step(&w.table, "files of the table, which a query, a backup or another reader still needs", func(ctx context.Context) error { return s.cleanse(ctx, id, w) })
	step(&w.log, "the durable log", func(ctx context.Context) error { return s.forget(ctx) })
	s.tell(ctx, id, w, waits)
	if len(waits) > 0 {
		return waits
	}
	delete(s.work, id)
	if err := s.note(ctx); err != nil {
		s.work[id] = w
		return []string{fmt.Sprintf("the metadata: %v", err)}
	}
	s.log.Info("nothing holds what was erased any more", "store", id)
	return nil
}

// readers forgets what the queries answered that ran at the erasure.
func (s *Service) readers(ctx context.Context, w *removal) error {
	if !w.ended {
		return context.DeadlineExceeded // which ran is not known yet
	}
	for len(w.readers) > 0 {
		if err := s.cfg.Queries.ForgetEnded(ctx, w.readers[0]); err != nil {
			return err
		}
		w.readers = w.readers[1:]
	}
	return nil
}

func (s *Service) cleanse(ctx context.Context, id string, w *removal) (err error) {
	if w.from == 0 {
		if w.from, err = s.cfg.Tables.CleanseFrom(ctx, id); err != nil {
			return err
		}
	}
	drop := s.cfg.Drop
	if drop == nil {
		drop = func(string) error { return nil }
	}
	return s.cfg.Tables.Cleanse(ctx, id, w.from, drop)
}

// forget removes what the durable log holds, unless copies of damaged segments are there, which only people may remove.
func (s *Service) forget(ctx context.Context) error {
	if err := s.cfg.Ingest.Forget(ctx); err != nil {
		return err
	}
	names, err := s.cfg.Ingest.Quarantined()
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("copies of damaged segments may hold the event: look at them and remove them: %v", names)
	}
	return err
}

// tell logs what a removal waits for, when that is new.
func (s *Service) tell(ctx context.Context, id string, w *removal, waits []string) {
	s.mu.Lock()
	if len(waits) > 0 {
		s.waits[id] = waits
	} else {
		delete(s.waits, id)
	}
	s.mu.Unlock()
	if said := fmt.Sprint(waits); len(waits) > 0 && said != w.told && ctx.Err() == nil {
		w.told = said
		s.log.Warn("what holds an erased event is still to be removed", "store", id, "waits for", said)
	}
}

// Pending names the stores of which something that holds an erased event is still to be removed.
func (s *Service) Pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.waits))
}
