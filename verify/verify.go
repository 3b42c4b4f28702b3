// Package verify checks a lake against its transparency logs: that a server's folder or bucket holds what the logs say, all of it and nothing else. It believes nothing
// but the public key, and the checkpoints that it saw the last time.
package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// Meta is what a stopped server's metadata tells; meta.DB is one.
type Meta interface {
	Tables(ctx context.Context) ([]meta.Table, error)
	Stores(ctx context.Context, sc meta.Scope, after string, limit int) ([]meta.EventDataStore, error)
	Leaves(ctx context.Context, storeID string, limit int) ([]meta.Leaf, error)
	PendingLogs(ctx context.Context) ([]string, error)
	LogSize(ctx context.Context, storeID string) (int64, error)
	Holds(ctx context.Context, storeID string) ([]meta.Hold, error)
	RemovedFiles(ctx context.Context, storeID string) ([]meta.RemovedFile, error)
}

// Options say what is verified, and by what.
type Options struct {
	Objects objstore.Store
	Meta    Meta // nil: only what the object store holds is known, and a log's last leaf tells where its table stands
	Key     proof.PublicKey
	Seen    Seen // the checkpoints of the last time; Run brings it up to date where nothing is found
	Full    bool // every event too

	Accept proof.PublicKey // not nil: a key that may have taken the place of the one of the last time
	Lake   string          // the name of this lake to whoever keeps Seen: what was found under it must be there; "": it has none

	// Live says that Objects and Meta are what a running server was at one moment: its table names what is kept meanwhile, its log goes on, and what neither names comes and goes.
	Live bool

	Logs    []string // not nil: only the logs of these stores, which are read by their paths; Objects need do nothing else
	TempDir string
	Now     time.Time // that removals cannot be after; zero: the present

	Witnesses []proof.Witness // that must have cosigned every checkpoint

	// Progress is called now and then, from one goroutine at a time, with the bytes done and those there are as far as is known.
	Progress func(done, total, events int64)
}

// Finding is one thing that is not as the log says.
type Finding struct {
	Store   string `json:"store"`
	Object  string `json:"object"` // below the object store, or what else it concerns
	Problem string `json:"problem"`
}

// Report is what Run found.
type Report struct {
	Stores   int       `json:"stores"`
	Leaves   int64     `json:"leaves"`
	Pending  int64     `json:"pending"` // leaves that no checkpoint covers yet
	Files    int64     `json:"files"`   // data files
	Bytes    int64     `json:"bytes"`   // of them
	Events   int64     `json:"events"`  // that the logs tell of and that are not removed
	Erased   int64     `json:"erased"`  // of those events: by the log, their text and columns were taken out
	Checked  int64     `json:"checked"` // events whose hash and columns were recomputed
	Orphans  int64     `json:"orphans"` // objects in tables' folders that nothing refers to: left by a crash, or on their way out; of a running server also what is newer than what was verified
	Findings []Finding `json:"findings"`

	Cosigned []Cosigned `json:"cosigned,omitempty"`

	Unverified []Unverified `json:"unverified,omitempty"` // stores that were not verified, or their logs alone; of RunServer

	unlisted []string // stores that are remembered and were not among those to be verified
}

// Unverified is a store that was not verified.
type Unverified struct {
	Store  string `json:"store"`
	Reason string `json:"reason"`
}

// Cosigned is a cosignature that was asked for and is there.
type Cosigned struct {
	Store   string    `json:"store"`
	Witness string    `json:"witness"`
	At      time.Time `json:"at"`
}

// run is one verification.
type run struct {
	Options
	mu     sync.Mutex
	report Report
	done   atomic.Int64
	total  atomic.Int64
	events atomic.Int64
}

func (r *run) found(store, object, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Findings = append(r.report.Findings, Finding{store, object, fmt.Sprintf(format, args...)})
}

// progress adds to what is done. Two goroutines may tell it at once; the numbers never fall.
func (r *run) progress(bytes, events int64) {
	r.done.Add(bytes)
	r.events.Add(events)
	if r.Progress != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.Progress(r.done.Load(), r.total.Load(), r.events.Load())
	}
}

// Run verifies every store. An error is one of reading; what was read and is wrong are findings.
func Run(ctx context.Context, opt Options) (Report, error) {
	r := &run{Options: opt}
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	tables, settings, err := r.known(ctx)
	if err != nil {
		return r.report, err
	}
	ids := slices.Sorted(slices.Values(opt.Logs))
	if opt.Logs == nil {
		if ids, err = r.stores(ctx, tables, settings); err != nil {
			return r.report, err
		}
	}
	next := Seen{}
	for _, id := range ids {
		before := len(r.report.Findings)
		h, seen, err := r.log(ctx, id)
		if err != nil {
			return r.report, fmt.Errorf("store %s: %w", id, err)
		}
		r.report.Stores++
		if h != nil {
			if err := r.store(ctx, id, h, tables[id], settings); err != nil {
				return r.report, fmt.Errorf("store %s: %w", id, err)
			}
		}
		if len(r.report.Findings) == before && seen.Size > 0 {
			r.remember(next, id, seen)
		}
	}
	if err := r.gone(ctx, ids); err != nil {
		return r.report, err
	}
	if opt.Seen != nil {
		maps.Copy(opt.Seen, next)
	}
	return r.report, nil
}

// store holds what there is of a store against its history.
func (r *run) store(ctx context.Context, id string, h *history, row meta.Table, settings map[string]meta.EventDataStore) error {
	if r.Meta != nil && r.Logs == nil {
		var s *meta.EventDataStore
		if known, ok := settings[id]; ok {
			s = &known
		}
		if err := r.metadata(ctx, id, h, s, row); err != nil {
			return err
		}
	}
	if r.Logs != nil || h.going(r.Now) {
		r.report.Events += h.events
		return nil
	}
	return r.table(ctx, id, h, row)
}

// known reads what the metadata says.
func (r *run) known(ctx context.Context) (map[string]meta.Table, map[string]meta.EventDataStore, error) {
	tables, stores := map[string]meta.Table{}, map[string]meta.EventDataStore{}
	if r.Meta == nil {
		return tables, stores, nil
	}
	rows, err := r.Meta.Tables(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range rows {
		tables[t.StoreID] = t
	}
	all, err := r.Meta.Stores(ctx, meta.Scope{}, "", 0)
	for _, s := range all {
		stores[s.ID] = s
	}
	return tables, stores, err
}

// stores lists every store that has a row, a table or a log.
func (r *run) stores(ctx context.Context, tables map[string]meta.Table, settings map[string]meta.EventDataStore) ([]string, error) {
	ids := map[string]bool{}
	for id := range settings {
		ids[id] = true
	}
	for id := range tables {
		ids[id] = true
	}
	for _, prefix := range []string{tlog.Prefix, "tables/"} {
		err := r.Objects.ListFolders(ctx, prefix, func(name string) error {
			name = strings.TrimSuffix(strings.TrimPrefix(name, prefix), "/")
			ids[name] = true
			return nil
		})
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return nil, err
		}
	}
	if r.Meta != nil {
		pending, err := r.Meta.PendingLogs(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range pending {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// each does something for all items on all cores.
func each[T any](ctx context.Context, items []T, fn func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return fn(ctx, item) })
	}
	return g.Wait()
}
