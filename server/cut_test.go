package server

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/verify"
)

// spoiling is a bucket behind a proxy that spoils answers.
type spoiling struct {
	*s3fault.Proxy
	server *s3test.Server
	bucket string // s3://name
}

func newSpoiling(t *testing.T, name string) *spoiling {
	t.Helper()
	srv := s3test.Start(t)
	proxy, err := s3fault.Start(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	return &spoiling{proxy, srv, srv.Bucket(t, name)}
}

// config is that of a server whose tables lie in the bucket.
func (p *spoiling) config(t *testing.T) Config {
	at := reach(p.server)
	at.Endpoint, at.Attempts = p.URL, 2
	return Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", StoreURL: p.bucket + "/lake", StoreS3: at, CommitInterval: 20 * time.Millisecond, NoCompaction: true}
}

// during spoils requests in that way while do runs, and holds that some were.
func (p *spoiling) during(t *testing.T, f s3fault.Fault, what string, do func()) {
	t.Helper()
	before := p.Spoilt()
	p.Spoil(f)
	do()
	p.Mend()
	if n := p.Spoilt() - before; n == 0 {
		t.Errorf("%s: no request was spoilt", what)
	} else {
		t.Logf("%s: %d requests were spoilt", what, n)
	}
}

// counted asks the server how many events the store has, and how many IDs.
func (s *sender) counted(ctx context.Context) (all, distinct int, err error) {
	sql := "SELECT count(*), count(DISTINCT eventID) FROM " + s.store
	_, err = s.client.Query(ctx, model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(row []client.Cell) error {
		var errs [2]error
		all, errs[0] = strconv.Atoi(row[0].Text)
		distinct, errs[1] = strconv.Atoi(row[1].Text)
		return errors.Join(errs[:]...)
	})
	return all, distinct, err
}

// TestCutAnswers: the bodies of the object store's answers break off in the middle, again and again, while a server starts, answers a query, merges files and is verified. Each of these
// waits or fails and says so; none takes half an object for a whole one. Then all goes on with what was there.
func TestCutAnswers(t *testing.T) {
	p := newSpoiling(t, "cut")
	cfg := p.config(t)
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, first, "kept")
	for range 4 { // each its file
		s.mustSend(t, 100)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	said := &heard{}
	cfg.Log = said.logger()
	p.during(t, s3fault.Fault{Kind: s3fault.CutAnswer}, "a start", func() {
		s.Server = open(t, cfg)
		if s.client, err = s.Client(); err != nil {
			t.Fatal(err)
		}
		s.mustSend(t, 10)
		s.awaitHealth(t, http.StatusOK, "store "+s.store+": events wait for their table", "fails since")
		if !strings.Contains(said.String(), "unexpected EOF") {
			t.Errorf("the log does not tell why:\n%s", said)
		}
	})
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	p.during(t, s3fault.Fault{Kind: s3fault.CutAnswer}, "a query", func() {
		if all, distinct, err := s.counted(t.Context()); err == nil {
			t.Errorf("an answer over cut files: %d events, %d IDs", all, distinct)
		}
	})
	if all, distinct, err := s.counted(t.Context()); err != nil || all != s.sent || distinct != s.sent {
		t.Errorf("after cut answers a query counts %d events and %d IDs of %d: %v", all, distinct, s.sent, err)
	}

	p.during(t, s3fault.Fault{Kind: s3fault.CutAnswer}, "compaction", func() {
		if _, err := s.lake.Compact(t.Context(), s.store); err == nil {
			t.Error("files were merged that could not be read")
		}
	})
	s.check(t)
	merged, err := s.lake.Compact(t.Context(), s.store)
	if err != nil || !merged {
		t.Errorf("after cut answers files are not merged: %v, %v", merged, err)
	}

	for _, of := range []string{"/checkpoint", "/tile/", "/metadata/", "/data/"} {
		only := func(r *http.Request) bool { return strings.Contains(r.URL.Path, of) }
		p.during(t, s3fault.Fault{Kind: s3fault.CutAnswer, Only: only}, "verification, of "+of, func() {
			report, err := verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: s.db, Key: s.ProofKey(), Full: true})
			if err == nil && len(report.Findings) == 0 {
				t.Errorf("a lake was verified whose %s could not be read", of)
			}
		})
	}
	s.check(t)
	if all, distinct, err := s.counted(t.Context()); err != nil || all != s.sent || distinct != s.sent {
		t.Errorf("in the end a query counts %d events and %d IDs of %d: %v", all, distinct, s.sent, err)
	}
}

// TestLostRaces: every write that wants its name to be free is told that it is taken. The bucket is not claimed, and no table used, until that is over. Copies of the metadata are put under another name when that is over; a backup is no point, and says
// so, and the next one is; tables and logs, whose names are new or whose content is the same, go on.
func TestLostRaces(t *testing.T) {
	p := newSpoiling(t, "races")
	said := &heard{}
	cfg := p.config(t)
	cfg.Log = said.logger()
	var first *Server
	p.during(t, s3fault.Fault{Kind: s3fault.LostRace}, "the first start's claim", func() {
		first = open(t, cfg)
		first.awaitHealth(t, http.StatusOK, "tables are not used")
	})
	s := newSender(t, first, "kept")
	newest := func() (key string) {
		t.Helper()
		err := s.objects.List(t.Context(), "metadata/", "", func(o objstore.Object) error { key = o.Key; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	p.during(t, s3fault.Fault{Kind: s3fault.LostRace}, "a copy of the metadata", func() {
		days := int32(400)
		var updated model.UpdateEventDataStoreResponse // which is copied soon
		if err := s.client.Call(t.Context(), "UpdateEventDataStore", model.UpdateEventDataStoreRequest{EventDataStore: &s.store, RetentionPeriod: &days}, &updated); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(said.String(), "the metadata was not copied") {
			s.mustSend(t, 1)
			time.Sleep(5 * time.Millisecond)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Errorf("tables and logs take nothing: %v", err)
		}
	})

	to := p.server.Config(p.bucket + "/backups")
	to.Endpoint, to.Attempts = p.URL, 2
	target, err := objstore.OpenS3(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	point := func(name string) error {
		lease, err := s.leases.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = backup.Run(t.Context(), backup.Options{Frozen: lease.Dir, Objects: s.objects, To: target, Name: name, KeyDir: s.cfg.KeyDir})
		return errors.Join(err, s.leases.End(t.Context(), lease.ID))
	}
	p.during(t, s3fault.Fault{Kind: s3fault.LostRace}, "a backup", func() {
		if err := point("lost"); !errors.Is(err, objstore.ErrExists) {
			t.Errorf("a point whose name is taken: %v", err)
		}
	})
	if points, _, err := backup.Points(t.Context(), target); err != nil || len(points) != 0 {
		t.Errorf("points after a lost race: %v, %v", points, err)
	}
	if err := point("kept"); err != nil {
		t.Error(err)
	}
	found, err := backup.Find(t.Context(), target, "")
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := backup.Check(t.Context(), target, &found, nil); err != nil || len(problems) > 0 || found.Name != "kept" {
		t.Errorf("the point %s: %v, %v", found.Name, problems, err)
	}

	restore := func(prefix string) error {
		back := p.server.Config(p.bucket + prefix)
		back.Endpoint, back.Attempts = p.URL, 2
		objects, err := objstore.OpenS3(t.Context(), back)
		if err != nil {
			t.Fatal(err)
		}
		return backup.Restore(t.Context(), backup.Restoring{From: target, Point: found, Dir: filepath.Join(t.TempDir(), "data"), Objects: objects})
	}
	p.during(t, s3fault.Fault{Kind: s3fault.LostRace}, "a restore", func() {
		if err := restore("/lost"); !errors.Is(err, objstore.ErrExists) {
			t.Errorf("files were put back over others: %v", err)
		}
	})
	if err := restore("/restored"); err != nil {
		t.Error(err)
	}
	s.mustSend(t, 10)
	s.check(t)
	before := newest()
	if err := s.copies.Close(t.Context()); err != nil || newest() <= before {
		t.Errorf("the metadata's newest copy is %q, and was %q: %v", newest(), before, err)
	}
}
