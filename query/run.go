package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
)

// execute runs a query from its start to its recorded end.
func (s *Service) execute(ctx context.Context, j *job) {
	begun := time.Now()
	began, answered := make(chan error, 1), make(chan struct{})
	s.wg.Go(func() { began <- s.began(ctx, j, answered) }) // beside the query, which needs not wait for the disk
	stats, results, err := s.answer(ctx, j)
	close(answered)
	if e := <-began; err == nil {
		err = e
	}
	if results != nil {
		defer s.settle(j, results)
	}
	if j.lost {
		if err := s.removeResults(j.q.ID); err != nil {
			s.cfg.Log.Error("results of a query that could not be recorded", "error", err)
		}
		return
	}
	stats.Elapsed = time.Since(begun)
	s.mu.Lock()
	cancelled := j.cancelled
	j.over = true
	s.mu.Unlock()
	status, why := Finished, ""
	switch {
	case err == nil:
	case cancelled:
		status = Cancelled
	case s.ctx.Err() != nil:
		// The server is closing: the query waits for the next one.
		if err := s.requeue(j); err != nil {
			s.cfg.Log.Error("a query that the shutdown ended", "error", err)
		}
		return
	case errors.Is(err, context.DeadlineExceeded):
		status, why = TimedOut, fmt.Sprintf("The query ran longer than %v.", s.cfg.Limits.Time)
	default:
		status, why = Failed, s.explain(j, err)
	}
	rows := int64(0)
	if results != nil {
		rows = results.total
	}
	if err := s.ended(j, status, why, stats, rows); err != nil {
		s.cfg.Log.Error("a query's end", "error", err)
	}
}

// settle makes results durable behind their query's end, which needs not wait for the disk: a machine that loses them before says so when it starts, and
// nobody is answered from half of them. It waits while too many others are under way.
func (s *Service) settle(j *job, w *resultWriter) {
	s.settling <- struct{}{}
	s.wg.Go(func() {
		defer func() { <-s.settling }()
		if err := w.settle(); err != nil {
			s.cfg.Log.Error("the results of a query could not be written", "query", j.q.ID, "error", err)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTime)
			defer cancel()
			if err := errors.Join(s.fail(ctx, j.q.ID, lostResults), s.removeResults(j.q.ID)); err != nil {
				s.cfg.Log.Error("a query whose results could not be written", "error", err)
			}
		}
	})
}

// explain makes the message for the caller of what went wrong; what is ours goes to the log.
func (s *Service) explain(j *job, err error) string {
	if e, ok := errors.AsType[*engine.Error](err); ok {
		if e.Kind == engine.Internal || e.Kind == engine.Crashed {
			s.cfg.Log.Error("a query failed", "query", j.q.ID, "error", e.Err)
		}
		if e.Kind == engine.Statement {
			return dialect.EngineMessage(e.Message)
		}
		return e.Message
	}
	if e, ok := errors.AsType[*awserr.Error](err); ok && e.Status < 500 {
		return e.Message
	}
	s.cfg.Log.Error("a query failed", "query", j.q.ID, "error", err)
	if errors.Is(err, meta.ErrSetBack) {
		return "The server's metadata was set back. No query is answered until the operator has mended it."
	}
	return "The query failed because of an internal error."
}

// errLost: the query is unknown, since it could not be recorded.
var errLost = errors.New("the query could not be recorded")

// short is how long a query may run without a record of it; a server that starts takes up what has none as if it had waited.
const short = 100 * time.Millisecond

// began records that a query runs, unless it is answered soon.
func (s *Service) began(ctx context.Context, j *job, answered <-chan struct{}) error {
	if <-j.kept; j.lost {
		return errLost
	}
	timer := time.NewTimer(short)
	defer timer.Stop()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return nil // whatever has ended it is recorded as its end
	case <-timer.C:
	}
	_, err := s.cfg.DB.UpdateQuery(ctx, j.q.ID, func(q *meta.Query) error {
		q.Status = Running
		return nil
	})
	return err
}

func (s *Service) requeue(j *job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTime)
	defer cancel()
	_, err := s.cfg.DB.UpdateQuery(ctx, j.q.ID, func(q *meta.Query) error {
		q.Status = Queued
		return nil
	})
	return err
}

// answer plans the statement's files, runs it and writes its rows.
func (s *Service) answer(ctx context.Context, j *job) (engine.Stats, *resultWriter, error) {
	relations, release, err := s.plan(ctx, j)
	defer release()
	if err != nil {
		return engine.Stats{}, nil, err
	}
	eng, work := s.job(j.stmt, relations)
	var w *resultWriter
	work.Described = func(columns []engine.Column) (err error) {
		w, err = newResultWriter(s.resultPath(j.q.ID), columns, &s.room)
		return err
	}
	work.Progress = func(sofar engine.Stats) { j.sofar.Store(&sofar) }
	stats, err := eng.Run(ctx, work, func(row []engine.Value) error { return w.row(row) })
	switch {
	case err == nil && w == nil:
		return stats, nil, errors.New("the engine told no columns")
	case err == nil:
		err = w.finish()
	}
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.abandon())
		}
		return stats, nil, err
	}
	return stats, w, nil
}

// plan chooses the files of every relation of the statement. All relations over one store read the same snapshot of it, so that a statement never sees
// an event in one place and not in another. release is never nil.
func (s *Service) plan(ctx context.Context, j *job) (relations []engine.Relation, release func(), err error) {
	var plans []*lake.Plan
	release = func() {
		for _, p := range plans {
			p.Release()
		}
	}
	for _, uses := range byStore(j.stmt.uses) {
		id := uses[0].Table.ID
		store, err := s.cfg.DB.Store(ctx, id)
		if err != nil {
			return nil, release, fmt.Errorf("event data store %s: %w", id, err)
		}
		if err := active(store); err != nil {
			return nil, release, err
		}
		oldest := retained(s.cfg.Believed(), store.RetentionDays)
		first := len(plans)
		for _, u := range uses {
			p, err := s.cfg.Planner.Plan(ctx, id, predicates(u.Predicates, oldest))
			if err != nil {
				return nil, release, err
			}
			plans = append(plans, p)
		}
		mine := plans[first:]
		if !sameSnapshot(mine) { // a commit came between: one plan for all of them, which prunes less
			p, err := s.cfg.Planner.Plan(ctx, id, predicates(nil, oldest))
			if err != nil {
				return nil, release, err
			}
			for i, old := range mine {
				old.Release()
				mine[i] = p
			}
		}
		for i, u := range uses {
			schema := event.Schema(event.Kind(store.Kind))
			r := engine.Relation{Name: u.Relation, Schema: schema, Columns: u.Columns, Where: where(schema, u.Predicates), Equal: equal(schema, u.Predicates)}
			if mine[i].Oldest < oldest { // files are of one day each, so planning alone keeps what retention has ended out of nearly all scans
				r.NotBefore = oldest
			}
			for _, f := range mine[i].Files {
				r.Files = append(r.Files, engine.File{Key: f.Key, Size: f.Size, Rows: f.Rows, Local: f.Local})
			}
			if j.stmt.duckdb != nil && j.stmt.duckdb.OldestFirst {
				slices.Reverse(r.Files)
			}
			relations = append(relations, r)
		}
	}
	return relations, release, nil
}

// byStore groups the places of a statement by the store that they read, in order.
func byStore(uses []dialect.Use) [][]dialect.Use {
	var out [][]dialect.Use
	at := map[string]int{}
	for _, u := range uses {
		i, ok := at[u.Table.ID]
		if !ok {
			i = len(out)
			at[u.Table.ID] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], u)
	}
	return out
}

func sameSnapshot(plans []*lake.Plan) bool {
	for _, p := range plans {
		if p.Snapshot != plans[0].Snapshot {
			return false
		}
	}
	return true
}

// retained is the eventtime, in microseconds, of the oldest events that a store still answers: retention ends whole days, in UTC.
func retained(now time.Time, days int) int64 {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -days).UnixMicro()
}

// predicates turns the dialect's into the lake's, with the bound that retention sets.
func predicates(in []dialect.Predicate, oldest int64) []lake.Predicate {
	out := []lake.Predicate{{Path: "eventtime", Op: lake.GreaterEqual, Values: []lake.Value{{Num: oldest}}}}
	for _, p := range in {
		q := lake.Predicate{Path: p.Path, Op: lake.Op(p.Op)}
		for _, v := range p.Values {
			q.Values = append(q.Values, lake.Value{Text: v.Text, Num: v.Num})
		}
		out = append(out, q)
	}
	return out
}
