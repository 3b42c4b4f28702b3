package metatest

import (
	"testing"

	"github.com/lochlake/loch/meta"
)

// recovered: what was found elsewhere wins over what the metadata says, and nothing else changes.
func recovered(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a, b, c := store("a", "first", here, at(0)), store("b", "second", here, at(1)), store("c", "third", here, at(2))
	before := db.Commits()
	for _, s := range []meta.EventDataStore{a, b, c} {
		no(t, db.CreateStore(ctx, s))
		no(t, db.CreateTable(ctx, meta.Table{StoreID: s.ID, Location: "1"}, []byte("made")))
		no(t, db.SetTags(ctx, s.ARN(), map[string]string{"k": s.Name}, 50))
	}
	if n := db.Commits() - before; n < 9 {
		t.Errorf("%d commits were counted, of 9", n)
	}
	old := meta.Hold{Scope: here, ID: "h1", StoreID: "a", Reason: "old", Placed: at(3), PlacedBy: "arn:x"}
	no(t, db.CreateHold(ctx, old))
	a.Name, b.Name = b.Name, a.Name // they exchanged their names
	a.RetentionDays++
	lifted := old
	lifted.Lifted, lifted.LiftedBy, lifted.LiftReason = at(5), "arn:y", "over"
	file := meta.RemovedFile{StoreID: "a", Key: "tables/a/data/x", Day: 20000, Rows: 3, Bytes: 99, Removed: at(9)}
	d := store("d", "third", here, at(4)) // has the name of one that is gone
	all := []meta.Recovered{
		{Store: a, Table: meta.Table{StoreID: "a", Location: "7", Applied: 9}, LogSize: 5, Leaves: [][]byte{[]byte("five"), []byte("six")}, Holds: []meta.Hold{lifted}, Files: []meta.RemovedFile{file}, Days: map[int32]int64{20000: 4}},
		{Store: b, Table: meta.Table{StoreID: "b", Location: "1", Applied: 9}, LogSize: 1},
		{Store: c, Gone: true, LogSize: 3},
		{Store: d, Table: meta.Table{StoreID: "d", Location: "2", Applied: 9}, LogSize: 2},
	}
	for range 2 { // the same again changes nothing
		no(t, db.Recover(ctx, all))
		got, err := db.Stores(ctx, here, "", 0)
		no(t, err)
		equal(t, got, []meta.EventDataStore{a, b, d})
		tables, err := db.Tables(ctx)
		no(t, err)
		equal(t, len(tables), 3)
		equal(t, tables[0], meta.Table{StoreID: "a", Location: "7", Applied: 9})
		leaves, err := db.Leaves(ctx, "a", 9)
		no(t, err)
		equal(t, leaves, []meta.Leaf{{Serial: 5, Data: []byte("five")}, {Serial: 6, Data: []byte("six")}})
		pending, err := db.PendingLogs(ctx)
		no(t, err)
		equal(t, pending, []string{"a"})
		for id, want := range map[string]int64{"a": 7, "b": 1, "c": 3, "d": 2} {
			n, err := db.LogSize(ctx, id)
			no(t, err)
			equal(t, n, want)
		}
		holds, err := db.Holds(ctx, "a")
		no(t, err)
		equal(t, holds, []meta.Hold{lifted})
		files, err := db.RemovedFiles(ctx, "a")
		no(t, err)
		equal(t, files, []meta.RemovedFile{file})
		days, err := db.RemovedDays(ctx, "a")
		no(t, err)
		equal(t, days, map[int32]int64{20000: 4})
		tags, err := db.Tags(ctx, []string{a.ARN(), c.ARN()})
		no(t, err)
		equal(t, len(tags[a.ARN()]), 1)
		equal(t, len(tags[c.ARN()]), 0)
	}
	clash := d
	clash.ID = "e"
	want(t, db.Recover(ctx, []meta.Recovered{{Store: clash, Table: meta.Table{StoreID: "e", Location: "1"}}}), meta.ErrExists)
	_, err := db.Table(ctx, "e")
	want(t, err, meta.ErrNotFound)
}
