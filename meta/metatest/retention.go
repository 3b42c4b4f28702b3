package metatest

import (
	"errors"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

func retention(t *testing.T, db meta.DB) {
	ctx := t.Context()
	s := store("a", "first", here, at(0))
	s.RemoveAfter = at(70)
	no(t, db.CreateStore(ctx, s))
	got, err := db.Store(ctx, "a")
	no(t, err)
	equal(t, got, s)
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "1"}, []byte("made")))

	hold := meta.Hold{Scope: here, ID: "h1", StoreID: "a", From: at(1), To: at(5), Reason: "case 7", Placed: at(3), PlacedBy: "arn:aws:iam::111122223333:root"}
	no(t, db.CreateHold(ctx, hold, []byte("held")))
	want(t, db.CreateHold(ctx, hold), meta.ErrExists)
	of := hold
	of.ID, of.StoreID = "h0", "nowhere"
	want(t, db.CreateHold(ctx, of), meta.ErrNotFound)
	whole := meta.Hold{Scope: here, ID: "h2", StoreID: "a", Reason: "case 8", Placed: at(4)}
	no(t, db.CreateHold(ctx, whole))
	one, err := db.Hold(ctx, "h1")
	no(t, err)
	equal(t, one, hold)
	_, err = db.Hold(ctx, "h3")
	want(t, err, meta.ErrNotFound)
	all, err := db.Holds(ctx, "a")
	no(t, err)
	equal(t, all, []meta.Hold{hold, whole})

	// A removal sees the store and what holds it, and is undone whole where it may not be.
	files := []meta.RemovedFile{{StoreID: "a", Key: "tables/a/data/x", Day: 20000, Rows: 3, Bytes: 99, Removed: at(9)}, {StoreID: "a", Key: "tables/a/data/y", Day: 20001, Rows: 1, Bytes: 5, Removed: at(8)}}
	removal := meta.Removal{Files: files, Days: []int32{20000, 20001}, Allow: func(is meta.EventDataStore, holds []meta.Hold) error {
		if is.ID != "a" || len(holds) != 2 {
			t.Errorf("%+v, %v", is, holds)
		}
		return holds[0].Err()
	}}
	want(t, db.RemoveFromTable(ctx, "a", "1", "2", 5, removal, []byte("lost")), meta.ErrHeld)
	want(t, db.DeleteStore(ctx, "a", []byte("lost")), meta.ErrHeld)
	want(t, db.RetireStore(ctx, "a", []byte("lost")), meta.ErrHeld)
	refuse := errors.New("no")
	_, err = db.UpdateHold(ctx, "h1", func(*meta.Hold) error { return refuse }, []byte("lost"))
	want(t, err, refuse)
	for _, id := range []string{"h1", "h2"} {
		h, err := db.UpdateHold(ctx, id, func(h *meta.Hold) error { h.Lifted, h.LiftedBy, h.LiftReason = at(6), "me", "over"; return nil }, []byte("lifted "+id))
		no(t, err)
		equal(t, h.Lifted, at(6))
	}
	removal.Allow = func(_ meta.EventDataStore, holds []meta.Hold) error {
		if len(holds) != 0 {
			t.Error(holds)
		}
		return nil
	}
	want(t, db.RemoveFromTable(ctx, "a", "0", "2", 5, removal, []byte("lost")), meta.ErrConflict)
	none, err := db.RemovedFiles(ctx, "a")
	no(t, err)
	equal(t, len(none), 0)
	no(t, db.RemoveFromTable(ctx, "a", "1", "2", 5, removal, []byte("removed"), []byte("snapshot")))
	row, err := db.Table(ctx, "a")
	no(t, err)
	equal(t, row, meta.Table{StoreID: "a", Location: "2", Previous: "1", Applied: 5})
	waiting, err := db.RemovedFiles(ctx, "a")
	no(t, err)
	equal(t, waiting, []meta.RemovedFile{files[1], files[0]})
	days, err := db.RemovedDays(ctx, "a")
	no(t, err)
	equal(t, days, map[int32]int64{20000: 4, 20001: 4}) // behind made, held and two of lifted
	removal.Files, removal.Days = nil, []int32{20001}
	no(t, db.RemoveFromTable(ctx, "a", "2", "3", 5, removal, []byte("again")))
	days, err = db.RemovedDays(ctx, "a")
	no(t, err)
	equal(t, days, map[int32]int64{20000: 4, 20001: 6})
	no(t, db.ForgetRemovedFiles(ctx, "a", []string{"tables/a/data/y", "unknown"}))
	waiting, err = db.RemovedFiles(ctx, "a")
	no(t, err)
	equal(t, waiting, files[:1])

	no(t, db.RetireStore(ctx, "a", []byte("gone")))
	gone, err := db.DeletedTables(ctx)
	no(t, err)
	equal(t, gone, []string{"a"})
	if waiting, err = db.RemovedFiles(ctx, "a"); err != nil || len(waiting) != 0 {
		t.Error(waiting, err)
	}
	if all, err = db.Holds(ctx, "a"); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	no(t, db.ForgetDeletedTable(ctx, "a"))
	gone, err = db.DeletedTables(ctx)
	no(t, err)
	equal(t, len(gone), 0)

	// Ranges are of instants, the second excluded; what has no bound is met by everything.
	for _, c := range []struct {
		from, to time.Time
		covers   bool
	}{
		{at(0), at(1), false}, {at(0), at(2), true}, {at(4), at(5), true}, {at(5), at(6), false}, {time.Time{}, at(1), false}, {time.Time{}, at(2), true},
		{at(4), time.Time{}, true}, {at(5), time.Time{}, false}, {time.Time{}, time.Time{}, true},
	} {
		equal(t, hold.Covers(c.from, c.to), c.covers)
	}
	equal(t, meta.HeldBy([]meta.Hold{hold, whole}, at(5), at(6)).ID, "h2")
	equal(t, meta.HeldBy([]meta.Hold{hold}, at(5), at(6)), nil)
	whole.Lifted = at(9)
	equal(t, whole.Covers(at(0), at(1)), false)
}
