package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/tlog"
)

// guardTime is how long a start waits to learn whether the metadata is as new as the logs: as for its tables, since both lie in the object store. What comes meanwhile is in the durable log.
const guardTime = 5 * time.Second

// openGuard holds the metadata against the logs. Where it was set back the server serves all the same, to say so: it takes nothing, answers no query and changes nothing. Another server's bucket is an
// error.
func (s *Server) openGuard(ctx context.Context, objects objstore.Store) error {
	s.guard = tlog.NewGuard(tlog.GuardConfig{Meta: s.db, Objects: objects, Key: s.logKey.Public(), Shared: s.bucket != nil, Logger: s.log, Registerer: s.metrics})
	ctx, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	err := s.guard.Check(ctx, "")
	if errors.Is(err, tlog.ErrForeign) {
		return err
	}
	if err != nil && !errors.Is(err, meta.ErrSetBack) { // which the guard has told
		s.log.Error("tables are not used until the transparency logs can be read; events wait in the durable log", "error", err)
	}
	return nil
}

// sound is metadata in which users change nothing while it is known to be an older one: the change would be lost when the newer is back.
type sound struct {
	meta.DB
	known func() error
}

// ask is the API's error where nothing may be changed.
func (s sound) ask() error {
	if err := s.known(); errors.Is(err, meta.ErrSetBack) {
		return &awserr.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "The server's metadata was set back. Nothing can be changed until the operator has mended it.", Err: err}
	}
	return nil
}

func (s sound) CreateStore(ctx context.Context, e meta.EventDataStore) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.CreateStore(ctx, e)
}

func (s sound) UpdateStore(ctx context.Context, id string, change func(*meta.EventDataStore) error, leaves ...[]byte) (meta.EventDataStore, error) {
	if err := s.ask(); err != nil {
		return meta.EventDataStore{}, err
	}
	return s.DB.UpdateStore(ctx, id, change, leaves...)
}

func (s sound) DeleteStore(ctx context.Context, id string, leaves ...[]byte) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.DeleteStore(ctx, id, leaves...)
}

func (s sound) RetireStore(ctx context.Context, id string, leaves ...[]byte) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.RetireStore(ctx, id, leaves...)
}

func (s sound) CreateChannel(ctx context.Context, c meta.Channel) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.CreateChannel(ctx, c)
}

func (s sound) UpdateChannel(ctx context.Context, id string, change func(*meta.Channel) error) (meta.Channel, error) {
	if err := s.ask(); err != nil {
		return meta.Channel{}, err
	}
	return s.DB.UpdateChannel(ctx, id, change)
}

func (s sound) DeleteChannel(ctx context.Context, id string) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.DeleteChannel(ctx, id)
}

func (s sound) SetTags(ctx context.Context, arn string, tags map[string]string, most int) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.SetTags(ctx, arn, tags, most)
}

func (s sound) RemoveTags(ctx context.Context, arn string, keys []string) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.RemoveTags(ctx, arn, keys)
}

func (s sound) CreateHold(ctx context.Context, h meta.Hold, leaves ...[]byte) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.DB.CreateHold(ctx, h, leaves...)
}

func (s sound) UpdateHold(ctx context.Context, id string, change func(*meta.Hold) error, leaves ...[]byte) (meta.Hold, error) {
	if err := s.ask(); err != nil {
		return meta.Hold{}, err
	}
	return s.DB.UpdateHold(ctx, id, change, leaves...)
}
