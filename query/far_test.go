package query

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
)

// far is a store whose objects are not files of this machine.
type far struct{ objstore.Store }

func (far) LocalPath(string) string { return "" }

// ranges fetches what a query's columns need into the cache, as the server does.
type ranges struct {
	lake  *lake.Lake
	cache *objstore.Cache
	most  int64

	sifted atomic.Int64 // relations
}

func (r *ranges) Budget() int64 { return r.most }

func (r *ranges) Need(ctx context.Context, f engine.File, columns []string) (n int64, err error) {
	list, err := r.lake.Ranges(ctx, lake.File{Key: f.Key, Size: f.Size}, columns)
	for _, x := range list {
		n += x.Len
	}
	return n, err
}

func (r *ranges) Sift(ctx context.Context, schema *event.TableSchema, files []engine.File, columns []string, equal []engine.Equality, path string) (int64, bool, error) {
	var these []lake.File
	for _, f := range files {
		these = append(these, lake.File{Key: f.Key, Size: f.Size, Rows: f.Rows})
	}
	var sought []lake.Sought
	for _, e := range equal {
		sought = append(sought, lake.Sought(e))
	}
	found, ok, err := r.lake.Sift(ctx, schema, these, columns, sought, r.cache, path)
	if ok {
		r.sifted.Add(1)
	}
	return found.Bytes, ok, err
}

func (r *ranges) Fetch(ctx context.Context, f engine.File, columns []string) (string, func(), error) {
	list, err := r.lake.Ranges(ctx, lake.File{Key: f.Key, Size: f.Size}, columns)
	if err != nil {
		return "", nil, err
	}
	return r.cache.Fetch(ctx, f.Key, f.Size, list)
}

// From a store that is far away, where only the columns that a statement needs come near and the rest of each file is holes, the answers are those of
// the whole files; also where the cache holds a tenth of what the statement needs.
func TestFarStore(t *testing.T) {
	b := newBed(t, nil)
	b.fill(t, b.store(t, "mine", 200), 6000)
	statements := []string{
		"SELECT count(*), min(eventTime), max(eventTime) FROM mine",
		"SELECT count(*) FROM mine",
		"SELECT eventName, count(*), count(DISTINCT userIdentity.arn) FROM mine GROUP BY 1 ORDER BY 1",
		"SELECT * FROM mine WHERE eventID = 'mine-77'",
		"SELECT eventJson, userIdentity, resources FROM mine WHERE eventID IN ('mine-5', 'mine-177', 'nobody') AND eventTime > '2020-01-01' ORDER BY eventID",
		"SELECT count(*) FROM mine WHERE eventID = 'nobody'",
		"SELECT a.eventName, b.eventJson FROM mine a JOIN mine b ON a.eventID = b.eventID WHERE a.eventID = 'mine-41' AND b.eventID = 'mine-41'",
		"SELECT eventJson, eventJsonChecksum FROM mine WHERE userIdentity.arn LIKE '%u1' ORDER BY eventID",
		"SELECT sum(length(eventJson)), count(element_at(requestParameters, 'bucketName')), count(resources) FROM mine WHERE eventTime > '2026-11-10'",
		"SELECT a.eventID FROM mine a JOIN mine b ON a.requestID = b.requestID WHERE b.eventName = 'AssumeRole' ORDER BY 1 LIMIT 50",
		"SELECT eventTime, sourceIPAddress, userAgent FROM mine ORDER BY eventTime DESC, eventID LIMIT 20",
	}
	var want [][]string
	var size int64
	for _, s := range statements {
		id := b.start(t, s)
		if q := b.wait(t, id); q.Status != Finished {
			t.Fatalf("%s: %+v", s, q)
		}
		want = append(want, b.rows(t, id, 1000))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	away, err := lake.Open(t.Context(), lake.Config{Objects: far{b.objects}, Meta: b.db})
	if err != nil {
		t.Fatal(err)
	}
	stores, err := b.db.Stores(t.Context(), scope, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := away.Plan(t.Context(), stores[0].ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range plan.Files {
		size += f.Size
	}
	plan.Release()
	for _, bound := range []int64{4 * size, size / 10} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			cache, err := objstore.NewCache(far{b.objects}, filepath.Join(b.dir, "cache"), bound, prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			r := &ranges{lake: away, cache: cache, most: bound / 2}
			eng, err := engine.NewDuckDB(engine.Config{TempDir: filepath.Join(b.dir, "far"), Fetcher: r})
			if err != nil {
				t.Fatal(err)
			}
			defer eng.Close()
			b.reopen(t, func(c *Config) { c.Planner, c.Engine, c.PerScope = away, eng, len(statements) })
			defer b.Close()
			for i, s := range statements {
				id := b.start(t, s)
				q := b.wait(t, id)
				if q.Status != Finished {
					t.Errorf("%s: %+v", s, q)
					continue
				}
				if got := b.rows(t, id, 1000); !slices.Equal(got, want[i]) {
					t.Errorf("%s: %d rows, not %d: %.300q, want %.300q", s, len(got), len(want[i]), got, want[i])
				}
			}
			if n := r.sifted.Load(); n != 4 { // nobody is in no file
				t.Errorf("%d relations were sifted", n)
			}
			if n := cache.Used(); n > bound {
				t.Errorf("the cache holds %d bytes, over %d", n, bound)
			}
		})
	}
}
