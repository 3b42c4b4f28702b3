package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// far is a local store that hides its files, so that the cache must fetch, and counts what is asked of it.
type far struct {
	objstore.Store
	gets, bytes atomic.Int64
	fail        atomic.Bool
	gate        chan struct{} // where not nil, every Get waits for it to close
}

func (f *far) LocalPath(string) string { return "" }

func (f *far) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	f.gets.Add(1)
	f.bytes.Add(n)
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.fail.Load() {
		return nil, fmt.Errorf("the store is away")
	}
	return f.Store.Get(ctx, key, off, n)
}

func newFar(t interface {
	Fatal(...any)
	TempDir() string
}) *far {
	s, err := objstore.OpenLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &far{Store: s}
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func newCache(t testing.TB, s objstore.Store, bound int64) *objstore.Cache {
	t.Helper()
	c, err := objstore.NewCache(s, filepath.Join(t.TempDir(), "cache"), bound, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func check(t interface{ Errorf(string, ...any) }, path string, data []byte, want []objstore.Range) {
	f, err := os.Open(path)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Size() != int64(len(data)) {
		t.Errorf("file %v, want %d bytes: %v", fi, len(data), err)
	}
	for _, r := range want {
		got := make([]byte, r.Len)
		if _, err := f.ReadAt(got, r.Off); err != nil || !bytes.Equal(got, data[r.Off:r.Off+r.Len]) {
			t.Errorf("bytes %d+%d differ (%v)", r.Off, r.Len, err)
		}
	}
}

func TestCacheFetchesOnlyWhatIsWanted(t *testing.T) {
	s := newFar(t)
	data := noise(1, 20<<20)
	put(t, s, "t/x.parquet", string(data))
	c := newCache(t, s, 64<<20)
	want := []objstore.Range{{Off: 100, Len: 10}, {Off: 5000, Len: 1}, {Off: 12 << 20, Len: 1000}, {Off: int64(len(data)) - 8, Len: 8}}
	path, release, err := c.Fetch(t.Context(), "t/x.parquet", int64(len(data)), want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	check(t, path, data, want)
	if filepath.Ext(path) != ".parquet" {
		t.Errorf("the file is named %s", path)
	}
	if g, b := s.gets.Load(), s.bytes.Load(); g != 3 || b > 16<<10 {
		t.Errorf("%d requests for %d bytes", g, b)
	}
	_, release2, err := c.Fetch(t.Context(), "t/x.parquet", int64(len(data)), want[1:])
	if err != nil {
		t.Fatal(err)
	}
	release2()
	release2()
	if g := s.gets.Load(); g != 3 {
		t.Errorf("fetched again: %d requests", g)
	}
	if _, _, err := c.Fetch(t.Context(), "t/x.parquet", int64(len(data)), []objstore.Range{{Off: int64(len(data)), Len: 1}}); err == nil {
		t.Error("a range beyond the end was answered")
	}
	if _, _, err := c.Fetch(t.Context(), "t/x.parquet", 7, nil); err == nil {
		t.Error("another size was answered")
	}
}

func TestCacheSharesRequests(t *testing.T) {
	s := newFar(t)
	data := noise(2, 1<<20)
	put(t, s, "x", string(data))
	s.gate = make(chan struct{})
	c := newCache(t, s, 64<<20)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			want := []objstore.Range{{Off: 0, Len: int64(len(data))}}
			path, release, err := c.Fetch(context.Background(), "x", int64(len(data)), want)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			check(t, path, data, want)
		})
	}
	close(s.gate)
	wg.Wait()
	if g := s.gets.Load(); g != 1 {
		t.Errorf("%d requests", g)
	}
}

func TestCacheWaiterTakesOver(t *testing.T) {
	s := newFar(t)
	data := noise(3, 100_000)
	put(t, s, "x", string(data))
	s.gate = make(chan struct{})
	c := newCache(t, s, 64<<20)
	want := []objstore.Range{{Off: 0, Len: 100_000}}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, _, err := c.Fetch(ctx, "x", int64(len(data)), want)
		first <- err
	}()
	for s.gets.Load() == 0 { // the first has asked
	}
	second := make(chan error)
	go func() {
		path, release, err := c.Fetch(context.Background(), "x", int64(len(data)), want)
		if err == nil {
			check(t, path, data, want)
			release()
		}
		second <- err
	}()
	cancel()
	if err := <-first; err == nil {
		t.Error("the cancelled one succeeded")
	}
	close(s.gate)
	if err := <-second; err != nil {
		t.Errorf("the other failed with it: %v", err)
	}
}

func TestCacheKeepsItsBound(t *testing.T) {
	s := newFar(t)
	const size = 1 << 20
	for i := range 20 {
		put(t, s, fmt.Sprint("o", i), string(noise(byte(i), size)))
	}
	c := newCache(t, s, 4*size)
	whole := []objstore.Range{{Off: 0, Len: size}}
	var releases []func()
	for i := range 20 { // a query over five times the cache completes
		path, release, err := c.Fetch(t.Context(), fmt.Sprint("o", i), size, whole)
		if err != nil {
			t.Fatal(err)
		}
		check(t, path, noise(byte(i), size), whole)
		releases = append(releases, release)
	}
	for _, r := range releases {
		r()
	}
	if u := c.Used(); u > 4*size {
		t.Errorf("%d bytes used", u)
	}
	n := s.gets.Load()
	if _, release, err := c.Fetch(t.Context(), "o19", size, whole); err != nil {
		t.Fatal(err)
	} else {
		release()
	}
	if s.gets.Load() != n {
		t.Error("the last used was given up")
	}
	if _, release, err := c.Fetch(t.Context(), "o0", size, whole); err != nil {
		t.Fatal(err)
	} else {
		release()
	}
	if s.gets.Load() == n {
		t.Error("the longest unused was kept")
	}
}

func TestCacheFailureLeavesNoData(t *testing.T) {
	s := newFar(t)
	data := noise(5, 50_000)
	put(t, s, "x", string(data))
	c := newCache(t, s, 64<<20)
	want := []objstore.Range{{Off: 10_000, Len: 20_000}}
	s.fail.Store(true)
	if _, _, err := c.Fetch(t.Context(), "x", 50_000, want); err == nil {
		t.Fatal("no error")
	}
	s.fail.Store(false)
	path, release, err := c.Fetch(t.Context(), "x", 50_000, want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	check(t, path, data, want)
	if _, _, err := c.Fetch(t.Context(), "gone", 10, []objstore.Range{{Off: 0, Len: 10}}); err == nil {
		t.Error("a missing object was fetched")
	}
	put(t, s, "short", "abc")
	if _, _, err := c.Fetch(t.Context(), "short", 10, []objstore.Range{{Off: 0, Len: 10}}); err == nil {
		t.Error("a shorter object was taken for whole")
	}
}

// Whatever is asked for, in whatever order and together, the file holds the object's bytes there.
func TestCacheProperty(t *testing.T) {
	s := newFar(t)
	const size = 9<<20 + 777
	data := noise(6, size)
	put(t, s, "x", string(data))
	rapid.Check(t, func(rt *rapid.T) {
		c, err := objstore.NewCache(s, filepath.Join(t.TempDir(), "c"), 1<<20, prometheus.NewRegistry())
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		span := rapid.Custom(func(rt *rapid.T) objstore.Range {
			off := rapid.Int64Range(0, size).Draw(rt, "off")
			return objstore.Range{Off: off, Len: rapid.Int64Range(0, min(size-off, 100_000)).Draw(rt, "len")}
		})
		asks := rapid.SliceOfN(rapid.SliceOfN(span, 0, 5), 1, 6).Draw(rt, "asks")
		var wg sync.WaitGroup
		for _, ask := range asks {
			wg.Go(func() {
				path, release, err := c.Fetch(context.Background(), "x", size, ask)
				if err != nil {
					t.Error(err)
					return
				}
				defer release()
				check(t, path, data, ask)
			})
		}
		wg.Wait()
	})
}

func TestCacheOverS3(t *testing.T) {
	srv := s3test.Start(t)
	s := srv.Open(t, srv.Bucket(t, "bucket")+"/p")
	data := noise(7, 6<<20)
	put(t, s, "x", string(data))
	c := newCache(t, s, 64<<20)
	want := []objstore.Range{{Off: 1, Len: 5 << 20}, {Off: 6<<20 - 8, Len: 8}}
	path, release, err := c.Fetch(t.Context(), "x", int64(len(data)), want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	check(t, path, data, want)
}

// What is dropped is near no more, unless somebody reads it, and comes again when it is asked for.
func TestCacheDrops(t *testing.T) {
	s := newFar(t)
	data := noise(1, 40_000)
	if err := s.Put(t.Context(), "a.parquet", bytes.NewReader(data), int64(len(data)), true); err != nil {
		t.Fatal(err)
	}
	c := newCache(t, s, 1<<20)
	want := []objstore.Range{{Off: 100, Len: 20_000}}
	path, release, err := c.Fetch(t.Context(), "a.parquet", int64(len(data)), want)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Drop("a.parquet"); !errors.Is(err, objstore.ErrInUse) {
		t.Error("dropped while it is read:", err)
	}
	release()
	for range 2 {
		if err := c.Drop("a.parquet"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || c.Used() != 0 {
		t.Errorf("%d bytes are used, and the file: %v", c.Used(), err)
	}
	path, release, err = c.Fetch(t.Context(), "a.parquet", int64(len(data)), want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	check(t, path, data, want)
}
