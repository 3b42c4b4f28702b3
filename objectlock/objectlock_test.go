package objectlock

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

const store = "11111111-2222-3333-4444-555555555555"

// bucket is one in memory that keeps the rule of compliance mode: a lock is never shortened.
type bucket struct {
	mu      sync.Mutex
	objects map[string]time.Time // when they were put
	locks   map[string]time.Time
	held    map[string]bool
	asked   int
	deny    bool
}

var errDenied = errors.New("denied")

func (b *bucket) Lock(_ context.Context, key string, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.deny {
		return errDenied
	}
	if _, ok := b.objects[key]; !ok {
		return objstore.ErrNotExist
	}
	if until.After(b.locks[key]) {
		b.locks[key] = until
	}
	return nil
}

func (b *bucket) Hold(_ context.Context, key string, on bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.deny {
		return errDenied
	}
	if _, ok := b.objects[key]; !ok {
		return objstore.ErrNotExist
	}
	if b.held == nil {
		b.held = map[string]bool{}
	}
	if b.held[key] = on; !on {
		delete(b.held, key)
	}
	return nil
}

func (b *bucket) List(_ context.Context, prefix, _ string, fn func(objstore.Object) error) error {
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			if err := fn(objstore.Object{Key: key, Modified: b.objects[key]}); err != nil {
				return err
			}
		}
	}
	return nil
}

type files []lake.Finished

func (f *files) Finished(context.Context, string, bool) ([]lake.Finished, error) { return *f, nil }

func TestKeeper(t *testing.T) {
	now := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }
	b := &bucket{objects: map[string]time.Time{}, locks: map[string]time.Time{}}
	logged := func(path string) string { return "logs/" + store + "/" + path }
	for _, key := range []string{"a", "b", logged("checkpoint"), logged("tile/0/000"), logged("tile/entries/000"), logged("tile/0/001.p/7")} {
		b.objects[key] = now
	}
	live := files{{Key: "a", End: day(2)}, {Key: "b", End: day(9)}, {Key: "gone", End: day(9)}}
	days := 400
	k := New(Config{Bucket: b, Files: &live, Tables: func(context.Context) ([]meta.Table, error) { return []meta.Table{{StoreID: store}}, nil },
		Retention: func(context.Context, string) (int, error) { return days, nil }})
	round := func(at time.Time, requests int) {
		t.Helper()
		b.asked = 0
		if err := k.Round(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if b.asked != requests {
			t.Errorf("%v: %d requests, not %d", at, b.asked, requests)
		}
	}
	locks := func(want map[string]time.Time) {
		t.Helper()
		if !maps.Equal(b.locks, want) {
			t.Errorf("locked\n%v, want\n%v", b.locks, want)
		}
	}
	round(now, 3) // the log; files wait for what they may be merged with
	want := map[string]time.Time{logged("checkpoint"): now.AddDate(0, 0, 400), logged("tile/0/000"): now.AddDate(0, 0, 400), logged("tile/entries/000"): now.AddDate(0, 0, 400)}
	locks(want)
	round(now.Add(30*time.Minute), 0)
	later := now.Add(time.Hour)
	b.objects[logged("tile/0/001")] = now.Add(40 * time.Minute)
	round(later, 7) // three files, the new tile and, of the hour before, two that are looked at twice; the checkpoint
	want["a"], want["b"] = day(2).AddDate(0, 0, 400), day(9).AddDate(0, 0, 400)
	for key := range want {
		if len(key) > 1 {
			want[key] = later.AddDate(0, 0, 400)
		}
	}
	want[logged("tile/0/001")] = later.AddDate(0, 0, 400)
	locks(want)
	delete(b.objects, "gone")
	live = live[:2]
	round(later.Add(time.Minute), 0)

	// The retention is raised: everything is locked for longer. It is lowered: nothing is.
	days = 500
	at := later.Add(2 * time.Minute)
	round(at, 6)
	for key := range want {
		if len(key) > 1 {
			want[key] = at.AddDate(0, 0, 500)
		}
	}
	want["a"], want["b"] = day(2).AddDate(0, 0, 500), day(9).AddDate(0, 0, 500)
	locks(want)
	days = 7
	round(at.Add(time.Minute), 0)
	locks(want)

	// The tiles of a log that grows are locked anew before their locks end.
	at = at.AddDate(0, 0, 70)
	days = 500
	round(at, 4)
	for key := range want {
		if len(key) > 1 {
			want[key] = at.AddDate(0, 0, 500)
		}
	}
	locks(want)

	// A new keeper knows nothing, and changes nothing; what is due is not locked; a store that is being deleted is not.
	k = New(k.cfg)
	k.settled = 0
	live = append(live, lake.Finished{Key: "due", End: day(1).AddDate(-3, 0, 0)})
	b.objects["due"] = now
	round(at, 6)
	locks(want)
	days = 0
	round(at.AddDate(1, 0, 0), 0)
	locks(want)
}

func TestFailuresAreTold(t *testing.T) {
	b := &bucket{objects: map[string]time.Time{}, locks: map[string]time.Time{}, deny: true}
	var live files
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		b.objects[string(c)] = time.Now()
		live = append(live, lake.Finished{Key: string(c), End: time.Now()})
	}
	k := New(Config{Bucket: b, Files: &live, Tables: func(context.Context) ([]meta.Table, error) { return []meta.Table{{StoreID: store}}, nil },
		Retention: func(context.Context, string) (int, error) { return 30, nil }})
	k.settled = 0
	if err := k.Round(t.Context(), time.Now()); !errors.Is(err, errDenied) || b.asked > 3*atOnce {
		t.Errorf("%v after %d requests", err, b.asked)
	}
	b.deny = false
	if err := k.Round(t.Context(), time.Now()); err != nil || len(b.locks) != len(live) {
		t.Errorf("%v: %d of %d are locked", err, len(b.locks), len(live))
	}
	// Where the bucket cannot, there is nothing to do.
	k.cfg.Enabled = func(context.Context) (bool, error) { return false, nil }
	k.Run(t.Context())
}

// table is one whose files compaction is not done with, some of them.
type table struct{ done, waiting []lake.Finished }

func (f *table) Finished(_ context.Context, _ string, unmerged bool) ([]lake.Finished, error) {
	if unmerged {
		return slices.Concat(f.done, f.waiting), nil
	}
	return f.done, nil
}

// TestHolds: S3's legal hold is on the files that a hold covers, and on no other, for as long as it lasts; whatever happens while nobody looks.
func TestHolds(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }
	now := day(20)
	file := func(name string, n int) lake.Finished {
		return lake.Finished{Key: "tables/" + store + "/data/" + name, End: day(n + 1)}
	}
	live := &table{done: []lake.Finished{file("a", 2), file("b", 3), file("c", 9)}, waiting: []lake.Finished{file("small", 3)}}
	b := &bucket{objects: map[string]time.Time{}, locks: map[string]time.Time{}}
	for _, f := range slices.Concat(live.done, live.waiting) {
		b.objects[f.Key] = now
	}
	var holds []meta.Hold
	var removed []meta.RemovedFile
	days := 30
	cfg := Config{Bucket: b, Files: live, Tables: func(context.Context) ([]meta.Table, error) { return []meta.Table{{StoreID: store}}, nil },
		Retention: func(context.Context, string) (int, error) { return days, nil }, Holds: func(context.Context, string) ([]meta.Hold, error) { return holds, nil },
		Removed: func(context.Context, string) ([]meta.RemovedFile, error) { return removed, nil }}
	k := New(cfg)
	look := func(what string, want ...string) {
		t.Helper()
		if err := k.Round(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for key := range b.held {
			got[key[len("tables/"+store+"/data/"):]] = true
		}
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
			t.Errorf("%s: held %q, want %q", what, names, want)
		}
	}
	look("no hold")
	holds = []meta.Hold{{ID: "1", From: day(3), To: day(4)}}
	look("a day", "b")
	b.asked = 0
	look("again", "b")
	if b.asked != 0 {
		t.Errorf("%d requests though nothing changed", b.asked)
	}
	holds = append(holds, meta.Hold{ID: "2", From: day(2).Add(time.Hour), To: day(3).Add(time.Hour)})
	days = 0 // the store is being deleted, which the holds keep it from
	look("two that overlap", "a", "b")
	holds[0].Lifted = now
	look("one of two is lifted", "a", "b")

	// What comes late is merged: the new file is held before the old one is not. Until then the old one is.
	live.done, live.waiting = []lake.Finished{file("a", 2), file("c", 9)}, []lake.Finished{file("small", 3), file("b", 3)}
	look("to be merged", "a", "b")
	live.done, live.waiting = []lake.Finished{file("a", 2), file("bsmall", 3), file("c", 9)}, nil
	b.objects[file("bsmall", 3).Key] = now
	b.deny = true
	if err := k.Round(t.Context(), now); !errors.Is(err, errDenied) || len(b.held) != 2 {
		t.Errorf("%v, %v", b.held, err)
	}
	b.deny = false
	look("merged", "a", "bsmall")

	// A new keeper knows nothing. Meanwhile a file was merged, a hold was lifted, and another placed.
	live.done = []lake.Finished{file("a2", 2), file("bsmall", 3), file("c", 9)}
	b.objects[file("a2", 2).Key] = now
	holds[1].Lifted = now
	holds = append(holds, meta.Hold{ID: "3", From: day(9)})
	k = New(cfg)
	look("another life", "c")
	// What a removal took out of the table, before it was held again, waits in the bucket.
	live.done = []lake.Finished{file("a2", 2), file("bsmall", 3)}
	removed = []meta.RemovedFile{{StoreID: store, Key: file("c", 9).Key, Day: int32(day(9).Unix() / 86400)}}
	look("removed, and held", "c")
	removed = nil
	holds[2].Lifted = now
	delete(b.objects, file("c", 9).Key)
	delete(b.held, file("c", 9).Key)
	look("all is lifted, and what was held is gone")
	b.asked = 0
	look("in the end")
	if b.asked != 0 {
		t.Errorf("%d requests though nothing is held", b.asked)
	}
}
