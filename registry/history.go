package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/selector"
)

// historyDays is how far event history goes back ("Working with CloudTrail event history" in the user guide).
const historyDays = 90

// histories is the namespace of the IDs of event histories.
var histories = uuid.MustParse("0f6f5f2c-7f3e-5b86-9d0d-2f2b7f0e9a51")

// HistoryID is the ID of the store that holds an account's event history: management events of every region, for 90 days. The store is not the
// API's and does not count towards its quota.
func HistoryID(account string) string {
	return uuid.NewSHA1(histories, []byte(account)).String()
}

// HistoryName is the name of every event history.
const HistoryName = "event-history"

// EnsureHistory makes an account's event history if it has none. What is no account number (12 digits) gets none.
func (r *Registry) EnsureHistory(ctx context.Context, account string) error {
	if !isAccount(account) {
		return nil
	}
	id := HistoryID(account)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.current.Load()
	if now.stores[id] != nil {
		return nil
	}
	if now.histories >= maxHistories {
		r.log.WarnContext(ctx, "no event history for an account: there are too many", "account", account, "most", maxHistories)
		return nil
	}
	if _, err := r.cfg.DB.Store(ctx, id); err == nil { // left by an attempt that failed and could not be undone
		if err := r.remove(ctx, id); err != nil {
			return fmt.Errorf("event history of account %s: %w", account, err)
		}
	} else if !errors.Is(err, meta.ErrNotFound) {
		return err
	}
	t := r.now()
	s := meta.EventDataStore{Scope: meta.Scope{Account: account}, ID: id, Name: HistoryName, Status: Created, Kind: uint8(event.CloudTrail),
		MultiRegion: true, RetentionDays: historyDays, BillingMode: Extendable, TerminationProtection: true, Selectors: []byte(selector.Default),
		Created: t, Updated: t, Internal: true, FederationStatus: FederationDisabled}
	if _, err := r.make(ctx, s, Enabled, nil); err != nil {
		return fmt.Errorf("event history of account %s: %w", account, err)
	}
	return nil
}

func isAccount(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 12
}
