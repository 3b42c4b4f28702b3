package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
)

// dying is a store whose server dies after so many changes of it: from then on nothing reaches it.
type dying struct {
	objstore.Store
	left atomic.Int64
	die  context.CancelFunc
}

var errDead = errors.New("the server is dead")

func (d *dying) change() error {
	if d.left.Add(-1) < 0 {
		d.die()
		return errDead
	}
	return nil
}

func (d *dying) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	if err := d.change(); err != nil {
		return err
	}
	return d.Store.Put(ctx, key, r, size, onlyNew)
}

func (d *dying) Delete(ctx context.Context, key string) error {
	if err := d.change(); err != nil {
		return err
	}
	return d.Store.Delete(ctx, key)
}

// TestRecoverFromEveryCut: wherever in commits, publications, merges and copies the server dies and its disk is lost, what was committed comes back, nothing that was not accepted does, and the
// lake verifies, goes on, and takes what is sent again once.
func TestRecoverFromEveryCut(t *testing.T) {
	total, stride := int64(0), int64(9)
	if os.Getenv("LOCH_EVERY_CUT") != "" {
		stride = 1
	}
	for cut := int64(0); ; cut += stride {
		a := newAfar(t)
		tree := a.objects
		store := a.create("main")
		a.accept(store, "a", 0, 9)
		a.copyNow()
		a.close()

		ctx, die := context.WithCancel(t.Context())
		d := &dying{Store: tree, die: die}
		d.left.Store(1 << 40)
		r := newRig(t, a.dir, d, time.Hour)
		r.closed = true // it does not end in order
		copies := &Copies{cfg: a.copies.cfg, commits: -1, age: newAge(nil)}
		copies.cfg.Meta, copies.cfg.Objects = r.db, d
		copies.cfg.Flush = func(ctx context.Context) error { return errors.Join(r.ingest.Flush(ctx), r.logs.Flush(ctx)) }
		d.left.Store(cut)
		sent := 9
		steps := []func() error{
			func() error { r.accept(store, "a", sent, 6); sent += 6; return r.ingest.Flush(ctx) },
			func() error { return r.logs.Flush(ctx) },
			func() error { r.accept(store, "a", sent, 6); sent += 6; return r.ingest.Flush(ctx) },
			func() error { return copies.copy(ctx) },
			func() error { r.accept(store, "a", sent, 6); sent += 6; return r.ingest.Flush(ctx) },
			func() error { return r.logs.Flush(ctx) },
		}
		for range 12 {
			steps = append(steps, func() error { r.accept(store, "a", sent, 1); sent++; return r.ingest.Flush(ctx) })
		}
		steps = append(steps,
			func() error {
				worked, err := r.lake.Compact(ctx, store)
				if err == nil && !worked {
					t.Error("nothing was merged")
				}
				return err
			},
			func() error { r.accept(store, "a", sent, 6); sent += 6; return r.ingest.Flush(ctx) },
			func() error { return r.logs.Flush(ctx) })
		for _, step := range steps {
			if ctx.Err() != nil || step() != nil {
				break
			}
		}
		if died := ctx.Err() != nil; !died {
			total = cut - d.left.Load()
		}
		die()
		_ = r.ingest.Close(ctx) // it cannot
		_ = r.logs.Close(ctx)
		whole, err := lake.Open(t.Context(), lake.Config{Objects: tree, Meta: r.db})
		r.ok(err)
		r.lake = whole
		committed := r.ids(store)
		r.ok(errors.Join(whole.Close(), r.reg.Close(t.Context()), r.db.Close()))

		n, found := recovered(t, a.lost(nil))
		got := n.ids(store)
		for _, id := range committed {
			if !slices.Contains(got, id) {
				t.Errorf("cut %d: %s was committed, and is gone", cut, id)
			}
		}
		if len(got) > sent || found.Notes != nil {
			t.Errorf("cut %d: %d events of %d; %+v", cut, len(got), sent, found)
		}
		n.accept(store, "a", 0, sent)
		n.flush()
		if again := n.ids(store); len(again) != sent {
			t.Errorf("cut %d: %d events after all were sent again, not %d", cut, len(again), sent)
		}
		n.verify()
		n.close()
		if total > 0 {
			break
		}
	}
	if total < 60 {
		t.Errorf("the server's life was %d changes of the store", total)
	}
}
