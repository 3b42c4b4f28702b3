package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/lochlake/loch/engine/worker"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Config says how the embedded engine runs.
type Config struct {
	TempDir  string                // children's own directories; emptied at the start
	Spare    int                   // warm children kept ready; 0: 2
	Fetcher  Fetcher               // brings remote files near; nil: all files are local
	Log      *slog.Logger          // nil: none
	Registry prometheus.Registerer // nil: no metrics
}

// What a query may take where its limits do not say.
const (
	defaultMemory = 1 << 30
	defaultTemp   = 8 << 30
	defaultTime   = time.Hour
	minMemory     = 64 << 20
)

// DuckDB is the embedded engine: each statement runs in a child process of its own, taken from a few that are kept warm.
type DuckDB struct {
	cfg     Config
	spares  chan *child
	running atomic.Int64  // statements
	wake    chan struct{} // tells rest that running or spares changed; holds one
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup

	binary   string
	starting sync.Mutex // guards the next three
	ways     []*way     // to start a child, the best first; what the machine refuses has been taken off
	proven   bool       // the first of them has worked
	nursery  *nursery

	mu       sync.Mutex
	reported bool // the walls have been logged

	started  prometheus.Counter
	failures *prometheus.CounterVec
	landlock prometheus.Gauge
}

var _ Engine = (*DuckDB)(nil)

// NewDuckDB starts the engine and, in the background, its first warm children.
func NewDuckDB(cfg Config) (*DuckDB, error) {
	if cfg.Spare <= 0 {
		cfg.Spare = 2
	}
	self, err := ownBinary()
	if err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.TempDir)
	if err != nil || cfg.TempDir == "" {
		return nil, fmt.Errorf("directory for temporary files %q: %w", cfg.TempDir, errors.Join(err, os.ErrInvalid))
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("directory for temporary files: %w", err)
	}
	cfg.TempDir = dir
	f := promauto.With(cfg.Registry)
	d := &DuckDB{cfg: cfg, binary: self, ways: ways(), spares: make(chan *child, cfg.Spare), wake: make(chan struct{}, 1),
		started:  f.NewCounter(prometheus.CounterOpts{Name: "loch_engine_children_total", Help: "Query processes started."}),
		failures: f.NewCounterVec(prometheus.CounterOpts{Name: "loch_engine_failures_total", Help: "Statements that failed, by kind."}, []string{"kind"}),
		landlock: f.NewGauge(prometheus.GaugeOpts{Name: "loch_engine_landlock_version", Help: "Landlock version that confines query processes; 0: none."}),
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.wg.Go(d.refill)
	return d, nil
}

// Close ends the spare children and waits for the goroutines. Statements that run must have ended.
func (d *DuckDB) Close() error {
	d.stop()
	d.wg.Wait()
	for {
		select {
		case c := <-d.spares:
			c.end()
		default:
			if d.nursery != nil {
				d.nursery.close()
			}
			return os.RemoveAll(d.cfg.TempDir)
		}
	}
}

// A start takes some of what a small statement does. So statements that run have the machine to themselves before a spare is started in place
// of one that was taken: for a breath at most, and only as long as two others are ready, or searches one after another would wait for a start each. After the last has ended, its answer goes out first.
const (
	breath = time.Second
	grace  = 25 * time.Millisecond
)

// refill keeps the spares warm until the engine closes.
func (d *DuckDB) refill() {
	pause := time.Duration(0)
	for {
		c, err := d.start()
		if err != nil {
			d.cfg.Log.Error("a query process did not start", "error", err)
			pause = min(pause*2+100*time.Millisecond, 10*time.Second)
		} else {
			pause = 0
			select {
			case d.spares <- c:
				d.rest()
				continue
			case <-d.ctx.Done():
				c.end()
				return
			}
		}
		select {
		case <-time.After(pause):
		case <-d.ctx.Done():
			return
		}
	}
}

// rest waits until no statement has run for the time of grace or fewer than two spares are left, for a breath at most.
func (d *DuckDB) rest() {
	end := time.After(breath)
	for len(d.spares) > 1 {
		var quiet <-chan time.Time
		if d.running.Load() == 0 {
			quiet = time.After(grace)
		}
		select {
		case <-d.wake:
		case <-quiet:
			return
		case <-end:
			return
		case <-d.ctx.Done():
			return
		}
	}
}

// rouse has rest look again.
func (d *DuckDB) rouse() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// way is one way to start a child.
type way struct {
	name   string
	attr   *syscall.SysProcAttr
	forked bool // by a nursery
}

// ways are all there are, the best first: forked, which costs a quarter, before executed; in namespaces without a network before those of the server.
func ways() []*way {
	var all []*way
	for _, forked := range []bool{true, false} {
		if attr := unshared(); attr != nil {
			all = append(all, &way{"in namespaces of its own", attr, forked})
		}
		all = append(all, &way{"in the server's namespaces", attributes(), forked})
	}
	return all
}

// start starts one child in the best way that the machine allows.
func (d *DuckDB) start() (*child, error) {
	for {
		w := d.way()
		c, err := d.startAs(w)
		d.starting.Lock()
		switch {
		case err == nil && d.ways[0] == w:
			d.proven = true
		case !d.proven && len(d.ways) > 1 && d.ways[0] == w:
			d.ways = d.ways[1:]
			d.cfg.Log.Warn("query processes cannot be started as they should", "way", w.name, "forked", w.forked, "error", err)
			err = nil
		}
		d.starting.Unlock()
		if c != nil {
			d.started.Inc()
		}
		if c != nil || err != nil {
			return c, err
		}
	}
}

// way is the way in which children are started now.
func (d *DuckDB) way() *way {
	d.starting.Lock()
	defer d.starting.Unlock()
	return d.ways[0]
}

// startAs starts one child; where its nursery has ended meanwhile, from another.
func (d *DuckDB) startAs(w *way) (*child, error) {
	if !w.forked {
		return start(execute(d.binary, w.attr), d.cfg.TempDir)
	}
	var problem error
	for range 2 {
		n, err := d.nurseryFor(w)
		if err != nil {
			return nil, errors.Join(problem, fmt.Errorf("start of the nursery of query processes: %w", err))
		}
		c, err := start(n.launch, d.cfg.TempDir)
		if err == nil {
			return c, nil
		}
		problem = errors.Join(problem, err)
	}
	return nil, problem
}

// nurseryFor gives the nursery, another where it has ended.
func (d *DuckDB) nurseryFor(w *way) (*nursery, error) {
	d.starting.Lock()
	defer d.starting.Unlock()
	if d.nursery != nil && d.nursery.alive() {
		return d.nursery, nil
	}
	if d.nursery != nil {
		d.nursery.close()
		d.nursery = nil
	}
	n, err := newNursery(d.binary, d.cfg.TempDir, w.attr)
	if err == nil {
		d.nursery = n
	}
	return n, err
}

// take gives a warm child, or starts one where none is ready. A spare that has died meanwhile is passed over.
func (d *DuckDB) take() (*child, error) {
	for {
		select {
		case c := <-d.spares:
			d.rouse()
			if c.alive() {
				return c, nil
			}
			c.end()
		default:
			return d.start()
		}
	}
}

// Run carries out a job in a child of its own.
func (d *DuckDB) Run(ctx context.Context, job Job, sink func([]Value) error) (Stats, error) {
	limits := job.Limits
	if limits.Memory <= 0 {
		limits.Memory = defaultMemory
	}
	limits.Memory = max(limits.Memory, minMemory)
	if limits.Threads <= 0 {
		limits.Threads = runtime.NumCPU()
	}
	if limits.Temp <= 0 {
		limits.Temp = defaultTemp
	}
	if limits.Time <= 0 {
		limits.Time = defaultTime
	}
	job.Limits = limits
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	begin := time.Now()
	if job.Described != nil {
		if err := job.Described(job.Columns); err != nil {
			return Stats{}, err
		}
	}
	d.running.Add(1)
	defer func() {
		d.running.Add(-1)
		d.rouse()
	}()
	r := run{d: d, job: job, sink: sink}
	stats, err := r.run(ctx)
	stats.Elapsed = time.Since(begin)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		kind := "cancelled"
		if e, ok := errors.AsType[*Error](err); ok {
			kind = string(e.Kind)
			if e.Kind == Internal || e.Kind == Crashed {
				d.cfg.Log.Error("a query process failed", "kind", kind, "error", e.Err)
			}
		}
		d.failures.WithLabelValues(kind).Inc()
	}
	return stats, err
}

// run is one statement under way.
type run struct {
	d       *DuckDB
	job     Job
	sink    func([]Value) error
	child   *child
	staging *staging
	stats   Stats
	heard   bool // the child has begun
	done    bool
}

// run runs the statement. A spare may die between the look whether it lives and its first word, as all do with their nursery: then one is asked that was started since.
func (r *run) run(ctx context.Context) (Stats, error) {
	for again := false; ; again = true {
		get := r.d.take
		if again {
			get = r.d.start
		}
		stats, err := r.once(ctx, get)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Crashed || r.heard || again || ctx.Err() != nil {
			return stats, err
		}
		r.stats = Stats{}
	}
}

// once runs the statement in the child that get gives.
func (r *run) once(ctx context.Context, get func() (*child, error)) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return r.stats, err
	}
	c, err := get()
	if err != nil {
		return r.stats, &Error{Internal, "The query engine did not start.", err}
	}
	r.child = c
	defer func() {
		if r.done {
			r.d.wg.Go(func() { c.end() }) // it has nothing left to do but to exit, which takes milliseconds
		} else {
			c.end()
		}
	}()
	// A child that is killed closes its pipe, which ends the reading below.
	defer context.AfterFunc(ctx, c.kill)()

	r.staging = newStaging(r.d.cfg.Fetcher, c.input())
	defer r.staging.close()
	j, err := r.plan(ctx)
	if err != nil {
		return r.stats, err
	}
	if err := c.in.WriteJSON(worker.FrameJob, j); err != nil {
		return r.stats, r.died(err)
	}
	return r.stats, r.read(ctx)
}

// plan turns the job into what the child is told.
func (r *run) plan(ctx context.Context) (*worker.Job, error) {
	l := r.job.Limits
	j := &worker.Job{Temp: r.child.temp(), Memory: l.Memory, Threads: l.Threads, TempMax: l.Temp, Columns: r.job.Columns}
	for i := range r.job.Relations {
		rel := &r.job.Relations[i]
		src, err := newSource(rel)
		if err != nil {
			return nil, &Error{Internal, "The query engine could not run the statement.", err}
		}
		for _, f := range rel.Files {
			r.stats.RowsScanned += f.Rows
		}
		if err := r.staging.add(ctx, j, src, i); err != nil {
			return nil, &Error{Internal, "The events' files could not be read.", err}
		}
	}
	j.SQL = r.staging.statement(r.job.SQL)
	return j, nil
}

// read takes the child's frames until its last.
func (r *run) read(ctx context.Context) error {
	vals := make([]Value, len(r.job.Columns))
	for {
		kind, payload, err := r.child.out.Next()
		if err != nil {
			return r.died(err)
		}
		r.heard = true
		switch kind {
		case worker.FrameWalls:
			var w worker.Walls
			if err := json.Unmarshal(payload, &w); err != nil {
				return r.died(err)
			}
			r.d.report(w)
		case worker.FrameNext:
			var s worker.Step
			if err := json.Unmarshal(payload, &s); err != nil {
				return r.died(err)
			}
			if err := r.staging.load(ctx, s.Group); err != nil {
				return &Error{Internal, "The events' files could not be fetched.", err}
			}
			if err := r.child.in.Write(worker.FrameStaged, nil); err != nil {
				return r.died(err)
			}
		case worker.FrameRows:
			if len(vals) == 0 {
				return r.died(errors.New("rows without columns"))
			}
			if err := worker.DecodeRows(payload, vals, r.sink); err != nil {
				return err
			}
		case worker.FrameError:
			var e worker.Failure
			if err := json.Unmarshal(payload, &e); err != nil {
				return r.died(err)
			}
			return explainFailure(e)
		case worker.FrameDone:
			var done worker.Done
			if err := json.Unmarshal(payload, &done); err != nil {
				return r.died(err)
			}
			// DuckDB reads twice where it fetches wide columns for the rows of a LIMIT alone.
			r.stats.RowsMatched, r.stats.BytesScanned = min(done.Matched, r.stats.RowsScanned), done.Read+r.staging.bytes
			r.done = true
			return nil
		default:
			return r.died(fmt.Errorf("a frame of unknown kind %q", kind))
		}
	}
}

// explainFailure makes the caller's error of the child's.
func explainFailure(e worker.Failure) *Error {
	switch {
	case e.Message != "" && e.Resources:
		return &Error{Resources, e.Message, errors.New(e.Text)}
	case e.Message != "":
		return &Error{Statement, e.Message, errors.New(e.Text)}
	case e.Duck != "":
		return explain(e.Duck)
	}
	return &Error{Internal, "The query engine could not run the statement.", errors.New(e.Text)}
}

// died makes the error of a child that ended before its last frame.
func (r *run) died(err error) error {
	end := r.child.died()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) {
		err = errors.New("it ended before its answer did")
	}
	cause := fmt.Errorf("query process: %w (%s) %s", err, end.text, r.child.stderr)
	if end.killed {
		return &Error{Crashed, "The query was ended from outside, most likely because the machine ran out of memory.", cause}
	}
	return &Error{Crashed, "The query engine ended unexpectedly while it ran this query.", cause}
}

// report logs once how children are confined.
func (d *DuckDB) report(w worker.Walls) {
	d.mu.Lock()
	first := !d.reported
	d.reported = true
	d.mu.Unlock()
	d.landlock.Set(float64(w.Landlock))
	switch {
	case w.Problem != "":
		d.cfg.Log.Error("a query process could not be confined as it should", "landlock", w.Landlock, "problem", w.Problem)
	case first && w.Landlock == 0:
		d.cfg.Log.Warn("this kernel has no Landlock: query processes are confined by DuckDB's own settings alone")
	case first:
		d.cfg.Log.Info("query processes are confined", "landlock", w.Landlock)
	}
}
