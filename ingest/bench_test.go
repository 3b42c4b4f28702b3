package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
)

// nowhere is tables that keep nothing.
type nowhere struct{ applied atomic.Int64 }

func (n *nowhere) Write(_ context.Context, _ string, rows []lake.Row) (lake.Files, error) {
	return lake.Files{Rows: int64(len(rows))}, nil
}

func (n *nowhere) Commit(_ context.Context, _ string, _ lake.Files, applied int64) error {
	n.applied.Store(applied)
	return nil
}
func (n *nowhere) Applied(context.Context, string) (int64, error) { return n.applied.Load(), nil }
func (n *nowhere) Identities(context.Context, string, int64, func(*lake.Stored) error) error {
	return nil
}

func (n *nowhere) Removals(context.Context, string) (map[int32]int64, int64, error) {
	return nil, 0, nil
}

// BenchmarkPipeline is what ingest itself costs an event (routing, keys, log, identity check, rows), without decoding and without tables: from
// deliveries of 500 events with 250 bytes of payload each, to a store and to event history. What it reports is wall time on all processors.
func BenchmarkPipeline(b *testing.B) {
	const size = 500
	db, err := meta.OpenSQLite(b.Context(), b.TempDir()+"/meta.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	stores := &storeList{targets: map[string]Target{storeID(1): everything(1)}}
	in, err := Open(b.Context(), Config{Dir: b.TempDir(), Stores: stores, Tables: &nowhere{}, Meta: db, Logger: loud})
	if err != nil {
		b.Fatal(err)
	}
	protos := records(b, ids("x", size)...)
	payload := []byte(strings.Repeat("z", 250*size))
	b.ResetTimer()
	n := 0
	var last *Ticket
	for ; n < b.N; n += size {
		rs := make([]event.Record, size)
		copy(rs, protos)
		for i := range rs {
			rs[i].ID = fmt.Sprint("0a1b2c3d-1111-2222-3333-", n+i)
			rs[i].Hash[0], rs[i].Hash[1], rs[i].Hash[2] = byte(n+i), byte((n+i)>>8), byte((n+i)>>16)
		}
		if last, err = in.Accept(b.Context(), Delivery{Payload: payload, Encoding: "gzip", Records: rs, Read: size, Live: true, Scope: home}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := last.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if err := in.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFiles is the whole way of log files, from their gzip bytes to the committed table: 100,000 generated events in files of 500, in order of
// time. Its figure of merit is CPU time, the process's own, since wall time depends on who else is there.
func BenchmarkFiles(b *testing.B) {
	dir := b.TempDir()
	if _, err := generate.WriteFiles(b.Context(), dir, generate.Options{Events: 100_000, Seed: 1, Start: base.AddDate(0, 0, -30)}, generate.FileOptions{}); err != nil {
		b.Fatal(err)
	}
	var files [][]byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json.gz") {
			var f []byte
			f, err = os.ReadFile(path)
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		target := everything(1)
		target.MultiRegion = true
		s := start(b, b.TempDir(), []Target{target}, nil)
		before, begun := cpu(), time.Now()
		work := make(chan []byte)
		var events atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for f := range work {
					records, err := Decode(context.Background(), "gzip", f)
					if err == nil {
						events.Add(int64(len(records)))
						_, err = s.Accept(context.Background(), Delivery{Payload: f, Encoding: "gzip", Provenance: "bench", Records: records,
							Read: int64(len(records)), Stores: []string{storeID(1)}})
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, f := range files {
			work <- f
		}
		close(work)
		wg.Wait()
		flush(b, s.Ingest)
		spent := cpu() - before
		b.ReportMetric(float64(events.Load())/spent.Seconds(), "events/cpu-s")
		b.ReportMetric(time.Since(begun).Seconds()/spent.Seconds(), "wall/cpu")
		s.stop(b)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
