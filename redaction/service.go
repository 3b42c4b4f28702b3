// Package redaction takes events out of a store where law demands it: their text and columns go, from the table and from everything else that the server keeps, and a tombstone and a leaf of the
// store's transparency log stay, so that every proof of what is left holds.
//
// An erasure is one commit of the table. What held the event before is removed behind it: results of queries, files and metadata of older snapshots, segments of the durable log, parts in the
// cache. What is still to be removed is noted before the commit and forgotten after it, so that a crash at any point leaves a later start to go on.
package redaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// Tables is the lake as redaction uses it; *lake.Lake is one.
type Tables interface {
	Under(ctx context.Context, storeID, eventID string, fn func(*lake.Kept, []byte) error) error
	Erase(ctx context.Context, storeID string, e lake.Erasure) ([]lake.Kept, error)
	CleanseFrom(ctx context.Context, storeID string) (int64, error)
	Cleanse(ctx context.Context, storeID string, from int64, gone func(key string) error) error
}

// Stores finds a store of a scope; *registry.Registry does.
type Stores interface {
	Store(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error)
	StoreByName(ctx context.Context, sc meta.Scope, name string) (meta.EventDataStore, error)
}

// Ingest is what redaction needs of the way in; *ingest.Ingest is it.
type Ingest interface {
	Flush(ctx context.Context) error
	Forget(ctx context.Context) error
	Quarantined() ([]string, error)
}

// Queries forgets what queries answered; *query.Service does.
type Queries interface {
	// Forget removes the results of those over a store that have ended, and names those that run; ForgetEnded those of one of them, for whose end it waits.
	Forget(ctx context.Context, storeID string) (running []string, err error)
	ForgetEnded(ctx context.Context, id string) error
}

// Config is what a Service is made of.
type Config struct {
	DB         meta.DB
	Tables     Tables
	Stores     Stores
	Ingest     Ingest
	Queries    Queries
	Drop       func(key string) error // removes what is near of a remote object; nil: nothing ever is
	Dir        string                 // of files that are at work; emptied at the start
	Allowed    bool                   // whether anything may be erased
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed
	Every      time.Duration         // between two looks at what is still to be removed; 0: two seconds
	Now        func() time.Time      // of what leaves say; nil: time.Now
}

const (
	every     = 2 * time.Second
	patience  = 5 * time.Second // that a call waits for what is to be removed
	stepTime  = 5 * time.Second // that one step of a removal waits for others
	maxReason = 1000            // characters
	maxEvents = 100             // that one call erases: an ID that so many texts came under is none
)

// pendingKey is where the metadata has the stores of which something is still to be removed, as a list in JSON.
const pendingKey = "redaction.pending"

// Service erases events. Its methods may be called from many goroutines.
type Service struct {
	cfg     Config
	log     *slog.Logger
	erased  prometheus.Counter
	pending prometheus.Gauge
	stop    context.CancelFunc
	done    sync.WaitGroup

	turn chan struct{} // held by who erases or removes
	work map[string]*removal

	mu    sync.Mutex
	waits map[string][]string // by store: what the last try waits for
}

// Open begins to remove what the last end of the server left. Something may be left also where nothing may be erased any more.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Every == 0 {
		cfg.Every = every
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := errors.Join(os.RemoveAll(cfg.Dir), os.MkdirAll(cfg.Dir, 0o700)); err != nil {
		return nil, fmt.Errorf("open redaction: %w", err)
	}
	f := promauto.With(cfg.Registerer)
	s := &Service{cfg: cfg, log: cfg.Log, turn: make(chan struct{}, 1), work: map[string]*removal{}, waits: map[string][]string{},
		erased:  f.NewCounter(prometheus.CounterOpts{Name: "loch_redaction_erased_events_total", Help: "Events whose text and columns were erased."}),
		pending: f.NewGauge(prometheus.GaugeOpts{Name: "loch_redaction_pending", Help: "Stores of which something that holds an erased event is still to be removed."})}
	ids, err := noted(ctx, cfg.DB)
	if err != nil {
		return nil, fmt.Errorf("open redaction: %w", err)
	}
	for _, id := range ids {
		s.work[id] = &removal{}
	}
	s.pending.Set(float64(len(ids)))
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(func() { s.run(run) })
	return s, nil
}

// Close stops. What is still to be removed is by the next start.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

func (s *Service) run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if s.take(ctx) == nil {
			for _, id := range slices.Sorted(maps.Keys(s.work)) {
				s.remove(ctx, id)
			}
			<-s.turn
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Request names what is to be erased, and why.
type Request struct {
	Store   string // name, ID or ARN; or HistoryStore
	EventID string
	Reason  string
	By      string // ARN of the caller
	// Confirm must be the event's ID; without it nothing is erased, and the answer tells what would be.
	Confirm string
}

// HistoryStore names the account's event history in a Request.
const HistoryStore = "event-history"

// Event is one event under an ID.
type Event struct {
	ID       string `json:"eventId"`
	Time     string `json:"eventTime"`
	Source   string `json:"eventSource,omitempty"`
	Name     string `json:"eventName,omitempty"`
	Sequence int64  `json:"sequence"`
	Position int32  `json:"position"`
	Erased   bool   `json:"erased"` // before this call
}

// Answer is what a Request came to.
type Answer struct {
	Store   string   `json:"store"` // ID
	Events  []Event  `json:"events"`
	Erased  int      `json:"erased"`  // by this call
	Waits   []string `json:"waits"`   // what may still hold the event; it is removed in the background
	Also    []string `json:"also"`    // other stores of the account in the region that have an event under the ID
	Confirm bool     `json:"confirm"` // nothing was erased: the request must be confirmed
}

// Erase erases the events under an ID, all of them where texts differ. Its refusals are the API's errors.
func (s *Service) Erase(ctx context.Context, sc meta.Scope, r Request) (a Answer, err error) {
	if !s.cfg.Allowed {
		return a, awserr.New("RedactionNotAllowedException", "This server erases nothing: it was started without --allow-redaction.")
	}
	r.Reason = strings.TrimSpace(r.Reason)
	if n := utf8.RuneCountInString(r.Reason); n == 0 || n > maxReason || !utf8.ValidString(r.Reason) {
		return a, awserr.New("InvalidParameterException", "A redaction needs a reason, of at most %d characters.", maxReason)
	}
	if r.EventID == "" || len(r.EventID) > 1024 {
		return a, awserr.New("InvalidParameterException", "A redaction needs an event's ID.")
	}
	store, err := s.find(ctx, sc, r.Store)
	if err != nil {
		return a, err
	}
	a.Store, a.Events, a.Waits, a.Also = store.ID, []Event{}, []string{}, []string{} // lists also where they are empty
	if err := s.cfg.Ingest.Flush(ctx); err != nil {
		return a, fmt.Errorf("events wait for their tables: %w", err)
	}
	if err := s.take(ctx); err != nil {
		return a, err
	}
	defer func() { <-s.turn }()
	var kept []lake.Kept
	if a.Events, kept, err = s.under(ctx, store.ID, r.EventID); err != nil {
		return a, err
	}
	if len(a.Events) == 0 {
		return a, awserr.New("EventNotFoundException", "The event data store has no event %.100s.", r.EventID)
	}
	if len(a.Events) > maxEvents {
		return a, awserr.New("InvalidParameterException", "%d events are kept under the ID %.100s; at most %d are erased at once.", len(a.Events), r.EventID, maxEvents)
	}
	if a.Also, err = s.also(ctx, sc, store.ID, r.EventID); err != nil {
		return a, err
	}
	if err := s.mayErase(ctx, store.ID, kept); err != nil {
		return a, err
	}
	if r.Confirm != r.EventID {
		a.Confirm = true
		return a, nil
	}
	if len(kept) > 0 {
		if err := s.erase(ctx, store.ID, r, &a); err != nil {
			return a, err
		}
	}
	a.Waits = append(a.Waits, s.removeSoon(ctx, store.ID)...)
	return a, nil
}

// erase commits the erasure. What is to be removed behind it is noted before.
func (s *Service) erase(ctx context.Context, id string, r Request, a *Answer) error {
	was := s.work[id]
	s.work[id] = &removal{}
	if err := s.note(ctx); err != nil {
		return err
	}
	erased, err := s.cfg.Tables.Erase(ctx, id, lake.Erasure{EventID: r.EventID, Reason: r.Reason, By: r.By, At: s.cfg.Now(), Dir: s.cfg.Dir})
	if errors.Is(err, meta.ErrHeld) {
		if s.work[id] = was; was == nil {
			delete(s.work, id)
		}
		return errors.Join(held(err), s.note(ctx))
	}
	if err != nil {
		return err // it may have been committed: what is noted is removed, which does no harm
	}
	a.Erased = len(erased)
	s.erased.Add(float64(len(erased)))
	for i := range erased {
		s.log.WarnContext(ctx, "an event was erased", "store", id, "event", r.EventID, "sequence", erased[i].Sequence, "position", erased[i].Position, "by", r.By, "reason", r.Reason)
	}
	return nil
}

func held(err error) error { return awserr.New("EventOnHoldException", "The event is kept: %v.", err) }

// mayErase asks the store's holds, before anything is done. They are asked again in the commit.
func (s *Service) mayErase(ctx context.Context, id string, events []lake.Kept) error {
	holds, err := s.cfg.DB.Holds(ctx, id)
	if err != nil {
		return err
	}
	if err := lake.Held(events, holds); err != nil {
		return held(err)
	}
	return nil
}

func (s *Service) find(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error) {
	if id := registry.HistoryID(sc.Account); ref == HistoryStore || ref == id {
		store, err := s.cfg.DB.Store(ctx, id)
		if errors.Is(err, meta.ErrNotFound) {
			err = awserr.New("EventDataStoreNotFoundException", "The account has no event history: it has sent no events.")
		}
		return store, err
	}
	if store, err := s.cfg.Stores.StoreByName(ctx, sc, ref); err == nil {
		return store, nil
	}
	if _, err := uuid.Parse(ref); err != nil && !strings.Contains(ref, ":") {
		return meta.EventDataStore{}, awserr.New("EventDataStoreNotFoundException", "There is no event data store %.300s.", ref)
	}
	return s.cfg.Stores.Store(ctx, sc, ref)
}

// under gives the events under an ID, and those that are not erased.
func (s *Service) under(ctx context.Context, id, eventID string) (all []Event, kept []lake.Kept, err error) {
	err = s.cfg.Tables.Under(ctx, id, eventID, func(k *lake.Kept, text []byte) error {
		e := Event{ID: k.ID, Time: time.UnixMicro(k.Time).UTC().Format(time.RFC3339Nano), Sequence: k.Sequence, Position: k.Position, Erased: k.Erased}
		if !k.Erased {
			var says struct{ EventName, EventSource string }
			_ = json.Unmarshal(text, &says) // events of other kinds have other members
			e.Name, e.Source = says.EventName, says.EventSource
			kept = append(kept, *k)
		}
		all = append(all, e)
		return nil
	})
	return all, kept, err
}

// also names the other stores of the account in the region, and its event history, that have an event under the ID.
func (s *Service) also(ctx context.Context, sc meta.Scope, id, eventID string) ([]string, error) {
	stores, err := s.cfg.DB.Stores(ctx, sc, "", 0)
	if err != nil {
		return nil, err
	}
	history, err := s.cfg.DB.Store(ctx, registry.HistoryID(sc.Account))
	if err == nil {
		history.Name = HistoryStore
		stores = append(stores, history)
	} else if !errors.Is(err, meta.ErrNotFound) {
		return nil, err
	}
	names := []string{}
	for _, other := range stores {
		if other.ID == id {
			continue
		}
		_, kept, err := s.under(ctx, other.ID, eventID)
		if err != nil && !errors.Is(err, lake.ErrNoTable) {
			return nil, err
		}
		if len(kept) > 0 {
			names = append(names, other.Name)
		}
	}
	return names, nil
}
