package registry

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

const caller = "arn:aws:iam::111122223333:root"

// told gives the leaves of a store's log that wait, decoded.
func (g *rig) told(id string) (out []proof.Leaf) {
	g.t.Helper()
	leaves, err := g.db.Leaves(g.t.Context(), id, 1000)
	g.ok(err)
	for _, l := range leaves {
		leaf, err := proof.DecodeLeaf(l.Data)
		g.ok(err)
		out = append(out, leaf)
	}
	return out
}

func TestHolds(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	s := g.make("audit", unprotected)
	from, to := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 1, time.UTC)
	h, err := g.PlaceHold(ctx, here, caller, s.ARN(), from, to, "  case 7 ")
	g.ok(err)
	if h.Reason != "case 7" || h.PlacedBy != caller || !h.Placed.Equal(g.clock) || !h.To.Equal(to.Add(time.Millisecond-1)) {
		t.Errorf("%+v", h)
	}
	leaves := g.told(s.ID)
	if l := leaves[len(leaves)-1].Hold; l == nil || l.Change != "placed" || l.ID != h.ID || l.Reason != "case 7" || l.From != "2026-01-02T03:04:05Z" || l.To != "2026-02-01T00:00:00.001Z" || l.By != caller {
		t.Errorf("%+v", l)
	}
	for _, bad := range []struct {
		sc       meta.Scope
		from, to time.Time
		reason   string
		code     string
	}{
		{here, from, to, " ", "InvalidParameterException"}, {here, from, to, strings.Repeat("é", 1001), "InvalidParameterException"}, {here, from, to, "\xff", "InvalidParameterException"},
		{here, to, from, "x", "InvalidParameterException"}, {here, from, from, "x", "InvalidParameterException"}, {other, from, to, "x", "EventDataStoreNotFoundException"}, {west, from, to, "x", "EventDataStoreNotFoundException"},
		// No leaf could tell of these so that it could be read again: years of five digits, and before the first, where the zone has its share in that.
		{here, from, time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*3600)), "x", "InvalidParameterException"}, {here, time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), time.Time{}, "x", "InvalidParameterException"},
		{here, from, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "x", "InvalidParameterException"}, {here, time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), to, "x", "InvalidParameterException"},
	} {
		_, err := g.PlaceHold(ctx, bad.sc, caller, s.ID, bad.from, bad.to, bad.reason)
		g.code(err, bad.code)
	}
	g.code(g.DeleteStore(ctx, here, s.ID), "EventDataStoreTerminationProtectedException", h.ID, "case 7")
	g.restart()
	g.code(g.DeleteStore(ctx, here, s.ID), "EventDataStoreTerminationProtectedException")
	_, err = g.LiftHold(ctx, here, caller, h.ID, "")
	g.code(err, "InvalidParameterException", "reason")
	_, err = g.LiftHold(ctx, other, caller, h.ID, "x")
	g.code(err, "HoldNotFoundException")
	_, err = g.LiftHold(ctx, here, caller, "nothing", "x")
	g.code(err, "HoldNotFoundException")
	g.clock = g.clock.Add(time.Hour)
	lifted, err := g.LiftHold(ctx, here, "somebody", strings.ToUpper(h.ID), "settled")
	g.ok(err)
	if !lifted.Lifted.Equal(g.clock) || lifted.LiftReason != "settled" || lifted.Reason != "case 7" {
		t.Errorf("%+v", lifted)
	}
	_, err = g.LiftHold(ctx, here, caller, h.ID, "again")
	g.code(err, "InvalidParameterException", "lifted")
	leaves = g.told(s.ID)
	if l := leaves[len(leaves)-1].Hold; l == nil || l.Change != "lifted" || l.ID != h.ID || l.Reason != "settled" || l.By != "somebody" {
		t.Errorf("%+v", l)
	}
	all, err := g.Holds(ctx, here, "")
	g.ok(err)
	if len(all) != 1 || all[0] != lifted {
		t.Errorf("%+v", all)
	}
	if all, err = g.Holds(ctx, west, ""); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	g.ok(g.DeleteStore(ctx, here, s.ID))
}

// A store on hold does not go though its seven days are over, and can be restored as long as it is there.
func TestHeldStoreOutlivesItsDeletion(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	s := g.make("audit", unprotected)
	g.ok(g.DeleteStore(ctx, here, s.ID))
	h, err := g.PlaceHold(ctx, here, caller, s.ID, time.Time{}, time.Time{}, "case 7")
	g.ok(err)
	g.clock = g.clock.AddDate(0, 0, 30)
	g.ok(g.Sweep(ctx))
	if _, ok := g.tables.kinds[s.ID]; !ok {
		t.Fatal("the table is gone")
	}
	back, err := g.RestoreStore(ctx, here, s.ID)
	g.ok(err)
	if back.Status != Enabled {
		t.Error(back.Status)
	}
	_, err = g.LiftHold(ctx, here, caller, h.ID, "over")
	g.ok(err)
	g.ok(g.DeleteStore(ctx, here, s.ID))
	g.clock = g.clock.AddDate(0, 0, 8)
	g.ok(g.Sweep(ctx))
	if _, ok := g.tables.kinds[s.ID]; ok {
		t.Fatal("the table is there")
	}
	if l := g.told(s.ID); l[len(l)-1].Removal == nil || l[len(l)-1].Removal.Rule != "deletion" {
		t.Errorf("%+v", l[len(l)-1])
	}
}

func TestRetention(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	s := g.make("audit", unprotected)
	day := int32(g.clock.Unix()/86400) - 31
	may := func(want bool) {
		t.Helper()
		now, err := g.Store(ctx, here, s.ID)
		g.ok(err)
		holds, err := g.db.Holds(ctx, s.ID)
		g.ok(err)
		if err := MayRemove(&now, holds, []int32{day - 1, day}, g.clock); (err == nil) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	may(false)
	// Lowered by AWS's call, nothing goes for seven days; the log tells until when.
	_, err := g.UpdateStore(ctx, here, s.ID, StoreSettings{RetentionDays: p(int32(30))})
	g.ok(err)
	grace := g.clock.AddDate(0, 0, 7)
	l := g.told(s.ID)
	if st := l[len(l)-1].Store; st == nil || st.Settings.RetentionDays != 30 || st.Settings.RemoveAfter != proof.Time(grace) {
		t.Errorf("%+v", st)
	}
	may(false)
	g.restart()
	g.clock = grace.Add(-time.Millisecond)
	may(false)
	g.clock = grace
	may(true)
	// Where who lowers it has seen what goes, nothing waits.
	now, err := g.SetRetention(ctx, here, s.ID, 30)
	g.ok(err)
	if !now.RemoveAfter.IsZero() {
		t.Errorf("%+v", now)
	}
	day = int32(g.clock.Unix()/86400) - 31
	may(true)
	day++
	may(false)
	day--
	h, err := g.PlaceHold(ctx, here, caller, s.ID, DayStart(day).Add(23*time.Hour), DayStart(day+1), "x")
	g.ok(err)
	may(false)
	if err := MayRemove(&now, []meta.Hold{h}, []int32{day}, g.clock); !errors.Is(err, meta.ErrHeld) {
		t.Error(err)
	}
	_, err = g.LiftHold(ctx, here, caller, h.ID, "x")
	g.ok(err)
	may(true)
	for _, bad := range []int{0, 6, 3654, -5, 1 << 40} {
		_, err := g.SetRetention(ctx, here, s.ID, bad)
		g.code(err, "InvalidParameterException", "RetentionPeriod")
	}
	// What is pending deletion can be restored whole.
	g.ok(g.DeleteStore(ctx, here, s.ID))
	may(false)
	_, err = g.SetRetention(ctx, here, s.ID, 30)
	g.code(err, "InactiveEventDataStoreException")
	_, err = g.RestoreStore(ctx, here, s.ID)
	g.ok(err)
	may(true)
}
