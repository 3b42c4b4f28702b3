package lake

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/proof"
)

// TestKeep: what a table named at a moment stays readable while it goes on, and goes when nobody keeps it any more.
func TestKeep(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	n := 0
	commit := func(times int) {
		for range times {
			b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1))
			n++
		}
	}
	commit(4)
	var location string
	var named []string
	release, err := b.Keep(t.Context(), store, func(ctx context.Context) error {
		row, err := b.db.Table(ctx, store)
		location = row.Location
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Inspect(t.Context(), b.objects, location, Inspection{
		Object: func(path string, _ proof.Hash) { named = append(named, path) },
		File:   func(path string, _ *proof.Stats) { named = append(named, path) },
	})
	if err != nil || len(named) < 13 {
		t.Fatalf("%d objects, %v", len(named), err)
	}
	later := func() (left int) {
		for worked := true; worked; {
			if worked, err = b.Compact(t.Context(), store); err != nil {
				t.Fatal(err)
			}
		}
		b.keepReplaced = 0
		commit(b.keep + 2*b.expireEvery)
		for _, path := range named[1:] { // the first is the metadata file
			r, err := b.objects.Get(t.Context(), "tables/"+store+"/"+path, 0, -1)
			if err != nil {
				continue
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			r.Close()
			left++
		}
		return left
	}
	if left := later(); left != len(named)-1 {
		t.Errorf("%d of %d objects are left while they are kept", left, len(named)-1)
	}
	if err := b.Cleanse(t.Context(), store, 1000, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("cleansed while a snapshot is kept: %v", err)
	}
	if err := b.RetireTable(t.Context(), store); !errors.Is(err, ErrBusy) {
		t.Errorf("retired while a snapshot is kept: %v", err)
	}
	release()
	release()
	if left := later(); left != 0 {
		t.Errorf("%d of %d objects are left when nobody keeps them", left, len(named)-1)
	}
	if err := b.RetireTable(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Keep(t.Context(), store, func(context.Context) error { return nil }); !errors.Is(err, ErrChanging) {
		t.Errorf("the files of a table that is being removed are kept: %v", err)
	}
	if err := b.db.RetireStore(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	made := b.store(t, event.CloudTrail)
	row, err := b.db.Table(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.objects.LocalPath(mustKey(t, b, row.Location)), filepath.Join(b.dir, "away")); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	_, err = b.Keep(t.Context(), made, func(context.Context) error {
		return os.Rename(filepath.Join(b.dir, "away"), b.objects.LocalPath(mustKey(t, b, row.Location)))
	})
	if !errors.Is(err, ErrChanging) {
		t.Errorf("a table that opens meanwhile: %v", err)
	}
	looked := false
	if _, err := b.Keep(t.Context(), store, func(context.Context) error { looked = true; return nil }); err != nil || !looked {
		t.Errorf("of a store whose table is gone: looked %t, %v", looked, err)
	}
}

func mustKey(t *testing.T, b *bed, location string) string {
	t.Helper()
	key, ok := b.objects.Key(location)
	if !ok {
		t.Fatalf("%s lies outside", location)
	}
	return key
}
