package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/disk"
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

// pipeline is everything that a server does to keep events: decode, hash, durable log, identity check, columns, bloom filters, commits.
type pipeline struct {
	*ingest.Ingest
	db     meta.DB
	lake   *lake.Lake
	target ingest.Target
	events atomic.Int64
	size   atomic.Int64
}

// openPipeline opens one in a folder. fsys is the file system of durable log and identity index.
func openPipeline(ctx context.Context, dir string, r prometheus.Registerer, fsys disk.FS) (*pipeline, error) {
	db, err := meta.OpenSQLite(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return nil, err
	}
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db, Registerer: r})
	if err != nil {
		return nil, err
	}
	scope := meta.Scope{Account: "111122223333", Region: "us-east-1"}
	p := &pipeline{db: db, lake: l, target: ingest.Target{Scope: scope, StoreID: uuid.NewString(), Kind: event.CloudTrail, RetentionDays: 36_500}}
	now := time.Now()
	if err := db.CreateStore(ctx, meta.EventDataStore{Scope: scope, ID: p.target.StoreID, Name: "bench", Kind: uint8(event.CloudTrail), Status: "ENABLED", Created: now, Updated: now}); err != nil {
		return nil, err
	}
	if err := l.CreateTable(ctx, p.target.StoreID, event.CloudTrail); err != nil {
		return nil, err
	}
	p.Ingest, err = ingest.Open(ctx, ingest.Config{Dir: dir, Stores: oneStore(p.target), Tables: l, Meta: db, FS: fsys, Logger: slog.New(slog.DiscardHandler)})
	return p, err
}

// acceptAhead is how many files of an import become durable side by side, as imports has it.
const acceptAhead = 16

// feed brings log files in as an import does, and returns when all is in the table: as many are decoded at once as there are processors, and more wait for the disk.
func (p *pipeline) feed(ctx context.Context, files []string) error {
	decoders := make(chan struct{}, runtime.GOMAXPROCS(0))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(acceptAhead)
	for _, path := range files {
		g.Go(func() error {
			raw, b, err := decode(gctx, path, decoders)
			if err != nil {
				return err
			}
			for i := range b.Records {
				p.size.Add(int64(len(b.Records[i].Text)))
			}
			p.events.Add(int64(len(b.Records)))
			_, err = p.Accept(gctx, ingest.Delivery{Payload: raw, Encoding: "gzip", Provenance: path, Records: b.Records, Read: b.Read,
				Scope: p.target.Scope, Stores: []string{p.target.StoreID}})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return p.Flush(ctx)
}

func decode(ctx context.Context, path string, decoders chan struct{}) ([]byte, *logfile.Batch, error) {
	select {
	case decoders <- struct{}{}:
		defer func() { <-decoders }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	b, err := logfile.ReadAll(ctx, path, raw, logfile.Options{})
	return raw, b, err
}

func (p *pipeline) close(ctx context.Context) error {
	return errors.Join(p.Ingest.Close(ctx), p.db.Close())
}

// throughIngest brings log files in with everything that a server does to keep them.
func throughIngest(ctx context.Context, files []string, work string) (outcome, error) {
	return through(ctx, files, work, disk.OS)
}

// throughVolatile does the same without a durable log: what is accepted is lost with the process until it is committed.
func throughVolatile(ctx context.Context, files []string, work string) (outcome, error) {
	return through(ctx, files, work, volatile{disk.OS})
}

func through(ctx context.Context, files []string, work string, fsys disk.FS) (outcome, error) {
	var o outcome
	p, err := openPipeline(ctx, work, nil, fsys)
	if err != nil {
		return o, err
	}
	if err := errors.Join(p.feed(ctx, files), p.close(ctx)); err != nil {
		return o, err
	}
	o.Events, o.JSON = p.events.Load(), p.size.Load()
	if o.Files, o.Out, err = written(filepath.Join(work, "lake"), ".parquet"); err != nil {
		return o, err
	}
	// The log's last segment, at most 64 MB and soon gone, does not grow with what is kept.
	_, index, err := written(filepath.Join(work, "identity"), "")
	o.Out += index
	return o, err
}

// spent is this process's CPU time so far.
func spent() time.Duration { return cpuOf(usage()) }
