package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/lochlake/loch/server"
	"github.com/lochlake/loch/tlog"
)

type serveCmd struct {
	Data   string `help:"Folder of everything the server keeps; made where it is missing." required:"" placeholder:"DIR" type:"path"`
	Listen string `help:"Address to listen on; port 0 picks a free one. Default: ${default}." default:"127.0.0.1:4510" placeholder:"ADDR"`
	KeyDir string `help:"Folder of the secrets (root key, token key, the keys that sign). Default: the data folder." placeholder:"DIR" type:"path"`
	serverFlags
	Witness        []string `help:"A witness that is asked to cosign the checkpoints of the transparency logs: the URL below which it takes them, and its key as NAME+ID+KEY; repeat it for several." sep:"none" placeholder:"URL=VKEY"`
	AllowRedaction bool     `help:"Let \"loch redact\" erase events. Start with it when there is something to erase, and without it again then."`
	LogLevel       string   `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	LogFormat      string   `help:"text or json, on standard error." enum:"text,json" default:"text"`
}

// serverFlags are the settings of the rooms behind the listener.
type serverFlags struct {
	Account string `help:"The 12-digit account of the root key. Default: the existing key's, 111122223333 for a new one." placeholder:"ID"`
	Region  string `help:"The region that the root key's clients sign for unless told otherwise. Default: ${default}." default:"us-east-1" placeholder:"NAME"`

	StoreURL string  `help:"Where the tables lie: s3://bucket/prefix. Default: the data folder." env:"LOCH_STORE_URL" placeholder:"URL"`
	S3       s3Flags `embed:"" prefix:"s3-" envprefix:"LOCH_S3_" group:"S3 of --store-url, of imports and of delivered results"`
	ImportS3 s3Flags `embed:"" prefix:"import-s3-" envprefix:"LOCH_IMPORT_S3_" group:"S3 of imports and of delivered results, where it is another"`

	Keep keepFlags `embed:""`

	CommitInterval  time.Duration `help:"How long accepted events may wait for company before they are committed to their table." default:"2s"`
	MaxStores       int           `help:"Event data stores an account may have in a region." default:"10"`
	AuditEventsRate float64       `help:"PutAuditEvents calls an account may make in a second in a region. Default: ${default}." default:"100" placeholder:"N"`
	CacheSize       bytesFlag     `help:"Local cache of remote objects, with --store-url." default:"10GB"`
	QueryMemory     bytesFlag     `help:"Memory of one query." default:"2GB"`
	QueryThreads    int           `help:"Threads of one query. Default: all cores." placeholder:"N"`
	QueryTemp       bytesFlag     `help:"Temporary files of one query." default:"20GB"`
	QueryTime       time.Duration `help:"Time of one query." default:"1h"`
	Engine          string        `help:"Where queries run: duckdb, which is inside, or trino=http://user@host:8080/catalog (docs/configuration.md). Default: ${default}." default:"duckdb" env:"LOCH_ENGINE" placeholder:"ENGINE"`
	QuerySlots      int           `help:"Queries that run at once; others of the ten an account may have wait. Default: one for each core." placeholder:"N"`

	Compaction      float64       `help:"Share of one core's time in which small files are merged while there is other work; 0: they are never merged. Default: ${default}." default:"0.2" placeholder:"SHARE"`
	RetentionGrace  time.Duration `help:"How long nothing goes from a store whose retention was lowered by UpdateEventDataStore: so long it can be raised again." default:"168h"`
	CompactionQuiet time.Duration `help:"How long a day must have got no events before the rest of its small files is merged." default:"2m"`
	CompactionEvery time.Duration `help:"How often tables are looked at for files to merge: for tests whose servers live shortly." default:"5s" hidden:""`
}

// Validate refuses shares, rates and numbers that mean nothing.
func (f *serverFlags) Validate() error {
	switch {
	case !(f.Compaction >= 0 && f.Compaction <= 1):
		return errors.New("--compaction is a share of a core's time: from 0 to 1")
	case f.MaxStores < 1:
		return errors.New("--max-stores must be at least 1")
	case !(f.AuditEventsRate > 0):
		return errors.New("--audit-events-rate must be more than 0")
	case f.QueryThreads < 0 || f.QuerySlots < 0:
		return errors.New("--query-threads and --query-slots must be at least 1")
	case f.CommitInterval <= 0 || f.QueryTime <= 0:
		return errors.New("--commit-interval and --query-time must be more than 0")
	case f.RetentionGrace < 0 || f.CompactionQuiet < 0 || f.CompactionEvery < 0:
		return errors.New("--retention-grace, --compaction-quiet and --compaction-every cannot be below 0")
	}
	return nil
}

type s3Flags struct {
	Endpoint  string `help:"URL of a compatible store. Default: AWS's." env:"ENDPOINT" placeholder:"URL"`
	Region    string `help:"Region." env:"REGION" placeholder:"NAME"`
	PathStyle bool   `help:"Bucket in the path, as most compatible stores want." env:"PATH_STYLE"`
	AccessKey string `help:"Access key. Default: the AWS environment's, profile's or instance's." env:"ACCESS_KEY" placeholder:"ID"`
	SecretKey string `help:"Secret key; better given by the environment." env:"SECRET_KEY" placeholder:"SECRET"`
}

func (f s3Flags) config() server.S3 {
	return server.S3{Endpoint: f.Endpoint, Region: f.Region, PathStyle: f.PathStyle, AccessKey: f.AccessKey, SecretKey: f.SecretKey}
}

func (f *serverFlags) config() server.Config {
	cfg := server.Config{Account: f.Account, Region: f.Region, StoreURL: f.StoreURL, StoreS3: f.S3.config(), ImportS3: f.ImportS3.config(),
		CommitInterval: f.CommitInterval, MaxStores: f.MaxStores, AuditEventsRate: f.AuditEventsRate, CacheBytes: int64(f.CacheSize), QueryMemory: int64(f.QueryMemory), QueryThreads: f.QueryThreads,
		QueryTemp: int64(f.QueryTemp), QueryTime: f.QueryTime, QuerySlots: f.QuerySlots, NoCompaction: f.Compaction <= 0, CompactionShare: f.Compaction, CompactionQuiet: f.CompactionQuiet, CompactionEvery: f.CompactionEvery, RetentionGrace: f.RetentionGrace, Engine: f.Engine}
	f.Keep.apply(&cfg)
	return cfg
}

// memoryTarget is what the Go runtime aims to stay under, well below what a server may take (768 MB): then the collector runs more often rather than let an import's garbage pile up.
const memoryTarget = 560 << 20

func (s *serveCmd) Run(ctx context.Context) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryTarget)
	}
	cfg := s.config()
	cfg.Dir, cfg.Listen, cfg.KeyDir = s.Data, s.Listen, s.KeyDir
	cfg.Log = logger(s.LogLevel, s.LogFormat)
	cfg.AllowRedaction = s.AllowRedaction
	for _, w := range s.Witness {
		witness, err := tlog.ParseWitness(w)
		if err != nil {
			return fmt.Errorf("--witness: %w", err)
		}
		cfg.Witnesses = append(cfg.Witnesses, witness)
	}
	srv, err := server.Open(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", srv.URL())
	fmt.Printf("proofs are signed by %s\n", srv.ProofKey())
	if srv.NewKey() {
		fmt.Fprintf(os.Stderr, "A root key for account %s was made. To use it:\n  export AWS_SHARED_CREDENTIALS_FILE=%s\n  aws --endpoint-url %s cloudtrail list-event-data-stores\n", srv.Account(), srv.CredentialsFile(), srv.URL())
	}
	select {
	case <-ctx.Done():
	case <-srv.Failed():
	}
	cfg.Log.Info("stopping: calls under way and commits are finished first")
	if err := srv.Close(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	cfg.Log.Info("stopped")
	return nil
}

func logger(level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	opt := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opt))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opt))
}
