package retention

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// A clock that jumps ahead removes nothing, also after a restart, until it is right again, somebody confirms it, or time has gone by.
func TestClockJumps(t *testing.T) {
	ctx := t.Context()
	jumped := func() *bed {
		t.Helper()
		b := newBed(t)
		b.commit(0, 20)
		b.round()
		b.clock = b.clock.AddDate(0, 0, 25)
		b.round()
		b.want(45, 25)
		b.restart()
		b.round()
		b.want(45, 25)
		w, err := b.Warning(ctx)
		b.ok(err)
		if !strings.Contains(w, "2026-07-10T12:00:00Z") || !strings.Contains(w, "2026-06-15T12:00:00Z") {
			t.Error(w)
		}
		if at := b.Believed(); !at.Equal(b.clock.AddDate(0, 0, -24)) {
			t.Error(at)
		}
		return b
	}
	b := jumped()
	b.clock = b.clock.AddDate(0, 0, -25)
	b.round()
	if w, err := b.Warning(ctx); err != nil || w != "" || !b.Believed().Equal(b.clock) {
		t.Error(w, err, b.Believed())
	}
	b.daysPass(11)
	b.want(11)

	b = jumped()
	if _, err := b.ConfirmClock(ctx, "2026-06-15"); !errors.Is(err, ErrWrongDate) {
		t.Error(err)
	}
	b.round()
	b.want(45, 25)
	c, err := b.ConfirmClock(ctx, "2026-07-10")
	if err != nil || c.Halted {
		t.Errorf("%+v, %v", c, err)
	}
	b.round()
	b.want(25)
	b.restart()
	b.round()
	if w, err := b.Warning(ctx); err != nil || w != "" {
		t.Error(w, err)
	}

	// Left alone, it goes on when it has run as long as it was off, and that is known over restarts.
	b = jumped()
	c, err = b.Clock(ctx)
	b.ok(err)
	if !c.Until.Equal(b.clock.AddDate(0, 0, 24)) {
		t.Errorf("%+v", c)
	}
	b.daysPass(12)
	b.restart()
	b.daysPass(11)
	b.want(68, 48)
	b.daysPass(1)
	b.round()
	b.want()
	said := b.said.String()
	if n := strings.Count(said, "level=ERROR"); n < 24*4-3 || n > 24*4+6 || !strings.Contains(said, "removal goes on") {
		t.Errorf("%d alarms:\n%s", n, said)
	}
	b.verify()
}

// Small gaps, as of restarts, add up to nothing while the server runs in between; but a clock that is pushed ahead again and again is found.
func TestClockGaps(t *testing.T) {
	b := newBed(t)
	for range 30 {
		b.clock = b.clock.Add(10 * time.Hour) // off at night
		b.restart()
		b.pass(14 * time.Hour)
		if c, err := b.Clock(t.Context()); err != nil || c.Halted {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	halted := false
	for range 5 {
		b.clock = b.clock.Add(20 * time.Hour)
		b.pass(time.Hour)
		c, err := b.Clock(t.Context())
		b.ok(err)
		halted = halted || c.Halted
	}
	if !halted {
		t.Error("a clock that is pushed ahead by days is believed")
	}
}

// A server that never kept what is known of the clock takes the last commit.
func TestFirstLook(t *testing.T) {
	b := newBed(t)
	if c, err := b.Clock(t.Context()); err != nil || c.Halted || !c.Good.Equal(b.clock) {
		t.Errorf("%+v, %v", c, err) // no commit yet
	}
	old := time.Now().Add(-time.Hour)
	for at, halted := range map[time.Time]bool{old.AddDate(0, 0, 2): true, old.Add(20 * time.Hour): false, old.AddDate(0, 0, -2): false} {
		c, err := openClock(t.Context(), forgetful{b.db}, func() time.Time { return at }, func() time.Duration { return 0 }, func(context.Context) (time.Time, error) { return old, nil })
		b.ok(err)
		if s, err := c.look(t.Context()); err != nil || s.Halted != halted {
			t.Errorf("%v: %+v, %v", at, s, err)
		}
	}
	before := time.Now().Truncate(time.Millisecond)
	b.commit(0)
	if last, err := b.lake.LastCommit(t.Context()); err != nil || last.Before(before) || last.After(time.Now()) {
		t.Error(last, err)
	}
}

type forgetful struct{ meta.DB }

func (forgetful) Value(context.Context, string) (string, error) { return "", meta.ErrNotFound }

// A clock that went back cuts no wait short: a deleted store, a lowered retention and removed files wait seven days from the last time that was known to be right.
func TestClockBehind(t *testing.T) {
	ctx := t.Context()
	b := newBed(t)
	b.commit(0, 50)
	known := b.clock
	week := known.AddDate(0, 0, 7)
	b.clock = b.clock.AddDate(0, 0, -10)
	b.round()
	b.want(-10)
	files, err := b.db.RemovedFiles(ctx, b.store)
	b.ok(err)
	if len(files) != 1 || !files[0].Removed.Equal(known) {
		t.Errorf("%+v, removed when the last known time was %s", files, known)
	}
	days := int32(20)
	s, err := b.registry.UpdateStore(ctx, here, b.store, registry.StoreSettings{RetentionDays: &days})
	b.ok(err)
	if !s.RemoveAfter.Equal(week) {
		t.Errorf("nothing goes before %s, want %s", s.RemoveAfter, week)
	}
	b.ok(b.registry.DeleteStore(ctx, here, b.store))
	s = b.mine()
	if !s.DeleteAfter.Equal(week) {
		t.Errorf("the store goes at %s, want %s", s.DeleteAfter, week)
	}
	b.clock = week.Add(-time.Second) // it is right again
	b.ok(b.Service.clock.confirm(ctx))
	b.round()
	if n := b.files(); n != 2 {
		t.Errorf("%d files of 2 are left within the seven days", n)
	}
	b.verify()
	b.pass(2 * time.Second)
	b.round()
	if _, err := b.db.Store(ctx, b.store); !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("the store is there still: %v", err)
	}
}
