package streamer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/imports/importstest"
	"github.com/lochlake/loch/imports/protocol"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/prometheus/client_golang/prometheus"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// server is a running server of which only the imports are real.
type server struct {
	t    *testing.T
	db   meta.DB
	lake *importstest.Lake
	s3   objstore.S3Config

	mu      sync.Mutex
	service *imports.Service
	handler http.Handler
	http    *httptest.Server
	before  func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place where it gives true
}

func newServer(t *testing.T) *server {
	s := &server{t: t, db: importstest.DB(t), lake: &importstest.Lake{}}
	s.start()
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h, before := s.handler, s.before
		s.mu.Unlock()
		if before == nil || !before(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		s.http.Close()
		s.service.Close()
	})
	return s
}

// start makes the server anew, over the same metadata, as a restart does.
func (s *server) start() {
	key := access.Key{ID: "AKIDEXAMPLE", Secret: "secret", Account: importstest.Scope.Account}
	a, err := api.New(api.Config{Keys: key, TokenKey: make([]byte, 32), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.service = importstest.Service(s.db, s.lake, s.s3)
	a.HandleImports(s.service)
	a.HandleStreams(s.service)
	s.handler = a
}

func (s *server) config() streamer.Config {
	return streamer.Config{Endpoint: s.http.URL, Region: importstest.Scope.Region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
}

func (s *server) run(opt streamer.Options) streamer.Summary {
	s.t.Helper()
	if opt.Store == "" {
		opt.Store = "audit"
	}
	sum, err := streamer.Run(s.t.Context(), s.config(), opt)
	if err != nil {
		s.t.Fatalf("%v (%+v)", err, sum)
	}
	if c := sum.Counts; c.Read != c.Stored+c.Known+c.Filtered+c.Expired+c.Bad || !sum.Settled {
		s.t.Errorf("counts do not add up: %+v", sum.Session)
	}
	return sum
}

// folder writes n files of m events.
func folder(t *testing.T, n, m int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		write(t, filepath.Join(dir, fmt.Sprint("d", i%7), fmt.Sprintf("f%04d.json.gz", i)), importstest.File(fmt.Sprint("e", i), m, noon))
	}
	return dir
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStream(t *testing.T) {
	s := newServer(t)
	dir := folder(t, 250, 8)
	write(t, filepath.Join(dir, ".hidden", "x.json"), []byte("{}"))
	var last streamer.Progress
	first := s.run(streamer.Options{Sources: []string{dir}, Progress: func(p streamer.Progress) {
		if p.Files < last.Files || p.Bytes < last.Bytes || p.Events < last.Events {
			t.Errorf("progress goes back: %+v after %+v", p, last)
		}
		last = p
	}})
	if first.Status != imports.Completed || first.Files != 250 || first.Counts.Stored != 2000 || s.lake.Len() != 2000 || first.Failed != 0 {
		t.Errorf("%+v", first)
	}
	if last.Files != 250 || last.FilesFound != 250 || last.Bytes != last.BytesFound || last.Bytes != first.Bytes || last.Events != 2000 || last.Counting {
		t.Errorf("progress at the end: %+v", last)
	}
	if first.Store != "arn:aws:cloudtrail:eu-central-1:111122223333:eventdatastore/"+importstest.StoreID {
		t.Errorf("store %s", first.Store)
	}

	again := s.run(streamer.Options{Sources: []string{dir}})
	if again.Files != 0 || again.FilesKnown != 250 || again.Counts != (protocol.Counts{}) {
		t.Errorf("again: %+v", again)
	}

	// Live is another target.
	live, err := streamer.Run(t.Context(), s.config(), streamer.Options{Sources: []string{filepath.Join(dir, "d0")}})
	if err != nil || live.Files != 36 || live.Counts.Known != 36*8 || live.Store != "" {
		t.Errorf("live: %+v, %v", live, err)
	}
	list, _, err := s.service.List(t.Context(), importstest.Scope, "", "", "", 10)
	if err != nil || len(list) != 0 {
		t.Errorf("the API's list shows streamed imports: %v, %v", list, err)
	}
}

func TestStreamBadFiles(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json.gz"), importstest.File("a", 3, noon))
	write(t, filepath.Join(dir, "b.json.gz"), importstest.File("b", 500, noon)[:1500])
	write(t, filepath.Join(dir, "c.txt"), []byte("notes"))
	write(t, filepath.Join(dir, "d.json"), []byte("[1,"+importstest.Record("d-0", noon)+"]"))
	locked := filepath.Join(dir, "e.json")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), locked); err != nil {
		t.Fatal(err)
	}
	sum := s.run(streamer.Options{Sources: []string{dir}})
	if sum.Status != imports.Completed || sum.Files != 4 || sum.Failed != int64(len(sum.Failures)) || sum.Failed != 1+sum.Counts.Bad {
		t.Errorf("%+v", sum)
	}
	for name, want := range map[string]struct {
		kind   string
		offset int64
	}{"b.json.gz": {"TruncatedGzip", -1}, "c.txt": {"NotALogFile", -1}, "d.json": {"RecordNotObject", 1}, "e.json": {"FileUnreadable", -1}} {
		if !slices.ContainsFunc(sum.Failures, func(f protocol.Failure) bool {
			return f.Location == filepath.ToSlash(filepath.Join(dir, name)) && f.Type == want.kind && (f.Offset == want.offset || name == "b.json.gz") && f.Message != ""
		}) {
			t.Errorf("%s is not listed as %v: %+v", name, want, sum.Failures)
		}
	}
	again := s.run(streamer.Options{Sources: []string{dir}})
	if again.Counts.Stored != 0 || again.FilesKnown != 1 || again.Failed != sum.Failed {
		t.Errorf("again: %+v", again)
	}
}

func TestStreamOfATime(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	for d := range 5 {
		at := noon.AddDate(0, 0, d)
		write(t, filepath.Join(dir, "AWSLogs/111122223333/CloudTrail/eu-central-1", at.Format("2006/01/02"),
			"111122223333_CloudTrail_eu-central-1_"+at.Add(5*time.Minute).Format("20060102T1504Z")+"_abc.json.gz"), importstest.File(fmt.Sprint("day", d), 4, at))
	}
	write(t, filepath.Join(dir, "loose.json.gz"), importstest.File("loose", 4, noon.AddDate(0, 0, 2)))
	opt := streamer.Options{Sources: []string{dir}, From: noon.AddDate(0, 0, 2), To: noon.AddDate(0, 0, 2).Add(time.Second)}
	sum := s.run(opt)
	if sum.Files != 2 || sum.Counts.Stored != 4 || sum.Counts.Filtered != 4 {
		t.Errorf("%+v", sum)
	}
	if again := s.run(opt); again.FilesKnown != 2 || again.Files != 0 {
		t.Errorf("again: %+v", again)
	}
	if all := s.run(streamer.Options{Sources: []string{dir}}); all.Files != 6 || all.Counts.Stored != 20 || all.Counts.Known != 4 {
		t.Errorf("all: %+v", all)
	}
}

// A large file goes in pieces; bad records in it keep their offsets, and the server may be started again in the middle.
func TestStreamLargeFile(t *testing.T) {
	s := newServer(t)
	path := filepath.Join(t.TempDir(), "large.json")
	const n = 40_000
	text := importstest.Plain("large", n, noon)
	write(t, path, text)
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	lines := strings.Repeat(importstest.Record("same", noon)+"\n", 30_000)
	write(t, bad, []byte(lines+"{broken\n"+importstest.Record("last", noon)+"\n"))

	var pieces atomic.Int64
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/objects") && pieces.Add(1) == 2 {
			s.service.Close()
			s.start()
		}
		return false
	}
	sum := s.run(streamer.Options{Sources: []string{path}})
	if s.lake.Len() != n || sum.Files != 1 || sum.Status != imports.Completed || sum.Counts.Stored+sum.Counts.Known < n {
		t.Errorf("%+v, %d events", sum, s.lake.Len())
	}
	if pieces.Load() < 4 {
		t.Errorf("%d pieces: the restart was not in the middle", pieces.Load())
	}
	if again := s.run(streamer.Options{Sources: []string{path}}); again.FilesKnown != 1 || again.Files != 0 {
		t.Errorf("again: %+v", again)
	}
	sum = s.run(streamer.Options{Sources: []string{bad}})
	if sum.Counts.Stored != 2 || sum.Counts.Known != 29_999 || sum.Failed != 1 || sum.Failures[0].Offset != int64(len(lines)) {
		t.Errorf("%+v", sum)
	}
	stranger := filepath.Join(t.TempDir(), "image.bin")
	write(t, stranger, []byte(strings.Repeat("\x00\xff", 8<<20)))
	pieces.Store(10)
	sum = s.run(streamer.Options{Sources: []string{stranger}})
	if sum.Failed != 1 || sum.Failures[0].Type != "NotALogFile" || pieces.Load() > 12 {
		t.Errorf("%+v after %d pieces", sum, pieces.Load()-10)
	}
}

func TestStreamStopAndGoOn(t *testing.T) {
	s := newServer(t)
	dir := folder(t, 400, 5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var taken atomic.Int64
	var open atomic.Bool
	s.lake.Gate = func(served context.Context, _ ingest.Delivery) error {
		if open.Load() || taken.Add(1) < 100 {
			return nil
		}
		cancel()
		<-served.Done() // the client has hung up
		return served.Err()
	}
	sum, err := streamer.Run(ctx, s.config(), streamer.Options{Store: "audit", Sources: []string{dir}})
	if !errors.Is(err, streamer.ErrStopped) || sum.Status != imports.Stopped || sum.Counts.Stored > int64(s.lake.Len()) {
		t.Fatalf("%+v, %v", sum, err)
	}
	if s.lake.Len() != 99*5 {
		t.Errorf("%d events were kept, of 99 files of 5", s.lake.Len())
	}
	open.Store(true)
	rest := s.run(streamer.Options{Sources: []string{dir}})
	if s.lake.Len() != 2000 || rest.FilesKnown == 0 || rest.Files+rest.FilesKnown != 400 {
		t.Errorf("%+v, %d events", rest, s.lake.Len())
	}
}

// A busy server, a lost answer and a refused delivery lose nothing and count nothing twice.
func TestStreamRetries(t *testing.T) {
	s := newServer(t)
	dir := folder(t, 300, 4)
	var n atomic.Int64
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/objects") {
			return false
		}
		switch n.Add(1) {
		case 1:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"__type":"ServiceUnavailableException","message":"busy"}`)
			return true
		case 2: // done, but the answer is lost
			s.handler.ServeHTTP(unheard{w, http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	var refused atomic.Bool
	s.lake.Gate = func(context.Context, ingest.Delivery) error {
		if refused.CompareAndSwap(false, true) {
			return ingest.ErrBusy
		}
		return nil
	}
	sum := s.run(streamer.Options{Sources: []string{dir}})
	if s.lake.Len() != 1200 || sum.Counts.Stored != 1200 {
		t.Errorf("%+v, %d events", sum, s.lake.Len())
	}
	if sum.Counts.Read != 1200+sum.Counts.Known {
		t.Errorf("%+v", sum.Counts)
	}
}

// unheard is a response that goes nowhere, over a connection that is there.
type unheard struct {
	w http.ResponseWriter
	h http.Header
}

func (u unheard) Header() http.Header         { return u.h }
func (u unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u unheard) WriteHeader(int)             {}
func (u unheard) Unwrap() http.ResponseWriter { return u.w }

func TestStreamErrors(t *testing.T) {
	s := newServer(t)
	dir := folder(t, 2, 1)
	for name, c := range map[string]struct {
		opt  streamer.Options
		cfg  func(*streamer.Config)
		want string
	}{
		"no store":  {streamer.Options{Store: "nope", Sources: []string{dir}}, nil, "EventDataStoreNotFoundException"},
		"no source": {streamer.Options{Store: "audit"}, nil, "no source"},
		"not there": {streamer.Options{Sources: []string{filepath.Join(dir, "gone")}}, nil, "no such file"},
		"no server": {streamer.Options{Sources: []string{dir}}, func(c *streamer.Config) { c.Endpoint, c.Attempts = "http://127.0.0.1:1", 2 }, "refused"},
		"wrong key": {streamer.Options{Sources: []string{dir}}, func(c *streamer.Config) {
			c.Credentials = credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", "")
		}, "InvalidSignature"},
		"backwards":  {streamer.Options{Sources: []string{dir}, From: noon, To: noon.Add(-time.Second)}, nil, "InvalidParameter"},
		"bad server": {streamer.Options{Sources: []string{dir}}, func(c *streamer.Config) { c.Endpoint = "nonsense" }, "http://host:port"},
	} {
		cfg := s.config()
		if c.cfg != nil {
			c.cfg(&cfg)
		}
		if _, err := streamer.Run(t.Context(), cfg, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunS3(t *testing.T) {
	srv := s3test.Start(t)
	url := srv.Bucket(t, "remote")
	st := srv.Open(t, url)
	for i := range 30 {
		body := string(importstest.File(fmt.Sprint("o", i), 10, noon))
		if err := st.Put(t.Context(), fmt.Sprintf("x/%02d.json.gz", i), strings.NewReader(body), int64(len(body)), false); err != nil {
			t.Fatal(err)
		}
	}
	s := newServer(t)
	s.service.Close()
	s.s3 = srv.Config("")
	s.start()
	sum, err := streamer.RunS3(t.Context(), s.config(), streamer.Options{Store: "audit", Sources: []string{url + "/x"}})
	if err != nil || sum.Status != imports.Completed || sum.Counts.Stored != 300 || sum.Files != 30 {
		t.Errorf("%+v, %v", sum, err)
	}
	live, err := streamer.RunS3(t.Context(), s.config(), streamer.Options{Sources: []string{url + "/x"}})
	if err != nil || live.Counts.Known != 300 {
		t.Errorf("live: %+v, %v", live, err)
	}
	_, err = streamer.RunS3(t.Context(), s.config(), streamer.Options{Store: "audit", Sources: []string{url + "/nothing"}})
	if err == nil || !strings.Contains(err.Error(), "InvalidImportSource") {
		t.Error(err)
	}
}
