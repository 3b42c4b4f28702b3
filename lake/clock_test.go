package lake

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/event"
)

// aheadBy makes a table as it is where the clock ran ahead until now.
func (b *bed) aheadBy(t *testing.T, store string, by time.Duration) {
	t.Helper()
	row, err := b.db.Table(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.readMetadata(t.Context(), row.Location)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = withTimes(m, func(_ string, at int64) int64 { return at + by.Milliseconds() }); err != nil {
		t.Fatal(err)
	}
	location := metadataLocation(m.Location(), MetadataVersion(row.Location)+1)
	if _, err := b.writeMetadata(t.Context(), location, m); err != nil {
		t.Fatal(err)
	}
	if err := b.db.SwapTable(t.Context(), store, row.Location, location, row.Applied); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
}

// TestClockStepsBack: a table that was committed to by a clock that ran ahead takes commits, compaction and expiry after the clock stepped back, and its
// times never fall.
func TestClockStepsBack(t *testing.T) {
	for _, by := range []time.Duration{30 * time.Second, time.Hour, 400 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			b := openBed(t)
			store := b.store(t, event.CloudTrail)
			n := 0
			commit := func() {
				t.Helper()
				b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(1, uint64(n))), event.CloudTrail, 20, 1), int64(n+1))
				n++
			}
			for range 3 {
				commit()
			}
			b.aheadBy(t, store, by)
			tbl, err := b.table(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			now, _ := tbl.now()
			last := now.Metadata().LastUpdatedMillis()
			if !timesAhead(now.Metadata()) {
				t.Fatal("the table is not ahead of the clock")
			}
			rising := func() {
				t.Helper()
				now, _ := tbl.now()
				m := now.Metadata()
				at := []int64{last}
				for e := range m.SnapshotLogs() {
					at = append(at, e.TimestampMs)
				}
				if m.LastUpdatedMillis() < slices.Max(at) || !slices.IsSorted(at[1:]) {
					t.Errorf("changed at %d, snapshots at %v", m.LastUpdatedMillis(), at)
				}
				if s := m.CurrentSnapshot(); s.TimestampMs < last {
					t.Errorf("the snapshot is of %d, the table was changed at %d", s.TimestampMs, last)
				}
				last = m.LastUpdatedMillis()
			}
			for range 20 { // past two expiries
				commit()
				rising()
			}
			before := b.contents(t, store)
			b.compacting(t)
			b.compactFully(t, store)
			rising()
			b.reopen(t)
			if after := b.contents(t, store); !maps.Equal(before, after) {
				t.Error("rows changed")
			}
			if applied, err := b.Applied(t.Context(), store); err != nil || applied != int64(n) {
				t.Errorf("applied %d of %d, %v", applied, n, err)
			}
			commit()
		})
	}
}

// TestTrueTimes: what a change finds keeps its times, what it brings is no earlier.
func TestTrueTimes(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	b.mustCommit(t, store, []Row{sparseRow(1, day0)}, 1)
	b.aheadBy(t, store, time.Hour)
	tbl, err := b.table(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	now, _ := tbl.now()
	base := now.Metadata()
	past, err := pastTimes(base)
	if err != nil {
		t.Fatal(err)
	}
	if timesAhead(past) {
		t.Errorf("changed at %d", past.LastUpdatedMillis())
	}
	same, err := trueTimes(base, past)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(same.Snapshots()), fmt.Sprint(base.Snapshots()); got != want {
		t.Errorf("%s became %s", want, got)
	}
	next, err := change(base, now.MetadataLocation(), []table.Update{table.NewSetPropertiesUpdate(map[string]string{"a": "b"})})
	if err != nil || next.LastUpdatedMillis() != base.LastUpdatedMillis() {
		t.Errorf("changed at %d, before at %d: %v", next.LastUpdatedMillis(), base.LastUpdatedMillis(), err)
	}
}
