package registry

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// everyDay is a retention longer than events can be old: eventTime lies after 1970.
const everyDay = 366 * 300

// CreateUnfiltered makes a store that takes every event of its kind, whatever its category, type or age. The API cannot make one (AWS's selectors name the types of
// data events one by one): it is for a lake that lives as long as one command does.
func (r *Registry) CreateUnfiltered(ctx context.Context, sc meta.Scope, name string, kind event.Kind) (meta.EventDataStore, error) {
	t := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.make(ctx, meta.EventDataStore{Scope: sc, ID: uuid.NewString(), Name: name, Status: Created, Kind: uint8(kind), MultiRegion: true, RetentionDays: everyDay,
		BillingMode: Extendable, Created: t, Updated: t, FederationStatus: FederationDisabled}, Enabled, nil)
	if errors.Is(err, meta.ErrExists) {
		return s, nameTaken(name)
	}
	return s, err
}
