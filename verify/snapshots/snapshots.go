// Package snapshots is the server's side of verifying it over the network: it says what a store is at one moment, and keeps what the store's table names then for as long as somebody reads.
package snapshots

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify/protocol"
)

// Lease is how long a snapshot lasts after it was taken or renewed last.
const Lease = time.Minute

const (
	patience  = 30 * time.Second // for taking one: what is being published and committed is waited for
	most      = 64               // snapshots at once
	oldest    = 24 * time.Hour   // of one, however often it is renewed: what was removed or erased meanwhile is kept for it
	mostWait  = 4096             // leaves that may wait for the log: a log that is well has published all but a second's
	mostBytes = 64 << 20
)

// Errors that callers distinguish.
var (
	ErrNone    = errors.New("there is no snapshot of that ID: it was not renewed in time, or the server was started anew")
	ErrTooMany = errors.New("as many snapshots are being read as can be")
	ErrNoStore = errors.New("there is no such store")
	ErrBehind  = errors.New("the store's transparency log takes no leaves, and too many wait for it")
)

// Config is what a Service is made of.
type Config struct {
	Meta    meta.DB
	Objects objstore.Store
	// Keep is lake.Lake's.
	Keep func(ctx context.Context, storeID string, look func(ctx context.Context) error) (release func(), err error)
	// Flush publishes the leaves that wait, and Pause keeps the transparency logs as they are; both are tlog.Service's.
	Flush func(ctx context.Context) error
	Pause func(ctx context.Context) (resume func(), err error)
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Service takes snapshots. Each lasts as long as somebody renews it, so that a reader that died keeps nothing for long.
type Service struct {
	cfg Config

	mu   sync.Mutex
	open map[string]*snapshot

	stop chan struct{}
	done sync.WaitGroup
}

type snapshot struct {
	store   string
	taken   time.Time
	until   time.Time
	release func() // nil: it is still being taken
}

// Open makes ready.
func Open(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg, open: map[string]*snapshot{}, stop: make(chan struct{})}
	s.done.Go(s.run)
	return s
}

func (s *Service) run() {
	tick := time.NewTicker(Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.expire()
		}
	}
}

// expire ends those that nobody renewed.
func (s *Service) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, sn := range s.open {
		if sn.release != nil && s.cfg.Now().After(sn.until) {
			s.cfg.Log.Warn("a verification ended without a word; what was kept for it is let go", "store", sn.store, "snapshot", id)
			delete(s.open, id)
			sn.release()
		}
	}
}

// Take takes a snapshot of a store.
func (s *Service) Take(ctx context.Context, storeID string) (out protocol.Snapshot, err error) {
	id := uuid.NewString()
	s.mu.Lock()
	if len(s.open) >= most {
		s.mu.Unlock()
		return out, ErrTooMany
	}
	s.open[id] = &snapshot{store: storeID}
	s.mu.Unlock()
	out, release, err := s.take(ctx, storeID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.open, id)
		return protocol.Snapshot{}, err
	}
	sn, now := s.open[id], s.cfg.Now()
	sn.taken, sn.until, sn.release = now, now.Add(Lease), release
	out.ID = id
	return out, nil
}

func (s *Service) take(ctx context.Context, storeID string) (out protocol.Snapshot, release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = s.cfg.Flush(ctx) // so that few leaves wait; the log of another store may be the one that takes none
	resume, err := s.cfg.Pause(ctx)
	if err != nil {
		return out, nil, err
	}
	defer resume() // leaves that the metadata has no more are under the checkpoint, and that covers none that the metadata does not know of
	out.Base = s.cfg.Objects.URI("")
	let, err := s.cfg.Keep(ctx, storeID, func(ctx context.Context) (err error) {
		if out.Standing, err = s.cfg.Meta.Standing(ctx, storeID, mostWait+1); err != nil || out.Standing.Table == nil {
			return err
		}
		key, ok := s.cfg.Objects.Key(out.Standing.Table.Location)
		if !ok {
			return nil // the reader says so
		}
		out.Metadata, err = s.read(ctx, key) // before a later commit removes it; not what is in memory, which says nothing of the file
		return err
	})
	if err != nil {
		return out, nil, err
	}
	defer func() {
		if err != nil {
			let()
		}
	}()
	if len(out.Standing.Leaves) > mostWait {
		return out, nil, ErrBehind
	}
	if out.Checkpoint, err = s.read(ctx, tlog.Reader{StoreID: storeID}.Key("checkpoint")); err != nil {
		return out, nil, err
	}
	if st := &out.Standing; st.Store == nil && st.Table == nil && st.LogSize == 0 && len(out.Checkpoint) == 0 {
		return out, nil, ErrNoStore
	}
	return out, let, nil
}

// read reads a small object; one that is missing is empty.
func (s *Service) read(ctx context.Context, key string) ([]byte, error) {
	in, err := s.cfg.Objects.Get(ctx, key, 0, -1)
	if errors.Is(err, objstore.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(in, mostBytes+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if len(b) > mostBytes {
		return nil, fmt.Errorf("%s is larger than anything that a table has", key)
	}
	return b, nil
}

// Stores lists every store that has, or had, a table or a log.
func (s *Service) Stores(ctx context.Context) ([]protocol.Store, error) {
	all := map[string]protocol.Store{}
	rows, err := s.cfg.Meta.Stores(ctx, meta.Scope{}, "", 0)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		all[rows[i].ID] = Named(&rows[i])
	}
	ids := func(list []string, err error) error {
		for _, id := range list {
			if _, known := all[id]; !known {
				all[id] = protocol.Store{ID: id}
			}
		}
		return err
	}
	if err := ids(s.cfg.Meta.PendingLogs(ctx)); err != nil {
		return nil, err
	}
	for _, prefix := range []string{tlog.Prefix, "tables/"} {
		err := s.cfg.Objects.ListFolders(ctx, prefix, func(folder string) error {
			id := strings.TrimSuffix(strings.TrimPrefix(folder, prefix), "/")
			if uuid.Validate(id) != nil {
				return nil
			}
			return ids([]string{id}, nil)
		})
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b protocol.Store) int { return strings.Compare(a.ID, b.ID) }), nil
}

// Named is a store as a list of stores has it.
func Named(s *meta.EventDataStore) protocol.Store {
	return protocol.Store{ID: s.ID, Name: s.Name, Account: s.Account, Region: s.Region}
}

// Renew keeps a store's snapshot for another Lease, until it is a day old: then the reader takes another, as after a restart.
func (s *Service) Renew(storeID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.open[id]
	if sn == nil || sn.release == nil || sn.store != storeID {
		return ErrNone
	}
	now := s.cfg.Now()
	if now.Sub(sn.taken) > oldest {
		return ErrNone
	}
	sn.until = now.Add(Lease)
	return nil
}

// End lets a store's snapshot go.
func (s *Service) End(storeID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.open[id]
	if sn == nil || sn.release == nil || sn.store != storeID {
		return ErrNone
	}
	delete(s.open, id)
	sn.release()
	return nil
}

// Close lets all go.
func (s *Service) Close() error {
	close(s.stop)
	s.done.Wait()
	s.EndAll()
	return nil
}

// EndAll lets all go that are taken. Their readers take others.
func (s *Service) EndAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, sn := range s.open {
		if sn.release != nil {
			delete(s.open, id)
			sn.release()
		}
	}
}

// Busy tells whether an error says that the store can be verified a little later.
func Busy(err error) bool {
	return errors.Is(err, lake.ErrChanging) || errors.Is(err, ErrBehind) || errors.Is(err, ErrTooMany)
}
