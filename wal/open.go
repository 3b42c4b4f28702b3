package wal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/disk"
)

// Damage is a stretch of the log that held no good record when it was opened: acknowledged records between the sequences After and
// Before (both excluded) may be lost. A copy of the segment lies in Copy.
type Damage struct {
	Segment  string
	From, To int64 // offsets in bytes; both 0 where the whole segment cannot be read
	After    int64
	Before   int64 // 0: nothing follows
	Copy     string
}

type metrics struct {
	bytes, failed, damaged prometheus.Gauge
	refused                prometheus.Counter
	fsync, group           prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	f := promauto.With(reg)
	return metrics{
		bytes:   f.NewGauge(prometheus.GaugeOpts{Name: "loch_log_bytes", Help: "Size of the durable log."}),
		failed:  f.NewGauge(prometheus.GaugeOpts{Name: "loch_log_failed", Help: "1 while the durable log cannot be written."}),
		damaged: f.NewGauge(prometheus.GaugeOpts{Name: "loch_log_damaged", Help: "Stretches of the durable log that held no good record when it was opened: acknowledged records may be lost."}),
		refused: f.NewCounter(prometheus.CounterOpts{Name: "loch_log_refused_total", Help: "Appends refused because the durable log was full or failed."}),
		fsync: f.NewHistogram(prometheus.HistogramOpts{Name: "loch_log_fsync_seconds", Help: "Time of an fsync of the durable log.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12)}),
		group: f.NewHistogram(prometheus.HistogramOpts{Name: "loch_log_group_appends", Help: "Appends made durable by one fsync.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
	}
}

// Open opens the log of a directory, making it where it is missing, and checks every record in it. Where another process has the log
// open it fails with disk.ErrLocked. Damage is no error: it is logged, and told by Damaged.
func Open(opt Options) (_ *Log, err error) {
	opt.MaxBytes = cmp.Or(opt.MaxBytes, 1<<30)
	// The active segment cannot be released. With a quarter each for it and for its last record, an append fits once the others are.
	opt.SegmentBytes = min(cmp.Or(opt.SegmentBytes, 64<<20), opt.MaxBytes/4)
	opt.Reserve = cmp.Or(opt.Reserve, 64<<20)
	opt.RetryAfter = cmp.Or(opt.RetryAfter, time.Second)
	if opt.FS == nil {
		opt.FS = disk.OS
	}
	l := &Log{
		opt: opt, log: cmp.Or(opt.Logger, slog.Default()), metrics: newMetrics(opt.Registerer),
		appends: make(chan *request, groupAppends), stopped: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the durable log: %w", err)
		}
	}()
	if err := opt.FS.MkdirAll(opt.Dir); err != nil {
		return nil, err
	}
	if err := opt.FS.SyncDir(filepath.Dir(opt.Dir)); err != nil {
		return nil, err
	}
	if l.lock, err = disk.Lock(filepath.Join(opt.Dir, "lock")); err != nil {
		return nil, err
	}
	if err = l.load(); err == nil {
		err = l.begin(nil)
	}
	if err != nil {
		return nil, errors.Join(err, l.lock.Close())
	}
	go l.write()
	return l, nil
}

// load finds the segments and checks them. A new segment is always begun behind them: what a crash left is never appended to.
func (l *Log) load() error {
	entries, err := l.opt.FS.ReadDir(l.opt.Dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if _, ok := parseSegmentName(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // fixed-width hex: also by sequence
	l.next = l.opt.After + 1
	for i, name := range names {
		if err := l.check(name, i == len(names)-1); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// check reads one segment through, mends what a crash may leave, and enters the segment in l.closed unless nothing of it remains.
func (l *Log) check(name string, last bool) error {
	first, _ := parseSegmentName(name)
	l.next = max(l.next, first+1) // one more, lest an empty segment's name be wanted again
	path := filepath.Join(l.opt.Dir, name)
	f, err := l.opt.FS.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	size, err := f.Size()
	if err != nil {
		return err
	}
	var bad []damage
	var after []int64 // the sequence before each
	var r *reader
	seen := first - 1
	r, err = newReader(f, func(d damage) { bad, after = append(bad, d), append(after, seen) })
	if errors.Is(err, errHeader) {
		if last && size <= headersSize {
			// The crash came while the segment was made; nothing was ever acknowledged in it.
			l.log.Info("removing a segment of the durable log that a crash left unfinished", "segment", name)
			return l.opt.FS.Remove(path)
		}
		l.next = max(l.next, first+size/recordSize1) // it cannot have given more sequences than that
		if err := l.quarantine(f, name, size, []damage{{0, size, true, false}}, []int64{first - 1}, nil); err != nil {
			return err
		}
		return l.opt.FS.Remove(path)
	}
	if err != nil {
		return err
	}
	var before []int64 // the sequence behind each
	for {
		n := len(bad)
		rec, err := r.next()
		if err != nil && err != io.EOF {
			return err
		}
		if len(bad) > n {
			before = append(before, rec.Sequence)
		}
		if err == io.EOF {
			break
		}
		seen = rec.Sequence
	}
	s := segment{name: name, first: first, last: seen, size: size}
	l.next = max(l.next, seen+1)
	if n := len(bad) - 1; n >= 0 && bad[n].tail {
		l.next = max(l.next, seen+2+(bad[n].to-bad[n].from)/r.v.headSize()) // what was begun there had sequences, too, and they may have been acknowledged
		if last && bad[n].torn {
			l.log.Info("cutting an unfinished record off the durable log: a write was interrupted before it was acknowledged",
				"segment", name, "offset", bad[n].from, "bytes", bad[n].to-bad[n].from)
			s.size = bad[n].from
			if err := l.cut(s); err != nil {
				return err
			}
			bad, after, before = bad[:n], after[:n], before[:n]
		}
	}
	if len(bad) > 0 {
		if err := l.quarantine(f, name, size, bad, after, before); err != nil {
			return err
		}
	}
	l.closed = append(l.closed, s)
	l.count(s.size)
	return nil
}

// quarantine keeps a copy of a damaged segment for people to look at, and says what happened.
func (l *Log) quarantine(f disk.File, name string, size int64, bad []damage, after, before []int64) error {
	dir := filepath.Join(l.opt.Dir, "quarantine")
	copied := filepath.Join(dir, name)
	for i, d := range bad {
		m := Damage{Segment: name, From: d.from, To: d.to, After: after[i], Copy: copied}
		if before != nil {
			m.Before = before[i]
		}
		l.damaged = append(l.damaged, m)
		l.metrics.damaged.Inc()
		l.log.Error("the durable log is damaged: acknowledged records may be lost", "segment", name,
			"from", d.from, "to", d.to, "after_sequence", m.After, "before_sequence", m.Before, "copy", copied)
	}
	if err := l.opt.FS.MkdirAll(dir); err != nil {
		return err
	}
	to, err := l.opt.FS.Create(copied)
	if errors.Is(err, fs.ErrExist) {
		return nil // copied at an earlier start
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(f, 0, size))
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, l.opt.FS.Remove(copied))
	}
	return l.opt.FS.SyncDir(dir)
}

// Damaged tells what was bad when the log was opened.
func (l *Log) Damaged() []Damage { return l.damaged }

// Last is the greatest sequence that the log gave before it was opened.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.closed); n > 0 {
		return l.closed[n-1].last
	}
	return 0
}

// Replay calls fn for every good record that the log held when it was opened, with sequences above after, in order, until fn fails. Data is valid
// until fn returns.
func (l *Log) Replay(ctx context.Context, after int64, fn func(Record) error) error {
	l.mu.Lock()
	segments := slices.Clone(l.closed)
	l.mu.Unlock()
	for _, s := range segments {
		if s.last <= after {
			continue
		}
		if err := l.replay(ctx, s, after, fn); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) replay(ctx context.Context, s segment, after int64, fn func(Record) error) error {
	f, err := l.opt.FS.Open(filepath.Join(l.opt.Dir, s.name))
	if err != nil {
		return fmt.Errorf("replay the durable log: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	r, err := newReader(f, func(damage) {})
	for err == nil {
		var rec Record
		if rec, err = r.next(); err != nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if rec.Sequence > after {
			if err := fn(rec); err != nil {
				return err
			}
		}
	}
	if err == io.EOF || errors.Is(err, errHeader) { // Open has reported a damaged header
		return nil
	}
	return fmt.Errorf("replay the durable log: %s: %w", s.name, err)
}
