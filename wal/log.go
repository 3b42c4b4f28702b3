// Package wal is the durable log before a commit: what is appended to it and acknowledged survives kill -9 and loss of power,
// until it is released. It knows neither events nor tables.
//
// The log is a directory of segments (segment.go has their format). One goroutine writes: it takes the appends that wait, writes them with
// one write and one fsync, and then acknowledges them (group commit), so that the cost of the disk is shared.
//
// Invariants:
//   - An append is acknowledged only after an fsync that covers it has succeeded, on a file whose name is durable.
//   - Sequences rise and are never given twice, not after a failed write and not after a restart, even where the
//     failed record reached the disk.
//   - After a failed write or fsync nothing more is appended to that segment. The log refuses appends until it has cut
//     the segment back to what was acknowledged and begun a new one. It tries every RetryAfter, whether an append asks or not: who
//     keeps senders away while the log is failed must not keep it failed.
//   - Opening cuts nothing but the unfinished last record of the last segment, which its head's own CRC tells from a damaged one (reader.torn). Whatever else
//     is bad is reported, counted, copied to quarantine/, and skipped; every good record before and behind it is kept.
package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/disk"
)

// Errors of Append that callers distinguish.
var (
	ErrFull   = errors.New("the durable log is full")            // until Release frees some of it
	ErrFailed = errors.New("the durable log cannot be written")  // the disk failed or is full; a later append may succeed
	ErrClosed = errors.New("the durable log is closed")          // for good
	ErrLarge  = errors.New("larger than the durable log allows") // never will be accepted
	// ErrUnsettled: the context ended while the record was being written. Whether it is durable, settled will be told.
	ErrUnsettled = errors.New("the outcome of an append to the durable log is not known yet")
)

// Options are a log's settings; the zero value of each but Dir is its default.
type Options struct {
	Dir          string
	After        int64                 // sequences given begin above it, and above every one that the log holds
	SegmentBytes int64                 // a segment is closed when it is larger; default 64 MiB, at most MaxBytes/4
	MaxBytes     int64                 // all segments together; appends beyond are refused with ErrFull; default 1 GiB. No record is larger than a quarter
	Reserve      int64                 // appends are refused with ErrFailed where the file system has less left than this and as much as the log holds; default 64 MiB, negative: none
	RetryAfter   time.Duration         // default 1 s; negative: at once, when an append asks
	FS           disk.FS               // default disk.OS
	Logger       *slog.Logger          // default slog.Default()
	Registerer   prometheus.Registerer // nil: the metrics are not registered
}

// Bounds of one group commit.
const (
	groupAppends = 512
	groupBytes   = 8 << 20
	maxRecord    = 1 << 30
)

// Log is an open log. Its methods may be called from many goroutines.
type Log struct {
	opt     Options
	log     *slog.Logger
	lock    io.Closer
	metrics metrics

	appends chan *request
	giving  sync.RWMutex  // held for reading by who sends to appends, for writing by who closes it
	ending  bool          // appends is closed
	stopped chan struct{} // closed when the writer has ended
	once    sync.Once
	bytes   atomic.Int64 // of all segments
	queued  atomic.Int64 // bytes of the appends that wait or are being written
	failure atomic.Pointer[failure]
	damaged []Damage

	mu       sync.Mutex // guards segments, with the counts in them
	closed   []segment  // oldest first; the one being written is not among them
	active   segment    // only the writer changes it, with mu held
	holders  int        // that keep segments from being removed
	released int64      // while they do: what Release was told last

	// The writer's own.
	next int64     // sequence
	file disk.File // of active; nil after a failure
	salt salt
	buf  []byte
}

type segment struct {
	name  string
	first int64
	last  int64 // first-1 where it is empty
	size  int64 // of what is acknowledged
}

type failure struct {
	err   error
	since time.Time
}

type request struct {
	kind    uint8
	parts   [][]byte
	size    int64 // of all parts
	settled func(int64, error)
	rotate  bool          // nothing is appended: the segment is ended
	done    chan struct{} // closed when sequence and err are set
	seq     int64
	err     error
}

// Append adds a record, whose data is the parts one after another, and returns its sequence when it is durable. On an error it is not, and never will be, except for ErrUnsettled. The parts must
// not be changed before Append has returned and, after ErrUnsettled, before settled was called.
//
// settled, where not nil, is told what became of the record, once, if the writer was given it: for records that are durable, in
// order of sequence without gaps, before Append returns. It is called by the writer and must not block.
func (l *Log) Append(ctx context.Context, kind uint8, settled func(sequence int64, err error), parts ...[]byte) (int64, error) {
	n := int64(0)
	for _, p := range parts {
		n += int64(len(p))
	}
	if n > l.opt.MaxBytes/4 || n > maxRecord {
		return 0, fmt.Errorf("record of %d bytes: %w", n, ErrLarge)
	}
	if l.queued.Add(n)+l.bytes.Load() > l.opt.MaxBytes {
		l.queued.Add(-n)
		l.metrics.refused.Inc()
		return 0, ErrFull
	}
	if f := l.failure.Load(); f != nil && time.Since(f.since) < l.opt.RetryAfter {
		l.queued.Add(-n)
		l.metrics.refused.Inc()
		return 0, fmt.Errorf("%w: %w", ErrFailed, f.err)
	}
	r := &request{kind: kind, parts: parts, size: n, settled: settled, done: make(chan struct{})}
	if err := l.give(ctx, r); err != nil {
		l.queued.Add(-n)
		return 0, err
	}
	select {
	case <-r.done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnsettled, ctx.Err())
	}
}

// give hands a request to the writer, which then settles it, even if the log is being closed.
func (l *Log) give(ctx context.Context, r *request) error {
	l.giving.RLock()
	defer l.giving.RUnlock()
	if l.ending {
		return ErrClosed
	}
	select {
	case l.appends <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the writer's goroutine. It ends when Close has closed the channel, and everything in it is settled.
func (l *Log) write() {
	defer close(l.stopped)
	group := make([]*request, 0, groupAppends)
	for {
		r, ok := l.await()
		if !ok {
			return
		}
		if r.rotate {
			l.end(r)
			continue
		}
		group = append(group[:0], r)
		var after *request
		size := r.size
	gather:
		for len(group) < groupAppends && size < groupBytes {
			select {
			case r, ok := <-l.appends:
				if !ok {
					break gather
				}
				if r.rotate {
					after = r
					break gather
				}
				group = append(group, r)
				size += r.size
			default:
				break gather
			}
		}
		err := l.commit(group)
		l.queued.Add(-size)
		for _, r := range group {
			if r.err = err; r.settled != nil {
				r.settled(r.seq, err)
			}
			close(r.done)
		}
		if after != nil {
			l.end(after)
		}
	}
}

// end carries out a request to end the active segment.
func (l *Log) end(r *request) {
	if l.file == nil || l.active.size > headersSize {
		if err := l.rotate(); err != nil {
			r.err = l.fail(err)
		}
	}
	r.seq = l.next - 1
	close(r.done)
}

// Rotate ends the segment that is being written, unless it is empty, and gives the greatest sequence that was given before. Release can then remove every segment that holds what was appended
// until now.
func (l *Log) Rotate(ctx context.Context) (int64, error) {
	r := &request{rotate: true, done: make(chan struct{})}
	if err := l.give(ctx, r); err != nil {
		return 0, err
	}
	select {
	case <-r.done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Holds tells whether a segment that was ended may hold a record up to and including the sequence.
func (l *Log) Holds(upTo int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.closed, func(s segment) bool { return s.first <= s.last && s.first <= upTo }) // an empty one may be older than the sequence
}

// Quarantined names the copies of damaged segments that wait for people to look at them. Nothing removes them.
func (l *Log) Quarantined() ([]string, error) {
	dir := filepath.Join(l.opt.Dir, "quarantine")
	entries, err := l.opt.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(dir, e.Name()))
	}
	return names, err
}

// await gives the next append, false where there will be none. While it waits a failed log tries to work again.
func (l *Log) await() (*request, bool) {
	for l.failure.Load() != nil && l.opt.RetryAfter > 0 {
		retry := time.NewTimer(l.opt.RetryAfter)
		select {
		case r, ok := <-l.appends:
			retry.Stop()
			return r, ok
		case <-retry.C:
			if err := l.rotate(); err != nil {
				_ = l.fail(err) // Failing tells it
			}
		}
	}
	r, ok := <-l.appends
	return r, ok
}

// Failing is why the log refuses appends now, nil where it takes them. A log that is full is not failing.
func (l *Log) Failing() error {
	if f := l.failure.Load(); f != nil {
		return fmt.Errorf("%w: %w", ErrFailed, f.err)
	}
	return nil
}

// room tells whether the disk has room for n more bytes. What the log holds is released when it is in the tables, and they may lie on the same disk: a log that took the last of
// it could never be emptied.
func (l *Log) room(n int64) error {
	if l.opt.Reserve < 0 {
		return nil
	}
	free, err := l.opt.FS.Free(l.opt.Dir)
	if err != nil {
		return err
	}
	if least := l.opt.Reserve + l.bytes.Load() + n; free < least {
		return fmt.Errorf("%w: %d bytes are left, and %d are kept free so that the log can be brought to the tables", syscall.ENOSPC, free, least)
	}
	return nil
}

// commit makes a group durable, all of it or (as far as anybody is told) none.
func (l *Log) commit(group []*request) error {
	size := int64(0)
	for _, r := range group {
		size += r.size
	}
	if err := l.room(size); err != nil {
		return l.fail(err)
	}
	if l.file == nil || l.active.size >= l.opt.SegmentBytes {
		if err := l.rotate(); err != nil {
			return l.fail(err)
		}
	}
	l.buf = l.buf[:0]
	for _, r := range group {
		r.seq = l.next
		l.next++
		l.buf = appendRecord(l.buf, &l.salt, r.seq, r.kind, r.parts...)
	}
	if _, err := l.file.WriteAt(l.buf, l.active.size); err != nil {
		return l.fail(err)
	}
	start := time.Now()
	if err := l.file.Sync(); err != nil {
		return l.fail(err)
	}
	l.metrics.fsync.Observe(time.Since(start).Seconds())
	l.metrics.group.Observe(float64(len(group)))
	l.mu.Lock()
	l.active.size += int64(len(l.buf))
	l.active.last = l.next - 1
	l.mu.Unlock()
	l.count(int64(len(l.buf)))
	if cap(l.buf) > 2*groupBytes {
		l.buf = nil // one large record must not hold its memory for ever
	}
	return nil
}

func (l *Log) count(n int64) { l.metrics.bytes.Set(float64(l.bytes.Add(n))) }

func (l *Log) fail(err error) error {
	if l.failure.Load() == nil {
		l.log.Error("the durable log refuses events: it cannot be written", "segment", l.active.name, "error", err)
	}
	l.failure.Store(&failure{err, time.Now()})
	l.metrics.failed.Set(1)
	// What the file holds behind active.size is unknown now. Only rotate may touch it, to cut it off.
	if l.file != nil {
		if e := l.file.Close(); e != nil {
			l.log.Warn("closing a segment failed", "segment", l.active.name, "error", e)
		}
		l.file = nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// rotate ends the active segment and begins a new one. After a failure it first cuts the segment back to what was acknowledged, so
// that no record that was refused comes back in a replay. A segment in which no sequence was given yet is taken up again: it is as good as a new one, which would need its name.
func (l *Log) rotate() error {
	if err := l.room(0); err != nil {
		return err
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			l.log.Warn("closing a segment failed", "segment", l.active.name, "error", err)
		}
		l.file = nil
	} else if err := l.cut(l.active); err != nil {
		return err
	}
	if err := l.renew(); err != nil {
		return err
	}
	if l.failure.Swap(nil) != nil {
		l.log.Info("the durable log takes events again", "segment", l.active.name)
		l.metrics.failed.Set(0)
	}
	return nil
}

// renew begins a new segment, or opens the active one again where no sequence was given in it yet.
func (l *Log) renew() (err error) {
	if l.active.first == l.next {
		l.file, err = l.opt.FS.OpenWrite(filepath.Join(l.opt.Dir, l.active.name))
		return err
	}
	ended := l.active
	return l.begin(&ended)
}

// cut takes off what a segment holds behind its acknowledged part.
func (l *Log) cut(s segment) error {
	f, err := l.opt.FS.OpenWrite(filepath.Join(l.opt.Dir, s.name))
	if err != nil {
		return err
	}
	err = f.Truncate(s.size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// begin makes a segment for l.next on, durable in name and header before anything is appended, and closes the one that ended (nil: there was none). Only then may
// Release remove that: some segment must always say which sequences were given.
func (l *Log) begin(ended *segment) error {
	name := segmentName(l.next)
	path := filepath.Join(l.opt.Dir, name)
	f, err := l.opt.FS.Create(path)
	if errors.Is(err, fs.ErrExist) {
		// Left by a try before this one, which could not remove it: no record was acknowledged in it, or the next sequence would be another.
		if err = l.opt.FS.Remove(path); err == nil {
			f, err = l.opt.FS.Create(path)
		}
	}
	if err != nil {
		return err
	}
	head, s := newHeader(l.next)
	_, err = f.WriteAt(head, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.opt.FS.SyncDir(l.opt.Dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), l.opt.FS.Remove(path))
	}
	l.file, l.salt = f, s
	l.mu.Lock()
	l.active = segment{name: name, first: l.next, last: l.next - 1, size: headersSize}
	if ended != nil {
		l.closed = append(l.closed, *ended)
	}
	l.mu.Unlock()
	l.count(headersSize)
	return nil
}

// Release says that nothing up to and including the sequence is needed any more. Segments that hold nothing else are removed.
func (l *Log) Release(upTo int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.release(upTo)
}

func (l *Log) release(upTo int64) error {
	if l.holders > 0 {
		l.released = max(l.released, upTo)
		return nil
	}
	for len(l.closed) > 0 && l.closed[0].last <= upTo {
		s := l.closed[0]
		if err := l.opt.FS.Remove(filepath.Join(l.opt.Dir, s.name)); err != nil {
			return fmt.Errorf("release the durable log: %w", err)
		}
		l.closed = l.closed[1:]
		l.count(-s.size)
	}
	return nil
}

// Close writes what was given, ends the writer and gives the lock back. Later appends fail with ErrClosed.
func (l *Log) Close() error {
	var err error
	l.once.Do(func() {
		l.giving.Lock()
		l.ending = true
		l.giving.Unlock()
		close(l.appends)
		<-l.stopped
		if l.file != nil {
			err = l.file.Close()
		}
		err = errors.Join(err, l.lock.Close())
	})
	return err
}
