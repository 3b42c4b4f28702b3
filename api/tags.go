package api

import (
	"context"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/registry"
)

// HandleTags brings the operations on tags.
func (s *Server) HandleTags(r *registry.Registry) {
	h := &tags{r}
	register(s, "AddTags", h.add)
	register(s, "RemoveTags", h.remove)
	register(s, "ListTags", h.list)
}

type tags struct{ r *registry.Registry }

func (h *tags) add(ctx context.Context, c *Call, in *model.AddTagsRequest) (*model.AddTagsResponse, error) {
	return nil, h.r.AddTags(ctx, c.Scope, *in.ResourceId, tagsIn(in.TagsList))
}

func (h *tags) remove(ctx context.Context, c *Call, in *model.RemoveTagsRequest) (*model.RemoveTagsResponse, error) {
	return nil, h.r.RemoveTags(ctx, c.Scope, *in.ResourceId, tagsIn(in.TagsList))
}

// list answers everything at once: at most 50 tags of at most 20 resources. Its NextToken is "reserved for future use" in the service model.
func (h *tags) list(ctx context.Context, c *Call, in *model.ListTagsRequest) (*model.ListTagsResponse, error) {
	if in.NextToken != nil {
		return nil, awserr.New("InvalidTokenException", "NextToken is not valid: ListTags gives none.")
	}
	found, err := h.r.Tags(ctx, c.Scope, in.ResourceIdList)
	if err != nil {
		return nil, err
	}
	out := &model.ListTagsResponse{ResourceTagList: make([]model.ResourceTag, len(found))}
	for i := range found {
		out.ResourceTagList[i] = model.ResourceTag{ResourceId: &found[i].ARN, TagsList: make([]model.Tag, len(found[i].Tags))}
		for j := range found[i].Tags {
			t := &found[i].Tags[j]
			out.ResourceTagList[i].TagsList[j] = model.Tag{Key: &t.Key, Value: textOrNil(t.Value)}
		}
	}
	return out, nil
}

// tagsIn turns the model's tags, whose keys are required, into the registry's.
func tagsIn(list []model.Tag) []registry.Tag {
	out := make([]registry.Tag, len(list))
	for i, t := range list {
		out[i].Key = *t.Key
		if t.Value != nil {
			out[i].Value = *t.Value
		}
	}
	return out
}
