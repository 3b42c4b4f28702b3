package server

import (
	"context"
	"path/filepath"

	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/disk"
)

// openBackups makes ready to freeze the server's state for those who copy it.
func (s *Server) openBackups() (err error) {
	rooms := backup.Rooms{Meta: s.db, Objects: s.objects, HoldLake: s.lake.Hold, PauseLogs: s.logs.Pause, HoldLog: s.ingest.Hold, CopyLog: s.ingest.CopyLog}
	if s.leases, err = backup.OpenLeases(filepath.Join(s.cfg.Dir, "backup"), rooms, s.log); err != nil {
		return err
	}
	s.opened("backups", plain(s.leases))
	return nil
}

// openCopies starts to keep copies of the metadata beside tables in a bucket, so that the data folder can be recovered from there. In a folder they would be lost with it.
func (s *Server) openCopies(ctx context.Context) error {
	if s.cfg.StoreURL == "" {
		return nil
	}
	var err error
	s.copies, err = backup.OpenCopies(ctx, backup.CopiesConfig{Meta: s.db, Objects: s.objects, Flush: s.Flush, Wake: s.changed, Dir: filepath.Join(s.cfg.Dir, "copies"), Log: s.log, Registerer: s.metrics})
	if err != nil {
		return err
	}
	s.opened("copies of the metadata", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		return s.copies.Close(ctx)
	})
	return nil
}

// tellAddress writes where the server answers to the data folder, for commands that are given the folder alone. After a crash it says so of a server that is gone; the lock
// tells.
func (s *Server) tellAddress() error {
	return disk.WriteFile(disk.OS, filepath.Join(s.cfg.Dir, backup.AddressFile), []byte(s.URL()+"\n"))
}
