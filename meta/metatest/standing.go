package metatest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/lochlake/loch/meta"
)

// standing: what is said of a store at once is of one moment, however it changes meanwhile.
func standing(t *testing.T, db meta.DB) {
	ctx := t.Context()
	nothing, err := db.Standing(ctx, "a", 9)
	no(t, err)
	equal(t, nothing, meta.Standing{})
	s := store("a", "first", here, at(0))
	no(t, db.CreateStore(ctx, s))
	no(t, db.CreateStore(ctx, store("b", "second", here, at(1))))
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "0"}, []byte("made")))
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "b", Location: "x"}, []byte("another's")))
	h := meta.Hold{Scope: here, ID: "h", StoreID: "a", Reason: "case", Placed: at(2), PlacedBy: "me"}
	no(t, db.CreateHold(ctx, h, []byte("held")))
	file := meta.RemovedFile{StoreID: "a", Key: "k", Day: 9, Rows: 1, Bytes: 2, Removed: at(3)}
	no(t, db.RemoveFromTable(ctx, "a", "0", "0", 0, meta.Removal{Allow: func(meta.EventDataStore, []meta.Hold) error { return nil }, Files: []meta.RemovedFile{file}}))
	got, err := db.Standing(ctx, "a", 1)
	no(t, err)
	equal(t, got, meta.Standing{Removed: []meta.RemovedFile{file}, Store: &s, Table: &meta.Table{StoreID: "a", Location: "0"}, Holds: []meta.Hold{h}, Leaves: []meta.Leaf{{Data: []byte("made")}}, LogSize: 2})

	const changes = 200
	var changing sync.WaitGroup
	changing.Go(func() {
		for n := range changes {
			if err := db.SwapTable(ctx, "a", fmt.Sprint(n), fmt.Sprint(n+1), int64(n+1), fmt.Append(nil, n)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for applied := int64(0); applied < changes && !t.Failed(); {
		got, err := db.Standing(ctx, "a", 1000)
		no(t, err)
		applied = got.Table.Applied
		if n := int64(len(got.Leaves)); got.LogSize != applied+2 || n != got.LogSize || got.Table.Location != fmt.Sprint(applied) {
			t.Errorf("the table is at %s, %d was applied, and of %d leaves %d wait", got.Table.Location, applied, got.LogSize, n)
		}
	}
	changing.Wait()
}
