package server

import (
	"context"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// OpenStore makes a store in the root key's account and region that takes every CloudTrail event it is given, of any age, for a lake that holds one folder of logs.
func (s *Server) OpenStore(ctx context.Context, name string) error {
	_, err := s.registry.CreateUnfiltered(ctx, meta.Scope{Account: s.key.Account, Region: s.cfg.Region}, name, event.CloudTrail)
	return err
}
