package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
)

// openFolder opens the folder that tables lie in where it is not a bucket.
func (s *Server) openFolder(ctx context.Context) (*objstore.Local, error) {
	dir := filepath.Join(s.cfg.Dir, "lake")
	objects, err := objstore.OpenLocal(dir)
	if err != nil {
		return nil, err
	}
	if s.cfg.ColdPath != "" {
		if err := objects.UseCold(s.cfg.ColdPath); err != nil {
			return nil, err
		}
		s.mover = objects
	}
	if s.cfg.Immutable {
		if err := objects.MakeImmutable(ctx); err != nil {
			return nil, err
		}
		s.log.Info("files of tables and logs are immutable until the server removes them", "folder", dir)
	}
	return objects, nil
}

// checkBucket refuses what only a folder has.
func (c *Config) checkBucket() error {
	switch {
	case c.Immutable:
		return errors.New("immutable files are those of a folder; the tables lie in a bucket")
	case c.ColdPath != "":
		return errors.New("a second path for old days goes with tables in a folder; they lie in a bucket")
	}
	return nil
}

// defaultColdDays is after how many days a day is old where nobody says.
const defaultColdDays = 90

// cool moves files of old days to colder storage in the background until the server closes, or run is done.
func (s *Server) cool(run context.Context) {
	if s.mover == nil {
		return
	}
	days := s.cfg.ColdDays
	if days <= 0 {
		days = defaultColdDays
	}
	ctx, stop := context.WithCancel(run)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.lake.RunCold(ctx, lake.Cold{Mover: s.mover, Days: days, Share: s.cfg.CompactionShare, Unmerged: s.cfg.NoCompaction})
	}()
	s.opened("colder storage", func(context.Context) error {
		stop()
		<-ended
		return nil
	})
}
