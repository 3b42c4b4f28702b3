package retention

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

// crashes ends the process, as far as the test is concerned, at a named step of a removal.
type crashes struct {
	meta.DB
	b *bed
}

type crashed string

func (c crashes) pass(step string) {
	if c.b.crash == step {
		panic(crashed(step))
	}
}

func (c crashes) RemoveFromTable(ctx context.Context, id, old, location string, applied int64, r meta.Removal, leaves ...[]byte) error {
	c.pass("before days are removed")
	err := c.DB.RemoveFromTable(ctx, id, old, location, applied, r, leaves...)
	c.pass("after days are removed")
	return err
}

func (c crashes) ForgetRemovedFiles(ctx context.Context, id string, keys []string) error {
	c.pass("when files are deleted")
	return c.DB.ForgetRemovedFiles(ctx, id, keys)
}

func (c crashes) RetireStore(ctx context.Context, id string, leaves ...[]byte) error {
	c.pass("before a store is removed")
	err := c.DB.RetireStore(ctx, id, leaves...)
	c.pass("after a store is removed")
	return err
}

func (c crashes) ForgetDeletedTable(ctx context.Context, id string) error {
	c.pass("when a store's files are deleted")
	return c.DB.ForgetDeletedTable(ctx, id)
}

// Wherever a crash ends a removal, the lake balances with its log after it, and the next server brings it to its end.
func TestCrashes(t *testing.T) {
	for _, step := range []string{"before days are removed", "after days are removed", "when files are deleted", "before a store is removed", "after a store is removed", "when a store's files are deleted"} {
		t.Run(step, func(t *testing.T) {
			b := newBed(t)
			b.commit(0, 40, 41)
			gone := strings.Contains(step, "store")
			if gone {
				b.ok(b.registry.DeleteStore(t.Context(), here, b.store))
			}
			b.crash = step
			var at any
			for range 40 {
				func() {
					defer func() { at = recover() }()
					b.pass(6 * time.Hour)
					b.round()
				}()
				if at != nil {
					break
				}
			}
			if at != crashed(step) {
				t.Fatalf("ended with %v", at)
			}
			b.crash = ""
			b.restart()
			b.verify()
			b.round()
			b.verify()
			b.daysPass(9)
			r := b.verify()
			if gone && r.Events != 0 || !gone && r.Events != 1 {
				t.Errorf("%+v", r)
			}
			if n := b.files(); gone && n != 0 || !gone && n != 1 {
				t.Errorf("%d files are left", n)
			}
		})
	}
}
