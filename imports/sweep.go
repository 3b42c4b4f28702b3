package imports

import (
	"context"
	"log/slog"
	"time"
)

// sweep halts sessions and gives up uploads that nobody goes on with, until the server ends; then it halts all.
func (s *Service) sweep() {
	tick := time.NewTicker(uploadIdle / 4)
	defer tick.Stop()
	for ending := false; !ending; {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			ending = true
		}
		s.mu.Lock()
		var all []*session
		for _, se := range s.sessions {
			all = append(all, se)
		}
		s.mu.Unlock()
		for _, se := range all {
			se.abandon(uploadIdle)
			if !ending && !se.idle() {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if err := s.end(ctx, se, Stopped); err != nil {
				s.Log.Error("a streamed import cannot be halted", slog.String("import", se.id), slog.Any("error", err))
			}
			cancel()
		}
	}
}

func (se *session) idle() bool {
	se.mu.Lock()
	defer se.mu.Unlock()
	return se.busy == 0 && time.Since(se.last) > sessionIdle
}
