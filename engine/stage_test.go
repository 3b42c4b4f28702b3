package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lochlake/loch/event"
)

// remote is a store of files that are copied near when they are fetched, each counted with its size.
type remote struct {
	dir    string // of the far files
	near   string
	budget int64
	fail   string // key whose fetch fails

	held, peak, fetched atomic.Int64
	mu                  sync.Mutex
	pins                map[string]int
}

func (r *remote) Budget() int64 { return r.budget }

func (r *remote) Need(_ context.Context, f File, columns []string) (int64, error) {
	if len(columns) == 0 {
		return 0, errors.New("no columns")
	}
	return f.Size, nil
}

func (r *remote) Sift(context.Context, *event.TableSchema, []File, []string, []Equality, string) (int64, bool, error) {
	return 0, false, nil
}

func (r *remote) Fetch(_ context.Context, f File, _ []string) (string, func(), error) {
	if f.Key == r.fail {
		return "", nil, errors.New("the store is away")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	path := filepath.Join(r.near, f.Key)
	if r.pins[f.Key] == 0 {
		b, err := os.ReadFile(filepath.Join(r.dir, f.Key))
		if err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return "", nil, err
		}
	}
	r.pins[f.Key]++
	r.fetched.Add(f.Size)
	r.peak.Store(max(r.peak.Load(), r.held.Add(f.Size)))
	return path, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held.Add(-f.Size)
		if r.pins[f.Key]--; r.pins[f.Key] == 0 {
			if err := os.Remove(path); err != nil {
				panic(err)
			}
		}
	}, nil
}

func newRemote(t *testing.T, files int) (*remote, []File, int64) {
	t.Helper()
	r := &remote{dir: t.TempDir(), near: t.TempDir(), pins: map[string]int{}}
	var list []File
	var total int64
	for i := range files {
		f := testFile(t, r.dir, fmt.Sprintf("f%d.parquet", i), i*200, 200)
		f.Local = ""
		list, total = append(list, f), total+f.Size
	}
	return r, list, total
}

func TestRemoteFiles(t *testing.T) {
	r, files, total := newRemote(t, 12)
	d := newEngine(t, r)
	local := testFile(t, t.TempDir(), "local.parquet", 2400, 100)
	for _, tt := range []struct {
		name   string
		budget int64
		where  string
	}{{"fits", total * 3, ""}, {"ten times the cache", total / 10, ""}, {"with a condition", total / 10, "readonly"}, {"one file at a time", 1, ""}} {
		t.Run(tt.name, func(t *testing.T) {
			r.budget = tt.budget
			r.peak.Store(0)
			rel := Relation{Name: "a", Schema: testSchema(), Columns: []string{"eventid", "readonly", "who", "params"}, Files: append([]File{local}, files...), Where: tt.where}
			other := Relation{Name: "b", Schema: testSchema(), Columns: []string{"eventid"}, Files: files[:2]}
			rows, stats, err := answer(t, d, Job{SQL: "SELECT count(*), count(DISTINCT who.arn), max(params['n']::BIGINT), (SELECT count(*) FROM b) FROM a WHERE readonly",
				Relations: []Relation{rel, other}, Columns: []Column{{Type: "bigint"}, {Type: "bigint"}, {Type: "bigint"}, {Type: "bigint"}}})
			if err != nil {
				t.Fatal(err, errors.Unwrap(err))
			}
			if got, want := fmt.Sprint(rows), "[[1250 1250 2498 400]]"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if tt.budget > total {
				if stats.BytesScanned == 0 {
					t.Error("no bytes scanned")
				}
			} else if peak := r.peak.Load(); peak > max(tt.budget+files[0].Size, total/6) { // what fits beside it stays to the end
				t.Errorf("%d bytes were held at once, with a budget of %d", peak, tt.budget)
			}
			if n := r.held.Load(); n != 0 {
				t.Errorf("%d bytes are still held", n)
			}
		})
	}
}

func TestRemoteFailure(t *testing.T) {
	r, files, total := newRemote(t, 4)
	d := newEngine(t, r)
	for _, budget := range []int64{total * 2, total / 2} {
		r.budget, r.fail = budget, files[2].Key
		_, _, err := answer(t, d, Job{SQL: "SELECT count(*) FROM a", Relations: []Relation{{Name: "a", Schema: testSchema(), Columns: []string{"eventid"}, Files: files}},
			Columns: []Column{{Type: "bigint"}}})
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Internal {
			t.Errorf("got %v", err)
		}
		if n := r.held.Load(); n != 0 {
			t.Errorf("%d bytes are still held", n)
		}
	}
	// Without a fetcher the files cannot be had.
	if _, _, err := answer(t, newEngine(t, nil), Job{SQL: "SELECT 1", Relations: []Relation{{Name: "a", Schema: testSchema(), Files: files}}, Columns: []Column{{Type: "integer"}}}); err == nil {
		t.Error("answered")
	}
}

// count(*) names no column: a remote file's footer alone is needed.
func TestRemoteWithoutColumns(t *testing.T) {
	r, files, total := newRemote(t, 3)
	d := newEngine(t, &footers{r})
	for _, budget := range []int64{total * 2, 1} {
		r.budget = budget
		rows, _, err := answer(t, d, Job{SQL: "SELECT count(*) FROM a", Relations: []Relation{{Name: "a", Schema: testSchema(), Files: files}}, Columns: []Column{{Type: "bigint"}}})
		if err != nil || rows[0][0] != "600" {
			t.Error(rows, err, errors.Unwrap(err))
		}
	}
}

type footers struct{ *remote }

func (f *footers) Need(_ context.Context, file File, columns []string) (int64, error) { return 1, nil }
