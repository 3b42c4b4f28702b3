package registry

import (
	"context"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// retentionGrace is Config.RetentionGrace where nobody says.
const retentionGrace = 7 * 24 * time.Hour

// SetRetention changes a store's retention where its caller has seen what goes by it: no grace follows, and a grace that goes on ends. The errors are those of UpdateEventDataStore.
func (r *Registry) SetRetention(ctx context.Context, sc meta.Scope, ref string, days int) (meta.EventDataStore, error) {
	return r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if err := active(s); err != nil {
			return err
		}
		if err := r.importing(ctx, s); err != nil {
			return err
		}
		if err := CheckRetention(s, days); err != nil {
			return err
		}
		s.RetentionDays, s.RemoveAfter = days, time.Time{}
		return nil
	})
}

// CheckRetention refuses a retention that the store cannot have, by the API's rules.
func CheckRetention(s *meta.EventDataStore, days int) error {
	as, asked := *s, int32(max(min(days, everyDay), -1))
	return retain(&as, &asked)
}

// Due is when a day's events (of eventTime, since the Unix epoch) go by a retention of that many days: as soon as every one of them is older.
func Due(day int32, retention int) time.Time {
	return DayStart(day).AddDate(0, 0, retention+1)
}

// RetentionDue is when a day's events go from the store by its retention: when they are older, and not before a grace has ended. It is false where nothing goes by
// retention: from a store that is pending deletion, which can be restored whole.
func RetentionDue(s *meta.EventDataStore, day int32) (time.Time, bool) {
	if s.Status != Enabled && s.Status != Stopped {
		return time.Time{}, false
	}
	due := Due(day, s.RetentionDays)
	if s.RemoveAfter.After(due) {
		due = s.RemoveAfter
	}
	return due, true
}

// MayRemove refuses the removal of days by retention at a time, where one of them is not due or under a hold. It is what meta.Removal.Allow asks.
func MayRemove(s *meta.EventDataStore, holds []meta.Hold, days []int32, at time.Time) error {
	for _, d := range days {
		if due, ok := RetentionDue(s, d); !ok || at.Before(due) {
			return awserr.New(badParameter, "The events of %s are not due to be removed from event data store %s, which keeps %d days.", DayStart(d).Format(time.DateOnly), s.ID, s.RetentionDays)
		}
		if h := meta.HeldBy(holds, DayStart(d), DayStart(d+1)); h != nil {
			return h.Err()
		}
	}
	return nil
}

// DayStart is the beginning of a day of eventTime, which is counted since the Unix epoch.
func DayStart(day int32) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }
