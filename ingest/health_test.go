package ingest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/lochlake/loch/lake"
)

// oneFails fails the commits of one store.
type oneFails struct {
	*lake.Lake
	store  string
	broken atomic.Bool
}

func (f *oneFails) Write(ctx context.Context, id string, rows []lake.Row) (lake.Files, error) {
	if id == f.store && f.broken.Load() {
		return lake.Files{}, errFlaky
	}
	return f.Lake.Write(ctx, id, rows)
}

// TestStalledStoreHoldsItsShare: a store whose table takes nothing is refused more events when it holds its share of the memory; the other store takes as many as if it were alone.
func TestStalledStoreHoldsItsShare(t *testing.T) {
	tables := &oneFails{store: storeID(1)}
	tables.broken.Store(true)
	s := start(t, t.TempDir(), []Target{everything(1), everything(2)}, func(c *Config) {
		tables.Lake = c.Tables.(*lake.Lake)
		c.Tables, c.Memory, c.ChunkRows, c.Logger = tables, 400_000, 20, quiet
	})
	send := func(store, n int, noWait bool) error {
		_, err := s.Accept(t.Context(), Delivery{Stores: []string{storeID(store)}, Read: 20, Records: records(t, ids(fmt.Sprint(store, "-", n, "-"), 20)...), NoWait: noWait})
		return err
	}
	first := 1
	err := send(1, 0, false)
	for err == nil && !s.stalled.has(storeID(1)) {
		runtime.Gosched()
	}
	// While a delivery goes from the queue to a chunk it counts in both, and one that comes at that moment may be refused early; the next try is taken.
	held := func() int64 { return s.store(storeID(1)).held.Load() }
	for first < 1000 && (err == nil || errors.Is(err, ErrBusy) && held() <= s.stalledShare()) {
		if err = send(1, first, true); err == nil {
			first++
		}
	}
	if !errors.Is(err, ErrBusy) || !s.stalled.has(storeID(1)) {
		t.Fatalf("after %d: %v", first, err)
	}
	if held() > s.cfg.Memory*3/4 {
		t.Errorf("it holds %d of %d", held(), s.cfg.Memory)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Accept(ctx, Delivery{Stores: []string{storeID(1)}, Read: 1, Records: records(t, ids("waits-", 1)...)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a delivery that waits: %v", err)
	}
	const more = 200 // many times the memory
	for n := range more {
		if err := send(2, n, false); err != nil {
			t.Fatal(err)
		}
	}
	tables.broken.Store(false)
	if err := send(1, 1000, false); err != nil {
		t.Error(err)
	}
	flush(t, s.Ingest)
	if a, b := len(s.rows(t, storeID(1))), len(s.rows(t, storeID(2))); a != 20*(first+1) || b != 20*more {
		t.Errorf("%d and %d rows, want %d and %d", a, b, 20*(first+1), 20*more)
	}
	for _, st := range s.all() {
		if held := st.held.Load(); held != 0 {
			t.Errorf("%s still holds %d", st.id, held)
		}
	}
}
