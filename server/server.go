package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/catalog"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/query"
	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/retention"
	"github.com/lochlake/loch/signing"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify/snapshots"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Server is a running Loch.
type Server struct {
	cfg       Config
	key       access.Key
	newKey    bool
	log       *slog.Logger
	metrics   *prometheus.Registry
	engine    access.Key // of the Trino that runs the queries; without an ID it is not Trino that does
	db        meta.DB
	lake      *lake.Lake
	registry  *registry.Registry
	retention *retention.Service
	ingest    *ingest.Ingest
	imports   *imports.Service
	queries   *query.Service
	redaction *redaction.Service
	keys      *signing.Keys
	guard     *tlog.Guard
	logs      *tlog.Service
	logKey    proof.Key
	leases    *backup.Leases
	snapshots *snapshots.Service // that "loch verify" reads
	copies    *backup.Copies     // nil: the tables lie in a folder
	changed   chan struct{}      // told of what users change
	objects   objstore.Store
	bucket    *objstore.S3 // that the tables lie in; nil: they lie in a folder
	mover     lake.Mover   // to colder storage; nil: there is none
	http      *http.Server
	listener  net.Listener

	closers []closer // in the order of opening
	wg      sync.WaitGroup
	stop    context.CancelFunc // of the goroutines in wg
	failed  chan struct{}      // closed when serving ended by itself
	once    sync.Once
	err     error // why
}

type closer struct {
	name  string
	close func(context.Context) error
}

// drainTime bounds how long Close waits for calls in hand.
const drainTime = 30 * time.Second

// maxConnections bounds the connections that are open at once, those without a key among them: well below the files that a process may open.
const maxConnections = 2000

// Open starts a server; it answers when Open returns. On an error nothing is left running.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.KeyDir == "" {
		cfg.KeyDir = cfg.Dir
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:4510"
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.ImportS3 == (S3{}) {
		cfg.ImportS3 = cfg.StoreS3
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{cfg: cfg, log: cfg.Log, metrics: prometheus.NewRegistry(), stop: stop, failed: make(chan struct{}), changed: make(chan struct{}, 1)}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.open(ctx, run); err != nil {
		return nil, errors.Join(err, s.shut(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) opened(name string, close func(context.Context) error) {
	s.closers = append(s.closers, closer{name, close})
}

func plain(c io.Closer) func(context.Context) error {
	return func(context.Context) error { return c.Close() }
}

// open opens the rooms, each on those before it.
func (s *Server) open(ctx, run context.Context) error {
	cfg := s.cfg
	if cfg.StoreURL != "" && !strings.HasPrefix(cfg.StoreURL, "s3://") {
		return fmt.Errorf("the store's URL %q is none of the form s3://bucket/prefix", cfg.StoreURL)
	}
	beside, err := openTrino(cfg)
	if err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil { // first, so that a wrong address leaves no folder behind
		return err
	}
	s.opened("listener", func(context.Context) error {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) { // the end of serving closes it
			return err
		}
		return nil
	})
	for _, d := range []string{cfg.Dir, cfg.KeyDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	lock, err := disk.Lock(filepath.Join(cfg.Dir, "lock"))
	if errors.Is(err, disk.ErrLocked) {
		return fmt.Errorf("another loch serves %s already", cfg.Dir)
	}
	if err != nil {
		return err
	}
	s.opened("lock", plain(lock))

	_, err = os.Stat(filepath.Join(cfg.KeyDir, access.CredentialsFile))
	s.newKey = errors.Is(err, os.ErrNotExist)
	if s.newKey && cfg.Account == "" {
		cfg.Account = DefaultAccount
	}
	if s.key, err = access.OpenCredentials(cfg.KeyDir, cfg.Account, cfg.Region); err != nil {
		return err
	}
	tokenKey, err := access.OpenSecret(cfg.KeyDir, "token.key", 32)
	if err != nil {
		return err
	}
	if beside != nil {
		if s.engine, err = access.OpenEngineKey(cfg.KeyDir); err != nil {
			return err
		}
		s.opened("trino", plain(beside))
	}
	if s.db, err = meta.OpenSQLite(ctx, filepath.Join(cfg.Dir, "meta.db")); err != nil {
		return err
	}
	s.opened("metadata", plain(s.db))

	objects, fetcher, err := s.openObjects(ctx)
	if err != nil {
		return err
	}
	if err := lake.Locate(ctx, objects, s.db); err != nil {
		return err
	}
	if s.logKey, err = backup.OpenProofKey(ctx, s.db, cfg.KeyDir); err != nil { // made by the first start
		return err
	}
	if err := s.openGuard(ctx, objects); err != nil {
		return err
	}
	if s.lake, err = lake.Open(ctx, lake.Config{Objects: objects, Meta: s.db, Check: s.guard.Check, Logger: s.log, Registerer: s.metrics}); err != nil {
		return err
	}
	s.opened("lake", plain(s.lake))
	fetcher.lake = s.lake
	s.openLogs(objects)
	if !cfg.NoCompaction {
		s.compact(run)
	}
	s.cool(run)

	if err := s.openIngest(ctx); err != nil {
		return err
	}
	s.lock(run)
	s.retain(run)
	duck := engine.Config{TempDir: filepath.Join(cfg.Dir, "engine"), Log: s.log, Registry: s.metrics}
	if fetcher.cache != nil {
		duck.Fetcher = fetcher
	}
	eng, err := engine.NewDuckDB(duck)
	if err != nil {
		return err
	}
	s.opened("engine", plain(eng))
	if err := s.openQueries(ctx, eng, beside); err != nil {
		return err
	}
	if err := s.openRedaction(ctx, fetcher.cache); err != nil {
		return err
	}
	s.snapshots = snapshots.Open(snapshots.Config{Meta: s.db, Objects: s.objects, Keep: s.lake.Keep, Flush: s.logs.Flush, Pause: s.logs.Pause, Log: s.log})
	s.opened("snapshots", plain(s.snapshots))
	if err := s.openBackups(); err != nil {
		return err
	}
	if err := s.openCopies(ctx); err != nil {
		return err
	}
	return s.serve(tokenKey, eng)
}

// openObjects opens where tables lie, and the way by which the engine comes at remote ones.
func (s *Server) openObjects(ctx context.Context) (objstore.Store, *fetcher, error) {
	f := &fetcher{budget: s.cfg.CacheBytes}
	if s.cfg.StoreURL == "" {
		objects, err := s.openFolder(ctx)
		return objects, f, err
	}
	objects, err := s.openBucket(ctx)
	if err != nil {
		return nil, nil, err
	}
	if f.budget == 0 {
		f.budget = 10_000_000_000
	}
	if f.cache, err = objstore.NewCache(objects, filepath.Join(s.cfg.Dir, "cache"), f.budget, s.metrics); err != nil {
		return nil, nil, err
	}
	s.opened("cache", plain(f.cache))
	return objects, f, nil
}

// fetcher brings the parts of remote table files near that a query reads.
type fetcher struct {
	cache  *objstore.Cache
	lake   *lake.Lake
	budget int64
}

// Budget is half the cache, so that two queries can stage at once.
func (f *fetcher) Budget() int64 { return f.budget / 2 }

func (f *fetcher) ranges(ctx context.Context, file engine.File, columns []string) ([]objstore.Range, error) {
	return f.lake.Ranges(ctx, lake.File{Key: file.Key, Size: file.Size}, columns)
}

// Need tells the bytes of the columns' ranges.
func (f *fetcher) Need(ctx context.Context, file engine.File, columns []string) (int64, error) {
	ranges, err := f.ranges(ctx, file, columns)
	var sum int64
	for _, r := range ranges {
		sum += r.Len
	}
	return sum, err
}

// Sift writes the few rows of files that fulfil an equality to a file.
func (f *fetcher) Sift(ctx context.Context, schema *event.TableSchema, files []engine.File, columns []string, equal []engine.Equality, path string) (int64, bool, error) {
	these := make([]lake.File, len(files))
	for i, x := range files {
		these[i] = lake.File{Key: x.Key, Size: x.Size, Rows: x.Rows, Local: x.Local}
	}
	sought := make([]lake.Sought, len(equal))
	for i, e := range equal {
		sought[i] = lake.Sought(e)
	}
	found, ok, err := f.lake.Sift(ctx, schema, these, columns, sought, f.cache, path)
	return found.Bytes, ok, err
}

// Fetch makes those ranges readable in a local file.
func (f *fetcher) Fetch(ctx context.Context, file engine.File, columns []string) (string, func(), error) {
	ranges, err := f.ranges(ctx, file, columns)
	if err != nil {
		return "", func() {}, err
	}
	return f.cache.Fetch(ctx, file.Key, file.Size, ranges)
}

// serve builds the API, listens and answers.
func (s *Server) serve(tokenKey []byte, eng engine.Engine) error {
	front, err := api.New(api.Config{Keys: s.key, TokenKey: tokenKey, Log: s.log, Metrics: s.metrics, Now: s.cfg.Now})
	if err != nil {
		return err
	}
	s.handle(front, eng)
	front.HandleOpen("GET /healthz", http.HandlerFunc(s.health))
	front.HandleOpen("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	tables, err := s.openCatalog(tokenKey)
	if err != nil {
		return err
	}
	front.HandleOpen(catalog.Root+"/", tables)
	s.listener = api.Bounded(s.listener, maxConnections)
	s.http = front.HTTP()
	s.opened("http", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		return errors.Join(s.http.Shutdown(ctx), s.err)
	})
	s.wg.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
			close(s.failed)
		}
	})
	if err := s.tellAddress(); err != nil {
		return err
	}
	s.log.Info("serving", "url", s.URL(), "account", s.key.Account, "data", s.cfg.Dir, "proofKey", s.ProofKey().String())
	return nil
}

// compact merges small files in the background until the server closes, or run is done.
func (s *Server) compact(run context.Context) {
	ctx, stop := context.WithCancel(run)
	ended := make(chan error, 1)
	go func() {
		err := s.lake.RunCompaction(ctx, lake.Compaction{Dir: filepath.Join(s.cfg.Dir, "compaction"), Share: s.cfg.CompactionShare, Quiet: s.cfg.CompactionQuiet, Every: s.cfg.CompactionEvery})
		if err != nil {
			s.log.Error("files are not merged", "error", err)
		}
		ended <- err
	}()
	s.opened("compaction", func(context.Context) error {
		stop()
		return <-ended
	})
}

// Close drains: calls in hand are answered, imports stop where they can go on later, running queries end, everything accepted is committed.
func (s *Server) Close(ctx context.Context) error {
	s.once.Do(func() { s.err = s.shut(ctx) })
	return s.err
}

func (s *Server) shut(ctx context.Context) error {
	s.stop()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		c := s.closers[i]
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
	}
	s.wg.Wait()
	return errors.Join(errs...)
}

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Failed is closed when the server can serve no longer; Close tells why.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// NewKey tells whether this start made the root key.
func (s *Server) NewKey() bool { return s.newKey }

// Account is the root key's.
func (s *Server) Account() string { return s.key.Account }

// CredentialsFile is the root key's file.
func (s *Server) CredentialsFile() string {
	return filepath.Join(s.cfg.KeyDir, access.CredentialsFile)
}

// ProofKey is the public half of the key that signs the checkpoints of the stores' transparency logs.
func (s *Server) ProofKey() proof.PublicKey { return s.logKey.Public() }

// Client makes a client that calls the server over the wire with the root key.
func (s *Server) Client() (*client.Client, error) {
	return client.WithCredentials(s.URL(), s.cfg.Region, credentials.NewStaticCredentialsProvider(s.key.ID, s.key.Secret, ""))
}

// Flush returns when everything accepted before is in the tables and in the transparency logs.
func (s *Server) Flush(ctx context.Context) error {
	if err := s.ingest.Flush(ctx); err != nil {
		return err
	}
	return s.logs.Flush(ctx)
}
