package api

import (
	"context"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// HandleChannels brings the operations on channels.
func (s *Server) HandleChannels(r *registry.Registry) {
	h := &channels{s, r}
	register(s, "CreateChannel", h.create)
	register(s, "GetChannel", h.get)
	register(s, "ListChannels", h.list)
	register(s, "UpdateChannel", h.update)
	register(s, "DeleteChannel", h.delete)
}

type channels struct {
	s *Server
	r *registry.Registry
}

func (h *channels) create(ctx context.Context, c *Call, in *model.CreateChannelRequest) (*model.CreateChannelResponse, error) {
	ch, err := h.r.CreateChannel(ctx, c.Scope, registry.ChannelSettings{Name: in.Name, Source: in.Source, Destinations: destinationsIn(in.Destinations), Tags: tagsIn(in.Tags)})
	if err != nil {
		return nil, err
	}
	destinations, err := destinationsOut(&ch)
	if err != nil {
		return nil, err
	}
	arn := ch.ARN()
	return &model.CreateChannelResponse{ChannelArn: &arn, Name: &ch.Name, Source: &ch.Source, Destinations: destinations, Tags: in.Tags}, nil
}

// get leaves SourceConfig out: it is that of channels which AWS services make.
func (h *channels) get(ctx context.Context, c *Call, in *model.GetChannelRequest) (*model.GetChannelResponse, error) {
	ch, err := h.r.Channel(ctx, c.Scope, *in.Channel)
	if err != nil {
		return nil, err
	}
	destinations, err := destinationsOut(&ch)
	if err != nil {
		return nil, err
	}
	status, err := h.r.Ingestion(&ch)
	if err != nil {
		return nil, err
	}
	arn := ch.ARN()
	out := &model.GetChannelResponse{ChannelArn: &arn, Name: &ch.Name, Source: &ch.Source, Destinations: destinations}
	if !status.AttemptTime.IsZero() {
		out.IngestionStatus = &model.IngestionStatus{
			LatestIngestionSuccessTime: model.At(status.SuccessTime), LatestIngestionSuccessEventID: textOrNil(status.SuccessEventID),
			LatestIngestionErrorCode:   textOrNil(status.ErrorCode),
			LatestIngestionAttemptTime: model.At(status.AttemptTime), LatestIngestionAttemptEventID: textOrNil(status.AttemptEventID)}
	}
	return out, nil
}

func (h *channels) list(ctx context.Context, c *Call, in *model.ListChannelsRequest) (*model.ListChannelsResponse, error) {
	after, err := h.s.after(c, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.r.Channels(ctx, c.Scope, after, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListChannelsResponse{Channels: make([]model.Channel, len(list))}
	for i := range list {
		arn := list[i].ARN()
		out.Channels[i] = model.Channel{ChannelArn: &arn, Name: &list[i].Name}
	}
	out.NextToken, err = h.s.nextToken(c, next)
	return out, err
}

func (h *channels) update(ctx context.Context, c *Call, in *model.UpdateChannelRequest) (*model.UpdateChannelResponse, error) {
	ch, err := h.r.UpdateChannel(ctx, c.Scope, *in.Channel, registry.ChannelSettings{Name: in.Name, Destinations: destinationsIn(in.Destinations)})
	if err != nil {
		return nil, err
	}
	destinations, err := destinationsOut(&ch)
	if err != nil {
		return nil, err
	}
	arn := ch.ARN()
	return &model.UpdateChannelResponse{ChannelArn: &arn, Name: &ch.Name, Source: &ch.Source, Destinations: destinations}, nil
}

func (h *channels) delete(ctx context.Context, c *Call, in *model.DeleteChannelRequest) (*model.DeleteChannelResponse, error) {
	return nil, h.r.DeleteChannel(ctx, c.Scope, *in.Channel)
}

// destinationsIn turns the model's destinations, whose members are required, into the registry's; nil stays nil.
func destinationsIn(list []model.Destination) []registry.Destination {
	if list == nil {
		return nil
	}
	out := make([]registry.Destination, len(list))
	for i, d := range list {
		out[i] = registry.Destination{Type: *d.Type, Location: *d.Location}
	}
	return out
}

func destinationsOut(c *meta.Channel) ([]model.Destination, error) {
	list, err := registry.Destinations(c)
	if err != nil {
		return nil, err
	}
	out := make([]model.Destination, len(list))
	for i := range list {
		out[i] = model.Destination{Type: &list[i].Type, Location: &list[i].Location}
	}
	return out, nil
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
