package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/meta"
)

// resultSuffix ends the names of result files.
const resultSuffix = ".rows"

func (s *Service) resultPath(id string) string { return filepath.Join(s.cfg.Dir, id+resultSuffix) }

// Describe gives a query of the scope, of the last seven days. It is QueryIdNotFoundException where there is none; so it is where storeID
// is given and the query does not read that store.
func (s *Service) Describe(ctx context.Context, sc meta.Scope, id, storeID string) (meta.Query, error) {
	q, err := s.cfg.DB.Query(ctx, id)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return meta.Query{}, fmt.Errorf("query %s: %w", id, err)
	}
	if err != nil || q.Scope != sc || storeID != "" && !reads(q, storeID) {
		return meta.Query{}, awserr.New("QueryIdNotFoundException", "The query ID does not exist or does not map to a query: %s", id)
	}
	if q.Status == Running || q.Status == Queued {
		s.mu.Lock()
		j := s.active[id]
		running := j != nil && j.running
		s.mu.Unlock()
		if running {
			q.Status = Running // which is recorded only of one that takes long
			if sofar := j.sofar.Load(); sofar != nil {
				q.Scanned, q.Matched, q.BytesScanned, q.Execution = sofar.RowsScanned, sofar.RowsMatched, sofar.BytesScanned, sofar.Elapsed
			}
		}
	}
	return q, nil
}

// Last gives the scope's newest query of a template; as with Describe it is QueryIdNotFoundException where there is none.
func (s *Service) Last(ctx context.Context, sc meta.Scope, alias, storeID string) (meta.Query, error) {
	q, err := s.cfg.DB.LastQuery(ctx, sc, alias)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return meta.Query{}, fmt.Errorf("queries of %s: %w", alias, err)
	}
	if err != nil || storeID != "" && !reads(q, storeID) {
		return meta.Query{}, awserr.New("QueryIdNotFoundException", "No query of the last seven days has run under the alias %s.", alias)
	}
	return q, nil
}

// Wait returns when the query has ended, at once where it had, and after d at the latest.
func (s *Service) Wait(ctx context.Context, id string, d time.Duration) {
	s.mu.Lock()
	j := s.active[id]
	s.mu.Unlock()
	if j == nil {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

func reads(q meta.Query, storeID string) bool {
	for _, id := range q.Stores {
		if id == storeID {
			return true
		}
	}
	return false
}

// Results gives at most n rows of a query's answer from the row numbered from, counting from 0, to row: the columns' names and the texts, nil for
// NULL, which are good until it returns. There are fewer where they are large. next is where the following page begins, -1 where this was the last. Of a
// query that has not finished there are no rows yet; its state tells why.
func (s *Service) Results(ctx context.Context, sc meta.Scope, id, storeID string, from int64, n int, row func(names []string, texts [][]byte)) (q meta.Query, next int64, err error) {
	q, err = s.Describe(ctx, sc, id, storeID)
	if err != nil || q.Status != Finished {
		return q, -1, err
	}
	r, err := openResults(s.resultPath(id))
	if err != nil {
		return q, -1, fmt.Errorf("results of query %s: %w", id, err)
	}
	rows, next, err := r.page(from, min(max(n, 1), MaxPage), pageBytes)
	if err = errors.Join(err, r.close()); err != nil {
		return q, -1, fmt.Errorf("results of query %s: %w", id, err)
	}
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	texts := make([][]byte, len(names))
	for _, vals := range rows {
		for i, v := range vals {
			texts[i] = v.Text
			if v.Null {
				texts[i] = nil
			}
		}
		row(names, texts)
	}
	if next >= r.rows {
		next = -1
	}
	return q, next, nil
}

// Cancel ends a query that is queued or running, and gives it as it is then. It is InactiveQueryException where the query has ended before.
func (s *Service) Cancel(ctx context.Context, sc meta.Scope, id, storeID string) (meta.Query, error) {
	if _, err := s.Describe(ctx, sc, id, storeID); err != nil {
		return meta.Query{}, err
	}
	s.mu.Lock()
	j := s.active[id]
	waiting := j != nil && s.queue.remove(j)
	if j != nil {
		j.cancelled = true
		if j.cancel != nil {
			j.cancel()
		}
	}
	s.mu.Unlock()
	if j == nil {
		return meta.Query{}, errInactive
	}
	if waiting {
		// Nobody else knows of it any more, so its end is ours to record, whatever becomes of the request.
		err := s.ended(j, Cancelled, "", engine.Stats{}, 0)
		s.mu.Lock()
		delete(s.active, id)
		close(j.done)
		s.mu.Unlock()
		if err != nil {
			return meta.Query{}, err
		}
		return s.Describe(ctx, sc, id, "")
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return meta.Query{}, context.Cause(ctx)
	}
	q, err := s.Describe(ctx, sc, id, "")
	if err == nil && q.Status != Cancelled {
		return q, errInactive // it was faster
	}
	return q, err
}

var errInactive = awserr.New("InactiveQueryException", "The specified query cannot be canceled because it is in the FINISHED, FAILED, TIMED_OUT, or CANCELLED state.")

// List gives the scope's queries over a store of the last seven days, newest first, after the one with the ID after; status, from and to
// narrow where not zero.
func (s *Service) List(ctx context.Context, sc meta.Scope, storeID, status string, from, to time.Time, after string, limit int) ([]meta.Query, error) {
	if oldest := s.cfg.Believed().Add(-keep); from.Before(oldest) {
		from = oldest
	}
	list, err := s.cfg.DB.Queries(ctx, sc, storeID, status, from, to, after, limit)
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	return list, nil
}

// recordTime bounds how long the end of a query may take to record, which happens also while the service closes.
const recordTime = 30 * time.Second

// ended records a query's end.
func (s *Service) ended(j *job, status, why string, stats engine.Stats, rows int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTime)
	defer cancel()
	if r := []rune(why); len(r) > maxError {
		why = string(r[:maxError-1]) + "…"
	}
	q, err := s.cfg.DB.UpdateQuery(ctx, j.q.ID, func(q *meta.Query) error {
		q.Status, q.Error, q.Ended, q.Execution = status, why, s.cfg.Now(), stats.Elapsed
		q.Delivery = deliveryAfter(status, q.Delivery)
		q.Rows, q.Scanned, q.Matched, q.BytesScanned = rows, stats.RowsScanned, stats.RowsMatched, stats.BytesScanned
		return nil
	})
	if err != nil {
		return fmt.Errorf("query %s ended as %s, which could not be recorded: %w", j.q.ID, status, err)
	}
	if q.Delivery == DeliveryPending {
		select {
		case s.cfg.Deliveries <- struct{}{}:
		default: // whoever delivers has been told already, or nobody does
		}
	}
	s.metrics.ended.WithLabelValues(status).Inc()
	s.metrics.seconds.Observe(q.Ended.Sub(q.Created).Seconds())
	return nil
}

// erasedResults is why the results of a query, or the message of one that failed, are not there any more.
const erasedResults = "The results were removed, since an event of an event data store that the query read was erased. Run the query again."

// Forget removes the results of the queries over a store that have ended, and what the messages of those that failed may hold of its events, and names those that run: they may have read what the
// store held before, and are to be forgotten when they end. The queries themselves stay known; those whose results are gone have failed.
func (s *Service) Forget(ctx context.Context, storeID string) (running []string, err error) {
	s.mu.Lock()
	for id, j := range s.active {
		if j.running && reads(j.q, storeID) {
			running = append(running, id)
		}
	}
	s.mu.Unlock()
	for _, status := range []string{Finished, Failed} {
		list, err := s.cfg.DB.Queries(ctx, meta.Scope{}, storeID, status, time.Time{}, time.Time{}, "", 0)
		if err != nil {
			return nil, fmt.Errorf("queries over store %s: %w", storeID, err)
		}
		for _, q := range list {
			if err := s.forget(ctx, q.ID); err != nil {
				return nil, err
			}
		}
	}
	return running, nil
}

// ForgetEnded is Forget for one query, for whose end it waits.
func (s *Service) ForgetEnded(ctx context.Context, id string) error {
	s.mu.Lock()
	j := s.active[id]
	s.mu.Unlock()
	if j != nil {
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.forget(ctx, id)
}

func (s *Service) forget(ctx context.Context, id string) error {
	_, err := s.cfg.DB.UpdateQuery(ctx, id, func(q *meta.Query) error {
		if q.Status == Finished || q.Status == Failed {
			q.Status, q.Error, q.Delivery = Failed, erasedResults, deliveryAfter(Failed, q.Delivery)
		}
		return nil
	})
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return fmt.Errorf("query %s: %w", id, err)
	}
	if err := s.removeResults(id); err != nil {
		return fmt.Errorf("results of query %s: %w", id, err)
	}
	return nil
}

// expireEvery is how often old results are looked for.
const expireEvery = 10 * time.Minute

// expireAll forgets queries and removes their results after seven days, until the service closes.
func (s *Service) expireAll() {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		if err := s.expire(s.ctx); err != nil && s.ctx.Err() == nil {
			s.cfg.Log.Error("old results could not be removed", "error", err)
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// expire forgets the queries that are older than seven days. Files that it cannot remove go when the server starts next.
func (s *Service) expire(ctx context.Context) error {
	gone, err := s.cfg.DB.ExpiredQueries(ctx, s.cfg.Believed().Add(-keep))
	if err != nil {
		return err
	}
	var errs []error
	for _, q := range gone {
		errs = append(errs, s.removeResults(q.ID))
	}
	return errors.Join(errs...)
}

// removeResults removes a query's result file, where it has one.
func (s *Service) removeResults(id string) error {
	path := s.resultPath(id)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return err
	}
	s.room.used.Add(-info.Size())
	return nil
}
