package retention

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lochlake/loch/meta"
)

// A clock that jumps ahead makes everything due. So the last time that was known to be right is kept, over restarts, and while the machine's clock is more than a day past it nothing is
// removed. What is known follows the clock, but gains on it no faster than one hour in an hour that the server runs: a server that was off for a week goes on by itself after
// six days, having said all the while why it waits; a clock that jumped by ten years holds removal up for as long. Whoever has looked at another clock can confirm
// this one, and removal goes on at once.

// goodKey is the key of meta.Value under which the last time that was known to be right is kept.
const goodKey = "retention.clock"

// maxJump is how far the clock may be past the last time that was known to be right.
const maxJump = 24 * time.Hour

// Clock is what is thought of the machine's clock.
type Clock struct {
	Now    time.Time `json:"now"`
	Good   time.Time `json:"knownGood"`         // the last time that is known to be right
	Halted bool      `json:"removalsHalted"`    // Now is more than a day past Good
	Until  time.Time `json:"until,omitzero"`    // where it is halted: when it goes on by itself, if the server runs until then
	Reason string    `json:"warning,omitempty"` // where it is halted, in words
}

type clock struct {
	db     meta.DB
	now    func() time.Time
	uptime func() time.Duration // by a clock that only time moves

	mu   sync.Mutex
	good time.Time
	kept time.Time     // good as the metadata has it
	at   time.Duration // uptime when good was last looked at
}

// keepEvery is how far good may run ahead of what is kept.
const keepEvery = time.Minute

// openClock reads what is known. A server that never kept it takes the last commit to any table, and this moment where there is none.
func openClock(ctx context.Context, db meta.DB, now func() time.Time, uptime func() time.Duration, lastCommit func(context.Context) (time.Time, error)) (*clock, error) {
	c := &clock{db: db, now: now, uptime: uptime, at: uptime()}
	text, err := db.Value(ctx, goodKey)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		if c.good, err = lastCommit(ctx); err != nil {
			return nil, err
		}
		if c.good.IsZero() || c.good.After(now()) {
			c.good = now()
		}
		return c, c.keep(ctx)
	case err != nil:
		return nil, err
	}
	if c.good, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return nil, fmt.Errorf("value of %s: %w", goodKey, err)
	}
	c.kept = c.good
	return c, nil
}

func (c *clock) keep(ctx context.Context) error {
	err := c.db.SetValue(ctx, goodKey, c.good.UTC().Format(time.RFC3339Nano))
	if err == nil {
		c.kept = c.good
	}
	return err
}

// look tells what is thought of the clock, and keeps what is known from now on.
func (c *clock) look(ctx context.Context) (Clock, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, up := c.now().UTC(), c.uptime()
	if good := c.good.Add(2 * (up - c.at)); good.Before(now) {
		c.good = good
	} else if c.good.Before(now) {
		c.good = now
	}
	// Where the clock went back, what is known stays: it will come there again, and less is due meanwhile.
	c.at = up
	s := Clock{Now: now, Good: c.good.UTC()}
	if ahead := now.Sub(c.good); ahead > maxJump {
		s.Halted, s.Until = true, now.Add(ahead-maxJump)
		s.Reason = fmt.Sprintf("nothing is removed: the clock says %s, more than a day past %s, the last time that was known to be right. If it is right (the server was off), confirm it: loch clock --confirm %s. Else set it. Left alone, removal goes on at %s.",
			now.Format(time.RFC3339), s.Good.Format(time.RFC3339), now.Format(time.DateOnly), s.Until.Format(time.RFC3339))
	}
	if c.good.Sub(c.kept) < keepEvery {
		return s, nil
	}
	return s, c.keep(ctx)
}

// believed is the machine's time, or where that is more than a day past what is known, a day past it.
func (c *clock) believed() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, most := c.now(), c.good.Add(2*(c.uptime()-c.at)+maxJump)
	if now.After(most) {
		return most
	}
	return now
}

// latest is the machine's time, or the last time that was known to be right where the clock stands before that: what waits is counted from it, so that a clock that went back cuts no wait short.
func (c *clock) latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.After(c.good) {
		return now
	}
	return c.good
}

// confirm makes the present time known to be right.
func (c *clock) confirm(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good, c.at = c.now(), c.uptime()
	return c.keep(ctx)
}
