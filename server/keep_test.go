package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objectlock"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify"
)

func reach(srv *s3test.Server) S3 {
	return S3{Endpoint: srv.Endpoint, Region: srv.Region, PathStyle: true, AccessKey: srv.AccessKey, SecretKey: srv.SecretKey}
}

// sendOld sends five events whose day is so many days ago, and gives that.
func (s *sender) sendOld(t *testing.T, days int) time.Time {
	t.Helper()
	today, _, _ := strings.Cut(begun, "T")
	now, err := time.Parse(time.RFC3339, begun)
	if err != nil {
		t.Fatal(err)
	}
	old := now.AddDate(0, 0, -days)
	in := events(s.sent, 5)
	for _, e := range in.AuditEvents {
		*e.EventData = strings.ReplaceAll(*e.EventData, today, old.Format(time.DateOnly))
	}
	var out model.PutAuditEventsResponse
	if err := s.client.PutAuditEvents(t.Context(), s.channel, in, &out); err != nil || len(out.Successful) != 5 {
		t.Fatal(out, err)
	}
	s.sent += 5
	return old
}

// TestLockedBucket: what is in a bucket with Object Lock is locked until its retention ends, for longer when that is raised; the server removes what it must all the same.
func TestLockedBucket(t *testing.T) {
	srv := s3test.StartVersions(t)
	s := open(t, Config{StoreURL: srv.LockBucket(t, "audit") + "/lake", StoreS3: reach(srv), ObjectLock: LockOn, NoCompaction: true})
	q := newSender(t, s, "kept")
	old := q.sendOld(t, 3)
	q.check(t)

	keeper := objectlock.New(objectlock.Config{Bucket: s.bucket, Files: s.lake, Tables: s.db.Tables, Retention: s.lockDays, Unmerged: true})
	lock := func(after time.Duration) {
		t.Helper()
		if err := keeper.Round(t.Context(), time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	lock(0)
	lock(2 * time.Hour) // by then nothing will be added to the old day
	files, err := s.lake.Finished(t.Context(), q.store, true)
	if err != nil || len(files) != 1 || files[0].End != old.Truncate(24*time.Hour).AddDate(0, 0, 1) {
		t.Fatal(files, err)
	}
	key := files[0].Key
	until := func(days int) {
		t.Helper()
		if got, err := s.bucket.Locked(t.Context(), key); err != nil || !got.Equal(files[0].End.AddDate(0, 0, days)) {
			t.Errorf("locked until %v, %v", got, err)
		}
	}
	until(366)
	if got, err := s.bucket.Locked(t.Context(), tlog.Reader{StoreID: q.store}.Key(proof.CheckpointPath)); err != nil || got.Before(time.Now().AddDate(0, 0, 366)) {
		t.Errorf("the checkpoint is locked until %v, %v", got, err)
	}
	for _, id := range srv.Versions(t, "audit", "lake/"+key) {
		if err := srv.RemoveVersion(t.Context(), "audit", "lake/"+key, id); err == nil {
			t.Error("a locked file was removed")
		}
	}
	days := int32(400)
	var updated model.UpdateEventDataStoreResponse
	for _, want := range []int{400, 400} {
		if err := q.client.Call(t.Context(), "UpdateEventDataStore", model.UpdateEventDataStoreRequest{EventDataStore: &q.store, RetentionPeriod: &days}, &updated); err != nil {
			t.Fatal(err)
		}
		lock(3 * time.Hour)
		until(want)
		days = 30 // lowered: a lock stays
	}
	q.check(t)

	if err := s.lake.DropTable(t.Context(), q.store); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bucket.Stat(t.Context(), key); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("a removed file: %v", err)
	}
	if left := srv.Versions(t, "audit", "lake/"+key); len(left) != 1 {
		t.Errorf("the locked versions of a removed file: %q", left)
	}
}

// TestHeldBucket: while a legal hold covers a day, nobody removes the versions of its files from the bucket, locked or not; those of other days, and all once it is lifted, go as their locks let them.
func TestHeldBucket(t *testing.T) {
	srv := s3test.StartVersions(t)
	s := open(t, Config{StoreURL: srv.LockBucket(t, "audit") + "/lake", StoreS3: reach(srv), ObjectLock: LockOn, NoCompaction: true})
	q := newSender(t, s, "kept")
	held := q.sendOld(t, 3).Truncate(24 * time.Hour)
	q.sendOld(t, 5)
	q.check(t)
	files, err := s.lake.Finished(t.Context(), q.store, true)
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	sc := meta.Scope{Account: s.Account(), Region: "us-east-1"}
	hold, err := s.registry.PlaceHold(t.Context(), sc, "me", q.store, held, held.Add(time.Hour), "case 7")
	if err != nil {
		t.Fatal(err)
	}
	keeper := objectlock.New(objectlock.Config{Bucket: s.bucket, Files: s.lake, Tables: s.db.Tables, Retention: s.lockDays, Holds: s.db.Holds, Removed: s.db.RemovedFiles, Unmerged: true})
	look := func() {
		t.Helper()
		if err := keeper.Round(t.Context(), time.Now()); err != nil { // nothing is locked within the first hour
			t.Fatal(err)
		}
	}
	remove := func(n int) error {
		key := "lake/" + files[n].Key
		return srv.RemoveVersion(t.Context(), "audit", key, srv.Versions(t, "audit", key)[0])
	}
	look()
	if err := remove(1); err == nil {
		t.Error("a file of the held day was removed")
	}
	q.check(t)
	if _, err := s.registry.LiftHold(t.Context(), sc, "me", hold.ID, "case closed"); err != nil {
		t.Fatal(err)
	}
	look()
	for n := range files {
		if err := remove(n); err != nil {
			t.Errorf("a file that is neither held nor locked: %v", err)
		}
	}
}

// TestKeepingSettings: what a folder or a bucket cannot do is refused at the start.
func TestKeepingSettings(t *testing.T) {
	srv := s3test.StartVersions(t)
	locked, plain := srv.LockBucket(t, "locked"), srv.Bucket(t, "plain")
	for want, cfg := range map[string]Config{
		"does not have Object Lock": {StoreURL: plain, ObjectLock: LockOn},
		"lifecycle rule":            {StoreURL: locked, ColdClass: "GLACIER_IR"},
		"STANDARD_IA, ONEZONE_IA":   {StoreURL: plain, ColdClass: "GLACIER"},
		"immutable files are":       {StoreURL: plain, Immutable: true},
		"a second path":             {StoreURL: plain, ColdPath: t.TempDir()},
		"lie in a folder":           {ColdClass: "GLACIER_IR"},
		"a bucket's":                {ObjectLock: LockOn},
	} {
		cfg.StoreS3, cfg.Dir, cfg.Listen = reach(srv), t.TempDir(), "127.0.0.1:0"
		s, err := Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("taken, without %q", want)
			_ = s.Close(t.Context())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, cfg := range []Config{{StoreURL: locked, ColdClass: "GLACIER_IR", ObjectLock: LockOff}, {StoreURL: plain, ColdClass: "GLACIER_IR"}, {ColdPath: t.TempDir()}} {
		cfg.StoreS3 = reach(srv)
		s := open(t, cfg)
		if s.mover == nil {
			t.Errorf("%+v moves nothing", cfg)
		}
		report, err := verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: s.db, Key: s.ProofKey()})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%v, %v", report, err)
		}
	}
}
