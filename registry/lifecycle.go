package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
		if h, err := r.heldBy(ctx, s.ID); err != nil {
			return err
		} else if h != nil {
			return awserr.New("EventDataStoreTerminationProtectedException", "The event data store cannot be deleted: %v.", h.Err())
		}
		s.StatusBefore, s.Status, s.DeleteAfter = s.Status, PendingDeletion, r.latest().Add(deletionWait)
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
		if !r.now().Before(s.DeleteAfter) {
			if h, err := r.heldBy(ctx, s.ID); err != nil {
				return err
			} else if h == nil {
				return storeNotFound(ref) // it is going
			}
		}
		if r.dropping[s.ID] {
			return storeNotFound(ref)
		}
		s.Status, s.StatusBefore, s.DeleteAfter = s.StatusBefore, "", time.Time{}
		return nil
	})
}

// heldBy gives a hold on any part of a store, nil where there is none.
func (r *Registry) heldBy(ctx context.Context, storeID string) (*meta.Hold, error) {
	holds, err := r.cfg.DB.Holds(ctx, storeID)
	return meta.HeldBy(holds, time.Time{}, time.Time{}), err
}

// Sweep removes for good the stores whose seven days are over and that no hold keeps, and deletes the files of their tables. What fails is tried again by the next call; so is what a
// crash left undone. Its owner calls it every few minutes, while the clock can be believed; only one call goes on at a time.
func (r *Registry) Sweep(ctx context.Context) error {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	var errs []error
	for id, s := range r.current.Load().stores {
		if s.Status == PendingDeletion && !r.now().Before(s.DeleteAfter) {
			if err := r.retire(ctx, id); err != nil {
				errs = append(errs, fmt.Errorf("removing event data store %s: %w", id, err))
			}
		}
	}
	gone, err := r.cfg.DB.DeletedTables(ctx)
	errs = append(errs, err)
	for _, id := range gone {
		err := r.cfg.Lake.DropTable(ctx, id)
		if err == nil {
			err = r.cfg.DB.ForgetDeletedTable(ctx, id)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("deleting the files of event data store %s, which was removed: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// retire removes one store from the metadata, with its table, in one transaction with the leaf that tells of it. From then on it cannot be restored; before that
// nothing of it has gone.
func (r *Registry) retire(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.current.Load().stores[id]
	if s == nil || s.Status != PendingDeletion || r.now().Before(s.DeleteAfter) {
		return nil // restored meanwhile
	}
	if h, err := r.heldBy(ctx, id); err != nil || h != nil {
		return err
	}
	if err := r.cfg.Lake.RetireTable(ctx, id); err != nil {
		return err
	}
	r.dropping[id] = true // also where the next step fails: the table is of no use any more
	told, err := removalOf(&s.EventDataStore, r.now())
	if err != nil {
		return err
	}
	if err := r.cfg.DB.RetireStore(ctx, id, told); err != nil {
		return err
	}
	delete(r.dropping, id)
	stores := maps.Clone(r.current.Load().stores)
	delete(stores, id)
	r.current.Store(index(stores))
	r.log.InfoContext(ctx, "removed a deleted event data store for good", "store", id)
	return nil
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
