package identity

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/disk/disktest"
)

var quiet = slog.New(slog.DiscardHandler)

func key(id, text int) Key {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(text))
	return KeyOf(fmt.Sprint("id-", id), sha256.Sum256(b[:]))
}

func openIndex(t testing.TB, opt Options, applied int64) *Index {
	t.Helper()
	x, err := Open(opt, applied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func check(t testing.TB, x *Index, seq int64, keys ...Key) []Verdict {
	t.Helper()
	v := make([]Verdict, len(keys))
	if err := x.Check(t.Context(), keys, seq, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerdicts(t *testing.T) {
	for _, where := range []string{"memory", "run", "merged run"} {
		t.Run(where, func(t *testing.T) {
			x := openIndex(t, Options{Dir: filepath.Join(t.TempDir(), "i"), Memory: 8, Fanout: 2}, 0)
			x.Ready()
			got := check(t, x, 1, key(1, 1), key(1, 1), key(1, 2), key(1, 2), key(2, 1))
			if want := []Verdict{New, Known, Conflict, Known, New}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("in one batch: %v, want %v", got, want)
			}
			seq := int64(1)
			for n := 0; where == "run" && n < 1 || where == "merged run" && n < 9; n++ {
				x.Applied(seq)
				if err := x.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				seq++
				check(t, x, seq, key(100+n, 1))
			}
			got = check(t, x, seq, key(1, 1), key(1, 2), key(1, 3), key(2, 1), key(2, 2), key(3, 1))
			if want := []Verdict{Known, Known, Conflict, Known, Conflict, New}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("later: %v, want %v", got, want)
			}
		})
	}
}

// TestNothingUncommittedReachesDisk: a key whose event is not in the table must not survive a crash.
func TestNothingUncommittedReachesDisk(t *testing.T) {
	opt := Options{Dir: filepath.Join(t.TempDir(), "i"), Memory: 4}
	x := openIndex(t, opt, 0)
	x.Ready()
	for seq := int64(1); seq <= 40; seq++ {
		check(t, x, seq, key(int(seq), 0), key(int(seq), 1))
		x.Applied(seq - 10)
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil { // what is in memory is lost, as in a crash
		t.Fatal(err)
	}
	x = openIndex(t, opt, 30)
	c := x.Covered()
	if c < 25 || c > 30 {
		t.Errorf("covered %d", c)
	}
	x.Ready()
	for seq := int64(1); seq <= 40; seq++ {
		v := check(t, x, 41, key(int(seq), 0))[0]
		if seq <= c && v != Known || seq > 30 && v != New {
			t.Errorf("record %d: %v; covered %d", seq, v, c)
		}
	}
}

// TestModel runs random work, with crashes, against a map. The "table" holds what was applied.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "identity")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opt := Options{Dir: filepath.Join(dir, "i"), Memory: rapid.IntRange(1, 20).Draw(t, "memory"),
			Fanout: rapid.IntRange(2, 4).Draw(t, "fanout"), Logger: quiet}
		type row struct {
			k   Key
			seq int64
		}
		var table, pending []row // committed, and not yet
		applied, seq := int64(0), int64(0)
		var x *Index
		reopen := func() {
			if x != nil {
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if x, err = Open(opt, applied); err != nil {
				t.Fatal(err)
			}
			for _, r := range table {
				if r.seq > x.Covered() {
					if err := x.Add(context.Background(), []Key{r.k}); err != nil {
						t.Fatal(err)
					}
				}
			}
			x.Ready()
			pending = nil
		}
		reopen()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				reopen()
			case 1:
				if err := x.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			case 2, 3, 4: // the first part of what is pending is committed
				n := rapid.IntRange(0, len(pending)).Draw(t, "n")
				table, pending = append(table, pending[:n]...), pending[n:]
				applied = seq
				if len(pending) > 0 { // of a record that is only partly committed, nothing may be said
					applied = pending[0].seq - 1
				}
				x.Applied(applied)
			default:
				seq++
				n := rapid.IntRange(1, 12).Draw(t, "n")
				keys, got := make([]Key, n), make([]Verdict, n)
				for i := range keys {
					keys[i] = key(rapid.IntRange(0, 60).Draw(t, "id"), rapid.IntRange(0, 2).Draw(t, "text"))
				}
				if err := x.Check(context.Background(), keys, seq, got); err != nil {
					t.Fatal(err)
				}
				for i, k := range keys {
					want := New
					for _, rows := range [][]row{table, pending} {
						for _, r := range rows {
							if r.k == k {
								want = Known
							} else if r.k.fp == k.fp && want == New {
								want = Conflict
							}
						}
					}
					if got[i] != want {
						t.Fatalf("key %d of record %d: %v, want %v", i, seq, got[i], want)
					}
					if want != Known {
						pending = append(pending, row{k, seq})
					}
				}
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// fill makes an index of several runs, all applied, and closes it.
func fill(t testing.TB, opt Options, n int) {
	x := openIndex(t, opt, 0)
	x.Ready()
	for i := 0; i < n; i += 100 {
		keys := make([]Key, 100)
		for j := range keys {
			keys[j] = key(i+j, 0)
		}
		check(t, x, int64(i+1), keys...)
		x.Applied(int64(i + 1))
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCorruption: whichever byte is changed, wherever a file is cut, the answers stay right or ErrCorrupt is given.
func TestCorruption(t *testing.T) {
	opt := Options{Dir: filepath.Join(t.TempDir(), "i"), Memory: 1000, Fanout: 9}
	const n = 2000
	fill(t, opt, n)
	files, err := filepath.Glob(filepath.Join(opt.Dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	try := func(what string) {
		x, err := Open(opt, n)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		defer x.Close()
		if x.Covered() < n-100 {
			t.Errorf("%s: covered %d", what, x.Covered())
		}
		x.Ready()
		keys, v := make([]Key, n), make([]Verdict, n)
		for i := range keys {
			keys[i] = key(i, 0)
		}
		if err := x.Check(t.Context(), keys, n+1, v); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		for i := range v {
			if v[i] != Known {
				t.Fatalf("%s: key %d is %v", what, i, v[i])
			}
		}
	}
	try("whole")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(b); at += 1 + len(b)/60 {
			b[at] ^= 4
			if err := os.WriteFile(f, b, 0o600); err != nil {
				t.Fatal(err)
			}
			try(fmt.Sprintf("%s, byte %d of %d", filepath.Base(f), at, len(b)))
			b[at] ^= 4
		}
		if err := os.WriteFile(f, b[:len(b)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		try(filepath.Base(f) + " cut")
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(opt, n-500); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a table put back to an earlier state: %v", err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(opt, n); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a run is missing: %v", err)
	}
	if err := Remove(disk.OS, opt.Dir); err != nil {
		t.Fatal(err)
	}
	if x := openIndex(t, opt, n); x.Covered() != 0 || x.Stats().Keys != 0 {
		t.Errorf("removed, and still %+v", x.Stats())
	}
}

// TestFullDisk: while the disk takes nothing, answers stay right, memory stays bounded by refusing, and it goes on when the disk does.
func TestFullDisk(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			var full atomic.Bool
			fs := &disktest.FS{FS: disk.OS, Hook: func(o, _ string) (int, error) {
				if o == op && full.Load() {
					return 5, syscall.ENOSPC
				}
				return 0, nil
			}}
			opt := Options{Dir: filepath.Join(t.TempDir(), "i"), Memory: 10, Fanout: 2, FS: fs, Logger: quiet}
			x := openIndex(t, opt, 0)
			x.Ready()
			full.Store(true)
			var err error
			n := 0
			for ; err == nil && n < 1000; n++ {
				v := make([]Verdict, 1)
				if err = x.Check(t.Context(), []Key{key(n, 0)}, int64(n+1), v); err == nil {
					x.Applied(int64(n + 1))
				}
			}
			n--
			if !errors.Is(err, syscall.ENOSPC) || n > 10*(maxFrozen+3) {
				t.Fatalf("after %d: %v", n, err)
			}
			full.Store(false)
			if err := x.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if v := check(t, x, int64(n+1), key(i, 0)); v[0] != Known {
					t.Fatalf("key %d: %v", i, v)
				}
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = openIndex(t, opt, int64(n))
			x.Ready()
			if x.Covered() != int64(n) {
				t.Errorf("covered %d of %d", x.Covered(), n)
			}
			left, _ := filepath.Glob(filepath.Join(opt.Dir, "*"+runSuffix))
			if len(left) != x.Stats().Runs {
				t.Errorf("%d files for %d runs", len(left), x.Stats().Runs)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	opt := Options{Dir: filepath.Join(t.TempDir(), "i"), Memory: 50_000}
	fill(t, opt, 100_000)
	x := openIndex(t, opt, 100_000)
	passed, asked := 0, 0
	for _, r := range x.runs {
		for i := range 100_000 {
			asked++
			if r.mayHold(key(-1-i, 0).fp) {
				passed++
			}
		}
	}
	if rate := float64(passed) / float64(asked); rate > 0.012 {
		t.Errorf("%.2f %% of absent keys pass the filter", 100*rate)
	}
}

func TestTableSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTable(firstTable)
		var all []Key
		// Few high bits in use: few buckets with many keys.
		top := rapid.SampledFrom([]uint64{0, 1 << 63, 0xfff << 52, 0xffffffffffffffff}).Draw(t, "top")
		for range rapid.IntRange(0, 1500).Draw(t, "n") {
			k := Key{fp: rapid.Uint64().Draw(t, "fp") | top}
			k.hash[0] = rapid.Byte().Draw(t, "hash")
			if rapid.IntRange(0, 9).Draw(t, "zero") == 0 {
				k.fp = 0
			}
			if _, exact := tab.find(k); !exact {
				tab.add(k, 1, 1)
				all = append(all, k)
			}
		}
		slices.SortFunc(all, compare)
		if got := tab.sorted(); !slices.Equal(got, all) {
			t.Fatalf("%d keys, sorted %d", len(all), len(got))
		}
		for _, k := range all {
			if fp, exact := tab.find(k); !fp || !exact {
				t.Fatal("not found")
			}
		}
	})
}

// benchIndex fills an index with n identities and reports what asking costs.
func benchIndex(b *testing.B, n int) {
	opt := Options{Dir: filepath.Join(b.TempDir(), "i"), Logger: quiet}
	x := openIndex(b, opt, 0)
	x.Ready()
	// The cost of making keys is not the index's: mix a counter, as uniform as SHA-256 is.
	mix := func(i int) Key {
		z := (uint64(i) + 1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return Key{z ^ z>>31, [16]byte{byte(i), byte(i >> 8)}}
	}
	const batch = 500
	keys, v := make([]Key, batch), make([]Verdict, batch)
	run := func(from int, seq int64) {
		for j := range keys {
			keys[j] = mix(from + j)
		}
		if err := x.Check(context.Background(), keys, seq, v); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	for i := 0; i < n; i += batch {
		run(i, int64(i/batch+1))
		x.Applied(int64(i/batch + 1))
	}
	filled := time.Since(start)
	if err := x.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	s := x.Stats()
	for _, c := range []struct {
		name string
		from int
		want Verdict
	}{{"absent", n, New}, {"known", 0, Known}} {
		b.Run(c.name, func(b *testing.B) {
			from := c.from
			for i := 0; i < b.N; i += batch {
				at := from + i
				if c.want == Known {
					at = i * 7919 % (n - batch)
				}
				run(at, int64(n))
				if v[0] != c.want && v[0] == Conflict {
					b.Fatal(v[0])
				}
			}
			b.ReportMetric(float64(filled.Nanoseconds())/float64(n), "fill-ns/key")
			b.ReportMetric(float64(s.Bytes)/float64(s.Keys), "disk-B/key")
			b.ReportMetric(float64(s.Runs), "runs")
			b.ReportMetric(float64(peakMemory())/1e6, "peak-RSS-MB")
		})
	}
}

// peakMemory is the process's greatest resident set, in bytes.
func peakMemory() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss * 1024
}

func BenchmarkIndex1M(b *testing.B)   { benchIndex(b, 1_000_000) }
func BenchmarkIndex10M(b *testing.B)  { benchIndex(b, 10_000_000) }
func BenchmarkIndex100M(b *testing.B) { benchIndex(b, 100_000_000) }

func BenchmarkKeyOf(b *testing.B) {
	id, text := "0a1b2c3d-1111-2222-3333-444455556666", [32]byte{1}
	for b.Loop() {
		KeyOf(id, text)
	}
}

// TestMark: an index says what it was told when it was made, and not what later openings say.
func TestMark(t *testing.T) {
	opt := Options{Dir: filepath.Join(t.TempDir(), "x"), Memory: 4, Mark: 7}
	for _, mark := range []int64{7, 8} {
		opt.Mark = mark
		x, err := Open(opt, 10)
		if err != nil {
			t.Fatal(err)
		}
		if x.Mark() != 7 {
			t.Errorf("opened with %d: %d", mark, x.Mark())
		}
		for i := range 20 {
			if err := x.Add(t.Context(), []Key{KeyOf(fmt.Sprint(mark, i), [32]byte{byte(i)})}); err != nil {
				t.Fatal(err)
			}
		}
		x.Ready()
		if err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(disk.OS, opt.Dir); err != nil {
		t.Fatal(err)
	}
	x, err := Open(opt, 10)
	if err != nil || x.Mark() != 8 {
		t.Fatalf("%v, %v", x.Mark(), err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}
