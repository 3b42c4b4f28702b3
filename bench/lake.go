package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

const batchRows = 16_000

// throughLake reads, decodes and hashes log files, writes them as ingest does, in batches, two at once, and commits each.
func throughLake(ctx context.Context, files []string, work string) (outcome, error) {
	var o outcome
	db, err := meta.OpenSQLite(ctx, filepath.Join(work, "meta.db"))
	if err != nil {
		return o, err
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(work, "objects"))
	if err != nil {
		return o, err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		return o, err
	}
	store := uuid.NewString()
	now := time.Now()
	if err := db.CreateStore(ctx, meta.EventDataStore{Scope: meta.Scope{Account: "111122223333", Region: "us-east-1"}, ID: store, Name: "bench",
		Kind: uint8(event.CloudTrail), Status: "ENABLED", Created: now, Updated: now}); err != nil {
		return o, err
	}
	if err := l.CreateTable(ctx, store, event.CloudTrail); err != nil {
		return o, err
	}

	batches := make(chan []lake.Row, 1)
	commits := make(chan lake.Files, 2)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		var rows []lake.Row
		for n, path := range files {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b, err := logfile.ReadAll(ctx, path, raw, logfile.Options{})
			if err != nil {
				return err
			}
			for i := range b.Records {
				r := &b.Records[i]
				o.Events++
				o.JSON += int64(len(r.Text))
				rows = append(rows, lake.Row{Event: r, Envelope: lake.Envelope{Writer: "bench", Epoch: 1, Sequence: int64(n), Position: int32(i),
					Accepted: now.UnixMicro(), Provenance: path}})
			}
			if len(rows) >= batchRows || n == len(files)-1 {
				select {
				case batches <- rows:
				case <-ctx.Done():
					return ctx.Err()
				}
				rows = make([]lake.Row, 0, batchRows+1000)
			}
		}
		return nil
	})
	writers, wctx := errgroup.WithContext(ctx)
	for range 2 {
		writers.Go(func() error {
			for rows := range batches {
				f, err := l.Write(wctx, store, rows)
				if err != nil {
					return err
				}
				select {
				case commits <- f:
				case <-wctx.Done():
					return wctx.Err()
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(commits)
		return writers.Wait()
	})
	g.Go(func() error {
		applied := int64(0)
		for f := range commits {
			applied++
			if err := l.Commit(ctx, store, f, applied); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return o, err
	}
	o.Files, o.Out, err = written(filepath.Join(work, "objects"), ".parquet")
	return o, err
}
