// Package query is the life of a query: it is checked, waits its turn, runs on an engine, and its answer is kept and read page by page. It knows
// no HTTP.
package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/engine/trino"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
)

// The states of a query.
const (
	Queued    = "QUEUED"
	Running   = "RUNNING"
	Finished  = "FINISHED"
	Failed    = "FAILED"
	Cancelled = "CANCELLED"
	TimedOut  = "TIMED_OUT"
)

// CloudTrail Lake's quotas ("Quotas in AWS CloudTrail" and "CloudTrail Lake SQL constraints" in its user guide).
const (
	maxStatement = 10_000             // characters
	perScope     = 10                 // queries queued or running, of an account in a region
	timeLimit    = time.Hour          // of one query
	keep         = 7 * 24 * time.Hour // of results
	// MaxPage is the most rows of a page of results.
	MaxPage = 1000
)

const (
	defaultResultBytes = 10 << 30
	pageBytes          = 8 << 20 // a page ends early past so many bytes, so that an answer of large events takes little memory
	maxError           = 1000    // characters, the model's limit of ErrorMessage
)

// Planner tells which files hold the events that a statement needs; *lake.Lake is one.
type Planner interface {
	Plan(ctx context.Context, storeID string, preds []lake.Predicate) (*lake.Plan, error)
}

// Config is what a Service is made of.
type Config struct {
	DB          meta.DB
	Planner     Planner
	Engine      engine.Engine
	Trino       *trino.Engine         // where it is not nil, queries run there and not on Engine
	Dir         string                // of the results
	Running     int                   // queries at once; 0: as many as there are cores
	PerScope    int                   // queries queued or running of an account in a region; 0: 10
	ResultBytes int64                 // that all kept results may take; 0: 10 GiB
	Limits      engine.Limits         // of one query; zero fields: the engine's, and 1 hour
	Log         *slog.Logger          // nil: none
	Registry    prometheus.Registerer // nil: no metrics

	// Template finds the statement that an alias stands for; nil: there are none.
	Template func(alias string) (sql string, ok bool)
	// CheckTarget tells, as an API error, why results cannot be delivered to a place; nil: nothing can be delivered.
	CheckTarget func(ctx context.Context, uri string) error
	// Deliveries is told, without waiting for it, when a finished query's results wait for their delivery.
	Deliveries chan<- struct{}
	Now        func() time.Time // nil: time.Now
	// Believed is the time as far as it is believed: a clock that runs ahead hides no events from statements, and forgets no results; nil: Now.
	Believed func() time.Time
}

// Service runs queries.
type Service struct {
	cfg     Config
	room    room
	metrics *metrics
	ctx     context.Context // ends when the service closes
	stop    context.CancelFunc
	wg      sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	active  map[string]*job // queued and running, by ID
	queue   *queue
	running int

	settling chan struct{} // holds one for each result file that is being made durable
}

// settlers bounds how many result files are made durable at once.
const settlers = 8

// job is a query that is queued or running.
type job struct {
	q         meta.Query
	stmt      *compiled
	cancel    context.CancelFunc // nil while it is queued
	cancelled bool
	running   bool          // it has left the queue
	over      bool          // its end is being recorded; it no longer counts
	kept      chan struct{} // closed when it is recorded, or cannot be
	lost      bool          // it could not be recorded: nobody knows of it, and its end is nobody's. Read after kept
	done      chan struct{} // closed when it has ended and its end is recorded

	sofar atomic.Pointer[engine.Stats] // what it has cost until now; nil where its engine does not tell
}

func (j *job) caller() caller { return caller{j.q.Account, j.q.Principal} }

// Open makes a Service over the results in cfg.Dir. Queries that ran when the last server ended have failed; those that waited wait again.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Running <= 0 {
		cfg.Running = runtime.NumCPU()
	}
	if cfg.PerScope <= 0 {
		cfg.PerScope = perScope
	}
	if cfg.ResultBytes <= 0 {
		cfg.ResultBytes = defaultResultBytes
	}
	if cfg.Limits.Time <= 0 {
		cfg.Limits.Time = timeLimit
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Believed == nil {
		cfg.Believed = cfg.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of results: %w", err)
	}
	s := &Service{cfg: cfg, active: map[string]*job{}, queue: newQueue(), settling: make(chan struct{}, settlers)}
	s.room.bound = cfg.ResultBytes
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(s, cfg.Registry)
	if err := errors.Join(s.sweep(ctx), s.resume(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.wg.Go(s.expireAll)
	return s, nil
}

// Close ends what runs and waits for it. Queries that have not ended wait for the next Open.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
	return nil
}

// lostResults is why a query fails after it had finished.
const lostResults = "The results were lost before they were on disk. Run the query again."

// sweep removes what is left of queries that never ended or are forgotten, and counts what the others take. A query whose results the machine lost has failed.
func (s *Service) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("directory of results: %w", err)
	}
	finished, err := s.cfg.DB.Queries(ctx, meta.Scope{}, "", Finished, time.Time{}, time.Time{}, "", 0)
	if err != nil {
		return fmt.Errorf("queries that have finished: %w", err)
	}
	due := make(map[string]bool, len(finished)) // results that no file was found of yet
	for _, q := range finished {
		due[q.ID] = true
	}
	for _, e := range entries {
		id := strings.TrimSuffix(e.Name(), resultSuffix)
		whole := false
		if due[id] && id != e.Name() {
			r, err := openResults(s.resultPath(id))
			if err != nil && !errors.Is(err, ErrDamaged) {
				return fmt.Errorf("results of query %s: %w", id, err)
			}
			if whole = err == nil; whole {
				if err := r.close(); err != nil {
					return fmt.Errorf("results of query %s: %w", id, err)
				}
			}
		}
		if !whole {
			if err := os.Remove(filepath.Join(s.cfg.Dir, e.Name())); err != nil {
				return fmt.Errorf("old results: %w", err)
			}
			continue
		}
		delete(due, id)
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.room.used.Add(info.Size())
	}
	for id := range due {
		s.cfg.Log.Warn("results were lost", "query", id)
		if err := s.fail(ctx, id, lostResults); err != nil {
			return err
		}
	}
	return nil
}

// resume takes up the queries that the last server left.
func (s *Service) resume(ctx context.Context) error {
	ran, err := s.cfg.DB.Queries(ctx, meta.Scope{}, "", Running, time.Time{}, time.Time{}, "", 0)
	if err != nil {
		return fmt.Errorf("queries that were running: %w", err)
	}
	for _, q := range ran {
		if err := s.fail(ctx, q.ID, "The server stopped while the query was running."); err != nil {
			return err
		}
	}
	waited, err := s.cfg.DB.Queries(ctx, meta.Scope{}, "", Queued, time.Time{}, time.Time{}, "", 0)
	if err != nil {
		return fmt.Errorf("queries that were queued: %w", err)
	}
	for i := len(waited) - 1; i >= 0; i-- { // oldest first
		q := waited[i]
		stmt, err := s.compile(ctx, q)
		if err != nil {
			if err := s.fail(ctx, q.ID, awserr.From(err).Message); err != nil {
				return err
			}
			continue
		}
		j := &job{q: q, stmt: stmt, kept: make(chan struct{}), done: make(chan struct{})}
		close(j.kept)
		s.mu.Lock()
		s.active[q.ID] = j
		s.queue.push(j)
		s.next()
		s.mu.Unlock()
	}
	return nil
}

func (s *Service) fail(ctx context.Context, id, why string) error {
	_, err := s.cfg.DB.UpdateQuery(ctx, id, func(q *meta.Query) error {
		q.Status, q.Error, q.Ended, q.Delivery = Failed, why, s.cfg.Now(), deliveryAfter(Failed, q.Delivery)
		return nil
	})
	if err != nil {
		return fmt.Errorf("query %s: %w", id, err)
	}
	return nil
}

// Request is what a query is started with: a statement or the alias of a template, values for the parameters (? and '?') of either, and where to
// deliver the results, "" for nowhere.
type Request struct {
	SQL        string
	Alias      string
	Parameters []string
	DeliverTo  string // s3://bucket/prefix
}

// Start checks a statement and queues it. The errors are those of the API's StartQuery.
func (s *Service) Start(ctx context.Context, sc meta.Scope, principal string, r Request) (meta.Query, error) {
	q := meta.Query{Scope: sc, ID: uuid.NewString(), SQL: r.SQL, Alias: r.Alias, Parameters: r.Parameters, Status: Queued, DeliveryURI: r.DeliverTo, Principal: principal,
		Created: s.cfg.Now().UTC().Truncate(time.Millisecond)}
	if r.Alias != "" {
		ok := false
		if s.cfg.Template != nil {
			q.SQL, ok = s.cfg.Template(r.Alias)
		}
		if !ok {
			return meta.Query{}, awserr.New("InvalidParameterException", "No query template has the alias %s.", r.Alias)
		}
	}
	if n := utf8.RuneCountInString(q.SQL); n > maxStatement {
		return meta.Query{}, awserr.New("InvalidQueryStatementException", "The statement has %d characters; %d are allowed.", n, maxStatement)
	}
	stmt, err := s.compile(ctx, q)
	if err != nil {
		return meta.Query{}, err
	}
	q.Stores = stmt.stores
	if r.DeliverTo != "" {
		if s.cfg.CheckTarget == nil {
			return meta.Query{}, awserr.New("UnsupportedOperationException", "This server delivers no query results.")
		}
		if err := s.cfg.CheckTarget(ctx, r.DeliverTo); err != nil {
			return meta.Query{}, err
		}
		q.Delivery = DeliveryPending
	}
	j := &job{q: q, stmt: stmt, kept: make(chan struct{}), done: make(chan struct{})}
	if err := s.reserve(j); err != nil {
		return meta.Query{}, err
	}
	// It begins while it is being recorded; whatever it comes to waits for that.
	err = s.cfg.DB.CreateQuery(ctx, q)
	j.lost = err != nil
	close(j.kept)
	if err != nil {
		s.drop(j)
		return meta.Query{}, fmt.Errorf("query: %w", err)
	}
	return q, nil
}

// drop ends a query that could not be recorded.
func (s *Service) drop(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.remove(j) {
		delete(s.active, j.q.ID)
		close(j.done)
	} else if j.cancel != nil {
		j.cancel()
	}
}

// reserve counts the query among its scope's and queues it, unless there are too many.
func (s *Service) reserve(j *job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &awserr.Error{Code: "ServiceUnavailable", Status: 503, Message: "The server is shutting down."}
	}
	n := 0
	for _, other := range s.active {
		if other.q.Scope == j.q.Scope && !other.over {
			n++
		}
	}
	if n >= s.cfg.PerScope {
		return awserr.New("MaxConcurrentQueriesException", "You are already running the maximum number of concurrent queries, which is %d. Wait for some of them to finish.", s.cfg.PerScope)
	}
	s.active[j.q.ID] = j
	s.queue.push(j)
	s.next()
	return nil
}

// next starts waiting queries while there is a place. The mutex is held.
func (s *Service) next() {
	for !s.closed && s.running < s.cfg.Running {
		j := s.queue.pop()
		if j == nil {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Limits.Time)
		j.cancel = cancel
		if j.cancelled { // between its record and its place in the queue
			cancel()
		}
		j.running = true
		s.running++
		s.wg.Go(func() {
			s.execute(ctx, j)
			cancel()
			s.mu.Lock()
			defer s.mu.Unlock()
			s.running--
			delete(s.active, j.q.ID)
			close(j.done)
			s.next()
		})
	}
}
