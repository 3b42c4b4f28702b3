package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/catalog"
	"github.com/lochlake/loch/delivery"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/engine/trino"
	"github.com/lochlake/loch/history"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/query"
	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/retention"
	"github.com/lochlake/loch/samples"
	"github.com/lochlake/loch/signing"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify"
)

// openLogs opens the stores' transparency logs, which lie beside the tables.
func (s *Server) openLogs(objects objstore.Store) {
	s.objects = objects
	s.logs = tlog.Open(tlog.Config{Meta: s.db, Objects: objects, Key: s.logKey, Guard: s.guard, Logger: s.log, Registerer: s.metrics, Witnesses: s.cfg.Witnesses})
	s.opened("transparency logs", func(ctx context.Context) error {
		// Leaves that a store which takes nothing keeps from their log wait in the metadata for the next start.
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		return s.logs.Close(ctx)
	})
}

// provePatience bounds how long a proof waits for the log to cover an event that a table has.
const provePatience = 10 * time.Second

// prove makes an event's proof. A table has an event a moment before the log tells of it: then the log is waited for.
func (s *Server) prove(ctx context.Context, storeID, eventID string) (proof.File, error) {
	once := func() (proof.File, error) {
		return verify.Prove(ctx, s.lake, tlog.Reader{Objects: s.objects, StoreID: storeID}, s.ProofKey(), eventID)
	}
	f, err := once()
	if errors.Is(err, verify.ErrNotCovered) || errors.Is(err, objstore.ErrNotExist) {
		patient, cancel := context.WithTimeout(ctx, provePatience)
		flushed := s.logs.Flush(patient)
		cancel()
		if f, err = once(); err != nil {
			err = errors.Join(err, flushed) // which may be why
		}
	}
	if errors.Is(err, verify.ErrNoEvent) || errors.Is(err, verify.ErrNotCovered) || errors.Is(err, verify.ErrErased) || errors.Is(err, objstore.ErrNotExist) {
		err = fmt.Errorf("%w: %w", api.ErrNoProof, err)
	}
	return f, err
}

// openIngest opens what takes events in: the registry, which says where they go, retention, which says what time it is believed to be, the log, and imports, which go on where they stood.
func (s *Server) openIngest(ctx context.Context) (err error) {
	cfg := s.cfg
	s.registry, err = registry.New(ctx, registry.Config{DB: backup.Watch(sound{s.db, s.guard.Known}, s.changed), Lake: s.lake, ManagementAccount: s.key.Account, Quotas: registry.Quotas{Stores: cfg.MaxStores}, RetentionGrace: cfg.RetentionGrace,
		Log: s.log, Now: cfg.Now, Latest: func() time.Time { return s.retention.Latest() }}) // which is opened next, and before anything is asked for
	if err != nil {
		return err
	}
	s.opened("registry", s.registry.Close)
	s.retention, err = retention.Open(ctx, retention.Config{DB: s.db, Tables: s.lake, Stores: s.registry, Log: s.log, Registerer: s.metrics, Now: cfg.Now})
	if err != nil {
		return err
	}
	s.ingest, err = ingest.Open(ctx, ingest.Config{Dir: cfg.Dir, Stores: s.registry, Tables: s.lake, Meta: s.db, Logger: s.log, Registerer: s.metrics, ChunkDelay: cfg.CommitInterval, FS: cfg.Disk,
		Sound: s.guard.Known, Now: cfg.Now, Believed: s.retention.Believed})
	if err != nil {
		return err
	}
	s.opened("ingest", func(ctx context.Context) error {
		// While tables take nothing, what was accepted waits in the durable log; the server's end does not.
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		return s.ingest.Close(ctx)
	})
	s.imports = imports.New(imports.Config{DB: s.db, S3: cfg.ImportS3.Store(), Log: s.log, Metrics: s.metrics, Flush: s.ingest.Flush, Now: cfg.Now,
		Accept: func(ctx context.Context, d ingest.Delivery) (imports.Ticket, error) { return s.ingest.Accept(ctx, d) }})
	s.opened("imports", func(context.Context) error { s.imports.Close(); return nil })
	return s.imports.Resume(ctx)
}

// openTrino opens the Trino that the settings name, nil where they name none. It is asked nothing yet: it may start after Loch, whose catalog it reads.
func openTrino(cfg Config) (*trino.Engine, error) {
	if cfg.Engine == "" || cfg.Engine == "duckdb" {
		return nil, nil
	}
	at, ok := strings.CutPrefix(cfg.Engine, "trino=")
	if !ok {
		return nil, errors.New("the engine must be duckdb or trino=http://user@host:8080/catalog")
	}
	return trino.Open(at, cfg.Log)
}

// openQueries opens the life of queries, which run on eng, or beside it where there is a Trino, and the delivery of their results to where imports come from.
func (s *Server) openQueries(ctx context.Context, eng engine.Engine, beside *trino.Engine) (err error) {
	cfg := s.cfg
	if s.keys, err = signing.Open(cfg.KeyDir, cfg.Now); err != nil {
		return err
	}
	targets := delivery.Targets{S3: cfg.ImportS3.Store()}
	finished := make(chan struct{}, 1)
	s.queries, err = query.Open(ctx, query.Config{DB: s.db, Planner: s.lake, Engine: eng, Trino: beside, Dir: filepath.Join(cfg.Dir, "results"), Running: cfg.QuerySlots,
		Limits: engine.Limits{Memory: cfg.QueryMemory, Threads: cfg.QueryThreads, Temp: cfg.QueryTemp, Time: cfg.QueryTime}, Log: s.log, Registry: s.metrics,
		Template: samples.Template, CheckTarget: targets.Check, Deliveries: finished, Now: cfg.Now, Believed: s.retention.Believed})
	if err != nil {
		return err
	}
	s.opened("queries", plain(s.queries))
	deliveries, err := delivery.Open(delivery.Config{DB: s.db, Results: s.queries, Keys: s.keys, Targets: targets, Dir: filepath.Join(cfg.Dir, "deliveries"), Wake: finished,
		Log: s.log, Metrics: s.metrics, Now: cfg.Now})
	if err != nil {
		return err
	}
	s.opened("deliveries", plain(deliveries))
	return nil
}

// openCatalog opens the Iceberg catalog for other engines. It tells them where an S3-compatible store answers, and keeps the keys to itself: readers bring
// their own.
func (s *Server) openCatalog(tokenKey []byte) (*catalog.Catalog, error) {
	fileIO := map[string]string{}
	if at := s.cfg.StoreS3; s.cfg.StoreURL != "" {
		if at.Endpoint != "" {
			fileIO["s3.endpoint"] = at.Endpoint
			fileIO["s3.path-style-access"] = strconv.FormatBool(at.PathStyle)
		}
		if at.Region != "" {
			fileIO["s3.region"], fileIO["client.region"] = at.Region, at.Region // PyIceberg's name and Java's
		}
	}
	return catalog.New(catalog.Config{Stores: s.registry, Tables: s.lake, Keys: s.key, Engine: s.engine, TokenKey: tokenKey, FileIO: fileIO, Log: s.log, Metrics: s.metrics, Now: s.cfg.Now})
}

// openRedaction opens what erases events, and removes what an erasure before the last end left.
func (s *Server) openRedaction(ctx context.Context, cache *objstore.Cache) (err error) {
	cfg := redaction.Config{DB: s.db, Tables: s.lake, Stores: s.registry, Ingest: s.ingest, Queries: s.queries, Dir: filepath.Join(s.cfg.Dir, "redaction"), Allowed: s.cfg.AllowRedaction,
		Log: s.log, Registerer: s.metrics, Now: s.cfg.Now}
	if cache != nil {
		cfg.Drop = cache.Drop
	}
	if s.redaction, err = redaction.Open(ctx, cfg); err != nil {
		return err
	}
	s.opened("redaction", plain(s.redaction))
	return nil
}

// handle brings every family of operations to the front.
func (s *Server) handle(front *api.Server, eng engine.Engine) {
	front.HandleEventDataStores(s.registry)
	front.HandleChannels(s.registry)
	front.HandleTags(s.registry)
	front.HandleAuditEvents(api.AuditEvents{Channels: s.db, Ingest: s.ingest, Attempted: s.registry.Attempted, Rate: s.cfg.AuditEventsRate})
	front.HandleImports(s.imports)
	front.HandleStreams(s.imports)
	front.HandleQueries(s.queries)
	front.HandlePublicKeys(s.keys)
	front.HandleLogs(api.Logs{Stores: s.registry, Objects: s.objects, Key: s.ProofKey(), Prove: s.prove})
	front.HandleVerification(api.Verification{Stores: s.registry, Snapshots: s.snapshots, Objects: s.objects, Account: s.key.Account})
	front.HandleRetention(s.registry, s.retention)
	front.HandleHolds(s.registry, s.retention)
	front.HandleRedactions(s.redaction)
	front.HandleSampleQueries()
	front.HandleBackups(s.leases)
	front.HandleHistory(history.New(history.Config{Lake: s.lake, Engine: eng, StoreID: registry.HistoryID}), 0)
}
