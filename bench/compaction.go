package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

const (
	commitRows  = 10
	commitParts = 10
)

// commits makes so many small commits to one table while compaction runs, and prints in ten parts what each and a plan then cost.
func commits(ctx context.Context, commitCount int, work string) error {
	db, err := meta.OpenSQLite(ctx, filepath.Join(work, "meta.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(work, "objects"))
	if err != nil {
		return err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db, KeepFiles: time.Minute})
	if err != nil {
		return err
	}
	store := uuid.NewString()
	now := time.Now()
	if err := db.CreateStore(ctx, meta.EventDataStore{Scope: meta.Scope{Account: "111122223333", Region: "us-east-1"}, ID: store, Name: "bench",
		Kind: uint8(event.CloudTrail), Status: "ENABLED", Created: now, Updated: now}); err != nil {
		return err
	}
	if err := l.CreateTable(ctx, store, event.CloudTrail); err != nil {
		return err
	}
	stop := compact(ctx, l, filepath.Join(work, "compaction"), 10*time.Second)
	fmt.Printf("\n### %d commits of %d events each, over four days, compaction beside\n\n", commitCount, commitRows)
	fmt.Println("| commits so far | ms a commit, median | ms a plan, median | files |\n| --- | --- | --- | --- |")
	g := generate.New(generate.Options{Events: commitCount * commitRows, Seed: 1, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Days: 4})
	var took []time.Duration
	for n := range commitCount {
		rows, err := generated(g, n)
		if err != nil {
			return err
		}
		f, err := l.Write(ctx, store, rows)
		if err != nil {
			return err
		}
		begun := time.Now()
		if err := l.Commit(ctx, store, f, int64(n+1)); err != nil {
			return err
		}
		took = append(took, time.Since(begun))
		if (n+1)%(commitCount/commitParts) != 0 {
			continue
		}
		var plans []time.Duration
		files := 0
		for range 21 {
			begun := time.Now()
			p, err := l.Plan(ctx, store, []lake.Predicate{{Path: "sourceipaddress", Op: lake.Equal, Values: []lake.Value{{Text: "198.51.100.77"}}}})
			if err != nil {
				return err
			}
			plans = append(plans, time.Since(begun))
			files = p.TableFiles
			p.Release()
		}
		fmt.Printf("| %d | %.1f | %.1f | %d |\n", n+1, ms(median(took)), ms(median(plans)), files)
		took = took[:0]
	}
	return errors.Join(stop(), l.Close())
}

// generated makes the rows of one commit.
func generated(g *generate.Generator, n int) ([]lake.Row, error) {
	d := event.NewDecoder()
	var rows []lake.Row
	for i := range commitRows {
		e, ok := g.Next()
		if !ok {
			break
		}
		r, err := d.Decode(append([]byte(nil), e.Text...))
		if err != nil {
			return nil, err
		}
		rows = append(rows, lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "bench", Epoch: 1, Sequence: int64(n), Position: int32(i),
			Accepted: e.Time.UnixMicro(), Provenance: "bench"}})
	}
	return rows, nil
}

// compact runs compaction as a server does, until stop is called.
func compact(ctx context.Context, l *lake.Lake, dir string, quiet time.Duration) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.RunCompaction(ctx, lake.Compaction{Dir: dir, Quiet: quiet}) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// beside brings the files in eight parts, every second one while compaction runs, and prints how fast each came in.
func beside(ctx context.Context, files []string, work string) error {
	p, err := openPipeline(ctx, work)
	if err != nil {
		return err
	}
	fmt.Println("| part | events | compaction | events/s | CPU s |\n| --- | --- | --- | --- | --- |")
	var rates [2][]float64
	was, events := spent(), int64(0)
	for n := range 8 {
		stop, name := func() error { return nil }, "–"
		if n%2 == 1 {
			stop, name = compact(ctx, p.lake, filepath.Join(work, "compaction"), 1), "runs"
			time.Sleep(10500 * time.Millisecond) // it looks every five seconds, and at the second look days are quiet
			was = spent()
		}
		begun := time.Now()
		if err := p.feed(ctx, files[len(files)*n/8:len(files)*(n+1)/8]); err != nil {
			return err
		}
		took := time.Since(begun)
		in := p.events.Load() - events
		events += in
		rate := float64(in) / took.Seconds()
		rates[n%2] = append(rates[n%2], rate)
		fmt.Printf("| %d | %d | %s | %.0f | %.2f |\n", n+1, in, name, rate, (spent() - was).Seconds())
		if err := stop(); err != nil {
			return err
		}
		was = spent()
	}
	sum := func(v []float64) (s float64) {
		for _, x := range v[1:] { // the first of each warms up
			s += x
		}
		return s
	}
	fmt.Printf("\nBeside compaction events came in at %.0f %% of the rate without.\n", 100*sum(rates[1])/sum(rates[0]))
	return p.close(ctx)
}
