package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objectlock"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/registry"
)

// openFolder opens the folder that tables lie in where it is not a bucket.
func (s *Server) openFolder(ctx context.Context) (*objstore.Local, error) {
	if s.cfg.ColdClass != "" || s.cfg.ObjectLock == LockOn {
		return nil, errors.New("storage classes and Object Lock are a bucket's; the tables lie in a folder")
	}
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

// LockOn and LockOff are settings of Config.ObjectLock.
const (
	LockOn  = "on"
	LockOff = "off"
)

// openBucket opens the bucket that tables lie in.
func (s *Server) openBucket(ctx context.Context) (*objstore.S3, error) {
	c := s.cfg
	switch {
	case c.Immutable:
		return nil, errors.New("immutable files are those of a folder; the tables lie in a bucket")
	case c.ColdPath != "":
		return nil, errors.New("a second path for old days goes with tables in a folder; they lie in a bucket")
	case c.ColdClass != "" && !slices.Contains(objstore.ColdClasses, c.ColdClass):
		return nil, fmt.Errorf("%q is no storage class that objects are read from at once: %s", c.ColdClass, strings.Join(objstore.ColdClasses, ", "))
	}
	at := c.StoreS3.Store()
	at.URL = c.StoreURL
	bucket, err := objstore.OpenS3(ctx, at)
	if err != nil {
		return nil, err
	}
	s.bucket = bucket
	if c.ColdClass != "" {
		s.mover = objstore.S3Class{S3: bucket, Class: c.ColdClass}
	}
	if c.ObjectLock == LockOff || c.ObjectLock != LockOn && c.ColdClass == "" {
		return bucket, nil // where nothing hangs on it, the bucket is asked when it answers
	}
	lock, err := bucket.ObjectLock(ctx)
	switch {
	case err != nil:
		return nil, err
	case !lock.Enabled && c.ObjectLock == LockOn:
		return nil, fmt.Errorf("the bucket of %s does not have Object Lock enabled", c.StoreURL)
	case lock.Enabled && c.ColdClass != "":
		return nil, fmt.Errorf("the bucket of %s has Object Lock: a copy in another storage class would be paid for beside the locked version, until that may go. Let a lifecycle rule of the bucket move them", c.StoreURL)
	}
	return bucket, nil
}

// lock keeps what is in a bucket with Object Lock from being removed before its retention ends, in the background until the server closes, or run is done.
func (s *Server) lock(run context.Context) {
	if s.bucket == nil || s.cfg.ObjectLock == LockOff {
		return
	}
	keeper := objectlock.New(objectlock.Config{Bucket: s.bucket, Enabled: s.lockable, Files: s.lake, Tables: s.db.Tables, Retention: s.lockDays, Holds: s.db.Holds, Removed: s.db.RemovedFiles, Now: s.retention.Believed, Unmerged: s.cfg.NoCompaction, Logger: s.log, Registerer: s.metrics})
	ctx, stop := context.WithCancel(run)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		keeper.Run(ctx)
	}()
	s.opened("object lock", func(context.Context) error {
		stop()
		<-ended
		return nil
	})
}

// lockable asks the bucket for Object Lock, and says what follows from it.
func (s *Server) lockable(ctx context.Context) (bool, error) {
	lock, err := s.bucket.ObjectLock(ctx)
	if errors.Is(err, objstore.ErrDenied) {
		s.log.Warn("the server may not ask whether the bucket has Object Lock (s3:GetBucketObjectLockConfiguration); nothing is locked", "bucket", s.cfg.StoreURL)
		return false, nil
	}
	if err != nil || !lock.Enabled {
		return false, err
	}
	s.log.Info("the bucket has Object Lock: finished files, tiles and checkpoints are locked in compliance mode until their retention ends, and files that a legal hold covers are held", "bucket", s.cfg.StoreURL)
	if lock.Default {
		s.log.Warn("a rule of the bucket locks every object by default: files stay, and are paid for, after they were merged into others", "bucket", s.cfg.StoreURL)
	}
	if lock.Expires != nil && !*lock.Expires {
		s.log.Warn("the bucket keeps versions, and no lifecycle rule of it removes those that are not current: what the server removes when it is due is not gone", "bucket", s.cfg.StoreURL)
	}
	return true, nil
}

// lockDays is how many days after its day an event of the store is due to go; 0 for a store that is being deleted.
func (s *Server) lockDays(ctx context.Context, storeID string) (int, error) {
	store, err := s.db.Store(ctx, storeID)
	if errors.Is(err, meta.ErrNotFound) || err == nil && store.Status == registry.PendingDeletion {
		return 0, nil
	}
	return store.RetentionDays, err
}

// defaultColdDays is after how many days a day is old where nobody says.
const defaultColdDays = 90

// smallestCold is the size that S3's colder classes charge for at least, in bytes.
const smallestCold = 128 << 10

// cool moves files of old days to colder storage in the background until the server closes, or run is done.
func (s *Server) cool(run context.Context) {
	if s.mover == nil {
		return
	}
	days := s.cfg.ColdDays
	if days <= 0 {
		days = defaultColdDays
	}
	least := int64(0)
	if s.bucket != nil {
		least = smallestCold
	}
	ctx, stop := context.WithCancel(run)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.lake.RunCold(ctx, lake.Cold{Mover: s.mover, Days: days, Least: least, Share: s.cfg.CompactionShare, Unmerged: s.cfg.NoCompaction})
	}()
	s.opened("colder storage", func(context.Context) error {
		stop()
		<-ended
		return nil
	})
}
