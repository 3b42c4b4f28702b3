package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// Destination is where a channel's events go: the API's shape Destination.
type Destination struct {
	Type     string // EVENT_DATA_STORE
	Location string // a store's ARN
}

const toStore = "EVENT_DATA_STORE"

// custom is the source of events from any sender ("CreateChannel"); every other source names one.
const custom = "Custom"

// ChannelSettings are what CreateChannel and UpdateChannel may say; nil is what was not said.
type ChannelSettings struct {
	Name         *string
	Source       *string // of a new channel only
	Destinations []Destination
	Tags         []Tag // of a new channel only
}

// CreateChannel makes a channel. The errors are those of CreateChannel.
func (r *Registry) CreateChannel(ctx context.Context, sc meta.Scope, in ChannelSettings) (meta.Channel, error) {
	tags, err := checkTags(in.Tags, true)
	if err != nil {
		return meta.Channel{}, err
	}
	if len(tags) > maxTags {
		return meta.Channel{}, tooManyTags()
	}
	if strings.TrimSpace(*in.Source) == "" || strings.ContainsFunc(*in.Source, unicode.IsControl) {
		return meta.Channel{}, awserr.New("InvalidSourceException", "The source %q is not valid: it must be %s or a sender's name.", *in.Source, custom)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	c := meta.Channel{Scope: sc, ID: uuid.NewString(), Name: *in.Name, Source: *in.Source, Created: r.now()}
	c.Updated = c.Created
	if c.Destinations, err = r.destinations(sc, in.Destinations); err != nil {
		return meta.Channel{}, err
	}
	have, err := r.cfg.DB.Channels(ctx, sc, "", 0)
	if err != nil {
		return meta.Channel{}, err
	}
	for i := range have {
		if have[i].Name == c.Name {
			return meta.Channel{}, channelTaken(c.Name)
		}
		// "A maximum of one channel is allowed per source." Custom stands for any number of senders.
		if have[i].Source == c.Source && c.Source != custom {
			return meta.Channel{}, awserr.New("ChannelAlreadyExistsException", "Channel %s is for the source %s already; a source has one channel.", have[i].ARN(), c.Source)
		}
	}
	if len(have) >= r.cfg.Quotas.Channels {
		return meta.Channel{}, awserr.New("ChannelMaxLimitExceededException", "The account has %d channels in %s; the limit is %d.", len(have), sc.Region, r.cfg.Quotas.Channels)
	}
	// Tags first: without its channel's row nobody finds them, so that a crash between leaves no channel without its tags.
	if len(tags) > 0 {
		if err := r.cfg.DB.SetTags(ctx, c.ARN(), tags, maxTags); err != nil {
			return meta.Channel{}, err
		}
	}
	if err := r.cfg.DB.CreateChannel(ctx, c); err != nil {
		if len(tags) > 0 {
			err = errors.Join(err, r.cfg.DB.RemoveTags(context.WithoutCancel(ctx), c.ARN(), slices.Sorted(maps.Keys(tags))))
		}
		return meta.Channel{}, err
	}
	return c, nil
}

// destinations checks where a channel is to lead and writes it as JSON. The caller holds mu.
func (r *Registry) destinations(sc meta.Scope, list []Destination) ([]byte, error) {
	if len(list) == 0 {
		return nil, awserr.New(badParameter, "A channel needs at least one destination.")
	}
	seen := map[string]bool{}
	kept := make([]Destination, len(list))
	for i, d := range list {
		if d.Type != toStore {
			return nil, awserr.New(badParameter, "Destination %d: the type must be %s; AWS_SERVICE is for channels that AWS services make.", i+1, toStore)
		}
		if !strings.HasPrefix(d.Location, "arn:") {
			return nil, awserr.New("EventDataStoreARNInvalidException", "Destination %d: %.300q is not the ARN of an event data store.", i+1, d.Location)
		}
		s, err := r.find(sc, d.Location)
		if err != nil {
			return nil, err
		}
		if s.Status != Enabled {
			return nil, awserr.New("InactiveEventDataStoreException", "Destination %d: the event data store %s is inactive.", i+1, s.ARN())
		}
		if event.Kind(s.Kind) != event.Activity {
			return nil, awserr.New("InvalidEventDataStoreCategoryException", "Destination %d: a channel's event data store must hold ActivityAuditLog events; %s holds %s events.",
				i+1, s.ARN(), event.Kind(s.Kind))
		}
		if seen[s.ID] {
			return nil, awserr.New(badParameter, "Destination %d: the event data store %s stands there twice.", i+1, s.ARN())
		}
		seen[s.ID] = true
		kept[i] = Destination{toStore, s.ARN()}
	}
	return json.Marshal(kept)
}

// Destinations reads where a channel leads.
func Destinations(c *meta.Channel) ([]Destination, error) {
	var list []Destination
	if err := json.Unmarshal(c.Destinations, &list); err != nil {
		return nil, fmt.Errorf("destinations of channel %s: %w", c.ID, err)
	}
	return list, nil
}

// channelOf finds a channel that leads to the store, or nil.
func (r *Registry) channelOf(ctx context.Context, s *meta.EventDataStore) (*meta.Channel, error) {
	all, err := r.cfg.DB.Channels(ctx, s.Scope, "", 0)
	if err != nil {
		return nil, err
	}
	for i := range all {
		list, err := Destinations(&all[i])
		if err != nil {
			return nil, err
		}
		if slices.Contains(list, Destination{toStore, s.ARN()}) {
			return &all[i], nil
		}
	}
	return nil, nil
}

// Channel finds a channel by its ARN or ID. The errors are those of GetChannel.
func (r *Registry) Channel(ctx context.Context, sc meta.Scope, ref string) (meta.Channel, error) {
	id, where, err := parseChannel(ref)
	if err != nil {
		return meta.Channel{}, err
	}
	if where != (meta.Scope{}) && where != sc {
		return meta.Channel{}, channelNotFound(ref)
	}
	c, err := r.cfg.DB.Channel(ctx, id)
	if errors.Is(err, meta.ErrNotFound) || err == nil && c.Scope != sc {
		return meta.Channel{}, channelNotFound(ref)
	}
	return c, err
}

// Channels lists a page of channels, as Stores does.
func (r *Registry) Channels(ctx context.Context, sc meta.Scope, after string, limit int) ([]meta.Channel, string, error) {
	out, err := r.cfg.DB.Channels(ctx, sc, after, page(limit)+1)
	if err != nil || len(out) <= page(limit) {
		return out, "", err
	}
	out = out[:page(limit)]
	last := out[len(out)-1]
	return out, meta.Position(last.Created, last.ID), nil
}

// UpdateChannel changes a channel's name or destinations. The errors are those of UpdateChannel.
func (r *Registry) UpdateChannel(ctx context.Context, sc meta.Scope, ref string, in ChannelSettings) (meta.Channel, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.Channel(ctx, sc, ref)
	if err != nil {
		return meta.Channel{}, err
	}
	if in.Name == nil && in.Destinations == nil {
		return meta.Channel{}, awserr.New(badParameter, "There is nothing to update: give a name or destinations.")
	}
	if in.Name != nil {
		c.Name = *in.Name
	}
	if in.Destinations != nil {
		if c.Destinations, err = r.destinations(sc, in.Destinations); err != nil {
			return meta.Channel{}, err
		}
	}
	c, err = r.cfg.DB.UpdateChannel(ctx, c.ID, func(now *meta.Channel) error {
		now.Name, now.Destinations, now.Updated = c.Name, c.Destinations, r.now()
		return nil
	})
	if errors.Is(err, meta.ErrExists) {
		return meta.Channel{}, channelTaken(*in.Name)
	}
	return c, err
}

// DeleteChannel removes a channel and its tags. The errors are those of DeleteChannel.
func (r *Registry) DeleteChannel(ctx context.Context, sc meta.Scope, ref string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.Channel(ctx, sc, ref)
	if err != nil {
		return err
	}
	return r.cfg.DB.DeleteChannel(ctx, c.ID)
}

func channelNotFound(ref string) error {
	return awserr.New("ChannelNotFoundException", "The channel %s was not found.", ref)
}

func channelTaken(name string) error {
	return awserr.New("ChannelAlreadyExistsException", "A channel with the name %s exists already.", name)
}

// Ingestion is what a channel's latest attempts to bring events came to: the API's shape IngestionStatus. Zero is what there was not.
type Ingestion struct {
	SuccessTime    time.Time `json:",omitzero"`
	SuccessEventID string    `json:",omitempty"`
	ErrorCode      string    `json:",omitempty"` // of the latest attempt that failed
	AttemptTime    time.Time `json:",omitzero"`
	AttemptEventID string    `json:",omitempty"`
}

// Attempted notes an attempt to bring events through a channel: the ID of its last event, and the error's code where it failed ("" where it did
// not). It costs no write; Sweep and Close write the latest down.
func (r *Registry) Attempted(channelID, eventID, code string) {
	now := r.now()
	r.attemptsMu.Lock()
	defer r.attemptsMu.Unlock()
	a := r.attempts[channelID]
	if a == nil {
		a = &Ingestion{}
		r.attempts[channelID] = a
	}
	a.AttemptTime, a.AttemptEventID = now, eventID
	if code == "" {
		a.SuccessTime, a.SuccessEventID = now, eventID
	} else {
		a.ErrorCode = code
	}
}

// Ingestion gives a channel's latest attempts.
func (r *Registry) Ingestion(c *meta.Channel) (Ingestion, error) {
	var kept Ingestion
	if c.Ingestion != nil {
		if err := json.Unmarshal(c.Ingestion, &kept); err != nil {
			return kept, fmt.Errorf("ingestion of channel %s: %w", c.ID, err)
		}
	}
	r.attemptsMu.Lock()
	defer r.attemptsMu.Unlock()
	if a := r.attempts[c.ID]; a != nil {
		kept.merge(a)
	}
	return kept, nil
}

// merge takes over what a later one says.
func (i *Ingestion) merge(later *Ingestion) {
	i.AttemptTime, i.AttemptEventID = later.AttemptTime, later.AttemptEventID
	if !later.SuccessTime.IsZero() {
		i.SuccessTime, i.SuccessEventID = later.SuccessTime, later.SuccessEventID
	}
	if later.ErrorCode != "" {
		i.ErrorCode = later.ErrorCode
	}
}

// flush writes down the latest attempts.
func (r *Registry) flush(ctx context.Context) error {
	r.attemptsMu.Lock()
	taken := r.attempts
	r.attempts = map[string]*Ingestion{}
	r.attemptsMu.Unlock()
	var errs []error
	for id, later := range taken {
		_, err := r.cfg.DB.UpdateChannel(ctx, id, func(c *meta.Channel) error {
			var kept Ingestion
			if c.Ingestion != nil {
				if err := json.Unmarshal(c.Ingestion, &kept); err != nil {
					return err
				}
			}
			kept.merge(later)
			var err error
			c.Ingestion, err = json.Marshal(&kept)
			return err
		})
		// A channel that is no more has no status, and metadata that was set back gets none: what its channels had tried is in the newer.
		if err != nil && !errors.Is(err, meta.ErrNotFound) && !errors.Is(err, meta.ErrSetBack) {
			errs = append(errs, fmt.Errorf("ingestion status of channel %s: %w", id, err))
			r.attemptsMu.Lock()
			if newer := r.attempts[id]; newer != nil {
				later.merge(newer)
			}
			r.attempts[id] = later
			r.attemptsMu.Unlock()
		}
	}
	return errors.Join(errs...)
}
