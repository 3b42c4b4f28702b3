package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/proof"
)

// span is a range of event time; zero times are no bounds, and the last is not in it.
type span struct{ from, to time.Time }

func (s span) meets(other span) bool {
	return (s.to.IsZero() || other.from.IsZero() || other.from.Before(s.to)) && (s.from.IsZero() || other.to.IsZero() || s.from.Before(other.to))
}

// dayOf is the day of eventTime whose events a data file has, by its path.
func dayOf(file string) string {
	_, day, _ := strings.Cut(file, "eventtime_day=")
	day, _, _ = strings.Cut(day, "/")
	return day
}

// legalHold is a hold by its leaves.
type legalHold struct {
	span
	placed proof.Hold
	lifted *proof.Hold // nil: it holds
}

// hold enters what a leaf says of a legal hold.
func (h *history) hold(l *proof.Hold) error {
	is := h.holds[l.ID]
	if _, err := time.Parse(time.RFC3339Nano, l.At); err != nil {
		return fmt.Errorf("hold %s is %s: %w", l.ID, l.Change, err)
	}
	switch {
	case l.Change == "lifted" && is != nil && is.lifted == nil:
		is.lifted = l
		return nil
	case l.Change == "placed" && is == nil && l.ID != "":
		from, err := instant(l.From)
		if err != nil {
			return err
		}
		to, err := instant(l.To)
		h.holds[l.ID] = &legalHold{span: span{from, to}, placed: *l}
		return err
	}
	return fmt.Errorf("hold %s is %s, and that does not follow", l.ID, l.Change)
}

// held tells, as an error, by which hold events of that time could not go; whatever leaf takes events away asks it.
func (h *history) held(s span) error {
	for _, id := range slices.Sorted(maps.Keys(h.holds)) {
		if is := h.holds[id]; is.lifted == nil && is.meets(s) {
			return fmt.Errorf("hold %s was on them", id)
		}
	}
	return nil
}

// instant reads a time as leaves have it; "" is none.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

// clockError is how far a server's clock may be ahead of the verifier's.
const clockError = 24 * time.Hour

// removal checks that what went was due, by the retention that the store had then or after the seven days of its deletion, and that no hold was on it.
func (h *history) removal(r *proof.Removal) error {
	due, err := time.Parse(time.RFC3339Nano, r.Due)
	if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, r.At)
	if err != nil {
		return err
	}
	switch {
	case h.store == nil:
		return errors.New("events are removed from a store that the log does not tell of")
	case r.Rule == "deletion":
		err = h.deletion(r)
	case r.Rule == "retention" && len(r.Days) > 0:
		err = h.retention(r, at)
	default:
		return fmt.Errorf("a removal by the rule %q of %d days", r.Rule, len(r.Days))
	}
	if !h.now.IsZero() && at.After(h.now.Add(clockError)) {
		return fmt.Errorf("removed at %s, by the log, and that is still to come: early", r.At)
	}
	if at.Before(due) {
		return fmt.Errorf("removed at %s, and due at %s: early", r.At, r.Due)
	}
	return err
}

// deletion takes everything out, also where it was early: what follows is as if it had been due.
func (h *history) deletion(r *proof.Removal) (err error) {
	if len(r.Days) > 0 || h.store.DeleteAfter != r.Due {
		err = fmt.Errorf("the store was removed at %s; by its settings it was due at %q", r.At, h.store.DeleteAfter)
	} else if err = h.held(span{}); err != nil {
		err = fmt.Errorf("the store was removed at %s: %w", r.At, err)
	}
	*h = history{files: map[string]proof.DataFile{}, objects: h.objects, batches: map[record][]*proof.Batch{}, erased: map[record]map[int32]*proof.Erasure{}, holds: h.holds, deleted: true, store: h.store, now: h.now}
	return err
}

// retention takes the days out, also where one of them was early.
func (h *history) retention(r *proof.Removal, at time.Time) error {
	var problem error
	switch grace, err := instant(h.store.RemoveAfter); {
	case err != nil:
		problem = err
	case at.Before(grace):
		problem = fmt.Errorf("events were removed at %s: early, for the retention was lowered, and by the settings nothing goes before %s", r.At, h.store.RemoveAfter)
	case h.store.DeleteAfter != "":
		problem = fmt.Errorf("events were removed by retention at %s from a store that is pending deletion", r.At)
	}
	for _, d := range r.Days {
		day, err := time.Parse(time.DateOnly, d)
		if err != nil {
			return err
		}
		if kept := day.AddDate(0, 0, h.store.RetentionDays+1); at.Before(kept) {
			problem = cmp.Or(problem, fmt.Errorf("the events of %s were removed at %s: early, for the store keeps %d days", d, r.At, h.store.RetentionDays))
		}
		if err := h.held(span{day, day.AddDate(0, 0, 1)}); err != nil {
			problem = cmp.Or(problem, fmt.Errorf("the events of %s were removed at %s: %w", d, r.At, err))
		}
	}
	maps.DeleteFunc(h.batches, func(at record, list []*proof.Batch) bool {
		gone := slices.Contains(r.Days, at.day)
		if gone {
			for _, b := range list {
				h.events -= b.Count
			}
		}
		return gone
	})
	maps.DeleteFunc(h.erased, func(at record, _ map[int32]*proof.Erasure) bool { return slices.Contains(r.Days, at.day) })
	h.removing = r.Days
	return problem
}
