package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/disk"
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

// besideParts is how many parts of beside count, half of them while compaction runs. Another goes before them, and warms up.
const besideParts = 12

// besideWait is how long either kind of part is waited for: compaction looks every five seconds, and at the second look days are quiet.
const besideWait = 10500 * time.Millisecond

// besideLead is how many files come in before each part is timed: memory that went back to the system during the wait is got anew, and compaction, which took a whole core, has
// seen that it is not alone.
const besideLead = 40

// beside brings the files in parts, half of them while compaction runs, and prints how fast each came in. Of two parts that follow each other one goes with compaction, and which
// of them is first changes from pair to pair, so that neither kind gains by what grows, or by a machine that becomes slower.
func beside(ctx context.Context, files []string, work string) error {
	registry := prometheus.NewRegistry()
	p, err := openPipeline(ctx, work, registry, disk.OS)
	if err != nil {
		return err
	}
	fmt.Println("| part | events | compaction | its cores | events/s | CPU µs/event |\n| --- | --- | --- | --- | --- | --- |")
	var rates, costs [2][]float64 // without, and beside
	for n := range besideParts + 1 {
		runs := n%4 == 2 || n%4 == 3 // after the first: without, with, with, without, and so on
		stop, name, kind := func() error { return nil }, "–", 0
		if runs {
			stop, name, kind = compact(ctx, p.lake, filepath.Join(work, "compaction"), 1), "runs", 1
		}
		time.Sleep(besideWait)
		part := files[len(files)*n/(besideParts+1) : len(files)*(n+1)/(besideParts+1)]
		lead := min(besideLead, len(part)/2)
		if err := p.feed(ctx, part[:lead]); err != nil {
			return err
		}
		before, err := counted(registry, "loch_compaction_work_seconds_total")
		if err != nil {
			return err
		}
		was, in, begun := spent(), p.events.Load(), time.Now()
		if err := p.feed(ctx, part[lead:]); err != nil {
			return err
		}
		wall, used := time.Since(begun), spent()-was
		worked, err := counted(registry, "loch_compaction_work_seconds_total")
		if err := errors.Join(err, stop()); err != nil {
			return err
		}
		in = p.events.Load() - in
		rate, cost := float64(in)/wall.Seconds(), used.Seconds()*1e6/float64(in)
		if n > 0 {
			rates[kind], costs[kind] = append(rates[kind], rate), append(costs[kind], cost)
		}
		fmt.Printf("| %d | %d | %s | %.2f | %.0f | %.1f |\n", n, in, name, (worked-before)/wall.Seconds(), rate, cost)
	}
	without, with := median(rates[0]), median(rates[1])
	fmt.Printf("\nMedians: %.0f events a second without, and %.0f beside compaction: %.0f %%. An event cost %.1f and %.1f µs of CPU, compaction included.\n", without, with, 100*with/without,
		median(costs[0]), median(costs[1]))
	return p.close(ctx)
}

// counted is the sum of a counter's values.
func counted(from prometheus.Gatherer, name string) (sum float64, err error) {
	families, err := from.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum, nil
}
