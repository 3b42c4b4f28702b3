package imports

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// TestLedgerAfterRemovals: an object that is in is read again where days were removed that the store takes again, since its retention was raised; and not where removals are of days
// that are past the retention, as every night's are.
func TestLedgerAfterRemovals(t *testing.T) {
	ctx := t.Context()
	db, err := meta.OpenSQLite(ctx, filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	const id = "11111111-2222-4333-8444-000000000001"
	err = db.CreateStore(ctx, meta.EventDataStore{Scope: meta.Scope{Account: "111122223333", Region: "us-east-1"}, ID: id, Name: "audit", Status: "ENABLED", Kind: uint8(event.CloudTrail), RetentionDays: 90, Created: now, Updated: now})
	if err == nil {
		err = db.CreateTable(ctx, meta.Table{StoreID: id, Location: "1"}, []byte("made"))
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{Config: Config{DB: db, Now: func() time.Time { return now }}}
	key := func() string {
		t.Helper()
		l, err := s.ledger(ctx, meta.Import{Stores: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := l.keys("x")
		return whole
	}
	remove := func(from, to string, ago ...int) {
		t.Helper()
		var days []int32
		for _, n := range ago {
			days = append(days, int32(now.AddDate(0, 0, -n).Unix()/86400))
		}
		r := meta.Removal{Days: days, Allow: func(meta.EventDataStore, []meta.Hold) error { return nil }}
		if err := db.RemoveFromTable(ctx, id, from, to, 0, r, []byte("removed")); err != nil {
			t.Fatal(err)
		}
	}
	first := key()
	remove("1", "2", 91, 92)
	if key() != first {
		t.Error("what is past the retention is read again")
	}
	remove("2", "3", 89, 90)
	second := key()
	if second == first {
		t.Error("what was removed is not read again")
	}
	remove("3", "4", 80)
	third := key()
	if third == second || third == first {
		t.Error("what was removed once more is not read again")
	}
	now = now.AddDate(0, 0, 11)
	if key() != first {
		t.Error("what is past the retention is read again")
	}
}
