package retention

import (
	"context"
	"errors"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// Amount is how much of a store: whole days of eventTime.
type Amount struct {
	Days   int    `json:"days"`
	Events int64  `json:"events"`
	Bytes  int64  `json:"bytes"`            // of their files
	Oldest string `json:"oldest,omitempty"` // day, YYYY-MM-DD; "" where there are none
	Newest string `json:"newest,omitempty"`
}

func (a *Amount) add(d lake.Day) {
	day := registry.DayStart(d.Day).Format(time.DateOnly)
	if a.Days == 0 {
		a.Oldest = day
	}
	a.Newest = day
	a.Days++
	a.Events += d.Rows
	a.Bytes += d.Bytes
}

func amountOf(days []lake.Day) (a Amount) {
	for _, d := range days {
		a.add(d)
	}
	return a
}

// View is what retention makes of a store.
type View struct {
	Store         string    `json:"store"` // its ARN
	Name          string    `json:"name"`
	RetentionDays int       `json:"retentionDays"`
	Asked         int       `json:"asked"`                // the retention that Goes and Held are told of: RetentionDays, or the one asked about
	Has           Amount    `json:"has"`                  // all that the table has
	Goes          Amount    `json:"goes"`                 // of it, what is past that retention and on no hold
	Held          Amount    `json:"held"`                 // what is past it, and stays because of a hold
	RemoveAfter   time.Time `json:"removeAfter,omitzero"` // nothing goes before, since the retention was lowered
	Waiting       Waiting   `json:"waiting"`
	Warning       string    `json:"warning,omitempty"` // why nothing is removed
}

// Waiting is what was removed, and whose files are not yet deleted.
type Waiting struct {
	Files  int       `json:"files"`
	Events int64     `json:"events"`
	Bytes  int64     `json:"bytes"`
	Until  time.Time `json:"until,omitzero"` // when the last of them may be deleted
}

// View tells what goes from a store by its retention, or by another of that many days (0: its own). An error that awserr.From finds is the caller's.
func (s *Service) View(ctx context.Context, store meta.EventDataStore, asked int) (View, error) {
	v := View{Store: store.ARN(), Name: store.Name, RetentionDays: store.RetentionDays, Asked: store.RetentionDays, RemoveAfter: store.RemoveAfter}
	if asked != 0 {
		if err := registry.CheckRetention(&store, asked); err != nil {
			return v, err
		}
		v.Asked = asked
	}
	c, err := s.clock.look(ctx)
	if err != nil {
		return v, err
	}
	v.Warning = c.Reason
	days, err := s.cfg.Tables.Days(ctx, store.ID)
	if err != nil && !errors.Is(err, lake.ErrNoTable) {
		return v, err
	}
	holds, err := s.cfg.DB.Holds(ctx, store.ID)
	if err != nil {
		return v, err
	}
	for _, d := range days {
		v.Has.add(d)
		switch {
		case c.Now.Before(registry.Due(d.Day, v.Asked)):
		case held(holds, d.Day):
			v.Held.add(d)
		default:
			v.Goes.add(d)
		}
	}
	removed, err := s.cfg.DB.RemovedFiles(ctx, store.ID)
	for _, f := range removed {
		v.Waiting.Files++
		v.Waiting.Events += f.Rows
		v.Waiting.Bytes += f.Bytes
		v.Waiting.Until = f.Removed.Add(s.cfg.KeepFor)
	}
	return v, err
}

// SetRetention changes a store's retention for a caller who has seen what goes by it, and lets it go.
func (s *Service) SetRetention(ctx context.Context, sc meta.Scope, ref string, days int) (View, error) {
	store, err := s.cfg.Stores.SetRetention(ctx, sc, ref, days)
	if err != nil {
		return View{}, err
	}
	v, err := s.View(ctx, store, 0)
	s.Wake()
	return v, err
}
