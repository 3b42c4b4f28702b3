package differential

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/lochlake/loch/engine"
)

var (
	generated = flag.Int("generated", 2000, "how many statements TestGenerated makes, and TestTablesTrino")
	seed      = flag.Uint64("seed", 0, "the first seed of TestGenerated; 0 takes one at random")
)

// TestGenerated makes random statements, runs each on real Trino and on the embedded engine, and holds the answers against each other. It runs where
// LOCH_TRINO is set. Each statement has a seed of its own, which a failure names.
func TestGenerated(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set")
	}
	srv := openTrino(t)
	first := firstSeed(t)
	all := make([]statement, *generated)
	for i := range all {
		all[i] = statement{File: fmt.Sprint("seed ", first+uint64(i)), Text: newGenerator(first + uint64(i)).statement()}
	}
	want := askAll(t, srv, all)
	tally(t, all, func(i int) *recording { return want[i] })
}

// firstSeed is the seed of the first generated statement; the others follow it.
func firstSeed(t *testing.T) uint64 {
	first := *seed
	if first == 0 {
		first = rand.Uint64N(1 << 40)
	}
	t.Logf("seeds %d to %d", first, first+uint64(*generated)-1)
	return first
}

// tally runs statements on the embedded engine and holds each against Trino's answer.
func tally(t *testing.T, all []statement, want func(i int) *recording) {
	e, err := engine.NewDuckDB(engine.Config{TempDir: filepath.Join(t.TempDir(), "engine"), Spare: 3, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	outcomes := make([]outcome, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.NumCPU() + 1 {
		wg.Go(func() {
			for i := range next {
				outcomes[i] = judge(t.Context(), e, &all[i], want(i))
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	var count [len(fates)]int
	for i := range all {
		o := &outcomes[i]
		count[o.fate]++
		if o.fate == differs {
			t.Errorf("%v: %s\n%s", &all[i], o.why, brief(all[i].Text))
		}
	}
	answered := count[equal] + count[beyond]
	t.Logf("%d equal, %d failed by both, %d beyond Trino, %d refused, %d differ: %.1f %% of what Trino answers is answered",
		count[equal], count[failed], count[beyond], count[refused], count[differs], 100*float64(answered)/float64(max(1, answered+count[refused]+count[differs])))
	if *report != "" {
		if err := os.WriteFile(*report, listing(all, outcomes), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
