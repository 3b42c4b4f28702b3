package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// GuardConfig is what a Guard is made of.
type GuardConfig struct {
	Meta       Meta
	Objects    objstore.Store
	Key        proof.PublicKey
	Shared     bool                  // others may reach Objects, a bucket: it is claimed for this server, and another one's is ErrForeign
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed
}

// Guard tells whether the metadata is as new as the logs. An older copy of it that was put in its place, or a disk that was set back beneath tables in a bucket, would have it go on from tables of
// then: what was committed since would be in no table, and its files would go as orphans.
//
// A leaf is in the metadata, durably, before the log has it, and is forgotten there only when a published checkpoint covers it. So wherever a crash comes between these steps
//
//   - a checkpoint covers no more leaves than the metadata counts (LogSize), and
//   - a leaf that the metadata still has and a checkpoint covers is the log's entry, byte for byte.
//
// Where either does not hold, the metadata is older than the log. The metadata of all stores is one file, and whatever is changed by an old one is a second history beside that of the newer: so one such log
// is enough for nothing to be gone on with, until a start finds the two in agreement again. What no published checkpoint covers yet (the leaves of a second or two) it cannot see.
type Guard struct {
	cfg    GuardConfig
	log    *slog.Logger
	failed *prometheus.GaugeVec

	turn chan struct{} // held by who looks

	mu      sync.Mutex
	whole   bool             // every log was looked at, and none says that the metadata was set back
	why     error            // the last look came to no end
	agree   map[string]bool  // logs that were looked at
	strange map[string]error // logs that do not tell: their checkpoint or what it covers cannot be read as theirs
	back    map[string]error // logs that the metadata is older than
}

// NewGuard makes a guard that has not looked yet.
func NewGuard(cfg GuardConfig) *Guard {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Guard{cfg: cfg, log: cfg.Logger, turn: make(chan struct{}, 1), agree: map[string]bool{}, strange: map[string]error{}, back: map[string]error{},
		failed: promauto.With(cfg.Registerer).NewGaugeVec(prometheus.GaugeOpts{Name: "loch_metadata_set_back", Help: "1 for a store whose transparency log the metadata is older than: nothing is accepted, committed or removed."}, []string{"store"})}
}

// errUnchecked: nobody could hold the metadata against the logs yet.
var errUnchecked = errors.New("the metadata could not be held against the transparency logs yet")

// Known is what is known without looking: nil where the metadata is as new as the logs, a meta.ErrSetBack where it is not, and another error where no look has come to its end.
func (g *Guard) Known() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known()
}

func (g *Guard) known() error {
	for _, id := range slices.Sorted(maps.Keys(g.back)) {
		return g.back[id]
	}
	switch {
	case g.whole:
		return nil
	case g.why != nil:
		return g.why
	}
	return errUnchecked
}

// SetBack lists the stores whose logs the metadata is older than, sorted.
func (g *Guard) SetBack() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.back))
}

// Check is nil where the metadata is as new as every log, and storeID's log tells so itself ("": of no store in particular). It looks until that is known, and not again. It is a meta.ErrSetBack where
// the metadata is older.
func (g *Guard) Check(ctx context.Context, storeID string) error {
	g.mu.Lock()
	err, strange := g.known(), g.strange[storeID] != nil
	g.mu.Unlock()
	if err == nil && !strange || errors.Is(err, meta.ErrSetBack) {
		return err
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnchecked, ctx.Err())
	}
	defer func() { <-g.turn }()
	if err := g.look(ctx); err != nil {
		err = fmt.Errorf("%w: %w", errUnchecked, err)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.why = err
		return err
	}
	if err := g.Known(); err != nil {
		return err
	}
	g.mu.Lock()
	strange = g.strange[storeID] != nil
	g.mu.Unlock()
	if !strange {
		return nil
	}
	return g.one(ctx, storeID) // it may have been mended
}

// look goes through the logs that were not looked at yet. It is called in turn.
func (g *Guard) look(ctx context.Context) error {
	g.mu.Lock()
	whole := g.whole
	g.mu.Unlock()
	if whole {
		return nil
	}
	todo, gctx := errgroup.WithContext(ctx)
	todo.SetLimit(putsAtOnce)
	err := g.cfg.Objects.ListFolders(ctx, Prefix, func(folder string) error {
		id := strings.TrimSuffix(strings.TrimPrefix(folder, Prefix), "/")
		g.mu.Lock()
		done := g.agree[id] || g.strange[id] != nil
		g.mu.Unlock()
		if done {
			return nil
		}
		todo.Go(func() error {
			if err := g.one(gctx, id); err != nil && !errors.Is(err, meta.ErrSetBack) && !errors.Is(err, errStrange) {
				return err
			}
			return nil
		})
		return nil
	})
	if err = errors.Join(err, todo.Wait()); err != nil {
		return err
	}
	if g.cfg.Shared {
		if err := g.claim(ctx); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.whole = len(g.back) == 0
	return nil
}

// errStrange: a log does not tell how many leaves it has.
var errStrange = errors.New("the transparency log cannot be held against the metadata")

// one looks at one log and keeps what it tells.
func (g *Guard) one(ctx context.Context, storeID string) error {
	err := g.compare(ctx, storeID)
	switch {
	case errors.Is(err, meta.ErrSetBack):
		return g.found(storeID, err)
	case errors.Is(err, errStrange):
		err = fmt.Errorf("store %s: %w", storeID, err)
		g.log.Error("a store's table is not used: its transparency log does not tell whether the metadata is as new", "store", storeID, "error", err)
	case err != nil:
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.strange[storeID] = err
		return err
	}
	delete(g.strange, storeID)
	g.agree[storeID] = true
	return nil
}

// compare holds the metadata against a store's log, which may grow meanwhile.
func (g *Guard) compare(ctx context.Context, storeID string) error {
	r := Reader{g.cfg.Objects, storeID}
	signed, err := r.Checkpoint(ctx)
	if errors.Is(err, objstore.ErrNotExist) {
		return g.unpublished(ctx, storeID)
	}
	if err != nil {
		return err
	}
	cp, err := proof.OpenCheckpoint(signed, g.cfg.Key, storeID)
	if err != nil {
		return fmt.Errorf("%w: %w", errStrange, err)
	}
	size, err := g.cfg.Meta.LogSize(ctx, storeID) // behind the checkpoint, so that what is added meanwhile is among it
	if err != nil {
		return err
	}
	if cp.Size > uint64(size) {
		return fmt.Errorf("%w: the log of store %s has %d leaves, the metadata knows of %d", meta.ErrSetBack, storeID, cp.Size, size)
	}
	rows, err := g.cfg.Meta.Leaves(ctx, storeID, leavesAtOnce)
	if err != nil {
		return err
	}
	err = covered(ctx, r, cp.Size, rows)
	if err != nil && !errors.Is(err, meta.ErrSetBack) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errStrange, err)
	}
	return err
}

// unpublished is nil where the metadata, too, says that no checkpoint of a store's log was published yet.
func (g *Guard) unpublished(ctx context.Context, storeID string) error {
	rows, err := g.cfg.Meta.Leaves(ctx, storeID, 1)
	if err != nil || len(rows) > 0 && rows[0].Serial == 0 {
		return err
	}
	size, err := g.cfg.Meta.LogSize(ctx, storeID)
	if err == nil && size > 0 {
		err = fmt.Errorf("%w: leaves of it were published, and its checkpoint is not there", errStrange)
	}
	return err
}

// covered compares those of the leaves that a log of this size has with its entries; they are in order.
func covered(ctx context.Context, r Reader, size uint64, rows []meta.Leaf) error {
	var entries [][]byte
	bundle := size // of entries; no bundle has such a number
	for _, row := range rows {
		serial := uint64(row.Serial)
		if serial >= size {
			return nil
		}
		if n := serial / proof.TileWidth; n != bundle {
			var err error
			if entries, err = r.Entries(ctx, n, width(n, size)); err != nil {
				return err
			}
			bundle = n
		}
		if !bytes.Equal(entries[serial%proof.TileWidth], row.Data) {
			return fmt.Errorf("%w: leaf %d of store %s is not the one that its log has", meta.ErrSetBack, serial, r.StoreID)
		}
	}
	return nil
}

// found notes that the metadata was set back, tells it, and gives the error.
func (g *Guard) found(storeID string, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.back[storeID] == nil {
		g.back[storeID], g.whole = err, false
		g.failed.WithLabelValues(storeID).Set(1)
		g.log.Error("the metadata is older than a transparency log: an older copy was put in its place. No event is accepted, and nothing is committed, answered or removed, until the newer one is back, "+
			"or is made anew by loch recover (docs/backup.md)", "store", storeID, "error", err)
	}
	return g.back[storeID]
}
