// Package registry holds the rules and states of event data stores, channels and their tags, and tells ingest where events go. It knows no
// wire protocol and no storage format; tables are made and dropped through Lake.
package registry

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/selector"
)

// Lake is what the registry needs of the tables; *lake.Lake is one.
type Lake interface {
	// CreateTable makes a store's empty table; that there is one already is no error.
	CreateTable(ctx context.Context, storeID string, kind event.Kind) error
	// DropTable removes a store's table and all its files; that there is none, or half of one, is no error.
	DropTable(ctx context.Context, storeID string) error
	// RetireTable refuses every further use of a store's table, whose files are to go; it fails where something uses it now.
	RetireTable(ctx context.Context, storeID string) error
}

// Quotas bound what an account may have in a region ("Quotas in AWS CloudTrail").
type Quotas struct {
	Stores   int // event data stores, in any state; 0: AWS's 10
	Channels int // 0: AWS's 25
}

// Config is what a Registry is made of.
type Config struct {
	DB   meta.DB
	Lake Lake
	// ManagementAccount is the account that may make organisation stores: stores that take the events of every account of this server.
	// "": there is no organisation.
	ManagementAccount string
	Quotas            Quotas
	// RetentionGrace is how long nothing goes by a store's retention after UpdateStore lowered it: so long it can be raised again and everything is still there. 0: seven days.
	RetentionGrace time.Duration
	Log            *slog.Logger     // nil: slog.Default()
	Now            func() time.Time // nil: time.Now
	// Latest is the time that waits are counted from: never before the last that is known to be right, so that a clock that went back cuts none short. It is not called by New. nil: Now.
	Latest func() time.Time
}

// maxHistories bounds the accounts that have an event history, since events may name any.
const maxHistories = 10_000

// Registry is safe for many goroutines. It must be the only one that changes stores and channels in its metadata.
type Registry struct {
	cfg    Config
	now    func() time.Time
	latest func() time.Time
	log    *slog.Logger

	current atomic.Pointer[snapshot] // what ingest sees; replaced whole on every change

	mu       sync.Mutex      // held by the one change that goes on
	dropping map[string]bool // stores whose table is retired, and that are still in the metadata
	sweeping sync.Mutex      // held by Sweep

	attemptsMu sync.Mutex
	attempts   map[string]*Ingestion // by channel ID; those not yet written to the metadata
}

// snapshot is every store, and the compiled selectors. It does not change.
type snapshot struct {
	stores    map[string]*store   // by ID
	accounts  map[string][]*store // those that are enabled, by account
	everyones []*store            // those enabled that take the events of every account
	histories int
}

type store struct {
	meta.EventDataStore
	target ingest.Target
}

// New reads the stores. What a crash left half made is removed: whoever asked for it got no answer.
func New(ctx context.Context, cfg Config) (*Registry, error) {
	if cfg.Quotas.Stores == 0 {
		cfg.Quotas.Stores = 10
	}
	if cfg.Quotas.Channels == 0 {
		cfg.Quotas.Channels = 25
	}
	if cfg.RetentionGrace == 0 {
		cfg.RetentionGrace = retentionGrace
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	r := &Registry{cfg: cfg, log: cfg.Log, dropping: map[string]bool{}, attempts: map[string]*Ingestion{}}
	if cfg.Latest == nil {
		cfg.Latest = cfg.Now
	}
	r.now = func() time.Time { return cfg.Now().UTC().Truncate(time.Millisecond) } // as the metadata keeps times
	r.latest = func() time.Time { return cfg.Latest().UTC().Truncate(time.Millisecond) }
	all, err := cfg.DB.Stores(ctx, meta.Scope{}, "", 0)
	if err != nil {
		return nil, fmt.Errorf("reading event data stores: %w", err)
	}
	stores := map[string]*store{}
	for _, s := range all {
		if s.Status == Created {
			if err := r.remove(ctx, s.ID); err != nil {
				// The tables are away. Nobody was told of it: it goes at the next start, or when its name is wanted.
				r.log.ErrorContext(ctx, "an event data store that was not made to the end is not removed", "store", s.ID, "name", s.Name, "error", err)
				continue
			}
			r.log.WarnContext(ctx, "removed an event data store that was not made to the end", "store", s.ID, "name", s.Name)
			continue
		}
		if stores[s.ID], err = compile(s); err != nil {
			return nil, err
		}
	}
	r.current.Store(index(stores))
	return r, nil
}

// compile makes ingest's view of a store.
func compile(s meta.EventDataStore) (*store, error) {
	t := ingest.Target{Scope: s.Scope, StoreID: s.ID, Kind: event.Kind(s.Kind), MultiRegion: s.MultiRegion, Organization: s.Organization, RetentionDays: s.RetentionDays}
	if len(s.Selectors) > 0 { // else it is one of CreateUnfiltered's
		set, err := selector.Compile(s.Selectors)
		if err != nil {
			return nil, fmt.Errorf("event data store %s: %w", s.ID, err)
		}
		t.Selectors = set
	}
	return &store{s, t}, nil
}

func index(stores map[string]*store) *snapshot {
	n := &snapshot{stores: stores, accounts: map[string][]*store{}}
	for _, id := range slices.Sorted(maps.Keys(stores)) {
		s := stores[id]
		if s.Internal {
			n.histories++
		}
		switch {
		case s.Status != Enabled:
		case s.Organization:
			n.everyones = append(n.everyones, s)
		default:
			n.accounts[s.Account] = append(n.accounts[s.Account], s)
		}
	}
	return n
}

// publish shows ingest a changed store. The caller holds mu.
func (r *Registry) publish(s *store) {
	stores := maps.Clone(r.current.Load().stores)
	stores[s.ID] = s
	r.current.Store(index(stores))
}

// remove drops a store's table and forgets the store.
func (r *Registry) remove(ctx context.Context, id string) error {
	if err := r.cfg.Lake.DropTable(ctx, id); err != nil {
		return err
	}
	return r.cfg.DB.DeleteStore(ctx, id)
}

// Live gives the enabled stores that live events of the account and region reach, event history among them, which is made on an account's
// first event. It is ingest.Stores' method.
func (r *Registry) Live(ctx context.Context, sc meta.Scope) ([]ingest.Target, error) {
	now := r.current.Load()
	if id := HistoryID(sc.Account); now.stores[id] == nil {
		if err := r.EnsureHistory(ctx, sc.Account); err != nil {
			return nil, err
		}
		now = r.current.Load()
	}
	var out []ingest.Target
	for _, list := range [2][]*store{now.accounts[sc.Account], now.everyones} {
		for _, s := range list {
			if s.MultiRegion || s.Region == sc.Region {
				out = append(out, s.target)
			}
		}
	}
	return out, nil
}

// Target gives one store in any state, as imports and channels name it, or meta.ErrNotFound. It is ingest.Stores' method.
func (r *Registry) Target(_ context.Context, storeID string) (ingest.Target, error) {
	if s := r.current.Load().stores[storeID]; s != nil {
		return s.target, nil
	}
	return ingest.Target{}, fmt.Errorf("event data store %s: %w", storeID, meta.ErrNotFound)
}

// Flush writes down the channels' latest attempts. Its owner calls it every few minutes.
func (r *Registry) Flush(ctx context.Context) error { return r.flush(ctx) }

// Close writes down the channels' latest attempts.
func (r *Registry) Close(ctx context.Context) error { return r.flush(ctx) }
