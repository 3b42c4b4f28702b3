package wal

import (
	"bytes"
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
	"syscall"
	"testing"
	"time"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/disk/disktest"
)

func open(t *testing.T, opt Options) *Log {
	t.Helper()
	l, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func add(t *testing.T, l *Log, data string) int64 {
	t.Helper()
	seq, err := l.Append(t.Context(), 1, nil, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func replayed(t *testing.T, l *Log, after int64) string {
	t.Helper()
	var b strings.Builder
	last := after
	err := l.Replay(t.Context(), after, func(r Record) error {
		if r.Sequence <= last {
			t.Errorf("sequence %d after %d", r.Sequence, last)
		}
		last = r.Sequence
		b.Write(r.Data)
		b.WriteByte(' ')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestReplayAndRelease(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, SegmentBytes: 100})
	for i := range 10 {
		if seq := add(t, l, fmt.Sprint("r", i)); seq != int64(i+1) {
			t.Fatalf("sequence %d, want %d", seq, i+1)
		}
	}
	if err := l.Release(7); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, Options{Dir: dir, SegmentBytes: 100})
	if got := replayed(t, l, 7); got != "r7 r8 r9" {
		t.Errorf("replayed %q", got)
	}
	next := add(t, l, "more")
	if next <= 10 {
		t.Errorf("sequence %d was given before", next)
	}
	if err := l.Release(10); err != nil {
		t.Fatal(err)
	}
	if n := segments(t, dir); len(n) != 1 {
		t.Errorf("left after release: %v", n)
	}
	if l.bytes.Load() > 200 {
		t.Errorf("%d bytes counted after release", l.bytes.Load())
	}
}

// What was appended before a rotation is in no file when it is released; what came after stays, and so do sequences.
func TestRotate(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	inFiles := func(text string) bool {
		for _, name := range segments(t, dir) {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(content, []byte(text)) {
				return true
			}
		}
		return false
	}
	rotate := func() int64 {
		t.Helper()
		upTo, err := l.Rotate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return upTo
	}
	if upTo := rotate(); upTo != 0 || len(segments(t, dir)) != 1 {
		t.Errorf("an empty log: up to %d, segments %v", upTo, segments(t, dir))
	}
	add(t, l, "secret")
	add(t, l, "other")
	upTo := rotate()
	if upTo != 2 || !l.Holds(1) || !l.Holds(2) || l.Holds(0) || !inFiles("secret") {
		t.Errorf("up to %d, held %t", upTo, l.Holds(2))
	}
	add(t, l, "later")
	if err := l.Release(upTo); err != nil {
		t.Fatal(err)
	}
	if l.Holds(upTo) || inFiles("secret") || !inFiles("later") {
		t.Error("released, and still there")
	}
	if again := rotate(); again != 3 || !l.Holds(3) {
		t.Errorf("up to %d", again)
	}
	if got := replayed(t, l, 0); got != "later" {
		t.Errorf("replayed %q", got)
	}
	var all sync.WaitGroup
	for range 8 { // beside appends
		all.Go(func() { add(t, l, "x") })
		all.Go(func() {
			if _, err := l.Rotate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	rotate()
	if got := replayed(t, l, 3); got != "x x x x x x x x" {
		t.Errorf("replayed %q", got)
	}
}

// A log that holds nothing when it is opened anew holds nothing of what was appended before.
func TestRotateAfterOpening(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		l, err := Open(Options{Dir: dir, After: 100})
		if err != nil {
			t.Fatal(err)
		}
		upTo, err := l.Rotate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l.Holds(upTo) {
			t.Errorf("an empty log holds something up to %d: %v", upTo, segments(t, dir))
		}
		add(t, l, "secret")
		if upTo, err = l.Rotate(t.Context()); err != nil || !l.Holds(upTo) {
			t.Error(upTo, err)
		}
		if err := l.Release(upTo); err != nil || l.Holds(upTo) {
			t.Error("released, and still held", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSequencesGoOnThoughTheFolderIsLost(t *testing.T) {
	l := open(t, Options{Dir: t.TempDir(), After: 500})
	if seq := add(t, l, "a"); seq != 501 {
		t.Errorf("sequence %d", seq)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentAppendsShareFsyncs(t *testing.T) {
	const callers = 32
	var l *Log
	var opened atomic.Bool
	syncs := 0 // since then
	fs := &disktest.FS{FS: disk.OS, Hook: func(op, name string) (int, error) {
		if op == "sync" && opened.Load() {
			// The first takes until all who are not in its group wait. A fast disk may be done with one before the next comes.
			for syncs++; syncs == 1 && len(l.appends) < callers-int(l.next-1); {
				runtime.Gosched()
			}
		}
		return 0, nil
	}}
	l = open(t, Options{Dir: t.TempDir(), FS: fs})
	opened.Store(true)
	var order []int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 50 {
				if _, err := l.Append(context.Background(), 1, func(s int64, _ error) { order = append(order, s) }, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, s := range order {
		if s != int64(i+1) {
			t.Fatalf("callback %d has sequence %d", i, s)
		}
	}
	if len(order) != 50*callers || syncs > 50*callers-(callers-2) { // two for the first of every caller
		t.Errorf("%d appends, %d fsyncs", len(order), syncs)
	}
	t.Logf("%d fsyncs for %d appends", syncs, len(order))
}

func TestFull(t *testing.T) {
	l := open(t, Options{Dir: t.TempDir(), MaxBytes: 4000})
	var err error
	var last int64
	for n := 0; err == nil && n < 100; n++ {
		var seq int64
		if seq, err = l.Append(t.Context(), 1, nil, make([]byte, 500)); err == nil {
			last = seq
		}
	}
	if !errors.Is(err, ErrFull) || last < 4 {
		t.Fatalf("after %d: %v", last, err)
	}
	if err := l.Release(last); err != nil {
		t.Fatal(err)
	}
	add(t, l, strings.Repeat("x", 900))
	if _, err := l.Append(t.Context(), 1, nil, make([]byte, 1100)); !errors.Is(err, ErrLarge) {
		t.Errorf("got %v", err)
	}
}

// TestForgedRecordInside: a record's data that itself looks like a record is not believed when the one around it is damaged.
func TestForgedRecordInside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	add(t, l, "a")
	var other salt
	add(t, l, string(appendRecord(nil, &other, 9, 1, []byte("forged"))))
	add(t, l, "c")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := segments(t, dir)[0]
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, flip(headersSize+recordSize+1+5)(b), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if got := replayed(t, l, 0); got != "a c" {
		t.Errorf("replayed %q", got)
	}
}

// TestFailures: an operation of the disk fails while the log is in use. No acknowledged record is lost, no refused one comes back.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		op    string
		short int
	}{{"write", 0}, {"write", 10}, {"write", recordSize + 1}, {"sync", 0}, {"create", 0}, {"syncdir", 0}, {"truncate", 0}, {"remove", 0}} {
		for times := 1; times <= 3; times++ {
			t.Run(fmt.Sprint(c.op, c.short, "x", times), func(t *testing.T) {
				left := 0
				var mu sync.Mutex
				fs := &disktest.FS{FS: disk.OS, Hook: func(op, name string) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					if left > 0 && (op == c.op || op == "write" && c.op == "truncate" || op == "syncdir" && c.op == "remove") {
						if op == c.op {
							left--
						}
						return c.short, syscall.ENOSPC
					}
					return 0, nil
				}}
				dir := t.TempDir()
				l := open(t, Options{Dir: dir, FS: fs, SegmentBytes: 150, RetryAfter: -1, Logger: slog.New(slog.DiscardHandler)})
				var want []string
				refused := 0
				for i := range 20 {
					if i == 7 {
						mu.Lock()
						left = times
						mu.Unlock()
					}
					data := fmt.Sprint("r", i)
					if _, err := l.Append(t.Context(), 1, nil, []byte(data)); err == nil {
						want = append(want, data)
					} else if errors.Is(err, ErrFailed) && errors.Is(err, syscall.ENOSPC) {
						refused++
					} else {
						t.Fatal(err)
					}
				}
				if refused == 0 || want[len(want)-1] != "r19" {
					t.Errorf("%d refused, kept %v", refused, want)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
				if got := replayed(t, l, 0); got != strings.Join(want, " ") {
					t.Errorf("replayed %q\nwant     %q", got, want)
				}
				if len(l.Damaged()) > 0 {
					t.Errorf("damage: %v", l.Damaged())
				}
			})
		}
	}
}

func TestFailureRefusesFastUntilRetry(t *testing.T) {
	writes := 0
	fs := &disktest.FS{FS: disk.OS, Hook: func(op, name string) (int, error) {
		if op == "sync" && writes > 0 {
			writes++
			return 0, syscall.EIO
		}
		return 0, nil
	}}
	l := open(t, Options{Dir: t.TempDir(), FS: fs, RetryAfter: 1 << 40, Logger: slog.New(slog.DiscardHandler)})
	add(t, l, "a")
	writes = 1
	for range 3 {
		if _, err := l.Append(t.Context(), 1, nil, []byte("b")); !errors.Is(err, ErrFailed) {
			t.Errorf("got %v", err)
		}
	}
	if writes != 2 {
		t.Errorf("%d syncs tried, want 1", writes-1)
	}
}

// TestWorksAgainByItself: a log that failed takes appends again when the disk does, though none was asked for meanwhile.
func TestWorksAgainByItself(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		t.Run(errno.Error(), func(t *testing.T) {
			var broken atomic.Bool
			tried, mended := make(chan struct{}, 1), make(chan struct{}, 1)
			fs := &disktest.FS{FS: disk.OS, Hook: func(op, name string) (int, error) {
				if op == "syncdir" && !broken.Load() {
					select {
					case mended <- struct{}{}:
					default:
					}
				}
				if !broken.Load() || op != "write" && op != "create" {
					return 0, nil
				}
				if op == "create" {
					select {
					case tried <- struct{}{}:
					default:
					}
				}
				return 0, errno
			}}
			dir := t.TempDir()
			l := open(t, Options{Dir: dir, FS: fs, RetryAfter: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
			add(t, l, "a")
			broken.Store(true)
			if _, err := l.Append(t.Context(), 1, nil, []byte("b")); !errors.Is(err, ErrFailed) || !errors.Is(err, errno) {
				t.Errorf("got %v", err)
			}
			<-tried
			if err := l.Failing(); !errors.Is(err, ErrFailed) || !errors.Is(err, errno) {
				t.Errorf("failing with %v", err)
			}
			for len(mended) > 0 {
				<-mended
			}
			broken.Store(false)
			<-mended
			for l.Failing() != nil { // the segment is begun; the writer says so next
				runtime.Gosched()
			}
			add(t, l, "c")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := replayed(t, open(t, Options{Dir: dir}), 0); got != "a c" {
				t.Errorf("replayed %q", got)
			}
		})
	}
}

// FuzzReader: no content of a segment makes the reader fail, hang or give a record out of order.
func FuzzReader(f *testing.F) {
	head, s := newHeader(1)
	good := appendRecord(head, &s, 1, 1, []byte("first"))
	good = appendRecord(good, &s, 2, 1, []byte("second"))
	f.Add(good, 0, byte(0))
	f.Add(good, headersSize+9, byte(1))
	f.Add(good, headersSize+recordSize+5+3, byte(0xff))
	old, err := os.ReadFile("testdata/version1.wal")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old, 0, byte(0))
	f.Add(old, headersSize+9, byte(1))
	f.Fuzz(func(t *testing.T, b []byte, at int, x byte) {
		b = bytes.Clone(b)
		if at >= 0 && at < len(b) {
			b[at] ^= x
		}
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := disk.OS.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		var end int64 = headersSize
		r, err := newReader(g, func(d damage) {
			if d.from < end || d.to <= d.from || d.to > int64(len(b)) {
				t.Fatalf("damage %+v after %d", d, end)
			}
			end = d.to
		})
		if errors.Is(err, errHeader) || errors.Is(err, errNewer) {
			return
		}
		for last := r.last; err == nil; {
			var rec Record
			if rec, err = r.next(); err != nil {
				break
			}
			if rec.Sequence <= last || r.off < end {
				t.Fatalf("sequence %d after %d", rec.Sequence, last)
			}
			last, end = rec.Sequence, r.off
		}
		if err.Error() != "EOF" {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	l, err := Open(Options{Dir: b.TempDir(), MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	data := make([]byte, 20_000) // what 100 events take, compressed
	b.SetParallelism(16)
	b.SetBytes(int64(len(data)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(context.Background(), 1, nil, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// scarce is a file system with so much left.
type scarce struct {
	disk.FS
	left atomic.Int64
}

func (s *scarce) Free(string) (int64, error) { return s.left.Load(), nil }

// TestReserve: the log leaves room for what it holds to be written once more, and a reserve; it takes appends again when there is more.
func TestReserve(t *testing.T) {
	fs := &scarce{FS: disk.OS}
	fs.left.Store(10_000)
	l := open(t, Options{Dir: t.TempDir(), FS: fs, Reserve: 5000, RetryAfter: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	data := make([]byte, 1000)
	taken := 0
	var err error
	for ; err == nil; taken++ {
		if _, err = l.Append(t.Context(), 1, nil, data); err == nil {
			fs.left.Add(-1000 - recordSize)
		}
	}
	if taken--; !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) || taken != 2 { // then 7,944 are left, and 5,000 + 2,216 + 1,000 wanted
		t.Errorf("%d were taken, then %v", taken, err)
	}
	// By itself it takes up appends again, since there is room for what it holds, and refuses the same anew: as often as that is asked for.
	for range 3 {
		for l.Failing() != nil {
			runtime.Gosched()
		}
		if _, err := l.Append(t.Context(), 1, nil, data); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("without room: %v", err)
		}
	}
	fs.left.Store(6_000) // no more for what the log holds alone, so that trying again by itself does not help
	if _, err := l.Append(t.Context(), 1, nil, data[:1]); !errors.Is(err, ErrFailed) {
		t.Errorf("without room: %v", err)
	}
	if l.Failing() == nil {
		t.Error("a log without room does not say so")
	}
	fs.left.Store(20_000)
	for l.Failing() != nil {
		runtime.Gosched()
	}
	add(t, l, "more")
}
