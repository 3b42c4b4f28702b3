package server

import (
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

// tellAddress writes where the server answers to the data folder, for commands that are given the folder alone. After a crash it says so of a server that is gone; the lock
// tells.
func (s *Server) tellAddress() error {
	return disk.WriteFile(disk.OS, filepath.Join(s.cfg.Dir, backup.AddressFile), []byte(s.URL()+"\n"))
}
