// Package retention takes out of the stores what is due: days that are past a store's retention, stores whose seven days of deletion are over, and at last the files of what was removed. It
// removes nothing that a legal hold covers, and nothing at all while the machine's clock cannot be believed.
package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
)

// Tables is the lake as retention uses it; *lake.Lake is one.
type Tables interface {
	// Days tells what a store's table holds, the oldest day first; lake.ErrNoTable where there is none.
	Days(ctx context.Context, storeID string) ([]lake.Day, error)
	// RemoveDays takes whole days out of the table, where allow lets it in the commit's transaction, and gives those that went: at most 1,000.
	RemoveDays(ctx context.Context, storeID string, days []int32, at time.Time, r proof.Removal, allow func(meta.EventDataStore, []meta.Hold) error) ([]lake.Day, error)
	// Purge deletes the files that were removed before a time and that nothing names, but for those of days to keep, which it asks for before each.
	Purge(ctx context.Context, storeID string, before time.Time, kept func(context.Context) (keep func(day int32) bool, err error)) ([]meta.RemovedFile, error)
	// LastCommit is when events were last committed to any table, the zero time where none ever were.
	LastCommit(ctx context.Context) (time.Time, error)
}

// Stores is the registry as retention uses it; *registry.Registry is one.
type Stores interface {
	Flush(ctx context.Context) error
	// Sweep removes the stores whose seven days of deletion are over.
	Sweep(ctx context.Context) error
	SetRetention(ctx context.Context, sc meta.Scope, ref string, days int) (meta.EventDataStore, error)
}

// Config is what a Service is made of.
type Config struct {
	DB         meta.DB
	Tables     Tables
	Stores     Stores
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed

	Every   time.Duration // between two looks at what is due; 0: ten minutes
	KeepFor time.Duration // how long the files of what was removed wait to be deleted; 0: seven days

	Now    func() time.Time     // nil: time.Now
	Uptime func() time.Duration // by a clock that nobody sets; nil: the monotonic one
}

// What Config has where nobody says.
const (
	every   = 10 * time.Minute
	keepFor = 7 * 24 * time.Hour
)

// alarmEvery is how often the log says again that removal is halted.
const alarmEvery = time.Hour

// Service removes what is due. Its methods may be called from many goroutines, Run by one.
type Service struct {
	cfg     Config
	log     *slog.Logger
	clock   *clock
	wake    chan struct{}
	metrics *metrics

	halted  bool          // at the last look
	alarmed time.Duration // uptime when the log last said so
}

type metrics struct {
	halted   prometheus.Gauge
	failures prometheus.Counter
	events   prometheus.Counter
	bytes    prometheus.Counter
	deleted  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		halted:   f.NewGauge(prometheus.GaugeOpts{Name: "loch_retention_halted", Help: "1 while nothing is removed because the clock cannot be believed."}),
		failures: f.NewCounter(prometheus.CounterOpts{Name: "loch_retention_failures_total", Help: "Looks at what is due that ended in an error."}),
		events:   f.NewCounter(prometheus.CounterOpts{Name: "loch_retention_removed_events_total", Help: "Events that went by their store's retention."}),
		bytes:    f.NewCounter(prometheus.CounterOpts{Name: "loch_retention_removed_bytes_total", Help: "Bytes of their files."}),
		deleted:  f.NewCounter(prometheus.CounterOpts{Name: "loch_retention_deleted_files_total", Help: "Files of removed events that were deleted when they had waited."}),
	}
}

// Open reads what is known of the clock. Nothing is removed before Run.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg.Every, cfg.KeepFor = cmp.Or(cfg.Every, every), cmp.Or(cfg.KeepFor, keepFor)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Uptime == nil {
		start := time.Now()
		cfg.Uptime = func() time.Duration { return time.Since(start) }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), metrics: newMetrics(cfg.Registerer)}
	var err error
	if s.clock, err = openClock(ctx, cfg.DB, cfg.Now, cfg.Uptime, cfg.Tables.LastCommit); err != nil {
		return nil, fmt.Errorf("open retention: %w", err)
	}
	return s, nil
}

// Run removes what is due, at once and then every few minutes, until ctx is done. What fails is logged and tried again.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.metrics.failures.Inc()
			s.log.Error("removing what is due", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Wake lets Run look at what is due now.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

// Round removes what is due now. It is Run's, and for tests.
func (s *Service) Round(ctx context.Context) error {
	errs := []error{s.cfg.Stores.Flush(ctx)}
	c, err := s.clock.look(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	s.alarm(c)
	if c.Halted {
		return errors.Join(errs...)
	}
	tables, err := s.cfg.DB.Tables(ctx)
	errs = append(errs, err)
	for _, t := range tables {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.store(ctx, t.StoreID, c.Now); err != nil {
			errs = append(errs, fmt.Errorf("event data store %s: %w", t.StoreID, err))
		}
	}
	return errors.Join(append(errs, s.cfg.Stores.Sweep(ctx))...)
}

// alarm says that removal is halted, when that begins and every hour, and when it goes on.
func (s *Service) alarm(c Clock) {
	up := s.cfg.Uptime()
	switch {
	case c.Halted && (!s.halted || up-s.alarmed >= alarmEvery):
		s.alarmed = up
		s.log.Error(c.Reason, "clock", c.Now, "known good", c.Good, "goes on", c.Until)
		s.metrics.halted.Set(1)
	case !c.Halted && s.halted:
		s.log.Info("removal goes on: the clock is believed again", "clock", c.Now)
		s.metrics.halted.Set(0)
	}
	s.halted = c.Halted
}

// store removes what is due of one store.
func (s *Service) store(ctx context.Context, id string, now time.Time) error {
	store, err := s.cfg.DB.Store(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	for {
		more, err := s.remove(ctx, &store, now)
		if errors.Is(err, lake.ErrNoTable) {
			return nil
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	gone, err := s.cfg.Tables.Purge(ctx, id, now.Add(-s.cfg.KeepFor), func(ctx context.Context) (func(int32) bool, error) {
		holds, err := s.cfg.DB.Holds(ctx, id)
		return func(day int32) bool { return held(holds, day) }, err
	})
	if len(gone) > 0 {
		s.metrics.deleted.Add(float64(len(gone)))
		s.log.Info("files of removed events were deleted", "store", id, "files", len(gone))
	}
	return err
}

// remove takes the days out that are due, and tells whether there may be more.
func (s *Service) remove(ctx context.Context, store *meta.EventDataStore, now time.Time) (more bool, err error) {
	days, err := s.cfg.Tables.Days(ctx, store.ID)
	if err != nil {
		return false, err
	}
	holds, err := s.cfg.DB.Holds(ctx, store.ID)
	if err != nil {
		return false, err
	}
	var due []int32
	var latest time.Time
	for _, d := range days {
		at, ok := registry.RetentionDue(store, d.Day)
		if !ok || now.Before(at) || held(holds, d.Day) {
			continue
		}
		due = append(due, d.Day)
		if at.After(latest) {
			latest = at
		}
	}
	if len(due) == 0 {
		return false, nil
	}
	gone, err := s.cfg.Tables.RemoveDays(ctx, store.ID, due, s.clock.latest(), proof.Removal{Rule: "retention", Due: proof.Time(latest)},
		func(s meta.EventDataStore, holds []meta.Hold) error { return registry.MayRemove(&s, holds, due, now) })
	if err != nil || len(gone) == 0 {
		return false, err
	}
	sum := amountOf(gone)
	s.metrics.events.Add(float64(sum.Events))
	s.metrics.bytes.Add(float64(sum.Bytes))
	s.log.Info("events past their retention were removed", "store", store.ID, "retention", store.RetentionDays, "from", sum.Oldest, "to", sum.Newest, "days", sum.Days, "events", sum.Events, "bytes", sum.Bytes)
	return len(gone) < len(due), nil
}

func held(holds []meta.Hold, day int32) bool {
	return meta.HeldBy(holds, registry.DayStart(day), registry.DayStart(day+1)) != nil
}

// Clock tells what is thought of the machine's clock.
func (s *Service) Clock(ctx context.Context) (Clock, error) { return s.clock.look(ctx) }

// Believed is the time by the machine's clock, as far as that is believed: at most a day past the last time that is known to be right.
func (s *Service) Believed() time.Time { return s.clock.believed() }

// Latest is the time that waits are counted from: the machine's, or the last that is known to be right where that is later.
func (s *Service) Latest() time.Time { return s.clock.latest() }

// ConfirmClock makes the present time known to be right, where date (YYYY-MM-DD) is its day, UTC: whoever confirms has looked at another clock. Removal goes on.
func (s *Service) ConfirmClock(ctx context.Context, date string) (Clock, error) {
	now := s.cfg.Now().UTC()
	if date != now.Format(time.DateOnly) {
		return Clock{}, fmt.Errorf("%w: the clock says %s, UTC, and not %.20q", ErrWrongDate, now.Format(time.DateOnly), date)
	}
	if err := s.clock.confirm(ctx); err != nil {
		return Clock{}, err
	}
	s.log.Warn("the clock was confirmed", "clock", now)
	s.Wake()
	return s.clock.look(ctx)
}

// ErrWrongDate: the day that was confirmed is not the clock's.
var ErrWrongDate = errors.New("nothing is confirmed")

// Warning is what an operator must know, "" where there is nothing.
func (s *Service) Warning(ctx context.Context) (string, error) {
	c, err := s.clock.look(ctx)
	return c.Reason, err
}
