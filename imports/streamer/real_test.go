package streamer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/imports/importstest"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/prometheus/client_golang/prometheus"
)

// oneStore is all there is: the store that the tests import into.
type oneStore struct{}

func (oneStore) Live(context.Context, meta.Scope) ([]ingest.Target, error) { return nil, nil }

func (oneStore) Target(_ context.Context, id string) (ingest.Target, error) {
	if id != importstest.StoreID {
		return ingest.Target{}, meta.ErrNotFound
	}
	return ingest.Target{Scope: importstest.Scope, StoreID: id, Kind: event.CloudTrail, MultiRegion: true, Organization: true, RetentionDays: 3653}, nil
}

// realServer is a server in which everything from the wire to the table's files is real; only queries are missing.
func realServer(tb testing.TB) streamer.Config {
	tb.Helper()
	dir := tb.TempDir()
	db := importstest.DB(tb)
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		tb.Fatal(err)
	}
	l, err := lake.Open(context.Background(), lake.Config{Objects: objects, Meta: db})
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.CreateTable(context.Background(), importstest.StoreID, event.CloudTrail); err != nil {
		tb.Fatal(err)
	}
	in, err := ingest.Open(context.Background(), ingest.Config{Dir: dir, Stores: oneStore{}, Tables: l, Meta: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	service := imports.New(imports.Config{DB: db, Flush: in.Flush, Log: slog.New(slog.DiscardHandler), Metrics: reg,
		Accept: func(ctx context.Context, d ingest.Delivery) (imports.Ticket, error) { return in.Accept(ctx, d) }})
	a, err := api.New(api.Config{Keys: access.Key{ID: "AKIDEXAMPLE", Secret: "secret", Account: importstest.Scope.Account}, TokenKey: make([]byte, 32),
		Log: slog.New(slog.DiscardHandler), Metrics: reg})
	if err != nil {
		tb.Fatal(err)
	}
	a.HandleStreams(service)
	srv := httptest.NewServer(a)
	tb.Cleanup(func() {
		srv.Close()
		service.Close()
		if err := in.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return streamer.Config{Endpoint: srv.URL, Region: importstest.Scope.Region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
}

func generated(tb testing.TB, events, perFile int) string {
	tb.Helper()
	dir := tb.TempDir()
	if _, err := generate.WriteFiles(context.Background(), dir, generate.Options{Events: events, Seed: 1, Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		generate.FileOptions{PerFile: perFile}); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Through the real log, identity index and tables, the counts of two runs are exact.
func TestStreamIntoTables(t *testing.T) {
	cfg := realServer(t)
	dir := generated(t, 5000, 100)
	sum, err := streamer.Run(t.Context(), cfg, streamer.Options{Store: "audit", Sources: []string{dir}})
	if err != nil || sum.Counts.Read != 5000 || sum.Counts.Stored+sum.Counts.Known != 5000 || sum.Counts.Stored < 4900 || sum.Failed != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	again, err := streamer.Run(t.Context(), cfg, streamer.Options{Store: "audit", Sources: []string{dir}})
	if err != nil || again.Counts.Read != 0 || again.FilesKnown != sum.Files {
		t.Errorf("%+v, %v", again, err)
	}
}

// BenchmarkStream imports 200,000 events in files of 500, and 32,000 in files of 8, into the real tables. cpu-s and wall-s tell whether it is limited
// by work or by waiting: client, server and tables run in this one process.
func BenchmarkStream(b *testing.B) {
	for _, c := range []struct{ events, perFile int }{{200_000, 500}, {32_000, 8}} {
		b.Run(fmt.Sprint("files of ", c.perFile), func(b *testing.B) {
			dir := generated(b, c.events, c.perFile)
			for b.Loop() {
				cfg := realServer(b)
				start, cpu := time.Now(), used()
				sum, err := streamer.Run(context.Background(), cfg, streamer.Options{Store: "audit", Sources: []string{dir}})
				if err != nil || sum.Counts.Read != int64(c.events) {
					b.Fatal(fmt.Sprintf("%+v", sum), err)
				}
				spent := (used() - cpu).Seconds()
				b.ReportMetric(spent, "cpu-s")
				b.ReportMetric(time.Since(start).Seconds(), "wall-s")
				b.ReportMetric(float64(c.events)/spent, "events/cpu-s")
			}
		})
	}
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
