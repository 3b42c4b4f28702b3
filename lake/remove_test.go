package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

const dayMicros = int64(86_400_000_000)

func allowed(meta.EventDataStore, []meta.Hold) error { return nil }

func never(context.Context) (func(int32) bool, error) { return func(int32) bool { return false }, nil }

// keeping keeps files of some days.
func keeping(days ...int32) func(context.Context) (func(int32) bool, error) {
	return func(context.Context) (func(int32) bool, error) {
		return func(day int32) bool { return slices.Contains(days, day) }, nil
	}
}

// days commits n rows to each of some days, from day 20,000 on, in two files a day.
func (b *bed) days(t *testing.T, store string, days, n int, sequence int64) {
	t.Helper()
	for half := range 2 {
		var rows []Row
		for d := range days {
			for i := range n / 2 {
				rows = append(rows, sparseRow(int(sequence)*10_000+half*1000+d*100+i, day0+int64(d)*dayMicros))
			}
		}
		b.mustCommit(t, store, rows, sequence+int64(half))
	}
}

func (b *bed) mustRemove(t *testing.T, store string, days ...int32) []Day {
	t.Helper()
	gone, err := b.RemoveDays(t.Context(), store, days, time.Now(), proof.Removal{Rule: "retention", Due: "2026-01-01T00:00:00Z"}, allowed)
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

// dataFiles lists the table's data files on disk.
func (b *bed) dataFiles(t *testing.T, store string) (out []string) {
	t.Helper()
	root := b.objects.LocalPath("tables/" + store + "/data")
	days, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		files, err := os.ReadDir(root + "/" + d.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out = append(out, d.Name()+"/"+f.Name())
		}
	}
	return out
}

// Whole days go, with no file written anew; the rest stays as it is, and what went waits for its time, over restarts and past the search for orphans, and as long as a plan reads it.
func TestRemoveDays(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	b.days(t, store, 3, 20, 1)
	days, err := b.Days(t.Context(), store)
	if err != nil || len(days) != 3 || days[0].Day != 20_000 || days[0].Files != 2 || days[2].Rows != 20 || days[1].Bytes == 0 {
		t.Fatalf("%+v, %v", days, err)
	}
	before := b.contents(t, store)
	old := b.mustPlan(t, store)
	files := b.dataFiles(t, store)
	gone := b.mustRemove(t, store, 20_002, 20_000, 19_000)
	if len(gone) != 2 || gone[0].Day != 20_000 || gone[0].Rows != 20 || gone[0].Files != 2 || gone[1].Day != 20_002 {
		t.Errorf("%+v", gone)
	}
	if now := b.dataFiles(t, store); !slices.Equal(now, files) {
		t.Errorf("%d files on disk, %d before", len(now), len(files))
	}
	p := b.mustPlan(t, store)
	if p.Rows != 20 || len(p.Files) != 2 || !strings.Contains(p.Files[0].Key, "2024-10-05") {
		t.Errorf("%d rows in %v", p.Rows, p.Files)
	}
	if again := b.mustRemove(t, store, 20_000, 20_002); again != nil {
		t.Errorf("removed twice: %+v", again)
	}
	if was := contents(t, old); !maps.Equal(was, before) {
		t.Error("a plan from before does not read what it did")
	}
	left := contents(t, p)
	leaves, err := b.db.Leaves(t.Context(), store, 100)
	if err != nil {
		t.Fatal(err)
	}
	last, removal := decode(t, leaves[len(leaves)-1]), decode(t, leaves[len(leaves)-2])
	if removal.Removal == nil || !slices.Equal(removal.Removal.Days, []string{"2024-10-04", "2024-10-06"}) || last.Snapshot == nil || len(last.Snapshot.Removed) != 4 || len(last.Snapshot.Added) != 0 {
		t.Errorf("%+v, %+v", removal, last)
	}

	b.reopen(t)
	b.compacting(t) // and orphans of any age
	old = b.mustPlan(t, store)
	if err := b.RemoveOrphans(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if now := b.dataFiles(t, store); !slices.Equal(now, files) {
		t.Fatalf("%d files on disk, %d before", len(now), len(files))
	}
	if gone, err := b.Purge(t.Context(), store, time.Now().Add(-time.Hour), never); err != nil || gone != nil {
		t.Errorf("deleted before their time: %v, %v", gone, err)
	}
	if gone, err := b.Purge(t.Context(), store, time.Now().Add(time.Hour), keeping(20_000, 20_001, 20_002)); err != nil || gone != nil {
		t.Errorf("deleted while kept: %v, %v", gone, err)
	}
	purged, err := b.Purge(t.Context(), store, time.Now().Add(time.Hour), keeping(20_002))
	if err != nil || len(purged) != 2 || purged[0].Day != 20_000 || purged[0].Rows != 10 {
		t.Errorf("%+v, %v", purged, err)
	}
	if purged, err = b.Purge(t.Context(), store, time.Now().Add(time.Hour), never); err != nil || len(purged) != 2 {
		t.Errorf("%+v, %v", purged, err)
	}
	if now := b.dataFiles(t, store); len(now) != 2 {
		t.Errorf("%v are left", now)
	}
	if now := b.contents(t, store); !maps.Equal(now, left) {
		t.Error("what stayed has changed")
	}
	b.compactFully(t, store)
	if now := b.contents(t, store); !maps.Equal(now, left) {
		t.Error("what stayed has changed")
	}
}

func decode(t *testing.T, l meta.Leaf) proof.Leaf {
	t.Helper()
	leaf, err := proof.DecodeLeaf(l.Data)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// What is put on hold while files are deleted stays from then on.
func TestPurgeAsksAgain(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	b.days(t, store, 2, 4, 1)
	b.mustRemove(t, store, 20_000, 20_001)
	asked := 0
	placed := func(ctx context.Context) (func(int32) bool, error) {
		if asked++; asked > 2 { // at the beginning, and before the first file
			return keeping(20_000, 20_001)(ctx)
		}
		return never(ctx)
	}
	gone, err := b.Purge(t.Context(), store, time.Now().Add(time.Hour), placed)
	if err != nil || len(gone) != 1 || len(b.dataFiles(t, store)) != 3 {
		t.Errorf("%+v, %v; %v are left", gone, err, b.dataFiles(t, store))
	}
	refused := errors.New("not known")
	gone, err = b.Purge(t.Context(), store, time.Now().Add(time.Hour), func(context.Context) (func(int32) bool, error) { return nil, refused })
	if !errors.Is(err, refused) || len(gone) != 0 || len(b.dataFiles(t, store)) != 3 {
		t.Errorf("%+v, %v", gone, err)
	}
}

// What a running query reads is not deleted, however late it is.
func TestPurgeWaitsForPlans(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	b.days(t, store, 2, 4, 1)
	p := b.mustPlan(t, store)
	before := contents(t, p)
	b.mustRemove(t, store, 20_000, 20_001)
	later := time.Now().Add(time.Hour)
	if gone, err := b.Purge(t.Context(), store, later, never); err != nil || gone != nil {
		t.Errorf("%v, %v", gone, err)
	}
	if now := contents(t, p); !maps.Equal(now, before) {
		t.Error("a plan does not read what it did")
	}
	p.Release()
	if gone, err := b.Purge(t.Context(), store, later, never); err != nil || len(gone) != 4 {
		t.Errorf("%v, %v", gone, err)
	}
	// An empty table takes events, and answers.
	if p := b.mustPlan(t, store); p.Rows != 0 || len(p.Files) != 0 {
		t.Errorf("%+v", p)
	}
	b.days(t, store, 1, 4, 5)
	if p := b.mustPlan(t, store); p.Rows != 4 {
		t.Errorf("%+v", p)
	}
	first, next, err := b.Removals(t.Context(), store)
	if err != nil || len(first) != 2 || first[20_000] != first[20_001] || first[20_000] >= next {
		t.Errorf("%v before %d, %v", first, next, err)
	}
	if gone := b.mustRemove(t, store, 20_000); len(gone) != 1 || gone[0].Rows != 4 { // the same day once more, as of events that came late
		t.Errorf("%+v", gone)
	}
	if days, _, err := b.Removals(t.Context(), store); err != nil || len(days) != 2 || days[20_000] < next || days[20_001] != first[20_001] {
		t.Errorf("%v, %v", days, err)
	}
}

func TestRefusedRemoval(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	b.days(t, store, 2, 4, 1)
	before := b.contents(t, store)
	leaves, err := b.db.Leaves(t.Context(), store, 100)
	if err != nil {
		t.Fatal(err)
	}
	hold := meta.Hold{ID: "h", StoreID: store, Reason: "case 7", Placed: time.Now()}
	if err := b.db.CreateHold(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
	_, err = b.RemoveDays(t.Context(), store, []int32{20_000}, time.Now(), proof.Removal{Rule: "retention"}, func(s meta.EventDataStore, holds []meta.Hold) error {
		if s.ID != store {
			t.Error(s.ID)
		}
		if h := meta.HeldBy(holds, time.Time{}, time.Time{}); h != nil {
			return h.Err()
		}
		return nil
	})
	if !errors.Is(err, meta.ErrHeld) {
		t.Errorf("%v", err)
	}
	now, err := b.db.Leaves(t.Context(), store, 100)
	if err != nil || len(now) != len(leaves) {
		t.Errorf("%d leaves, %d before; %v", len(now), len(leaves), err)
	}
	b.days(t, store, 1, 4, 5) // on top of what stands
	for row, n := range before {
		if got := b.contents(t, store); got[row] != n {
			t.Fatalf("%s: %d, before %d", row, got[row], n)
		}
	}
}

// crashDB ends a removal at a named point, as a crash there does: whoever called is told nothing that is true.
type crashDB struct {
	meta.DB
	at string
}

var errEnded = errors.New("crash")

func (c *crashDB) RemoveFromTable(ctx context.Context, id, old, location string, applied int64, r meta.Removal, leaves ...[]byte) error {
	if c.at == "before the swap" {
		return errEnded
	}
	err := c.DB.RemoveFromTable(ctx, id, old, location, applied, r, leaves...)
	if c.at == "after the swap" {
		panic(errEnded)
	}
	return err
}

func (c *crashDB) ForgetRemovedFiles(ctx context.Context, id string, keys []string) error {
	if c.at == "files deleted, not forgotten" {
		return errEnded
	}
	return c.DB.ForgetRemovedFiles(ctx, id, keys)
}

// Whatever step of a removal a crash ends, afterwards a day is there whole, or it is gone and its leaf tells of it, and what is to be deleted is in the end.
func TestRemovalCrashes(t *testing.T) {
	for _, at := range []string{"before the swap", "after the swap", "files deleted, not forgotten"} {
		t.Run(at, func(t *testing.T) {
			b := openBed(t)
			real := b.db
			b.db = &crashDB{real, at}
			b.reopen(t)
			store := b.store(t, event.CloudTrail)
			b.days(t, store, 2, 4, 1)
			func() {
				defer func() {
					if r := recover(); r != nil && r != errEnded { //nolint:errorlint // it is the very value
						panic(r)
					}
				}()
				gone, err := b.RemoveDays(t.Context(), store, []int32{20_000}, time.Now(), proof.Removal{Rule: "retention"}, allowed)
				if err == nil {
					gone, err := b.Purge(t.Context(), store, time.Now().Add(time.Hour), never)
					t.Log(len(gone), err)
				}
				t.Log(gone, err)
			}()
			b.db = real
			b.reopen(t)
			b.compacting(t)
			leaves, err := real.Leaves(t.Context(), store, 100)
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(leaves, func(l meta.Leaf) bool { return decode(t, l).Removal != nil })
			p := b.mustPlan(t, store)
			if want := at != "before the swap"; told != want || (p.Rows == 4) != want || (p.Rows == 8) == want {
				t.Fatalf("told of: %t, and the table has %d rows", told, p.Rows)
			}
			p.Release()
			gone := b.mustRemove(t, store, 20_000)
			if (len(gone) == 1) != (at == "before the swap") {
				t.Errorf("%+v", gone)
			}
			if _, err := b.Purge(t.Context(), store, time.Now().Add(time.Hour), never); err != nil {
				t.Fatal(err)
			}
			if waiting, err := real.RemovedFiles(t.Context(), store); err != nil || len(waiting) != 0 {
				t.Errorf("%v, %v", waiting, err)
			}
			if err := b.RemoveOrphans(t.Context(), store); err != nil {
				t.Fatal(err)
			}
			if files := b.dataFiles(t, store); len(files) != 2 {
				t.Errorf("%v", files)
			}
			if p := b.mustPlan(t, store); p.Rows != 4 || fmt.Sprint(contents(t, p)) == "" {
				t.Errorf("%d rows", p.Rows)
			}
		})
	}
}
