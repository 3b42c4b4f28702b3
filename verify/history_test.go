package verify

import (
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
)

// The files of the two days of told.
const fileA, fileB = "data/eventtime_day=2024-05-01/a.parquet", "data/eventtime_day=2024-05-02/b.parquet"

// told is a history of a store of 30 days with a batch and its file on each of two days.
func told(t *testing.T, after ...proof.Leaf) error {
	t.Helper()
	h := newHistory()
	leaves := []proof.Leaf{
		{Snapshot: &proof.Snapshot{Part: 1, Parts: 1, Metadata: &proof.Object{Path: "m0"}}},
		{Store: &proof.Store{Change: "created", Settings: proof.Settings{RetentionDays: 30}}},
		{Batch: &proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 0, Last: 9, Count: 5}},
		{Batch: &proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-02", First: 1, Last: 8, Count: 5}},
		{Snapshot: &proof.Snapshot{ID: 1, Part: 1, Parts: 1, Metadata: &proof.Object{Path: "m1"}, Added: []proof.DataFile{{Object: proof.Object{Path: fileA}, Rows: 5}, {Object: proof.Object{Path: fileB}, Rows: 5}}}},
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
	store := func(s proof.Settings) proof.Leaf {
		return proof.Leaf{Store: &proof.Store{Change: "updated", Settings: s}}
	}
	hold := func(change, from, to string) proof.Leaf {
		return proof.Leaf{Hold: &proof.Hold{Change: change, ID: "h", At: "2024-05-03T00:00:00Z", From: from, To: to}}
	}
	due := removal("2024-06-01T00:00:01Z")
	deletion := proof.Leaf{Removal: &proof.Removal{Rule: "deletion", Due: "2024-06-01T00:00:00Z", At: "2024-06-02T00:00:00Z"}}
	batch := func(b proof.Batch) proof.Leaf { return proof.Leaf{Batch: &b} }
	for name, c := range map[string]struct {
		after []proof.Leaf
		whole bool
	}{
		"a day removed when due":                  {[]proof.Leaf{removal("2024-06-01T00:00:01Z"), snapshot(1, fileA)}, true},
		"a day removed before the rule":           {[]proof.Leaf{removal("2024-05-31T23:59:59Z"), snapshot(1, fileA)}, false},
		"removed, and the file stays":             {[]proof.Leaf{removal("2024-06-01T00:00:01Z"), snapshot(1)}, false},
		"removed, and another day's file goes":    {[]proof.Leaf{due, snapshot(1, fileB)}, false},
		"removed, and no snapshot of it":          {[]proof.Leaf{due, store(proof.Settings{RetentionDays: 30}), snapshot(1, fileA)}, false},
		"removed by the retention since lowered":  {[]proof.Leaf{store(proof.Settings{RetentionDays: 7}), removal("2024-06-01T00:00:01Z"), snapshot(1, fileA)}, true},
		"removed though the retention was raised": {[]proof.Leaf{store(proof.Settings{RetentionDays: 31}), due, snapshot(1, fileA)}, false},
		"removed in the grace":                    {[]proof.Leaf{store(proof.Settings{RetentionDays: 7, RemoveAfter: "2024-06-01T00:00:02Z"}), due, snapshot(1, fileA)}, false},
		"removed after the grace":                 {[]proof.Leaf{store(proof.Settings{RetentionDays: 7, RemoveAfter: "2024-06-01T00:00:01Z"}), due, snapshot(1, fileA)}, true},
		"removed while pending deletion":          {[]proof.Leaf{store(proof.Settings{RetentionDays: 30, DeleteAfter: "2024-06-09T00:00:01Z"}), due, snapshot(1, fileA)}, false},
		"removed while the store is held":         {[]proof.Leaf{hold("placed", "", ""), due, snapshot(1, fileA)}, false},
		"removed while an instant of it is held":  {[]proof.Leaf{hold("placed", "2024-05-01T23:59:59Z", ""), due, snapshot(1, fileA)}, false},
		"removed while others are held":           {[]proof.Leaf{hold("placed", "2024-05-02T00:00:00Z", "2024-05-03T00:00:00Z"), due, snapshot(1, fileA)}, true},
		"removed while earlier ones are held":     {[]proof.Leaf{hold("placed", "", "2024-05-01T00:00:00Z"), due, snapshot(1, fileA)}, true},
		"removed when the hold was lifted":        {[]proof.Leaf{hold("placed", "", ""), hold("lifted", "", ""), due, snapshot(1, fileA)}, true},
		"a hold lifted that there was not":        {[]proof.Leaf{hold("lifted", "", "")}, false},
		"a hold placed twice":                     {[]proof.Leaf{hold("placed", "", ""), hold("placed", "", "")}, false},
		"a hold of no time":                       {[]proof.Leaf{hold("placed", "yesterday", "")}, false},
		"a store removed that was held":           {[]proof.Leaf{store(proof.Settings{DeleteAfter: "2024-06-01T00:00:00Z"}), hold("placed", "", "1999-01-01T00:00:00Z"), deletion}, false},
		"a file removed and no reason":            {[]proof.Leaf{snapshot(1, fileA)}, false},
		"a file removed that was not there":       {[]proof.Leaf{snapshot(1, "data/eventtime_day=2024-05-01/c.parquet")}, false},
		"a snapshot on another":                   {[]proof.Leaf{snapshot(7)}, false},
		"a change of nothing":                     {[]proof.Leaf{snapshot(1)}, true},
		"a batch without rows":                    {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 2, Day: "2024-05-01", Count: 1}), snapshot(1)}, false},
		"a batch over another":                    {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 9, Last: 12, Count: 1})}, false},
		"a batch behind another":                  {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 1, Day: "2024-05-01", First: 10, Last: 12, Count: 1})}, true},
		"more events than positions":              {[]proof.Leaf{batch(proof.Batch{Writer: "w", Sequence: 2, Day: "2024-05-01", First: 0, Last: 1, Count: 3})}, false},
		"the second part first":                   {[]proof.Leaf{{Snapshot: &proof.Snapshot{ID: 2, Parent: 1, Part: 2, Parts: 2}}}, false},
		"a store removed that was kept":           {[]proof.Leaf{{Removal: &proof.Removal{Rule: "deletion", Due: "2024-06-01T00:00:00Z", At: "2024-06-02T00:00:00Z"}}}, false},
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
