package objstore

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"
)

// The cache's fixed measures.
const (
	cacheBlock = 4 << 10   // file systems allocate in blocks of this size; the bound is reckoned in them
	cacheGap   = 128 << 10 // holes up to this long are fetched along rather than cost a request of their own, which takes a store longer
	cachePiece = 4 << 20   // longer ranges are fetched in pieces, side by side
	cacheGets  = 16        // requests under way at once
)

// Cache brings parts of remote objects near, each into a sparse file at the object's own offsets, so that a reader of files can read it as if it
// were whole: what was asked for holds the object's bytes, the rest is holes that must not be read. Objects must never change under their key.
//
// The files of one process's run are its own: a new Cache begins empty, so that after a crash no hole is ever taken for data.
type Cache struct {
	store Store
	dir   string
	bound int64
	gets  chan struct{}

	mu      sync.Mutex
	entries map[string]*cacheEntry
	unused  *list.List // of *cacheEntry without pins, the longest unused first
	used    int64      // allocated bytes, in blocks

	fetched  prometheus.Counter
	requests prometheus.Counter
	hits     prometheus.Counter
	evicted  prometheus.Counter
}

// cacheEntry is one object's sparse file. The cache's mutex guards it; the file's holes are written without it, each by one goroutine.
type cacheEntry struct {
	key    string
	size   int64
	path   string
	file   *os.File
	have   ranges // fetched and written
	coming []*coming
	pins   int
	place  *list.Element // in unused; nil while pinned
}

// coming is a run of bytes under way.
type coming struct {
	Range
	done chan struct{} // closed when it has arrived or failed; have tells which
}

// NewCache makes a cache in dir, which it empties. bound is in bytes; files in use may exceed it, so that a query that needs more than the
// cache still completes: what is over goes as soon as it is released.
func NewCache(store Store, dir string, bound int64, reg prometheus.Registerer) (*Cache, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := promauto.With(reg)
	c := &Cache{store: store, dir: abs, bound: bound, gets: make(chan struct{}, cacheGets), entries: map[string]*cacheEntry{}, unused: list.New(),
		fetched:  f.NewCounter(prometheus.CounterOpts{Name: "loch_cache_fetched_bytes_total", Help: "Bytes fetched from the object store into the local cache."}),
		requests: f.NewCounter(prometheus.CounterOpts{Name: "loch_cache_requests_total", Help: "Requests to the object store to fill the local cache."}),
		hits:     f.NewCounter(prometheus.CounterOpts{Name: "loch_cache_hit_bytes_total", Help: "Bytes asked for that the local cache held."}),
		evicted:  f.NewCounter(prometheus.CounterOpts{Name: "loch_cache_evicted_bytes_total", Help: "Bytes of the local cache given up for others."}),
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loch_cache_used_bytes", Help: "Bytes that the local cache's files take."},
		func() float64 { return float64(c.Used()) })
	return c, nil
}

// Used is how many bytes the cache's files take on disk, in blocks of 4 KiB.
func (c *Cache) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// Fetch makes the ranges of an object of that size readable in a local file of that size, and keeps the file until release is called (once or more
// often; it is never nil). Of a local store it is the object's own file. It fails where the object ends before a range does.
// Callers that want the same bytes at once share the requests.
func (c *Cache) Fetch(ctx context.Context, key string, size int64, want []Range) (path string, release func(), err error) {
	if p := c.store.LocalPath(key); p != "" {
		return p, func() {}, nil
	}
	for _, r := range want {
		if r.Off < 0 || r.Len < 0 || r.Off+r.Len > size {
			return "", func() {}, fmt.Errorf("fetch %s: bytes %d+%d lie outside its %d", key, r.Off, r.Len, size)
		}
	}
	e, err := c.pin(key, size)
	if err != nil {
		return "", func() {}, fmt.Errorf("fetch %s: %w", key, err)
	}
	var once sync.Once
	release = func() { once.Do(func() { c.unpin(e) }) }
	if err := c.fill(ctx, e, normal(want)); err != nil {
		release()
		return "", func() {}, fmt.Errorf("fetch %s: %w", key, err)
	}
	return e.path, release, nil
}

func (c *Cache) pin(key string, size int64) (*cacheEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		sum := sha256.Sum256([]byte(key))
		path := filepath.Join(c.dir, hex.EncodeToString(sum[:16])+filepath.Ext(key))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Truncate(size); err != nil {
			f.Close()
			return nil, errors.Join(err, os.Remove(path))
		}
		e = &cacheEntry{key: key, size: size, path: path, file: f}
		c.entries[key] = e
	}
	if e.size != size {
		return nil, fmt.Errorf("it is known with %d bytes, not %d: objects must not change", e.size, size)
	}
	if e.place != nil {
		c.unused.Remove(e.place)
		e.place = nil
	}
	e.pins++
	return e, nil
}

func (c *Cache) unpin(e *cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.pins--
	if e.pins == 0 {
		e.place = c.unused.PushBack(e)
	}
	c.trim()
}

// Drop removes what is near of an object. It is ErrInUse while somebody reads it.
func (c *Cache) Drop(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	switch {
	case e == nil:
		return nil
	case e.place == nil:
		return ErrInUse
	}
	if err := os.Remove(e.path); err != nil {
		return fmt.Errorf("drop %s from the cache: %w", key, err)
	}
	c.unused.Remove(e.place)
	c.used -= e.have.blocks()
	delete(c.entries, key)
	return e.file.Close()
}

// ErrInUse: somebody reads the object.
var ErrInUse = errors.New("the object is being read")

// trim gives up the longest unused files until the bound is kept. The mutex is held.
func (c *Cache) trim() {
	for c.used > c.bound && c.unused.Len() > 0 {
		e := c.unused.Remove(c.unused.Front()).(*cacheEntry)
		freed := e.have.blocks()
		c.used -= freed
		c.evicted.Add(float64(freed))
		delete(c.entries, e.key)
		// A file that cannot be removed is overwritten when its key comes again, and goes at the next start.
		_ = e.file.Close()
		_ = os.Remove(e.path)
	}
}

// fill fetches what of want is missing and waits for what others are fetching.
func (c *Cache) fill(ctx context.Context, e *cacheEntry, want ranges) error {
	first := true
	for {
		c.mu.Lock()
		missing := want.without(e.have)
		if first {
			c.hits.Add(float64(want.bytes() - missing.bytes()))
			first = false
		}
		var wait []*coming
		for _, o := range e.coming {
			if missing.overlap(o.Range) {
				wait = append(wait, o)
			}
		}
		for _, o := range wait {
			missing = missing.without(ranges{o.Range})
		}
		mine := c.plan(e, missing)
		e.coming = append(e.coming, mine...)
		c.mu.Unlock()

		if len(mine) == 0 && len(wait) == 0 {
			return nil
		}
		if err := c.fetchAll(ctx, e, mine); err != nil {
			return err
		}
		for _, o := range wait {
			select {
			case <-o.done: // whoever fetched it may have failed or given up: look again
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// plan turns missing runs into requests: whole blocks, near neighbours together, long ones in pieces, and nothing that is there or coming.
func (c *Cache) plan(e *cacheEntry, missing ranges) []*coming {
	if len(missing) == 0 {
		return nil
	}
	var wide ranges
	for _, r := range missing {
		start, end := r.Off/cacheBlock*cacheBlock, min((r.Off+r.Len+cacheBlock-1)/cacheBlock*cacheBlock, e.size)
		if n := len(wide); n > 0 && start-(wide[n-1].Off+wide[n-1].Len) <= cacheGap {
			wide[n-1].Len = end - wide[n-1].Off
			continue
		}
		wide = append(wide, Range{start, end - start})
	}
	wide = wide.without(e.have)
	for _, o := range e.coming {
		wide = wide.without(ranges{o.Range})
	}
	var out []*coming
	for _, r := range wide {
		for off := r.Off; off < r.Off+r.Len; off += cachePiece {
			out = append(out, &coming{Range: Range{off, min(cachePiece, r.Off+r.Len-off)}, done: make(chan struct{})})
		}
	}
	return out
}

func (c *Cache) fetchAll(ctx context.Context, e *cacheEntry, pieces []*coming) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cacheGets)
	for _, p := range pieces {
		g.Go(func() error {
			err := c.fetch(gctx, e, p.Range)
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == nil {
				before := e.have.blocks()
				e.have = e.have.with(p.Range)
				c.used += e.have.blocks() - before
				c.trim()
			}
			e.coming = slices.DeleteFunc(e.coming, func(o *coming) bool { return o == p })
			close(p.done)
			return err
		})
	}
	return g.Wait()
}

const cacheBuffer = 256 << 10 // a connection's share of the way from the network to the file; each step costs the kernel more than the bytes do

var cacheBuffers = sync.Pool{New: func() any { return new([cacheBuffer]byte) }}

func (c *Cache) fetch(ctx context.Context, e *cacheEntry, r Range) error {
	select {
	case c.gets <- struct{}{}:
		defer func() { <-c.gets }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.requests.Inc()
	body, err := c.store.Get(ctx, e.key, r.Off, r.Len)
	if err != nil {
		return err
	}
	defer body.Close()
	buf := cacheBuffers.Get().(*[cacheBuffer]byte)
	defer cacheBuffers.Put(buf)
	n, err := io.CopyBuffer(io.NewOffsetWriter(e.file, r.Off), io.LimitReader(body, r.Len), buf[:])
	c.fetched.Add(float64(n))
	if err != nil {
		return err
	}
	if n != r.Len {
		return fmt.Errorf("it ends at byte %d of %d: %w", r.Off+n, e.size, io.ErrUnexpectedEOF)
	}
	return nil
}

// Close forgets and removes everything. No file may be in use any more.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, e := range c.entries {
		errs = append(errs, e.file.Close())
	}
	c.entries, c.used = map[string]*cacheEntry{}, 0
	c.unused.Init()
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
