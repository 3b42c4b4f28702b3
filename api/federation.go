package api

import (
	"context"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/meta"
)

func (h *eventDataStores) enableFederation(ctx context.Context, c *Call, in *model.EnableFederationRequest) (*model.EnableFederationResponse, error) {
	store, err := h.r.EnableFederation(ctx, c.Scope, *in.EventDataStore, *in.FederationRoleArn)
	if err != nil {
		return nil, err
	}
	arn := store.ARN()
	return &model.EnableFederationResponse{EventDataStoreArn: &arn, FederationStatus: &store.FederationStatus, FederationRoleArn: federationRole(&store)}, nil
}

func (h *eventDataStores) disableFederation(ctx context.Context, c *Call, in *model.DisableFederationRequest) (*model.DisableFederationResponse, error) {
	store, err := h.r.DisableFederation(ctx, c.Scope, *in.EventDataStore)
	if err != nil {
		return nil, err
	}
	arn := store.ARN()
	return &model.DisableFederationResponse{EventDataStoreArn: &arn, FederationStatus: &store.FederationStatus}, nil
}

// federationRole is the role of a federated store, and absent from the answer about another.
func federationRole(s *meta.EventDataStore) *string {
	if s.FederationRoleArn == "" {
		return nil
	}
	return &s.FederationRoleArn
}
