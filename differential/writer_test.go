package differential

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/differential/trinotest"
)

// TestWriter asks real Trino every statement of the corpus, or of an -area, as Loch writes it for Trino: the answer is that to the caller's own text. It runs where
// LOCH_TRINO is set.
func TestWriter(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set")
	}
	all, err := corpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(s statement) bool { return !strings.HasPrefix(s.File, *area) })
	recorded, err := readRecordings("testdata")
	if err != nil {
		t.Fatal(err)
	}
	srv := openTrino(t)
	next := make(chan *statement)
	var wg sync.WaitGroup
	for range runtime.NumCPU() + 1 {
		wg.Go(func() {
			for s := range next {
				if want := recorded[s.File][s.Text]; want != nil {
					written(t, srv, s, want)
				}
			}
		})
	}
	for i := range all {
		next <- &all[i]
	}
	close(next)
	wg.Wait()
}

// TestWriterIsRead: what Loch writes for Trino is a statement of the grammar that it reads, for every statement of the corpus that it takes.
func TestWriterIsRead(t *testing.T) {
	all, err := corpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range all {
		s := &all[i]
		st, err := dialect.ForTrino(t.Context(), func() (*dialect.Query, error) { return dialect.Parse(s.Text) }, noTables{}, dialect.Session{Start: time.Now().UTC(), User: "loch"})
		if _, ok := errors.AsType[*dialect.Error](err); ok {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		if text := st.Write(nil).SQL; len(text) <= dialect.MaxLength {
			if _, err := dialect.Parse(text); err != nil {
				t.Errorf("%v: %v in %s", s, err, brief(text))
			}
		}
	}
	if n < len(all)*8/10 {
		t.Errorf("%d of %d statements are written", n, len(all))
	}
}

func written(t *testing.T, srv *trinotest.Server, s *statement, want *recording) {
	st, err := dialect.ForTrino(t.Context(), func() (*dialect.Query, error) { return dialect.Parse(s.Text) }, noTables{}, dialect.Session{Start: time.Now().UTC(), User: "loch"})
	if _, unread := dialect.Parse(s.Text); unread != nil {
		return // which TestDuckDB counts
	}
	if err != nil {
		if strings.Contains(err.Error(), "is not supported: event data stores have none") {
			return // Trino's answer would be about itself
		}
		if want.Error == "" {
			t.Errorf("%v: %v, where Trino answers\n%s", s, err, brief(s.Text))
		}
		return
	}
	text := st.Write(nil)
	a, err := srv.Query(context.WithoutCancel(t.Context()), text.SQL)
	got, err := record(s, a, err)
	if err != nil {
		t.Errorf("%v: %v", s, err)
		return
	}
	if d := diff(s, got, want); d != "" {
		t.Errorf("%v: %s\n%s\nwritten: %s", s, d, brief(s.Text), brief(text.SQL))
	}
}
