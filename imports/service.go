// Package imports brings log files into event data stores: jobs that read an S3 bucket, as StartImport begins them, and sessions in which a client
// streams its local files. Both end in ingest; both remember which objects are in, so that a second run over the same source adds nothing.
package imports

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/semaphore"
)

// The states of an import, as the API names them.
const (
	Initializing = "INITIALIZING"
	InProgress   = "IN_PROGRESS"
	Failed       = "FAILED"
	Stopped      = "STOPPED"
	Completed    = "COMPLETED"
)

// Ticket stands for an accepted delivery: *ingest.Ticket is one.
type Ticket interface {
	// Wait tells what became of the events, once that is known.
	Wait(ctx context.Context) (meta.Counts, error)
}

// Config is what a Service is made of.
type Config struct {
	DB meta.DB
	// Accept makes a delivery durable: (*ingest.Ingest).Accept.
	Accept func(ctx context.Context, d ingest.Delivery) (Ticket, error)
	// Flush brings what was accepted to the tables: (*ingest.Ingest).Flush. An import is COMPLETED when queries see all of it.
	Flush func(ctx context.Context) error
	// S3 is how sources are reached: endpoint, region, path style and credentials. They are the server's own and never a caller's; URL is not used.
	S3      objstore.S3Config
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() time.Time // nil: time.Now
}

// The bounds of what is in memory at once, over all imports.
const (
	bytesInFlight = 64 << 20 // of objects as fetched or received
	fetchesAtOnce = 16       // requests to S3 of one import
	largeAtOnce   = 4        // large objects that are being read
	wholeObject   = 4 << 20  // objects up to this size are held whole; larger ones are read as they come
)

// Service runs imports.
type Service struct {
	Config
	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	bytes *semaphore.Weighted // of bytesInFlight
	large *semaphore.Weighted // large objects being read; each may hold a few batches
	cpu   chan struct{}       // decoders at work

	mu       sync.Mutex
	jobs     map[string]*job     // by import ID
	sessions map[string]*session // by import ID

	files    *prometheus.CounterVec
	failures prometheus.Counter
}

// New makes a Service. Resume brings unfinished imports of the last run back.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	f := promauto.With(c.Metrics)
	s := &Service{
		Config:   c,
		bytes:    semaphore.NewWeighted(bytesInFlight),
		large:    semaphore.NewWeighted(largeAtOnce),
		cpu:      make(chan struct{}, runtime.GOMAXPROCS(0)),
		jobs:     map[string]*job{},
		sessions: map[string]*session{},
		files: f.NewCounterVec(prometheus.CounterOpts{Name: "loch_import_files_total", Help: "Objects of imports, by what became of them: read, known, failed."},
			[]string{"outcome"}),
		failures: f.NewCounter(prometheus.CounterOpts{Name: "loch_import_failures_total", Help: "Entries of imports' lists of failures."}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.sweep)
	return s
}

// Close halts all imports where they are, so that Resume can go on with them, and waits for them. Ingest must still be running, so that what it has
// accepted is counted.
func (s *Service) Close() {
	s.cancel()
	s.wg.Wait()
}

// now is a time as metadata keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func newID() string { return uuid.NewString() }

// Get gives an import of the scope.
func (s *Service) Get(ctx context.Context, sc meta.Scope, id string) (meta.Import, error) {
	imp, err := s.DB.Import(ctx, id)
	if errors.Is(err, meta.ErrNotFound) || (err == nil && imp.Scope != sc) {
		return meta.Import{}, errNotFound(id)
	}
	if err != nil {
		return meta.Import{}, awserr.Internal(err)
	}
	return imp, nil
}

func errNotFound(id string) error {
	return awserr.New("ImportNotFoundException", "There is no import %.100s.", id)
}

// List gives, newest first, at most limit imports that StartImport began, after the one with the ID after; store and status narrow where not "".
// next is "" where there are no more.
func (s *Service) List(ctx context.Context, sc meta.Scope, storeID, status, after string, limit int) (list []meta.Import, next string, err error) {
	for {
		page, err := s.DB.Imports(ctx, sc, storeID, status, after, limit+1)
		if err != nil {
			return nil, "", awserr.Internal(err)
		}
		for _, imp := range page {
			if !fromAPI(imp) {
				continue
			}
			if len(list) == limit {
				last := list[limit-1]
				return list, meta.Position(last.Created, last.ID), nil
			}
			list = append(list, imp)
		}
		if len(page) <= limit {
			return list, "", nil
		}
		last := page[len(page)-1]
		after = meta.Position(last.Created, last.ID)
	}
}

// fromAPI tells whether an import fits the API's shapes: an S3 source and a destination.
func fromAPI(imp meta.Import) bool {
	src, err := ParseSource(imp.Source)
	return err == nil && src.S3 != nil && len(imp.Stores) > 0
}

// Failures gives one page of what an import could not read, after the failure with the sequence number after.
func (s *Service) Failures(ctx context.Context, sc meta.Scope, id string, after int64, limit int) ([]meta.Failure, error) {
	if _, err := s.Get(ctx, sc, id); err != nil {
		return nil, err
	}
	list, err := s.DB.Failures(ctx, id, after, limit)
	if err != nil {
		return nil, awserr.Internal(err)
	}
	return list, nil
}

// setStatus moves an import to a status, unless change refuses.
func (s *Service) setStatus(ctx context.Context, id, status string, more func(*meta.Import)) (meta.Import, error) {
	return s.DB.UpdateImport(ctx, id, func(i *meta.Import) error {
		i.Status, i.Updated = status, s.now()
		if more != nil {
			more(i)
		}
		return nil
	})
}

// FailureMessage is what the API tells of a failure: it has no member for the offset.
func FailureMessage(f meta.Failure) string {
	if f.Offset < 0 {
		return f.Message
	}
	return fmt.Sprintf("%s (record at byte %d of the inflated file)", f.Message, f.Offset)
}
