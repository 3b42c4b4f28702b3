package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// oneStore is a store that takes everything.
type oneStore ingest.Target

func (s oneStore) Live(context.Context, meta.Scope) ([]ingest.Target, error) {
	return []ingest.Target{ingest.Target(s)}, nil
}

func (s oneStore) Target(context.Context, string) (ingest.Target, error) {
	return ingest.Target(s), nil
}

// throughIngest brings log files in as an import does, with everything that a server does to keep them: decode, hash, durable log, identity check,
// columns, bloom filters, commits.
func throughIngest(ctx context.Context, files []string, work string) (outcome, error) {
	var o outcome
	db, err := meta.OpenSQLite(ctx, filepath.Join(work, "meta.db"))
	if err != nil {
		return o, err
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(work, "lake"))
	if err != nil {
		return o, err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		return o, err
	}
	scope := meta.Scope{Account: "111122223333", Region: "us-east-1"}
	target := ingest.Target{Scope: scope, StoreID: uuid.NewString(), Kind: event.CloudTrail, RetentionDays: 36_500}
	now := time.Now()
	if err := db.CreateStore(ctx, meta.EventDataStore{Scope: scope, ID: target.StoreID, Name: "bench", Kind: uint8(event.CloudTrail), Status: "ENABLED", Created: now, Updated: now}); err != nil {
		return o, err
	}
	if err := l.CreateTable(ctx, target.StoreID, event.CloudTrail); err != nil {
		return o, err
	}
	in, err := ingest.Open(ctx, ingest.Config{Dir: work, Stores: oneStore(target), Tables: l, Meta: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return o, err
	}

	// Two readers take files in turn and hand them over; what they are told to wait for is waited for at the end, by Flush.
	var events, size, next atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for range 2 {
		g.Go(func() error {
			for n := next.Add(1) - 1; n < int64(len(files)); n = next.Add(1) - 1 {
				raw, err := os.ReadFile(files[n])
				if err != nil {
					return err
				}
				b, err := logfile.ReadAll(gctx, files[n], raw, logfile.Options{})
				if err != nil {
					return err
				}
				for i := range b.Records {
					size.Add(int64(len(b.Records[i].Text)))
				}
				events.Add(int64(len(b.Records)))
				if _, err := in.Accept(gctx, ingest.Delivery{Payload: raw, Encoding: "gzip", Provenance: files[n], Records: b.Records, Read: b.Read,
					Scope: scope, Stores: []string{target.StoreID}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return o, err
	}
	if err := in.Flush(ctx); err != nil {
		return o, err
	}
	if err := in.Close(ctx); err != nil {
		return o, err
	}
	o.Events, o.JSON = events.Load(), size.Load()
	if os.Getenv("DU") != "" {
		exec.Command("sh", "-c", "du -ab "+work+" | sort -n | tail -30 >&2; true").Run()
		c := exec.Command("sh", "-c", "du -b --max-depth=2 "+work+"; ls -l "+work+"/wal "+work+"/identity/*")
		c.Stdout = os.Stderr
		c.Run()
	}
	if o.Files, o.Out, err = written(filepath.Join(work, "lake"), ".parquet"); err != nil {
		return o, err
	}
	// The log's last segment, at most 64 MB and soon gone, does not grow with what is kept.
	_, index, err := written(filepath.Join(work, "identity"), "")
	o.Out += index
	return o, err
}
