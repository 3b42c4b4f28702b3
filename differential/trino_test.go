package differential

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lochlake/loch/differential/trinotest"
)

var rewrite = flag.Bool("record", false, "write what Trino answers to testdata/*.json")

// TestTrino asks real Trino every statement and holds its answers against the recorded ones, or records them (-record), all or those of an -area. It runs where LOCH_TRINO is set,
// as make differential does, which also allows it to fetch Trino.
func TestTrino(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set: recorded answers stand for Trino's")
	}
	all, err := corpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(s statement) bool { return !strings.HasPrefix(s.File, *area) })
	srv := openTrino(t)
	answers := askAll(t, srv, all)
	old, err := readRecordings("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := recordAll("testdata", all, answers); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, r := range answers {
		s := &all[i]
		was := old[s.File][s.Text]
		if was == nil {
			t.Errorf("%v is not recorded", s)
		} else if d := diff(s, r, was); d != "" {
			t.Errorf("%v: Trino answers otherwise than recorded: %s", s, d)
		}
	}
}

// recordAll writes the answers to a folder's statements, file by file.
func recordAll(dir string, all []statement, answers []*recording) error {
	files := map[string][]*recording{}
	for i, r := range answers {
		files[all[i].File] = append(files[all[i].File], r)
	}
	for name, rs := range files {
		if err := writeRecordings(dir, name, rs); err != nil {
			return err
		}
	}
	return nil
}

// askAll runs the statements, a few at once.
func askAll(t *testing.T, srv *trinotest.Server, all []statement) []*recording {
	out := make([]*recording, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range next {
				a, err := srv.Query(context.WithoutCancel(t.Context()), all[i].Text)
				r, err := record(&all[i], a, err)
				if err != nil {
					t.Errorf("%v: %v", &all[i], err)
					r = &recording{Statement: all[i].Text}
				}
				out[i] = r
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// openTrino gives a Trino that ends with the test, which is skipped where there can be none.
func openTrino(t *testing.T) *trinotest.Server {
	t.Helper()
	srv, err := trinotest.Open(t.Context(), "../build/trino", true)
	if errors.Is(err, trinotest.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}
