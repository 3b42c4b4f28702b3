package verify

import (
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
)

// told is a history of a store of 30 days with a batch and its file on each of two days.
func told(t *testing.T, after ...proof.Leaf) error {
	t.Helper()
	h := newHistory()
	leaves := []proof.Leaf{
		{Snapshot: &proof.Snapshot{Part: 1, Parts: 1, Metadata: &proof.Object{Path: "m0"}}},
		{Store: &proof.Store{Change: "created", Settings: proof.Settings{RetentionDays: 30}}},
		{Batch: &proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 0, Last: 9, Count: 5}},
		{Batch: &proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-02", First: 1, Last: 8, Count: 5}},
		{Snapshot: &proof.Snapshot{ID: 1, Part: 1, Parts: 1, Metadata: &proof.Object{Path: "m1"}, Added: []proof.DataFile{{Object: proof.Object{Path: "a"}, Rows: 5}, {Object: proof.Object{Path: "b"}, Rows: 5}}}},
	}
	for _, l := range leaves {
		if err := h.add(l); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range after {
		if err := h.add(l); err != nil {
			return err
		}
	}
	return nil
}

func TestHistories(t *testing.T) {
	removal := func(at string) proof.Leaf {
		return proof.Leaf{Removal: &proof.Removal{Rule: "retention", Due: "2024-06-01T00:00:00Z", At: at, Days: []string{"2024-05-01"}}}
	}
	snapshot := func(parent int64, removed ...string) proof.Leaf {
		return proof.Leaf{Snapshot: &proof.Snapshot{ID: 2, Parent: parent, Part: 1, Parts: 1, Metadata: &proof.Object{Path: "m2"}, Removed: removed}}
	}
	batch := func(b proof.Batch) proof.Leaf { return proof.Leaf{Batch: &b} }
	for name, c := range map[string]struct {
		after []proof.Leaf
		whole bool
	}{
		"a day removed when due":            {[]proof.Leaf{removal("2024-06-01T00:00:01Z"), snapshot(1, "a")}, true},
		"a day removed before the rule":     {[]proof.Leaf{removal("2024-05-31T23:59:59Z"), snapshot(1, "a")}, false},
		"removed, and the file stays":       {[]proof.Leaf{removal("2024-06-01T00:00:01Z"), snapshot(1)}, false},
		"a file removed and no reason":      {[]proof.Leaf{snapshot(1, "a")}, false},
		"a file removed that was not there": {[]proof.Leaf{snapshot(1, "c")}, false},
		"a snapshot on another":             {[]proof.Leaf{snapshot(7)}, false},
		"a change of nothing":               {[]proof.Leaf{snapshot(1)}, true},
		"a batch without rows":              {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 2, Day: "2024-05-01", Count: 1}), snapshot(1)}, false},
		"a batch over another":              {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 9, Last: 12, Count: 1})}, false},
		"a batch behind another":            {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 10, Last: 12, Count: 1})}, true},
		"more events than positions":        {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 2, Day: "2024-05-01", First: 0, Last: 1, Count: 3})}, false},
		"the second part first":             {[]proof.Leaf{{Snapshot: &proof.Snapshot{ID: 2, Parent: 1, Part: 2, Parts: 2}}}, false},
		"a store removed that was kept":     {[]proof.Leaf{{Removal: &proof.Removal{Rule: "deletion", Due: "2024-06-01T00:00:00Z", At: "2024-06-02T00:00:00Z"}}}, false},
		"a store removed when due": {[]proof.Leaf{{Store: &proof.Store{Change: "deleted", Settings: proof.Settings{DeleteAfter: "2024-06-01T00:00:00Z"}}},
			{Removal: &proof.Removal{Rule: "deletion", Due: "2024-06-01T00:00:00Z", At: "2024-06-02T00:00:00Z"}}}, true},
		"a store removed early": {[]proof.Leaf{{Store: &proof.Store{Change: "deleted", Settings: proof.Settings{DeleteAfter: "2024-06-01T00:00:00Z"}}},
			{Removal: &proof.Removal{Rule: "deletion", Due: "2024-06-01T00:00:00Z", At: "2024-05-31T00:00:00Z"}}}, false},
		"a rule that there is not": {[]proof.Leaf{{Removal: &proof.Removal{Rule: "whim", Due: "2024-06-01T00:00:00Z", At: "2024-06-02T00:00:00Z", Days: []string{"2024-05-01"}}}}, false},
	} {
		if err := told(t, c.after...); (err == nil) != c.whole {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A store that is deleted, and whose days are over, verifies before, while and after it goes.
func TestDeletedStores(t *testing.T) {
	b := newBed(t)
	b.commit(1, 6)
	here := meta.Scope{Account: "111122223333", Region: "us-east-1"}
	off := false
	now := time.Now()
	later, err := registry.New(t.Context(), registry.Config{DB: b.db, Lake: b.lake, Now: func() time.Time { return now }})
	b.ok(err)
	_, err = later.UpdateStore(t.Context(), here, b.store, registry.StoreSettings{TerminationProtection: &off})
	b.ok(err)
	now = now.AddDate(0, 0, -30)
	b.ok(later.DeleteStore(t.Context(), here, b.store))
	b.flush()
	b.clean(true, nil)
	b.ok(b.lake.DropTable(t.Context(), b.store))
	b.clean(true, nil)
	now = now.AddDate(0, 0, 8)
	b.ok(later.Sweep(t.Context()))
	b.flush()
	seen := Seen{}
	if r := b.clean(true, seen); r.Events != 0 || len(seen) != 1 {
		t.Errorf("%+v, %v", r, seen)
	}
}
