package server

import "context"

// retain removes what is due in the background, until the server closes or run is done.
func (s *Server) retain(run context.Context) {
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
}
