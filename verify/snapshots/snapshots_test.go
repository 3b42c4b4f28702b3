package snapshots

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/tlog"
)

const store = "11111111-1111-1111-1111-111111111111"

// bed is a service over a store whose log has one leaf, and what it keeps.
type bed struct {
	*Service
	db   meta.DB
	now  time.Time
	kept int
}

func newBed(t *testing.T) *bed {
	t.Helper()
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{db: db, now: time.Now()}
	at := objects.URI("tables/" + store + "/metadata/0.metadata.json")
	if err := errors.Join(db.CreateStore(t.Context(), meta.EventDataStore{ID: store, Name: "audit", Created: b.now, Updated: b.now}), db.CreateTable(t.Context(), meta.Table{StoreID: store, Location: at}, []byte("leaf")),
		objects.Put(t.Context(), "tables/"+store+"/metadata/0.metadata.json", strings.NewReader("table"), 5, true),
		objects.Put(t.Context(), tlog.Reader{StoreID: store}.Key("checkpoint"), strings.NewReader("signed"), 6, true)); err != nil {
		t.Fatal(err)
	}
	b.Service = Open(Config{Meta: db, Objects: objects, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now },
		Keep: func(ctx context.Context, _ string, look func(context.Context) error) (func(), error) {
			if err := look(ctx); err != nil {
				return nil, err
			}
			b.kept++
			return func() { b.kept-- }, nil
		},
		Flush: func(context.Context) error { return errors.New("this log takes no leaves") },
		Pause: func(context.Context) (func(), error) { return func() {}, nil }})
	t.Cleanup(func() {
		if err := b.Close(); err != nil || b.kept != 0 {
			t.Errorf("at the end %d are kept, %v", b.kept, err)
		}
	})
	return b
}

// TestLeases: what is kept for a reader is kept for as long as it says so, and no longer.
func TestLeases(t *testing.T) {
	b := newBed(t)
	first, err := b.Take(t.Context(), store)
	if err != nil || string(first.Metadata) != "table" || string(first.Checkpoint) != "signed" || len(first.Standing.Leaves) != 1 || first.Standing.LogSize != 1 || first.Standing.Store.Name != "audit" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := b.Take(t.Context(), store)
	if err != nil || second.ID == first.ID || b.kept != 2 {
		t.Fatalf("%+v, %v; %d are kept", second, err, b.kept)
	}
	for range 3 {
		b.now = b.now.Add(Lease - time.Second)
		b.expire()
		if err := b.Renew(store, first.ID); err != nil {
			t.Error(err)
		}
	}
	if err := b.Renew(store, second.ID); !errors.Is(err, ErrNone) || b.kept != 1 {
		t.Errorf("one that was not renewed: %v, %d are kept", err, b.kept)
	}
	if err := b.End("another", first.ID); !errors.Is(err, ErrNone) {
		t.Errorf("by another store's name: %v", err)
	}
	if err := b.End(store, first.ID); err != nil || b.kept != 0 {
		t.Errorf("%v, %d are kept", err, b.kept)
	}
	if err := b.End(store, first.ID); !errors.Is(err, ErrNone) {
		t.Errorf("the same again: %v", err)
	}
}

// TestOldest: renewing keeps nothing for longer than a day.
func TestOldest(t *testing.T) {
	b := newBed(t)
	sn, err := b.Take(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	begun, renewed := b.now, 0
	for err == nil && b.now.Sub(begun) < 2*oldest {
		b.now = b.now.Add(Lease / 2)
		if err = b.Renew(store, sn.ID); err == nil {
			renewed++
		}
	}
	if !errors.Is(err, ErrNone) || renewed != int(oldest/(Lease/2)) {
		t.Fatalf("renewed %d times, then %v", renewed, err)
	}
	b.now = b.now.Add(Lease)
	if b.expire(); b.kept != 0 {
		t.Errorf("%d are kept", b.kept)
	}
}

// TestBounds: there are not more snapshots than so many, and none of what is not there, or of a log that is far behind; what could not be taken keeps nothing.
func TestBounds(t *testing.T) {
	b := newBed(t)
	if _, err := b.Take(t.Context(), strings.Replace(store, "1", "2", 1)); !errors.Is(err, ErrNoStore) || b.kept != 0 {
		t.Errorf("of no store: %v, %d are kept", err, b.kept)
	}
	for range most {
		if _, err := b.Take(t.Context(), store); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Take(t.Context(), store); !errors.Is(err, ErrTooMany) || b.kept != most {
		t.Errorf("one more: %v, %d are kept", err, b.kept)
	}
	b.EndAll()
	var leaves [][]byte
	for n := range mostWait {
		leaves = append(leaves, fmt.Append(nil, n))
	}
	if _, err := b.db.UpdateStore(t.Context(), store, func(*meta.EventDataStore) error { return nil }, leaves...); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Take(t.Context(), store); !errors.Is(err, ErrBehind) || b.kept != 0 {
		t.Errorf("of a log that takes no leaves: %v, %d are kept", err, b.kept)
	}
	all, err := b.Stores(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != store || all[0].Name != "audit" {
		t.Errorf("%+v, %v", all, err)
	}
}
