// Package tlog keeps the stores' transparency logs, in the form of C2SP's tlog-tiles: below logs/<store>/ in the object store lie bundles of entries, tiles of
// hashes and the signed checkpoint, which any tlog client can read.
//
// The changes of a store write their leaves into the metadata, in their own transactions (meta.Leaf), and this package brings them to the log: leaves, tiles,
// and only then the checkpoint. A leaf's serial is its index in the log, so that after a crash at any point nothing is appended twice and nothing left out, and the same
// leaves make the same log, byte for byte.
package tlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Meta is what a Service needs of the metadata; meta.DB is one.
type Meta interface {
	Leaves(ctx context.Context, storeID string, limit int) ([]meta.Leaf, error)
	PendingLogs(ctx context.Context) ([]string, error)
	PublishedLeaves(ctx context.Context, storeID string, size int64) error
	LogSize(ctx context.Context, storeID string) (int64, error)
}

// Config is what a Service is made of.
type Config struct {
	Meta       Meta
	Objects    objstore.Store
	Key        proof.Key
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed
	Every      time.Duration         // between two looks for leaves that wait; 0: a second
	Guard      *Guard                // of the same metadata and logs; nil: the service makes one

	Witnesses   []Witness     // that are asked to cosign what is published
	WitnessTime time.Duration // that one of them may take for an answer; 0: ten seconds
}

const (
	leavesAtOnce = 4096 // of one log that are appended under one checkpoint, so that memory is bounded
	logsAtOnce   = 4    // that are written at once
	logsOpen     = 256  // whose right edge is kept in memory
)

// ErrGap: leaves that the log should have are neither in it nor waiting for it. The log was set back, or the metadata was.
var ErrGap = errors.New("leaves are missing between the log and those that wait for it")

// Service appends to the logs. It may be used from many goroutines.
type Service struct {
	cfg     Config
	log     *slog.Logger
	guard   *Guard
	leaves  prometheus.Counter
	failing *prometheus.GaugeVec
	witness witnessMetrics

	cosigners []*cosigner // one for each witness

	turn chan struct{} // held by who appends
	open map[string]*appender

	telling sync.Mutex
	told    map[string]string // by store: the error that was logged last

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open starts to bring leaves to their logs.
func Open(cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	s := newService(cfg)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.run(ctx) })
	for _, c := range s.cosigners {
		s.done.Go(func() { c.run(ctx) })
	}
	return s
}

// newService makes a service that does nothing by itself.
func newService(cfg Config) *Service {
	if cfg.WitnessTime == 0 {
		cfg.WitnessTime = witnessTime
	}
	s := &Service{cfg: cfg, log: cfg.Logger, turn: make(chan struct{}, 1), open: map[string]*appender{}, told: map[string]string{}}
	s.metrics(cfg.Registerer)
	if s.guard = cfg.Guard; s.guard == nil {
		s.guard = NewGuard(GuardConfig{Meta: cfg.Meta, Objects: cfg.Objects, Key: cfg.Key.Public(), Logger: cfg.Logger, Registerer: cfg.Registerer})
	}
	for _, w := range cfg.Witnesses {
		s.cosigners = append(s.cosigners, newCosigner(s, w))
	}
	return s
}

func (s *Service) metrics(r prometheus.Registerer) {
	f := promauto.With(r)
	s.leaves = f.NewCounter(prometheus.CounterOpts{Name: "loch_log_leaves_total", Help: "Leaves that checkpoints of transparency logs were published over."})
	s.failing = f.NewGaugeVec(prometheus.GaugeOpts{Name: "loch_log_failing", Help: "1 for a store whose transparency log takes no leaves."}, []string{"store"})
	s.witness = newWitnessMetrics(r)
}

func (s *Service) run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		_ = s.Flush(ctx) // the next look tries again what failed; Flush has logged it
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Flush publishes every leaf that waits. An error is of the logs that take none; the others have theirs. Where the metadata was set back (meta.ErrSetBack), or nobody could look yet, none takes any.
func (s *Service) Flush(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := s.guard.Check(ctx, ""); err != nil {
		return err // the guard has told it
	}
	stores, err := s.cfg.Meta.PendingLogs(ctx)
	if err != nil {
		s.tell(ctx, "", err)
		return err
	}
	s.tell(ctx, "", nil)
	for id := range s.open { // any of them: which one matters little
		if len(s.open) <= logsOpen {
			break
		}
		delete(s.open, id)
	}
	var (
		mu   sync.Mutex
		errs []error
		g    errgroup.Group
	)
	g.SetLimit(logsAtOnce)
	for _, id := range stores {
		mu.Lock()
		a := s.open[id]
		mu.Unlock()
		g.Go(func() error {
			a, err := s.publish(ctx, id, a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				err = fmt.Errorf("transparency log of store %s: %w", id, err)
				errs = append(errs, err)
				delete(s.open, id)
			} else {
				s.open[id] = a
				for _, c := range s.cosigners {
					c.published(id)
				}
			}
			s.tell(ctx, id, err)
			return nil
		})
	}
	_ = g.Wait() // none fails by itself
	return errors.Join(errs...)
}

// Failing lists the stores whose logs take no leaves, sorted; "" among them means that it is not known which have leaves that wait.
func (s *Service) Failing() []string {
	s.telling.Lock()
	defer s.telling.Unlock()
	return slices.Sorted(maps.Keys(s.told))
}

// Pause keeps every log as it is until resume is called: no leaf is appended and no checkpoint published. It waits for what is being published. It is a meta.ErrSetBack where metadata and logs are not of one
// history.
func (s *Service) Pause(ctx context.Context) (resume func(), err error) {
	select {
	case s.turn <- struct{}{}:
		if err := s.guard.Known(); errors.Is(err, meta.ErrSetBack) {
			<-s.turn
			return nil, err
		}
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tell logs an error when it is new, and its end.
func (s *Service) tell(ctx context.Context, store string, err error) {
	if ctx.Err() != nil {
		return
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	switch was := s.told[store]; {
	case err == nil && was != "":
		delete(s.told, store)
		s.failing.DeleteLabelValues(store)
		s.log.Info("the transparency log takes leaves again", "store", store)
	case err != nil && was != err.Error():
		s.told[store] = err.Error()
		s.failing.WithLabelValues(store).Set(1)
		s.log.Error("a transparency log takes no leaves; they wait in the metadata", "store", store, "error", err)
	}
}

// publish brings a store's leaves to its log, which a has open (nil: not yet).
func (s *Service) publish(ctx context.Context, id string, a *appender) (*appender, error) {
	for {
		rows, err := s.cfg.Meta.Leaves(ctx, id, leavesAtOnce)
		if err != nil || len(rows) == 0 {
			return a, err
		}
		if a == nil {
			if a, err = openAppender(ctx, Reader{s.cfg.Objects, id}, s.cfg.Key); err != nil {
				return nil, err
			}
		}
		if err := covered(ctx, a.Reader, a.size, rows); errors.Is(err, meta.ErrSetBack) {
			return nil, s.guard.found(id, err)
		} else if err != nil {
			return nil, err
		}
		var leaves [][]byte
		for _, r := range rows {
			if next := a.size + uint64(len(leaves)); uint64(r.Serial) == next {
				leaves = append(leaves, r.Data)
			} else if uint64(r.Serial) > next {
				return nil, fmt.Errorf("%w: the log has %d, the next one is %d", ErrGap, next, r.Serial)
			} // else a checkpoint covers this very leaf, and a crash kept that from being noted
		}
		if err := a.append(ctx, leaves); err != nil {
			return nil, err
		}
		s.leaves.Add(float64(len(leaves)))
		if err := s.cfg.Meta.PublishedLeaves(ctx, id, int64(a.size)); err != nil {
			return nil, err
		}
	}
}

// Close publishes what waits, until ctx ends, and stops. What was not published waits in the metadata for the next start; what was not cosigned is asked for again then.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	s.done.Wait()
	err := s.Flush(ctx)
	switch {
	case errors.Is(err, meta.ErrSetBack):
		err = nil // it was told, and nothing that could be done is undone
	case errors.Is(err, errUnchecked):
		if waiting, perr := s.cfg.Meta.PendingLogs(ctx); perr == nil && len(waiting) == 0 {
			err = nil
		}
	}
	s.askLast(ctx)
	return err
}
