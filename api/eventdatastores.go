package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// HandleEventDataStores brings the operations on event data stores.
func (s *Server) HandleEventDataStores(r *registry.Registry) {
	h := &eventDataStores{s, r}
	register(s, "CreateEventDataStore", h.create)
	register(s, "GetEventDataStore", h.get)
	register(s, "ListEventDataStores", h.list)
	register(s, "UpdateEventDataStore", h.update)
	register(s, "DeleteEventDataStore", h.delete)
	register(s, "RestoreEventDataStore", h.restore)
	register(s, "StartEventDataStoreIngestion", h.start)
	register(s, "StopEventDataStoreIngestion", h.stop)
	register(s, "EnableFederation", h.enableFederation)
	register(s, "DisableFederation", h.disableFederation)
}

type eventDataStores struct {
	s *Server
	r *registry.Registry
}

func (h *eventDataStores) create(ctx context.Context, c *Call, in *model.CreateEventDataStoreRequest) (*model.CreateEventDataStoreResponse, error) {
	selectors, err := selectorsJSON(in.AdvancedEventSelectors)
	if err != nil {
		return nil, err
	}
	store, err := h.r.CreateStore(ctx, c.Scope, registry.StoreSettings{Name: in.Name, Selectors: selectors, MultiRegion: in.MultiRegionEnabled,
		Organization: in.OrganizationEnabled, RetentionDays: in.RetentionPeriod, TerminationProtection: in.TerminationProtectionEnabled,
		BillingMode: in.BillingMode, KMSKeyID: in.KmsKeyId, StartIngestion: in.StartIngestion, Tags: tagsIn(in.TagsList)})
	if err != nil {
		return nil, err
	}
	d, err := describeStore(&store)
	if err != nil {
		return nil, err
	}
	return &model.CreateEventDataStoreResponse{EventDataStoreArn: d.arn, Name: &store.Name, Status: &store.Status, AdvancedEventSelectors: d.selectors,
		MultiRegionEnabled: &store.MultiRegion, OrganizationEnabled: &store.Organization, RetentionPeriod: d.retention,
		TerminationProtectionEnabled: &store.TerminationProtection, TagsList: in.TagsList, CreatedTimestamp: d.created, UpdatedTimestamp: d.updated,
		BillingMode: &store.BillingMode}, nil
}

func (h *eventDataStores) get(ctx context.Context, c *Call, in *model.GetEventDataStoreRequest) (*model.GetEventDataStoreResponse, error) {
	store, err := h.r.Store(ctx, c.Scope, *in.EventDataStore)
	if err != nil {
		return nil, err
	}
	d, err := describeStore(&store)
	if err != nil {
		return nil, err
	}
	return &model.GetEventDataStoreResponse{EventDataStoreArn: d.arn, Name: &store.Name, Status: &store.Status, AdvancedEventSelectors: d.selectors,
		MultiRegionEnabled: &store.MultiRegion, OrganizationEnabled: &store.Organization, RetentionPeriod: d.retention,
		TerminationProtectionEnabled: &store.TerminationProtection, CreatedTimestamp: d.created, UpdatedTimestamp: d.updated,
		BillingMode: &store.BillingMode, FederationStatus: &store.FederationStatus, FederationRoleArn: federationRole(&store)}, nil
}

func (h *eventDataStores) list(ctx context.Context, c *Call, in *model.ListEventDataStoresRequest) (*model.ListEventDataStoresResponse, error) {
	after, err := h.s.after(c, in.NextToken)
	if err != nil {
		return nil, err
	}
	stores, next, err := h.r.Stores(ctx, c.Scope, after, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListEventDataStoresResponse{EventDataStores: make([]model.EventDataStore, len(stores))}
	for i := range stores {
		store := &stores[i]
		d, err := describeStore(store)
		if err != nil {
			return nil, err
		}
		out.EventDataStores[i] = model.EventDataStore{EventDataStoreArn: d.arn, Name: &store.Name, TerminationProtectionEnabled: &store.TerminationProtection,
			Status: &store.Status, AdvancedEventSelectors: d.selectors, MultiRegionEnabled: &store.MultiRegion, OrganizationEnabled: &store.Organization,
			RetentionPeriod: d.retention, CreatedTimestamp: d.created, UpdatedTimestamp: d.updated}
	}
	out.NextToken, err = h.s.nextToken(c, next)
	return out, err
}

func (h *eventDataStores) update(ctx context.Context, c *Call, in *model.UpdateEventDataStoreRequest) (*model.UpdateEventDataStoreResponse, error) {
	selectors, err := selectorsJSON(in.AdvancedEventSelectors)
	if err != nil {
		return nil, err
	}
	store, err := h.r.UpdateStore(ctx, c.Scope, *in.EventDataStore, registry.StoreSettings{Name: in.Name, Selectors: selectors, MultiRegion: in.MultiRegionEnabled,
		Organization: in.OrganizationEnabled, RetentionDays: in.RetentionPeriod, TerminationProtection: in.TerminationProtectionEnabled,
		BillingMode: in.BillingMode, KMSKeyID: in.KmsKeyId})
	if err != nil {
		return nil, err
	}
	d, err := describeStore(&store)
	if err != nil {
		return nil, err
	}
	return &model.UpdateEventDataStoreResponse{EventDataStoreArn: d.arn, Name: &store.Name, Status: &store.Status, AdvancedEventSelectors: d.selectors,
		MultiRegionEnabled: &store.MultiRegion, OrganizationEnabled: &store.Organization, RetentionPeriod: d.retention,
		TerminationProtectionEnabled: &store.TerminationProtection, CreatedTimestamp: d.created, UpdatedTimestamp: d.updated,
		BillingMode: &store.BillingMode, FederationStatus: &store.FederationStatus, FederationRoleArn: federationRole(&store)}, nil
}

func (h *eventDataStores) delete(ctx context.Context, c *Call, in *model.DeleteEventDataStoreRequest) (*model.DeleteEventDataStoreResponse, error) {
	return nil, h.r.DeleteStore(ctx, c.Scope, *in.EventDataStore)
}

func (h *eventDataStores) restore(ctx context.Context, c *Call, in *model.RestoreEventDataStoreRequest) (*model.RestoreEventDataStoreResponse, error) {
	store, err := h.r.RestoreStore(ctx, c.Scope, *in.EventDataStore)
	if err != nil {
		return nil, err
	}
	d, err := describeStore(&store)
	if err != nil {
		return nil, err
	}
	return &model.RestoreEventDataStoreResponse{EventDataStoreArn: d.arn, Name: &store.Name, Status: &store.Status, AdvancedEventSelectors: d.selectors,
		MultiRegionEnabled: &store.MultiRegion, OrganizationEnabled: &store.Organization, RetentionPeriod: d.retention,
		TerminationProtectionEnabled: &store.TerminationProtection, CreatedTimestamp: d.created, UpdatedTimestamp: d.updated, BillingMode: &store.BillingMode}, nil
}

func (h *eventDataStores) start(ctx context.Context, c *Call, in *model.StartEventDataStoreIngestionRequest) (*model.StartEventDataStoreIngestionResponse, error) {
	return nil, h.r.StartIngestion(ctx, c.Scope, *in.EventDataStore)
}

func (h *eventDataStores) stop(ctx context.Context, c *Call, in *model.StopEventDataStoreIngestionRequest) (*model.StopEventDataStoreIngestionResponse, error) {
	return nil, h.r.StopIngestion(ctx, c.Scope, *in.EventDataStore)
}

// storeDescription is what the answers about a store share, in the model's types.
type storeDescription struct {
	arn              *string
	selectors        []model.AdvancedEventSelector
	retention        *int32
	created, updated *model.Time
}

func describeStore(s *meta.EventDataStore) (storeDescription, error) {
	arn, days := s.ARN(), int32(s.RetentionDays)
	d := storeDescription{arn: &arn, retention: &days, created: model.At(s.Created), updated: model.At(s.Updated)}
	if len(s.Selectors) == 0 { // a store that takes everything
		return d, nil
	}
	if err := json.Unmarshal(s.Selectors, &d.selectors); err != nil {
		return d, fmt.Errorf("selectors of event data store %s: %w", s.ID, err)
	}
	return d, nil
}

// selectorsJSON writes selectors as the registry takes them: nil where the caller named none, which is not the same as an empty list.
func selectorsJSON(list []model.AdvancedEventSelector) ([]byte, error) {
	if list == nil {
		return nil, nil
	}
	return json.Marshal(list)
}

// after gives the place that a paging token of a listing without parameters stands for.
func (s *Server) after(c *Call, token *string) (place string, err error) {
	if token != nil {
		err = s.tokens.open(c, nil, *token, &place)
	}
	return place, err
}

// nextToken makes the token for a place, and none where there is no next page.
func (s *Server) nextToken(c *Call, place string) (*string, error) {
	if place == "" {
		return nil, nil
	}
	return s.tokens.seal(c, nil, place)
}

// pageSize is MaxResults, or 0 where the caller left it to the server.
func pageSize(n *int32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}
