// Package objectlock keeps what a bucket holds of a lake from being removed or changed by anybody, Loch's own keys included, before its retention ends: with S3 Object Lock
// in compliance mode, on data files that compaction is done with, on the whole tiles and bundles of the transparency logs, and on their checkpoints. What a legal hold covers is kept for as long
// as the hold lasts: with S3's legal hold on its data files.
package objectlock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// Bucket is what is locked; objstore.S3 is one.
type Bucket interface {
	Lock(ctx context.Context, key string, until time.Time) error
	Hold(ctx context.Context, key string, on bool) error
	List(ctx context.Context, prefix, startAfter string, fn func(objstore.Object) error) error
}

// Files tells the data files of a store's table that stay as they are; lake.Lake does.
type Files interface {
	Finished(ctx context.Context, storeID string, unmerged bool) ([]lake.Finished, error)
}

// Config is what a Keeper is made of.
type Config struct {
	Bucket Bucket
	// Enabled tells whether the bucket has Object Lock enabled. It is asked once, and again while it fails.
	Enabled func(ctx context.Context) (bool, error)
	Files   Files
	Tables  func(ctx context.Context) ([]meta.Table, error)
	// Retention is how many days after its day an event of the store is due to go; 0 where nothing of the store is to be locked any more.
	Retention func(ctx context.Context, storeID string) (days int, err error)
	// Holds gives the legal holds of a store, lifted ones too; nil: there are none.
	Holds func(ctx context.Context, storeID string) ([]meta.Hold, error)
	// Removed gives the files of a store that a removal took out of its table and that wait to be deleted: a hold keeps them, too. nil: there are none.
	Removed func(ctx context.Context, storeID string) ([]meta.RemovedFile, error)
	// Now is the time as far as it is believed, nil: the machine's. A lock that a clock which ran ahead made too long can never be lifted.
	Now        func() time.Time
	Unmerged   bool                  // there is no compaction: small files are locked, too
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed
}

const (
	every       = time.Minute     // how often stores are looked at
	settled     = time.Hour       // how long a file must have been there with nothing to merge it with: a locked file that is merged later is paid for twice
	logsEvery   = time.Hour       // how often logs are looked at, and so how often a checkpoint is locked
	overlap     = time.Hour       // by how much two looks at a log overlap: the bucket's clock is not this one
	renewals    = 8               // in one retention the locks of a log's tiles are renewed so often
	atOnce      = 8               // requests under way
	longest     = 36500           // days, S3's longest retention
	longestWait = 5 * time.Minute // between tries where locking fails
)

// Keeper locks.
type Keeper struct {
	cfg      Config
	log      *slog.Logger
	locks    prometheus.Counter
	holds    prometheus.Counter
	failures prometheus.Counter
	stores   map[string]*state
	settled  time.Duration
}

// state is what the keeper remembers of a store. A restart forgets it: then every object is asked about once.
type state struct {
	seen    map[string]time.Time // since when a file is finished
	locked  map[string]time.Time // until when a file is locked
	days    int                  // retention that the log's tiles were locked by
	looked  time.Time            // at the log
	renewed time.Time            // the locks of all its tiles
	held    map[string]bool      // files that S3's legal hold is on
	swept   bool                 // files of which a life before may have left it on were looked at
}

// New makes a keeper, which does nothing by itself.
func New(cfg Config) *Keeper {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := promauto.With(cfg.Registerer)
	return &Keeper{cfg: cfg, log: cfg.Logger, stores: map[string]*state{}, settled: settled,
		locks:    f.NewCounter(prometheus.CounterOpts{Name: "loch_object_locks_total", Help: "Objects whose S3 Object Lock was set or found to be long enough."}),
		holds:    f.NewCounter(prometheus.CounterOpts{Name: "loch_object_holds_total", Help: "Objects whose S3 legal hold was put on or taken off, or found to be so."}),
		failures: f.NewCounter(prometheus.CounterOpts{Name: "loch_object_lock_failures_total", Help: "Objects that could not be locked or held, or whose hold could not be taken off; they are tried again."}),
	}
}

// Run locks until ctx is done, where the bucket can. Errors are logged, and what failed is tried again.
func (k *Keeper) Run(ctx context.Context) {
	pause := time.Duration(0) // what was written before the last end first
	known := false
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = max(pause, every)
		if !known {
			enabled, err := k.cfg.Enabled(ctx)
			switch {
			case err == nil && !enabled:
				return
			case err == nil:
				known = true
			case ctx.Err() == nil:
				pause = min(2*pause, longestWait)
				k.log.Error("whether the bucket has Object Lock cannot be told; nothing is locked", "error", err, "again in", pause)
				continue
			default:
				continue
			}
		}
		if err := k.Round(ctx, k.cfg.Now()); err == nil {
			pause = every
		} else if ctx.Err() == nil {
			pause = min(2*pause, longestWait)
			k.log.Error("objects were not locked", "error", err, "again in", pause)
		}
	}
}

// Round looks at every store once.
func (k *Keeper) Round(ctx context.Context, now time.Time) error {
	rows, err := k.cfg.Tables(ctx)
	if err != nil {
		return err
	}
	was := k.stores
	k.stores = map[string]*state{} // without those that are gone
	var errs []error
	for _, row := range rows {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		st := was[row.StoreID]
		if st == nil {
			st = &state{seen: map[string]time.Time{}, locked: map[string]time.Time{}, held: map[string]bool{}}
		}
		k.stores[row.StoreID] = st
		days, err := k.cfg.Retention(ctx, row.StoreID)
		if err == nil && days > 0 {
			days = min(days, longest)
			err = errors.Join(k.files(ctx, row.StoreID, st, days, now), k.logs(ctx, row.StoreID, st, days, now))
		}
		if err = errors.Join(err, k.hold(ctx, row.StoreID, st)); err != nil && !errors.Is(err, lake.ErrNoTable) { // it may be dropped meanwhile
			errs = append(errs, fmt.Errorf("object lock of store %s: %w", row.StoreID, err))
		}
	}
	return errors.Join(errs...)
}

// files locks the data files of a store, each to the day on which its newest event is due to go.
func (k *Keeper) files(ctx context.Context, storeID string, st *state, days int, now time.Time) error {
	files, err := k.cfg.Files.Finished(ctx, storeID, k.cfg.Unmerged)
	if err != nil {
		return err
	}
	seen, locked := st.seen, st.locked
	st.seen, st.locked = map[string]time.Time{}, map[string]time.Time{} // without those that are gone
	wanted := map[string]time.Time{}
	for _, f := range files {
		if at, ok := seen[f.Key]; ok {
			st.seen[f.Key] = at
		} else {
			st.seen[f.Key] = now
		}
		until := f.End.AddDate(0, 0, days)
		was := locked[f.Key]
		st.locked[f.Key] = was
		if until.After(now) && until.After(was) && now.Sub(st.seen[f.Key]) >= k.settled {
			wanted[f.Key] = until
		}
	}
	return k.lock(ctx, wanted, func(key string) { st.locked[key] = wanted[key] })
}

// logs locks the log of a store: its whole tiles and bundles, which are needed for as long as it grows, and the checkpoint of the hour. The locks run for one retention from
// now; those of all tiles are renewed several times in it, and at once where it was raised.
func (k *Keeper) logs(ctx context.Context, storeID string, st *state, days int, now time.Time) error {
	until := now.AddDate(0, 0, days)
	renew := days > st.days || !now.Before(st.renewed.Add(until.Sub(now)/renewals))
	if !renew && now.Sub(st.looked) < logsEvery {
		return nil
	}
	log := tlog.Reader{StoreID: storeID}
	since := st.looked.Add(-overlap)
	wanted := map[string]time.Time{}
	flush := func() error {
		batch := wanted
		wanted = map[string]time.Time{}
		return k.lock(ctx, batch, func(string) {})
	}
	err := k.cfg.Bucket.List(ctx, log.Key("tile/"), "", func(o objstore.Object) error {
		if strings.Contains(o.Key, ".p/") || !renew && o.Modified.Before(since) {
			return nil
		}
		if wanted[o.Key] = until; len(wanted) < 1000 {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	wanted[log.Key(proof.CheckpointPath)] = until
	if err := flush(); err != nil {
		return err
	}
	st.looked, st.days = now, days
	if renew {
		st.renewed = now
	}
	return nil
}

// lock locks objects and tells of each that is.
func (k *Keeper) lock(ctx context.Context, until map[string]time.Time, done func(key string)) error {
	return k.each(ctx, slices.Collect(maps.Keys(until)), func(key string) error { return k.cfg.Bucket.Lock(ctx, key, until[key]) }, func(key string) {
		k.locks.Inc()
		done(key)
	})
}

// each does something to objects, some at once, and tells of each that it is done to. One that is gone is no error.
func (k *Keeper) each(ctx context.Context, keys []string, do func(key string) error, done func(key string)) error {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	var errs []error
	for _, key := range keys {
		mu.Lock()
		failed := len(errs)
		mu.Unlock()
		if ctx.Err() != nil || failed >= atOnce { // it is not this object
			break
		}
		g.Go(func() error {
			err := do(key)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, objstore.ErrNotExist): // merged, or a log without a checkpoint yet
			case err != nil:
				k.failures.Inc()
				errs = append(errs, err)
			default:
				done(key)
			}
			return nil
		})
	}
	_ = g.Wait() // none fails by itself
	return errors.Join(append(errs, ctx.Err())...)
}
