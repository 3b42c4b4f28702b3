package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/imports/streamer"
)

// importing brings folder after folder of log files in, each by one of the ways, some twice, until ctx ends. Events are acknowledged when an import
// has ended well and read every file.
func (r *run) importing(ctx context.Context, importer int, rnd *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		batch := fmt.Sprintf("batch-%d-%d", importer, n)
		dir, items, err := r.logs(ctx, batch, rnd.Uint64())
		if err != nil {
			if ctx.Err() == nil {
				r.found("making log files: %v", err)
			}
			return
		}
		source := dir
		if r.bucket != nil && rnd.IntN(2) == 0 {
			source = "s3://logs/" + batch + "/"
		}
		opt := streamer.Options{Sources: []string{source}, S3Region: "us-east-1", Store: r.imported.id}
		live := rnd.IntN(3) == 0 && source == dir
		if live {
			opt.Store = "" // whoever wants them: the histories of their accounts, and the store of the whole organisation
		}
		note := func(f fate) {
			for of, part := range items {
				r.imported.ledger.note(part, f)
				if live {
					r.historyOf(of).ledger.note(part, f)
				}
			}
		}
		for more := 1 + rnd.IntN(2); more > 0 && ctx.Err() == nil; {
			// An import that does not come to its end may have brought anything.
			note(unknown)
			if err := r.importOnce(ctx, opt, source != dir); err != nil {
				if rnd.IntN(10) == 0 {
					break // whoever sent it gives up
				}
				sleep(ctx, 20*time.Millisecond)
				continue
			}
			note(acked)
			r.count(&r.imports)
			more--
		}
		_ = os.RemoveAll(dir) // it is small
	}
}

func (r *run) importOnce(ctx context.Context, opt streamer.Options, remote bool) error {
	cfg := streamer.Config{Endpoint: r.client.Endpoint, Region: r.client.Region, Credentials: r.client.Credentials}
	// A server that is killed meanwhile may leave its side of the import waiting.
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var sum streamer.Summary
	var err error
	if remote {
		sum, err = streamer.RunS3(ctx, cfg, opt)
	} else {
		sum, err = streamer.Run(ctx, cfg, opt)
	}
	switch {
	case err != nil:
		return err
	case sum.Failed > 0 || sum.Status != "COMPLETED":
		return fmt.Errorf("%s, %d failed", sum.Status, sum.Failed)
	case sum.Counts.Bad > 0:
		r.found("an import of good files found bad events: %+v", sum.Counts)
	}
	return nil
}

// logs writes a folder of small log files of one batch, and gives the events in it that the stores take, by account: management events.
func (r *run) logs(ctx context.Context, batch string, seed uint64) (dir string, items map[string][]item, err error) {
	dir = filepath.Join(r.dir, "logs", batch)
	if r.bucket != nil {
		dir = filepath.Join(r.bucket.dir, "logs", batch)
	}
	opt := generate.Options{Events: 150, Seed: seed, Start: r.begun.AddDate(0, 0, -5), Days: 3}
	if _, err := generate.WriteFiles(ctx, dir, opt, generate.FileOptions{PerFile: 20}); err != nil {
		return "", nil, err
	}
	items = map[string][]item{}
	decoder := event.NewDecoder()
	g := generate.New(opt)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		rec, err := decoder.Decode(e.Text)
		if err != nil {
			return "", nil, err
		}
		if rec.Category == event.CategoryManagement {
			items[rec.Account] = append(items[rec.Account], newItem(rec.ID, e.Text))
		}
	}
	return dir, items, ctx.Err()
}
