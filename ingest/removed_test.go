package ingest

import (
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// TestRemovedEventsComeAgain: events that retention removed are stored again where they are sent again and the store takes them; those that the table has are known, and each is there once.
func TestRemovedEventsComeAgain(t *testing.T) {
	for _, between := range []string{"nothing", "a restart", "two restarts"} {
		t.Run(between, func(t *testing.T) {
			dir := t.TempDir()
			small := func(c *Config) { c.IndexKeys = 16 }
			s := start(t, dir, []Target{everything(1)}, small)
			stores := []string{storeID(1)}
			old, recent := ids("old-", 40), ids("recent-", 60)
			for i := range old {
				old[i].at = base.AddDate(0, 0, -50-i%2)
			}
			for i := range recent {
				recent[i].at = base.Add(-time.Hour)
			}
			all := append(old, recent...)
			d := func() Delivery { return logFile(t, stores, all...) }
			if c := accept(t, s.Ingest, d()); c.Stored != 100 {
				t.Fatalf("%+v", c)
			}
			flush(t, s.Ingest)
			if c := accept(t, s.Ingest, d()); c.Known != 100 {
				t.Fatalf("%+v", c)
			}
			day := int32(base.AddDate(0, 0, -50).Unix() / 86400)
			gone, err := s.lake.RemoveDays(t.Context(), storeID(1), []int32{day, day - 1}, time.Now(), proof.Removal{Rule: "retention"}, func(meta.EventDataStore, []meta.Hold) error { return nil })
			if err != nil || len(gone) != 2 || gone[0].Rows != 20 {
				t.Fatalf("%+v, %v", gone, err)
			}
			// Something that is not committed yet must not be lost, nor come twice, when the index is made anew.
			accept(t, s.Ingest, logFile(t, stores, ids("more-", 10)...))
			if between != "nothing" {
				s.stop(t)
				s = start(t, dir, []Target{everything(1)}, small)
			}
			if c := accept(t, s.Ingest, d()); c.Stored != 40 || c.Known != 60 {
				t.Errorf("after the removal: %+v", c)
			}
			if c := accept(t, s.Ingest, d()); c.Known != 100 {
				t.Errorf("and once more: %+v", c)
			}
			flush(t, s.Ingest)
			if between == "two restarts" {
				s.stop(t)
				s = start(t, dir, []Target{everything(1)}, small)
				if c := accept(t, s.Ingest, d()); c.Known != 100 {
					t.Errorf("after it: %+v", c)
				}
			}
			rows := s.rows(t, storeID(1))
			for row, n := range rows {
				if n != 1 {
					t.Errorf("%s is there %d times", row, n)
				}
			}
			if len(rows) != 110 {
				t.Errorf("%d events", len(rows))
			}
			s.mu.Lock()
			x := s.Ingest.stores[storeID(1)].index
			s.mu.Unlock()
			if x.Mark() == 0 {
				t.Error("the index tells not since when it is")
			}
		})
	}
}

// TestClockAhead: events are not past their retention by a clock that is not believed.
func TestClockAhead(t *testing.T) {
	target := everything(1)
	target.RetentionDays = 30
	for _, believed := range []bool{false, true} {
		s := start(t, t.TempDir(), []Target{target}, func(c *Config) {
			c.Now = func() time.Time { return base.AddDate(0, 0, 100) }
			if !believed {
				c.Believed = func() time.Time { return base }
			}
		})
		c := accept(t, s.Ingest, logFile(t, []string{storeID(1)}, ids("a", 10)...))
		if want := (meta.Counts{Read: 10, Stored: 10}); !believed && c != want {
			t.Errorf("%+v", c)
		}
		if want := (meta.Counts{Read: 10, Expired: 10}); believed && c != want {
			t.Errorf("%+v", c)
		}
	}
}
