package backup

import (
	"context"

	"github.com/lochlake/loch/meta"
)

// Watch gives the metadata with Wake told, without waiting for it, whenever something is changed that a user set: stores, channels, tags and holds.
func Watch(db meta.DB, wake chan<- struct{}) meta.DB { return watched{db, wake} }

type watched struct {
	meta.DB
	wake chan<- struct{}
}

// changed tells that there was a change, unless it failed.
func (w watched) changed(err error) error {
	if err == nil {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return err
}

func (w watched) UpdateStore(ctx context.Context, id string, change func(*meta.EventDataStore) error, leaves ...[]byte) (meta.EventDataStore, error) {
	s, err := w.DB.UpdateStore(ctx, id, change, leaves...)
	return s, w.changed(err)
}

func (w watched) DeleteStore(ctx context.Context, id string, leaves ...[]byte) error {
	return w.changed(w.DB.DeleteStore(ctx, id, leaves...))
}

func (w watched) RetireStore(ctx context.Context, id string, leaves ...[]byte) error {
	return w.changed(w.DB.RetireStore(ctx, id, leaves...))
}

func (w watched) CreateChannel(ctx context.Context, c meta.Channel) error {
	return w.changed(w.DB.CreateChannel(ctx, c))
}

func (w watched) UpdateChannel(ctx context.Context, id string, change func(*meta.Channel) error) (meta.Channel, error) {
	c, err := w.DB.UpdateChannel(ctx, id, change)
	return c, w.changed(err)
}

func (w watched) DeleteChannel(ctx context.Context, id string) error {
	return w.changed(w.DB.DeleteChannel(ctx, id))
}

func (w watched) SetTags(ctx context.Context, arn string, tags map[string]string, most int) error {
	return w.changed(w.DB.SetTags(ctx, arn, tags, most))
}

func (w watched) RemoveTags(ctx context.Context, arn string, keys []string) error {
	return w.changed(w.DB.RemoveTags(ctx, arn, keys))
}

func (w watched) CreateHold(ctx context.Context, h meta.Hold, leaves ...[]byte) error {
	return w.changed(w.DB.CreateHold(ctx, h, leaves...))
}

func (w watched) UpdateHold(ctx context.Context, id string, change func(*meta.Hold) error, leaves ...[]byte) (meta.Hold, error) {
	h, err := w.DB.UpdateHold(ctx, id, change, leaves...)
	return h, w.changed(err)
}
