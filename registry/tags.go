package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// Tag is a key and a value; a tag without a value has "".
type Tag struct{ Key, Value string }

// Limits of tags (shape Tag, AddTags, ListTags).
const (
	maxTags       = 50
	maxTagKey     = 128 // characters
	maxTagValue   = 256 // characters
	maxTagListing = 20  // ARNs a call
)

// checkTags holds tags to AWS's rules ("Tag naming limits and requirements" in the Tagging AWS Resources guide).
func checkTags(tags []Tag, values bool) (map[string]string, error) {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		if t.Key == "" || utf8.RuneCountInString(t.Key) > maxTagKey {
			return nil, badTag("the key %.60q must have 1 to %d characters", t.Key, maxTagKey)
		}
		if !tagText(t.Key) {
			return nil, badTag("the key %.60q can only have letters, numbers, spaces and _ . : / = + - @", t.Key)
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, badTag("the key %.60q begins with aws:, which is reserved", t.Key)
		}
		if values && utf8.RuneCountInString(t.Value) > maxTagValue {
			return nil, badTag("the value of %.60q has more than %d characters", t.Key, maxTagValue)
		}
		if values && !tagText(t.Value) {
			return nil, badTag("the value of %.60q can only have letters, numbers, spaces and _ . : / = + - @", t.Key)
		}
		if _, twice := out[t.Key]; twice {
			return nil, badTag("the key %.60q stands there twice", t.Key)
		}
		out[t.Key] = t.Value
	}
	return out, nil
}

func badTag(format string, args ...any) error {
	return awserr.New("InvalidTagParameterException", "Invalid tag: "+format+".", args...)
}

func tagText(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsNumber(c) && !unicode.Is(unicode.Zs, c) && !strings.ContainsRune("_.:/=+-@", c) {
			return false
		}
	}
	return utf8.ValidString(s)
}

func tooManyTags() error {
	return awserr.New("TagsLimitExceededException", "The resource would have more than %d tags.", maxTags)
}

// AddTags sets tags of a store or channel, named by its ARN. The errors are those of AddTags.
func (r *Registry) AddTags(ctx context.Context, sc meta.Scope, arn string, tags []Tag) error {
	set, err := checkTags(tags, true)
	if err != nil {
		return err
	}
	return r.tagged(ctx, sc, arn, func(arn string) error {
		err := r.cfg.DB.SetTags(ctx, arn, set, maxTags)
		if errors.Is(err, meta.ErrConflict) {
			return tooManyTags()
		}
		return err
	})
}

// RemoveTags removes tags by their keys, whatever their values; what is not there is no error. The errors are those of RemoveTags.
func (r *Registry) RemoveTags(ctx context.Context, sc meta.Scope, arn string, tags []Tag) error {
	set, err := checkTags(tags, false)
	if err != nil {
		return err
	}
	return r.tagged(ctx, sc, arn, func(arn string) error {
		return r.cfg.DB.RemoveTags(ctx, arn, slices.Sorted(maps.Keys(set)))
	})
}

// tagged calls fn with the ARN of the resource that arn names, which cannot go meanwhile.
func (r *Registry) tagged(ctx context.Context, sc meta.Scope, arn string, fn func(arn string) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	own, err := r.resource(ctx, sc, arn)
	if err != nil {
		return err
	}
	return fn(own)
}

// ResourceTags are the tags of one resource, by key.
type ResourceTags struct {
	ARN  string // as it was asked for
	Tags []Tag
}

// Tags gives the tags of stores and channels in the order asked for. The errors are those of ListTags.
func (r *Registry) Tags(ctx context.Context, sc meta.Scope, arns []string) ([]ResourceTags, error) {
	if len(arns) > maxTagListing {
		return nil, awserr.New("ValidationException", "ResourceIdList has %d ARNs; the limit is %d.", len(arns), maxTagListing)
	}
	own := make([]string, len(arns))
	for i, arn := range arns {
		var err error
		if own[i], err = r.resource(ctx, sc, arn); awserr.Is(err, "ChannelNotFoundException") {
			return nil, awserr.New("ResourceNotFoundException", "The channel %s was not found.", arn) // ListTags does not know the other
		} else if err != nil {
			return nil, err
		}
	}
	found, err := r.cfg.DB.Tags(ctx, own)
	if err != nil {
		return nil, err
	}
	out := make([]ResourceTags, len(arns))
	for i := range arns {
		out[i].ARN = arns[i]
		for _, k := range slices.Sorted(maps.Keys(found[own[i]])) {
			out[i].Tags = append(out[i].Tags, Tag{k, found[own[i]][k]})
		}
	}
	return out, nil
}

// resource finds the store or channel that an ARN names, and gives the ARN as the metadata has it.
func (r *Registry) resource(ctx context.Context, sc meta.Scope, arn string) (string, error) {
	_, kind, _, ok := parseARN(arn)
	if !ok {
		return "", awserr.New("CloudTrailARNInvalidException", "%.300q is not the ARN of a CloudTrail resource.", arn)
	}
	switch kind {
	case "eventdatastore":
		s, err := r.find(sc, arn)
		if err != nil {
			return "", err
		}
		return s.ARN(), active(&s.EventDataStore)
	case "channel":
		c, err := r.Channel(ctx, sc, arn)
		return c.ARN(), err
	case "trail", "dashboard":
		return "", awserr.New("ResourceNotFoundException", "The resource %s was not found.", arn)
	}
	return "", awserr.New("ResourceTypeNotSupportedException", "Resources of the type %.60q cannot have tags.", kind)
}
