package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/query"
	"github.com/lochlake/loch/signing"
)

// Results gives the rows of finished queries; *query.Service does.
type Results interface {
	Read(ctx context.Context, id string, columns func(names []string) error, row func(texts [][]byte) error) error
}

// Config is what a Service is made of.
type Config struct {
	DB        meta.DB
	Results   Results
	Keys      *signing.Keys
	Targets   Targets
	Dir       string          // of the files being delivered; what a crash left there is removed
	Wake      <-chan struct{} // says that a query's results wait
	PartBytes int64           // compressed size past which another file begins; 0: 128 MiB
	Pause     time.Duration   // before the second try, doubled with each up to 5 minutes; 0: 2 s
	GiveUp    time.Duration   // after the query's end; 0: 24 h
	Log       *slog.Logger    // nil: none
	Metrics   prometheus.Registerer
	Now       func() time.Time // nil: time.Now
}

const (
	atOnce   = 2    // deliveries under way
	inView   = 1000 // deliveries that wait, of which the loop knows; the others' turn comes
	maxPause = 5 * time.Minute
)

// Service delivers what waits for it: what is to be delivered is a state of the query, kept in the metadata, so that a delivery survives a restart.
type Service struct {
	cfg   Config
	ended *prometheus.CounterVec
	ctx   context.Context // ends when the service closes
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

// Open begins to deliver.
func Open(cfg Config) (*Service, error) {
	if cfg.PartBytes <= 0 {
		cfg.PartBytes = partBytes
	}
	if cfg.Pause <= 0 {
		cfg.Pause = 2 * time.Second
	}
	if cfg.GiveUp <= 0 {
		cfg.GiveUp = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of deliveries: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(cfg.Dir, "delivery-*"))
	if err != nil {
		return nil, fmt.Errorf("directory of deliveries: %w", err)
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil {
			return nil, fmt.Errorf("what an earlier delivery left: %w", err)
		}
	}
	s := &Service{cfg: cfg}
	s.ended = promauto.With(cfg.Metrics).NewCounterVec(prometheus.CounterOpts{Name: "loch_query_deliveries_total", Help: "Deliveries of query results that ended, by state."}, []string{"status"})
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.wg.Go(s.run)
	return s, nil
}

// Close ends the deliveries under way and waits for them. They begin anew at the next Open.
func (s *Service) Close() error {
	s.stop()
	s.wg.Wait()
	return nil
}

// try is what the loop remembers of a delivery that did not come about yet.
type try struct {
	n    int
	next time.Time
}

// attempted is the end of one attempt.
type attempted struct {
	id    string
	again bool
}

// run is the loop: it starts what is due, at most atOnce at a time.
func (s *Service) run() {
	busy, tries := map[string]bool{}, map[string]try{}
	over := make(chan attempted, atOnce) // never full: no more than atOnce are busy
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		list, err := s.cfg.DB.PendingDeliveries(s.ctx, inView)
		if err != nil && s.ctx.Err() == nil {
			s.cfg.Log.Error("query results to deliver", "error", err)
		}
		pause := maxPause
		forget(tries, list)
		for _, q := range list {
			wait := tries[q.ID].next.Sub(s.cfg.Now())
			if busy[q.ID] || len(busy) == atOnce {
				continue
			}
			if wait > 0 {
				pause = min(pause, wait)
				continue
			}
			busy[q.ID] = true
			wg.Go(func() {
				over <- attempted{q.ID, s.attempt(q) != nil}
			})
		}
		timer := time.NewTimer(pause)
		select {
		case <-s.ctx.Done():
			timer.Stop()
			return
		case a := <-over:
			delete(busy, a.id)
			if n := tries[a.id].n; a.again {
				tries[a.id] = try{n + 1, s.cfg.Now().Add(min(s.cfg.Pause<<min(n, 20), maxPause))}
			}
		case <-s.cfg.Wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// forget drops what is remembered of deliveries that no longer wait.
func forget(tries map[string]try, list []meta.Query) {
	waits := map[string]bool{}
	for _, q := range list {
		waits[q.ID] = true
	}
	for id := range tries {
		if !waits[id] {
			delete(tries, id)
		}
	}
}

// attempt tries to deliver, and records the end. An error means that it is to be tried again.
func (s *Service) attempt(q meta.Query) error {
	err := s.deliver(s.ctx, q)
	if err != nil && s.ctx.Err() != nil {
		return err // the server is closing
	}
	status, why := query.DeliverySuccess, ""
	if err != nil {
		if !final(err) && s.cfg.Now().Sub(q.Ended) < s.cfg.GiveUp {
			s.cfg.Log.Warn("query results could not be delivered; it is tried again", "query", q.ID, "to", q.DeliveryURI, "error", err)
			return err
		}
		status, why = outcome(err)
		s.cfg.Log.Error("query results could not be delivered", "query", q.ID, "to", q.DeliveryURI, "status", status, "error", err)
	}
	if err := s.record(q.ID, status, why); err != nil {
		s.cfg.Log.Error("the end of a delivery", "query", q.ID, "status", status, "error", err)
		return err
	}
	s.ended.WithLabelValues(strings.ToLower(status)).Inc()
	return nil
}

// recordTime bounds how long the end of a delivery may take to record, which happens also while the service closes.
const recordTime = 30 * time.Second

func (s *Service) record(id, status, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTime)
	defer cancel()
	_, err := s.cfg.DB.UpdateQuery(ctx, id, func(q *meta.Query) error {
		q.Delivery, q.Error = status, why
		return nil
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil // the query was forgotten meanwhile
	}
	return err
}
