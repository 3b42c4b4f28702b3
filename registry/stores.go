package registry

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/selector"
)

// The states of a store, as the API names them. Starting and stopping take effect at once, so that their in-between states never show.
const (
	Created         = "CREATED" // being made
	Enabled         = "ENABLED"
	PendingDeletion = "PENDING_DELETION"
	Stopped         = "STOPPED_INGESTION"
)

// The billing modes. Nothing is billed; they bound the retention.
const (
	Extendable = "EXTENDABLE_RETENTION_PRICING"
	Fixed      = "FIXED_RETENTION_PRICING"
)

// Retention in days (CreateEventDataStore).
const (
	minRetention      = 7
	maxExtendable     = 3653
	maxFixed          = 2557
	defaultExtendable = 366
	defaultFixed      = 2557
)

// defaultPage is the rows of a page where the caller names no number.
const defaultPage = 100

// badParameter is the error of most operations for what their rules refuse.
const badParameter = "InvalidParameterException"

// StoreSettings are what CreateEventDataStore and UpdateEventDataStore may say of a store; nil is what was not said.
type StoreSettings struct {
	Name                  *string
	Selectors             []byte // AdvancedEventSelectors as the API's JSON
	MultiRegion           *bool
	Organization          *bool
	RetentionDays         *int32
	TerminationProtection *bool
	BillingMode           *string
	KMSKeyID              *string
	StartIngestion        *bool // of a new store only
	Tags                  []Tag // of a new store only
}

// CreateStore makes a store and its table. The errors are those of CreateEventDataStore.
func (r *Registry) CreateStore(ctx context.Context, sc meta.Scope, in StoreSettings) (meta.EventDataStore, error) {
	tags, err := checkTags(in.Tags, true)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	if len(tags) > maxTags {
		return meta.EventDataStore{}, awserr.New("InvalidTagParameterException", "There are %d tags; a resource can have at most %d.", len(tags), maxTags)
	}
	s := meta.EventDataStore{Scope: sc, ID: uuid.NewString(), Name: *in.Name, Status: Created, MultiRegion: true, BillingMode: Extendable,
		TerminationProtection: true, Selectors: []byte(selector.Default), FederationStatus: FederationDisabled}
	if err := r.apply(&s, in); err != nil {
		return meta.EventDataStore{}, err
	}
	status := Enabled
	if in.StartIngestion != nil && !*in.StartIngestion {
		if err := startable(&s); err != nil {
			return meta.EventDataStore{}, awserr.New(badParameter, "StartIngestion can be false only for an event data store of Management, Data, NetworkActivity or ConfigurationItem events: no other could be started later.")
		}
		status = Stopped
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	have, err := r.stores(ctx, sc)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	for i := range have {
		if have[i].Name != s.Name {
			continue
		}
		if have[i].Status != Created {
			return meta.EventDataStore{}, nameTaken(s.Name)
		}
		// A try before this one could neither make it to the end nor undo it: the tables were away. Nobody was told of it, and the lock says that nobody is at it.
		if err := r.remove(ctx, have[i].ID); err != nil {
			return meta.EventDataStore{}, err
		}
		have = slices.Delete(have, i, i+1)
		break
	}
	if len(have) >= r.cfg.Quotas.Stores {
		return meta.EventDataStore{}, awserr.New("EventDataStoreMaxLimitExceededException", "The account has %d event data stores in %s, those pending deletion included; the limit is %d.",
			len(have), sc.Region, r.cfg.Quotas.Stores)
	}
	s.Created = r.now()
	s.Updated = s.Created
	return r.make(ctx, s, status, tags)
}

// make writes a store down as being made, makes its table and tags, and gives it its status. The caller holds mu.
func (r *Registry) make(ctx context.Context, s meta.EventDataStore, status string, tags map[string]string) (meta.EventDataStore, error) {
	c, err := compile(s)
	if err != nil {
		return s, err
	}
	if err := r.cfg.DB.CreateStore(ctx, s); err != nil {
		return s, err
	}
	err = r.cfg.Lake.CreateTable(ctx, s.ID, event.Kind(s.Kind))
	if err == nil && len(tags) > 0 {
		err = r.cfg.DB.SetTags(ctx, s.ARN(), tags, maxTags)
	}
	if err == nil {
		var told [][]byte
		made := s
		made.Status = status
		if told, err = leafOf(nil, &made, s.Created); err == nil {
			c.EventDataStore, err = r.cfg.DB.UpdateStore(ctx, s.ID, func(s *meta.EventDataStore) error { s.Status = status; return nil }, told...)
		}
	}
	if err != nil {
		// What cannot be undone now is when the server starts again.
		return s, errors.Join(err, r.remove(context.WithoutCancel(ctx), s.ID))
	}
	r.publish(c)
	return c.EventDataStore, nil
}

// apply brings settings into s, by the rules of both operations.
func (r *Registry) apply(s *meta.EventDataStore, in StoreSettings) error {
	if in.KMSKeyID != nil {
		return awserr.New("UnsupportedOperationException", "KmsKeyId is not supported: this server does not encrypt event data stores with KMS keys. Leave it out.")
	}
	if in.Name != nil {
		s.Name = *in.Name
	}
	if in.Organization != nil && *in.Organization != s.Organization {
		if err := r.organize(s.Scope); err != nil {
			return err
		}
		s.Organization = *in.Organization
	}
	if in.MultiRegion != nil {
		s.MultiRegion = *in.MultiRegion
	}
	if in.TerminationProtection != nil {
		s.TerminationProtection = *in.TerminationProtection
	}
	if err := reselect(s, in.Selectors); err != nil {
		return err
	}
	if in.BillingMode != nil {
		if *in.BillingMode == Fixed && s.BillingMode == Extendable && s.Status != Created {
			return awserr.New(badParameter, "The billing mode cannot change from %s to %s. Stop ingestion on the event data store and make another one.", Extendable, Fixed)
		}
		s.BillingMode = *in.BillingMode
	}
	return retain(s, in.RetentionDays)
}

// reselect sets the selectors, nil for those that it has, and the kind that they make; an existing store keeps its kind.
func reselect(s *meta.EventDataStore, selectors []byte) error {
	if selectors != nil {
		s.Selectors = selectors
	} else if s.Kind != 0 {
		return nil
	}
	set, err := selector.Compile(s.Selectors)
	if err != nil {
		return err
	}
	if k := uint8(set.Kind()); s.Kind == 0 {
		s.Kind = k
	} else if s.Kind != k {
		return awserr.New("InvalidEventSelectorsException", "Invalid event selectors: the event data store holds %s events; its selectors cannot name %s events.",
			event.Kind(s.Kind), set.Kind())
	}
	return nil
}

// retain sets the retention: days, what it was, or the billing mode's default.
func retain(s *meta.EventDataStore, days *int32) error {
	most, standard := maxExtendable, defaultExtendable
	if s.BillingMode == Fixed {
		most, standard = maxFixed, defaultFixed
	}
	switch {
	case days != nil:
		s.RetentionDays = int(*days)
	case s.RetentionDays == 0:
		s.RetentionDays = standard
	}
	if s.RetentionDays < minRetention || s.RetentionDays > most {
		return awserr.New(badParameter, "RetentionPeriod must be between %d and %d days for the billing mode %s; it is %d.", minRetention, most, s.BillingMode, s.RetentionDays)
	}
	return nil
}

// organize tells whether a caller's account may make and unmake organisation stores.
func (r *Registry) organize(sc meta.Scope) error {
	switch r.cfg.ManagementAccount {
	case "":
		return awserr.New("OrganizationsNotInUseException", "OrganizationEnabled: the account is not a member of an organization.")
	case sc.Account:
		return nil
	}
	return awserr.New("NotOrganizationMasterAccountException", "OrganizationEnabled: only the organization's management account can make or unmake an organization event data store.")
}

// Store finds a store by its ARN or ID. The errors are those of GetEventDataStore.
func (r *Registry) Store(_ context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error) {
	s, err := r.find(sc, ref)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	return s.EventDataStore, nil
}

// StoreByName finds a store by its name.
func (r *Registry) StoreByName(_ context.Context, sc meta.Scope, name string) (meta.EventDataStore, error) {
	for _, s := range r.current.Load().stores {
		if s.Scope == sc && s.Name == name && !s.Internal {
			return s.EventDataStore, nil
		}
	}
	return meta.EventDataStore{}, storeNotFound(name)
}

func (r *Registry) find(sc meta.Scope, ref string) (*store, error) {
	id, where, err := parseStore(ref)
	if err != nil {
		return nil, err
	}
	s := r.current.Load().stores[id]
	if s == nil || s.Internal || s.Scope != sc || where != (meta.Scope{}) && where != sc {
		return nil, storeNotFound(ref)
	}
	return s, nil
}

// stores lists the stores of an account and region that are the API's.
func (r *Registry) stores(ctx context.Context, sc meta.Scope) ([]meta.EventDataStore, error) {
	all, err := r.cfg.DB.Stores(ctx, sc, "", 0)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, s := range all {
		if !s.Internal {
			out = append(out, s)
		}
	}
	return out, nil
}

// Stores lists a page of stores, oldest first, after the place that the page before gave (""): at most limit (0: 100), and the place of the
// next page, "" where there is none.
func (r *Registry) Stores(ctx context.Context, sc meta.Scope, after string, limit int) ([]meta.EventDataStore, string, error) {
	all, err := r.cfg.DB.Stores(ctx, sc, after, 0) // a quota's worth
	if err != nil {
		return nil, "", err
	}
	var out []meta.EventDataStore
	for _, s := range all {
		if s.Internal || s.Status == Created {
			continue
		}
		if len(out) == page(limit) {
			last := out[len(out)-1]
			return out, meta.Position(last.Created, last.ID), nil
		}
		out = append(out, s)
	}
	return out, "", nil
}

func page(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return limit
}

// change edits the store that ref names, in one transaction, and shows it to ingest.
func (r *Registry) change(ctx context.Context, sc meta.Scope, ref string, fn func(*meta.EventDataStore) error) (meta.EventDataStore, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(sc, ref)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	edited := s.EventDataStore
	if err := fn(&edited); err != nil {
		return meta.EventDataStore{}, err
	}
	edited.Updated = r.now()
	c, err := compile(edited)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	told, err := leafOf(&s.EventDataStore, &edited, edited.Updated)
	if err != nil {
		return meta.EventDataStore{}, err
	}
	c.EventDataStore, err = r.cfg.DB.UpdateStore(ctx, s.ID, func(s *meta.EventDataStore) error { *s = edited; return nil }, told...)
	if errors.Is(err, meta.ErrExists) {
		return meta.EventDataStore{}, nameTaken(edited.Name)
	} else if err != nil {
		return meta.EventDataStore{}, err
	}
	r.publish(c)
	return c.EventDataStore, nil
}

// UpdateStore changes a store's settings. The errors are those of UpdateEventDataStore. What a lowered retention ends goes after a grace.
func (r *Registry) UpdateStore(ctx context.Context, sc meta.Scope, ref string, in StoreSettings) (meta.EventDataStore, error) {
	before := 0
	now, err := r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if in.Name == nil && in.Selectors == nil && in.MultiRegion == nil && in.Organization == nil && in.RetentionDays == nil &&
			in.TerminationProtection == nil && in.BillingMode == nil && in.KMSKeyID == nil {
			return awserr.New(badParameter, "There is nothing to update: name at least one setting.")
		}
		if err := active(s); err != nil {
			return err
		}
		if err := r.importing(ctx, s); err != nil {
			return err
		}
		before = s.RetentionDays
		if err := r.apply(s, in); err != nil {
			return err
		}
		if s.RetentionDays < before {
			s.RemoveAfter = r.latest().Add(r.cfg.RetentionGrace)
		}
		return nil
	})
	if err == nil && now.RetentionDays < before {
		r.log.WarnContext(ctx, "a retention was lowered: what is past it goes when the grace is over", "store", now.ID, "from", before, "to", now.RetentionDays, "grace until", now.RemoveAfter)
	}
	return now, err
}

func storeNotFound(ref string) error {
	return awserr.New("EventDataStoreNotFoundException", "The event data store %s was not found.", ref)
}

func nameTaken(name string) error {
	return awserr.New("EventDataStoreAlreadyExistsException", "An event data store with the name %s exists already.", name)
}
