package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/objstore/s3test"
)

// settled is a sender whose server is stopped and started again over one folder.
type settled struct {
	*sender
	dir  string
	cfg  Config // but for the folder, the address and the log
	said *heard
}

func (s *settled) start(t *testing.T) {
	t.Helper()
	s.said = &heard{}
	cfg := s.cfg
	cfg.Dir, cfg.Listen, cfg.CommitInterval, cfg.NoCompaction, cfg.Log = s.dir, "127.0.0.1:0", 10*time.Millisecond, true, s.said.logger()
	var err error
	if s.Server, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if s.client, err = s.Server.Client(); err != nil {
		t.Fatal(err)
	}
}

func (s *settled) end(t *testing.T) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// files gives what every file of the lake holds.
func (s *settled) files(t *testing.T) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	dir := filepath.Join(s.dir, "lake")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = sha256.Sum256(b)
		return err
	})
	if err != nil || len(all) < 20 {
		t.Fatal(len(all), "files:", err)
	}
	return all
}

// exchange puts metadata in the place of that which is there, and gives where that is now.
func (s *settled) exchange(t *testing.T, in string) (out string) {
	t.Helper()
	at := filepath.Join(s.dir, "meta.db")
	out = filepath.Join(t.TempDir(), "meta.db")
	if left, err := filepath.Glob(at + "-*"); err != nil || len(left) > 0 {
		t.Fatal(left, err) // of SQLite's, which would go with it
	}
	if err := os.Rename(at, out); err != nil {
		t.Fatal(err)
	}
	if in != "" {
		if err := os.Rename(in, at); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// newSettled has sent 24 batches, the second half of them after the metadata was copied; its server is stopped.
func newSettled(t *testing.T, cfg Config) (s *settled, old string) {
	t.Helper()
	s = &settled{sender: &sender{}, dir: t.TempDir(), cfg: cfg}
	s.start(t)
	s.sender = newSender(t, s.Server, "audit")
	batches := func() {
		for range 12 {
			s.mustSend(t, 10)
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	batches()
	old = filepath.Join(t.TempDir(), "meta.db")
	if err := s.db.CopyTo(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	batches()
	s.end(t)
	return s, old
}

// TestMetadataSetBack: over an older copy of the metadata a server says so, takes nothing, answers nothing and removes nothing. The newer one back, or made anew from tables and logs, all is as it was.
func TestMetadataSetBack(t *testing.T) {
	s, old := newSettled(t, Config{})
	newer := s.exchange(t, old)
	before := s.files(t)
	for path := range before { // all of a day and more ago
		at := time.Now().Add(-25 * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	s.start(t)
	s.awaitHealth(t, http.StatusServiceUnavailable, "store "+s.store+": its transparency log is newer than the metadata")
	s.awaitMetric(t, `loch_metadata_set_back{store="`+s.store+`"} 1`)
	if text := s.said.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "loch recover") || !strings.Contains(text, "has 50 leaves, the metadata knows of 26") {
		t.Error("the log does not say it:", text)
	}
	ctx := t.Context()
	code(t, s.send(ctx, 1), "ServiceUnavailable")
	if out, err := s.client.Query(ctx, model.StartQueryRequest{QueryStatement: new("SELECT count(*) FROM " + s.store)}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "set back") {
		t.Errorf("a query is answered: %+v, %v", out, err)
	}
	name := "another"
	code(t, s.client.Call(ctx, "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name}, &struct{}{}), "ServiceUnavailable")
	code(t, s.client.Call(ctx, "UpdateEventDataStore", model.UpdateEventDataStoreRequest{EventDataStore: &s.store, Name: &name}, &struct{}{}), "ServiceUnavailable")
	var held api.Hold
	code(t, s.client.PlaceHold(ctx, api.PlaceHold{Store: s.store, Reason: "case"}, &held), "ServiceUnavailable")
	for what, err := range map[string]error{
		"orphans":  s.lake.RemoveOrphans(ctx, s.store),
		"drop":     s.lake.DropTable(ctx, s.store),
		"retire":   s.lake.RetireTable(ctx, s.store),
		"flush":    s.Flush(ctx),
		"leaves":   s.logs.Flush(ctx),
		"copy":     func() error { _, err := s.logs.Pause(ctx); return err }(),
		"removals": func() error { _, _, err := s.lake.Removals(ctx, s.store); return err }(),
	} {
		if !errors.Is(err, meta.ErrSetBack) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.retention.Round(ctx); err != nil && !errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	begun := time.Now()
	s.end(t)
	if took := time.Since(begun); took > drainTime/2 {
		t.Errorf("the end waited %s for tables that take nothing", took)
	}
	if after := s.files(t); !maps.Equal(before, after) {
		t.Errorf("%d files of the lake are %d now, or others", len(before), len(after))
	}

	s.exchange(t, newer)
	s.start(t)
	s.awaitHealth(t, http.StatusOK, "ok\n")
	s.mustSend(t, 10)
	s.check(t)
	if n := s.seen(t); n != 250 {
		t.Errorf("%d events are seen of 250", n)
	}
	s.end(t)
}

// TestRecoveredFromSetBack is the same where the newer metadata is lost.
func TestRecoveredFromSetBack(t *testing.T) {
	s, old := newSettled(t, Config{})
	s.exchange(t, old)
	s.start(t)
	code(t, s.send(t.Context(), 1), "ServiceUnavailable")
	s.end(t)
	s.exchange(t, "")
	objects, err := objstore.OpenLocal(filepath.Join(s.dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Recover(t.Context(), backup.Recovering{Objects: objects, Dir: s.dir}); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	s.awaitHealth(t, http.StatusOK, "ok\n")
	s.check(t)
	s.end(t)
}

// TestMetadataSetBackWhileS3IsAway: while nobody can tell whether the metadata was set back, events are taken and no table is touched; they are not lost when it was.
func TestMetadataSetBackWhileS3IsAway(t *testing.T) {
	srv := s3test.Start(t)
	proxy, err := s3fault.Start(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	s, old := newSettled(t, Config{StoreURL: srv.Bucket(t, "back") + "/lake",
		StoreS3: S3{Endpoint: proxy.URL, Region: srv.Region, PathStyle: true, AccessKey: srv.AccessKey, SecretKey: srv.SecretKey, Attempts: 2}})
	newer := s.exchange(t, old)
	proxy.Spoil(s3fault.Fault{Kind: s3fault.Error503})
	s.start(t)
	s.awaitHealth(t, http.StatusOK, "tables are not used until the transparency logs can be read")
	s.mustSend(t, 10)
	proxy.Mend()
	s.awaitHealth(t, http.StatusServiceUnavailable, "store "+s.store+": its transparency log is newer than the metadata")
	code(t, s.send(t.Context(), 1), "ServiceUnavailable")
	s.end(t)

	s.exchange(t, newer)
	s.start(t)
	s.awaitHealth(t, http.StatusOK, "ok\n")
	s.mustSend(t, 10)
	s.check(t)
	s.end(t)
}
