package registry

import (
	"context"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// deletionWait is the time from DeleteEventDataStore to the end.
const deletionWait = 7 * 24 * time.Hour

// DeleteStore puts a store into PENDING_DELETION for seven days. The errors are those of DeleteEventDataStore.
func (r *Registry) DeleteStore(ctx context.Context, sc meta.Scope, ref string) error {
	_, err := r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if err := active(s); err != nil {
			return err
		}
		if s.TerminationProtection {
			return awserr.New("EventDataStoreTerminationProtectedException", "The event data store cannot be deleted because termination protection is enabled for it.")
		}
		if s.FederationStatus == FederationEnabled {
			return awserr.New("EventDataStoreFederationEnabledException", "The event data store cannot be deleted because Lake query federation is enabled for it. Run DisableFederation first.")
		}
		if c, err := r.channelOf(ctx, s); err != nil {
			return err
		} else if c != nil {
			return awserr.New("ChannelExistsForEDSException", "The event data store cannot be deleted because channel %s brings events to it.", c.ARN())
		}
		if err := r.importing(ctx, s); err != nil {
			return err
		}
		s.StatusBefore, s.Status, s.DeleteAfter = s.Status, PendingDeletion, r.now().Add(deletionWait)
		return nil
	})
	return err
}

// RestoreStore brings a deleted store back, as it was. The errors are those of RestoreEventDataStore.
func (r *Registry) RestoreStore(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error) {
	return r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if s.Status != PendingDeletion {
			return wrongStatus(s, PendingDeletion)
		}
		if r.dropping[s.ID] || !r.now().Before(s.DeleteAfter) {
			return storeNotFound(ref) // it is going
		}
		s.Status, s.StatusBefore, s.DeleteAfter = s.StatusBefore, "", time.Time{}
		return nil
	})
}

// StartIngestion lets live events in again. The errors are those of StartEventDataStoreIngestion.
func (r *Registry) StartIngestion(ctx context.Context, sc meta.Scope, ref string) error {
	return r.ingestion(ctx, sc, ref, Stopped, Enabled)
}

// StopIngestion keeps live events out. The errors are those of StopEventDataStoreIngestion.
func (r *Registry) StopIngestion(ctx context.Context, sc meta.Scope, ref string) error {
	return r.ingestion(ctx, sc, ref, Enabled, Stopped)
}

func (r *Registry) ingestion(ctx context.Context, sc meta.Scope, ref, from, to string) error {
	_, err := r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if err := startable(s); err != nil {
			return err
		}
		if s.Status != from {
			return wrongStatus(s, from)
		}
		s.Status = to
		return nil
	})
	return err
}

// startable tells whether ingestion into a store of that kind can be started and stopped.
func startable(s *meta.EventDataStore) error {
	if k := event.Kind(s.Kind); k != event.CloudTrail && k != event.ConfigurationItem {
		return awserr.New("InvalidEventDataStoreCategoryException", "Ingestion can be started and stopped only for Management, Data, NetworkActivity and ConfigurationItem events; the event data store holds %s events.", k)
	}
	return nil
}

// active refuses what cannot be done with a store that is pending deletion.
func active(s *meta.EventDataStore) error {
	if s.Status == PendingDeletion {
		return awserr.New("InactiveEventDataStoreException", "The event data store %s is inactive: it is pending deletion.", s.ARN())
	}
	return nil
}

// importing refuses what cannot be done while an import brings events to the store.
func (r *Registry) importing(ctx context.Context, s *meta.EventDataStore) error {
	for _, status := range []string{"INITIALIZING", "IN_PROGRESS"} {
		going, err := r.cfg.DB.Imports(ctx, s.Scope, s.ID, status, "", 1)
		if err != nil {
			return err
		}
		if len(going) > 0 {
			return awserr.New("EventDataStoreHasOngoingImportException", "Import %s into the event data store is in progress. Wait for it, or stop it.", going[0].ID)
		}
	}
	return nil
}

func wrongStatus(s *meta.EventDataStore, want string) error {
	return awserr.New("InvalidEventDataStoreStatusException", "The event data store has the status %s; it must be %s.", s.Status, want)
}
