package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/verify"
	"github.com/lochlake/loch/verify/protocol"
	"github.com/lochlake/loch/verify/remote"
)

// liar stands between a server and who verifies it.
type liar struct {
	*httptest.Server
	mu  sync.Mutex
	lie func(w http.ResponseWriter, r *http.Request, pass http.Handler) // nil: all passes
}

func newLiar(t *testing.T, s *Server) *liar {
	t.Helper()
	at, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(at) // which leaves the host as it was signed
	l := &liar{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		lie := l.lie
		l.mu.Unlock()
		if lie == nil {
			pass.ServeHTTP(w, r)
			return
		}
		lie(w, r, pass)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *liar) tell(lie func(w http.ResponseWriter, r *http.Request, pass http.Handler)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

// changing lets answers pass, those to paths in which a part occurs changed.
func changing(part string, change func([]byte) []byte) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if !strings.Contains(r.Method+" "+r.URL.Path, part) {
			pass.ServeHTTP(w, r)
			return
		}
		got := httptest.NewRecorder()
		pass.ServeHTTP(got, r)
		w.WriteHeader(got.Code)
		_, _ = w.Write(change(got.Body.Bytes()))
	}
}

// moments changes what the server says of a store's moment.
func moments(t *testing.T, change func(*protocol.Snapshot)) func(http.ResponseWriter, *http.Request, http.Handler) {
	return changing("POST /loch/v1/stores/", func(b []byte) []byte {
		var s protocol.Snapshot
		if err := json.Unmarshal(b, &s); err != nil {
			t.Error(err)
		}
		change(&s)
		b, err := json.Marshal(s)
		if err != nil {
			t.Error(err)
		}
		return b
	})
}

// reader verifies a server over the network by its root key.
type reader struct {
	t      *testing.T
	server *Server
	remote remote.Server
}

func newReader(t *testing.T, s *Server, endpoint string) reader {
	t.Helper()
	c, err := client.WithCredentials(endpoint, s.cfg.Region, credentials.NewStaticCredentialsProvider(s.key.ID, s.key.Secret, ""))
	if err != nil {
		t.Fatal(err)
	}
	return reader{t, s, remote.Server{Client: c}}
}

func (r reader) run(opt verify.Options) (verify.Report, error) {
	opt.Key, opt.TempDir = r.server.ProofKey(), r.t.TempDir()
	return verify.RunServer(r.t.Context(), opt, r.remote)
}

func (r reader) clean(opt verify.Options) verify.Report {
	r.t.Helper()
	report, err := r.run(opt)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range report.Findings {
		r.t.Errorf("%s %s: %s", f.Store, f.Object, f.Problem)
	}
	return report
}

// TestVerifyRunning: a running server is verified over the network, its event histories and deleted stores too, while events come, files are merged and snapshots expire; what it finds is what is
// found of the stopped one.
func TestVerifyRunning(t *testing.T) {
	s := newSender(t, open(t, Config{CommitInterval: time.Millisecond, CompactionQuiet: time.Millisecond, CompactionShare: 1, AuditEventsRate: 1e6}), "audit")
	if err := s.registry.EnsureHistory(t.Context(), "444455556666"); err != nil { // of another account
		t.Fatal(err)
	}
	sc := s.registry.Readable()[0].Scope
	var held []meta.Hold
	for _, store := range []string{s.store, s.store} {
		h, err := s.registry.PlaceHold(t.Context(), sc, "arn:aws:iam::"+sc.Account+":root", store, time.Now(), time.Time{}, "case 7")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, h)
	}
	if _, err := s.registry.LiftHold(t.Context(), sc, "me", held[0].ID, "it is over"); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, s.Server, s.URL())
	seen := verify.Seen{}
	if report := r.clean(verify.Options{Full: true, Seen: seen}); report.Stores != 2 || len(seen) != 2 || len(report.Unverified) > 0 {
		t.Errorf("without events: %+v %v", report, seen)
	}
	stop := make(chan struct{})
	sending := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop: // between two calls: one that was cut off might have its events taken later
				sending <- nil
				return
			default:
			}
			if err := s.send(t.Context(), 3); err != nil {
				sending <- err
				return
			}
		}
	}()
	var last int64
	for n := 0; n < 40 && last < 600; n++ {
		var progress int64
		report := r.clean(verify.Options{Full: true, Seen: seen, Progress: func(done, total, _ int64) {
			if done > total || done < progress {
				t.Errorf("%d of %d bytes are done, after %d", done, total, progress)
			}
			progress = done
		}})
		if report.Events < last || report.Checked != report.Events || report.Bytes != progress {
			t.Errorf("after %d events: %+v, and %d bytes by its progress", last, report, progress)
		}
		last = report.Events
	}
	close(stop)
	if err := <-sending; err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := r.clean(verify.Options{Full: true, Seen: seen})
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(s.cfg.Dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	still, err := verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: db, Key: s.ProofKey(), Full: true})
	if err != nil || len(still.Findings) > 0 {
		t.Fatalf("%+v, %v", still, err)
	}
	if report.Checked != still.Checked || report.Checked < int64(s.sent) || report.Stores != still.Stores || report.Leaves < 50 {
		t.Errorf("over the network %+v, beside the server %+v", report, still)
	}
}

// TestServerThatLies: whatever a server does to what a verifier asks for is found and named, as in a folder that was tampered with.
func TestServerThatLies(t *testing.T) {
	s := newSender(t, open(t, Config{NoCompaction: true, AuditEventsRate: 1e6}), "audit")
	for range 3 {
		s.mustSend(t, 40)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sc := s.registry.Readable()[0].Scope
	if _, err := s.registry.PlaceHold(t.Context(), sc, "me", s.store, time.Now(), time.Time{}, "case 7"); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := newLiar(t, s.Server)
	r := newReader(t, s.Server, l.URL)
	seen := verify.Seen{}
	var asked []string // paths of objects
	var mu sync.Mutex
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		if strings.Contains(q.URL.Path, "/objects/") {
			mu.Lock()
			asked = append(asked, q.URL.Path)
			mu.Unlock()
		}
		pass.ServeHTTP(w, q)
	})
	r.clean(verify.Options{Full: true, Seen: seen})
	var old protocol.Snapshot
	l.tell(moments(t, func(now *protocol.Snapshot) { old = *now }))
	r.clean(verify.Options{Seen: seen})
	found := func(what, object string, opt verify.Options) {
		t.Helper()
		report, err := r.run(opt)
		if err != nil || !slices.ContainsFunc(report.Findings, func(f verify.Finding) bool { return f.Store == s.store && strings.Contains(f.Object, object) }) {
			t.Errorf("%s: %s is not named: %v, %v", what, object, report.Findings, err)
		}
	}

	kinds := map[string]bool{}
	for _, path := range asked {
		_, object, _ := strings.Cut(path, "/objects/")
		if !strings.Contains(path, s.store) {
			continue
		}
		kind := regexp.MustCompile(`[0-9a-f-]{30,}|[0-9]+`).ReplaceAllString(object, "")
		if kinds[kind] {
			continue
		}
		kinds[kind] = true
		folder, rest, _ := strings.Cut(object, "/")
		object = folder + "/" + s.store + "/" + rest
		l.tell(changing(path, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }))
		found("a byte changed", object, verify.Options{})
		l.tell(changing(path, func(b []byte) []byte { return b[:len(b)-1] }))
		found("the last byte is missing", object, verify.Options{})
		l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
			if q.URL.Path == path {
				http.NotFound(w, q)
				return
			}
			pass.ServeHTTP(w, q)
		})
		switch {
		case strings.HasSuffix(object, ".metadata.json"): // an old one, which is on its way out: in a folder, too, none need be there
		case strings.HasSuffix(object, ".avro"):
			found("hidden", "metadata.json", verify.Options{}) // the error names the manifest
		default:
			found("hidden", object, verify.Options{})
		}
	}
	if len(kinds) < 5 {
		t.Errorf("objects of these kinds were read alone: %v", kinds)
	}

	lies := map[string]struct {
		object string
		lie    func(*protocol.Snapshot)
	}{
		"other table metadata":      {"metadata.json", func(n *protocol.Snapshot) { n.Metadata[len(n.Metadata)/2] ^= 1 }},
		"another place":             {"metadata: table", func(n *protocol.Snapshot) { n.Standing.Table.Location += "x" }},
		"no table":                  {"metadata: table", func(n *protocol.Snapshot) { n.Standing.Table, n.Metadata = nil, nil }},
		"other settings":            {"metadata", func(n *protocol.Snapshot) { n.Standing.Store.RetentionDays++ }},
		"no hold":                   {"hold", func(n *protocol.Snapshot) { n.Standing.Holds = nil }},
		"a lifted hold":             {"hold", func(n *protocol.Snapshot) { n.Standing.Holds[0].Lifted = time.Now() }},
		"no store":                  {"metadata", func(n *protocol.Snapshot) { n.Standing.Store = nil }},
		"leaves that never were":    {"logs/", func(n *protocol.Snapshot) { n.Standing.LogSize++ }},
		"a checkpoint of other use": {"checkpoint", func(n *protocol.Snapshot) { n.Checkpoint[len(n.Checkpoint)-5] ^= 1 }},
		"no checkpoint":             {"logs/", func(n *protocol.Snapshot) { n.Checkpoint = nil }},
	}
	for what, c := range lies {
		l.tell(moments(t, func(n *protocol.Snapshot) {
			if n.Standing.Store != nil && n.Standing.Store.ID == s.store {
				c.lie(n)
			}
		}))
		found(what, c.object, verify.Options{})
	}

	// Set back: the checkpoint alone contradicts the metadata; all of it contradicts what the verifier remembers.
	s.mustSend(t, 5)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.tell(nil)
	r.clean(verify.Options{Seen: seen})
	l.tell(moments(t, func(n *protocol.Snapshot) {
		if n.Standing.Store.ID == s.store {
			n.Checkpoint = old.Checkpoint
		}
	}))
	found("an older checkpoint", "logs/", verify.Options{})
	found("an older checkpoint", "checkpoint", verify.Options{Seen: seen})
	l.tell(moments(t, func(n *protocol.Snapshot) {
		if n.Standing.Store.ID == s.store {
			*n = old
		}
	}))
	r.clean(verify.Options{}) // who remembers nothing cannot know
	found("all as it was", "checkpoint", verify.Options{Seen: seen})

	// A store that is not listed, and its log is gone.
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		switch {
		case q.URL.Path == "/loch/v1/verification":
			fmt.Fprint(w, `{"stores":[]}`)
		case strings.HasSuffix(q.URL.Path, s.store+"/checkpoint"):
			http.NotFound(w, q)
		default:
			pass.ServeHTTP(w, q)
		}
	})
	found("a store that is hidden", "logs/"+s.store, verify.Options{Seen: seen})
	l.tell(changing("/loch/v1/verification", func([]byte) []byte { return []byte(`{"stores":[]}`) }))
	report := r.clean(verify.Options{Seen: seen})
	if !slices.ContainsFunc(report.Unverified, func(u verify.Unverified) bool { return u.Store == s.store }) {
		t.Errorf("a store that is not listed: %+v", report)
	}

	// One that the caller may not read.
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		if strings.HasSuffix(q.URL.Path, s.store+"/snapshots") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not you"}`)
			return
		}
		pass.ServeHTTP(w, q)
	})
	report = r.clean(verify.Options{Seen: seen})
	if len(report.Unverified) != 1 || report.Unverified[0].Store != s.store || !strings.Contains(report.Unverified[0].Reason, "not you") {
		t.Errorf("a store that may not be read: %+v", report)
	}

	// A file that does not end, and one of metadata.
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		if strings.HasSuffix(q.URL.Path, ".parquet") {
			for range 64 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
			t.Error("64 MB of a small file were read")
			return
		}
		pass.ServeHTTP(w, q)
	})
	found("a file without end", ".parquet", verify.Options{})
}

// TestVerifyOverABadNetwork: connections that break are made anew, and a server that is started anew meanwhile, which keeps nothing of a snapshot, is asked for another one.
func TestVerifyOverABadNetwork(t *testing.T) {
	s := newSender(t, open(t, Config{AuditEventsRate: 1e6}), "audit")
	s.mustSend(t, 100)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := newLiar(t, s.Server)
	r := newReader(t, s.Server, l.URL)
	var cuts int
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		if !strings.Contains(q.URL.Path, "/objects/tables/data/") {
			pass.ServeHTTP(w, q)
			return
		}
		got := httptest.NewRecorder()
		pass.ServeHTTP(got, q)
		for k, v := range got.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(got.Code)
		body := got.Body.Bytes()
		if part := body[:(len(body)+1)/2]; len(part) < len(body) {
			cuts++
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	})
	if report := r.clean(verify.Options{Full: true}); cuts < 5 || report.Checked != int64(s.sent) {
		t.Errorf("%d cuts: %+v", cuts, report)
	}

	var taken, lost int
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		switch {
		case q.Method == http.MethodPost && strings.Contains(q.URL.Path, s.store):
			taken++
		case strings.HasSuffix(q.URL.Path, ".parquet") && taken == 1:
			s.snapshots.EndAll() // as a new start does
			lost++
			http.NotFound(w, q)
			return
		}
		pass.ServeHTTP(w, q)
	})
	if report := r.clean(verify.Options{Full: true}); lost == 0 || taken != 2 || report.Checked != int64(s.sent) || report.Stores != 1 {
		t.Errorf("%d snapshots, %d lost: %+v", taken, lost, report)
	}
	// One that says so each time hides nothing by it.
	l.tell(func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		switch {
		case q.Method == http.MethodPut:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"SnapshotNotFoundException","message":"gone"}`)
		case strings.HasSuffix(q.URL.Path, ".parquet"):
			http.NotFound(w, q)
		default:
			pass.ServeHTTP(w, q)
		}
	})
	report, err := r.run(verify.Options{})
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Problem != "missing" {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestObjectsOfOneStore: what is served of a store is its own table and log, whatever the path says, and a range is a range.
func TestObjectsOfOneStore(t *testing.T) {
	s := newSender(t, open(t, Config{AuditEventsRate: 1e6}), "audit")
	s.mustSend(t, 20)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := s.registry.CreateUnfiltered(t.Context(), s.registry.Readable()[0].Scope, "other", event.CloudTrail)
	if err != nil {
		t.Fatal(err)
	}
	var list protocol.Objects
	if err := s.client.Get(t.Context(), "/loch/v1/stores/"+s.store+"/objects?folder=tables", &list); err != nil || len(list.Objects) < 5 || list.More {
		t.Fatalf("%+v, %v", list, err)
	}
	get := func(path, from string) (int, http.Header, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/loch/v1/stores/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			req.Header.Set("Range", from)
		}
		if err := s.client.Sign(t.Context(), req, "cloudtrail", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, b
	}
	for _, o := range list.Objects {
		path := s.store + "/objects/tables/" + strings.TrimPrefix(o.Key, "tables/"+s.store+"/")
		status, _, whole := get(path, "")
		in, err := s.objects.Get(t.Context(), o.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(in)
		in.Close()
		if err != nil || status != 200 || !bytes.Equal(whole, want) || int64(len(want)) != o.Size {
			t.Errorf("%s: %d, %d bytes of %d, %v", o.Key, status, len(whole), len(want), err)
		}
		for from, part := range map[string][]byte{"bytes=10-": want[10:], "bytes=0-0": want[:1], "bytes=3-12": want[3:13], "bytes=5-99999999999": want[5:]} {
			status, head, b := get(path, from)
			if status != 206 || !bytes.Equal(b, part) || !strings.HasSuffix(head.Get("Content-Range"), fmt.Sprintf("/%d", len(want))) {
				t.Errorf("%s of %s: %d %s, %d bytes, want %d", from, o.Key, status, head.Get("Content-Range"), len(b), len(part))
			}
		}
		for _, from := range []string{"bytes=-5", "bytes=5-3", "bytes=1-2,4-5", "lines=1-2", "bytes=x-"} {
			if status, _, b := get(path, from); status != 200 || !bytes.Equal(b, want) {
				t.Errorf("%s of %s: %d, %d bytes", from, o.Key, status, len(b))
			}
		}
		if status, _, _ := get(path, fmt.Sprintf("bytes=%d-", len(want))); status != 416 {
			t.Errorf("beyond the end of %s: %d", o.Key, status)
		}
	}
	for _, path := range []string{
		s.store + "/objects/meta.db", s.store + "/objects/tables/../meta.db", s.store + "/objects/tables%2F..%2F..%2Fmeta.db", s.store + "/objects/tables/..%2F" + other.ID + "%2Fmetadata", s.store + "/objects/tables/..%2f..%2f..%2fcredentials",
		s.store + "/objects/tables/" + other.ID + "/metadata", s.store + "/objects/logs/.state", s.store + "/objects/tables/%00", s.store + "/objects/tables/metadata", s.store + "/objects/tables", s.store + "/objects/keys/proof.key", s.store + "/objects/tables//etc/passwd",
		"..%2F..%2F/objects/tables/x", "x/objects/tables/x", strings.Repeat("0", 36) + "/objects/tables/x",
	} {
		if status, _, b := get(path, ""); status != 404 && status != 400 {
			t.Errorf("%s: %d, %d bytes", path, status, len(b))
		}
	}
	for _, q := range []string{"folder=wal", "", "folder=tables&after=tables/" + other.ID, "folder=logs&after=" + list.Objects[0].Key} {
		if status, _, _ := get(s.store+"/objects?"+q, ""); status != 400 {
			t.Errorf("?%s: %d", q, status)
		}
	}
	var snap protocol.Snapshot
	if err := s.client.Do(t.Context(), http.MethodPost, "/loch/v1/stores/"+s.store+"/snapshots", &snap); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, store string
		works         bool
	}{{"PUT", other.ID, false}, {"DELETE", other.ID, false}, {"PUT", s.store, true}, {"DELETE", s.store, true}, {"PUT", s.store, false}, {"DELETE", s.store, false}} {
		err := s.client.Do(t.Context(), c.method, "/loch/v1/stores/"+c.store+"/snapshots/"+snap.ID, &struct{}{})
		if e, _ := errors.AsType[*client.Error](err); (err == nil) != c.works || err != nil && e.Code != "SnapshotNotFoundException" {
			t.Errorf("%s of store %s: %v", c.method, c.store, err)
		}
	}
	err = s.client.Do(t.Context(), http.MethodPost, "/loch/v1/stores/"+strings.Repeat("0", 8)+"-0000-0000-0000-"+strings.Repeat("0", 12)+"/snapshots", &snap)
	if e, _ := errors.AsType[*client.Error](err); e == nil || e.Code != "EventDataStoreNotFoundException" {
		t.Errorf("of no store: %v", err)
	}
	resp, err := http.Get(s.URL() + "/loch/v1/stores/" + s.store + "/objects/" + strings.Replace(list.Objects[0].Key, s.store+"/", "", 1))
	if err != nil || resp.StatusCode != 403 {
		t.Errorf("unsigned: %v, %v", resp, err)
	}
	resp.Body.Close()
}
