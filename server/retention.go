package server

import (
	"context"

	"github.com/lochlake/loch/retention"
)

// openRetention removes what is due in the background, until the server closes or run is done.
func (s *Server) openRetention(ctx, run context.Context) (err error) {
	s.retention, err = retention.Open(ctx, retention.Config{DB: s.db, Tables: s.lake, Stores: s.registry, Log: s.log, Registerer: s.metrics})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(run)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.retention.Run(ctx)
	}()
	s.opened("retention", func(context.Context) error {
		stop()
		<-ended
		return nil
	})
	return nil
}
